package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// runPage is a key and its value.
type runPage struct{ key, value []byte }

// randomRuns returns pages of runs 3, 4 and 5 in the shape that runs have: columns, their
// sections, and pages from 0 on, of very different sizes.
func randomRuns(rng *rand.Rand) (pages []runPage) {
	for run := uint64(3); run <= 5; run++ {
		prefix, _ := index.RunBounds(run)
		for _, col := range []byte{0, 1, 2, 9, 255} {
			for sec := byte(0); sec < 9; sec++ {
				for page := range rng.IntN(1 + rng.IntN(400)) {
					value := make([]byte, rng.IntN(1<<rng.IntN(15)))
					if rng.IntN(2) == 0 { // some compress, some do not
						for i := range value {
							value[i] = byte(rng.Uint32())
						}
					}
					key := append(slices.Clone(prefix), col, col, sec, 0, 0, byte(page>>8), byte(page))
					pages = append(pages, runPage{key, value})
				}
			}
		}
	}
	return pages
}

// writeRuns writes pages as a table into the store.
func writeRuns(t *testing.T, fs vfs.FS, db *pebble.DB, pages []runPage) {
	t.Helper()
	f, err := fs.Create("runs.sst", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	opts := &pebble.Options{FS: fs, FormatMajorVersion: PebbleFormat}
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), opts.MakeWriterOptions(6, db.TableFormat()))
	for _, p := range pages {
		if err := w.Set(p.key, p.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), db.Ingest(context.Background(), []string{"runs.sst"})); err != nil {
		t.Fatal(err)
	}
}

// Every page of every run is read, and none that is not there, whether there is room to know where
// pages lie, for one run only, or none. What is held is what the tables have, and is
// given back.
func TestBlocks(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewMem()
		db, err := OpenPebble("db", &pebble.Options{FS: fs, FormatMajorVersion: PebbleFormat, Logger: QuietLogger})
		if err != nil {
			t.Fatal(err)
		}
		pages := randomRuns(rng)
		writeRuns(t, fs, db, pages)
		need := int64(0)
		for _, most := range []int64{1 << 20, 0, -1} {
			if most < 0 {
				most = need/2 + 1
			}
			took := 0
			tables := NewTables(fs, "db", db, most, func() { took++ })
			for _, i := range rng.Perm(len(pages)) {
				p := pages[i]
				v, closer, err := tables.Get(p.key)
				if err != nil || !bytes.Equal(v, p.value) {
					t.Fatalf("seed %d, %d bytes of room: %x is %d bytes, %v; want %d", seed, most, p.key, len(v), err, len(p.value))
				}
				_ = closer.Close()
			}
			for range 200 {
				p := pages[rng.IntN(len(pages))]
				key := slices.Clone(p.key)
				key[9+rng.IntN(7)] += byte(1 + rng.IntN(3))
				at, there := slices.BinarySearchFunc(pages, key, func(p runPage, key []byte) int { return bytes.Compare(p.key, key) })
				v, closer, err := tables.Get(key)
				switch {
				case err == nil && there && bytes.Equal(v, pages[at].value):
					_ = closer.Close()
				case !there && errors.Is(err, pebble.ErrNotFound):
				default:
					t.Fatalf("seed %d: %x is there: %v; it is %d bytes, %v", seed, key, there, len(v), err)
				}
			}
			reads := tables.Reads()
			if reads.Keys < uint64(len(pages)) {
				t.Errorf("seed %d, %d bytes of room: of %d pages only %d were read from the table", seed, most, len(pages), reads.Keys)
			}
			held := tables.Bytes()
			switch {
			case most == 1<<20:
				if need = held; held < int64(len(pages)) || took != 3 {
					t.Errorf("seed %d: %d bytes held for %d pages, told of it %d times", seed, held, len(pages), took)
				}
			case held > most:
				t.Errorf("seed %d: %d bytes held, at most %d", seed, held, most)
			}
			if tables.CloseAll(); tables.Bytes() != 0 {
				t.Errorf("seed %d: %d bytes are held after all", seed, tables.Bytes())
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A page in a damaged block is an error and never another value, and others are read.
func TestDamagedBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	fs := vfs.NewMem()
	db, err := OpenPebble("db", &pebble.Options{FS: fs, FormatMajorVersion: PebbleFormat, Logger: QuietLogger,
		EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pages := randomRuns(rng)
	writeRuns(t, fs, db, pages)
	tables := NewTables(fs, "db", db, 1<<20, nil)
	defer tables.CloseAll()
	for _, i := range []int{0, len(pages) / 2, len(pages) - 1} { // opens the table for all runs
		_, closer, err := tables.Get(pages[i].key)
		if err != nil {
			t.Fatal(err)
		}
		_ = closer.Close()
	}
	f, err := fs.OpenReadWrite(fmt.Sprintf("db/%06d.sst", tables.Files()[0]), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	const at = 20_000 // in some block of data
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	bad := 0
	for _, p := range pages {
		v, closer, err := tables.Get(p.key)
		if err != nil {
			bad++
			continue
		}
		if !bytes.Equal(v, p.value) {
			t.Errorf("%x is another value", p.key)
		}
		_ = closer.Close()
	}
	if bad == 0 || bad > len(pages)/10 {
		t.Errorf("of %d pages %d are damaged by one bit", len(pages), bad)
	}
}
