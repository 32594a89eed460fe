// Reports whose answers are large, and reports on any number of processors.

package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A report of more rows than its memory holds is refused with what to do, and gives all back.
func TestReportsKeepToTheirMemory(t *testing.T) {
	e := openAside(t, vfs.NewMem(), 0, 0)
	defer e.Close()
	var records []engine.Record
	for i := range 8000 {
		ev := event.Event{Dialect: event.Native, Type: event.Page, Time: epoch.UnixMilli() + int64(i), Anonymous: fmt.Sprint("a", i)}
		ev.Context.Set("path", event.Str(fmt.Sprint("/p/", i)))
		ev.Context.Set("country", event.Str([]string{"DE", "FR"}[i%2]))
		records = append(records, engine.Record{Site: asideSite, Record: &event.Record{Event: ev}})
	}
	for ; len(records) > 0; records = records[500:] {
		if _, err := e.Ingest(t.Context(), records[:500], true, nil); err != nil {
			t.Fatal(err)
		}
	}
	report := query.Report{Site: &asideSite.Site, Span: query.Span{From: epoch.UnixMilli(), To: epoch.Add(time.Hour).UnixMilli()}, Now: epoch.Add(time.Hour).UnixMilli()}
	rows := query.Rows{Limit: 10}
	visits := func(by string) error {
		_, err := e.VisitReport(t.Context(), query.VisitsQuery{Report: report, By: []string{by}, Rows: rows})
		return err
	}
	breakdown := func(by string) error {
		_, err := e.Breakdown(t.Context(), query.BreakdownQuery{Report: report, By: []string{by}, Rows: rows, Metrics: query.MetricEvents | query.MetricUsers})
		return err
	}
	pages := func() error {
		_, err := e.Pages(t.Context(), query.PagesQuery{Report: report, Of: "page", Rows: rows})
		return err
	}
	for range 5 { // none of them keeps anything
		for name, err := range map[string]error{"visits": visits("entry"), "breakdown": breakdown("page"), "pages": pages(), "split": breakdown("visit.entry")} {
			var bad *query.BadParameter
			if !errors.As(err, &bad) || !strings.Contains(bad.Msg, "memory; ask for fewer days") {
				t.Errorf("%s by 8,000 values: %v", name, err)
			}
		}
	}
	if err := errors.Join(visits("country"), breakdown("country"), breakdown("visit.country")); err != nil {
		t.Errorf("by two values: %v", err)
	}
}

// Answers do not depend on how many slices are read at once, not even in the last digit of a sum
// that is not exact.
func TestReportsOnAnyNumberOfProcessors(t *testing.T) {
	e := openAside(t, vfs.NewMem(), 0, 0)
	defer e.Close()
	rng := rand.New(rand.NewPCG(8, 9))
	for range 40 {
		var records []engine.Record
		for range 100 {
			ev := event.Event{Dialect: event.Native, Type: event.Page, Time: epoch.UnixMilli() + rng.Int64N(3*24*3600*1000), Anonymous: fmt.Sprint("a", rng.IntN(300))}
			ev.Context.Set("path", event.Str(fmt.Sprint("/p/", rng.IntN(40))))
			ev.Context.Set("utm_source", event.Str([]string{"Mail", "mail", "MAIL", "ads"}[rng.IntN(4)]))
			ev.Properties.Set("amount", event.Num(fmt.Sprintf("%.13f", rng.Float64()*1000)))
			ev.Value = event.Num(fmt.Sprintf("%.13f", rng.Float64()*1000))
			records = append(records, engine.Record{Site: asideSite, Record: &event.Record{Event: ev}})
		}
		if outcomes, err := e.Ingest(t.Context(), records, true, nil); err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
	}
	now := 0
	ask := func() (texts []string) {
		now++ // each question differs, so that no answer is kept
		report := query.Report{Site: &asideSite.Site, Span: query.Span{From: epoch.UnixMilli(), To: epoch.AddDate(0, 0, 4).UnixMilli() + int64(now)}, Now: epoch.AddDate(0, 0, 5).UnixMilli()}
		report.Steps = []int64{report.From, report.From + 24*3600*1000, report.From + 48*3600*1000}
		rows := query.Rows{Limit: 100}
		visits, err := e.VisitReport(t.Context(), query.VisitsQuery{Report: report, By: []string{"source", "entry", "exit", "hour", "new"}, Rows: rows, Goal: cond("type", "page")})
		if err != nil {
			t.Fatal(err)
		}
		if visits.Total.Visits == 0 || visits.Total.GoalValue.Exact() {
			t.Fatalf("%+v", visits.Total)
		}
		pages, err := e.Pages(t.Context(), query.PagesQuery{Report: report, Of: "page", Rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		broken, err := e.Breakdown(t.Context(), query.BreakdownQuery{Report: report, By: []string{"source", "page"}, Rows: rows, Metrics: query.MetricEvents | query.MetricUsers | query.MetricSessions})
		if err != nil {
			t.Fatal(err)
		}
		numbers, err := e.Aggregate(t.Context(), query.AggregateQuery{Report: report, Of: "prop.amount", By: "source", Rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		visits.AsOf, pages.AsOf, broken.AsOf, numbers.AsOf = query.AsOf{}, query.AsOf{}, query.AsOf{}, query.AsOf{}
		return []string{fmt.Sprintf("%+v", *visits), fmt.Sprintf("%+v", *pages), fmt.Sprintf("%+v", *broken), fmt.Sprintf("%+v", *numbers)}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := ask()
	for _, n := range []int{2, 3, 8, 8, 8} {
		runtime.GOMAXPROCS(n)
		for i, got := range ask() {
			if got != want[i] {
				t.Errorf("with %d processors: %s\nwith one: %s", n, got, want[i])
			}
		}
	}
}
