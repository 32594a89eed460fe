package wal

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var errBad = errors.New("bad disk")

// badFS makes files whose every write, sync and close fails, and so does a sync of a directory.
type badFS struct{ vfs.FS }

func (badFS) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return badFile{}, nil }
func (badFS) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return badFile{}, nil
}

func (badFS) OpenDir(string) (vfs.File, error) { return badFile{}, nil }

type badFile struct{ vfs.File }

func (badFile) Write([]byte) (int, error)  { return 0, errBad }
func (badFile) Sync() error                { return errBad }
func (badFile) SyncData() error            { return errBad }
func (badFile) SyncTo(int64) (bool, error) { return false, errBad }
func (badFile) Close() error               { return errBad }

// unchecked returns a Disk that checks nothing.
func unchecked() *Disk { return OpenDisk(vfs.NewMem(), "", -1) }

// An error of a log file reaches fail, not Pebble, as soon as FS is armed. Before, and of any
// other file, it is returned.
func TestErrorsOfTheLog(t *testing.T) {
	made := func(name string, reuse bool) func(*FS) vfs.File {
		return func(fs *FS) vfs.File {
			f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
			if reuse {
				f, err = fs.ReuseForWrite("000001.log", name, vfs.WriteCategoryUnspecified)
			}
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	files := []struct {
		name string
		log  bool
		open func(*FS) vfs.File
	}{
		{"a new log", true, made("store/000002.log", false)},
		{"a log used again", true, made("store/000002.log", true)},
		{"a table", false, made("store/000003.sst", false)},
	}
	for _, op := range []struct {
		name string
		do   func(vfs.File) error
	}{
		{"write", func(f vfs.File) error { _, err := f.Write([]byte("x")); return err }},
		{"sync", func(f vfs.File) error { return f.Sync() }},
		{"sync", func(f vfs.File) error { return f.SyncData() }},
		{"sync", func(f vfs.File) error { _, err := f.SyncTo(1); return err }},
		{"close", func(f vfs.File) error { return f.Close() }},
	} {
		for _, file := range files {
			failed := make(chan error, 1)
			fs := NewFS(badFS{vfs.NewMem()}, unchecked(), func(err error) { failed <- err }, nil)
			f := file.open(fs)
			if err := op.do(f); !errors.Is(err, errBad) || len(failed) > 0 {
				t.Errorf("%s of %s, not armed: %v, %d failures", op.name, file.name, err, len(failed))
			}
			fs.Arm()
			if file.log {
				endsWrites(t, failed, op.name+" log: bad disk", func() { _ = op.do(f) })
			} else if err := op.do(f); !errors.Is(err, errBad) || len(failed) > 0 {
				t.Errorf("%s of %s: %v, %d failures", op.name, file.name, err, len(failed))
			}
			fs.End()
			if file.log {
				endsWrites(t, failed, op.name+" log: bad disk", func() { _ = op.do(f) })
				continue
			}
			want := errBad
			if op.name == "write" {
				want = ErrEnding
			}
			if err := op.do(f); !errors.Is(err, want) || len(failed) > 0 {
				t.Errorf("%s of %s, ended: %v, %d failures", op.name, file.name, err, len(failed))
			}
		}
	}
}

func TestErrorOfANewLog(t *testing.T) {
	failed := make(chan error, 1)
	fs := NewFS(vfs.NewMem(), unchecked(), func(err error) { failed <- err }, nil)
	bad := pebble.WALCreateInfo{Err: errBad}
	fs.Created(bad) // Pebble's Open returns the error
	fs.Arm()
	fs.Created(pebble.WALCreateInfo{})
	if len(failed) > 0 {
		t.Fatalf("failed: %v", <-failed)
	}
	endsWrites(t, failed, "create log: bad disk", func() { fs.Created(bad) })
}

// Pebble panics over an error of the directory's fsync after it has moved a marker. So the error
// ends writes, if Pebble opened the directory at its start. Copies are made in others.
func TestErrorOfTheDirectory(t *testing.T) {
	failed := make(chan error, 1)
	fs := NewFS(badFS{vfs.NewMem()}, unchecked(), func(err error) { failed <- err }, nil)
	store, err := fs.OpenDir("store")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Sync(); !errors.Is(err, errBad) || len(failed) > 0 {
		t.Errorf("not armed: %v, %d failures", err, len(failed))
	}
	fs.Arm()
	if dir, err := fs.OpenDir("copy"); err != nil {
		t.Error(err)
	} else if err := dir.Sync(); !errors.Is(err, errBad) || len(failed) > 0 {
		t.Errorf("a copy: %v, %d failures", err, len(failed))
	}
	endsWrites(t, failed, "sync directory: bad disk", func() { _ = store.Sync() })
	fs.End()
	endsWrites(t, failed, "sync directory: bad disk", func() { _ = store.Sync() })
}

// endsWrites checks that do never returns and that fail is called.
func endsWrites(t *testing.T, failed chan error, want string, do func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() {
		do()
		close(returned)
	}()
	select {
	case err := <-failed:
		if err.Error() != want || !errors.Is(err, errBad) {
			t.Errorf("failed with %v, want %s", err, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: no failure", want)
	}
	select {
	case <-returned:
		t.Errorf("%s: the goroutine went on", want)
	case <-time.After(5 * time.Millisecond):
	}
}

// A file that was created before a marker survives a power cut if the marker does.
func TestMarkerSyncsDirectory(t *testing.T) {
	for name, kept := range map[string]bool{"marker.manifest.000001.MANIFEST-000001": true, "000002.sst": false} {
		mem := vfs.NewCrashableMem()
		if err := errors.Join(mem.MkdirAll("d", 0o755), SyncDir(mem, "")); err != nil {
			t.Fatal(err)
		}
		fs := NewFS(mem, unchecked(), nil, nil)
		for _, name := range []string{"d/MANIFEST-000001", "d/" + name} {
			f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		_, err := mem.CrashClone(vfs.CrashCloneCfg{}).Stat("d/MANIFEST-000001")
		if (err == nil) != kept {
			t.Errorf("after %s: kept %v, want %v (%v)", name, err == nil, kept, err)
		}
	}
}

// noDirFS cannot open directories.
type noDirFS struct{ vfs.FS }

func (noDirFS) OpenDir(string) (vfs.File, error) { return nil, errBad }

func TestMarkerWithoutSync(t *testing.T) {
	mem := vfs.NewMem()
	fs := NewFS(noDirFS{mem}, unchecked(), nil, nil)
	if _, err := fs.Create("marker.format-version.000001.013", vfs.WriteCategoryUnspecified); !errors.Is(err, errBad) {
		t.Errorf("the directory cannot be synced: %v", err)
	}
	if names, err := mem.List(""); err != nil || len(names) > 0 {
		t.Errorf("files %v, %v", names, err)
	}
}

// Pebble asks the file system below the wrappers for what only that one has.
func TestRootOfFS(t *testing.T) {
	mem := vfs.NewMem()
	if root := vfs.Root(NewFS(mem, unchecked(), nil, nil)); root != vfs.FS(mem) {
		t.Errorf("the root is a %T", root)
	}
}
