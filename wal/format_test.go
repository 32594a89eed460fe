// The format of version 1: golden bytes, and decoding of any bytes.

package wal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenRecords are the records of a block that is stored plain and of one that is
// compressed.
func goldenRecords() (plain, packed []string) {
	plain = []string{"first", "", strings.Repeat("x", 130)}
	for i := range 40 {
		packed = append(packed, fmt.Sprintf("record %d of many that look alike, %d", i, i*i))
	}
	return plain, packed
}

func asBytes(records []string) (b [][]byte) {
	for _, r := range records {
		b = append(b, []byte(r))
	}
	return b
}

// The bytes of blocks and of a note are frozen with version 1. The output of a
// compressor may change for the same records, but old blocks must stay readable. So
// that block is only read.
func TestGolden(t *testing.T) {
	var k kept
	plain, packed := goldenRecords()
	for _, records := range [][]string{plain, packed} {
		if _, err := Append(&k, 70_000, 1<<40+5, asBytes(records), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := AppendNote(&k, 70_000, 1<<40+5, []byte("deltas"), nil); err != nil {
		t.Fatal(err)
	}
	if k.values[0][1] != codecPlain || k.values[1][1] != codecS2 {
		t.Fatalf("codecs %d and %d", k.values[0][1], k.values[1][1])
	}
	const packedPath = "testdata/block-s2-v1.golden"
	if *update {
		if err := os.WriteFile(packedPath, []byte(hex.EncodeToString(k.values[1])), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(packedPath)
	if err != nil {
		t.Fatal(err)
	}
	value, err := hex.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t)
	if err := db.Set(k.keys[1], value, nil); err != nil {
		t.Fatal(err)
	}
	if first, got, err := replayed(db, 70_000); err != nil || first != 1<<40+5 || !slices.Equal(got, packed) {
		t.Errorf("%s: %q from %d, %v", packedPath, got, first, err)
	}
	for i, path := range map[int]string{0: "testdata/block-v1.golden", 2: "testdata/note-v1.golden"} {
		got := fmt.Sprintf("key\n%svalue\n%s", hex.Dump(k.keys[i]), hex.Dump(k.values[i]))
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: a changed format needs a new version\ngot\n%s\nwant\n%s", path, got, want)
		}
	}
}

// A compressed block states its length before it is decompressed. A block that would be
// longer than any block is refused before memory is allocated for it.
func TestCompressedLength(t *testing.T) {
	key := key(PrefixBlock, 1, 1)
	bomb := s2.Encode(nil, make([]byte, blockLenMax+1))
	value := appendSum(append([]byte{version, codecS2}, bomb...), key)
	data, err := checkSum(1, 1, key, value)
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	err = decodeBlock(1, 1, data, func([]byte) error { given++; return nil })
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.What != "a block of 16777217 bytes unpacked, where at most 16777216 are read" || given != 0 {
		t.Errorf("%d bytes of %d: %v", len(bomb), blockLenMax+1, err)
	}
}

// Decoding any value gives records or a *CorruptError, even when the sum is good
// because a faulty writer made it.
func FuzzDecodeBlock(f *testing.F) {
	var k kept
	_, packed := goldenRecords()
	for _, records := range [][][]byte{{{}}, {[]byte("a"), []byte("bc")}, make([][]byte, 64), asBytes(packed)} {
		if _, err := Append(&k, 1, 1, records, nil); err != nil {
			f.Fatal(err)
		}
	}
	for _, v := range k.values {
		f.Add(v)
		f.Add(v[:len(v)-8])
	}
	f.Add([]byte{1})
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{1, 0, 65})
	f.Add([]byte{1, 2, 1, 0})
	f.Add([]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		key := key(PrefixBlock, 1, 1)
		for _, value := range [][]byte{b, appendSum(bytes.Clone(b), key)} {
			var corrupt *CorruptError
			data, err := checkSum(1, 1, key, value)
			if err != nil {
				if !errors.As(err, &corrupt) {
					t.Fatalf("error %T", err)
				}
				continue
			}
			var records [][]byte
			err = decodeBlock(1, 1, data, func(rec []byte) error {
				records = append(records, rec)
				return nil
			})
			if err != nil {
				if !errors.As(err, &corrupt) || corrupt.Seq < 1 || corrupt.Seq > BlockRecordsMax+1 {
					t.Fatalf("error %T %v", err, err)
				}
				continue
			}
			n, size := len(records), 0
			for _, r := range records {
				size += len(r)
			}
			if n == 0 || n > BlockRecordsMax || size > blockLenMax && size > len(data) {
				t.Fatalf("%d records of %d bytes out of %d", n, size, len(data))
			}
			// Written again, they are the same records.
			i := 0
			err = decodeBlock(1, 1, appendBlock(nil, records)[1:], func(rec []byte) error {
				if !bytes.Equal(rec, records[i]) {
					t.Fatalf("record %d: %x becomes %x", i, records[i], rec)
				}
				i++
				return nil
			})
			if err != nil || i != n {
				t.Fatalf("%d of %d records come back, %v", i, n, err)
			}
		}
	})
}
