// Table readers: one key at a time, in buffers that are used again.

package store

import (
	"bytes"
	"context"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/block/blockkind"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
)

// tableReader finds one key at a time. The value it found is valid until it is closed. One with
// blocks reads from any table, one key from one and the next from another. One with an iterator
// reads from its table.
type tableReader struct {
	table  *table
	blocks *blocks // nil = it has an iterator
	iter   sstable.Iterator
	data   colblk.DataBlockIter
	pool   block.BufferPool
	most   int                          // the largest block in the pool
	stats  pebble.InternalIteratorStats // since it was last idle
}

// tableBlockKept is the size of the largest block whose buffers are kept for the next key.
const tableBlockKept = 256 << 10

// runSchema is how Pebble lays out the keys of a block. There is no other in the tables of runs.
var runSchema = colblk.DefaultKeySchema(pebble.DefaultComparer, 16)

// initRunBlock is how Pebble opens a block whose checksum is right.
func initRunBlock(to *block.Metadata, data []byte) error {
	return colblk.InitDataBlockMetadata(&runSchema, to, data)
}

// newTableReader returns a reader of a table, with an iterator when it has no blocks.
func newTableReader(tb *table, b *blocks) (*tableReader, error) {
	r := &tableReader{table: tb, blocks: b}
	if b != nil {
		r.pool.Init(2) // a block, and how it is stored
		r.data.InitOnce(&runSchema, pebble.DefaultComparer, nil)
		return r, nil
	}
	r.pool.Init(8)
	var err error
	if r.iter, err = tb.reader.NewPointIter(context.Background(), sstable.IterOptions{
		Env:                  sstable.ReadEnv{Block: block.ReadEnv{BufferPool: &r.pool, Stats: &r.stats}},
		FilterBlockSizeLimit: sstable.NeverUseFilterBlock,
		ReaderProvider:       sstable.MakeTrivialReaderProvider(tb.reader),
	}); err != nil {
		r.pool.Release()
		return nil, err
	}
	return r, nil
}

// find returns the value of a key.
func (r *tableReader) find(key []byte) (value []byte, ok bool) {
	if r.blocks == nil {
		kv := r.iter.SeekGE(key, 0)
		if kv == nil || !bytes.Equal(kv.K.UserKey, key) {
			return nil, false
		}
		value, _, err := kv.Value(nil)
		return value, err == nil
	}
	at, ok := r.blocks.find(key)
	if !ok {
		return nil, false
	}
	env := block.ReadEnv{BufferPool: &r.pool, Stats: &r.stats}
	data, err := r.table.reader.BlockReader().Read(context.Background(), env, nil, at, blockkind.SSTableData, initRunBlock)
	if err != nil {
		return nil, false
	}
	r.most = max(r.most, len(data.BlockData()))
	if r.data.InitHandle(pebble.DefaultComparer, data, block.NoTransforms) != nil {
		return nil, false
	}
	kv := r.data.SeekGE(key, 0)
	if kv == nil || !bytes.Equal(kv.K.UserKey, key) || kv.K.Kind() != sstable.InternalKeyKindSet {
		return nil, false
	}
	value, _, err = kv.Value(nil)
	return value, err == nil
}

// Close returns the reader to the idle ones.
func (r *tableReader) Close() error {
	tb, t := r.table, r.table.tables
	_ = r.data.Close() // frees the block
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads.Keys++
	t.reads.Bytes += r.stats.BlockBytes
	r.stats = pebble.InternalIteratorStats{}
	switch {
	case r.blocks == nil && len(tb.idle) < tableIdleMax && tb.refs > 1:
		tb.idle = append(tb.idle, r)
	case r.blocks != nil && len(t.idle) < tableIdleMax*runtime.GOMAXPROCS(0) && !t.closed && r.most <= tableBlockKept:
		r.table, r.blocks = nil, nil
		t.idle = append(t.idle, r)
	default:
		r.close()
	}
	tb.unref()
	return nil
}

// fail closes a reader that did not find a key.
func (r *tableReader) fail() {
	r.close()
	r.table.tables.unref(r.table)
}

func (r *tableReader) close() {
	if r.iter != nil {
		_ = r.iter.Close()
	}
	_ = r.data.Close()
	r.pool.Release()
}
