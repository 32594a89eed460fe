// Listings are read page by page while others write and the engine seals. Every event
// acknowledged before the first page is seen exactly once.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestPagesUnderWrites(t *testing.T) {
	walks := 40
	if testing.Short() {
		walks = 10
	}
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(3, 1)))
	options := w.options(fs, rand.New(rand.NewPCG(3, 2)))
	options.SealRows, options.HotEvents = 32, 100
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 2, 100, never)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				w.run(e, 1, 1, never)
				time.Sleep(time.Millisecond) // let the walks run: they are tested here, not the writers
			}
		})
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range walks {
		site := w.sites[i%2]
		q := query.Query{Site: &site.Site, Ascending: i%4 < 2, Limit: 1 + rng.IntN(60)}
		name := fmt.Sprintf("n%d", rng.IntN(4))
		switch i % 3 {
		case 1:
			q.Where = []query.Cond{{Field: "name", Values: []string{name}}}
		case 2:
			q.Where = []query.Cond{{Field: "name", Values: []string{name, "n0"}}, {Field: "prop.plan", Values: []string{"pro"}}}
		}
		before := w.acked()
		if err := walkSees(e, q, before, 0); err != nil {
			t.Errorf("walk %d %s: %v", i, showQuery(q), err)
		}
	}
	stop()
	writers.Wait()
	if s := e.Stats(); s.Seals == 0 {
		t.Error("nothing was sealed during the walks")
	}
	// A cursor stays valid after a restart.
	before := w.acked()
	for _, ascending := range []bool{true, false} {
		q := query.Query{Site: &w.sites[0].Site, Ascending: ascending, Limit: 25}
		page, err := e.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e, err = engine.Open(options); err != nil {
			t.Fatal(err)
		}
		q.After = page.Next
		if err := walkSees(e, q, before, 25); err != nil {
			t.Errorf("%s after a restart: %v", showQuery(q), err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// walkSees reads all pages of a query and compares them with the requests acknowledged before
// the first page. skip is the number of events before the query's cursor.
func walkSees(e *engine.Engine, q query.Query, before []*request, skip int) error {
	got, err := walk(e, q)
	if err != nil {
		return err
	}
	seen := map[uint64]bool{}
	for i, ev := range got {
		if i > 0 && (ev.Seq > got[i-1].Seq) != q.Ascending {
			return fmt.Errorf("seq %d follows %d", ev.Seq, got[i-1].Seq)
		}
		seen[ev.Seq] = true
	}
	if len(seen) != len(got) {
		return fmt.Errorf("%d events, %d of them distinct", len(got), len(seen))
	}
	selects := func(ev *event.Event) bool {
		s := &modelSite{leaves: map[uint64]map[string][]string{ev.Seq: leavesOf(ev.Properties)}}
		return s.matches(ev, q.Where, q.From, q.To)
	}
	missing := 0
	var example uint64
	for _, r := range before {
		for i, rec := range r.records {
			if rec.Site.ID == q.Site.ID && selects(&rec.Event) && !seen[r.outcomes[i].Seq] {
				missing++
				example = r.outcomes[i].Seq
			}
		}
	}
	if missing != skip {
		return fmt.Errorf("%d events acknowledged before are missing, want %d; one is seq %d", missing, skip, example)
	}
	return nil
}
