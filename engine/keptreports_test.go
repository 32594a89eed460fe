// Kept answers of the reports themselves, under random traffic.

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/report"
)

// freshReports answers from the same rows and keeps nothing.
func (s *hitStore) freshReports() *report.Reports {
	var reports *report.Reports
	o := s.Reader.Options
	o.ResultBytes, o.PartialBytes = 0, 0
	o.VisitSet = func(rows *read.Rows, conds []query.Cond, span query.Span) (*identity.OrdSet, error) {
		return reports.VisitSet(rows, conds, span)
	}
	reports = report.New(read.New(o), s.Engine.opts.Tuples)
	return reports
}

// keptReports are the reports, each with the ways in which an answer may depend on rows outside of
// its range, on persons and on heartbeats.
var keptReports = map[string]func(*report.Reports, query.Report) (any, query.AsOf, error){
	"breakdown": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		a, err := r.Breakdown(context.Background(), query.BreakdownQuery{Report: q, By: []string{"name", "visit.entry"}, Rows: query.Rows{Limit: 20, Sort: "users"}})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
	"breakdown by new": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		a, err := r.Breakdown(context.Background(), query.BreakdownQuery{Report: q, By: []string{"new"}, Rows: query.Rows{Limit: 20}})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
	"aggregate": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		a, err := r.Aggregate(context.Background(), query.AggregateQuery{Report: q, Of: "value", By: "visit.length", Rows: query.Rows{Limit: 20}})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
	"values": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		q.Compare, q.CompareSteps, q.Steps = nil, nil, nil
		a, err := r.Values(context.Background(), query.ValuesQuery{Report: q, Field: "user", Rows: query.Rows{Limit: 20, Search: "1"}})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
	"visits": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		a, err := r.VisitReport(context.Background(), query.VisitsQuery{Report: q, By: []string{"new", "exit"}, Rows: query.Rows{Limit: 20},
			Goal: []query.Cond{{Field: "user", Op: query.OpMatch, Values: []string{"u1*"}}}})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
	"pages": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		q.Steps, q.CompareSteps = nil, nil
		a, err := r.Pages(context.Background(), query.PagesQuery{Report: q, Of: "page", Rows: query.Rows{Limit: 20}})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
	"funnel": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		q.Compare, q.CompareSteps = nil, nil
		a, as, err := r.Funnel(context.Background(), &query.Funnel{Report: q, Split: "visit.entry", Limit: 3,
			Step: [][]query.Cond{{{Field: "type", Values: []string{"page", "track"}}}, {{Field: "user", Values: []string{"u1", "u2", "u3"}}}}})
		return a, as, err
	},
	"retention": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		q.Compare, q.CompareSteps, q.Steps = nil, nil, nil
		a, as, err := r.Retention(context.Background(), &query.Retention{Report: q, Period: "day"})
		return a, as, err
	},
	"paths": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		q.Compare, q.CompareSteps, q.Steps = nil, nil, nil
		a, as, err := r.Paths(context.Background(), &query.Paths{Report: q, Of: query.PathsBoth, Depth: 2, Limit: 5, Start: []query.Cond{{Field: "user", Op: query.OpNot, Values: []string{"u1"}}}})
		return a, as, err
	},
	"live": func(r *report.Reports, q query.Report) (any, query.AsOf, error) {
		a, err := r.Live(context.Background(), &query.Live{Report: q})
		as := a.AsOf
		a.AsOf = query.AsOf{}
		return a, as, err
	},
}

