// Merging: there are always few runs, readers see the same events before and after a merge,
// and merged runs are removed from the store.

package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestMerging(t *testing.T) {
	fs := vfs.NewMem()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
	options := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), Reserve: -1, Memory: 32 << 20, SealRows: 20, MergeRuns: 3, MergeRows: 20 * 27, Fatal: func(err error) { t.Error(err) }}
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	const events = 3000
	var last string
	for n := 0; n < events; n += 10 {
		var records []engine.Record
		for i := range 10 {
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{
				Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("n%d", (n+i)%7), User: fmt.Sprintf("u%d", (n+i)%50), MessageID: fmt.Sprintf("m%d", n+i),
				Properties: event.Object{{Key: fmt.Sprintf("k%d", n/500), Value: event.Num(fmt.Sprint(n + i))}},
			}}})
		}
		if _, err := e.Ingest(ctx, records, true, nil); err != nil {
			t.Fatal(err)
		}
		// Read in between, so that merges find views in use.
		page, err := e.List(ctx, query.Query{Site: &site.Site, Limit: 10, Ascending: true, After: last})
		if err != nil || len(page.Events) != 10 || page.Events[0].MessageID != fmt.Sprintf("m%d", n) {
			t.Fatalf("after %d events: %d on the page, %v", n, len(page.Events), err)
		}
		last = page.Events[9].ID
	}
	lines := func(e *engine.Engine) []string {
		lines, err := visibleLines(e, []*engine.Site{site})
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	want := lines(e)
	// After 150 seals, fewer than three runs of each size are left, and the full ones.
	few := func() bool {
		st := e.Stats()
		return st.HotEvents == 0 && st.Runs <= 2+2+2+events/270+1 && st.Merges >= 20
	}
	for tries := 0; !few() && tries < 500; tries++ {
		time.Sleep(10 * time.Millisecond)
	}
	st := e.Stats()
	if !few() {
		t.Errorf("%d runs, %d merges, %d events not sealed", st.Runs, st.Merges, st.HotEvents)
	}
	if st.MergedEvents > 3*events*4/3 {
		t.Errorf("%d events written again, of %d", st.MergedEvents, events)
	}
	if got := lines(e); !slices.Equal(got, want) {
		t.Error("merging has changed an answer")
	}
	// Message ids and persons are those of before.
	outcomes, err := e.Ingest(ctx, []engine.Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "again", MessageID: "m3"}}}}, true, nil)
	if err != nil || outcomes[0].Status != event.Duplicate || outcomes[0].Seq != 4 {
		t.Errorf("the fourth event again: %+v, %v", outcomes, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := check.Store(ctx, fs, "data")
	if err != nil || len(report.Problems) > 0 || report.Runs > int(st.Runs) {
		t.Fatalf("check: %+v, %v", report, err)
	}
	if e, err = engine.Open(options); err != nil {
		t.Fatal(err)
	}
	if got := lines(e); !slices.Equal(got, want) {
		t.Error("opening again has changed an answer")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
