package store

import (
	"strings"
	"testing"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A data directory whose restore was killed is not called damaged: nothing of it is lost.
func TestLookAtInterruptedRestore(t *testing.T) {
	fs := vfs.NewMem()
	if err := MakeDir(fs, fs.PathJoin("data", PartialName)); err != nil {
		t.Fatal(err)
	}
	mark, err := wal.ReadHighWaterMark(fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	if err := mark.Write(1000); err != nil {
		t.Fatal(err)
	}
	_, err = Look(fs, "data")
	if err == nil || !strings.Contains(err.Error(), "was interrupted") {
		t.Errorf("%v", err)
	}
	if d := Damaged(err); d != (*query.Damage)(nil) {
		t.Errorf("it is called damaged: %v", d)
	}
}
