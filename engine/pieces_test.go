// Large objects of extra are stored in pieces. Every answer is the same as if they were whole:
// in memory, sealed, merged, reopened and checked.

package engine_test

import (
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

	"github.com/cockroachdb/pebble/v2/vfs"
)

// piecesStore is an engine and the events that it has.
type piecesStore struct {
	*testing.T
	rng     *rand.Rand
	fs      vfs.FS
	options engine.Options
	e       *engine.Engine
	site    *engine.Site
	events  []*event.Event // as they were sent
	paths   []string       // at which they have values, among others
}

func newPiecesStore(t *testing.T, seed uint64, fs vfs.FS) *piecesStore {
	p := &piecesStore{T: t, rng: rand.New(rand.NewPCG(seed, 34)), fs: fs, site: &engine.Site{Site: query.Site{ID: 1, Name: "one"}}}
	p.options = engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(p.site), Reserve: -1, SealRows: 60, MergeRuns: 3, Now: func() time.Time { return epoch }, QueryTime: time.Minute}
	p.open()
	t.Cleanup(func() { _ = p.e.Close() })
	return p
}

func (p *piecesStore) open() {
	p.Helper()
	var err error
	if p.e, err = engine.Open(p.options); err != nil {
		p.Fatal(err)
	}
}

// reopen closes the engine, checks its store, and opens it again.
func (p *piecesStore) reopen() {
	p.Helper()
	if err := p.e.Close(); err != nil {
		p.Fatal(err)
	}
	if report, err := check.Store(p.Context(), p.fs, "data"); err != nil || len(report.Problems) > 0 {
		p.Fatalf("check: %v, %.2000q", err, report.Problems)
	}
	p.open()
}

func (p *piecesStore) send(events ...*event.Event) {
	p.Helper()
	var records []engine.Record
	for _, e := range events {
		e.Dialect, e.Type, e.Name, e.User, e.Time = event.Segment, event.Track, "n", "u", epoch.UnixMilli()
		records = append(records, engine.Record{Site: p.site, Record: &event.Record{Event: *e}})
	}
	outcomes, err := p.e.Ingest(p.Context(), copyRecords(records), false, nil)
	if err != nil {
		p.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Status == event.Stored {
			p.events = append(p.events, events[i])
		}
	}
}

