// The time limit of queries: a query checks the time after a number of bytes, not only after a
// number of rows.

package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// countingContext is a context that counts how often a query checks it. From check number stop on it
// is done, unless stop is 0.
type countingContext struct {
	context.Context
	checks atomic.Int64
	stop   int64
	err    error // nil = context.Canceled
}

func (l *countingContext) Err() error {
	if n := l.checks.Add(1); l.stop > 0 && n >= l.stop {
		return cmp.Or(l.err, context.Canceled)
	}
	return nil
}

// With rows of 128 KB, every kind of query checks the time about once per megabyte, much more
// often than every 4,096 rows. A query whose context is done stops at that check.
func TestQueriesCheckTimeByBytes(t *testing.T) {
	const rows, large = 64, 128 << 10
	small, big := &engine.Site{Site: query.Site{ID: 1, Name: "small"}}, &engine.Site{Site: query.Site{ID: 2, Name: "big"}}
	for _, sealRows := range []int{rows, 1 << 16} {
		fs := vfs.NewMem()
		opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(small, big), SealRows: sealRows}
		e, err := engine.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		var session [3]string
		for site, size := range map[*engine.Site]int{small: 1, big: large} {
			for i := range rows {
				ev := &event.Event{Dialect: event.OpenPanel, Type: event.Identify, Name: "n", User: "ada", Session: "s", Groups: []string{"g"}}
				switch i % 4 {
				case 1:
					ev.Type = event.Group
				case 2:
					ev.Type, ev.Name, ev.Value = event.Track, "revenue", event.Num("1")
				case 3:
					ev.Type = event.Track
				}
				text := fmt.Sprint(i, strings.Repeat("x", size))
				ev.Properties = event.Object{{Key: "text", Value: event.Str(text)}, {Key: "list", Value: event.Raw(`{"a":["` + text[:len(text)/2] + `"]}`)}}
				out, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil)
				if err != nil || out[0].Status != event.Stored {
					t.Fatal(out, err)
				}
			}
		}
		for wait := 0; sealRows == rows && e.Stats().Runs < 2; wait++ {
			if wait == 10_000 {
				t.Fatal("nothing is sealed")
			}
			time.Sleep(time.Millisecond)
		}
		for _, site := range []*engine.Site{small, big} {
			sessions, _, err := e.Sessions(t.Context(), query.Query{Site: &site.Site})
			if err != nil || len(sessions) == 0 {
				t.Fatal(sessions, err)
			}
			session[site.ID] = sessions[0].ID
		}
		from, to := epoch.UnixMilli(), epoch.AddDate(30, 0, 0).UnixMilli()
		for _, c := range []struct {
			name string
			rows int // number of rows with large text that it reads
			read func(ctx context.Context, site *engine.Site) error
		}{
			{"list", rows, func(ctx context.Context, site *engine.Site) error {
				_, err := e.List(ctx, query.Query{Site: &site.Site})
				return err
			}},
			{"user", rows / 2, func(ctx context.Context, site *engine.Site) error {
				_, err := e.User(ctx, &site.Site, "ada")
				return err
			}},
			{"users", rows / 2, func(ctx context.Context, site *engine.Site) error {
				_, _, err := e.Users(ctx, query.Query{Site: &site.Site})
				return err
			}},
			{"session", rows, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Session(ctx, &site.Site, session[site.ID])
				return err
			}},
			{"sessions", rows, func(ctx context.Context, site *engine.Site) error {
				_, _, err := e.Sessions(ctx, query.Query{Site: &site.Site})
				return err
			}},
			{"digest", rows, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Digest(ctx, query.Query{Site: &site.Site})
				return err
			}},
			{"group", rows / 4, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Group(ctx, &site.Site, "g")
				return err
			}},
			{"visits", rows / 4, func(ctx context.Context, site *engine.Site) error {
				_, _, err := e.Visits(ctx, query.Query{Site: &site.Site, From: from, To: to}, "month", nil)
				return err
			}},
			{"counters", rows / 2, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "text"})
				return err
			}},
			{"counters of a path", rows / 4, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "list.a"})
				return err
			}},
			{"a series of counters", rows / 2, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "text", Interval: "month"})
				return err
			}},
			{"properties", rows / 4, func(ctx context.Context, site *engine.Site) error {
				_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site})
				return err
			}},
		} {
			t.Run(fmt.Sprintf("%s of parts of %d", c.name, sealRows), func(t *testing.T) {
				checksOf := func(site *engine.Site) int64 {
					ctx := &countingContext{Context: t.Context()}
					if err := c.read(ctx, site); err != nil {
						t.Fatal(err)
					}
					return ctx.checks.Load()
				}
				// Loops start to count at 0 for each part and each person, so one check may be missing.
				few := checksOf(small)
				stopped := &countingContext{Context: t.Context(), stop: few + 1}
				if err := c.read(stopped, big); !errors.Is(err, context.Canceled) || stopped.checks.Load() > few+3 {
					t.Errorf("done at check %d: %d checks, %v", stopped.stop, stopped.checks.Load(), err)
				}
				// Less than a megabyte at the end of a loop causes no check.
				if many, want := checksOf(big), int64(c.rows*large>>20)-1; many < few+want {
					t.Errorf("%d checks in %d MB, and %d in a few bytes", many, c.rows*large>>20, few)
				}
			})
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The capped cells of a row range are read before its rows are counted. This checks the time
// about once per megabyte too, and stops when the context is done, even if no value of the
// queried property is over the cap. Names over the cap are read twice, and once more in the
// cells that contain them, since they have no columns of their own.
func TestCappedCellsCheckTime(t *testing.T) {
	const rows = 128
	large := strings.Repeat("x", 140)
	for _, c := range []struct {
		name, property string
		object         func(row, n int, long string) event.Object
		n, passes      int
	}{
		{"values", "name", func(row, n int, long string) event.Object {
			text := `["a"`
			for i := range n {
				text += fmt.Sprintf(`,"%s%d %d"`, long, row, i)
			}
			return event.Object{{Key: "p", Value: event.Raw(text + "]")}}
		}, 400, 1},
		{"names", "#", func(row, n int, long string) event.Object { // the cap admits names in their order
			o := event.Object{{Key: "#", Value: event.Num("1")}}
			for i := range n {
				o = append(o, event.Member{Key: fmt.Sprintf("%d %d%s", row, i, long), Value: event.Num("1")})
			}
			return o
		}, 250, 3},
	} {
		for _, sealRows := range []int{rows, 1 << 16} {
			t.Run(fmt.Sprintf("%s in parts of %d", c.name, sealRows), func(t *testing.T) {
				small, big := &engine.Site{Site: query.Site{ID: 1, Name: "small"}}, &engine.Site{Site: query.Site{ID: 2, Name: "big"}}
				opts := engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(small, big), SealRows: sealRows, ValuesPerDay: 1, NamesPerDay: 1}
				e, err := engine.Open(opts)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				for row := range rows {
					for site, properties := range map[*engine.Site]event.Object{small: c.object(row, 2, ""), big: c.object(row, c.n, large)} {
						ev := &event.Event{Dialect: event.Native, Type: event.Track, Name: "n", Properties: properties}
						if out, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil); err != nil || out[0].Status != event.Stored {
							t.Fatal(out, err)
						}
					}
				}
				for wait := 0; sealRows == rows && e.Stats().Runs < 2; wait++ {
					if wait == 10_000 {
						t.Fatal("nothing is sealed")
					}
					time.Sleep(time.Millisecond)
				}
				read := func(site *engine.Site, stop int64) (int64, error) {
					ctx := &countingContext{Context: t.Context(), stop: stop}
					_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: c.property, Where: []query.Cond{{Field: "name", Values: []string{"n"}}}})
					return ctx.checks.Load(), err
				}
				few, err := read(small, 0)
				if err != nil {
					t.Fatal(err)
				}
				want := int64(c.passes*rows*c.n*len(large)>>20) - 1
				for _, stop := range []int64{few - 1, few + want/2 + 1} {
					if checks, err := read(big, stop); !errors.Is(err, context.Canceled) || checks > stop+2 {
						t.Errorf("done at check %d: %d checks, %v", stop, checks, err)
					}
				}
				if many, err := read(big, 0); err != nil || many < few+want {
					t.Errorf("%d checks, %v, and %d in a few bytes; want %d more", many, err, few, want)
				}
			})
		}
	}
}

