package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) { panic("fatal") }

// A store of an unknown version does not open. The error tells the operator what to do, and not a
// byte of the store changes.
func TestUnknownStoreVersion(t *testing.T) {
	for _, c := range []struct {
		name    string
		version []byte
	}{{"newer", []byte{store.VersionNewest + 1}}, {"none yet", []byte{0}}, {"longer", []byte{1, 0}}, {"empty", []byte{}}} {
		t.Run(c.name, func(t *testing.T) {
			w, closed, _ := closedStore(t)
			fs := closed.mem(t)
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
			for _, part := range []string{"open store data", "format version", "this cairn knows versions 1 to 5"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if changed := before.differ(readFiles(t, fs, "data")); len(changed) > 0 {
				t.Errorf("changed: %v", changed)
			}
			if _, err := check.Store(context.Background(), fs, "data"); err == nil || !strings.Contains(err.Error(), "format version") {
				t.Errorf("check: %v", err)
			}
		})
	}
}

// A store that is too new to have a high-water mark is also checked before it is written to.
func TestUnknownVersionOfYoungStore(t *testing.T) {
	w := newWorkload(rand.New(rand.NewPCG(8, 1)))
	mem := newCrashable()
	e, err := engine.Open(w.options(mem, rand.New(rand.NewPCG(8, 2))))
	if err != nil {
		t.Fatal(err)
	}
	w.run(e, 1, 5, never)
	fs := mem.clone(vfs.CrashCloneCfg{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("data/store", &pebble.Options{FS: fs, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("\x01version"), []byte{store.VersionNewest + 1}, pebble.Sync); err != nil {
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

// A store with fewer events than its high-water mark has lost some. It does not open and does not
// change.
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
	mixed := readFiles(t, older, "data") // an old copy of the store, beside the current marks
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
		"an older store":         {mixed, "the store has 31 events but should have at least"},
		"no store at all":        {gone, "the file that names the manifest is missing"},
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

// find returns the only file whose name begins with prefix.
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

// older returns a file system with the golden store of version 1, and the options to open it.
func older(t *testing.T) (fs *vfs.MemFS, options func(vfs.FS) engine.Options) {
	t.Helper()
	return stored(t, 1)
}

// stored returns a file system with the golden store of a version, and the options to open it.
func stored(t *testing.T, version int) (fs *vfs.MemFS, options func(vfs.FS) engine.Options) {
	t.Helper()
	fs = readFiles(t, vfs.Default, goldenStore(version)).mem(t)
	return fs, func(fs vfs.FS) engine.Options {
		return goldenOptions(fs, newClock(epoch.Add(1000*time.Hour)).now)
	}
}

// versionOf returns the format version in a store.
func versionOf(t *testing.T, fs vfs.FS, dir string) byte {
	t.Helper()
	db, err := pebble.Open(dir+"/store", &pebble.Options{FS: fs, ReadOnly: true, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	v, closer, err := db.Get([]byte("\x01version"))
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	return v[0]
}

// Before a start raises the version of an older store, it makes a snapshot. The snapshot restores
// the store as it was.
func TestUpgradeKeepsTheOlderStore(t *testing.T) {
	fs, options := older(t)
	e, err := engine.Open(options(fs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Ingest(context.Background(), []engine.Record{{Site: options(fs).Sites()[0], Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "later"}}}}, true, nil); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if v := versionOf(t, fs, "data"); v != store.Version {
		t.Errorf("the store has version %d", v)
	}
	if err := store.Restore(fs, "data/before-version-3", "restored", nil); err != nil {
		t.Fatal(err)
	}
	if v := versionOf(t, fs, "restored"); v != 1 {
		t.Errorf("the restored store has version %d", v)
	}
	now, err := check.Store(context.Background(), fs, "data")
	before, err2 := check.Store(context.Background(), fs, "restored")
	if err != nil || err2 != nil || len(now.Problems)+len(before.Problems) > 0 || now.Events != before.Events+1 {
		t.Errorf("%+v %v, before %+v %v", now, err, before, err2)
	}
	// The next start makes no snapshot.
	names, _ := fs.List("data")
	if e, err = engine.Open(options(fs)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if again, _ := fs.List("data"); len(again) != len(names) {
		t.Errorf("%v, then %v", names, again)
	}
}

// A start raises every older store once, and no other. What it kept of an older store has the
// version that the store had.
func TestUpgradeOfEachVersion(t *testing.T) {
	for version := store.VersionMin; version <= store.VersionNewest; version++ {
		fs, options := stored(t, version)
		e, err := engine.Open(options(fs))
		if err != nil {
			t.Fatal(version, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(version, err)
		}
		_, err = fs.Stat("data/before-version-3")
		if kept := err == nil; kept != (version < store.Version) {
			t.Errorf("version %d: a snapshot was made: %t", version, kept)
		} else if kept && versionOf(t, fs, "data/before-version-3") != byte(version) {
			t.Errorf("the snapshot of version %d has version %d", version, versionOf(t, fs, "data/before-version-3"))
		}
		if got := versionOf(t, fs, "data"); got != byte(max(version, store.Version)) {
			t.Errorf("version %d became %d", version, got)
		}
	}
}

// setVersion writes a format version into a store.
func setVersion(t *testing.T, fs vfs.FS, dir string, version byte) {
	t.Helper()
	db, err := pebble.Open(dir+"/store", &pebble.Options{FS: fs, Logger: quiet{}, FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("\x01version"), []byte{version}, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A cairn that is put back in the place of a newer one refuses the store, and names the snapshot
// from before the newer one raised its version: the newest that it can open.
func TestWayBackIsNamed(t *testing.T) {
	fs, options := older(t)
	e, err := engine.Open(options(fs))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// Two newer cairns have raised the version, one after the other.
	next := fmt.Sprintf("data/before-version-%d", store.VersionNewest+1)
	later := fmt.Sprintf("data/before-version-%d", store.VersionNewest+2)
	if err := fs.Rename("data/before-version-3", next); err != nil {
		t.Fatal(err)
	}
	setVersion(t, fs, "data", store.VersionNewest+2)
	refusals := func() (list []string) {
		t.Helper()
		before := readFiles(t, fs, "data")
		e, err := engine.Open(options(fs))
		if err == nil {
			_ = e.Close()
			t.Fatal("opened")
		}
		_, err2 := engine.Look(fs, "data")
		_, err3 := check.Store(context.Background(), fs, "data")
		if err2 == nil || err3 == nil {
			t.Fatal(err2, err3)
		}
		if changed := before.differ(readFiles(t, fs, "data")); len(changed) > 0 {
			t.Errorf("changed: %v", changed)
		}
		return []string{err.Error(), err2.Error(), err3.Error()}
	}
	copyTree(t, fs, next, later)
	setVersion(t, fs, later, store.VersionNewest+1)
	for _, text := range refusals() {
		for _, part := range []string{"format version [7]", "cairn restore " + next + " NEW_DIR", "newer store only"} {
			if !strings.Contains(text, part) {
				t.Errorf("%q does not say %q", text, part)
			}
		}
	}
	if err := store.Restore(fs, next, "back", nil); err != nil {
		t.Error(err)
	}
	if err := fs.RemoveAll(next); err != nil {
		t.Fatal(err)
	}
	for _, text := range refusals() {
		if strings.Contains(text, "restore") || !strings.Contains(text, "too new for this cairn as well") {
			t.Error(text)
		}
	}
	if err := fs.RemoveAll(later); err != nil {
		t.Fatal(err)
	}
	for _, text := range refusals() {
		if strings.Contains(text, "Before a newer cairn") || !strings.Contains(text, "use the cairn that wrote it, or a newer one") {
			t.Error(text)
		}
	}
}

// copyTree copies a directory.
func copyTree(t *testing.T, fs vfs.FS, from, to string) {
	t.Helper()
	for name, data := range readFiles(t, fs, from) {
		path := to + "/" + name
		if err := errors.Join(fs.MkdirAll(fs.PathDir(path), 0o755), store.WriteFile(fs, path, data)); err != nil {
			t.Fatal(err)
		}
	}
}

// When an upgrade is interrupted at any operation, the next start completes it.
func TestUpgradeInterrupted(t *testing.T) {
	t.Parallel()
	fs, options := older(t)
	whole, err := check.Store(context.Background(), fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkload(rand.New(rand.NewPCG(45, 1)))
	stride := int64(11)
	if *crashSeeds > 50 {
		stride = 1
	}
	for at, done := int64(1), false; !done; at += stride {
		dice := rand.New(rand.NewPCG(uint64(at), 45))
		cut := newPowerCut(crashable(t, fs), at, vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: dice}, w)
		e, err := engine.Open(options(cut))
		if err != nil {
			t.Fatalf("op %d: %v", at, err)
		}
		done = !cut.happens.Load()
		cut.cut()
		if err := e.Close(); err != nil {
			t.Fatalf("op %d: %v", at, err)
		}
		if e, err = engine.Open(options(cut.after)); err != nil {
			t.Fatalf("op %d: open again: %v", at, err)
		}
		if err := e.Close(); err != nil {
			t.Fatalf("op %d: %v", at, err)
		}
		if v := versionOf(t, cut.after, "data"); v != store.Version {
			t.Errorf("op %d: version %d", at, v)
		}
		report, err := check.Store(context.Background(), cut.after, "data")
		if err != nil || len(report.Problems) > 0 || report.Events != whole.Events {
			t.Errorf("op %d: %+v, %v", at, report, err)
		}
		names, _ := cut.after.List("data")
		kept := slices.DeleteFunc(names, func(n string) bool {
			return !strings.HasPrefix(n, "before-version-3") || strings.HasSuffix(n, ".partial")
		})
		if len(kept) != 1 {
			t.Errorf("op %d: snapshots %v", at, kept)
		}
		if snapshot, err := check.Store(context.Background(), cut.after, "data/"+kept[0]); err != nil || snapshot.Events != whole.Events {
			t.Errorf("op %d: snapshot %+v, %v", at, snapshot, err)
		}
	}
}

// A start that cannot make the snapshot says so and does not raise the version.
func TestUpgradeRefused(t *testing.T) {
	fs, options := older(t)
	var log bytes.Buffer
	open := func(fs vfs.FS) (*engine.Engine, error) {
		o := options(fs)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		return engine.Open(o)
	}
	full := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "before-version-3") {
			return syscall.ENOSPC
		}
		return nil
	}))
	e, err := open(full)
	if err == nil {
		_ = e.Close()
		t.Fatal("the version was raised without a snapshot")
	}
	for _, part := range []string{"keep a snapshot of format version 1", "the store is unchanged", "no space left"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if v := versionOf(t, fs, "data"); v != 1 {
		t.Errorf("the store has version %d", v)
	}
	if e, err = open(fs); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if v := versionOf(t, fs, "data"); v != store.Version || !strings.Contains(log.String(), "snapshot=data/before-version-3") {
		t.Errorf("version %d, log %s", v, log.String())
	}
}

// crashable returns a copy of a file system that can lose power. All files in it are synced.
func crashable(t *testing.T, from *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewCrashableMem()
	readFiles(t, from, "data").write(t, to, "data")
	return to.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

// Rules that changed apply to the rows after the start that raised the version. Two strangers who
// sent the same session id to an older cairn stay in one session, and a row after that begins
// another. Check and each later start judge every row by its own rule.
func TestChangedRulesApplyToNewRows(t *testing.T) {
	for from := 1; from <= 2; from++ {
		fs := readFiles(t, vfs.Default, goldenStore(from)).mem(t)
		options := goldenOptions(fs, newClock(epoch.Add(1000*time.Hour)).now)
		e, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		var site *engine.Site
		shared := "" // a session of the older cairn with rows of two visitors
		for _, of := range options.Sites() {
			sessions, _, err := e.Sessions(t.Context(), query.Query{Site: &of.Site, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sessions {
				page, err := e.List(t.Context(), query.Query{Site: &of.Site, Limit: 1000, Where: []query.Cond{{Field: "session", Values: []string{s.Cursor}}}})
				if err != nil || uint64(len(page.Events)) != s.Events {
					t.Fatalf("%d events of %+v, %v", len(page.Events), s, err)
				}
				visitors := map[string]bool{}
				for _, ev := range page.Events {
					visitors[ev.Anonymous] = true
				}
				if s.Dialect == event.Native && page.Events[0].SessionSent && len(visitors) > 2 {
					site, shared = of, s.ID
				}
			}
		}
		if shared == "" {
			t.Fatal("no session of several visitors")
		}
		send := func(anonymous string) *event.Event {
			t.Helper()
			r := &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Page, Name: "new", Anonymous: anonymous, Session: shared}}
			out, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: r}}, true, nil)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := e.Event(t.Context(), &site.Site, out[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			return ev
		}
		one, other := send("stranger 1"), send("stranger 2")
		if one.SessionOrd != one.Seq || other.SessionOrd != other.Seq {
			t.Errorf("sessions %d and %d of events %d and %d", one.SessionOrd, other.SessionOrd, one.Seq, other.Seq)
		}
		for range 2 {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) > 0 {
				t.Errorf("check: %+v, %v", report, err)
			}
			if e, err = engine.Open(options); err != nil {
				t.Fatal(err)
			}
			if again := send("stranger 1"); again.SessionOrd != one.Seq {
				t.Errorf("session %d, want %d", again.SessionOrd, one.Seq)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A new site of a new store has the newest rules from its first row on.
func TestRulesOfANewStore(t *testing.T) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	starts, err := records.RuleStarts(db, store.Version, 1)
	if err != nil || event.NewRules(starts) != nil {
		t.Errorf("%v, %v", starts, err)
	}
}
