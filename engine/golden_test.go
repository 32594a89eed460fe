// A store of each format version, written when the version was new. Every later cairn opens
// it, finds it undamaged and gives the same answers.
//
//	go test ./engine -run GoldenStore -update          writes the answers again
//	go test ./engine -run GoldenStore -update.store    also writes the newest store again: only before its release

package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/erase"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	updateAnswers = flag.Bool("update", false, "write the golden answers")
	updateStore   = flag.Bool("update.store", false, "write the golden store of this version, and the golden answers")
)

const (
	goldenVersion = 5         // the newest
	goldenMost    = 256 << 10 // greatest size of a store, in bytes
	goldenNames   = 5         // cap on names of a day: some events exceed it
)

// goldenStore is the directory of the store of a version. Its answers are beside it.
func goldenStore(version int) string { return fmt.Sprintf("testdata/store-v%d", version) }

func goldenOptions(fs vfs.FS, now func() time.Time) engine.Options {
	return engine.Options{
		Dir: "data", FS: fs, Reserve: -1, SealRows: 60, MergeRuns: 3, Memory: 64 << 20, Now: now, NamesPerDay: goldenNames,
		Sites: engine.SitesOf(
			&engine.Site{Site: query.Site{ID: 1, Name: "one"}},
			&engine.Site{Site: query.Site{ID: 2, Name: "two", Location: newYork}, Uncounted: []string{"secret", "deep.secret"}},
			&engine.Site{Site: query.Site{ID: 70_000, Name: "far", Location: time.FixedZone("east", 13*3600)}},
			&engine.Site{Site: query.Site{ID: 4, Name: "wide"}},
		),
	}
}

func TestGoldenStore(t *testing.T) {
	if *updateStore {
		writeGoldenStore(t)
	}
	for version := 1; version <= goldenVersion; version++ {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) { golden(t, version) })
	}
}

