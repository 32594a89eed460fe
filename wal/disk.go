// Disk space: writes are refused before the disk is full, and taken again by
// themselves when there is room.

package wal

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bounds of the reserve that is chosen by the disk's size (5 % of it).
const (
	reserveMin = 8 << 20
	reserveMax = 64 << 20
)

// diskCheckEvery bounds how stale the answer of Full may be.
const diskCheckEvery = 50 * time.Millisecond

// Disk watches the free space of the data directory. Half of the reserve is a
// file, the ballast, that goes when even the engine's own background work runs
// out of space.
type Disk struct {
	fs      vfs.FS
	dir     string
	reserve int64        // bytes; 0 = unchecked
	checked atomic.Int64 // Unix nanoseconds
	avail   atomic.Int64
	wanted  atomic.Bool // the ballast is gone and should come back
}

const ballastName = "ballast"

// OpenDisk watches the file system that dir is on, and writes the ballast when there is
// room for it. reserve is in bytes: 0 chooses it by the size of the disk, less than 0
// checks nothing, which is also what a file system in memory gets.
func OpenDisk(fs vfs.FS, dir string, reserve int64) (*Disk, error) {
	d := &Disk{fs: fs, dir: dir, reserve: reserve}
	usage, err := fs.GetDiskUsage(dir)
	if err != nil || usage.TotalBytes == 0 || reserve < 0 {
		d.reserve = 0 // a file system that does not tell (in memory)
		return d, nil
	}
	if d.reserve == 0 {
		d.reserve = min(max(int64(usage.TotalBytes/20), reserveMin), reserveMax)
	}
	d.checked.Store(time.Now().UnixNano())
	d.avail.Store(int64(usage.AvailBytes))
	d.wanted.Store(true)
	d.RestoreBallast()
	return d, nil
}

// Reserve is the space in bytes that writes leave free; 0 means that it is not checked.
func (d *Disk) Reserve() int64 { return d.reserve }

// Full reports whether less than the reserve is free.
func (d *Disk) Full() bool { return d.reserve > 0 && d.Free() < d.reserve }

// Free is the free space in bytes, at most diskCheckEvery old.
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

// ReleaseBallast gives the background work room to finish. It is called by the
// file system on ENOSPC.
func (d *Disk) ReleaseBallast() {
	_ = d.fs.Remove(d.fs.PathJoin(d.dir, ballastName))
	d.wanted.Store(true)
}

// RestoreBallast writes the ballast when there is room for it again.
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
