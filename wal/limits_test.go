// The limits of the log: Replay returns everything that Append accepts, and Append
// refuses everything that Replay would refuse.

package wal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func TestLongestRecord(t *testing.T) {
	noise := make([]byte, RecordBytesMax+1)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(noise)
	for name, record := range map[string][]byte{"packed": bytes.Repeat([]byte("ab"), (RecordBytesMax+2)/2), "plain": noise} {
		t.Run(name, func(t *testing.T) {
			db := openDB(t)
			longest := record[:RecordBytesMax]
			write := func(first uint64, records ...[]byte) (taken bool, keys int) {
				var w kept
				if _, err := Append(&w, 1, first, records, nil); err != nil {
					return false, len(w.keys)
				}
				for i := range w.keys {
					if err := db.Set(w.keys[i], w.values[i], pebble.NoSync); err != nil {
						t.Fatal(err)
					}
				}
				return true, len(w.keys)
			}
			if taken, _ := write(1, []byte("before"), longest, []byte("after")); !taken {
				t.Fatalf("a record of %d bytes is refused", len(longest))
			}
			// One byte more, after a good record: neither of them is written.
			if taken, keys := write(4, []byte("good"), record[:RecordBytesMax+1]); taken || keys != 0 {
				t.Errorf("a record of %d bytes is taken: %v, with %d keys", RecordBytesMax+1, taken, keys)
			}
			if _, records, err := replayed(db, 1); err != nil || len(records) != 3 || records[1] != string(longest) {
				t.Errorf("%d records, %v", len(records), err)
			}
		})
	}
}

func TestLongestNote(t *testing.T) {
	var w kept
	// The memory of a note that is too long is not touched.
	if _, err := AppendNote(&w, 1, 1, make([]byte, NoteBytesMax+1), nil); err == nil || len(w.keys) != 0 {
		t.Errorf("a note of %d bytes: %v, %d keys", NoteBytesMax+1, err, len(w.keys))
	}
	db := openDB(t)
	note := bytes.Repeat([]byte("note "), 1<<20)
	if _, err := AppendNote(db, 1, 1, note, nil); err != nil {
		t.Fatal(err)
	}
	read := 0
	if err := Notes(db, 1, 0, 2, func(_ uint64, data []byte) error {
		read += len(data)
		return nil
	}); err != nil || read != len(note) {
		t.Errorf("%d of %d bytes, %v", read, len(note), err)
	}
}
