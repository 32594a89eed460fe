// A repair brings no deleted event back: neither hidden ones nor blanks, whatever is damaged.

package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/erase"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/repair"
	"cairn/engine/store"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// rotten changes a store without its engine.
func rotten(t *testing.T, f files, harm func(db *pebble.DB) error) *vfs.MemFS {
	t.Helper()
	fs := f.mem(t)
	db, err := store.OpenPebble(store.Dir(fs, "data"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(harm(db), db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return fs
}

// repaired repairs a store and opens the new one. none is the names of events that must not be
// shown. Others are.
func repaired(t *testing.T, a *anchored, fs vfs.FS, none ...string) *anchored {
	t.Helper()
	r, shown := repairedSome(t, a, fs, none...)
	if shown == 0 {
		t.Error("the new store shows no event")
	}
	return r
}

func repairedSome(t *testing.T, a *anchored, fs vfs.FS, none ...string) (r *anchored, shown int) {
	t.Helper()
	if _, err := repair.Store(t.Context(), fs, "data", "new"); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(t.Context(), fs, "new"); err != nil || len(report.Problems) > 0 {
		t.Errorf("check of the new store: %q, %v", report.Problems, err)
	}
	e, err := engine.Open(engine.Options{Dir: "new", FS: fs, Reserve: -1, Sites: engine.SitesOf(a.site), Now: a.clock.now, Purge: 1000 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	page, err := e.List(t.Context(), query.Query{Site: &a.site.Site, Limit: 1000})
	if err != nil {
		t.Error(err)
	}
	for _, ev := range page.Events {
		if slices.Contains(none, ev.Name) {
			t.Errorf("the deleted %s is back", ev.Name)
		}
	}
	return &anchored{T: t, Engine: e, fs: fs, site: a.site, clock: a.clock, names: a.names}, len(page.Events)
}

// deletedStore has ten events. Number 3 and 5 are deleted, and purged or hidden.
func deletedStore(t *testing.T, purged bool) (*anchored, files) {
	t.Helper()
	a := newAnchored(t)
	for i := range 10 {
		a.send(native(fmt.Sprint("a", i%4), "", ""))
	}
	a.delete(3, 5)
	if purged {
		a.purge()
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return a, readFiles(t, a.fs, "data")
}

func TestRepairKeepsEventsDeleted(t *testing.T) {
	t.Parallel()
	for _, purged := range []bool{false, true} {
		a, good := deletedStore(t, purged)
		none := []string{"event 3", "event 5"}
		manifest := good.find(t, "store/MANIFEST-")
		older, _ := withoutNotes(good)
		for _, c := range []struct {
			name string
			fs   func() vfs.FS
		}{
			{"nothing is damaged", func() vfs.FS { return good.mem(t) }},
			{"the record of the deletion", func() vfs.FS {
				return rotten(t, good, func(db *pebble.DB) error {
					return db.Set(append(erase.Key(1, 1), 0, 0), []byte("rot"), pebble.Sync)
				})
			}},
			{"the list of tables", func() vfs.FS { return good.with(manifest, []byte("rot")).mem(t) }},
			{"the list of tables, and no copies", func() vfs.FS { return older.with(manifest, []byte("rot")).mem(t) }},
		} {
			t.Run(fmt.Sprintf("purged=%t, %s", purged, c.name), func(t *testing.T) { repaired(t, a, c.fs(), none...) })
		}
	}
}

// Rows of a damaged run are saved one by one, the blanks among them as blanks.
func TestRepairOfADamagedRunWithBlanks(t *testing.T) {
	t.Parallel()
	a, good := deletedStore(t, true)
	saved := 0
	for damaged := 0; ; damaged++ {
		at := 0
		fs := rotten(t, good, func(db *pebble.DB) error {
			it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{index.PrefixRun}, UpperBound: []byte{index.PrefixRun + 1}})
			if err != nil {
				return err
			}
			for ok := it.First(); ok && at <= damaged; ok = it.Next() {
				if at++; at > damaged {
					err = db.Delete(slices.Clone(it.Key()), pebble.Sync)
				}
			}
			return errors.Join(err, it.Close())
		})
		if at <= damaged {
			break // there is no such key
		}
		if _, shown := repairedSome(t, a, fs, "event 3", "event 5"); shown == 8 {
			saved++
		}
	}
	if saved == 0 {
		t.Error("no damage left all events")
	}
}

// A rewritten run is damaged, and the one that it replaced is still there: its deleted rows are
// hidden again.
func TestRepairHidesRowsOfAnOlderRun(t *testing.T) {
	t.Parallel()
	a, good := deletedStore(t, false)
	// As after a rewrite of which the new run is lost: the record says that no run has the rows.
	fs := rotten(t, good, func(db *pebble.DB) error {
		b := db.NewBatch()
		if err := erase.Each(db, 1, func(r *erase.Record) error {
			r.State = query.DeletionRewritten
			return r.Put(b, 1)
		}); err != nil {
			return err
		}
		return b.Commit(pebble.Sync)
	})
	r := repaired(t, a, fs, "event 3", "event 5")
	all, err := r.Deletions(t.Context(), &a.site.Site)
	if err != nil || len(all) != 1 || all[0].State != query.DeletionHidden {
		t.Errorf("deletions: %+v, %v", all, err)
	}
}

// What a deletion has hidden at the end of the log is lost. No event that comes later is hidden in
// its place.
func TestRepairGivesNoDeletedPlace(t *testing.T) {
	t.Parallel()
	a, good := deletedStore(t, false)
	fs := rotten(t, good, func(db *pebble.DB) error {
		b := db.NewBatch()
		r := &erase.Record{Receipt: query.Receipt{ID: 2, Kind: query.DeleteFilter, State: query.DeletionHidden, UpTo: 15, Rows: 4}}
		r.Seqs = roaring64.BitmapOf(12, 13, 14, 15)
		if err := r.Put(b, 1); err != nil {
			return err
		}
		return b.Commit(pebble.Sync)
	})
	r := repaired(t, a, fs, "event 3", "event 5")
	for i := range 5 {
		out, err := r.Ingest(t.Context(), []engine.Record{{Site: a.site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("new ", i), User: "n"}}}}, true, nil)
		if err != nil || out[0].Seq <= 15 {
			t.Errorf("a new event has place %d, %v", out[0].Seq, err)
		}
	}
	if n, err := r.Count(t.Context(), query.Query{Site: &a.site.Site}); err != nil || n.Events != 13 {
		t.Errorf("%+v, %v; want 13 events", n, err)
	}
}
