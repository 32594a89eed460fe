// The high-water mark: how many events the log had, kept outside Pebble.

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// HighWaterMark remembers in two small files, hwm-0 and hwm-1, how many events the log
// had. Pebble takes a damaged tail of its own files for their end and opens without an
// error. A store that has fewer events than the mark has lost some, so its start is
// refused. The files are written in turn, so a crash tears one of them at most:
//
//	version 1 | counter u64 | events u64 | sum u64
//
// Integers are little endian; counter rises with each write; sum is xxhash64 of the
// bytes before it. One goroutine at a time may use a HighWaterMark.
type HighWaterMark struct {
	fs      vfs.FS
	dir     string
	counter uint64
	events  uint64
}

const hwmLen = 1 + 8 + 8 + 8

func hwmName(counter uint64) string { return fmt.Sprintf("hwm-%d", counter%2) }

// ReadHighWaterMark reads the newest mark of a data directory. The mark has 0 events
// when there is none, or none that is whole.
func ReadHighWaterMark(fs vfs.FS, dir string) (*HighWaterMark, error) {
	h := &HighWaterMark{fs: fs, dir: dir}
	for n := uint64(0); n < 2; n++ {
		f, err := fs.Open(fs.PathJoin(dir, hwmName(n)))
		if err != nil {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(f, hwmLen+1))
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("read high-water mark: %w", err)
		}
		if len(b) != hwmLen || b[0] != 1 || binary.LittleEndian.Uint64(b[17:]) != xxhash.Sum64(b[:17]) {
			continue // torn by a crash; the other one is whole
		}
		if c := binary.LittleEndian.Uint64(b[1:]); c >= h.counter {
			h.counter, h.events = c, binary.LittleEndian.Uint64(b[9:])
		}
	}
	return h, nil
}

// Events returns how many events of all sites the log held when the mark was written.
func (h *HighWaterMark) Events() uint64 { return h.events }

// Write records that the log holds at least so many events, and syncs. It writes
// nothing when the mark already says so. After an error the old mark is still valid:
// the next write goes to the same file, which may be torn, and does not touch the
// other.
func (h *HighWaterMark) Write(events uint64) error {
	if events <= h.events {
		return nil
	}
	counter := h.counter + 1
	b := []byte{1}
	b = binary.LittleEndian.AppendUint64(b, counter)
	b = binary.LittleEndian.AppendUint64(b, events)
	b = binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
	f, err := h.fs.Create(h.fs.PathJoin(h.dir, hwmName(counter)), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("write high-water mark: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && counter <= 2 {
		err = SyncDir(h.fs, h.dir)
	}
	if err != nil {
		return fmt.Errorf("write high-water mark: %w", err)
	}
	h.counter, h.events = counter, events
	return nil
}

// SyncDir syncs a directory, so that files made, renamed or removed in it stay so after
// a power cut.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
