package engine_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"cairn/engine"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) { panic("fatal") }

// A store of a version this cairn does not know is refused in words an operator
// can act on, and not a byte of it is changed.
func TestUnknownStoreVersion(t *testing.T) {
	for _, c := range []struct {
		name    string
		version []byte
	}{{"newer", []byte{2}}, {"none yet", []byte{0}}, {"longer", []byte{1, 0}}, {"empty", []byte{}}} {
		t.Run(c.name, func(t *testing.T) {
			w, store, _ := closedStore(t)
			fs := store.mem(t)
			db, err := pebble.Open("data/store", &pebble.Options{FS: fs, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Set([]byte("\x01version"), c.version, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before := readFiles(t, fs, "data")
			options := w.options(fs, rand.New(rand.NewPCG(1, 1)))
			e, err := engine.Open(options)
			if err == nil {
				_ = e.Close()
				t.Fatal("opened")
			}
			for _, part := range []string{"open store data", "format version", "this cairn knows version 1"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if changed := before.differ(readFiles(t, fs, "data")); len(changed) > 0 {
				t.Errorf("changed: %v", changed)
			}
			if _, err := engine.Check(context.Background(), fs, "data"); err == nil || !strings.Contains(err.Error(), "format version") {
				t.Errorf("check: %v", err)
			}
		})
	}
}

// A store too young to be marked is looked at before it is written to, too.
func TestUnknownVersionOfYoungStore(t *testing.T) {
	w := newWorkload(rand.New(rand.NewPCG(8, 1)))
	mem := vfs.NewCrashableMem()
	e, err := engine.Open(w.options(mem, rand.New(rand.NewPCG(8, 2))))
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 5, never)
	fs := mem.CrashClone(vfs.CrashCloneCfg{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("data/store", &pebble.Options{FS: fs, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("\x01version"), []byte{2}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := readFiles(t, fs, "data")
	if e, err := engine.Open(w.options(fs, rand.New(rand.NewPCG(8, 2)))); err == nil {
		_ = e.Close()
		t.Fatal("opened")
	}
	if changed := before.differ(readFiles(t, fs, "data")); len(changed) > 0 {
		t.Errorf("changed: %v", changed)
	}
}

// A store with fewer events than its mark has lost some: refused, unchanged.
func TestLostEventsRefused(t *testing.T) {
	w, store, _ := closedStore(t)
	older := vfs.NewMem()
	options := w.options(older, rand.New(rand.NewPCG(1, 1)))
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 5, never)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	mixed := readFiles(t, older, "data") // an old copy put in place, beside the marks of the store
	for _, name := range []string{"hwm-0", "hwm-1"} {
		mixed[name] = store[name]
	}
	gone := files{}
	for name, data := range store {
		if !strings.HasPrefix(name, "store/") {
			gone[name] = data
		}
	}
	for what, c := range map[string]struct {
		files files
		want  string
	}{
		"an older store":         {mixed, "the store has lost data"},
		"no store at all":        {gone, "the store is missing"},
		"a store without marker": {store.with(store.find(t, "store/marker.manifest"), nil), ""},
	} {
		fs := c.files.mem(t)
		if what == "no store at all" {
			if err := fs.MkdirAll("data/store", 0o755); err != nil {
				t.Fatal(err)
			}
		}
		before := readFiles(t, fs, "data")
		e, err := engine.Open(w.options(fs, rand.New(rand.NewPCG(1, 1))))
		if err == nil {
			_ = e.Close()
			t.Errorf("%s: opened", what)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if changed := before.differ(readFiles(t, fs, "data")); len(changed) > 0 {
			t.Errorf("%s: changed %v", what, changed)
		}
	}
}

// find is the one file whose name begins so.
func (f files) find(t *testing.T, prefix string) string {
	t.Helper()
	for _, name := range f.names() {
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	t.Fatalf("no file %s…", prefix)
	return ""
}
