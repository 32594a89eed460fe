// Tables: keys of runs, read directly from Pebble's tables.

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Tables reads keys of runs from Pebble's tables, past Pebble's levels. A run never changes
// and is usually in one table, so only that table needs to be read, and where its keys lie is
// held in memory. Blocks are read into
// buffers that are reused. Pebble allocates new memory for each block, which was half of the
// garbage of ingest into a large store. When anything goes wrong here, the key is read
// through Pebble, which reports the error.
type Tables struct {
	*pebble.DB
	fs         vfs.FS
	dir        string            // of the tables
	blocksMost int64             // most bytes of all blocks
	took       func()            // see NewTables
	held       atomic.Int64      // bytes of all blocks; mu guards changes
	mu         sync.Mutex        // guards what follows
	runs       map[uint64]*table // by run
	idle       []*tableReader    // of tables with blocks
	tick       uint64            // counts uses of tables
	deletions  uint64            // counts calls of Deleted
	reads      TableReads
	closed     bool
}

// table is an open table. It is closed when nothing refers to it.
type table struct {
	tables   *Tables
	file     uint64
	reader   *sstable.Reader // nil = the run is read through Pebble, until retryAt
	retryAt  time.Time       // when the table is searched again
	blocks   *blocks         // nil = there is no room for them
	refs     int             // from runs and from readers; tables.mu guards it and what follows
	idle     []*tableReader  // with an iterator
	lastUsed uint64
}

// TableReads counts what was read directly from tables.
type TableReads struct {
	Keys  uint64 // keys that were found
	Bytes uint64 // bytes of blocks as they are stored, blocks of indexes among them
}

const (
	TablesMax    = 64          // most open tables
	tableIdleMax = 2           // most idle readers of a table without blocks, and for each processor of all others
	tableRetry   = time.Minute // by then a run in several tables may be compacted into one

	// tableUnused is how many keys are read from other tables before the blocks of a table make
	// room for those of another.
	tableUnused = 1 << 16
)

// NewTables reads the tables of an open store, which lie in a directory. Where the keys of runs
// lie may take so many bytes; took, if not nil, is called when it takes more than before. A run
// for which there is no room is read through the index in its table.
func NewTables(fs vfs.FS, dir string, db *pebble.DB, blocksMost int64, took func()) *Tables {
	return &Tables{DB: db, fs: fs, dir: dir, blocksMost: blocksMost, took: took, runs: make(map[uint64]*table)}
}

// Bytes returns how many bytes are held to know where the keys of runs lie.
func (t *Tables) Bytes() int64 { return t.held.Load() }

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
	if tb == nil || t.again(tb) {
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
		if tb.blocks != nil && t.took != nil {
			defer t.took() // when mu is free
		}
	}
	if tb.reader == nil {
		t.mu.Unlock()
		return nil
	}
	t.tick++
	tb.lastUsed = t.tick
	tb.refs++
	b, idle := tb.blocks, &t.idle
	if b == nil {
		idle = &tb.idle
	}
	if n := len(*idle); n > 0 {
		r := (*idle)[n-1]
		*idle = (*idle)[:n-1]
		t.mu.Unlock()
		r.table, r.blocks = tb, b
		return r
	}
	t.mu.Unlock()
	r, err := newTableReader(tb, b)
	if err != nil {
		t.unref(tb)
		return nil
	}
	return r
}

// again reports whether the table of a run is to be opened again: it was not found, or there was no
// room for its blocks and is now. The caller holds mu.
func (t *Tables) again(tb *table) bool {
	switch {
	case tb.reader == nil:
		return time.Now().After(tb.retryAt)
	case tb.blocks == nil && t.held.Load() < t.blocksMost/2:
		return !tb.retryAt.IsZero() && time.Now().After(tb.retryAt)
	}
	return false
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
		_ = readable.Close()
		return nil, err
	}
	tb := &table{tables: t, file: file, reader: reader}
	if tb.blocks, err = readBlocks(reader, run); err != nil && !errors.Is(err, errNoBlocks) {
		_ = reader.Close()
		return nil, err
	}
	return tb, nil
}

// put adds the table of a run, unless another goroutine already did, and returns the table
// in use. When there are too many, it drops the least recently used one. The caller holds mu.
func (t *Tables) put(run uint64, opened *table) *table {
	if old := t.runs[run]; old != nil {
		if old.reader != nil && old.blocks != nil {
			opened.close()
			return old
		}
		t.drop(run)
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
	if need := opened.blocks.bytes(); t.room(need) {
		t.held.Add(need)
	} else {
		opened.blocks, opened.retryAt = nil, time.Now().Add(tableRetry)
	}
	return opened
}

// room makes room for the blocks of a table: it forgets those of tables that have not been read for
// long. The caller holds mu.
func (t *Tables) room(bytes int64) bool {
	for _, tb := range t.runs {
		if t.held.Load()+bytes <= t.blocksMost {
			break
		}
		if tb.blocks != nil && t.tick-tb.lastUsed > tableUnused {
			t.forget(tb)
			tb.retryAt = time.Now().Add(tableRetry)
		}
	}
	return t.held.Load()+bytes <= t.blocksMost
}

// forget gives the room of the blocks of a table back. The caller holds mu.
func (t *Tables) forget(tb *table) {
	t.held.Add(-tb.blocks.bytes())
	tb.blocks = nil
}

// drop removes the table of a run. The caller holds mu.
func (t *Tables) drop(run uint64) {
	tb := t.runs[run]
	delete(t.runs, run)
	t.forget(tb)
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
	for _, r := range t.idle {
		r.close()
	}
	t.idle = nil
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
