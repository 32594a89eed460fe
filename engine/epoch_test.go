// Reports of ranges that begin or end in 1970.

package engine_test

import (
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestReportsAtTheEpoch(t *testing.T) {
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(storySite), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const day = 24 * 3600_000
	for _, at := range []int64{-day / 2, day / 2} {
		ev := event.Event{Dialect: event.Native, Type: event.Page, Anonymous: "ann", Time: at}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: storySite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, span := range []query.Span{{From: 0, To: day}, {From: -day, To: 0}} {
		report := query.Report{Site: &storySite.Site, Span: span, Now: 2 * day}
		a, err := e.VisitReport(t.Context(), query.VisitsQuery{Report: report})
		if err != nil {
			t.Fatal(err)
		}
		if a.Total.Views != 1 {
			t.Errorf("%v: %d views, want 1", span, a.Total.Views)
		}
		r, _, err := e.Retention(t.Context(), &query.Retention{Report: report, Period: "day", Cohort: query.CohortRange})
		if err != nil {
			t.Fatal(err)
		}
		if r.Cohorts[0].Size != 1 {
			t.Errorf("%v: %d people, want 1", span, r.Cohorts[0].Size)
		}
	}
}
