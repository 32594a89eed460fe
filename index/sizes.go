// Sizes: how much of the disk each component of a run takes.

package index

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"
)

// SizePart is a component of a run.
type SizePart uint8

const (
	SizeRows   SizePart = iota // of a column: the value or code of each row
	SizeCells                  // of a column: distinct cells, and how many rows have each
	SizeLists                  // of a column: where each cell is, and what is inside arrays and objects
	SizeTotals                 // of all properties
	SizeFilter
	SizeHeader
	SizeCounts // of all rows and of the cells of one field, by time and by other cells
)

func sizePart(col uint16, sec section) SizePart {
	switch {
	case col == colCounts || col == colPairs:
		return SizeCounts
	case col == colTotals:
		return SizeTotals
	case col == colFilter:
		return SizeFilter
	case col == colHeader:
		return SizeHeader
	case sec < secInts:
		return SizeCells
	case sec < secBlocks:
		return SizeRows
	}
	return SizeLists
}

// DiskUsage returns about how many bytes of the disk the run takes.
func (r *Run) DiskUsage(db *pebble.DB) (uint64, error) {
	n, err := db.EstimateDiskUsage(runPrefix(r.Run), prefixEnd(runPrefix(r.Run)))
	if err != nil {
		return 0, fmt.Errorf("size of run %d: %w", r.Run, err)
	}
	return n, nil
}

// Sizes calls fn with the bytes that each component of the run takes on disk. Integer
// columns are named by number, with field ""; cell columns by field, with ints -1; the
// rest by neither. A table only tells the size of all its pages together. So Sizes
// compresses each page again and divides the size of the run in proportion.
func (r *Run) Sizes(db *pebble.DB, fn func(ints int, field string, part SizePart, bytes float64)) error {
	h, err := r.loadHeader()
	if err != nil {
		return err
	}
	lo, hi := runPrefix(r.Run), prefixEnd(runPrefix(r.Run))
	disk, err := r.DiskUsage(db)
	if err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return fmt.Errorf("sizes of run %d: %w", r.Run, err)
	}
	type kind struct {
		col  uint16
		part SizePart
	}
	sizes, all := make(map[kind]int), 0
	var buf []byte
	for ok := it.First(); ok; ok = it.Next() {
		k, v := it.Key(), it.Value()
		if len(k) != len(lo)+7 {
			_ = it.Close()
			return r.corrupt(fmt.Sprintf("key %x", k))
		}
		buf = enc.EncodeAll(v, buf[:0])
		n := 4 + min(len(v), len(buf))
		col := binary.BigEndian.Uint16(k[len(lo):])
		sizes[kind{col, sizePart(col, section(k[len(lo)+2]))}] += n
		all += n
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("sizes of run %d: %w", r.Run, err)
	}
	for k, n := range sizes {
		ints, field := -1, ""
		switch i := int(k.col) - h.ints; {
		case i < 0:
			ints = int(k.col)
		case i < len(h.columns):
			field = h.columns[i].name
		}
		fn(ints, field, k.part, float64(n)*float64(disk)/float64(all))
	}
	return nil
}
