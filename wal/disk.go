// Disk space: how much is free, and the reserve that writes leave free.

package wal

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bounds in bytes of a reserve that OpenDisk chooses.
const (
	reserveMin = 8 << 20
	reserveMax = 64 << 20
)

// Bounds of how many files writes leave free, on a file system with a fixed number of them.
const (
	filesMin = 16
	filesMax = 128
)

// diskCheckEvery bounds how stale the answer of Full may be.
const diskCheckEvery = 50 * time.Millisecond

// Disk watches the free space of a data directory. It decides nothing: the code that
// accepts writes asks Full and refuses them with an error of its own.
//
// Background work claims the bytes that it may still write. The reserve is never less than
// all claims together.
//
// Half of the chosen reserve is a file, the ballast. FS removes it when Pebble gets ENOSPC,
// so that a running flush or compaction can finish. RestoreBallast writes it again.
//
// The zero Disk checks nothing; NewFS needs one from OpenDisk. All methods are safe for
// concurrent use, but only one goroutine at a time may call RestoreBallast.
type Disk struct {
	fs      vfs.FS
	dir     string
	reserve int64        // bytes, without claims; 0 = not checked
	claimed atomic.Int64 // bytes
	checked atomic.Int64 // when avail and files were read, see monotonic; 0 = never
	avail   atomic.Int64
	files   atomic.Int64 // files that can be made; -1 = not known, or not limited
	spare   int64        // files that writes leave free
	wanted  atomic.Bool  // the ballast is missing and should be written
	stuck   stuck        // writes that wait for space
}

const ballastName = "ballast"

// OpenDisk watches the file system that holds dir, and writes the ballast if it fits.
// reserve is in bytes. 0 chooses 5 % of the file system, within the bounds above; a
// negative reserve switches the check off. A file system that does not tell its size,
// such as one in memory, is not checked either.
func OpenDisk(fs vfs.FS, dir string, reserve int64) *Disk {
	d := &Disk{fs: fs, dir: dir, reserve: reserve}
	d.files.Store(-1)
	usage, err := fs.GetDiskUsage(dir)
	if err != nil || usage.TotalBytes == 0 || reserve < 0 {
		d.reserve = 0
		return d
	}
	if d.reserve == 0 {
		d.reserve = min(max(int64(usage.TotalBytes/20), reserveMin), reserveMax)
	}
	if total, _, ok := countFiles(fs, dir); ok {
		d.spare = min(max(total/20, filesMin), filesMax)
	}
	d.look()
	d.wanted.Store(true)
	d.RestoreBallast()
	return d
}

// monotonic is a time in nanoseconds that a change of the clock does not move. It is never 0.
func monotonic() int64 { return int64(time.Since(began)) + 1 }

var began = time.Now()

// look reads how much is free.
func (d *Disk) look() {
	d.checked.Store(monotonic())
	if usage, err := d.fs.GetDiskUsage(d.dir); err == nil {
		d.avail.Store(int64(usage.AvailBytes))
	}
	if _, free, ok := countFiles(d.fs, d.dir); ok {
		d.files.Store(free)
	}
}

// fileCounter is a file system that tells how many files it can hold, and how many more.
type fileCounter interface {
	CountFiles(dir string) (total, free int64, ok bool)
}

// countFiles returns how many files a file system can hold, and how many more. ok is false
// if it does not tell, or has no limit.
func countFiles(fs vfs.FS, dir string) (total, free int64, ok bool) {
	if c, is := fs.(fileCounter); is {
		return c.CountFiles(dir)
	}
	if vfs.Root(fs) != vfs.Default {
		return 0, 0, false
	}
	return inodes(dir)
}

// NoSpace reports whether an error says that the file system, or the quota on it, has no
// space or no files left.
func NoSpace(err error) bool {
	return err != nil && (vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT))
}

// Claim changes the number of bytes that background work may still write. Work that ends
// takes its claim back with a negative number.
func (d *Disk) Claim(bytes int64) { d.claimed.Add(bytes) }

// Reserve returns how many bytes writes leave free. 0 means that nothing is checked.
func (d *Disk) Reserve() int64 {
	if d.reserve == 0 {
		return 0
	}
	return max(d.reserve, d.claimed.Load())
}

// Full reports whether less than the reserve is free, in bytes or in files, or whether the
// log waits for space.
func (d *Disk) Full() bool {
	if d.reserve == 0 {
		return d.Stuck()
	}
	return d.Free() < d.Reserve() || d.fewFiles() || d.Stuck()
}

// fewFiles reports whether too few files can be made. Call Free before.
func (d *Disk) fewFiles() bool {
	free := d.files.Load()
	return free >= 0 && free < d.spare
}

// Room reports whether background work may write that many bytes. It is true when nothing is
// checked.
func (d *Disk) Room(bytes int64) bool {
	return d.reserve == 0 || d.Free() >= bytes && d.files.Load() != 0
}

// filesToStart is how many files a start may make before it takes writes.
const filesToStart = 12

// RoomToStart reports whether a store can be opened whose logs have that many bytes. A start
// writes them into tables, and Pebble's Open does not return before it has. The ballast is not
// used for that: where something else takes all space, it would take the ballast's too.
func (d *Disk) RoomToStart(logs int64) bool {
	n := d.files.Load()
	return d.reserve == 0 || d.Free() >= logs+1<<20 && (n < 0 || n >= filesToStart)
}

// Free returns how many bytes are free. The answer is at most diskCheckEvery old. It is
// 0 when nothing is checked.
func (d *Disk) Free() int64 {
	if d.reserve == 0 {
		return 0
	}
	now := monotonic()
	if last := d.checked.Load(); (last == 0 || now-last > int64(diskCheckEvery)) && d.checked.CompareAndSwap(last, now) {
		d.look()
	}
	return d.avail.Load()
}

// Files returns how many files can be made. ok is false if that is not known or not limited.
func (d *Disk) Files() (n int64, ok bool) {
	d.Free()
	n = d.files.Load()
	return n, d.reserve > 0 && n >= 0
}

// releaseBallast gives Pebble's background work space to finish.
func (d *Disk) releaseBallast() {
	_ = d.fs.Remove(d.fs.PathJoin(d.dir, ballastName))
	d.wanted.Store(true)
}

// RestoreBallast writes the ballast again once more than two and a half reserves are
// free. Call it from time to time; it does nothing while the ballast exists.
func (d *Disk) RestoreBallast() {
	size := d.reserve / 2
	if d.reserve == 0 || !d.wanted.Load() || d.Free() < d.reserve+d.Reserve()+size || d.fewFiles() {
		return
	}
	path := d.fs.PathJoin(d.dir, ballastName)
	if err := d.writeBallast(path, size); err != nil {
		_ = d.fs.Remove(path)
		return
	}
	d.wanted.Store(false)
}

func (d *Disk) writeBallast(path string, size int64) error {
	if info, err := d.fs.Stat(path); err == nil && info.Size() == size {
		return nil
	}
	f, err := d.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("ballast: %w", err)
	}
	defer f.Close()
	zeros := make([]byte, 1<<20)
	for size > 0 {
		n, err := f.Write(zeros[:min(size, int64(len(zeros)))])
		if err != nil {
			return fmt.Errorf("ballast: %w", err)
		}
		size -= int64(n)
	}
	return f.Sync()
}
