package engine_test

import (
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/query"
	"cairn/engine/repair"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store in which events were deleted can be repaired: the deleted events stay away, whether they
// were purged or not, and older programs refuse the new store like the old one.
func TestRepairAfterDeletions(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(purgeSite), SealRows: 64}
	e, err := engine.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	fillMarked(t, e, 0, 500)
	of := func(user string, now bool) query.Deletion {
		return query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{user}}}, Now: now, By: "secret_key"}
	}
	r, err := e.Delete(t.Context(), &purgeSite.Site, of(markedUser, true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitPurged(t.Context(), &purgeSite.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	if r, err = e.Delete(t.Context(), &purgeSite.Site, of("u1", false)); err != nil || r.State != query.DeletionHidden {
		t.Fatalf("%+v, %v", r, err)
	}
	want, err := e.Count(t.Context(), query.Query{Site: &purgeSite.Site})
	if err != nil || want.Events != 300 {
		t.Fatalf("%+v, %v; want 300 events", want, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := repair.Store(t.Context(), fs, "data", "new"); err != nil || len(report.Damages) > 0 {
		t.Fatalf("repair: %+v, %v", report, err)
	}
	if report, err := check.Store(t.Context(), fs, "new"); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %+v, %v", report, err)
	}
	opts.Dir = "new"
	if e, err = engine.Open(opts); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Count(t.Context(), query.Query{Site: &purgeSite.Site}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open(store.Dir(fs, "new"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	version, closer, err := db.Get(store.Key("version"))
	if err != nil || len(version) != 1 || version[0] != store.VersionDeletions {
		t.Errorf("the repaired store has version %v, %v", version, err)
	}
	if err == nil {
		_ = closer.Close()
	}
}
