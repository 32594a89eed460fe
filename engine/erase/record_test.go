package erase

import (
	"reflect"
	"testing"

	"cairn/engine/query"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestRecords(t *testing.T) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	put := func(site uint32, r *Record) {
		t.Helper()
		b := db.NewBatch()
		if err := r.Put(b, site); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	all := func(site uint32) (got []*Record) {
		t.Helper()
		if err := Each(db, site, func(r *Record) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	small := &Record{Receipt: query.Receipt{ID: 1, Kind: query.DeletePerson, Condition: "user", By: "secret_key", Reason: "asked by mail", Now: true, State: query.DeletionHidden,
		UpTo: 90, Rows: 2, First: -5, Last: 7, HiddenAt: 1, PurgeBy: 2}, Seqs: roaring64.BitmapOf(3, 90)}
	large := &Record{Receipt: query.Receipt{ID: 2, Kind: query.DeleteRetention, State: query.DeletionHidden, UpTo: 1 << 36}, Seqs: roaring64.New()}
	for i := uint64(1); i < 6<<20; i++ { // more than one piece
		large.Seqs.Add(i * 4093)
	}
	large.Rows = large.Seqs.GetCardinality()
	other := &Record{Receipt: query.Receipt{ID: 1, Kind: query.DeleteFilter, State: query.DeletionDone, Rows: 4, DoneAt: 9,
		Sinks: []query.SinkReceipt{{Name: "a"}, {Name: "b", At: 8, Beyond: []uint64{1<<64 - 1}, Passed: true}}}}
	put(7, small)
	put(7, large)
	put(8, other)
	equal := func(got []*Record, want ...*Record) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i := range want {
			if !reflect.DeepEqual(got[i].Receipt, want[i].Receipt) || (got[i].Seqs == nil) != (want[i].Seqs == nil) || got[i].Seqs != nil && !got[i].Seqs.Equals(want[i].Seqs) {
				t.Errorf("record %d: %+v, want %+v", i, got[i].Receipt, want[i].Receipt)
			}
		}
	}
	equal(all(7), small, large)
	equal(all(8), other)
	if n := pieces(t, db, 7, 2); n < 3 {
		t.Errorf("the bitmap lies in %d pieces, want several", n-1)
	}

	// A later state without the rows takes the place of all pieces.
	done := &Record{Receipt: large.Receipt}
	done.State, done.DoneAt = query.DeletionDone, 11
	put(7, done)
	equal(all(7), small, done)
	if n := pieces(t, db, 7, 2); n != 1 {
		t.Errorf("%d keys are left, want 1", n)
	}
}

func pieces(t *testing.T, db *pebble.DB, site uint32, id uint64) (n int) {
	t.Helper()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: Key(site, id), UpperBound: Key(site, id+1)})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n
}

// Damage to any byte of a record is found.
func TestDamagedRecords(t *testing.T) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := &Record{Receipt: query.Receipt{ID: 1, Kind: query.DeletePerson, State: query.DeletionHidden, UpTo: 9, Rows: 3}, Seqs: roaring64.BitmapOf(3, 4, 9)}
	b := db.NewBatch()
	if err := r.Put(b, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	for piece := range 2 {
		key := pieceKey(1, 1, piece)
		v, closer, err := db.Get(key)
		if err != nil {
			t.Fatal(err)
		}
		good := append([]byte(nil), v...)
		closer.Close()
		for i := range good {
			bad := append([]byte(nil), good...)
			bad[i] ^= 0x40
			if err := db.Set(key, bad, nil); err != nil {
				t.Fatal(err)
			}
			if err := Each(db, 1, func(*Record) error { return nil }); err == nil {
				t.Errorf("piece %d, byte %d: the damage is not found", piece, i)
			}
		}
		if err := db.Set(key, good, nil); err != nil {
			t.Fatal(err)
		}
	}
}
