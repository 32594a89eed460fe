// Everything that can be written can be read: an event at or over the limits is stored or
// rejected by itself. It never stops the store, and the store always opens again.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// limited is a store under test, and the error that stopped it.
type limited struct {
	testing.TB
	fs     vfs.FS
	site   *engine.Site
	seal   int
	values int // cap on values of a property per day; 0 = the default
	engine *engine.Engine
	fatal  chan error
}

func newLimited(t testing.TB, seal int) *limited {
	l := &limited{TB: t, fs: vfs.NewMem(), site: &engine.Site{Site: query.Site{ID: 1, Name: "one"}}, seal: seal, fatal: make(chan error, 1)}
	l.open()
	return l
}

func (l *limited) open() {
	l.Helper()
	var err error
	l.engine, err = engine.Open(engine.Options{
		Dir: "data", FS: l.fs, Sites: engine.SitesOf(l.site), Reserve: -1, SealRows: l.seal, ValuesPerDay: l.values,
		Fatal: func(err error) {
			select {
			case l.fatal <- err:
			default:
			}
		},
	})
	if err != nil {
		l.Fatal(err)
	}
}

// send stores what can be stored of the events, the others being refused alone.
func (l *limited) send(events ...*event.Event) []event.Outcome {
	l.Helper()
	records := make([]*event.Record, len(events))
	for i, e := range events {
		records[i] = &event.Record{Event: *e}
	}
	return l.store(records...)
}

// store is send for records.
func (l *limited) store(list ...*event.Record) []event.Outcome {
	l.Helper()
	records := make([]engine.Record, len(list))
	for i, r := range list {
		records[i] = engine.Record{Site: l.site, Record: r}
	}
	out, err := l.engine.Ingest(context.Background(), records, false, nil)
	if err != nil {
		l.Fatalf("%v; %v", err, l.why())
	}
	return slices.Clone(out)
}

func (l *limited) why() error {
	select {
	case err := <-l.fatal:
		return err
	case <-time.After(time.Second):
		return nil
	}
}

// good closes the store, checks that it is undamaged and has so many events, and opens it
// again.
func (l *limited) good(events int) {
	l.Helper()
	if err := l.engine.Close(); err != nil {
		l.Fatalf("close: %v; %v", err, l.why())
	}
	report, err := check.Store(context.Background(), l.fs, "data")
	if err != nil || len(report.Problems) > 0 || report.Events != uint64(events) {
		l.Fatalf("check: %+v, %v, want %d events", report, err, events)
	}
	l.open()
	count, err := l.engine.Count(context.Background(), query.Query{Site: &l.site.Site})
	if err != nil || count.Events != uint64(events) {
		l.Errorf("count: %+v, %v, want %d events", count, err, events)
	}
	if err := l.engine.Close(); err != nil {
		l.Fatal(err)
	}
}

func track(d event.Dialect, key, text string) *event.Event {
	return &event.Event{Dialect: d, Type: event.Track, Name: "e", Anonymous: "a", Properties: event.Object{{Key: key, Value: event.Raw(text)}}}
}

// numbers is an array of n consecutive numbers, starting with first.
func numbers(first, n int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, first+i)
	}
	return b.String() + "]"
}

// One event of 133 KB has an array of 24,001 values under a key of 160 bytes. Older records
// listed the key with each value. The event is stored and found, and its first 1,000 values
// count.
func TestLargeArrayUnderALongKey(t *testing.T) {
	l := newLimited(t, 0)
	key := strings.Repeat("k", event.MaxKeyBytes)
	plain := func(name string) *event.Event {
		return &event.Event{Dialect: event.OpenPanel, Type: event.Track, Name: name, Anonymous: "a", MessageID: name}
	}
	for i, out := range l.send(plain("before"), track(event.OpenPanel, key, numbers(100_000, 24_001)), plain("after")) {
		if out.Status != event.Stored || out.Seq != uint64(i+1) {
			t.Errorf("event %d: %+v, %v", i, out, out.Err)
		}
	}
	c, err := l.engine.Counters(context.Background(), query.CounterQuery{Site: &l.site.Site, Property: key})
	if err != nil || c.Count != event.CountedLeavesMax || c.Total.Events != event.CountedLeavesMax {
		t.Errorf("counters: %d rows, %+v, %v", c.Count, c.Total, err)
	}
	found, err := l.engine.Count(context.Background(), query.Query{Site: &l.site.Site, Where: []query.Cond{{Field: "prop." + key, Values: []string{"124000"}}}})
	if err != nil || found.Events != 1 {
		t.Errorf("its last value is found in %d events, %v", found.Events, err)
	}
	l.good(3)
}

