// Imports that are broken off and run again: each event is stored once, in the session it was in.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// importer is a store into which events of one site are imported.
type importer struct {
	*testing.T
	site   *engine.Site
	clock  *clock
	engine *engine.Engine
}

func newImporter(t *testing.T, fs vfs.FS, o engine.Options) *importer {
	t.Helper()
	i := &importer{T: t, site: &engine.Site{Site: query.Site{ID: 1, Name: "one"}}, clock: newClock(epoch)}
	i.open(fs, o)
	return i
}

func (i *importer) open(fs vfs.FS, o engine.Options) {
	i.Helper()
	o.Dir, o.FS, o.Reserve, o.Sites, o.Now = "data", fs, -1, engine.SitesOf(i.site), i.clock.now
	e, err := engine.Open(o)
	if err != nil {
		i.Fatal(err)
	}
	i.engine = e
}

// close closes the store unless the test has.
func (i *importer) close() {
	i.Helper()
	e := i.engine
	if i.engine = nil; e == nil {
		return
	}
	if err := e.Close(); err != nil {
		i.Fatal(err)
	}
}

// send imports events in one request and returns what became of them, a letter for each: Stored,
// Duplicate, Rejected.
func (i *importer) send(lines ...string) (done string) {
	i.Helper()
	var raw [][]byte
	for _, line := range lines {
		raw = append(raw, []byte(line))
	}
	outcomes, err := i.engine.Ingest(context.Background(), parseImports(i.T, i.clock.now(), i.site, raw), false, nil)
	if err != nil {
		i.Fatal(err)
	}
	for _, o := range outcomes {
		done += string("SDR"[o.Status])
	}
	return done
}

// sealed waits until so many runs are written.
func (i *importer) sealed(runs int64) {
	i.Helper()
	for tries := 0; i.engine.Stats().Runs < runs; tries++ {
		if tries == 5000 {
			i.Fatalf("%d runs, want %d", i.engine.Stats().Runs, runs)
		}
		time.Sleep(time.Millisecond)
	}
}

func (i *importer) events() []*event.Event {
	i.Helper()
	events, err := walk(i.engine, query.Query{Site: &i.site.Site, Ascending: true, Limit: 1000})
	if err != nil {
		i.Fatal(err)
	}
	return events
}

// The window of a message id ends with the receipt of the event that has it. It is the same
// whether the first event is in the same request, in the same group, in memory or in a run, and
// whether the store was opened again.
func TestImportWindow(t *testing.T) {
	line := func(received string) string {
		return fmt.Sprintf(`{"name":"a","message_id":"m","received":"2020-01-%sZ"}`, received)
	}
	first, within, beyond := line("01T00:00:00"), line("02T00:00:00"), line("02T00:00:00.001")
	between := func(n int) (lines []string) {
		for k := range n {
			lines = append(lines, fmt.Sprintf(`{"name":"a","message_id":"other%d","received":"2020-01-01T00:00:00Z"}`, k))
		}
		return lines
	}
	for _, where := range []string{"one request", "two requests", "a run", "opened again", "a run, opened again"} {
		t.Run(where, func(t *testing.T) {
			fs := vfs.NewMem()
			o := engine.Options{SealRows: 50}
			i := newImporter(t, fs, o)
			defer func() { i.close() }()
			sealed := strings.HasPrefix(where, "a run")
			apart := func() {
				if sealed {
					if got := i.send(between(200)...); strings.Contains(got, "R") {
						t.Fatal(got)
					}
					i.sealed(1)
				}
				if strings.HasSuffix(where, "opened again") {
					i.close()
					i.open(fs, o)
				}
			}
			if where == "one request" {
				if got := i.send(first, within, beyond, first, beyond, within); got != "SDSDDD" {
					t.Errorf("in one request: %s", got)
				}
			} else {
				got := i.send(first)
				apart()
				got += i.send(within)
				apart()
				got += i.send(beyond)
				apart()
				if got += i.send(first) + i.send(beyond) + i.send(within); got != "SDSDDD" {
					t.Errorf("one after the other: %s", got)
				}
			}
			// Years later it is the same, and an event that happens then has a window of its own.
			i.clock.set(epoch.Add(10_000 * time.Hour))
			if got := i.send(first, beyond); got != "DD" {
				t.Errorf("later: %s", got)
			}
			n := 0
			for _, e := range i.events() {
				if e.MessageID == "m" {
					n++
				}
			}
			if n != 2 {
				t.Errorf("%d events have the id", n)
			}
		})
	}
}

