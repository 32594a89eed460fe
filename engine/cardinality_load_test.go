package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func memoryDB(t *testing.T) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Values counted earlier still count towards the cap after everything was forgotten, because
// they are read back from the log. Other days, sites and properties have caps of their own.
func TestCardinalityForgetsAndLoads(t *testing.T) {
	db := memoryDB(t)
	c := newCardinality(db, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	c.max = 3
	site, other := newSiteState(1, identity.NewLinks(nil, nil)), newSiteState(2, identity.NewLinks(nil, nil))
	settled := 0
	var seq uint64
	ask := func(s *siteState, property string, day int32, value string, want bool) {
		t.Helper()
		c.nextEvent()
		group := &siteGroup{site: s}
		over, err := c.count(group, property, day, value, 2, func() { settled++ })
		if err != nil || over != want {
			t.Fatalf("%s of %s on day %d: over %v, %v", value, property, day, over, err)
		}
		if over {
			value = event.Other
		}
		note := c.appendDeltas(nil, group.counted)
		if want := index.AppendTotal([]byte{1}, &index.Total{Property: property, Day: day, Value: value, Sum: 2}, false); !bytes.Equal(note, want) {
			t.Fatalf("%s of %s on day %d: deltas %q, want %q", value, property, day, note, want)
		}
		seq++
		if _, err := wal.AppendNote(db, s.ID, seq, note, nil); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		for _, v := range []string{"a", "b", "c"} {
			ask(site, "p", 10, v, false)
		}
		ask(site, "p", 10, "d", true)
		ask(site, "p", 10, fmt.Sprint("new ", round), true)
		ask(site, "p", 10, "b", false)
		ask(site, "p", 10, event.Other, false) // a client may send it; it counts under its own name
		for _, v := range []string{"d", "e"} {
			ask(site, "p", 11, v, false)
			ask(site, "q", 10, v, false)
			ask(other, "p", 10, v, false)
		}
		if round == 0 {
			for set := range maps.Values(c.sets) { // counts remain
				c.evict(set, true)
			}
			c.trim()
		} else {
			c.bytesMax = 0
			c.trim()
			c.bytesMax = capBytesMax
			if c.n != 0 {
				t.Fatal("trim does not forget the counts")
			}
		}
		if len(c.sets) != 0 {
			t.Fatal("trim does not forget the sets")
		}
		if round == 0 {
			settled = 0
		}
	}
	if settled == 0 {
		t.Error("the log is read before earlier groups are in it")
	}
	ask(site, "p", 10, "a", false)
	c.bytesMax = c.n
	if c.trim(); len(c.sets) == 0 {
		t.Error("trim forgets sets although the bound is kept")
	}
}

// countingReader counts how often the log is read.
type countingReader struct {
	pebble.Reader
	iterators int
}

func (r *countingReader) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) {
	r.iterators++
	return r.Reader.NewIter(o)
}