// One batch of 139 KB: each of its ten events has an array of 1,501 numbers inside 27 nested
// objects with keys of 120 bytes.
func TestNestedArrays(t *testing.T) {
	l := newLimited(t, 0)
	key := strings.Repeat("k", 120)
	var events []*event.Event
	for i := range 10 {
		text := strings.Repeat(`{"`+key+`":`, 26) + numbers(10_000+1501*i, 1501) + strings.Repeat("}", 26)
		events = append(events, track(event.Segment, key, text))
		events = append(events, &event.Event{Dialect: event.Segment, Type: event.Track, Name: "other", Anonymous: "a"})
	}
	for i, out := range l.send(events...) {
		if out.Status != event.Stored {
			t.Errorf("event %d: %+v, %v", i, out, out.Err)
		}
	}
	c, err := l.engine.Counters(context.Background(), query.CounterQuery{Site: &l.site.Site})
	if err != nil || c.Count != 1 || c.Rows[0].Value != "name" {
		t.Errorf("paths of more than 1,024 bytes are counted: %+v, %v", c, err)
	}
	l.good(20)
}

// Large and nested events within the limits are stored even if all their values are over the
// cap, and are read back as sent.
func TestOverTheCapAndWithinTheLimit(t *testing.T) {
	l := newLimited(t, 40)
	const key = "samples"
	want := make(map[string]string)
	sent := 0
	for i := range 60 {
		e := track(event.Native, key, numbers(100_000+3_000*i, 3_000))
		e.MessageID = fmt.Sprint("m", i)
		want[e.MessageID] = e.Properties.Get(key).Text
		if i%3 == 2 { // one old value, so that not all values are over the cap
			e.Properties[0].Value.Text = "[100000," + e.Properties[0].Value.Text[1:]
			want[e.MessageID] = e.Properties[0].Value.Text
		}
		if out := l.send(e); out[0].Status != event.Stored {
			t.Fatalf("event %d: %+v, %v", i, out[0], out[0].Err)
		}
		sent++
	}
	page, err := l.engine.List(context.Background(), query.Query{Site: &l.site.Site, Limit: 1000})
	if err != nil || len(page.Events) != sent {
		t.Fatalf("%d events, %v", len(page.Events), err)
	}
	capped := 0
	for _, e := range page.Events {
		if got := e.Properties.Get(key).Text; got != want[e.MessageID] {
			t.Errorf("%s: %d bytes of %d", e.MessageID, len(got), len(want[e.MessageID]))
		}
		if len(e.Capped) > 1 {
			capped++
		}
	}
	if capped == 0 {
		t.Error("no event lists values over the cap")
	}
	l.good(sent)
}

// A request whose events have many counters is stored completely, although its group is large.
func TestCountedOfOneRequest(t *testing.T) {
	l := newLimited(t, 0)
	key := strings.Repeat("k", event.MaxKeyBytes)
	var events []*event.Event
	for i := range 80 {
		events = append(events, track(event.Native, key, numbers(10_000+5_200*i, 5_200)))
	}
	for i, out := range l.send(events...) {
		if out.Status != event.Stored {
			t.Errorf("event %d: %+v, %v", i, out, out.Err)
		}
	}
	l.good(len(events))
}

// A store seals two values of one array whose leaves have the same hash in the index, and
// opens again. A client can choose such values. Tests of the index show how they are found.
func TestStoreOfLeavesOfOneHash(t *testing.T) {
	l := newLimited(t, 4)
	for range 9 {
		l.send(track(event.Native, "p", "[11587,78998]"))
	}
	l.good(9)
}

