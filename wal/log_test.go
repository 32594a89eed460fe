// The promise of the log: replay gives what was appended, in order and to the byte.
// Missing or damaged data is reported and never guessed.

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// openDB makes an empty Pebble in memory.
func openDB(t testing.TB) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(string, ...any)        {}
func (quiet) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

// kept is a Writer that remembers the pairs it was given, in order.
type kept struct{ keys, values [][]byte }

func (k *kept) Set(key, value []byte, _ *pebble.WriteOptions) error {
	k.keys = append(k.keys, slices.Clone(key))
	k.values = append(k.values, slices.Clone(value))
	return nil
}

func (k *kept) DeleteRange([]byte, []byte, *pebble.WriteOptions) error { return nil }

// wipe empties a database between two tries of a property.
func wipe(t interface{ Fatal(...any) }, db *pebble.DB) {
	if err := db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
}

// replayed collects what Replay gives.
func replayed(r pebble.Reader, site uint32) (first uint64, records []string, err error) {
	err = Replay(r, site, func(seq uint64, rec []byte) error {
		if first == 0 {
			first = seq
		}
		if want := first + uint64(len(records)); seq != want {
			return fmt.Errorf("seq %d follows %d", seq, want-1)
		}
		records = append(records, string(rec))
		return nil
	})
	return first, records, err
}