// An import looks no further back than the window of the event in the request that was received
// first: its order does not matter.
func TestImportWindowOfARequest(t *testing.T) {
	fs := vfs.NewMem()
	o := engine.Options{SealRows: 30, MergeRuns: 100}
	i := newImporter(t, fs, o)
	defer func() { i.close() }()
	for day := 1; day <= 20; day++ {
		for k := range 30 {
			if got := i.send(fmt.Sprintf(`{"name":"a","message_id":"%d.%d","received":"2020-01-%02dT00:00:00Z"}`, day, k, day)); got != "S" {
				t.Fatal(got)
			}
		}
	}
	i.sealed(18)
	i.close()
	i.open(fs, o)
	if got := i.send(`{"name":"a","message_id":"20.1","received":"2020-01-20T00:00:00Z"}`, `{"name":"a","message_id":"1.1","received":"2020-01-01T00:00:00Z"}`,
		`{"name":"a","message_id":"10.1","received":"2020-01-10T00:00:00Z"}`, `{"name":"a","message_id":"3.1","received":"2020-01-05T00:00:00Z"}`); got != "DDDS" {
		t.Errorf("got %s", got)
	}
}

// Events that name the same session are in one, whoever they are from and whatever else they say;
// the same name in another dialect is another session, and so is the same id of a session.
func TestImportedSessions(t *testing.T) {
	fs := vfs.NewMem()
	i := newImporter(t, fs, engine.Options{SealRows: 8})
	defer func() { i.close() }()
	const a, b = `"session_of":"000000000000000000000000000000aa"`, `"session_of":"000000000000000000000000000000bb"`
	day := 0
	send := func(fields string) {
		day++
		if got := i.send(fmt.Sprintf(`{"name":"x","type":"page","time":"2020-01-01T00:00:00Z","received":"2020-02-%02dT00:00:00Z",%s}`, day, fields)); got != "S" {
			t.Fatalf("%s: %s", fields, got)
		}
	}
	send(`"anonymous":"u","session":"s",` + a)                                  // 1
	send(`"anonymous":"v",` + a)                                                // of another visitor
	send(`"user":"w","session":"t","time":"2021-01-01T00:00:00Z",` + a)         // of another name, a year later
	send(a)                                                                     // of nobody
	send(`"type":"identify","user":"u",` + a)                                   // of a type that joins no session
	send(`"anonymous":"u","session":"s",` + b)                                  // 6
	send(`"anonymous":"u","session":"s","dialect":"segment",` + a)              // 7
	send(`"anonymous":"u","session_of":null`)                                   // in none
	send(`"user":"u","session":"named","session_of":null`)                      // in none, with a name
	send(`"anonymous":"u","dialect":"matomo","extra":{"fingerprint":"f"},` + a) // 10
	i.close()
	i.open(fs, engine.Options{SealRows: 8})
	send(`"anonymous":"new","dialect":"matomo",` + a) // after a start
	send(`"anonymous":"new",` + a)
	send(`"anonymous":"u","session":"other","dialect":"opentracker",` + b) // 13
	var ords []uint64
	var names []string
	for _, e := range i.events() {
		ords, names = append(ords, e.SessionOrd), append(names, e.Session)
	}
	if got := fmt.Sprint(ords); got != "[1 1 1 1 1 6 7 0 0 10 10 1 13]" {
		t.Errorf("sessions %s", got)
	}
	names[9] = "" // made by the engine
	if got := fmt.Sprintf("%q", names); got != `["s" "s" "s" "s" "s" "s" "s" "" "named" "" "`+names[10]+`" "s" "other"]` || names[10] == "" {
		t.Errorf("names %s", got)
	}
	i.close()
	if r, err := check.Store(context.Background(), fs, "data"); err != nil || len(r.Problems) > 0 {
		t.Errorf("check: %+v, %v", r, err)
	}
	i.open(fs, engine.Options{})
}

// The power fails while a store is imported. After the next start the import is run again from its
// beginning: each event is there once, and the sessions are those of the store that was exported.
func TestImportCrash(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			importCrash(t, seed+1)
		})
	}
}