func golden(t *testing.T, version int) {
	ctx := context.Background()
	goldenAnswers := goldenStore(version) + ".ndjson"
	store := readFiles(t, vfs.Default, goldenStore(version))
	size := 0
	for _, data := range store {
		size += len(data)
	}
	if size > goldenMost {
		t.Errorf("the store has %d bytes", size)
	}
	fs := store.mem(t)
	if version >= 3 {
		hasNamedSessions(t, fs)
	}
	if version >= 4 {
		hasDeletions(t, fs)
	}
	if version >= 5 {
		hasSinks(t, fs)
	}
	report, err := check.Store(ctx, fs, "data")
	if err != nil || len(report.Problems) > 0 || report.Runs < 4 || report.Unsealed < 20 || report.Sites != 4 {
		t.Fatalf("check: %+v, %v", report, err)
	}
	options := goldenOptions(fs, newClock(epoch.Add(1000*time.Hour)).now)
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	got := allAnswers(t, e, options.Sites())
	if *updateAnswers || *updateStore {
		if err := os.WriteFile(goldenAnswers, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenAnswers)
	if err != nil {
		t.Fatal(err)
	}
	sameLines(t, "the golden store", got, want)
	if version >= 2 && !bytes.Contains(want, []byte(`"Value":"cut.a"`)) {
		t.Error("no event is counted in part")
	}
	if version >= 2 && !bytes.Contains(want, []byte(`"Value":"(other)","Values":1`)) {
		t.Error("no name is over the cap")
	}
	for _, kind := range []string{`"type":"alias"`, `"increments"`, `"segments"`, `"dialect":"matomo"`, `"dialect":"segment"`, `"dialect":"openpanel"`, `"dialect":"opentracker"`, `"dialect":"oppizi"`, `"session"`, `"(other)"`} {
		if !bytes.Contains(want, []byte(kind)) {
			t.Errorf("the golden store has no %s", kind)
		}
	}
	// The store goes on: more events are stored and sealed with the old ones. All answers about
	// the old events stay the same.
	g := newGenerator(3)
	for range 300 {
		for _, site := range options.Sites() {
			r := g.record()
			r.Event.User, r.Event.MessageID = "after", ""
			if _, err := e.Ingest(ctx, []engine.Record{{Site: site, Record: r}}, false, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, site := range options.Sites() {
		for _, line := range bytes.Split(want, []byte("\n")) {
			var old struct{ Site, ID, Name string }
			if site.Name == "wide" || json.Unmarshal(line, &old) != nil || old.Site != site.Name || old.ID == "" {
				continue
			}
			if ev, err := e.Event(ctx, &site.Site, old.ID); err != nil || string(event.AppendJSON(nil, ev)) != string(line) {
				t.Errorf("event %s of %s: %v", old.ID, site.Name, err)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := check.Store(ctx, fs, "data"); err != nil || len(after.Problems) > 0 || after.Events <= report.Events || after.Events-after.Unsealed <= report.Events-report.Unsealed {
		t.Errorf("check after more events: %+v, %v", after, err)
	}
}

// hasDeletions checks that the store has deletions that are done and one whose rows are hidden, and
// blanks of which some keep names: also that of an imported session.
func hasDeletions(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	db, err := store.OpenPebble("data/store", store.ReadOnlyOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	states := map[query.DeletionState]int{}
	for site := range uint32(3) {
		if err := erase.Each(db, site, func(r *erase.Record) error {
			states[r.State]++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if states[query.DeletionDone] < 3 || states[query.DeletionHidden] != 1 {
		t.Errorf("deletions by state: %v", states)
	}
	kept := map[string]int{}
	if err := index.Descriptors(db, func(d index.Descriptor) error {
		part := index.NewRun(d, db, index.NewCache(1<<20), table.Format).Part()
		blanks := part.Column(index.FieldGone)
		for row := 0; blanks != nil && row < part.Len(); row++ {
			if blanks.Codes().At(row) == 0 {
				continue
			}
			kept["blanks"]++
			for _, field := range []string{event.FieldUser, event.FieldSession, event.FieldSessionOf, event.FieldMessageID, event.FieldName} {
				if col := part.Column(field); col != nil && col.Codes().At(row) != 0 {
					kept[field]++
				}
			}
		}
		return part.Err()
	}); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"blanks", event.FieldUser, event.FieldSession, event.FieldSessionOf, event.FieldMessageID} {
		if kept[what] == 0 {
			t.Errorf("no blank has %q: %v", what, kept)
		}
	}
	if kept[event.FieldName] > 0 {
		t.Errorf("%d blanks have a name", kept[event.FieldName])
	}
}

// goldenDeletions deletes what the golden store is without, after a life.
func goldenDeletions(t *testing.T, e *engine.Engine, sites []*engine.Site, life int, now time.Time) {
	t.Helper()
	all := map[int][]query.Deletion{
		1: {
			{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "dialect", Values: []string{"opentracker"}}}}, // keeps message ids
			{Kind: query.DeleteFilter, To: now.Add(-time.Hour).UnixMilli(), Where: []query.Cond{{Field: "dialect", Values: []string{"native"}}}, Now: true},
			{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: []string{"old page"}}}},
			{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"u1"}}}, Now: true},
		},
		2: {{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "dialect", Values: []string{"segment"}}}}},
	}[life]
	for _, d := range all {
		r, err := e.Delete(t.Context(), &sites[0].Site, d)
		if err != nil {
			t.Fatalf("life %d: %+v: %v", life, d, err)
		}
		if d.Now {
			if _, err := e.WaitPurged(t.Context(), &sites[0].Site, r.ID); err != nil { // with all before it
				t.Fatal(err)
			}
		}
	}
}

// goldenSink is a sink of the golden store. It is down for rows and deletions in the last life.
func goldenSink(place *sinktest.Place, life int) []sink.Config {
	return []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native, Hook: func(call string) error {
		if life == 2 && (call == "send" || call == "delete") {
			return &sink.Fault{Code: "down"}
		}
		return nil
	}})}
}