// Each report gives a kept answer only as long as a fresh one is the same, whatever comes in. Its tag
// stands for one answer.
func TestKeptReportsEqualFreshOnes(t *testing.T) {
	for name, ask := range keptReports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rng := keptTraffic(t, 5)
			day := s.now().Truncate(24 * time.Hour).UnixMilli()
			const hour = 3600_000
			spans := []query.Span{{From: day - 72*hour, To: day - 48*hour}, {From: day - 24*hour, To: day}, {From: day - 2*hour, To: day}, {From: day, To: day + 24*hour}}
			fresh := s.freshReports()
			tags := map[string]string{}
			asked := 0
			for step := range 60 {
				for range 3 {
					s.traffic(rng)
				}
				for range 3 {
					q := query.Report{Site: &s.opts.Sites()[0].Site, Span: spans[rng.IntN(len(spans))], Now: s.now().UnixMilli()}
					switch rng.IntN(5) {
					case 0:
						q.Where = []query.Cond{{Field: "user", Values: []string{"u1"}}}
					case 1:
						q.Where = []query.Cond{{Field: "new", Op: query.OpNot, Values: []string{"true"}, Visit: true}}
					case 2:
						q.Where = []query.Cond{{Field: "type", Values: []string{"track", "page"}}}
					case 3:
						q.Compare, q.CompareSteps = &spans[rng.IntN(len(spans))], []int64{}
					}
					got, as, err := ask(s.Reports, q)
					if err != nil {
						t.Fatal(err)
					}
					want, _, err := ask(fresh, q)
					if err != nil {
						t.Fatal(err)
					}
					g, w := jsonOf(t, got), jsonOf(t, want)
					if g != w {
						t.Fatalf("step %d: kept of %d where %v in %v:\n%s\nfresh\n%s", step, as.Seq, q.Where, q.Span, g, w)
					}
					asked++
					if before, known := tags[as.Tag]; q.Compare == nil && known && before != g {
						t.Fatalf("step %d: the tag %s is that of two answers:\n%s\n%s", step, as.Tag, before, g)
					}
					if q.Compare == nil {
						tags[as.Tag] = g
					}
				}
				if step%40 == 39 {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s.open()
					fresh = s.freshReports()
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if name != "live" && len(tags) > asked*9/10 {
				t.Errorf("%d of %d answers were computed", len(tags), asked)
			}
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A kept list of fields has every field that some row of its range has. It may have more: it is that
// of the runs there were.
func TestKeptFieldsAreComplete(t *testing.T) {
	s, rng := keptTraffic(t, 5)
	day := s.now().Truncate(24 * time.Hour).UnixMilli()
	spans := []query.Span{{From: day - 72*3600_000, To: day - 48*3600_000}, {From: day, To: day + 24*3600_000}}
	fresh := s.freshReports()
	for step := range 100 {
		s.traffic(rng)
		native := event.Event{Dialect: event.Native, Type: event.Track, Name: "x", User: "u", Time: s.now().UnixMilli() - rng.Int64N(80*3600_000)}
		native.Properties.Set(fmt.Sprint("p", rng.IntN(40)), event.Str("v"))
		s.ingest(native)
		q := query.Report{Site: &s.opts.Sites()[0].Site, Span: spans[step%len(spans)], Now: s.now().UnixMilli()}
		got, err := s.Fields(t.Context(), query.FieldsQuery{Report: q, Limit: query.FieldsMax})
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, f := range got.Fields {
			listed[f.Field] = true
		}
		for i := range 40 {
			field := fmt.Sprint("prop.p", i)
			q.Where = []query.Cond{{Field: field, Op: query.OpHas}}
			a, err := fresh.Breakdown(t.Context(), query.BreakdownQuery{Report: q, By: []string{"name"}, Rows: query.Rows{Limit: 1}, Metrics: query.MetricEvents})
			if err != nil {
				t.Fatal(err)
			}
			if a.Total.Events > 0 && !listed[field] {
				t.Fatalf("step %d: %d rows have %s, which is not listed", step, a.Total.Events, field)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// keptTraffic opens a store of small runs for random traffic.
func keptTraffic(t *testing.T, seed uint64) (*hitStore, *rand.Rand) {
	s := newHitStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.opts.SealRows, s.opts.MergeRuns = 30, 3
	s.open()
	return s, rand.New(rand.NewPCG(seed, 7))
}

// traffic lets something happen: a row, which may be late, a heartbeat, a link between persons, or
// time passes.
func (s *hitStore) traffic(rng *rand.Rand) {
	at := s.now().UnixMilli()
	if rng.IntN(4) == 0 {
		at -= rng.Int64N(80 * 3600_000) // late
	}
	anonymous := fmt.Sprintf("%016x", rng.IntN(5+rng.IntN(2)*100))
	user := func() string { return fmt.Sprint("u", rng.IntN(10+rng.IntN(2)*1000)) } // some are new each time
	native := event.Event{Dialect: event.Native, Type: event.Track, Name: "x", Time: at, Value: event.Num(fmt.Sprint(rng.IntN(5)))}
	switch rng.IntN(8) {
	case 0, 1:
		page := event.Event{Anonymous: anonymous, Time: at}
		page.Context.Set("path", event.Str(fmt.Sprint("/", rng.IntN(4))))
		s.send(page, event.Hit{})
	case 2, 3:
		s.send(event.Event{Anonymous: anonymous, Time: s.now().UnixMilli()}, event.Hit{Ping: true})
	case 4:
		native.Type, native.Name, native.User, native.Previous = event.Alias, "", user(), user()
		s.ingest(native)
	case 5:
		native.User, native.Anonymous = user(), anonymous
		s.ingest(native)
	case 6:
		native.User = user()
		s.ingest(native)
	default:
		s.after(time.Duration(rng.IntN(30)) * time.Minute)
	}
}
