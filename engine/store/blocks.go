// Blocks: where the keys of a run lie in their table. Pebble's own index has two levels, of
// which a reader has to read the second for nearly every key. This one takes about 8 bytes a
// block, so that it is held in memory, and a key costs a read of its block alone.

package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sort"

	"cairn/index"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/block/blockkind"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
)

// blocks says which block of a table has a key of one run. Nothing changes it.
//
// A key of a run is 16 bytes, the same 9 at the start of each, then a place of 7 bytes: 3 for
// the column and the section, 4 for the page. A block has the places below its limit that no
// block before it has.
type blocks struct {
	groups []blockGroup
	limits []uint32 // by block: the low 4 bytes of its limit
	ends   []uint32 // by block: where it ends, without its trailer, from base of its group on
}

// blockGroup is blocks whose limits have the same high bytes, and which follow each other in the
// file without a gap.
type blockGroup struct {
	last  uint64 // limit of the last block
	base  uint64 // where the first block begins in the file
	first int    // number of the first block
}

// errNoBlocks is the error of a table that is not of the form that blocks knows. Such a
// table is read through its own index.
var errNoBlocks = errors.New("no table of runs")

const (
	runKeyBytes   = 16
	runPlaceStart = 9
)

// place returns the place of a key of the run, or of the first bytes of one. Missing bytes
// count as 0.
func place(key []byte) uint64 {
	var b [8]byte
	copy(b[1:], key[runPlaceStart:])
	return binary.BigEndian.Uint64(b[:])
}

// bytes returns about how many bytes of memory blocks takes.
func (b *blocks) bytes() int64 {
	if b == nil {
		return 0
	}
	return int64(24*cap(b.groups) + 4*cap(b.limits) + 4*cap(b.ends) + 128)
}

// readBlocks reads the index of a table.
func readBlocks(r *sstable.Reader, run uint64) (*blocks, error) {
	format, err := r.TableFormat()
	if err != nil {
		return nil, err
	}
	if !format.BlockColumnar() || r.Attributes.Intersects(sstable.AttributeValueBlocks|sstable.AttributeBlobValues) {
		return nil, errNoBlocks
	}
	layout, err := r.Layout() // holds all handles for a moment, about 40 bytes a block
	if err != nil {
		return nil, err
	}
	var pool block.BufferPool
	pool.Init(2)
	defer pool.Release()
	var it colblk.IndexIter
	defer func() { _ = it.Close() }()
	b := &blocks{limits: make([]uint32, 0, len(layout.Data)), ends: make([]uint32, 0, len(layout.Data))}
	prefix, _ := index.RunBounds(run)
	for _, h := range layout.Index {
		data, err := r.BlockReader().Read(context.Background(), block.ReadEnv{BufferPool: &pool}, nil, h, blockkind.Index, colblk.InitIndexBlockMetadata)
		if err != nil {
			return nil, err
		}
		if err := it.InitHandle(r.Comparer, data, block.NoTransforms); err != nil {
			return nil, err
		}
		for ok := it.First(); ok; ok = it.Next() {
			at, err := it.BlockHandleWithProperties()
			if err != nil {
				return nil, err
			}
			switch last := it.Separator(); compareRun(last, prefix) {
			case -1: // the block has only keys of runs before
			case 0:
				limit := place(last)
				if len(last) == runKeyBytes {
					limit++ // the separator itself may be in the block
				}
				if err := b.add(limit, at.Handle); err != nil {
					return nil, err
				}
			default:
				if err := b.add(1<<56, at.Handle); err != nil {
					return nil, err
				}
				return b.done(), nil
			}
		}
	}
	return b.done(), nil
}

// compareRun compares the run of a key, or of the first bytes of one, with the prefix of a run.
func compareRun(key, prefix []byte) int {
	if len(key) > runKeyBytes {
		key = key[:runKeyBytes]
	}
	if len(key) >= len(prefix) {
		return bytes.Compare(key[:len(prefix)], prefix)
	}
	if c := bytes.Compare(key, prefix[:len(key)]); c != 0 {
		return c
	}
	return -1 // a key that begins the prefix is before all keys of the run
}

// add adds the next block.
func (b *blocks) add(limit uint64, at block.Handle) error {
	n := len(b.groups)
	if n > 0 && limit < b.groups[n-1].last {
		return errNoBlocks
	}
	end := at.Offset + at.Length
	if n == 0 || b.groups[n-1].last>>32 != limit>>32 || b.next() != at.Offset || end-b.groups[n-1].base > math.MaxUint32 {
		b.groups = append(b.groups, blockGroup{base: at.Offset, first: len(b.limits)})
		n++
	}
	g := &b.groups[n-1]
	if at.Length > math.MaxUint32 {
		return errNoBlocks
	}
	g.last = limit
	b.limits, b.ends = append(b.limits, uint32(limit)), append(b.ends, uint32(end-g.base))
	return nil
}

// next returns where a block begins that follows the last one.
func (b *blocks) next() uint64 {
	return b.groups[len(b.groups)-1].base + uint64(b.ends[len(b.ends)-1]) + block.TrailerLen
}

// done returns b, without spare memory.
func (b *blocks) done() *blocks {
	b.groups = slices.Clone(b.groups)
	if len(b.limits) < cap(b.limits) { // the table has other runs
		b.limits, b.ends = slices.Clone(b.limits), slices.Clone(b.ends)
	}
	return b
}

// find returns the block that has a key of the run, if there is such a key.
func (b *blocks) find(key []byte) (at block.Handle, ok bool) {
	want := place(key)
	n := sort.Search(len(b.groups), func(i int) bool { return b.groups[i].last > want })
	if n == len(b.groups) {
		return at, false
	}
	g, end := &b.groups[n], len(b.limits)
	if n+1 < len(b.groups) {
		end = b.groups[n+1].first
	}
	i := g.first
	if want>>32 == g.last>>32 {
		page := uint32(want)
		i += sort.Search(end-1-g.first, func(i int) bool { return b.limits[g.first+i] > page })
	}
	from := uint64(0)
	if i > g.first {
		from = uint64(b.ends[i-1]) + block.TrailerLen
	}
	return block.Handle{Offset: g.base + from, Length: uint64(b.ends[i]) - from}, true
}
