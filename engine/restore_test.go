// Snapshots and restores: only a complete and undamaged snapshot is restored. Ids given out
// before the snapshot stay valid, later ones do not.

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// snapshotOf makes a store with a few sealed and unsealed events, and a snapshot of it in
// "snap".
func snapshotOf(t *testing.T, fs vfs.FS, w *workload) *engine.Engine {
	t.Helper()
	options := w.options(fs, rand.New(rand.NewPCG(4, 2)))
	options.SealRows, options.HotEvents = 40, 200
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	files{"keys.toml": []byte("# keys\n")}.write(t, fs, "data")
	w.run(e, 1, 50, never)
	if _, err := e.Snapshot(context.Background(), "snap"); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRestoreRefuses(t *testing.T) {
	fs := vfs.NewMem()
	e := snapshotOf(t, fs, newWorkload(rand.New(rand.NewPCG(4, 1))))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	good := readFiles(t, fs, "snap")
	// try restores a snapshot that consists of the given files.
	try := func(snap files) (left files, err error) {
		fs := vfs.NewMem()
		snap.write(t, fs, "snap")
		err = store.Restore(fs, "snap", "new", nil)
		if err != nil {
			if _, serr := fs.Stat("new"); serr == nil {
				left = readFiles(t, fs, "new")
			}
		}
		report, cerr := check.Store(context.Background(), fs, "snap")
		if bad := cerr != nil || len(report.Problems) > 0; bad != (err != nil) {
			t.Errorf("restore says %v, but check says %v %v", err, cerr, report.Problems)
		}
		return left, err
	}
	if _, err := try(good); err != nil {
		t.Fatalf("the good snapshot: %v", err)
	}
	manifest := string(good["SNAPSHOT.json"])
	damaged := map[string]files{
		"another file":           good.with("store/000999.sst", []byte("x")),
		"a file beside":          good.with("notes.txt", []byte{}),
		"a manifest cut":         good.with("SNAPSHOT.json", []byte(manifest[:len(manifest)/2])),
		"an empty manifest":      good.with("SNAPSHOT.json", []byte{}),
		"of a newer version":     good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"version": 1`, `"version": 2`, 1))),
		"a path above":           good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"name": "keys.toml"`, `"name": "../keys.toml"`, 1))),
		"an absolute path":       good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"name": "keys.toml"`, `"name": "/keys.toml"`, 1))),
		"a file named twice":     good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"name": "keys.toml"`, `"name": "store/MANIFEST-000001"`, 1))),
		"a list without a file":  good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"name": "keys.toml"`, `"nane": "keys.toml"`, 1))),
		"no list":                good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"files"`, `"filez"`, 1))),
		"a length that is wrong": good.with("SNAPSHOT.json", []byte(strings.Replace(manifest, `"size": 7`, `"size": 8`, 1))),
	}
	for _, name := range good.names() {
		if name != "SNAPSHOT.json" {
			damaged["without "+name] = good.with(name, nil)
			data := append([]byte(nil), good[name]...)
			if len(data) == 0 {
				damaged[name+" no longer empty"] = good.with(name, []byte{0})
				continue
			}
			data[len(data)/2] ^= 4
			damaged[name+" with a bit flipped"] = good.with(name, data)
			damaged[name+" cut by a byte"] = good.with(name, good[name][:len(data)-1])
			damaged[name+" with a byte more"] = good.with(name, append(data, 0))
		}
	}
	for what, snap := range damaged {
		if len(snap.differ(good)) == 0 {
			t.Fatalf("%s: the case changes no file", what)
		}
		if left, err := try(snap); err == nil {
			t.Errorf("%s: restored", what)
		} else if len(left) > 0 {
			t.Errorf("%s: refused (%v), but left %v", what, err, left.names())
		}
	}
	// Without its manifest it is not a snapshot, only a directory with a store.
	mem := vfs.NewMem()
	good.with("SNAPSHOT.json", nil).write(t, mem, "snap")
	if err := store.Restore(mem, "snap", "new", nil); err == nil || !strings.Contains(err.Error(), "not a finished snapshot") {
		t.Errorf("without a manifest: %v", err)
	}
	if err := store.Restore(fs, "snap", "data", nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over a store: %v", err)
	}
	if err := store.Restore(fs, "missing", "new", nil); err == nil {
		t.Error("a missing snapshot was restored")
	}
}

