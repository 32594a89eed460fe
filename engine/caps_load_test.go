package engine

import (
	"bytes"
	"fmt"
	"testing"

	"cairn/engine/event"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func memoryDB(t *testing.T) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Logger: quietLogger{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A small cap: what was counted before counts against it after everything was
// forgotten, since the log has it; other days, sites and properties have caps of
// their own.
func TestCapsForgetAndLoad(t *testing.T) {
	db := memoryDB(t)
	c := newCaps(db, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	c.max = 3
	site, other := newSiteState(1), newSiteState(2)
	settled := 0
	var seq uint64
	ask := func(s *siteState, property string, day int32, value string, want bool) {
		t.Helper()
		c.nextEvent()
		group := &siteGroup{site: s}
		over, err := c.count(group, property, day, value, 2, func() { settled++ })
		if err != nil || over != want {
			t.Fatalf("%s of %s on day %d: over %v, %v", value, property, day, over, err)
		}
		if over {
			value = event.Other
		}
		note := c.appendDeltas(nil, group.counted)
		if want := index.AppendTotal([]byte{1}, &index.Total{Property: property, Day: day, Value: value, Sum: 2}, false); !bytes.Equal(note, want) {
			t.Fatalf("%s of %s on day %d: deltas %q, want %q", value, property, day, note, want)
		}
		seq++
		if _, err := wal.AppendNote(db, s.id, seq, note, nil); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		for _, v := range []string{"a", "b", "c"} {
			ask(site, "p", 10, v, false)
		}
		ask(site, "p", 10, "d", true)
		ask(site, "p", 10, fmt.Sprint("new ", round), true)
		ask(site, "p", 10, "b", false)
		ask(site, "p", 10, event.Other, false) // a client may send it; it is counted as what it is
		for _, v := range []string{"d", "e"} {
			ask(site, "p", 11, v, false)
			ask(site, "q", 10, v, false)
			ask(other, "p", 10, v, false)
		}
		c.n = capMemoryMax + 1
		c.trim()
		if len(c.sets) != 0 || c.n != 0 {
			t.Fatal("nothing is forgotten")
		}
		if round == 0 {
			settled = 0
		}
	}
	if settled == 0 {
		t.Error("the log was read before it was complete")
	}
	c.n = capMemoryMax
	ask(site, "p", 10, "a", false)
	c.n = capMemoryMax
	if c.trim(); len(c.sets) == 0 {
		t.Error("forgotten within the bound")
	}
}