// One pass over the log reads back everything that was forgotten, whatever the number of
// properties and days. The bytes of names count towards the bound.
func TestCardinalityReadsOnce(t *testing.T) {
	db := memoryDB(t)
	reader := &countingReader{Reader: db}
	c := newCardinality(reader, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	c.max = 3
	site := newSiteState(1, identity.NewLinks(nil, nil))
	name := func(i int) string { return fmt.Sprintf("%s.%d", strings.Repeat("k", 900), i%200) }
	groups := uint64(0)
	count := func(value func(i int) string, over bool) {
		t.Helper()
		groups++
		group := &siteGroup{site: site}
		for i := range 400 {
			c.nextEvent()
			if got, err := c.count(group, name(i), int32(10+i/200), value(i), 1, func() {}); err != nil || got != over {
				t.Fatalf("%d: over %v, %v", i, got, err)
			}
		}
		if _, err := wal.AppendNote(db, site.ID, groups, c.appendDeltas(nil, group.counted), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []string{"a", "b", "c"} {
		count(func(int) string { return v }, false)
	}
	if names := 400 * 900; c.n < names || c.n > 2*names {
		t.Errorf("names of %d bytes count as %d", names, c.n)
	}
	c.bytesMax = 0
	c.trim()
	c.bytesMax = capBytesMax
	reader.iterators = 0
	count(func(i int) string { return fmt.Sprint("new ", i) }, true)
	count(func(i int) string { return []string{"a", "b", "c"}[i%3] }, false)
	if reader.iterators > 2 {
		t.Errorf("the log is read %d times, want at most 2", reader.iterators)
	}
}

// A name that counts on a day keeps counting on that day after everything was forgotten,
// because names are read back from the log. Each day of a site has its own names, and
// detected properties are not among them.
func TestNamesForgetAndLoad(t *testing.T) {
	db := memoryDB(t)
	c := newCardinality(db, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	c.namesMax = 3
	site, other := newSiteState(1, identity.NewLinks(nil, nil)), newSiteState(2, identity.NewLinks(nil, nil))
	seq := uint64(0)
	ask := func(s *siteState, day int32, name string, want bool) {
		t.Helper()
		yes, err := c.name(&siteGroup{site: s}, day, name, func() {})
		if err != nil || yes != want {
			t.Fatalf("%s on day %d: %v, %v", name, day, yes, err)
		}
		if !yes {
			return
		}
		c.nextEvent()
		group := &siteGroup{site: s}
		if _, err := c.count(group, name, day, event.Other, 1, func() {}); err != nil { // its values may be over their own cap
			t.Fatal(err)
		}
		for _, free := range []string{"name", "country", event.Other} {
			if _, err := c.count(group, free, day, "x", 1, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		seq++
		if _, err := wal.AppendNote(db, s.ID, seq, c.appendDeltas(nil, group.counted), nil); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		for _, name := range []string{"a", "b", "c"} {
			ask(site, 10, name, true)
			ask(site, 11, "z"+name, true)
			ask(other, 10, "y"+name, true)
		}
		ask(site, 10, "d", false)
		ask(site, 10, fmt.Sprint("new ", round), false)
		ask(site, 11, "a", false)
		ask(other, 10, "a", false)
		switch round {
		case 0: // only values are forgotten
			c.bytesMax = 0
			c.trim()
			if c.bytesMax = capBytesMax; len(c.names) != 3 || len(c.sets) != 0 {
				t.Fatalf("%d days of names, %d sets of values", len(c.names), len(c.sets))
			}
		case 1:
			c.namesBytesMax = 0
			c.trim()
			if c.namesBytesMax = capNamesMax; len(c.names) != 0 || c.namesBytes != 0 {
				t.Fatal("trim does not forget the names")
			}
		}
	}
}

// A name takes the memory of its hash. A name over the cap takes none.
func TestMemoryOfNames(t *testing.T) {
	c := newCardinality(memoryDB(t), func(error) {})
	site := newSiteState(1, identity.NewLinks(nil, nil))
	ask := func(from, to int) (yes int) {
		for i := from; i < to; i++ {
			ok, err := c.name(&siteGroup{site: site}, 10, fmt.Sprintf("%s%d", strings.Repeat("k", 1000), i), func() {})
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				yes++
			}
		}
		return yes
	}
	if yes := ask(0, 2*NamesPerDayMax); yes != NamesPerDayMax {
		t.Errorf("%d names count, want %d", yes, NamesPerDayMax)
	}
	full := c.namesBytes
	if most := dayNamesBytes + 2*8*NamesPerDayMax; full > most {
		t.Errorf("a full day takes %d bytes, want at most %d", full, most)
	}
	if yes := ask(100_000, 110_000); yes != 0 || c.namesBytes != full || c.n != 0 {
		t.Errorf("%d names beyond the cap count; the names take %d bytes, then %d", yes, full, c.namesBytes)
	}
}

// If the names of a log do not all fit into memory, the number of their values does.
func TestCardinalityReadsWhatDoesNotFit(t *testing.T) {
	db := memoryDB(t)
	const names, size = 30_000, 1000
	long := strings.Repeat("k", size)
	for first := 0; first < names; first += 1000 {
		note := binary.AppendUvarint(nil, 1000)
		for i := range 1000 {
			note = index.AppendTotal(note, &index.Total{Property: fmt.Sprint(long, first+i), Day: 10, Value: "a", Sum: 1}, false)
		}
		if _, err := wal.AppendNote(db, 1, uint64(first+1), note, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := newCardinality(db, func(error) {})
	c.max = 1
	c.nextEvent()
	group := &siteGroup{site: newSiteState(1, identity.NewLinks(nil, nil))}
	for _, i := range []int{0, names - 1} {
		if over, err := c.count(group, fmt.Sprint(long, i), 10, "b", 1, func() {}); err != nil || !over {
			t.Errorf("property %d: over %v, %v; want true", i, over, err)
		}
	}
	if c.n > capBytesMax+10*size || c.n < capBytesMax/4 {
		t.Errorf("%d bytes are in memory", c.n)
	}
}

// A log is read again only after a quarter as many new events as it has.
func TestLogReads(t *testing.T) {
	var l logReads
	for _, c := range []struct {
		last, sealed uint64
		want         bool
	}{{1000, 0, true}, {1000, 0, false}, {1200, 0, false}, {1334, 0, true}, {1400, 0, false}, {1400, 1200, true}, {1400, 1400, true}, {1500, 1000, false}, {1600, 1000, true}} {
		if got := l.may(c.last, c.sealed); got != c.want {
			t.Errorf("events up to %d, sealed to %d: %v", c.last, c.sealed, got)
		}
	}
}

// Values over the cap are listed by property, whatever their order. A property whose values
// are all over the cap is listed once, with the value event.Other.
func TestOverByProperty(t *testing.T) {
	terms := func(text string) (list []event.Term) {
		for _, word := range strings.Fields(text) {
			property, value, _ := strings.Cut(word, "=")
			list = append(list, event.Term{Property: property, Value: value})
		}
		return list
	}
	var s sequencer
	for _, c := range []struct{ counted, over, want string }{
		{"", "", ""},
		{"a=1 b=1 a=2 b=2 a=3", "a=1 b=1 b=2 a=3", "a=1 a=3 b=(other)"},
		{"a=1 b=1 a=2", "a=1 b=1 a=2", "a=(other) b=(other)"},
		{"c=1 b=1 b=2 a=1", "b=2 a=1", "b=2 a=(other)"},
	} {
		s.counts, s.over = s.counts[:0], terms(c.over)
		for _, t := range terms(c.counted) {
			s.counts = append(s.counts, index.Total{Property: t.Property, Value: t.Value})
		}
		if got := s.byProperty(); !slices.Equal(got, terms(c.want)) {
			t.Errorf("%q over the cap of %q: got %q, want %q", c.over, c.counted, got, c.want)
		}
	}
}

// The bytes of an event bound what it adds to a note, whatever it contains. limits.go states
// the bound.
func TestLargestNote(t *testing.T) {
	repeat := func(n int, of func(i int) string) string {
		var all []string
		for i := range n {
			all = append(all, of(i))
		}
		return strings.Join(all, ",")
	}
	long := strings.Repeat("k", 128)
	nested := strings.Repeat(`{"`+long+`":`, 6)
	largest := 0.0
	for name, text := range map[string]string{
		"numbers":       "[" + repeat(1000, func(i int) string { return fmt.Sprint(i) }) + "]",
		"texts":         "[" + repeat(1000, func(i int) string { return fmt.Sprintf(`"%d"`, i) }) + "]",
		"grown numbers": "[" + repeat(1000, func(i int) string { return fmt.Sprintf(`%de%d`, 1+i%9, 300+i%8) }) + "]",
		"short names":   "{" + repeat(250, func(i int) string { return fmt.Sprintf(`"%d":1`, i) }) + "}",
		"deep names":    nested + "{" + repeat(250, func(i int) string { return fmt.Sprintf(`"%d":1`, i) }) + "}" + strings.Repeat("}", 6),
		"one deep name": nested + "1" + strings.Repeat("}", 6),
	} {
		e := &event.Event{Dialect: event.Native, Type: event.Track, Name: "n", Day: 20_000, Properties: event.Object{{Key: "p", Value: event.Raw(text)}}}
		e.Increments = []event.Amount{{Property: "p", By: event.MaxAmount}}
		if err := event.Validate(e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c := newCardinality(memoryDB(t), func(error) {})
		group := &siteGroup{site: newSiteState(1, identity.NewLinks(nil, nil))}
		c.nextEvent()
		e.Counts(func(property, term string, by int64) bool {
			_, err := c.count(group, property, e.Day, term, by, func() {})
			return err == nil
		})
		noted := c.noted
		note := len(c.appendDeltas(nil, group.counted))
		if most := 4<<10 + 15*(len(text)+2); note > most || noted > note {
			t.Errorf("%s: an event of %[4]d bytes makes a note of %[2]d bytes, of which %[3]d are names and values", name, note, noted, len(text))
		}
		largest = max(largest, float64(note)/float64(len(text)))
	}
	if largest < 4 {
		t.Errorf("the largest note is %.1f times as large as its event, want at least 4 times", largest)
	}
}
