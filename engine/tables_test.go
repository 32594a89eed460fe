package engine

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// openFS counts the files that are open for reading.
type openFS struct {
	vfs.FS
	open atomic.Int64
}

type openFile struct {
	vfs.File
	fs *openFS
}

func (fs *openFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	fs.open.Add(1)
	return openFile{f, fs}, nil
}

func (f openFile) Close() error {
	f.fs.open.Add(-1)
	return f.File.Close()
}

// runKeys returns all runs that exist, and all their keys.
func runKeys(t *testing.T, db *pebble.DB) (keys [][]byte, runs []uint64) {
	t.Helper()
	err := index.Descriptors(db, func(d index.Descriptor) error {
		runs = append(runs, d.Run)
		from, to := index.RunBounds(d.Run)
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			keys = append(keys, slices.Clone(it.Key()))
		}
		return it.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, runs
}

// Runs read directly from their tables are the same as runs read through Pebble, for several
// readers at once and while tables come and go. A table that was deleted is not kept open,
// and no table is open after CloseAll.
func TestTables(t *testing.T) {
	fs := vfs.NewMem()
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: fs, Reserve: -1, SealRows: 50, MergeRuns: 4, Memory: 8 << 20, Sites: SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	counted := &openFS{FS: fs}
	tables := store.NewTables(counted, store.Dir(fs, "data"), e.db, 1<<20, nil)
	n := 0
	for range 12 {
		for range 5 {
			var records []Record
			for range 100 {
				n++
				records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: fmt.Sprint("m", n)}}})
			}
			if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
				t.Fatal(err)
			}
		}
		keys, _ := runKeys(t, e.db)
		var wg sync.WaitGroup
		for reader := range 4 {
			wg.Go(func() {
				for i := range keys {
					key := keys[(i*7+reader*13)%len(keys)]
					want, wantCloser, err := e.db.Get(key)
					if err != nil {
						continue // the run was merged away meanwhile
					}
					got, closer, err := tables.Get(key)
					if err == nil && !bytes.Equal(got, want) {
						t.Errorf("key %x is %x, want %x", key, got, want)
					}
					if err == nil {
						_ = closer.Close()
					}
					_ = wantCloser.Close()
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
	}
	_, runs := runKeys(t, e.db)
	last := runs[len(runs)-1]
	if files := len(tables.Files()); files == 0 || int64(files) > counted.open.Load() || counted.open.Load() > store.TablesMax {
		t.Errorf("%d tables are open for %d runs, from %d open files", files, len(runs), counted.open.Load())
	}
	held, closer, err := tables.Get(runKey(last))
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(held)
	for _, file := range tables.Files() {
		tables.Deleted(file)
		if slices.Contains(tables.Files(), file) {
			t.Errorf("runs are still read from table %d, which was deleted", file)
		}
	}
	if !bytes.Equal(held, before) {
		t.Errorf("run %d: a reader lost its table while it was reading", last)
	}
	_ = closer.Close()
	tables.CloseAll()
	if open := counted.open.Load(); open != 0 {
		t.Errorf("%d tables are open after CloseAll", open)
	}
	if _, closer, err := tables.Get(runKey(last)); err != nil {
		t.Error(err)
	} else {
		_ = closer.Close()
	}
	if open := counted.open.Load(); open != 0 {
		t.Error("a table is opened after CloseAll")
	}
}

// runKey returns the last key of a run. Every run has it.
func runKey(run uint64) []byte {
	from, _ := index.RunBounds(run)
	return append(from, 0xff, 0xff, 0, 0, 0, 0, 0)
}
