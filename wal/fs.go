// Pebble's files: which of their errors end all writes, and what must be on the
// disk before what.

package wal

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is the file system that an open store gives to Pebble.
//
// An error of a log file (NNNNNN.log: its creation, a write, an fsync) ends all writes
// of the store: engine's invariant I5. Pebble never sees such an error, because it
// panics over some of them while it holds locks. Instead fail is told, and the
// goroutine that met the error never returns, as after Fatalf. Reads go on until the
// process ends.
//
// FS also releases the ballast when the disk is full, and makes markers safe (see
// markerFS).
type FS struct {
	vfs.FS
	armed atomic.Bool
	fail  func(error)
}

// NewFS returns the file system over base, disarmed. disk watches the space of the same
// file system. fail gets each error that ends all writes. It may be called from several
// goroutines at once; all but its first call can be ignored.
func NewFS(base vfs.FS, disk *Disk, fail func(error)) *FS {
	return &FS{FS: vfs.OnDiskFull(markerFS{base}, disk.releaseBallast), fail: fail}
}

// Arm makes errors of the log end all writes from now on. While FS is disarmed, they are
// returned to Pebble: its Open and Close can report them.
func (fs *FS) Arm() { fs.armed.Store(true) }

// Disarm undoes Arm. A store calls it before it closes Pebble.
func (fs *FS) Disarm() { fs.armed.Store(false) }

// Created is Pebble's WALCreated event. Pebble reports an error of a new log file there
// before it panics over it.
func (fs *FS) Created(info pebble.WALCreateInfo) { _ = fs.end("create", info.Err) }

// Create is vfs.FS's.
func (fs *FS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return fs.file(name, f, err)
}

// ReuseForWrite is vfs.FS's.
func (fs *FS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(old, name, category)
	return fs.file(name, f, err)
}

func (fs *FS) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err // an error of a log file comes to Created
	}
	return logFile{f, fs}, nil
}

// Unwrap is vfs.FS's.
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

// end returns err while FS is disarmed. Otherwise it does not return when there is an
// error.
func (fs *FS) end(op string, err error) error {
	if err != nil && fs.armed.Load() {
		fs.fail(fmt.Errorf("%s log: %w", op, err))
		select {}
	}
	return err
}

// logFile is one file of Pebble's log.
type logFile struct {
	vfs.File
	fs *FS
}

func (f logFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.end("write", err)
}

func (f logFile) Sync() error     { return f.fs.end("sync", f.File.Sync()) }
func (f logFile) SyncData() error { return f.fs.end("sync", f.File.SyncData()) }
func (f logFile) Close() error    { return f.fs.end("close", f.File.Close()) }

func (f logFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.fs.end("sync", err)
}
