package engine_test

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/repair"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A session of a browser outlives a power cut, and so does its end. A restore and a repair end
// all of them and give the store another name.
func TestBrowsersStay(t *testing.T) {
	fs := newCrashable()
	e, opts, _ := openSaved(t, fs)
	want := []query.BrowserSession{
		{ID: [32]byte{1}, Key: [32]byte{9, 8}, Site: 7, Right: 11, Begin: 1, Used: 2},
		{ID: [32]byte{255, 255}, Key: [32]byte{9}, Right: 2, Begin: 1 << 41, Used: 1<<41 + 1},
	}
	gone := query.BrowserSession{ID: [32]byte{3}}
	for _, s := range append(want, gone) {
		if err := e.KeepBrowser(&s, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.ForgetBrowsers(gone.ID, [32]byte{4}); err != nil {
		t.Fatal(err)
	}
	name := e.StoreName()
	cut := fs.clone(vfs.CrashCloneCfg{})
	if _, err := e.Snapshot(t.Context(), "snap"); err != nil {
		t.Fatal(err)
	}
	late := want[0]
	late.Used = 3
	if err := e.KeepBrowser(&late, true); err != nil {
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
	for at, test := range map[string]struct {
		fs   vfs.FS
		dir  string
		want []query.BrowserSession
	}{"power cut": {cut, "data", want}, "restart": {fs, "data", []query.BrowserSession{late, want[1]}}, "snapshot": {fs, "restored", nil}, "repair": {fs, "repaired", nil}} {
		opts.FS, opts.Dir = test.fs, test.dir
		e, err := engine.Open(opts)
		if err != nil {
			t.Fatal(at, err)
		}
		if got, err := e.Browsers(); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v; want %+v", at, got, err, test.want)
		}
		if same := e.StoreName() == name; same != (test.want != nil) || len(e.StoreName()) != 6 {
			t.Errorf("%s: the store is named %s, and was %s", at, e.StoreName(), name)
		}
		if err := e.Close(); err != nil {
			t.Fatal(at, err)
		}
		if report, err := check.Store(ctx, test.fs, test.dir); err != nil || len(report.Problems) > 0 {
			t.Errorf("%s: %+v, %v", at, report, err)
		}
	}
}

// A damaged record is as a session that has ended, and check tells of it.
func TestDamagedBrowsers(t *testing.T) {
	fs := vfs.NewMem()
	e, opts, _ := openSaved(t, fs)
	good := query.BrowserSession{ID: [32]byte{1}, Key: [32]byte{2}, Begin: 1, Used: 2}
	if err := e.KeepBrowser(&good, false); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenPebble(store.Dir(fs, "data"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat})
	if err != nil {
		t.Fatal(err)
	}
	record := records.BrowserRecord(&good)
	for i, bad := range [][]byte{nil, record[1:], append(slices.Clone(record), 0), append([]byte{2}, record[1:]...)} {
		if err := db.Set(records.BrowserKey([32]byte{9, byte(i)}), bad, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmp.Or(db.Set([]byte{store.PrefixBrowsers, 1}, record, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if e, err = engine.Open(opts); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Browsers(); err != nil || len(got) != 1 || got[0] != good {
		t.Errorf("%+v, %v", got, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.KeepBrowser(&good, false); !errors.Is(err, query.ErrStopping) {
		t.Errorf("a closed store: %v", err)
	}
	if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}
