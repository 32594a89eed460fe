package engine

import (
	"bytes"
	"math"
	"testing"

	"cairn/engine/store"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A real store has keys of every prefix and of no other.
func TestKeysOfAStore(t *testing.T) {
	fs := vfs.NewMem()
	if ok, err := vfs.Clone(vfs.Default, fs, "testdata/store-v1/store", "store"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	db, err := store.OpenPebble("store", store.ReadOnlyOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	keys := map[byte]int{}
	for ok := it.First(); ok; ok = it.Next() {
		keys[it.Key()[0]]++
	}
	for _, p := range []byte{store.Prefix, store.PrefixID, store.PrefixIDsUpTo, store.PrefixLink, store.PrefixHeartbeats, wal.PrefixBlock, wal.PrefixNote, index.PrefixDescriptor, index.PrefixRun} {
		if keys[p] == 0 {
			t.Errorf("no key has prefix %#x", p)
		}
		delete(keys, p)
	}
	if len(keys) > 0 {
		t.Errorf("keys of unknown prefixes: %v", keys)
	}
}

// The packages share one key space. No two prefixes are the same, and each is one byte, so
// that none is the beginning of another.
func TestPrefixesAreDisjoint(t *testing.T) {
	owners := map[int]string{}
	for _, p := range []struct {
		name   string
		prefix int
	}{
		{"store", store.Prefix}, {"id", store.PrefixID}, {"ids up to", store.PrefixIDsUpTo}, {"link", store.PrefixLink}, {"heartbeats", store.PrefixHeartbeats}, {"deletions", store.PrefixDeletions}, {"saved", store.PrefixSaved}, {"browsers", store.PrefixBrowsers}, {"key uses", store.PrefixKeyUses}, {"notes", store.PrefixNotes}, {"sinks", store.PrefixSinks}, {"shipped", store.PrefixShipped},
		{"wal block", wal.PrefixBlock}, {"wal note", wal.PrefixNote},
		{"index descriptor", index.PrefixDescriptor}, {"index run", index.PrefixRun},
	} {
		if p.prefix < 1 || p.prefix > 0xfe {
			t.Errorf("prefix %#x of %s is not between 0x01 and 0xfe", p.prefix, p.name)
		}
		if p.prefix > index.PrefixRun {
			t.Errorf("prefix %#x of %s lies above the runs", p.prefix, p.name)
		}
		if other, ok := owners[p.prefix]; ok {
			t.Errorf("%[2]s and %[3]s both have the prefix %#[1]x", p.prefix, p.name, other)
		}
		owners[p.prefix] = p.name
	}
}

// Keys of links sort by site, then by seq.
func TestLinkKeyOrder(t *testing.T) {
	var last []byte
	for _, site := range []uint32{0, 1, 255, 256, math.MaxUint32} {
		for _, seq := range []uint64{0, 1, 255, 256, 1 << 40, math.MaxUint64} {
			k := store.LinkKey(site, seq)
			if bytes.Compare(last, k) >= 0 || !bytes.HasPrefix(k, store.SiteKey(store.PrefixLink, site)) {
				t.Errorf("key %x is not above %x, or lacks its prefix", k, last)
			}
			last = k
		}
	}
}