func importCrash(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 77))
	var lines []string
	var want []string // session of each event
	for n := range 600 {
		session := fmt.Sprintf("%032x", random.IntN(90))
		dialect := event.Dialects[random.IntN(2)] // native, matomo
		of, more := `"`+session+`"`, ""
		if random.IntN(8) == 0 {
			of = "null"
		} else if dialect == event.Matomo && random.IntN(4) == 0 {
			more = `,"heartbeat":"2020-06-01T00:00:00Z"`
		}
		want = append(want, string(dialect)+of)
		lines = append(lines, fmt.Sprintf(`{"type":"page","message_id":"m%d","dialect":%q,"anonymous":"a%d","time":%d,"session_of":%s%s}`,
			n, dialect, random.IntN(40), 1577836800+n*60, of, more))
	}
	mem := newCrashable()
	options := engine.Options{SealRows: 64, MergeRuns: 3, IDPart: []int{0, 1, 400}[seed%3], Memory: 16 << 20}
	i := newImporter(t, mem, options)
	acked := 0
	for stop := random.IntN(len(lines)); acked < stop; {
		to := min(acked+1+random.IntN(50), len(lines))
		if got := i.send(lines[acked:to]...); strings.Trim(got, "S") != "" {
			t.Fatal(got)
		}
		acked = to
	}
	// Requests are on their way when the copy is made: it has some of them, or none.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for at := acked; at < len(lines); at += 10 {
			records := parseImports(t, i.clock.now(), i.site, [][]byte{[]byte(lines[at])})
			if _, err := i.engine.Ingest(context.Background(), records, false, nil); err != nil {
				t.Error(err)
			}
		}
	}()
	fs := mem.clone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: random})
	<-sent
	i.close()
	i.open(fs, options)
	if n := len(i.events()); n < acked {
		t.Fatalf("%d events are left of %d", n, acked)
	}
	for from := 0; from < len(lines); {
		to := min(from+1+random.IntN(90), len(lines))
		if got := i.send(lines[from:to]...); strings.Trim(got, "SD") != "" || strings.Trim(got[:max(0, min(acked, to)-from)], "D") != "" {
			t.Fatalf("events %d to %d, of which %d were acknowledged: %s", from, to, acked, got)
		}
		from = to
	}
	events := i.events()
	if len(events) != len(lines) {
		t.Fatalf("%d events, want %d", len(events), len(lines))
	}
	ordOf, sessionOf := map[string]uint64{}, map[uint64]string{}
	for _, e := range events {
		var n int
		fmt.Sscanf(e.MessageID, "m%d", &n)
		name := want[n]
		if strings.HasSuffix(name, "null") {
			if e.SessionOrd != 0 {
				t.Errorf("event %d is in a session", n)
			}
			continue
		}
		if ord, known := ordOf[name]; known && ord != e.SessionOrd {
			t.Errorf("event %d is in session %d, others of its session in %d", n, e.SessionOrd, ord)
		}
		if other, known := sessionOf[e.SessionOrd]; known && other != name {
			t.Errorf("session %d has events of two sessions", e.SessionOrd)
		}
		ordOf[name], sessionOf[e.SessionOrd] = e.SessionOrd, name
	}
	i.close()
	if r, err := check.Store(context.Background(), fs, "data"); err != nil || len(r.Problems) > 0 || r.Events != uint64(len(lines)) {
		t.Errorf("check: %+v, %v", r, err)
	}
}

// What a store has exported it has already: its ids say so, also of events without a message id,
// and of events that are deleted. The ids of another store say nothing.
func TestImportOfOwnExport(t *testing.T) {
	i := newImporter(t, vfs.NewMem(), engine.Options{SealRows: 4})
	defer i.close()
	lines := []string{`{"name":"a","user":"ada"}`, `{"name":"b","user":"bob"}`, `{"name":"c","user":"ada","message_id":"m"}`}
	if done := i.send(lines...); done != "SSS" {
		t.Fatal(done)
	}
	page, err := i.engine.List(t.Context(), query.Query{Site: &i.site.Site, Limit: 10, Ascending: true})
	if err != nil || len(page.Events) != 3 {
		t.Fatalf("%d events, %v", len(page.Events), err)
	}
	var exported, foreign []string
	for n, line := range lines {
		exported = append(exported, fmt.Sprintf(`{"id":%q,%s`, page.Events[n].ID, line[1:]))
		foreign = append(foreign, fmt.Sprintf(`{"id":"%032x",%s`, n+1, line[1:]))
	}
	if done := i.send(exported...); done != "DDD" {
		t.Errorf("the store's own events: %s", done)
	}
	if _, err := i.engine.Delete(t.Context(), &i.site.Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{"ada"}}}}); err != nil {
		t.Fatal(err)
	}
	if done := i.send(exported...); done != "DDD" {
		t.Errorf("after a deletion: %s", done)
	}
	if done := i.send(foreign...); done != "SSD" { // the last has its message id
		t.Errorf("of another store: %s", done)
	}
	if done := i.send(`{"id":7,"name":"d"}`, `{"id":null,"name":"e"}`); done != "SS" {
		t.Errorf("with other ids: %s", done)
	}
}
