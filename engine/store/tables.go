// Tables: keys of runs, read from the tables they lie in.

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

// Tables reads keys of runs past Pebble's levels. A run never changes and mostly lies
// in one table, so nothing else need be looked into; and blocks are read into buffers
// that are used again, where Pebble takes new memory for each, which was half of all
// that ingest into a large store left to the collector. Whatever goes wrong here,
// Pebble is asked instead, and says what it is.
type Tables struct {
	*pebble.DB
	fs  vfs.FS
	dir string // of the tables

	mu        sync.Mutex
	runs      map[uint64]*table // by run
	tick      uint64
	deletions uint64
	closed    bool
}

// table is an open table, closed when nobody refers to it.
type table struct {
	of      *Tables
	file    uint64
	reader  *sstable.Reader // nil = the run is read through Pebble, for now
	until   time.Time       // then it is looked for again
	refs    int             // under tables.mu, as all that follows: of runs and of readers
	idle    []*tableReader
	touched uint64
}

// tableReader looks for one key at a time. What it has found is good until it is closed.
type tableReader struct {
	table *table
	iter  sstable.Iterator
	pool  block.BufferPool
}

const (
	TablesMax    = 64          // open at once
	tableIdleMax = 2           // readers that are kept of one
	tableRetry   = time.Minute // a run that lies in several tables may be compacted into one
)

// NewTables reads the tables of an open store, which lie in a directory.
func NewTables(fs vfs.FS, dir string, db *pebble.DB) *Tables {
	return &Tables{DB: db, fs: fs, dir: dir, runs: make(map[uint64]*table)}
}

// Get returns the value of a key of a run. It is good until it is closed.
func (t *Tables) Get(key []byte) ([]byte, io.Closer, error) {
	if r := t.reader(index.RunOf(key)); r != nil {
		if v, ok := r.find(key); ok {
			return v, r, nil
		}
		r.fail()
	}
	return t.DB.Get(key)
}

// reader returns a reader of the table of a run, nil when there is none.
func (t *Tables) reader(run uint64) *tableReader {
	t.mu.Lock()
	tb := t.runs[run]
	if tb == nil || tb.reader == nil && time.Now().After(tb.until) {
		before := t.deletions
		t.mu.Unlock()
		opened, err := t.open(run)
		if err != nil {
			opened = &table{until: time.Now().Add(tableRetry)}
		}
		t.mu.Lock()
		if t.closed || t.deletions != before { // it may be the one that is no more
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
	tb.touched = t.tick
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
		Env:                  sstable.ReadEnv{Block: block.ReadEnv{BufferPool: &r.pool}},
		FilterBlockSizeLimit: sstable.NeverUseFilterBlock,
		ReaderProvider:       sstable.MakeTrivialReaderProvider(tb.reader),
	}); err != nil {
		r.pool.Release()
		t.unref(tb)
		return nil
	}
	return r
}

// open opens the table of a run.
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
		return nil, err // the file is closed
	}
	return &table{of: t, file: file, reader: reader}, nil
}

// put keeps the table of a run, unless another was quicker, and lets go of that which
// nobody has asked for longest, if there are too many. The caller holds mu.
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
			if t.runs[last] == nil || tb.touched < t.runs[last].touched {
				last = id
			}
		}
		t.drop(last)
	}
	opened.refs = 1
	t.runs[run] = opened
	return opened
}

// drop lets go of the table of a run. The caller holds mu.
func (t *Tables) drop(run uint64) {
	tb := t.runs[run]
	delete(t.runs, run)
	tb.unref()
}

// Deleted is told that a table is no more: its room is free once it is closed.
func (t *Tables) Deleted(file uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deletions++
	for run, tb := range t.runs {
		if tb.file == file || tb.reader == nil { // what lay in several may lie in one now
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

// CloseAll lets go of all tables. Readers that are at work end by themselves.
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

// unref says that one refers to the table no more. The caller holds mu.
func (tb *table) unref() {
	if tb.refs--; tb.refs == 0 {
		tb.close()
	}
}

func (tb *table) close() {
	for _, r := range tb.idle {
		r.end()
	}
	tb.idle = nil
	if tb.reader != nil {
		_ = tb.reader.Close()
	}
}

// find looks for a key.
func (r *tableReader) find(key []byte) (value []byte, ok bool) {
	kv := r.iter.SeekGE(key, 0)
	if kv == nil || !bytes.Equal(kv.K.UserKey, key) {
		return nil, false
	}
	value, _, err := kv.Value(nil)
	return value, err == nil
}

// Close gives the reader back.
func (r *tableReader) Close() error {
	t := r.table.of
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(r.table.idle) < tableIdleMax && r.table.refs > 1 {
		r.table.idle = append(r.table.idle, r)
	} else {
		r.end()
	}
	r.table.unref()
	return nil
}

// fail closes a reader that did not find what must be there.
func (r *tableReader) fail() {
	r.end()
	r.table.of.unref(r.table)
}

func (r *tableReader) end() {
	_ = r.iter.Close()
	r.pool.Release()
}
