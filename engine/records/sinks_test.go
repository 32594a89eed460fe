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
		Skipped: 4, Refused: []uint64{7, 1 << 60}, Left: []uint64{1<<64 - 1}, Checked: 80, CheckedAt: 2, CheckedSkipped: 3, Wrong: SinkWrong{81, 90, 1, 2, 3}}
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

// The newest rows that a sink refused are known, and of older ones how many there were.
func TestRefused(t *testing.T) {
	t.Parallel()
	c := &SinkCursor{Stores: []SinkStore{{Number: 1, First: 5}}, Cursor: 2000}
	for seq := uint64(10); seq <= 1200; seq += 10 {
		c.Refuse(seq)
	}
	for after, want := range map[uint64]uint64{0: 120, 209: 120, 210: 99, 1100: 10, 1199: 1, 1200: 0, 1999: 0} {
		if got := c.RefusedAfter(after); got != want {
			t.Errorf("behind %d: %d, want %d", after, got, want)
		}
	}
	c.CheckedSkipped = 115
	if c.GoBack(1100); c.Cursor != 1100 || c.Since != 2000 || c.Skipped != 110 || c.CheckedSkipped != 110 || c.RefusedAfter(1100) != 0 || c.RefusedAfter(1090) != 1 {
		t.Errorf("%+v", c)
	}
	if c.GoBack(4); c.Skipped != 0 || len(c.Refused) != 0 || c.CheckedSkipped != 0 {
		t.Errorf("%+v", c)
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