// Groups of random records of a few sites, interleaved, are replayed site by site as
// they were appended. Notes are found by range. A trim at the end of a group removes
// exactly what is before it.
func TestRoundTrip(t *testing.T) {
	db := openDB(t)
	type group struct {
		first   uint64
		records []string
		note    string
	}
	rapid.Check(t, func(t *rapid.T) {
		wipe(t, db)
		sites := rapid.SliceOfNDistinct(rapid.Uint32(), 1, 3, rapid.ID).Draw(t, "sites")
		next := map[uint32]uint64{}
		groups := map[uint32][]group{}
		var scratch []byte
		for range rapid.IntRange(1, 6).Draw(t, "groups") {
			b := db.NewBatch()
			for _, site := range sites {
				n := rapid.SampledFrom([]int{0, 1, 2, 63, 64, 65, 130}).Draw(t, "records")
				if n == 0 {
					continue
				}
				if next[site] == 0 {
					next[site] = rapid.SampledFrom([]uint64{1, 2, 1 << 40}).Draw(t, "first")
				}
				size := rapid.SampledFrom([]int{0, 3, 300, BlockBytesMax / 3, BlockBytesMax + 1}).Draw(t, "size")
				g := group{first: next[site], note: rapid.String().Draw(t, "note")}
				records := make([][]byte, n)
				for i := range records {
					records[i] = bytes.Repeat([]byte{byte(next[site]) + byte(i)}, min(size, 1<<20/n)+i%3)
					g.records = append(g.records, string(records[i]))
				}
				var err error
				if scratch, err = Append(b, site, g.first, records, scratch); err != nil {
					t.Fatal(err)
				}
				if scratch, err = AppendNote(b, site, g.first, []byte(g.note), scratch); err != nil {
					t.Fatal(err)
				}
				next[site] += uint64(n)
				groups[site] = append(groups[site], g)
			}
			if err := b.Commit(pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
		compare := func() {
			var have []uint32
			for _, site := range sites {
				if len(groups[site]) > 0 {
					have = append(have, site)
				}
			}
			slices.Sort(have)
			if got, err := Sites(db); err != nil || !slices.Equal(got, have) {
				t.Fatalf("sites %v, %v; want %v", got, err, have)
			}
			for _, site := range sites {
				var want []string
				for _, g := range groups[site] {
					want = append(want, g.records...)
				}
				first, got, err := replayed(db, site)
				if err != nil || !slices.Equal(got, want) || len(want) > 0 && first != groups[site][0].first {
					t.Fatalf("site %d: %d records from %d, %v; want %d", site, len(got), first, err, len(want))
				}
			}
		}
		compare()
		for _, site := range sites {
			if len(groups[site]) == 0 {
				continue
			}
			gs := groups[site]
			lo, hi := rapid.IntRange(0, len(gs)).Draw(t, "from"), rapid.IntRange(0, len(gs)).Draw(t, "to")
			if lo > hi {
				lo, hi = hi, lo
			}
			start := func(i int) uint64 {
				if i == len(gs) {
					return next[site]
				}
				return gs[i].first
			}
			i := lo
			err := Notes(db, site, start(lo), start(hi), func(first uint64, data []byte) error {
				if i >= hi || first != gs[i].first || string(data) != gs[i].note {
					t.Fatalf("note %d of %d..%d: %q at %d", i, lo, hi, data, first)
				}
				i++
				return nil
			})
			if err != nil || i != hi {
				t.Fatalf("notes %d..%d: ended at %d, %v", lo, hi, i, err)
			}
			if err := Trim(db, site, start(lo)); err != nil {
				t.Fatal(err)
			}
			groups[site] = gs[lo:]
			err = Notes(db, site, 0, 1<<64-1, func(first uint64, _ []byte) error {
				if first < start(lo) {
					t.Fatalf("note at %d outlived a trim before %d", first, start(lo))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		compare()
	})
}

// A block closes at 64 records or 16 KiB; a larger record is alone.
func TestBlockBounds(t *testing.T) {
	sized := func(n, size int) (records [][]byte) {
		for range n {
			records = append(records, make([]byte, size))
		}
		return records
	}
	for _, c := range []struct {
		name    string
		records [][]byte
		blocks  []uint64 // first seq of each
	}{
		{"none", nil, nil},
		{"one empty", sized(1, 0), []uint64{7}},
		{"by count", sized(BlockRecordsMax, 1), []uint64{7}},
		{"one over the count", sized(BlockRecordsMax+1, 1), []uint64{7, 71}},
		{"by bytes", sized(4, BlockBytesMax/4), []uint64{7}},
		{"one over the bytes", sized(5, BlockBytesMax/4), []uint64{7, 11}},
		{"a byte over", sized(2, BlockBytesMax/2+1), []uint64{7, 8}},
		{"large ones alone", sized(3, BlockBytesMax*4), []uint64{7, 8, 9}},
		{"a large one between", append(append(sized(2, 9), sized(1, BlockBytesMax)...), sized(2, 9)...), []uint64{7, 9, 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var k kept
			if _, err := Append(&k, 1, 7, c.records, nil); err != nil {
				t.Fatal(err)
			}
			var got [][]byte
			for _, first := range c.blocks {
				got = append(got, key(PrefixBlock, 1, first))
			}
			if !slices.EqualFunc(k.keys, got, bytes.Equal) {
				t.Errorf("blocks at %x, want %x", k.keys, got)
			}
		})
	}
}

// A log without one of its blocks is refused at the gap. The records before the gap are
// right.
func TestReplayFindsGaps(t *testing.T) {
	db := openDB(t)
	var want []string
	records := make([][]byte, 300)
	for i := range records {
		records[i] = fmt.Appendf(nil, "record %d", i)
		want = append(want, string(records[i]))
	}
	if _, err := Append(db, 3, 10, records, nil); err != nil {
		t.Fatal(err)
	}
	for first := uint64(10); first < 310; first += BlockRecordsMax {
		value, closer, err := db.Get(key(PrefixBlock, 3, first))
		if err != nil {
			t.Fatal(err)
		}
		value = slices.Clone(value)
		_ = closer.Close()
		if err := db.Delete(key(PrefixBlock, 3, first), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		_, got, err := replayed(db, 3)
		var corrupt *CorruptError
		switch {
		case first == 10 || first+BlockRecordsMax >= 310: // an end: the caller knows where the log should begin and end
			if err != nil {
				t.Errorf("without the block at %d: %v", first, err)
			}
		case !errors.As(err, &corrupt) || corrupt.Site != 3 || corrupt.Seq != first || !slices.Equal(got, want[:first-10]):
			t.Errorf("without the block at %d: %d records, %v", first, len(got), err)
		}
		if err := db.Set(key(PrefixBlock, 3, first), value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	// Two overlapping blocks are not a valid log either.
	if _, err := Append(db, 3, 300, records[:5], nil); err != nil {
		t.Fatal(err)
	}
	var corrupt *CorruptError
	if _, _, err := replayed(db, 3); !errors.As(err, &corrupt) {
		t.Errorf("overlapping blocks: %v", err)
	}
}

// Every flipped bit, every truncation of a value, and a value under another key is a
// *CorruptError, and no record of the block is passed on.
func TestDamage(t *testing.T) {
	db := openDB(t)
	if _, err := Append(db, 1, 5, [][]byte{[]byte("one"), {}, []byte("three, a longer one")}, nil); err != nil {
		t.Fatal(err)
	}
	_, packed := goldenRecords()
	if _, err := Append(db, 11, 5, asBytes(packed), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := AppendNote(db, 1, 5, []byte("a note"), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		prefix byte
		site   uint32
	}{{PrefixBlock, 1}, {PrefixBlock, 11}, {PrefixNote, 1}} {
		prefix, site := c.prefix, c.site
		k := key(prefix, site, 5)
		good, closer, err := db.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		good = slices.Clone(good)
		_ = closer.Close()
		try := func(what string, site uint32, value []byte) {
			t.Helper()
			given := 0
			var err error
			if prefix == PrefixBlock {
				err = Replay(db, site, func(uint64, []byte) error { given++; return nil })
			} else {
				err = Notes(db, site, 0, 1<<63, func(uint64, []byte) error { given++; return nil })
			}
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Site != site || given != 0 {
				t.Errorf("prefix %x, %s: %d given, %v; value %x", prefix, what, given, err, value)
			}
		}
		for i := range good {
			for bit := range 8 {
				bad := slices.Clone(good)
				bad[i] ^= 1 << bit
				if err := db.Set(k, bad, pebble.NoSync); err != nil {
					t.Fatal(err)
				}
				try(fmt.Sprintf("bit %d of byte %d", bit, i), site, bad)
			}
			if err := db.Set(k, good[:i], pebble.NoSync); err != nil {
				t.Fatal(err)
			}
			try(fmt.Sprintf("cut to %d bytes", i), site, good[:i])
		}
		if err := db.Set(k, append(slices.Clone(good), 0), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		try("a byte more", site, nil)
		if err := db.Set(key(prefix, 2, 5), good, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		try("under the key of another site", 2, good)
		if err := db.Set(key(prefix, 4, 6), good, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		try("under another seq", 4, good)
		// A key that does not belong to the log.
		short := append(key(prefix, 6, 5)[:11], 0xff)
		if err := db.Set(short, good, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		try("under a short key", 6, good)
	}
	if err := db.Set([]byte{PrefixBlock, 0xff}, nil, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	var corrupt *CorruptError
	if sites, err := Sites(db); !errors.As(err, &corrupt) {
		t.Errorf("sites with a short key: %v, %v", sites, err)
	}
}

// A version this program does not know is refused, however good its sum.
func TestUnknownVersion(t *testing.T) {
	db := openDB(t)
	k := key(PrefixBlock, 1, 1)
	if err := db.Set(k, appendSum([]byte{version + 1, 1, 0}, k), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	var corrupt *CorruptError
	if _, _, err := replayed(db, 1); !errors.As(err, &corrupt) || corrupt.What != "unknown version 2" {
		t.Errorf("got %v", err)
	}
}

// CorruptError names the damaged file and says what is wrong with it.
func TestCorruptError(t *testing.T) {
	err := &CorruptError{Site: 3, Seq: 12, What: "checksum mismatch"}
	if file, what := err.Damaged(); file != "log of site 3" || what != "at seq 12: checksum mismatch" {
		t.Errorf("%q, %q", file, what)
	}
	if got := err.Error(); got != "log of site 3 at seq 12: checksum mismatch" {
		t.Error(got)
	}
}

// The first and last site and the lowest and highest seq behave like any other.
func TestEnds(t *testing.T) {
	db := openDB(t)
	sites := []uint32{0, 1, 1<<32 - 2, 1<<32 - 1}
	for _, s := range sites {
		if _, err := Append(db, s, 1, [][]byte{fmt.Appendf(nil, "%d", s)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Sites(db); err != nil || !slices.Equal(got, sites) {
		t.Fatalf("sites %v, %v", got, err)
	}
	for _, s := range sites {
		if _, got, err := replayed(db, s); err != nil || !slices.Equal(got, []string{fmt.Sprint(s)}) {
			t.Errorf("site %d: %q, %v", s, got, err)
		}
	}
	if err := Trim(db, 1, 2); err != nil {
		t.Fatal(err)
	}
	if got, err := Sites(db); err != nil || !slices.Equal(got, []uint32{0, 1<<32 - 2, 1<<32 - 1}) {
		t.Fatalf("sites after a trim of 1: %v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := Replay(db, 0, func(uint64, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error: %v", err)
	}
}
