package backup

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/klauspost/compress/zstd"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/store"

	"cairn/engine/erase"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// object makes an object with one item of each kind.
func object(t testing.TB) []byte {
	t.Helper()
	w, err := newLogWriter(&logHead{Chain: "a-0001-20260301T120000.000Z-00", Number: 2, At: 5, Before: 1, Line: "line", Life: "a-0001"})
	if err != nil {
		t.Fatal(err)
	}
	w.item(itemFile, append(appendText(nil, []byte("keys.toml")), appendText(nil, []byte("keys"))...))
	w.item(itemRecords, appendText(appendText(appendText(nil, store.SiteKey(store.PrefixSaved, 1)), []byte("12345678")), []byte("saved")))
	w.item(itemRecords, appendText(appendText(appendText(nil, store.Key("version")), nil), []byte{store.VersionNewest}))
	e := event.Event{Dialect: event.Native, Type: event.Track, Name: "n", Time: 1, Received: 1}
	record := event.AppendRecord(nil, event.HeadOf(&e), event.AppendBody(nil, &e))
	group := binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, 1), 1), 2)
	group = appendText(appendText(appendText(group, record), record), []byte{0})
	w.item(itemGroup, appendText(binary.AppendUvarint(group, 1), make([]byte, 16)))
	w.item(itemHeartbeat, appendText(appendText(nil, identity.HeartbeatsKey(1, 1)), make([]byte, 8)))
	d := erase.Record{Seqs: roaring64.BitmapOf(1), Receipt: query.Receipt{ID: 1, Kind: query.DeleteFilter, State: query.DeletionHidden, UpTo: 1, Rows: 1}}
	var pieces []byte
	if err := d.Pieces(1, func(key, value []byte) error {
		pieces = appendText(appendText(pieces, key), value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	w.item(itemDeletion, pieces)
	text, err := w.finish(false)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// kinds reads the kinds of the items of an object.
func kinds(text []byte) (kinds []byte, err error) {
	_, err = readLog(text, nil, func(kind byte, _ []byte) error {
		kinds = append(kinds, kind)
		return nil
	})
	return kinds, err
}

// An object is read as it was written, and not at all when a byte is missing, is another one, or follows.
func TestLogObject(t *testing.T) {
	text := object(t)
	if got, err := kinds(text); err != nil || !slices.Equal(got, []byte{itemFile, itemRecords, itemRecords, itemGroup, itemHeartbeat, itemDeletion}) {
		t.Fatalf("%v, %v", got, err)
	}
	for n := range text {
		if _, err := kinds(text[:n]); err == nil {
			t.Errorf("%d bytes of %d are read", n, len(text))
		}
		harmed := bytes.Clone(text)
		harmed[n] ^= 0x10
		if _, err := kinds(harmed); err == nil {
			t.Errorf("byte %d is another one", n)
		}
	}
	if _, err := kinds(append(bytes.Clone(text), 0)); err == nil {
		t.Error("a byte follows")
	}
}

// wrap makes an object of the bytes of items.
func wrap(items []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer w.Close()
	text := w.EncodeAll(items, append([]byte(logMagic), logVersion))
	return binary.LittleEndian.AppendUint64(text, xxhash.Sum64(text))
}

// unwrap returns the bytes of the items of an object.
func unwrapItems(t testing.TB, text []byte) []byte {
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	items, err := z.DecodeAll(text[len(logMagic)+1:len(text)-8], nil)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// A small object that claims to be large takes no memory, and one that unpacks to more than the bound is
// refused.
func TestLogObjectBounds(t *testing.T) {
	for name, items := range map[string][]byte{
		"a long item":         binary.AppendUvarint([]byte{itemHead}, 1<<62),
		"an item over bounds": binary.AppendUvarint([]byte{itemHead}, itemBytesMax+1),
		"a missing end":       append(append([]byte{itemHead}, appendText(nil, []byte(`{}`))...), itemGroup, 0),
		"two heads":           bytes.Repeat(append([]byte{itemHead}, appendText(nil, []byte(`{}`))...), 2),
		"no head":             append([]byte{itemEnd}, appendText(nil, []byte{0})...),
		"an unknown kind":     append(append([]byte{itemHead}, appendText(nil, []byte(`{}`))...), 99, 0),
	} {
		if _, err := kinds(wrap(items)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	w, err := newLogWriter(new(logHead))
	if err != nil {
		t.Fatal(err)
	}
	if w.item(itemGroup, make([]byte, itemBytesMax+1)) {
		t.Error("an item is written that cannot be read")
	}
}

// Whatever an object says, nothing outside of what the log has is written into a store, and a store is
// not written at all by an object that is refused.
func FuzzReplayObject(f *testing.F) {
	f.Add(unwrapItems(f, object(f)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, items []byte) {
		db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), MemTableSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Set(store.Key("version"), []byte{store.Version}, nil); err != nil {
			t.Fatal(err)
		}
		b := db.NewBatch()
		defer b.Close()
		r := &replayer{db: db, last: map[uint32]uint64{}, ended: map[uint32]bool{}}
		take := &taking{replayer: r, batch: b, last: map[uint32]uint64{}, files: map[string][]byte{}}
		if _, err := readLog(wrap(items), nil, take.item); err != nil {
			return
		}
		if _, err := r.cuts(wrap(items)); err != nil && !strings.Contains(err.Error(), "damaged") {
			t.Fatal(err)
		}
		if err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
		it, err := db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			switch k := it.Key(); {
			case k[0] == 0x10, k[0] == 0x11, k[0] == store.PrefixLink, k[0] == store.PrefixHeartbeats, k[0] == store.PrefixDeletions, k[0] == store.PrefixSaved, k[0] == store.PrefixKeyUses, k[0] == store.PrefixNotes:
			case k[0] == store.Prefix && slices.ContainsFunc(append(logOwn, zoneScope), func(name string) bool { return strings.HasPrefix(string(k[1:]), name) }):
			default:
				t.Fatalf("the key %x is written", k)
			}
		}
		for name := range take.files {
			if !slices.Contains(logFiles, name) {
				t.Fatalf("the file %q is written", name)
			}
		}
	})
}

// Names of objects and chains are read as they were written.
func TestLogNames(t *testing.T) {
	h := &logHead{Chain: "89abcdef-0001-20260301T120000.000Z-0011aabbccdd", Number: 1 << 40, Before: 7, At: 1_772_366_400_123}
	chain, o, ok := parseLogName(Info{Name: logName(h), Size: 9})
	if !ok || chain != h.Chain || o.Number != h.Number || o.Before != 7 || o.At.UnixMilli() != h.At || o.Size != 9 {
		t.Errorf("%s: %s %+v %v", logName(h), chain, o, ok)
	}
	if c, ok := parseChain(chain); !ok || c.Life != "89abcdef-0001" || c.Begun.UnixMilli() != 1_772_366_400_000 {
		t.Errorf("%+v %v", c, ok)
	}
	for _, name := range []string{"", "log/", "log/a", "log/a/b", "log/a/1-2-20260301T120000.000Z", "log/a/2-1", "log/a/2-1-now", "snap/a/2-1-20260301T120000.000Z"} {
		if _, _, ok := parseLogName(Info{Name: name}); ok {
			t.Errorf("%q is an object of the log", name)
		}
	}
	for _, name := range []string{"", "a", "a-b", "a-b-c"} {
		if _, ok := parseChain(name); ok {
			t.Errorf("%q is a chain", name)
		}
	}
}
