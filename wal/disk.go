// Disk space: how much is free, and the reserve that writes leave free.

package wal

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bounds in bytes of a reserve that OpenDisk chooses.
const (
	reserveMin = 8 << 20
	reserveMax = 64 << 20
)

// diskCheckEvery bounds how stale the answer of Full may be.
const diskCheckEvery = 50 * time.Millisecond

// Disk watches the free space of a data directory. It decides nothing: the code that
// accepts writes asks Full and refuses them with an error of its own.
//
// Half of the reserve is a file, the ballast. FS removes it when Pebble gets ENOSPC, so
// that a running flush or compaction can finish. RestoreBallast writes it again.
//
// The zero Disk checks nothing; NewFS needs one from OpenDisk. All methods are safe for
// concurrent use, but only one goroutine at a time may call RestoreBallast.
type Disk struct {
	fs      vfs.FS
	dir     string
	reserve int64        // bytes; 0 = not checked
	checked atomic.Int64 // Unix nanoseconds
	avail   atomic.Int64
	wanted  atomic.Bool // the ballast is missing and should be written
}

const ballastName = "ballast"

// OpenDisk watches the file system that holds dir, and writes the ballast if it fits.
// reserve is in bytes. 0 chooses 5 % of the file system, within the bounds above; a
// negative reserve switches the check off. A file system that does not tell its size,
// such as one in memory, is not checked either.
func OpenDisk(fs vfs.FS, dir string, reserve int64) *Disk {
	d := &Disk{fs: fs, dir: dir, reserve: reserve}
	usage, err := fs.GetDiskUsage(dir)
	if err != nil || usage.TotalBytes == 0 || reserve < 0 {
		d.reserve = 0
		return d
	}
	if d.reserve == 0 {
		d.reserve = min(max(int64(usage.TotalBytes/20), reserveMin), reserveMax)
	}
	d.checked.Store(time.Now().UnixNano())
	d.avail.Store(int64(usage.AvailBytes))
	d.wanted.Store(true)
	d.RestoreBallast()
	return d
}

// Reserve returns how many bytes writes leave free. 0 means that nothing is checked.
func (d *Disk) Reserve() int64 { return d.reserve }

// Full reports whether less than the reserve is free.
func (d *Disk) Full() bool { return d.reserve > 0 && d.Free() < d.reserve }

// Free returns how many bytes are free. The answer is at most diskCheckEvery old. It is
// 0 when nothing is checked.
func (d *Disk) Free() int64 {
	if d.reserve == 0 {
		return 0
	}
	now := time.Now().UnixNano()
	if last := d.checked.Load(); now-last > int64(diskCheckEvery) && d.checked.CompareAndSwap(last, now) {
		if usage, err := d.fs.GetDiskUsage(d.dir); err == nil {
			d.avail.Store(int64(usage.AvailBytes))
		}
	}
	return d.avail.Load()
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
	if d.reserve == 0 || !d.wanted.Load() || d.Free() < 2*d.reserve+size {
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