// hasSinks checks that the store has cursors of a sink, one with a range under way, and deletions that the
// sink has and has not carried out.
func hasSinks(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	db, err := store.OpenPebble("data/store", store.ReadOnlyOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cursors, err := records.SinkCursors(db)
	if err != nil || len(cursors) != 4 {
		t.Fatalf("%d cursors, %v", len(cursors), err)
	}
	under := 0
	for _, c := range cursors {
		if c.Sending.First == c.Cursor+1 && c.Sending.Last == c.Reach {
			under++
		}
		if c.Sink != "memory" || c.Cursor == 0 || len(c.Stores) != 1 {
			t.Errorf("%+v", c)
		}
	}
	done, waits := 0, 0
	if err := erase.Each(db, 1, func(r *erase.Record) error {
		if len(r.Sinks) == 1 && r.Sinks[0].At != 0 {
			done++
		} else if len(r.Sinks) == 1 && r.Seqs != nil {
			waits++
		}
		return nil
	}); err != nil || under == 0 || done != 4 || waits != 1 {
		t.Errorf("%d ranges under way, %d deletions done, %d waiting, %v", under, done, waits, err)
	}
}

// hasNamedSessions checks that the table of ids has sessions that clients named, and their names.
func hasNamedSessions(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	db, err := store.OpenPebble("data/store", store.ReadOnlyOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixID}, UpperBound: []byte{store.PrefixID + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	kinds := map[byte]int{}
	for ok := it.First(); ok; ok = it.Next() {
		kinds[it.Key()[5]]++ // behind the prefix and the site
	}
	if kinds['n'] < 10 || kinds['r'] < 10 {
		t.Errorf("%d names and %d named sessions", kinds['n'], kinds['r'])
	}
}

// allAnswers returns all answers of the engine about the store, one per line.
func allAnswers(t *testing.T, e *engine.Engine, sites []*engine.Site) []byte {
	t.Helper()
	ctx := context.Background()
	var out bytes.Buffer
	line := func(kind string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		fmt.Fprintf(&out, "%s %s\n", kind, bare(t, v))
	}
	for _, site := range sites {
		events, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if site.Name == "wide" {
				for i, m := range ev.Properties { // thousands of values; counters show them
					if len(m.Value.Text) > 1000 {
						ev.Properties[i].Value = event.Str(fmt.Sprintf("%d bytes", len(m.Value.Text)))
					}
				}
			}
			out.Write(append(event.AppendJSON(nil, ev), '\n'))
		}
		count, err := e.Count(ctx, query.Query{Site: &site.Site})
		line(site.Name+" count", count, err)
		list, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Limit: 40, Sort: "value"})
		line(site.Name+" properties", list, err)
		for _, property := range []string{"name", "plan", "tags", "deep.b", "country"} {
			page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: property, Limit: 100, Sort: "value"})
			line(site.Name+" "+property, page, err)
		}
		page, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "plan", Segment: "age", Limit: 100, Sort: "value"})
		line(site.Name+" plan by age", page, err)
		page, err = e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "v", Values: []string{event.Other, "00a", "7ps"}, Limit: 10, Sort: "value"})
		line(site.Name+" v", page, err)
		q := query.Query{Site: &site.Site, Limit: 25}
		users, next, err := e.Users(ctx, q)
		for _, u := range users {
			line(site.Name+" user", u, err)
		}
		line(site.Name+" users end", next, err)
		sessions, next, err := e.Sessions(ctx, q)
		for _, s := range sessions {
			line(site.Name+" session", s, err)
		}
		line(site.Name+" sessions end", next, err)
		group, err := e.Group(ctx, &site.Site, "g1")
		if errors.Is(err, query.ErrNotFound) {
			err = nil
		}
		line(site.Name+" group", group, err)
	}
	return out.Bytes()
}

// bare returns v as JSON without empty fields. A new empty field in an answer is then no
// difference.
func bare(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(full(plain))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func full(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch x := full(x).(type) {
			case nil:
				delete(v, k)
			default:
				if x == "" || x == false || x == 0.0 {
					delete(v, k)
				}
			}
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = full(v[i])
		}
	}
	return v
}

func sameLines(t *testing.T, what string, got, want []byte) {
	t.Helper()
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			g, w = append(g, make([]string, len(w))...), append(w, make([]string, len(g))...)
			t.Fatalf("%s, line %d:\n got %.1000s\nwant %.1000s", what, i+1, g[i], w[i])
		}
	}
}