// A listing that runs out of time within a part returns the events it has read and a cursor.
// No event is missing and none comes twice. A listing that skips events has no such cursor,
// and returns an error.
func TestListingOutOfTime(t *testing.T) {
	const rows, large = 40, 128 << 10
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for range rows {
		ev := &event.Event{Dialect: event.Native, Type: event.Track, Name: "n", Properties: event.Object{{Key: "text", Value: event.Str(strings.Repeat("x", large))}}}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: *ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, ascending := range []bool{false, true} {
		seen, pages := map[string]bool{}, 0
		q := query.Query{Site: &site.Site, Limit: rows, Ascending: ascending}
		for {
			ctx := &countingContext{Context: t.Context(), stop: 3, err: context.DeadlineExceeded} // the second within the part
			page, err := e.List(ctx, q)
			if err != nil || len(page.Events) == 0 {
				t.Fatalf("page %d: %d events, %v", pages, len(page.Events), err)
			}
			for _, ev := range page.Events {
				if seen[ev.ID] {
					t.Errorf("event %d comes twice", ev.Seq)
				}
				seen[ev.ID] = true
			}
			pages++
			if q.After = page.Next; page.Next == "" {
				break
			}
		}
		if len(seen) != rows || pages < 2 {
			t.Errorf("%d events on %d pages", len(seen), pages)
		}
	}
	ctx := &countingContext{Context: t.Context(), stop: 3, err: context.DeadlineExceeded}
	if page, err := e.List(ctx, query.Query{Site: &site.Site, Limit: rows, Skip: 1}); !errors.Is(err, query.ErrQueryTimeout) {
		t.Errorf("%d events, %v", len(page.Events), err)
	}
}
