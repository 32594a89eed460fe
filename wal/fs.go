// Pebble's files: which of their errors end all writes, and what must be on the
// disk before what.

package wal

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is the file system that an open store gives to Pebble.
//
// An error of a log file (NNNNNN.log: its creation, a write, an fsync) ends all writes
// of the store: engine's invariant I5. Pebble never sees such an error, because it
// panics over some of them while it holds locks. Instead fail is told, and the
// goroutine that met the error never returns, as after Fatalf. Reads go on until the
// process ends. So does an error of an fsync of the store's directory: Pebble panics over it
// after it has moved a marker.
//
// A disk without space is no such error. FS releases the ballast and tries again. If there
// is still no space, a write or a creation of a log file, a manifest or a marker waits until
// there is (Disk.Stuck). An error of these would end all writes. An fsync that finds no space
// is an error like any other, because nobody knows what it has lost. Pebble repeats its other
// work by itself, as often as it can, so FS makes that wait a little.
//
// Until FS is armed, the store is being opened. Pebble's Open then repeats work without end, or
// ends the process. So each write and creation that finds no space calls hold and is tried again
// when hold returns.
//
// FS also makes markers safe (see markerFS).
type FS struct {
	vfs.FS
	disk   *Disk
	hold   func(name string)
	armed  atomic.Bool  // the store is open, or closes
	ending atomic.Bool  // it closes
	full   atomic.Int64 // when a file of Pebble last found no space, see monotonic; 0 = never
	fail   func(error)
}

const (
	spaceRetry  = 50 * time.Millisecond  // between two tries of a write of the log
	repeatPause = 250 * time.Millisecond // before Pebble's next table after one without space
)

// NewFS returns the file system over base, not armed. disk watches the space of the same
// file system. fail gets each error that ends all writes. It may be called from several
// goroutines at once; all but its first call can be ignored. hold gets the name of a file that
// finds no space while the store is being opened. It may wait. nil = such errors are returned
// to Pebble.
func NewFS(base vfs.FS, disk *Disk, fail func(error), hold func(name string)) *FS {
	return &FS{FS: vfs.OnDiskFull(markerFS{base}, disk.releaseBallast), disk: disk, fail: fail, hold: hold}
}

// Arm makes errors of the log end all writes from now on. Before, they are returned to Pebble,
// whose Open can report them.
func (fs *FS) Arm() { fs.armed.Store(true) }

// opening reports whether the store is being opened.
func (fs *FS) opening() bool { return fs.hold != nil && !fs.armed.Load() && !fs.ending.Load() }

// End makes tables that are being written fail from now on. A store calls it before it closes
// Pebble. Pebble's Close waits for flushes and compactions under way, and these then end at once.
// Later Pebble does their work again, from the log and the tables that are there. All else stays
// as it is, and Close may hang: the log, the manifest and markers wait for space, and their errors
// never return, because other goroutines of Pebble would panic over them.
func (fs *FS) End() { fs.ending.Store(true) }

// ErrEnding is the error of a table that is being written when the store closes.
var ErrEnding = errors.New("the store closes")

// ended returns ErrEnding if a file need not be written any more.
func (fs *FS) ended(name string) error {
	if fs.ending.Load() && (strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")) {
		return fmt.Errorf("%s: %w", fs.PathBase(name), ErrEnding)
	}
	return nil
}

// Created is Pebble's WALCreated event. Pebble reports an error of a new log file there
// before it panics over it.
func (fs *FS) Created(info pebble.WALCreateInfo) { _ = fs.end("create log", info.Err) }

// Create is vfs.FS's.
func (fs *FS) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	if err := fs.ended(name); err != nil {
		return nil, err
	}
	fs.pause(name)
	err = fs.untilSpace(name, func() error {
		f, err = fs.FS.Create(name, category)
		return err
	})
	return fs.file(name, f, err)
}

// ReuseForWrite is vfs.FS's.
func (fs *FS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = fs.untilSpace(name, func() error {
		f, err = fs.FS.ReuseForWrite(old, name, category)
		return err
	})
	return fs.file(name, f, err)
}

// OpenDir is vfs.FS's. Pebble opens the store's directory, for its log, its tables and its
// markers, before FS is armed. Directories it opens later are those of copies: their errors
// end nothing.
func (fs *FS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil || fs.armed.Load() {
		return f, err
	}
	return directory{f, fs}, nil
}

// file returns an opened file of Pebble. An error of a log file comes to Created.
func (fs *FS) file(name string, f vfs.File, err error) (vfs.File, error) {
	switch {
	case err != nil:
		fs.note(err)
		return f, err
	case strings.HasSuffix(name, ".log"):
		return logFile{waitingFile{f, fs, name}}, nil
	}
	return waitingFile{f, fs, name}, nil
}

// pause slows Pebble down that repeats work on a full disk.
func (fs *FS) pause(name string) {
	if last := fs.full.Load(); last != 0 && !essential(name) && monotonic()-last < int64(repeatPause) {
		time.Sleep(repeatPause)
	}
}

// note remembers when a file found no space.
func (fs *FS) note(err error) {
	if NoSpace(err) {
		fs.full.Store(monotonic())
	}
}

// essential reports whether Pebble cannot go on after an error of a file.
func essential(path string) bool {
	name := path[strings.LastIndexAny(path, `/\`)+1:]
	return strings.HasSuffix(name, ".log") || strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "marker.")
}

// untilSpace calls do again and again while it finds no space for an essential file or, while
// the store is being opened, for any file. Without hold, it calls do once until FS is armed.
func (fs *FS) untilSpace(name string, do func() error) error {
	err := do()
	for NoSpace(err) && fs.opening() {
		fs.hold(fs.PathBase(name))
		err = do()
	}
	if !NoSpace(err) || !essential(name) || !fs.armed.Load() {
		return err
	}
	fs.disk.stuck.enter()
	defer fs.disk.stuck.leave()
	for NoSpace(err) {
		time.Sleep(spaceRetry)
		err = do()
	}
	return err
}

// Unwrap is vfs.FS's.
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

// end returns err until FS is armed. Then it does not return when there is an error.
func (fs *FS) end(op string, err error) error {
	if err != nil && fs.armed.Load() {
		fs.fail(fmt.Errorf("%s: %w", op, err))
		select {}
	}
	return err
}

// waitingFile is a file of Pebble. If it is an essential one, its writes wait for space.
type waitingFile struct {
	vfs.File
	fs   *FS
	name string
}

func (f waitingFile) Write(p []byte) (n int, err error) {
	if err := f.fs.ended(f.name); err != nil {
		return 0, err
	}
	err = f.fs.untilSpace(f.name, func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	f.fs.note(err)
	return n, err
}

// logFile is one file of Pebble's log.
type logFile struct{ waitingFile }

func (f logFile) Write(p []byte) (int, error) {
	n, err := f.waitingFile.Write(p)
	return n, f.fs.end("write log", err)
}

func (f logFile) Sync() error     { return f.fs.end("sync log", f.File.Sync()) }
func (f logFile) SyncData() error { return f.fs.end("sync log", f.File.SyncData()) }
func (f logFile) Close() error    { return f.fs.end("close log", f.File.Close()) }

func (f logFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.fs.end("sync log", err)
}

// directory is the store's directory.
type directory struct {
	vfs.File
	fs *FS
}

func (d directory) Sync() error { return d.fs.end("sync directory", d.File.Sync()) }
