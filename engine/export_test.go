// Exports of events with every field, large and small, and what happens when one cannot go on.

package engine_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var exportSite = &engine.Site{Site: query.Site{ID: 7, Name: `the "shop"`}}

// exportStore opens a store in memory.
func exportStore(t *testing.T, sealRows int) *engine.Engine {
	t.Helper()
	at := epoch
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(exportSite), SealRows: sealRows, MergeRuns: 4, Now: func() time.Time {
		at = at.Add(time.Second)
		return at
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// hostile are texts that an encoder may get wrong.
var hostile = []string{
	"", "a", "=1+2", "+49", "-5", "@x", "'=x", "''-x", "'", "'a", "\t x", "a\"b", `"`, "a,b", "line\nbreak", "cr\r\nlf", " blank ", "<script>&\u2028\u2029",
	"Ünïcode 日本語 🪨", "true", "100", "0.5", "null", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef",
	"ajs-next-1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501", `\`, `\"`, strings.Repeat("long,", 150),
}

// manifold makes events that have, together, all fields and all forms of values.
func manifold(rng *rand.Rand, n int) []event.Event {
	text := func() string { return hostile[rng.IntN(len(hostile))] }
	value := func() event.Value {
		switch rng.IntN(8) {
		case 0:
			return event.Num([]string{"1", "-0.50", "1e3", "9007199254740993", "1e300", "0"}[rng.IntN(6)])
		case 1:
			return event.Boolean(rng.IntN(2) == 0)
		case 2:
			return event.Value{Kind: event.Null}
		case 3:
			return event.Raw([]string{`[]`, `[1,"a",[true]]`, `{"b":{"c":"<x>"},"d.e":null}`, `{"":1}`}[rng.IntN(4)])
		}
		return event.Str(text())
	}
	page := func() event.Value { // an object that is stored in pieces, and refers to the context
		return event.Raw(fmt.Sprintf(`{"page":{"url":"https://a.example/%d","path":"/x","title":%s,"tab":%d,"a.b":[]},"locale":"de-DE","active":%t,"library":{"name":"analytics.js","version":"2.1"},"n":null,"<k>":"<v>%d"}`,
			rng.IntN(3), event.AppendString(nil, text()), rng.IntN(5), rng.IntN(2) == 0, rng.IntN(9)))
	}
	events := make([]event.Event, n)
	for i := range events {
		e := &events[i]
		*e = event.Event{Dialect: event.Dialects[rng.IntN(len(event.Dialects))], Type: event.Track, Name: "n" + text(), MessageID: fmt.Sprint("m", i)}
		if rng.IntN(2) == 0 {
			e.Type, e.Name = event.Page, text()
		}
		if rng.IntN(2) == 0 {
			e.User = fmt.Sprint("u", rng.IntN(5))
		}
		if rng.IntN(2) == 0 {
			e.Anonymous = fmt.Sprint("a", rng.IntN(9))
		}
		if rng.IntN(4) == 0 {
			e.Session = "s" + fmt.Sprint(rng.IntN(5))
		}
		if rng.IntN(5) == 0 {
			e.Type, e.User, e.Previous = event.Alias, "u1", "a2"
		}
		if rng.IntN(5) == 0 {
			e.Groups = []string{"g1", `g"2`}
		}
		if rng.IntN(3) == 0 {
			e.Value = event.Num("12.50")
		} else if rng.IntN(3) == 0 {
			e.Value = event.Str("v" + text())
		}
		for range rng.IntN(5) {
			e.Properties.Set([]string{"plan", "deep", "deep.b", "=k", "a,b", "\"q\"", "size", "on", "n"}[rng.IntN(9)], value())
		}
		if rng.IntN(3) == 0 { // more names than a part has columns
			for range 12 {
				e.Properties.Set(fmt.Sprint("p", rng.IntN(900)), value())
				e.Extra.Set(fmt.Sprint("x", rng.IntN(900)), value())
			}
		}
		for range rng.IntN(4) {
			e.Context.Set([]string{"url", "title", "path", "country", "timezone"}[rng.IntN(5)], event.Str("https://a.example/"+fmt.Sprint(rng.IntN(3))))
		}
		if rng.IntN(2) == 0 {
			e.Context.Set("latitude", event.Num("48.1"))
			e.Extra.Set("context", page())
		}
		if rng.IntN(4) == 0 {
			e.Extra.Set("small", value())
		}
		if rng.IntN(4) == 0 {
			e.Increments, e.Segments = []event.Amount{{Property: "plan", By: -3}, {Property: "<a>", By: 1 << 40}}, []string{"country", "<b>"}
		}
		e.Uncounted = rng.IntN(6) == 0
	}
	return events
}

func ingestAll(t *testing.T, e *engine.Engine, events []event.Event) {
	t.Helper()
	for i := 0; i < len(events); i += 50 {
		var records []engine.Record
		for _, ev := range events[i:min(i+50, len(events))] {
			records = append(records, engine.Record{Site: exportSite, Record: &event.Record{Event: ev}})
		}
		out, err := e.Ingest(t.Context(), records, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			if o.Status != event.Stored {
				t.Fatalf("not stored: %+v, %v", o, o.Err)
			}
		}
	}
}

// Whatever events have, and wherever they are stored, their export is their listing.
func TestExportHasEveryField(t *testing.T) {
	seed := rand.Uint64()
	for _, sealRows := range []int{1 << 16, 200} {
		e := exportStore(t, sealRows)
		ingestAll(t, e, manifold(rand.New(rand.NewPCG(seed, 0)), 600))
		events, err := walk(e, query.Query{Site: &exportSite.Site, Ascending: true, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, bytes := range []int64{0, 1, 200_000} {
			e.ExportBytes = bytes
			text, _, _, err := exported(e, query.Export{Site: &exportSite.Site})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			if len(lines) != len(events) {
				t.Fatalf("seed %d: %d lines, want %d", seed, len(lines), len(events))
			}
			for i, ev := range events {
				line, _, _ := listed(lines[i])
				if want := string(event.AppendJSON(nil, ev)); line != want {
					t.Fatalf("seed %d, %d rows, %d bytes: event %d:\n got %s\nwant %s", seed, sealRows, bytes, i, line, want)
				}
			}
			columns := []string{"prop.deep.b.c", "prop.deep", "extra.context", "extra.context.page.title", "extra.context.page.url", "extra.small.b", "previous", "context.timezone", "prop.p7", "prop.\"q\""}
			text, _, _, err = exported(e, query.Export{Site: &exportSite.Site, Format: query.CSV, Columns: columns})
			if err != nil {
				t.Fatal(err)
			}
			sameTable(t, text, columns, events)
		}
	}
}

func sameTable(t *testing.T, text []byte, columns []string, events []*event.Event) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text))
	names, err := r.Read()
	for i := 0; err == nil && i < len(events); i++ {
		var row []string
		if row, err = r.Read(); err != nil {
			break
		}
		for at, name := range names {
			want := columnOf(events[i], name)
			if name == "previous" {
				want = events[i].Previous
			}
			// encoding/csv makes \n of \r\n
			if got := event.Fused(row[at]); got != strings.ReplaceAll(want, "\r\n", "\n") {
				t.Fatalf("row %d, %s: got %q, want %q", i, name, got, want)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// failing is a client that goes away after so many bytes.
type failing struct {
	left int
	stop func()
}

var errGone = errors.New("the client is gone")

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > 64<<10 {
		return 0, fmt.Errorf("%d bytes at once", len(b))
	}
	if f.left -= len(b); f.left < 0 {
		if f.stop != nil {
			f.stop()
			return len(b), nil
		}
		return 0, errGone
	}
	return len(b), nil
}

// A client that goes away ends its export, at any place, and leaves nothing behind: the view is
// closed, which Close checks, and the place is free.
func TestExportEndsWithItsClient(t *testing.T) {
	e := exportStore(t, 500)
	ingestAll(t, e, manifold(rand.New(rand.NewPCG(1, 0)), 300))
	for _, format := range []query.ExportFormat{query.NDJSON, query.CSV, query.Parquet} {
		for _, left := range []int{0, 1, 100_000} {
			for _, canceled := range []bool{false, true} {
				ctx, end := context.WithCancel(t.Context())
				run, err := e.BeginExport(ctx, query.Export{Site: &exportSite.Site, Format: format})
				if err != nil {
					t.Fatal(err)
				}
				client := &failing{left: left}
				want := errGone
				if canceled {
					client.stop, want = end, context.Canceled
				}
				if _, err := run.Write(ctx, client); err != nil && !errors.Is(err, want) || err == nil && client.left < 0 && !canceled {
					t.Errorf("format %d, %d bytes, canceled %t: %v", format, left, canceled, err)
				}
				end()
			}
		}
	}
}

// Only so many exports run at once. One that never writes gives its place back with its context.
func TestExportsAtOnce(t *testing.T) {
	e := exportStore(t, 500)
	ingestAll(t, e, manifold(rand.New(rand.NewPCG(1, 0)), 10))
	ask := query.Export{Site: &exportSite.Site}
	var ends []context.CancelFunc
	for {
		ctx, end := context.WithCancel(t.Context())
		if _, err := e.BeginExport(ctx, ask); err != nil {
			end()
			if err != query.ErrExportsBusy || len(ends) == 0 {
				t.Fatalf("after %d: %v", len(ends), err)
			}
			break
		}
		ends = append(ends, end)
	}
	ends[0]()
	for {
		if _, _, _, err := exported(e, ask); err == nil {
			break
		} else if err != query.ErrExportsBusy { // the place is given back soon
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	for _, end := range ends[1:] {
		end()
	}
}

// What an export cannot be is said before it takes a place.
func TestExportRefused(t *testing.T) {
	e := exportStore(t, 500)
	ingestAll(t, e, manifold(rand.New(rand.NewPCG(1, 0)), 10))
	many := make([]string, query.ExportColumnsMax+1)
	for i := range many {
		many[i] = fmt.Sprint("prop.p", i)
	}
	for range 5 {
		for name, q := range map[string]query.Export{
			"a cursor of nobody":    {After: strings.Repeat("0", 32)},
			"an end of nobody":      {UpTo: strings.Repeat("0", 32)},
			"a field of nobody":     {Where: []query.Cond{{Field: "nothing", Values: []string{"a"}}}},
			"a column of nobody":    {Format: query.CSV, Columns: []string{"nothing"}},
			"a piece as a column":   {Format: query.CSV, Columns: []string{"extra.context\x01page"}},
			"a column twice":        {Format: query.CSV, Columns: []string{"country", "country"}},
			"a column of all files": {Format: query.Parquet, Columns: []string{"time"}},
			"too many columns":      {Format: query.CSV, Columns: many},
		} {
			q.Site = &exportSite.Site
			if _, _, _, err := exported(e, q); !errors.Is(err, query.ErrBadQuery) && !errors.Is(err, query.ErrBadCursor) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// A site without events has a file without events.
	empty := &query.Site{ID: 8, Name: "empty"}
	for format, want := range map[query.ExportFormat]string{query.NDJSON: "", query.CSV: strings.Join(query.ExportFixed, ",") + "\r\n"} {
		text, plan, done, err := exported(e, query.Export{Site: empty, Format: format})
		if err != nil || string(text) != want || done != (query.Exported{}) || plan.UpTo != "" || plan.Rows != 0 {
			t.Errorf("an empty site: %q, %+v, %+v, %v", text, plan, done, err)
		}
	}
}

// An export has the events of the moment when it began, and a later one those that came since.
func TestExportGoesOnLater(t *testing.T) {
	e := exportStore(t, 64)
	events := manifold(rand.New(rand.NewPCG(2, 0)), 300)
	ingestAll(t, e, events[:200])
	ctx, end := context.WithCancel(t.Context())
	defer end()
	run, err := e.BeginExport(ctx, query.Export{Site: &exportSite.Site})
	if err != nil {
		t.Fatal(err)
	}
	ingestAll(t, e, events[200:])
	var first bytes.Buffer
	if done, err := run.Write(ctx, &first); err != nil || done.Events != 200 {
		t.Fatalf("%+v, %v", done, err)
	}
	later, _, done, err := exported(e, query.Export{Site: &exportSite.Site, After: run.Plan().UpTo})
	if err != nil || done.Events != 100 {
		t.Fatalf("%+v, %v", done, err)
	}
	all, _, _, err := exported(e, query.Export{Site: &exportSite.Site})
	if err != nil || first.String()+string(later) != string(all) {
		t.Errorf("two exports have other bytes than one, %v", err)
	}
}
