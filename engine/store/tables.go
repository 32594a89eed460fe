// Tables: keys of runs, read directly from Pebble's tables.

package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Tables reads keys of runs from Pebble's tables, past Pebble's levels. A run never changes
// and is usually in one table, so only that table needs to be read. Blocks are read into
// buffers that are reused. Pebble allocates new memory for each block, which was half of the
// garbage of ingest into a large store. When anything goes wrong here, the key is read
// through Pebble, which reports the error.
type Tables struct {
	*pebble.DB
	fs  vfs.FS
	dir string // of the tables

	mu        sync.Mutex
	runs      map[uint64]*table // by run
	tick      uint64            // counts uses of tables
	deletions uint64            // counts calls of Deleted
	reads     TableReads
	closed    bool
}

// table is an open table. It is closed when nothing refers to it.
type table struct {
	tables   *Tables
	file     uint64
	reader   *sstable.Reader // nil = the run is read through Pebble, until retryAt
	retryAt  time.Time       // when the table is searched again
	refs     int             // from runs and from readers; tables.mu guards it and what follows
	idle     []*tableReader
	lastUsed uint64
}

// tableReader finds one key at a time. The value it found is valid until it is closed.
type tableReader struct {
	table *table
	iter  sstable.Iterator
	pool  block.BufferPool
	stats pebble.InternalIteratorStats // since it was last idle
}

// TableReads counts what was read directly from tables.
type TableReads struct {
	Keys  uint64 // keys that were found
	Bytes uint64 // bytes of blocks as they are stored, blocks of indexes among them
}

const (
	TablesMax    = 64          // most open tables
	tableIdleMax = 2           // most idle readers of a table
	tableRetry   = time.Minute // by then a run in several tables may be compacted into one
)

// NewTables reads the tables of an open store, which lie in a directory.
func NewTables(fs vfs.FS, dir string, db *pebble.DB) *Tables {
	return &Tables{DB: db, fs: fs, dir: dir, runs: make(map[uint64]*table)}
}

// Get returns the value of a key of a run. It is valid until the caller closes the closer.
func (t *Tables) Get(key []byte) ([]byte, io.Closer, error) {
	if r := t.reader(index.RunOf(key)); r != nil {
		if v, ok := r.find(key); ok {
			return v, r, nil
		}
		r.fail()
	}
	return t.DB.Get(key)
}

// reader returns a reader of the table of a run, or nil when the run is read through Pebble.
func (t *Tables) reader(run uint64) *tableReader {
	t.mu.Lock()
	tb := t.runs[run]
	if tb == nil || tb.reader == nil && time.Now().After(tb.retryAt) {
		before := t.deletions
		t.mu.Unlock()
		opened, err := t.open(run)
		if err != nil {
			opened = &table{retryAt: time.Now().Add(tableRetry)}
		}
		t.mu.Lock()
		if t.closed || t.deletions != before { // the deleted table may be this one
			t.mu.Unlock()
			opened.close()
			return nil
		}
		tb = t.put(run, opened)
	}
	if tb.reader == nil {
		t.mu.Unlock()
		return nil
	}
	t.tick++
	tb.lastUsed = t.tick
	tb.refs++
	if n := len(tb.idle); n > 0 {
		r := tb.idle[n-1]
		tb.idle = tb.idle[:n-1]
		t.mu.Unlock()
		return r
	}
	t.mu.Unlock()
	r := &tableReader{table: tb}
	r.pool.Init(8)
	var err error
	if r.iter, err = tb.reader.NewPointIter(context.Background(), sstable.IterOptions{
		Env:                  sstable.ReadEnv{Block: block.ReadEnv{BufferPool: &r.pool, Stats: &r.stats}},
		FilterBlockSizeLimit: sstable.NeverUseFilterBlock,
		ReaderProvider:       sstable.MakeTrivialReaderProvider(tb.reader),
	}); err != nil {
		r.pool.Release()
		t.unref(tb)
		return nil
	}
	return r
}