// A power cut at any time of a snapshot leaves no snapshot, one that is refused, or a complete
// one.
func TestUnfinishedSnapshot(t *testing.T) {
	whole, refused, none := 0, 0, 0
	for at := int64(1); ; at += 3 {
		w := newWorkload(rand.New(rand.NewPCG(4, 1)))
		mem := vfs.NewCrashableMem()
		cut := newPowerCut(mem, -1, vfs.CrashCloneCfg{UnsyncedDataPercent: int(at * 37 % 101), RNG: rand.New(rand.NewPCG(4, uint64(at)))}, w)
		options := w.options(cut, rand.New(rand.NewPCG(4, 2)))
		options.SealRows, options.HotEvents = 1<<16, 1<<16
		e, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		w.run(e, 1, 30, never)
		cut.at = cut.ops.Load() + at
		info, err := e.Snapshot(context.Background(), "snap")
		if err != nil {
			t.Fatal(err)
		}
		happened := cut.happens.Load()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if !happened {
			break
		}
		for _, dir := range []string{"snap", "snap.partial"} {
			if _, err := cut.after.Stat(dir); err != nil {
				none++
				continue
			}
			if err := store.Restore(cut.after, dir, "new", nil); err != nil {
				refused++
				if dir == "snap" {
					t.Errorf("cut at %d: the renamed snapshot is refused: %v", at, err)
				}
				continue
			}
			whole++
			if report, err := check.Store(context.Background(), cut.after, "new"); err != nil || len(report.Problems) > 0 || report.Events != info.Events {
				t.Errorf("cut at %d: restored from %s: %+v, %v", at, dir, report, err)
			}
			if err := cut.after.RemoveAll("new"); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d complete, %d refused, %d missing", whole, refused, none)
	if refused == 0 {
		t.Error("no cut left an unfinished snapshot")
	}
}

// After a restore, ids given out before the snapshot name the same events. Those given out after
// it name nothing, neither as an event nor as a cursor, even when other events get the same
// seqs.
func TestIDsAfterRestore(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(4, 1)))
	e := snapshotOf(t, fs, w)
	site := w.sites[0]
	list := func(e *engine.Engine) map[string]uint64 {
		t.Helper()
		events, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]uint64{}
		for _, ev := range events {
			ids[ev.ID] = ev.Seq
		}
		if len(ids) != len(events) {
			t.Fatalf("%d ids for %d events", len(ids), len(events))
		}
		return ids
	}
	before := list(e)
	w.run(e, 1, 30, never) // after the snapshot
	after := list(e)
	if len(after) <= len(before)+10 {
		t.Fatalf("%d events before the snapshot, %d after it", len(before), len(after))
	}
	if err := store.Restore(fs, "snap", "new", nil); err != nil {
		t.Fatal(err)
	}
	options := w.options(fs, rand.New(rand.NewPCG(4, 3)))
	options.Dir = "new"
	r, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	compare := func(when string) {
		t.Helper()
		for id, seq := range after {
			_, old := before[id]
			ev, err := r.Event(ctx, &site.Site, id)
			switch {
			case old && (err != nil || ev.Seq != seq || ev.ID != id):
				t.Errorf("%s: id of event %d, from before the snapshot: %v, %v", when, seq, ev, err)
			case !old && !errors.Is(err, query.ErrNotFound):
				t.Errorf("%s: id of event %d, from after the snapshot: %v, %v", when, seq, ev, err)
			}
			_, err = r.List(ctx, query.Query{Site: &site.Site, Limit: 1, After: id})
			if old != (err == nil) || !old && !errors.Is(err, query.ErrBadCursor) {
				t.Errorf("%s: cursor at event %d, old %v: %v", when, seq, old, err)
			}
			if _, err := r.Event(ctx, &w.sites[1].Site, id); !errors.Is(err, query.ErrNotFound) {
				t.Errorf("%s: id of event %d at another site: %v", when, seq, err)
			}
		}
	}
	compare("at once")
	other := newWorkload(rand.New(rand.NewPCG(4, 9)))
	other.sites = w.sites
	for range 40 { // unique message ids, so that nothing is a duplicate
		other.begin()
	}
	other.run(r, 1, 60, never)
	again := list(r)
	if len(again) <= len(after) {
		t.Fatalf("%d events in the restored store, %d in the old", len(again), len(after))
	}
	compare("when other events have taken the places")
	for id, seq := range again {
		if was, ok := after[id]; ok && was != seq {
			t.Errorf("event %d of the old store and %d of the new one have the same id", was, seq)
		}
		if _, err := e.Event(ctx, &site.Site, id); seq > uint64(len(before)) && !errors.Is(err, query.ErrNotFound) {
			t.Errorf("the old store accepts the id of event %d of the new one: %v", seq, err)
		}
	}
	for _, forged := range []string{"", "x", strings.Repeat("0", 32), fmt.Sprintf("%032x", 51)} {
		if _, err := e.Event(ctx, &site.Site, forged); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("id %q: %v", forged, err)
		}
		if _, err := e.List(ctx, query.Query{Site: &site.Site, Limit: 1, After: forged}); forged != "" && !errors.Is(err, query.ErrBadCursor) {
			t.Errorf("cursor %q: %v", forged, err)
		}
	}
	for _, e := range []*engine.Engine{e, r} {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A power cut at any time of a restore leaves a directory that is refused, or one with every
// event. It never opens as a new, empty store.
func TestUnfinishedRestore(t *testing.T) {
	w := newWorkload(rand.New(rand.NewPCG(4, 1)))
	snap := vfs.NewMem()
	e := snapshotOf(t, snap, w)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	good := readFiles(t, snap, "snap")
	report, err := check.Store(context.Background(), snap, "snap")
	if err != nil {
		t.Fatal(err)
	}
	whole, refused, none := 0, 0, 0
	for i := 2; ; i++ {
		at, percent := i/2, 100*(i%2)
		mem := newCrashable()
		good.write(t, mem.MemFS, "snap")
		var mu sync.Mutex // Pebble removes files in another goroutine
		var left *vfs.MemFS
		ops := 0
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				if ops++; ops == at {
					left = mem.clone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(4, uint64(at)))})
				}
			}
			return nil
		}))
		if err := store.Restore(fs, "snap", "data", nil); err != nil {
			t.Fatal(err)
		}
		if left == nil {
			break
		}
		if _, err := left.Stat("data"); err != nil || len(readFiles(t, left, "data")) == 0 {
			none++ // at most empty directories
			continue
		}
		e, err := engine.Open(w.options(left, rand.New(rand.NewPCG(4, 3))))
		if err != nil {
			refused++
			continue
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := check.Store(context.Background(), left, "data")
		if err != nil || after.Events != report.Events {
			names := readFiles(t, left, "data").names()
			t.Errorf("cut at %d: opened with %d of %d events, %v; %v", at, after.Events, report.Events, err, names)
		}
		whole++
	}
	t.Logf("%d complete, %d refused, %d not begun", whole, refused, none)
}

// Two restores of the same snapshot give different ids: an id of one names nothing in the other.
func TestTwoRestoresOfOneSnapshot(t *testing.T) {
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(4, 1)))
	if err := snapshotOf(t, fs, w).Close(); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, dir := range []string{"a", "b"} {
		if err := store.Restore(fs, "snap", dir, nil); err != nil {
			t.Fatal(err)
		}
		options := w.options(fs, rand.New(rand.NewPCG(4, 2)))
		options.Dir = dir
		r, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		other := newWorkload(rand.New(rand.NewPCG(4, 9)))
		other.sites = w.sites
		for range 60 {
			other.begin()
		}
		other.run(r, 1, 20, never)
		for _, req := range other.acked() {
			for _, o := range req.outcomes {
				if was, ok := ids[o.ID]; ok && was != dir {
					t.Fatalf("event %d has id %s in both stores", o.Seq, o.ID)
				}
				ids[o.ID] = dir
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
