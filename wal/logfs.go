// Errors of the log's own files: the store's failure, and nothing Pebble could
// go on with.

package wal

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// LogFS keeps the errors of Pebble's log from Pebble while the store is open. It
// panics over some of them with its locks half taken. They end all writes (I5),
// and the goroutine that met one never returns, as after Fatalf: reads go on until
// the process ends.
type LogFS struct {
	vfs.FS
	Armed *atomic.Bool // false while the store opens and closes: errors are returned
	Fail  func(error)
}

func (fs *LogFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	return fs.file(name, f, err)
}

func (fs *LogFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(old, name, category)
	return fs.file(name, f, err)
}

func (fs *LogFS) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err // Pebble tells of an error by WALCreated, before it panics
	}
	return logFile{f, fs}, nil
}

func (fs *LogFS) Unwrap() vfs.FS { return fs.FS }

// End does not return when err is one to end with.
func (fs *LogFS) End(op string, err error) error {
	if err != nil && fs.Armed.Load() {
		fs.Fail(fmt.Errorf("%s log: %w", op, err))
		select {}
	}
	return err
}

// logFile is one file of the log.
type logFile struct {
	vfs.File
	fs *LogFS
}

func (f logFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.End("write", err)
}

func (f logFile) Sync() error     { return f.fs.End("sync", f.File.Sync()) }
func (f logFile) SyncData() error { return f.fs.End("sync", f.File.SyncData()) }
func (f logFile) Close() error    { return f.fs.End("close", f.File.Close()) }

func (f logFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.fs.End("sync", err)
}
