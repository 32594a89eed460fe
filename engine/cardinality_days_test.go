package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Events of any of 3,650 days read nothing but the log once, and keep within the memory. A
// day that was forgotten keeps its cap.
func TestValuesOfManyDays(t *testing.T) {
	reader := &countingReader{Reader: memoryDB(t)}
	c := newCardinality(reader, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	c.max, c.bytesMax = 100, 4<<20
	site := newSiteState(1, identity.NewLinks(nil, nil))
	small := newSiteState(2, identity.NewLinks(nil, nil))
	rng := rand.New(rand.NewPCG(1, 2))
	seq, other, settled := uint64(0), 0, 0
	count := func(s *siteState, sg *siteGroup, property string, day int32, value string) {
		t.Helper()
		over, err := c.count(sg, property, day, value, 1, func() { settled++ })
		if err != nil {
			t.Fatal(err)
		}
		if over {
			other++
		}
	}
	group := func(s *siteState, events int, of func(sg *siteGroup)) {
		t.Helper()
		c.trim()
		if c.n > c.bytesMax {
			t.Fatalf("%d bytes are in memory", c.n)
		}
		sg := &siteGroup{site: s}
		for range events {
			c.nextEvent()
			of(sg)
		}
		seq++
		if _, err := wal.AppendNote(reader.Reader.(pebble.Writer), s.ID, seq, c.appendDeltas(nil, sg.counted), nil); err != nil {
			t.Fatal(err)
		}
	}
	group(small, 10, func(sg *siteGroup) { count(small, sg, "p", 10, "a") })
	kept := c.sets[capKey{small.ID, "p", 10}]
	n := 0
	group(site, 150, func(sg *siteGroup) { // the values of one old day are over its cap
		n++
		count(site, sg, "p", 20_000, fmt.Sprint("old ", n))
	})
	if other != 50 {
		t.Fatalf("%d values of 150 are over the cap, want 50", other)
	}
	other = 0
	for range 200 {
		group(site, 300, func(sg *siteGroup) {
			day := int32(10_000 + rng.IntN(3650))
			for p := range 5 {
				count(site, sg, fmt.Sprint("p", p), day, fmt.Sprint(rng.IntN(10_000)))
			}
		})
	}
	if reader.iterators != 2 || settled != 2 || other != 0 {
		t.Errorf("the logs of two sites are read %d times, waiting %d times for groups; %d values are over the cap", reader.iterators, settled, other)
	}
	if c.pages != capPagesMax {
		t.Errorf("pages of runs are read: %d are left", c.pages)
	}
	if _, has := c.sets[capKey{site.ID, "p", 20_000}]; has || c.sets[capKey{small.ID, "p", 10}] != kept {
		t.Error("the oldest set of the largest site is in memory, or that of another site is not")
	}
	group(site, 1, func(sg *siteGroup) { // it reads the log
		for i := range 200 {
			count(site, sg, "p", 20_000, fmt.Sprint("old ", i+1))
		}
	})
	if other != 100 || reader.iterators != 3 {
		t.Errorf("%d values are over the cap of a day that was forgotten, want 100; the log is read %d times, want 3", other, reader.iterators)
	}
	c.evict(c.sets[capKey{site.ID, "p", 20_000}], true)
	c.sites[site.ID].log.last = 1 << 40 // now the log may not be read again
	c.sites[site.ID].log.any = true
	c.sites[site.ID].pages = 0
	other = 0
	c.trim()
	c.pages = 0
	c.nextEvent()
	sg := &siteGroup{site: site}
	count(site, sg, "p", 20_000, "another")
	if c.appendDeltas(nil, sg.counted); other != 1 || reader.iterators != 3 {
		t.Error("a day that may be full takes a new value, although its values cannot be read")
	}
}

// The caps of an old day hold after a restart, while other events are of 3,650 days. What a
// group reads of runs is bounded.
func TestOldDayAfterRestart(t *testing.T) {
	const day, most, names = 17_000, 40, 3
	ctx := context.Background()
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	fs := vfs.NewMem()
	now := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	options := Options{Dir: "data", FS: fs, Sites: SitesOf(site), Reserve: -1, SealRows: 300, ValuesPerDay: most, NamesPerDay: names, Now: func() time.Time { return now }}
	e, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	record := func(day int64, name, value string) Record {
		return Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Time: day*calendar.DayMillis + 1,
			Properties: event.Object{{Key: "v", Value: event.Str(value)}, {Key: name, Value: event.Str("y")}}}}}
	}
	ingest := func(records ...Record) {
		t.Helper()
		if _, err := e.Ingest(ctx, records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	others := func(events int) { // of any day but the old one
		t.Helper()
		var records []Record
		for range events {
			if d := now.UnixMilli()/calendar.DayMillis - rng.Int64N(3650); d != day {
				records = append(records, record(d, fmt.Sprint("name ", rng.IntN(2*names)), fmt.Sprint(rng.IntN(1000))))
			}
		}
		ingest(records...)
	}
	values := func(from, to int) {
		t.Helper()
		for ; from < to; from++ {
			ingest(record(day, fmt.Sprint("name ", from), fmt.Sprint("value ", from)))
		}
	}
	count := func(property string, want int, other int64) {
		t.Helper()
		q := query.CounterQuery{Site: &site.Site, Property: property, FromDay: day, ToDay: day, Limit: 100}
		page, err := e.Counters(ctx, q)
		if err != nil || page.Count != want {
			t.Errorf("%d values of %q, %v; want %d", page.Count, property, err, want)
		}
		if other == 0 {
			return
		}
		if q.Values = []string{event.Other}; property == "" {
			q.Property, q.Values = event.Other, nil
		}
		if page, err = e.Counters(ctx, q); err != nil || page.Total.Events != other {
			t.Errorf("%d events of %q are under (other), %v; want %d", page.Total.Events, property, err, other)
		}
	}
	reopen := func() {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if report, err := check.Store(ctx, fs, "data"); err != nil || len(report.Problems) > 0 {
			t.Fatalf("check: %v %v", err, report.Problems)
		}
		if e, err = Open(options); err != nil {
			t.Fatal(err)
		}
	}
	others(500)
	values(0, 30)
	others(500)
	for range 2 { // sealed, and then half in the log
		reopen()
		others(100)
		values(20, 50)
		others(100)
		values(0, 10)
	}
	count("v", most+1, 2*10)
	count("", names+2, 30-(names-1)+2*30+2*(10-(names-1))) // with v, and with the event's name
	for tries := 0; e.Stats().Runs < 3 && tries < 1000; tries++ {
		time.Sleep(10 * time.Millisecond)
	}

	// Nothing is known of the days yet, and each group reads some of them.
	c := newCardinality(e.db, e.logUnreadable)
	for range 20 {
		c.trim()
		sg := &siteGroup{site: e.state(site.ID)}
		for range 500 {
			c.nextEvent()
			d := int32(now.UnixMilli()/calendar.DayMillis - rng.Int64N(3650))
			if _, err := c.name(sg, d, "v", func() {}); err != nil {
				t.Fatal(err)
			}
			for _, p := range []string{"v", "name", "name 1", "name 2", "name 3"} {
				if _, err := c.count(sg, p, d, "z", 1, func() {}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if read := capPagesMax - c.pages; read > sitePagesMax+int(e.Stats().Runs) {
			t.Errorf("a group reads %d pages of runs, want at most %d", read, sitePagesMax)
		}
		c.appendDeltas(nil, sg.counted)
	}
	reopen()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// A site whose names become too many to be known together keeps those of each day from then
// on: names in the log, of the current group and of the current event.
func TestNamesOfEachDay(t *testing.T) {
	db := memoryDB(t)
	c := newCardinality(db, func(error) {})
	c.namesMax = 4
	s := newSiteState(1, identity.NewLinks(nil, nil))
	seq := uint64(0)
	var sg *siteGroup
	event := func(day int32, names, want string) {
		t.Helper()
		got := ""
		for _, name := range names {
			if yes, err := c.name(sg, day, string(name), func() {}); err != nil {
				t.Fatal(err)
			} else if yes {
				got += string(name)
			}
		}
		if got != want {
			t.Errorf("%s of %s count on day %d, want %s", got, names, day, want)
		}
		c.nextEvent()
		for _, name := range got {
			if _, err := c.count(sg, string(name), day, "v", 1, func() {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	group := func(events func()) {
		t.Helper()
		c.trim()
		sg = &siteGroup{site: s}
		events()
		seq++
		if _, err := wal.AppendNote(db, s.ID, seq, c.appendDeltas(nil, sg.counted), nil); err != nil {
			t.Fatal(err)
		}
	}
	group(func() { event(1, "a", "a"); event(2, "b", "b") })
	group(func() {
		event(1, "c", "c")
		event(2, "a", "a")
		event(1, "bdefa", "bda") // with d all four names are known, and e is too many
		event(2, "efg", "ef")
	})
	group(func() { event(1, "abcde", "abcd"); event(2, "abcdef", "abef"); event(3, "vwxyz", "vwxy") })
	if !c.sites[s.ID].many || len(c.names) != 3 {
		t.Errorf("the names of %d days are in memory", len(c.names))
	}
}
