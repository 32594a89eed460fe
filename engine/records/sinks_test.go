package records

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestSinkCursor(t *testing.T) {
	t.Parallel()
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := &SinkCursor{Sink: "memory", Site: 3, SiteName: "shop", Begun: 1, Cursor: 90, Sending: SinkRange{91, 95}, Reach: 95, Stores: []SinkStore{{Number: 1 << 63, First: 1}},
		Skipped: 4, Checked: 80, CheckedAt: 2, CheckedSkipped: 3, Wrong: SinkWrong{81, 90, 1, 2, 3}}
	b := db.NewBatch()
	if err := want.Put(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(nil); err != nil {
		t.Fatal(err)
	}
	all, err := SinkCursors(db)
	if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], want) {
		t.Errorf("%+v, %v, want %+v", all, err, want)
	}
}

// A cursor from before there were nightly checks begins with what comes.
func TestSinkCursorWithoutChecks(t *testing.T) {
	t.Parallel()
	value := append([]byte{sinkVersion}, `{"site":"shop","begun":1,"since":0,"cursor":90,"stores":[{"number":"7","first":1}],"skipped":4}`...)
	c, err := ParseSink(SinkKey(3, "memory"), binary.LittleEndian.AppendUint64(value, xxhash.Sum64(value)))
	if err != nil || c.Checked != 90 || c.CheckedSkipped != 4 || c.CheckedAt != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
