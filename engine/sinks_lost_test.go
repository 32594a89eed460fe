// A sink that lost what it has taken, or is another table now.

package engine_test

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A table that was dropped and made again, or one with another name, gets all from the begin; an older copy
// of the table gets what it lacks.
func TestSinkThatLostRows(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(25, 1)))
	place := sinktest.New(false)
	o := w.options(vfs.NewMem(), rand.New(rand.NewPCG(25, 2)))
	var gone atomic.Bool
	config := func(p *sinktest.Place) sink.Config {
		return quick(&sinktest.Sink{Place: p, Rows: sink.Native, Hook: func(string) error {
			if gone.Swap(false) {
				place.Empty()
				return &sink.Fault{Passes: true, Code: "60"}
			}
			return nil
		}})
	}
	o.Sinks = []sink.Config{config(place)}
	e := open(t, o)
	w.run(e, 2, 30, never)
	if err := settled(e, place, w.sites...); err != nil {
		t.Fatal(err)
	}
	gone.Store(true) // while it runs
	w.run(e, 1, 30, never)
	if err := settled(e, place, w.sites...); err != nil {
		t.Fatalf("after the table was lost: %v", err)
	}
	other := sinktest.New(false)
	for i, p := range []*sinktest.Place{other, place} { // the second time the first table has an older state
		if err := e.CarryTo([]sink.Config{config(p)}); err != nil {
			t.Fatal(err)
		}
		w.run(e, 1, 30, never)
		if err := settled(e, p, w.sites...); err != nil {
			t.Fatalf("table %d: %v", i, err)
		}
	}
	for _, p := range []*sinktest.Place{other, place} {
		if faults := p.Faults(); len(faults) > 0 {
			t.Errorf("%q", faults)
		}
	}
}

// A site that gets another name keeps its name in the sink: a deletion finds its older rows by that.
func TestSinkKeepsTheNameOfASite(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(25, 3)))
	place := sinktest.New(false)
	o := w.options(vfs.NewMem(), rand.New(rand.NewPCG(25, 4)))
	sites, renamed := o.Sites, atomic.Bool{}
	o.Sites = func() []*engine.Site {
		all := slices.Clone(sites())
		if renamed.Load() {
			for i := range all {
				site := *all[i]
				site.Name += "-new"
				all[i] = &site
			}
		}
		return all
	}
	o.Sinks = []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.ColumnsText})}
	e := open(t, o)
	w.run(e, 1, 30, never)
	if _, err := until(e, carriedAll(e)); err != nil {
		t.Fatal(err)
	}
	renamed.Store(true)
	w.run(e, 1, 30, never)
	st, err := until(e, carriedAll(e))
	if err != nil {
		t.Fatal(err)
	}
	for i, site := range w.sites {
		old, fresh := place.Rows(st.Sites[i].Store, site.Name), place.Rows(st.Sites[i].Store, site.Name+"-new")
		if uint64(len(old)) != st.Sites[i].Last || len(fresh) > 0 {
			t.Errorf("site %s: %d rows under its name of %d, %d under the new one", site.Name, len(old), st.Sites[i].Last, len(fresh))
		}
	}
}

// A table that was emptied, or is another one than before, gets everything at the next start. A topic does not:
// it would have the rows twice.
func TestSinkOfAnEmptyTable(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
		s := &downSink{place: sinktest.New(whole)}
		s.up.Store(true)
		o := engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Sinks: s.config()}
		e := open(t, o)
		sendEvents(t, e, site, 100)
		first := query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: []string{"a"}}}, Now: true}
		if _, err := e.Delete(t.Context(), &site.Site, first); err != nil {
			t.Fatal(err)
		}
		sendEvents(t, e, site, 50)
		if err := settled(e, s.place, site); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		s.place = sinktest.New(whole)
		o.Sinks = s.config()
		e = open(t, o)
		sendEvents(t, e, site, 1)
		st, err := until(e, func(st *sink.Status) bool { return carriedAll(e)(st) && len(s.place.Sent()) > 0 })
		if err != nil || st.Sites[0].Missed != 0 {
			t.Fatalf("%+v, %v", st, err)
		}
		want := 51
		if whole {
			want = 1
		}
		if rows := s.place.Rows(st.Sites[0].Store, "shop"); len(rows) != want {
			t.Errorf("whole %t: %d rows, want %d", whole, len(rows), want)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