// rewriteLog opens the store under the engine and writes to its log.
func rewriteLog(t *testing.T, fs vfs.FS, write func(db *pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open("data/store", &pebble.Options{FS: fs, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// cappedRecord is a record as older versions wrote it: it lists n values of a property that
// are over the cap.
func cappedRecord(key string, n int) (record []byte, note []byte) {
	now := epoch.UnixMilli()
	e := track(event.OpenPanel, key, numbers(100_000, n+1))
	e.Anonymous, e.Received, e.Time, e.Day = "", now, now, int32(now/(24*60*60*1000))
	head := &event.Head{}
	for i := range n {
		head.Capped = append(head.Capped, event.Term{Property: key, Value: fmt.Sprint(100_001 + i)})
	}
	note = append(note, 3) // totals
	for _, t := range []index.Total{{Property: key, Value: "100000"}, {Property: key, Value: event.Other}, {Property: "name", Value: "e"}} {
		t.Day, t.Sum = e.Day, 1
		note = index.AppendTotal(note, &t, false)
	}
	return event.AppendRecord(nil, head, event.AppendBody(nil, e)), note
}

// A store with a record of an older version that is over today's limit opens, is undamaged
// and returns the event. It goes on, also sealed and merged.
func TestOpenWithLongRecord(t *testing.T) {
	for _, size := range []int{14_001, 36_000} { // 2.4 and 6.2 MB: an event at its limit
		l := newLimited(t, 4)
		l.send(&event.Event{Dialect: event.Native, Type: event.Track, Name: "before"})
		if err := l.engine.Close(); err != nil {
			t.Fatal(err)
		}
		key := strings.Repeat("k", event.MaxKeyBytes)
		record, note := cappedRecord(key, size)
		if len(record) <= event.RecordBytesMax || len(record) > event.RecordReadMax {
			t.Fatalf("a record of %d bytes is within the limit", len(record))
		}
		rewriteLog(t, l.fs, func(db *pebble.DB) error {
			if _, err := wal.Append(db, 1, 2, [][]byte{record}, nil); err != nil {
				return err
			}
			_, err := wal.AppendNote(db, 1, 2, note, nil)
			return err
		})
		l.open()
		for range 7 {
			l.send(&event.Event{Dialect: event.Native, Type: event.Track, Name: "after"})
		}
		page, err := l.engine.List(context.Background(), query.Query{Site: &l.site.Site, Limit: 100})
		if err != nil || len(page.Events) != 9 || page.Events[7].Properties.Get(key).Text != numbers(100_000, size+1) || len(page.Events[7].Capped) != size {
			t.Fatalf("%d events, %v", len(page.Events), err)
		}
		c, err := l.engine.Counters(context.Background(), query.CounterQuery{Site: &l.site.Site, Property: "name"})
		if err != nil || len(c.Rows) != 3 || c.Total.Events != 9 {
			t.Errorf("counters: %+v, %v", c, err)
		}
		if _, err := l.engine.Snapshot(context.Background(), fmt.Sprint("snapshot", size)); err != nil {
			t.Error(err)
		}
		l.good(9)
	}
}

// FuzzLimits sends events whose fields are at their limits, and which exceed the cap on values
// too. They are stored or rejected. The store goes on, is undamaged and opens again.
func FuzzLimits(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, uint8(6))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) { sendExtremes(t, seed, 1+int(n%8)) })
}

// The events of FuzzLimits do reach the limits: for a few seeds some events are stored, some
// are rejected, some count in part, and some list values over the cap.
func TestExtremesMeetLimits(t *testing.T) {
	var stored, refused, cut, capped int
	for seed := range uint64(6) {
		s, r, c, o := sendExtremes(t, seed, 20)
		stored, refused, cut, capped = stored+s, refused+r, cut+c, capped+o
	}
	if stored < 20 || refused < 3 || cut < 3 || capped < 3 {
		t.Errorf("%d stored, %d refused, %d count in part, %d with values over the cap", stored, refused, cut, capped)
	}
}

func sendExtremes(t *testing.T, seed uint64, requests int) (stored, refused, cut, capped int) {
	l := newLimited(t, 30)
	if err := l.engine.Close(); err != nil {
		t.Fatal(err)
	}
	l.values = 1500
	l.open()
	g := newExtremes(seed)
	for range requests {
		var records []*event.Record
		for range 1 + g.IntN(6) {
			records = append(records, g.record())
		}
		for i, out := range l.store(records...) {
			switch {
			case out.Status == event.Stored:
				stored++
			case out.Status == event.Rejected && out.Err != nil:
				refused++
			case out.Status == event.Duplicate, out.Status == event.Excluded:
			default:
				t.Errorf("event %d: %+v", i, out)
			}
		}
	}
	page, err := l.engine.List(context.Background(), query.Query{Site: &l.site.Site, Limit: 1000})
	if err != nil || len(page.Events) != stored {
		t.Errorf("%d events of %d are listed: %v", len(page.Events), stored, err)
	}
	for _, e := range page.Events {
		if len(e.Capped) > 1 {
			capped++
		}
		if e.Cut != nil {
			cut++
		}
	}
	l.good(stored)
	return stored, refused, cut, capped
}

// extremes makes events whose fields are at their limits or one over.
type extremes struct {
	*rand.Rand
	shapes [3]shape // of arrays; they are reused so that a property gets many values
}

type shape struct {
	key   string // of the property and of each nested object
	depth int    // number of nested objects
}

func newExtremes(seed uint64) *extremes {
	g := &extremes{Rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range g.shapes {
		g.shapes[i] = shape{g.text(1 + g.IntN(event.MaxKeyBytes)), g.IntN(event.MaxDepth-3) * i / 2}
	}
	return g
}

// size returns most, a little less or more, or any size.
func (g *extremes) size(most int) int {
	switch g.IntN(8) {
	case 0:
		return most + 1
	case 1:
		return most
	case 2:
		return most - 1
	default:
		return g.IntN(min(most, 64) + 1)
	}
}

// text returns a text of about so many bytes, with or without characters that need escapes.
// Sometimes it returns the same text again.
func (g *extremes) text(n int) string {
	letters := []string{"a", `"`, "\\", "\t", "é", "日", "\x01", "\xff", "0", " "}[g.IntN(10)]
	if g.IntN(3) > 0 {
		letters = "k"
	}
	s := strings.Repeat(letters, max(0, n/len(letters)-4))
	for len(s) < n {
		s += string(rune('a' + g.IntN(26)))
	}
	return s
}

func (g *extremes) id() string {
	if g.IntN(2) == 0 {
		return ""
	}
	return g.text(g.size(event.MaxIDBytes))
}

func (g *extremes) list(most, bytes int) (list []string) {
	if g.IntN(3) > 0 {
		return nil
	}
	for range g.size(most) {
		list = append(list, g.text(1+g.IntN(bytes)))
	}
	return list
}

// nested is a property with numbers or other values inside nested objects.
func (g *extremes) nested() event.Member {
	shape := g.shapes[g.IntN(len(g.shapes))]
	if g.IntN(4) == 0 {
		shape.depth = g.size(event.MaxDepth - 3)
	}
	inside := numbers(g.IntN(8)*2_500, g.IntN(5_000))
	switch g.IntN(5) {
	case 0:
		inside = `["` + strings.Repeat("x", g.size(event.MaxEventBytes)) + `"]`
	case 1:
		var b strings.Builder
		for i := range g.size(event.MaxProperties) {
			fmt.Fprintf(&b, `,"%d":[%de%d,true,null,{"a":1}]`, i, g.IntN(9), g.IntN(310))
		}
		inside = "{" + strings.TrimPrefix(b.String(), ",") + "}"
	}
	open := "{" + string(event.AppendString(nil, shape.key)) + ":"
	return event.Member{Key: shape.key, Value: event.Raw(strings.Repeat(open, shape.depth) + inside + strings.Repeat("}", shape.depth))}
}

func (g *extremes) object() (o event.Object) {
	for i := range g.size(event.MaxProperties) {
		key := fmt.Sprint(i) + g.text(g.size(event.MaxKeyBytes-len(fmt.Sprint(i))))
		v := event.Str(g.text(g.size(1024)))
		switch g.IntN(12) {
		case 0:
			v = event.Num(fmt.Sprintf("%de%d", g.IntN(9), g.IntN(310)))
		case 1:
			v = g.nested().Value
		}
		o = append(o, event.Member{Key: key, Value: v})
	}
	return o
}

func (g *extremes) record() *event.Record {
	r := &event.Record{Event: event.Event{
		Dialect: event.Dialects[g.IntN(len(event.Dialects))], Type: event.Types[g.IntN(len(event.Types))],
		Name: g.text(g.size(event.MaxNameBytes)), User: g.id(), Anonymous: g.id(), Session: g.id(), Previous: g.id(), MessageID: g.id(),
		Groups: g.list(event.MaxGroups, event.MaxIDBytes), Segments: g.list(event.MaxSegments, event.MaxPathBytes),
		NotCounted: []string{"1k", "name"}[:g.IntN(3)],
		Time:       epoch.UnixMilli() - int64(g.IntN(3))*24*60*60*1000,
	}}
	e := &r.Event
	if g.IntN(20) == 0 {
		e.Time = []int64{event.MinTime, event.MaxTime, 1}[g.IntN(3)]
	}
	switch g.IntN(4) {
	case 0, 1:
		e.Properties = event.Object{g.nested()}
	case 2:
		e.Properties = g.object()
	}
	switch g.IntN(6) {
	case 0:
		e.Extra = g.object()
	case 1:
		e.Value = event.Num("1e308")
	case 2:
		e.Context = event.Object{{Key: "url", Value: event.Str(g.text(g.size(2048)))}, {Key: "utm_campaign", Value: event.Str(g.text(g.size(8192)))}}
	}
	if g.IntN(5) == 0 {
		for i := range g.size(event.MaxProperties) {
			e.Increments = append(e.Increments, event.Amount{Property: fmt.Sprint(i) + g.text(g.IntN(event.MaxPathBytes-4)), By: event.MaxAmount})
		}
	}
	if g.IntN(3) == 0 { // nothing else in the way of its properties
		*e = event.Event{Dialect: event.Native, Type: event.Track, Name: "e", Anonymous: "a", Properties: event.Object{g.nested()}}
	}
	if e.Dialect == event.Matomo && g.IntN(2) == 0 {
		r.Hit = &event.Hit{Ping: g.IntN(2) == 0, Order: g.IntN(2) == 0}
	}
	return r
}