// open opens the table of a run. It fails when the run is not in exactly one table.
func (t *Tables) open(run uint64) (*table, error) {
	from, to := index.RunBounds(run)
	levels, err := t.SSTables(pebble.WithKeyRangeFilter(from, to))
	if err != nil {
		return nil, err
	}
	file, n := uint64(0), 0
	for _, tables := range levels {
		for _, info := range tables {
			file = uint64(info.BackingSSTNum)
			n++
		}
	}
	if n != 1 {
		return nil, fmt.Errorf("run %d lies in %d tables", run, n)
	}
	f, err := t.fs.Open(t.fs.PathJoin(t.dir, fmt.Sprintf("%06d.sst", file)))
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	reader, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{})
	if err != nil {
		return nil, err // NewReader has closed the file
	}
	return &table{tables: t, file: file, reader: reader}, nil
}

// put adds the table of a run, unless another goroutine already did, and returns the table
// in use. When there are too many, it drops the least recently used one. The caller holds mu.
func (t *Tables) put(run uint64, opened *table) *table {
	if old := t.runs[run]; old != nil {
		if old.reader != nil {
			opened.close()
			return old
		}
		delete(t.runs, run)
	}
	if len(t.runs) >= TablesMax {
		var last uint64
		for id, tb := range t.runs {
			if t.runs[last] == nil || tb.lastUsed < t.runs[last].lastUsed {
				last = id
			}
		}
		t.drop(last)
	}
	opened.refs = 1
	t.runs[run] = opened
	return opened
}

// drop removes the table of a run. The caller holds mu.
func (t *Tables) drop(run uint64) {
	tb := t.runs[run]
	delete(t.runs, run)
	tb.unref()
}

// Deleted is called when Pebble has deleted a table. The disk space is free once the table is
// closed here.
func (t *Tables) Deleted(file uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deletions++
	for run, tb := range t.runs {
		if tb.file == file || tb.reader == nil { // a run in several tables may be in one now
			t.drop(run)
		}
	}
}

// Files returns the file numbers of the tables that runs are read from.
func (t *Tables) Files() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var files []uint64
	for _, tb := range t.runs {
		if tb.reader != nil {
			files = append(files, tb.file)
		}
	}
	return files
}

// Reads returns what was read directly from tables until now.
func (t *Tables) Reads() TableReads {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reads
}

// CloseAll removes all tables. Values in use stay valid until they are closed.
func (t *Tables) CloseAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for run := range t.runs {
		t.drop(run)
	}
}

func (t *Tables) unref(tb *table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tb.unref()
}

// unref removes one reference to the table. The caller holds mu.
func (tb *table) unref() {
	if tb.refs--; tb.refs == 0 {
		tb.close()
	}
}

func (tb *table) close() {
	for _, r := range tb.idle {
		r.close()
	}
	tb.idle = nil
	if tb.reader != nil {
		_ = tb.reader.Close()
	}
}

// find returns the value of a key.
func (r *tableReader) find(key []byte) (value []byte, ok bool) {
	kv := r.iter.SeekGE(key, 0)
	if kv == nil || !bytes.Equal(kv.K.UserKey, key) {
		return nil, false
	}
	value, _, err := kv.Value(nil)
	return value, err == nil
}

// Close returns the reader to the idle ones of its table.
func (r *tableReader) Close() error {
	t := r.table.tables
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads.Keys++
	t.reads.Bytes += r.stats.BlockBytes
	r.stats = pebble.InternalIteratorStats{}
	if len(r.table.idle) < tableIdleMax && r.table.refs > 1 {
		r.table.idle = append(r.table.idle, r)
	} else {
		r.close()
	}
	r.table.unref()
	return nil
}

// fail closes a reader that did not find a key.
func (r *tableReader) fail() {
	r.close()
	r.table.tables.unref(r.table)
}

func (r *tableReader) close() {
	_ = r.iter.Close()
	r.pool.Release()
}