// sealed waits until all complete parts are sealed and, if merged is set, some are merged.
func (p *piecesStore) sealed(merged bool) {
	p.Helper()
	for tries := 0; p.e.Stats().HotEvents >= int64(p.options.SealRows) || merged && p.e.Stats().Merges == 0; tries++ {
		if tries > 1000 {
			p.Fatalf("%+v", p.e.Stats())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var (
	pieceKeys  = []string{"page", "url", "path", "title", "locale", "name", "a", "b", "a.b", "", "c\nd", `q"`, "é", "ip", "x"}
	pieceTexts = []string{"", "https://a.example/", "/p", "Home", "de", `"`, "é\n", "1", "true", "null", "\u2028<&>", "0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501", "ajs-next-1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501"}
)

// value returns JSON that nests at most so deep. It notes its path.
func (p *piecesStore) value(path string, depth int) string {
	if p.rng.IntN(3) == 0 {
		p.paths = append(p.paths, path)
	}
	kind := p.rng.IntN(12)
	if depth <= 0 && kind > 7 {
		kind = p.rng.IntN(8)
	}
	switch kind {
	case 0:
		return pickOf(p.rng, "1", "1.0", "-0", "1e2", "12345678901234567890", "0.5")
	case 1:
		return pickOf(p.rng, "true", "false", "null")
	case 2:
		return pickOf(p.rng, "[]", "{}", `[1,"a",[2]]`, `[{"b":"x","a":{"b":1}},"y"]`)
	case 3, 4, 5, 6, 7:
		return string(event.AppendString(nil, pickOf(p.rng, pieceTexts...)))
	}
	var members []string
	keys := slices.Clone(pieceKeys)
	p.rng.Shuffle(len(keys), func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
	for _, key := range keys[:1+p.rng.IntN(7)] {
		members = append(members, string(event.AppendString(nil, key))+":"+p.value(path+"."+key, depth-1))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func pickOf[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// event returns an event with a few random objects.
func (p *piecesStore) event() *event.Event {
	e := &event.Event{Context: event.Object{{Key: "url", Value: event.Str("https://a.example/")}, {Key: "path", Value: event.Str("/p")}}}
	if p.rng.IntN(2) == 0 {
		e.Context = append(e.Context, event.Member{Key: "title", Value: event.Str(pickOf(p.rng, pieceTexts...))}, event.Member{Key: "language", Value: event.Str("de")})
	}
	for range 1 + p.rng.IntN(3) {
		key := pickOf(p.rng, "context", "context.page", "a", "traits", "n")
		if p.rng.IntN(10) == 0 {
			e.Extra.Set(key, event.Str("x"))
			continue
		}
		text := p.value(key, 5)
		for len(text) < 140 || text[0] != '{' {
			text = fmt.Sprintf(`{"%s":%s,"pad":"%0*d"}`, pickOf(p.rng, "page", "a", "url"), text, p.rng.IntN(80), 0)
		}
		e.Extra.Set(key, event.Raw(text))
	}
	return e
}

// deep returns an object that nests as deep as an event may.
func deep() *event.Event {
	return &event.Event{Extra: event.Object{{Key: "context", Value: event.Raw(strings.Repeat(`{"a":`, event.MaxDepth-2) + `"` + strings.Repeat("x", 200) + `"` + strings.Repeat("}", event.MaxDepth-2))}}}
}

// holds reports whether an event satisfies extra.path=value. It looks at whole objects.
func holds(e *event.Event, path, value string) (found bool) {
	for _, m := range e.Extra {
		rest, ok := strings.CutPrefix(path, m.Key)
		if ok && rest != "" && rest[0] != '.' {
			continue
		}
		if ok {
			if rest != "" && !m.Value.IsObject() && !m.Value.IsArray() {
				continue
			}
			inside := ""
			if rest != "" {
				inside = event.Inside(rest[1:])
			}
			event.CellTerms(event.AppendCell(nil, m.Value), inside, func(term string) {
				found = found || slices.Contains(event.QueryTerms(value), term)
			})
		}
	}
	return found
}

// answers compares what the engine lists, and what it finds, with the events that were sent.
func (p *piecesStore) answers(when string) {
	p.Helper()
	all, err := walk(p.e, query.Query{Site: &p.site.Site, Ascending: true, Limit: 1000})
	if err != nil || len(all) != len(p.events) {
		p.Fatalf("%s: %d events, %v; want %d", when, len(all), err, len(p.events))
	}
	for i, e := range all {
		want := *p.events[i]
		_ = event.Validate(&want) // brings it into the form that answers have
		_ = want.Finish()
		if got, want := string(event.AppendObject(nil, e.Extra)), string(event.AppendObject(nil, want.Extra)); got != want {
			p.Fatalf("%s: event %d is read as\n%s\nwant\n%s", when, i+1, got, want)
		}
	}
	found := 0
	for range 150 {
		path := pickOf(p.rng, p.paths...)
		if p.rng.IntN(4) == 0 {
			path += "." + pickOf(p.rng, pieceKeys...)
		}
		value := pickOf(p.rng, append([]string{"1", "100", "true", "x", "y", "2", "\x02\x20", "\x02\x21", "\x01"}, pieceTexts...)...)
		want := 0
		for _, e := range all {
			if holds(e, path, value) {
				want++
			}
		}
		q := query.Query{Site: &p.site.Site, Where: []query.Cond{{Field: "extra." + path, Values: []string{value}}}, Limit: 1000}
		got, err := walk(p.e, q)
		if err != nil || len(got) != want || slices.ContainsFunc(got, func(e *event.Event) bool { return !holds(e, path, value) }) {
			p.Errorf("%s: extra.%s=%q finds %d events, %v; want %d", when, path, value, len(got), err, want)
		}
		if n, err := p.e.Count(p.Context(), q); err != nil || n.Events != uint64(want) {
			p.Errorf("%s: extra.%s=%q counts %d events, %v; want %d", when, path, value, n.Events, err, want)
		}
		found += want
	}
	if found == 0 {
		p.Errorf("%s: no condition finds any event", when)
	}
}

func TestObjectsInPieces(t *testing.T) {
	t.Parallel()
	p := newPiecesStore(t, 1, vfs.NewMem())
	p.send(deep())
	for round := range 2 {
		for range 40 {
			p.send(p.event())
		}
		p.answers(fmt.Sprintf("round %d, in memory", round))
		for range 300 {
			p.send(p.event(), p.event())
		}
		p.answers(fmt.Sprintf("round %d, being sealed", round))
		p.sealed(true)
		p.answers(fmt.Sprintf("round %d, merged", round))
		p.reopen()
		p.answers(fmt.Sprintf("round %d, reopened", round))
	}
}

// Clients invent keys. Objects whose pieces have no columns are kept whole.
func TestPiecesWithoutColumns(t *testing.T) {
	t.Parallel()
	p := newPiecesStore(t, 2, vfs.NewMem())
	n := 0
	invented := func() *event.Event {
		var members []string
		for range 9 {
			n++
			members = append(members, fmt.Sprintf(`"key%d":"%s","url":"https://a.example/"`, n, pickOf(p.rng, "x", "y", "a longer text")))
			p.paths = append(p.paths, fmt.Sprintf("context.key%d", n), "context.page.url", "context.url")
		}
		object := fmt.Sprintf(`{%s,"page":{"url":"https://a.example/","title":"Home"},"pad":"%0100d"}`, members[0], 0)
		if len(members) > 1 && p.rng.IntN(2) == 0 {
			object = fmt.Sprintf(`{"page":{"url":"https://a.example/","title":"Home"},"more":{%s}}`, strings.ReplaceAll(strings.Join(members, ","), `,"url":"https://a.example/"`, ""))
		}
		return &event.Event{Context: event.Object{{Key: "url", Value: event.Str("https://a.example/")}}, Extra: event.Object{{Key: "context", Value: event.Raw(object)}}}
	}
	wide := func(first int) *event.Event {
		e := invented()
		for i := range 200 {
			e.Properties.Set(fmt.Sprint("p", first+i), event.Num("1"))
		}
		return e
	}
	for round := range 2 {
		for i := range 25 {
			p.send(invented(), p.event(), wide(200*(i%6)))
		}
		p.answers(fmt.Sprintf("round %d, in memory", round))
		for range 100 {
			p.send(invented(), p.event())
		}
		p.sealed(false)
		p.answers(fmt.Sprintf("round %d, sealed", round))
		p.reopen()
		p.answers(fmt.Sprintf("round %d, reopened", round))
	}
	sizes := func() (names []string) {
		s, err := check.Measure(p.fs, "data")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Fields {
			names = append(names, f.Field)
		}
		return names
	}
	if err := p.e.Close(); err != nil {
		t.Fatal(err)
	}
	pieces := slices.DeleteFunc(sizes(), func(name string) bool { return !strings.HasPrefix(name, "extra.context.") })
	if len(pieces) < 100 || len(pieces) > 3*256 {
		t.Errorf("pieces have %d columns", len(pieces))
	}
}
