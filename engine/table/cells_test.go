package table

import (
	"bytes"
	"testing"

	"cairn/engine/event"
	"cairn/index"
)

// A record of an older cairn has the message id of an SDK as a string. Its row is found like
// a new one, and agrees with its record.
func TestRowsOfOlderRecords(t *testing.T) {
	const id = "ajs-next-1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501"
	e := &event.Event{Dialect: event.Segment, Type: event.Track, Name: "n", MessageID: id}
	fresh := event.AppendRecord(nil, &event.Head{}, event.AppendBody(nil, e))
	e.MessageID = "ajs-neXt" + id[len("ajs-next"):] // a string of the same length, but no id of an SDK
	old := bytes.Replace(event.AppendRecord(nil, &event.Head{}, event.AppendBody(nil, e)), []byte("neXt"), []byte("next"), 1)
	if bytes.Equal(old, fresh) || !bytes.Contains(old, []byte(id)) {
		t.Fatal("the records do not differ")
	}
	table, rest := New(1, nil), new(Overflow)
	if _, err := table.Append(1, [][]byte{old, fresh}, rest); err != nil {
		t.Fatal(err)
	}
	table.Publish(2)
	v := table.View()
	defer v.Close()
	part := v.Parts[0].Get()
	m := index.NewMatcher(part, []index.Clause{{Any: []index.Alt{{Field: event.FieldMessageID, Terms: []string{id}}}}}, nil, nil)
	if n := m.Count(0, 2); n != 2 {
		t.Errorf("%d rows are found by their id, want 2", n)
	}
	r := NewRowReader(part)
	for row, record := range [][]byte{old, fresh} {
		if ev, err := r.Read(row); err != nil || ev.MessageID != id {
			t.Errorf("row %d: %v, %+v", row, err, ev)
		}
		if err := r.Same(row, record); err != nil {
			t.Errorf("row %d: %v", row, err)
		}
	}
}

// noCells is a column in which every code is damaged.
type noCells struct{ index.Column }

func (noCells) Cell(uint32) []byte { return nil }

// A damaged code is refused by its column, however large it is, also where int has 32 bits.
func TestReadDamagedCode(t *testing.T) {
	for _, known := range [][]knownCell{nil, make([]knownCell, 2)} {
		c := rowColumn{col: noCells{}, known: known}
		for _, code := range []uint32{1, 2, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			if cell, value := c.read(code); cell != nil || value.Kind != event.Absent {
				t.Errorf("code %d has the cell %q", code, cell)
			}
		}
	}
}
