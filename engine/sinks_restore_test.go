// Sinks and other lives of a store: one that was restored or repaired, and copies, send no row under a number
// that stands for another.

package engine_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// copyStore copies a data directory of a closed store.
func copyStore(t *testing.T, fs vfs.FS) vfs.FS {
	t.Helper()
	other := vfs.NewMem()
	if ok, err := vfs.Clone(fs, other, "data", "data"); err != nil || !ok {
		t.Fatal(ok, err)
	}
	return other
}

// A store that is restored from an older snapshot goes on under its number as far as the sink has its rows, and
// its own later rows have another number.
func TestSinkAfterARestore(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		w := newWorkload(rand.New(rand.NewPCG(seed, 9)))
		rng := rand.New(rand.NewPCG(seed, 10))
		place, fs := sinktest.New(seed%2 == 1), vfs.NewMem()
		config := func() []sink.Config {
			return []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native})}
		}
		o := w.options(fs, rng)
		o.Sinks = config()
		e := open(t, o)
		w.run(e, 1, 30, never)
		if seed%4 < 2 { // the snapshot's cursor is behind its rows
			if err := e.CarryTo(nil); err != nil {
				t.Fatal(err)
			}
			w.run(e, 1, 10, never)
		} else if err := settled(e, place, w.sites...); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Snapshot(ctx, "snapshot"); err != nil {
			t.Fatal(err)
		}
		if err := e.CarryTo(config()); err != nil {
			t.Fatal(err)
		}
		w.run(e, 1, 20, never)
		if err := settled(e, place, w.sites...); err != nil {
			t.Fatal(err)
		}
		first := place.Stores("one")
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Restore(fs, "snapshot", "again", ""); err != nil {
			t.Fatal(err)
		}
		o.Dir, o.Sinks = "again", nil
		e = open(t, o)
		if seed < 4 { // new rows, before the sink is looked at
			w.run(e, 1, 12, never)
		}
		before := e.Events()
		if err := e.CarryTo(config()); err != nil {
			t.Fatal(err)
		}
		if err := settled(e, place, w.sites...); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w.run(e, 1, 12, never)
		if err := settled(e, place, w.sites...); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		st, _ := sinkStatus(e)
		for _, s := range st.Sites {
			if len(s.Stores) != 2 || s.Stores[0].Store != first[0] || s.Stores[1].First == 1 || s.Stores[1].First > before[s.Number]+1 {
				t.Errorf("seed %d, site %s: %+v", seed, s.Site, s.Stores)
			}
		}
		if reasons := e.SinkTroubles(); len(reasons) != 1 || !strings.Contains(reasons[0], "new number") {
			t.Errorf("reasons %q", reasons)
		}
	}
}

// A repair that has lost the newest rows gives their seqs again. The new rows go, under a new number.
func TestSinkAfterARepair(t *testing.T) {
	t.Parallel()
	w := newWorkload(rand.New(rand.NewPCG(6, 9)))
	place, fs := sinktest.New(false), vfs.NewMem()
	config := func() []sink.Config {
		return []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native})}
	}
	o := w.options(fs, rand.New(rand.NewPCG(6, 10)))
	o.Sinks = config()
	e := open(t, o)
	w.run(e, 1, 20, never)
	if err := settled(e, place, w.sites...); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Snapshot(ctx, "snapshot"); err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 20, never)
	if err := settled(e, place, w.sites...); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// As a repair leaves it: the older rows with the newer cursors.
	newer := cursorsOf(t, fs, "data")
	if _, err := engine.Restore(fs, "snapshot", "again", ""); err != nil {
		t.Fatal(err)
	}
	putCursors(t, fs, "again", newer)
	o.Dir, o.Sinks = "again", config()
	e = open(t, o)
	w.run(e, 1, 3, never)
	if err := settled(e, place, w.sites...); err != nil {
		t.Fatal(err)
	}
	if st, _ := sinkStatus(e); len(st.Sites[0].Stores) != 2 || st.Sites[0].Missed != 0 {
		t.Errorf("%+v", st.Sites[0])
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}

	// The same with a sink that has lost all: it gets all again.
	if _, err := engine.Restore(fs, "snapshot", "third", ""); err != nil {
		t.Fatal(err)
	}
	putCursors(t, fs, "third", newer)
	place = sinktest.New(false)
	o.Dir, o.Sinks = "third", nil
	e = open(t, o)
	if err := e.CarryTo(config()); err != nil {
		t.Fatal(err)
	}
	if _, err := until(e, func(st *sink.Status) bool { return len(st.Sites) == len(w.sites) }); err != nil { // it knows where the rows end
		t.Fatal(err)
	}
	w.run(e, 1, 3, never)
	if err := settled(e, place, w.sites...); err != nil {
		t.Fatal(err)
	}
}

