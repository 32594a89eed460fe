// The high-water mark: how far the log had come, kept outside Pebble.

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// HighWaterMark is two small files written in turn, about once a second and at a clean
// stop. Pebble takes a damaged tail of its own files for their end and opens
// without an error; a store that has fewer events than the mark has lost some,
// and is refused.
//
//	version 1 | counter u64 | events u64 | sum u64     little endian
type HighWaterMark struct {
	fs      vfs.FS
	dir     string
	counter uint64
	events  uint64
}

const hwmLen = 1 + 8 + 8 + 8

func hwmName(counter uint64) string { return fmt.Sprintf("hwm-%d", counter%2) }

// ReadHighWaterMark returns the highest mark; 0 events when there is none.
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
			continue // torn by a crash; the other one is good
		}
		if c := binary.LittleEndian.Uint64(b[1:]); c >= h.counter {
			h.counter, h.events = c, binary.LittleEndian.Uint64(b[9:])
		}
	}
	return h, nil
}

// Events is the number of events of the mark.
func (h *HighWaterMark) Events() uint64 { return h.events }

// Write records that the log holds at least so many events.
func (h *HighWaterMark) Write(events uint64) error {
	if events <= h.events {
		return nil
	}
	h.counter++
	b := []byte{1}
	b = binary.LittleEndian.AppendUint64(b, h.counter)
	b = binary.LittleEndian.AppendUint64(b, events)
	b = binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
	f, err := h.fs.Create(h.fs.PathJoin(h.dir, hwmName(h.counter)), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("write high-water mark: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && h.counter <= 2 {
		err = SyncDir(h.fs, h.dir)
	}
	if err != nil {
		return fmt.Errorf("write high-water mark: %w", err)
	}
	h.events = events
	return nil
}

// SyncDir makes the names in a directory outlive a power cut.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