// writeGoldenStore makes the store in three lives. It has events of every dialect and kind,
// runs and unsealed rows, and a day with more values than its cap.
func writeGoldenStore(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	g := newGenerator(1)
	options := goldenOptions(fs, g.clock.now)
	wide, place := options.Sites()[3], sinktest.New(false)
	for life := range 3 {
		options.Sinks = goldenSink(place, life)
		e, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		store := func(site *engine.Site, list ...*event.Record) {
			t.Helper()
			var records []engine.Record
			for _, r := range list {
				records = append(records, engine.Record{Site: site, Record: r})
			}
			if _, err := e.Ingest(ctx, records, false, nil); err != nil {
				t.Fatal(err)
			}
			g.tick()
		}
		for range []int{80, 40, 16}[life] {
			for _, site := range options.Sites()[:3] {
				evs := []*event.Record{g.record(), g.record()}
				if d := g.IntN(12); d < 3 {
					evs[0].Event.Dialect = []event.Dialect{event.Matomo, event.OpenPanel, event.Opentracker}[d]
					evs[0].Event.Session, evs[0].Hit, evs[0].Visit = "", nil, event.Visit{}
					if d == 0 {
						evs[0].Event.Session = fmt.Sprintf("%016x", 7)
					}
				}
				store(site, evs...)
			}
		}
		if life == 0 { // 10,000 values and 600 more, in arrays of 530
			n := 0
			for range 20 {
				var list []string
				for range 530 {
					list = append(list, fmt.Sprintf("%q", base36(n)))
					n++
				}
				store(wide, &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "many", Properties: event.Object{{Key: "v", Value: event.Raw("[" + strings.Join(list, ",") + "]")}}}})
			}
		}
		// More leaves than are counted, and more names than the cap of a day.
		leaves := `{"a":1,"b":[` + strings.Repeat("2,", 1100) + `3],"c":4}`
		store(wide, &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "cut", Properties: event.Object{{Key: "cut", Value: event.Raw(leaves)}, {Key: "z", Value: event.Str("beyond")}}}})
		for n := range 3 {
			store(wide, &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "names", Properties: event.Object{{Key: fmt.Sprintf("name-%d-%d", life, n), Value: event.Num("1")}}}})
		}
		store(wide, &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "few", Properties: event.Object{{Key: "v", Value: event.Str([]string{"00a", "7ps", "zzz"}[life])}}}})
		if life == 1 { // an imported session: a page, and what came after it
			of := strings.Repeat("5a", 16)
			at := g.clock.now().Add(-48 * time.Hour).UnixMilli()
			for n, kind := range []event.Type{event.Page, event.Track, event.Track} {
				store(options.Sites()[0], &event.Record{Import: new(event.Import), Event: event.Event{Dialect: event.Segment, Type: kind, Name: "old " + string(kind), User: "imported", Session: "import",
					Imported: true, SessionOf: of, SessionSent: true, Time: at + int64(n)*1000, Received: at + int64(n)*1000, MessageID: fmt.Sprintf("import-%d", n)}})
			}
		}
		goldenDeletions(t, e, options.Sites(), life, g.clock.now())
		if life < 2 {
			if err := settled(e, place, options.Sites()...); err != nil {
				t.Fatal(err)
			}
		} else if _, err := until(e, func(st *sink.Status) bool { return st.Sites[0].Sending != nil && st.Deletions == 1 }); err != nil {
			t.Fatal(err)
		}
		// Three of four runs of a site are merged.
		quiet := func() bool { return e.Stats().HotEvents < 4*60 && e.Stats().Merges >= 2*uint64(life/2) }
		for tries := 0; !quiet() && tries < 1000; tries++ {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(goldenStore(goldenVersion)); err != nil {
		t.Fatal(err)
	}
	store := readFiles(t, fs, "data")
	delete(store, "store/LOCK")
	store.write(t, vfs.Default, filepath.FromSlash(goldenStore(goldenVersion)))
}

// base36 returns n as three digits of 0-9a-z.
func base36(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	return string([]byte{digits[n/1296%36], digits[n/36%36], digits[n%36]})
}
