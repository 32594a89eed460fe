// These tests are about views. A reader can read its view to the end while runs are merged
// away. The keys of such runs leave the store when the last view that shows them is closed.

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// viewStore opens a store that seals 20 rows at a time and merges three runs at a time.
func viewStore(t *testing.T, fs vfs.FS) (*Engine, *Site) {
	t.Helper()
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: fs, Sites: SitesOf(site), Reserve: -1, Memory: 16 << 20, SealRows: 20, MergeRuns: 3, MergeRows: 20 * 27, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return e, site
}

// viewEvents ingests the events from number lo up to, not including, hi.
func viewEvents(t *testing.T, e *Engine, site *Site, lo, hi int) {
	t.Helper()
	for n := lo; n < hi; n += 10 {
		var records []Record
		for i := n; i < n+10; i++ {
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{
				Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("n", i%7), User: fmt.Sprint("u", i%9), MessageID: fmt.Sprint("m", i),
				Properties: event.Object{{Key: "plan", Value: event.Num(fmt.Sprint(i % 5))}},
			}}})
		}
		if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually waits until done returns true, for at most five seconds.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("this is not true after five seconds: %s", what)
		}
	}
}

// keyed returns the runs that have keys in the store.
func keyed(t *testing.T, e *Engine) []uint64 {
	t.Helper()
	ids, err := index.RunIDs(e.db)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// shown returns the runs that a view shows.
func shown(v *table.View) (ids []uint64) {
	for i := range v.Parts {
		if r := v.Parts[i].Run; r != nil {
			ids = append(ids, r.Run)
		}
	}
	return ids
}

// current returns the runs that the site has.
func current(s *siteState) (ids []uint64) {
	sealed := s.Sealed()
	defer sealed.Close()
	for _, r := range sealed.All {
		ids = append(ids, r.Run)
	}
	return ids
}

// within reports whether all ids of some are among others.
func within(some, others []uint64) bool {
	return !slices.ContainsFunc(some, func(id uint64) bool { return !slices.Contains(others, id) })
}

func TestViewKeepsMergedRuns(t *testing.T) {
	e, site := viewStore(t, vfs.NewMem())
	s := e.state(site.ID)
	viewEvents(t, e, site, 0, 100)
	eventually(t, "runs are sealed", func() bool { return s.RunCount() > 0 && len(s.Unsealed(1<<63)) == 0 })
	v := s.View()
	old := shown(v)
	viewEvents(t, e, site, 100, 1500)
	eventually(t, "all runs of the view are merged away", func() bool {
		now := current(s)
		return !slices.ContainsFunc(old, func(id uint64) bool { return slices.Contains(now, id) })
	})
	// The view still reads each of its rows, and all keys of its runs are in the store.
	for seq := uint64(1); seq <= v.Last; seq++ {
		if ev, err := v.Event(seq); err != nil || ev == nil || ev.MessageID != fmt.Sprint("m", seq-1) {
			t.Fatalf("event %d in a view of merged runs: %v, %v", seq, ev, err)
		}
	}
	if has := keyed(t, e); !within(old, has) {
		t.Errorf("a view shows the runs %d, but the runs %d have keys", old, has)
	}
	// Other merged runs have left the store meanwhile.
	eventually(t, "runs that nobody reads leave the store", func() bool {
		return within(keyed(t, e), append(current(s), old...))
	})
	v.Close()
	eventually(t, "the runs of the closed view leave the store", func() bool { return slices.Equal(keyed(t, e), sorted(current(s))) })
	if stats := e.Stats(); stats.Corruptions != 0 || stats.Merges == 0 {
		t.Errorf("%d corruptions after %d merges", stats.Corruptions, stats.Merges)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func sorted(ids []uint64) []uint64 {
	slices.Sort(ids)
	return ids
}

// A view may be open when the engine closes. The next start removes the keys of the merged
// runs that it showed.
func TestViewOpenAtClose(t *testing.T) {
	fs := vfs.NewMem()
	e, site := viewStore(t, fs)
	s := e.state(site.ID)
	viewEvents(t, e, site, 0, 100)
	eventually(t, "runs are sealed", func() bool { return s.RunCount() > 0 && len(s.Unsealed(1<<63)) == 0 })
	v := s.View()
	old := shown(v)
	viewEvents(t, e, site, 100, 1500)
	eventually(t, "a run of the view is merged away", func() bool { return !within(old, current(s)) })
	if err := e.Close(); err == nil || !strings.Contains(err.Error(), "site 1: 1 views are open") {
		t.Errorf("Close with an open view: %v", err)
	}
	v.Close()
	if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %+v, %v", report, err)
	}
	e, _ = viewStore(t, fs)
	// The merger is at work again, so keys of other runs may go a little later.
	eventually(t, "only runs that exist have keys", func() bool { return within(keyed(t, e), current(e.state(1))) })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// All at once, events come in, queries read them, runs are merged and leave the store, and
// snapshots are made. Nothing is damaged, no view stays open, and each snapshot is complete.
func TestViewsBesideEverything(t *testing.T) {
	const events, snapshots = 1500, 6
	fs := vfs.NewMem()
	e, site := viewStore(t, fs)
	viewEvents(t, e, site, 0, 100) // so that each query has an answer
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	question := query.Query{Site: &site.Site}
	for _, ask := range []func() error{
		func() error {
			q := question
			q.Limit, q.Skip = 10, 40
			_, err := e.List(ctx, q)
			return err
		},
		func() error { _, err := e.Count(ctx, question); return err },
		func() error {
			_, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site, Property: "plan", Segment: "name"})
			return err
		},
		func() error { _, err := e.Counters(ctx, query.CounterQuery{Site: &site.Site}); return err },
		func() error { _, _, err := e.Users(ctx, question); return err },
		func() error { _, _, err := e.Sessions(ctx, question); return err },
		func() error { _, err := e.Digest(ctx, question); return err },
		func() error { _, err := e.User(ctx, &site.Site, "u3"); return err },
		func() error { // this query ends with an error
			q := question
			q.After = "no cursor"
			if _, err := e.List(ctx, q); err != query.ErrBadCursor {
				return fmt.Errorf("a bad cursor: %v", err)
			}
			return nil
		},
		func() error { // this query has no time left
			late, stop := context.WithTimeout(ctx, 0)
			defer stop()
			if _, err := e.Digest(late, question); err == nil {
				return fmt.Errorf("answered although no time was left")
			}
			return nil
		},
	} {
		wg.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
				if err := ask(); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var copies []string
	wg.Go(func() {
		for i := range snapshots {
			before := e.Stats().Merges
			for e.Stats().Merges == before && ctx.Err() == nil {
				time.Sleep(100 * time.Microsecond)
			}
			dir := fmt.Sprint("copy", i)
			if _, err := e.Snapshot(t.Context(), dir); err != nil {
				t.Error(err)
				return
			}
			copies = append(copies, dir)
		}
	})
	viewEvents(t, e, site, 100, events)
	viewEvents(t, e, site, 0, 100) // duplicates whose originals are in runs
	stop()
	wg.Wait()
	s := e.state(site.ID)
	eventually(t, "all merged runs have left the store", func() bool {
		return len(s.Unsealed(1<<63)) == 0 && slices.Equal(keyed(t, e), sorted(current(s)))
	})
	if stats := e.Stats(); stats.Corruptions != 0 || stats.Merges < snapshots {
		t.Errorf("%d corruptions, %d merges", stats.Corruptions, stats.Merges)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range copies {
		restored := "restored-" + dir
		if err := store.Restore(fs, dir, restored, nil); err != nil {
			t.Fatal(err)
		}
		if report, err := check.Store(t.Context(), fs, restored); err != nil || len(report.Problems) > 0 {
			t.Errorf("%s: check: %+v, %v", dir, report, err)
		}
	}
}