// A store that has several numbers in the sink begins another one in place of the newest alone: its rows stay as
// they are under the older ones. The receipts of deletions go on naming the number that was given up.
func TestSinkPartsFromItsNewestNumberAlone(t *testing.T) {
	t.Parallel()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	place, fs := sinktest.New(false), vfs.NewMem()
	config := func() []sink.Config { return []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native})} }
	o := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), Sinks: config()}
	e := open(t, o)
	sendEvents(t, e, site, 20)
	if err := settled(e, place, site); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	o.Sinks = nil
	e = open(t, o)
	sendEvents(t, e, site, 10)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// From row 21 on they went under the number 77, and then others came in their place.
	cursors := cursorsOf(t, fs, "data")
	first := cursors[0].Stores[0].Number
	cursors[0].Stores = append(cursors[0].Stores, records.SinkStore{Number: 77, First: 21})
	cursors[0].Cursor, cursors[0].Reach = 30, 30
	putCursors(t, fs, "data", cursors)
	others := &sink.Range{Store: 77, Site: sink.Site{Number: 1, Name: "shop"}, First: 21, Last: 30}
	for seq := uint64(21); seq <= 30; seq++ {
		others.Lines = append(others.Lines, "another row\n"...)
		others.Ends, others.Seqs = append(others.Ends, len(others.Lines)), append(others.Seqs, seq)
		others.IDs, others.Received = append(others.IDs, "another"), append(others.Received, 1)
	}
	other := &sinktest.Sink{Place: place, Rows: sink.Native}
	if err := errors.Join(other.Open(t.Context()), other.Send(t.Context(), others)); err != nil {
		t.Fatal(err)
	}
	o.Sinks = config()
	e = open(t, o)
	sendEvents(t, e, site, 1)
	if err := settled(e, place, site); err != nil {
		t.Fatal(err)
	}
	st, _ := sinkStatus(e)
	stores := st.Sites[0].Stores
	if len(stores) != 2 || stores[0].Store != first || stores[0].Last != 20 || stores[1].First != 21 || stores[1].Store == 77 || st.Sites[0].Missed != 0 {
		t.Fatalf("%+v", st.Sites[0])
	}
	if n := len(place.Rows(stores[1].Store, "shop")); n != 11 {
		t.Errorf("%d rows under the new number", n)
	}
	if _, err := e.Delete(t.Context(), &site.Site, query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: []string{"a"}}}}); err != nil {
		t.Fatal(err)
	}
	if err := settled(e, place, site); err != nil {
		t.Fatal(err)
	}
	all, err := e.Deletions(t.Context(), &site.Site)
	if err != nil || !slices.Equal(all[0].Sinks[0].Beyond, []uint64{first, 77}) {
		t.Errorf("%+v, %v", all, err)
	}
}

// A sink that began with the rows that came sends no older ones, whatever another cairn has under its number.
func TestSinkFromNowParts(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		site, place := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, sinktest.New(whole)
		o := engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site)}
		e := open(t, o)
		sendEvents(t, e, site, 20)
		others := &sink.Range{Store: 12, Site: sink.Site{Number: 1, Name: "shop"}, First: 1, Last: 5}
		for seq := uint64(1); seq <= 5; seq++ {
			others.Lines = append(others.Lines, "another row\n"...)
			others.Ends, others.Seqs = append(others.Ends, len(others.Lines)), append(others.Seqs, seq)
			others.IDs, others.Received = append(others.IDs, "another"), append(others.Received, 1)
		}
		other := &sinktest.Sink{Place: place, Rows: sink.Native}
		if err := errors.Join(other.Open(t.Context()), other.Send(t.Context(), others)); err != nil {
			t.Fatal(err)
		}
		c := quick(&sinktest.Sink{Place: place, Rows: sink.Native})
		c.FromNow, c.StoreNum = true, 12
		if err := e.CarryTo([]sink.Config{c}); err != nil {
			t.Fatal(err)
		}
		if _, err := until(e, carriedAll(e)); err != nil {
			t.Fatal(err)
		}
		sendEvents(t, e, site, 3)
		st, err := until(e, carriedAll(e))
		if err != nil {
			t.Fatal(err)
		}
		stores := st.Sites[0].Stores
		if len(stores) != 1 || stores[0].First != 21 || stores[0].Store == 12 || len(place.Rows(stores[0].Store, "shop")) != 3 {
			t.Errorf("whole %t: %+v, %d rows", whole, stores, len(place.Rows(stores[0].Store, "shop")))
		}
	}
}

