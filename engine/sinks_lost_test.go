// A sink that lost what it has taken, or is another table now.

package engine_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// Rows that the sink refused once are no reason to leave out others that it has lost.
func TestSinkThatRefusedRowsAndLostOthers(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(25, 5)))
	place := sinktest.New(false)
	o := w.options(vfs.NewMem(), rand.New(rand.NewPCG(25, 6)))
	refused := func(line string) bool {
		return strings.Contains(line, `"request":7,`) || strings.Contains(line, `"request":7}`)
	}
	config := func() []sink.Config {
		c := quick(&sinktest.Sink{Place: place, Rows: sink.Native, Refuse: func(line []byte) bool { return refused(string(line)) }})
		c.SkipBad = true
		return []sink.Config{c}
	}
	o.Sinks = config()
	e := open(t, o)
	w.run(e, 1, 40, never)
	st, err := until(e, carriedAll(e))
	if err != nil || st.Sites[0].Skipped == 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	before, site := st.Sites[0], w.sites[0]
	rows := place.Rows(before.Store, site.Name)
	for range 2 { // the second time it has lost everything, so that what it refused goes again
		from := before.Cursor
		if len(rows) == 0 {
			from = 1
		}
		place.LoseRows(before.Store, site.Name, func(seq uint64, _ string) bool { return seq >= from })
		if err := e.CarryTo(config()); err != nil {
			t.Fatal(err)
		}
		w.run(e, 1, 3, never)
		if st, err = until(e, carriedAll(e)); err != nil {
			t.Fatal(err)
		}
		want, err := rowLines(e, &site.Site)
		if err != nil {
			t.Fatal(err)
		}
		bad := uint64(0)
		for seq, line := range want {
			if refused(line) {
				delete(want, seq)
				bad++
			}
		}
		got := place.Rows(before.Store, site.Name)
		if len(got) != len(want) || st.Sites[0].Skipped != bad {
			t.Errorf("the sink has %d rows of %d, and has refused %d of %d", len(got), len(want), st.Sites[0].Skipped, bad)
		}
		rows = nil
	}
}

// What a sink knows of its table is void when the table has lost rows. So it is opened again before these go.
func TestSinkThatLostRowsIsOpenedAgain(t *testing.T) {
	t.Parallel()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	place := sinktest.New(false)
	var opens, sends atomic.Int64
	var emptied atomic.Bool
	c := quick(&sinktest.Sink{Place: place, Rows: sink.Native, Hook: func(call string) error {
		switch {
		case call == "open":
			opens.Add(1)
		case call == "send" && emptied.Load() && opens.Load() == 1:
			sends.Add(1)
		}
		return nil
	}})
	c.LookEvery = time.Millisecond
	e := open(t, engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Sinks: []sink.Config{c}})
	sendEvents(t, e, site, 30)
	if err := settled(e, place, site); err != nil {
		t.Fatal(err)
	}
	emptied.Store(true)
	place.Empty()
	st, err := until(e, func(st *sink.Status) bool { return len(place.Rows(st.Sites[0].Store, "shop")) == 30 })
	if err != nil {
		t.Fatal(err)
	}
	if opens.Load() != 2 || sends.Load() != 0 {
		t.Errorf("opened %d times; %d ranges went before that: %+v", opens.Load(), sends.Load(), st)
	}
}

// A sink that is down when the server starts is behind from then on, and /healthz says so.
func TestSinkThatIsDownFromTheStart(t *testing.T) {
	t.Parallel()
	site, s := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, &downSink{place: sinktest.New(false)}
	o := engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Sinks: s.config()}
	o.Sinks[0].LagWarn = time.Millisecond
	e := open(t, o)
	sendEvents(t, e, site, 1)
	if st, err := until(e, func(st *sink.Status) bool { return st.Code == "down" && st.LagSeconds > 0 }); err != nil {
		t.Fatal(st, err)
	}
	if reasons := e.SinkTroubles(); len(reasons) != 1 || !strings.Contains(reasons[0], "behind") {
		t.Errorf("reasons %q", reasons)
	}
	s.up.Store(true)
	if st, err := until(e, carriedAll(e)); err != nil || st.LagSeconds != 0 {
		t.Error(st, err)
	}
}
