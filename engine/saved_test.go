package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/repair"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// openSaved opens a store with one event of the site shop.
func openSaved(t *testing.T, fs vfs.FS) (*engine.Engine, engine.Options, *query.Site) {
	t.Helper()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}
	opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site)}
	e, err := engine.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "a"}}}}, true, nil); err != nil {
		t.Fatal(err)
	}
	return e, opts, &site.Site
}

// someSaved saves a filter, a share with it and a note.
func someSaved(t *testing.T, e *engine.Engine, site *query.Site) (all []query.Saved) {
	t.Helper()
	for _, s := range []query.Saved{
		{Kind: query.SavedFilter, Name: "from Germany", Query: "country=DE"},
		{Kind: query.SavedShare, Name: "the board", Share: &query.Share{Scope: "numbers", Token: [32]byte{1, 2, 3}}},
		{Kind: query.SavedNote, Note: &query.Note{Time: 1, Text: "release"}},
	} {
		if s.Share != nil {
			s.Share.Filter = all[0].ID
		}
		got, err := e.Save(t.Context(), site, s)
		if err != nil || got.ID == "" || got.Revision != 1 {
			t.Fatalf("%+v: %+v, %v", s, got, err)
		}
		all = append(all, got)
	}
	return all
}

// A saved thing outlives a power cut the moment Save has returned. It is in snapshots, and check
// and repair know it.
func TestSavedStays(t *testing.T) {
	fs := newCrashable()
	e, opts, site := openSaved(t, fs)
	all := someSaved(t, e, site)
	cut := fs.clone(vfs.CrashCloneCfg{}) // nothing that is not synced is there
	if _, err := e.Snapshot(t.Context(), "snap"); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := store.Restore(fs, "snap", "restored", nil); err != nil {
		t.Fatal(err)
	}
	if report, err := repair.Store(ctx, fs, "data", "repaired"); err != nil || len(report.Damages) > 0 {
		t.Fatal(report, err)
	}
	for name, at := range map[string]struct {
		fs  vfs.FS
		dir string
	}{"power cut": {cut, "data"}, "restart": {fs, "data"}, "snapshot": {fs, "restored"}, "repair": {fs, "repaired"}} {
		opts.FS, opts.Dir = at.fs, at.dir
		e, err := engine.Open(opts)
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := e.AllSaved(ctx, site); err != nil || fmt.Sprint(len(got)) != "3" || !reflect.DeepEqual(got[0], all[0]) || !reflect.DeepEqual(got[1], all[1]) || !reflect.DeepEqual(got[2], all[2]) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(name, err)
		}
		if report, err := check.Store(ctx, at.fs, at.dir); err != nil || len(report.Problems) > 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// A change needs the revision that it read, and ids are not used twice.
func TestSavedChanges(t *testing.T) {
	e, _, site := openSaved(t, vfs.NewMem())
	defer e.Close()
	ctx := t.Context()
	all := someSaved(t, e, site)
	filter, share := all[0], all[1]
	filter.Query = "country=FR"
	next, err := e.Save(ctx, site, filter)
	if err != nil || next.Revision != 2 || next.ID != filter.ID {
		t.Fatal(next, err)
	}
	if got, err := e.Saved(ctx, site, filter.ID); err != nil || !reflect.DeepEqual(got, next) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := e.Save(ctx, site, filter); !errors.Is(err, query.ErrConflict) {
		t.Errorf("an old revision: %v", err)
	}
	other := next
	other.Kind = query.SavedGoal
	if _, err := e.Save(ctx, site, other); !errors.Is(err, query.ErrBadQuery) {
		t.Errorf("another kind: %v", err)
	}
	// A share keeps its token, and its filter stays as long as it has it.
	share.Share = &query.Share{Scope: "people", Filter: filter.ID, Token: [32]byte{9}}
	if got, err := e.Save(ctx, site, share); err != nil || got.Share.Token != all[1].Share.Token || got.Share.Scope != "people" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, id := range []string{all[2].ID, "0000000000000000", "x"} {
		bad := query.Saved{Kind: query.SavedShare, Share: &query.Share{Filter: id}}
		if _, err := e.Save(ctx, site, bad); !errors.Is(err, query.ErrBadQuery) {
			t.Errorf("a share of the filter %s: %v", id, err)
		}
	}
	if err := e.Unsave(ctx, site, filter.ID); !errors.Is(err, query.ErrConflict) {
		t.Errorf("a filter of a share: %v", err)
	}
	for _, s := range []query.Saved{share, filter} {
		if err := e.Unsave(ctx, site, s.ID); err != nil {
			t.Error(err)
		}
		if err := e.Unsave(ctx, site, s.ID); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("again: %v", err)
		}
	}
	if _, err := e.Save(ctx, site, next); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("one that was removed: %v", err)
	}
	// Another site has none of them.
	blog := &query.Site{ID: 2, Name: "blog"}
	if _, err := e.Saved(ctx, blog, all[2].ID); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("another site: %v", err)
	}
	if err := e.Unsave(ctx, blog, all[2].ID); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("another site: %v", err)
	}
}

func TestSavedBounds(t *testing.T) {
	e, _, site := openSaved(t, vfs.NewMem())
	defer e.Close()
	if _, err := e.Save(t.Context(), site, query.Saved{Kind: query.SavedFilter, Name: strings.Repeat("a", query.SavedBytesMax)}); !errors.Is(err, query.ErrBadQuery) {
		t.Errorf("a long one: %v", err)
	}
	for i := range query.SavedMax + 1 {
		_, err := e.Save(t.Context(), site, query.Saved{Kind: query.SavedGoal, Name: fmt.Sprint(i), Query: "name=a"})
		if full := i == query.SavedMax; full != errors.Is(err, query.ErrBadQuery) || !full && err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
}

// A saved thing that cannot be read is a problem for check, and a repair leaves it out and says
// so. What the store has lost comes from the copies beside it, but for shares, which may have been
// revoked since.
func TestSavedDamaged(t *testing.T) {
	fs := vfs.NewMem()
	e, opts, site := openSaved(t, fs)
	all := someSaved(t, e, site)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	copied := map[string]bool{}
	if err := store.SpareRecords(fs, "data", func(key, value []byte) error {
		if key[0] == store.PrefixSaved {
			s, err := records.ParseSaved(key, value)
			copied[s.ID] = true
			return err
		}
		return nil
	}); err != nil || len(copied) != 3 {
		t.Errorf("copies: %v, %v", copied, err)
	}
	db, err := store.OpenPebble(store.Dir(fs, "data"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all[:2] {
		key, _ := records.SavedKey(site.ID, s.ID)
		value, gerr := store.Get(db, key)
		err = errors.Join(err, gerr, db.Set(key, bytes.Replace(value, []byte("kind"), []byte("kimd"), 1), pebble.Sync))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if report, err := check.Store(ctx, fs, "data"); err != nil || !strings.Contains(fmt.Sprint(report.Problems), "damaged record of a saved thing") {
		t.Errorf("check: %+v, %v", report, err)
	}
	report, err := repair.Store(ctx, fs, "data", "new")
	if err != nil || !strings.Contains(fmt.Sprint(report.Damages), "damaged record of a saved thing") {
		t.Fatalf("repair: %+v, %v", report, err)
	}
	opts.Dir = "new"
	if e, err = engine.Open(opts); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if got, err := e.AllSaved(ctx, site); err != nil || len(got) != 2 || !reflect.DeepEqual(got[0], all[0]) || !reflect.DeepEqual(got[1], all[2]) {
		t.Errorf("%+v, %v", got, err)
	}
}