// cursorsOf returns the cursors of sinks in a closed store.
func cursorsOf(t *testing.T, fs vfs.FS, dir string) []*records.SinkCursor {
	t.Helper()
	db, err := store.OpenPebble(dir+"/store", &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := records.SinkCursors(db)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return all
}

// putCursors writes cursors into a closed store.
func putCursors(t *testing.T, fs vfs.FS, dir string, all []*records.SinkCursor) {
	t.Helper()
	db, err := store.OpenPebble(dir+"/store", &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	for _, c := range all {
		if err := c.Put(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(b.Commit(pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A copy of a store begins a number of its own at its start. Where both run, the one that finds rows of the
// other under its number stops and says so.
func TestTwoCopiesOfAStore(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		w := newWorkload(rand.New(rand.NewPCG(3, 9)))
		rng := rand.New(rand.NewPCG(3, 10))
		place, fs := sinktest.New(whole), vfs.NewMem()
		config := func() []sink.Config {
			c := quick(&sinktest.Sink{Place: place, Rows: sink.Native})
			c.LookEvery = time.Millisecond
			return []sink.Config{c}
		}
		o := w.options(fs, rng)
		o.Sinks = config()
		e := open(t, o)
		w.run(e, 1, 30, never)
		if err := settled(e, place, w.sites...); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		o.Sinks = config()
		other := o
		other.FS, other.Sinks = copyStore(t, fs), nil
		one, two := open(t, o), open(t, other)
		w.run(one, 1, 10, never)
		w.run(two, 1, 10, never)
		if err := settled(one, place, w.sites...); err != nil {
			t.Fatal(err)
		}
		if err := two.CarryTo(config()); err != nil {
			t.Fatal(err)
		}
		if err := settled(two, place, w.sites...); err != nil {
			t.Fatalf("whole %t: %v", whole, err)
		}
		w.run(one, 1, 5, never)
		if err := errors.Join(settled(one, place, w.sites...), settled(two, place, w.sites...)); err != nil {
			t.Fatal(err)
		}
		a, _ := sinkStatus(one)
		b, _ := sinkStatus(two)
		if a.Sites[0].Store == b.Sites[0].Store || len(a.Sites[0].Stores) != 1 || len(b.Sites[0].Stores) != 2 {
			t.Errorf("numbers %+v and %+v", a.Sites[0].Stores, b.Sites[0].Stores)
		}

		// A second copy was made, and both are running before one has sent a row.
		if err := one.Close(); err != nil {
			t.Fatal(err)
		}
		third := o
		third.FS, third.Sinks = copyStore(t, fs), config()
		o.Sinks = config()
		one, three := open(t, o), open(t, third)
		for _, e := range []*engine.Engine{one, three} {
			if _, err := until(e, func(st *sink.Status) bool { return len(st.Sites) == 2 && carriedAll(e)(st) }); err != nil {
				t.Fatal(err)
			}
		}
		w.run(one, 1, 10, never)
		if err := settled(one, place, w.sites...); err != nil {
			t.Fatal(err)
		}
		st, err := until(three, func(st *sink.Status) bool { return st.State == sink.StateStopped })
		if err != nil || st.Code != "foreign_rows" {
			t.Errorf("whole %t: %+v, %v", whole, st, err)
		}
		if reasons := three.SinkTroubles(); len(reasons) == 0 || !strings.Contains(reasons[0], "foreign_rows") {
			t.Errorf("reasons %q", reasons)
		}
		if err := three.CarryTo(config()); err != nil { // as a restart does
			t.Fatal(err)
		}
		w.run(three, 1, 3, never)
		if err := settled(three, place, w.sites...); err != nil {
			t.Fatal(err)
		}
	}
}
