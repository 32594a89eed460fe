// The format of version 1: golden bytes, and decoding of any bytes at all.

package wal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// The bytes of a block and a note, frozen with version 1.
func TestGolden(t *testing.T) {
	var k kept
	records := [][]byte{[]byte("first"), {}, bytes.Repeat([]byte("x"), 130)}
	if _, err := Append(&k, 70_000, 1<<40+5, records, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := AppendNote(&k, 70_000, 1<<40+5, []byte("deltas"), nil); err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{"testdata/block-v1.golden", "testdata/note-v1.golden"} {
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
			t.Errorf("%s: a changed format is a new version\ngot\n%s\nwant\n%s", path, got, want)
		}
	}
}

// Whatever a value holds, decoding gives its records or a *CorruptionError; with
// a good sum too, as a faulty writer would make one.
func FuzzDecodeBlock(f *testing.F) {
	var k kept
	for _, records := range [][][]byte{{{}}, {[]byte("a"), []byte("bc")}, make([][]byte, 64)} {
		if _, err := Append(&k, 1, 1, records, nil); err != nil {
			f.Fatal(err)
		}
	}
	for _, v := range k.values {
		f.Add(v)
		f.Add(v[:len(v)-8])
	}
	f.Add([]byte{1, 0})
	f.Add([]byte{1, 65})
	f.Add([]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		key := key(PrefixBlock, 1, 1)
		for _, value := range [][]byte{b, appendSum(bytes.Clone(b), key)} {
			var corrupt *CorruptionError
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
			if n == 0 || n > BlockRecordsMax || size > len(data) {
				t.Fatalf("%d records of %d bytes out of %d", n, size, len(data))
			}
			// What decodes is what Append writes, but for longer varints.
			again := binary.AppendUvarint([]byte{version}, uint64(n))
			for _, r := range records {
				again = append(binary.AppendUvarint(again, uint64(len(r))), r...)
			}
			if len(again)-1 == len(data) && !bytes.Equal(again[1:], data) {
				t.Fatalf("decoded %x of %x", again, data)
			}
		}
	})
}
