package identity

import (
	"slices"
	"testing"

	"cairn/engine/event"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// An id that an event meets after Watch stays, one that no event meets goes: from memory, from
// what is packed, and from the store. Its next event gives it a new ordinal.
func TestForget(t *testing.T) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ids := NewIDs(db, 1<<20)
	session := func(event.Dialect) string { return "s" }
	assign := func(seq uint64, user string) uint64 {
		t.Helper()
		p, err := ids.Assign(1, seq, &event.Event{Dialect: event.Native, Type: event.Track, User: user, Session: "tab", SessionSent: true, Time: int64(seq)}, &Question{}, session)
		if err != nil {
			t.Fatal(err)
		}
		return p.Person
	}
	write := func(do func(b *pebble.Batch)) {
		t.Helper()
		b := db.NewBatch()
		do(b)
		if err := ids.Flush(b); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	assign(1, "met")
	assign(2, "gone")
	assign(3, "left")
	write(func(*pebble.Batch) {})
	var keys []string
	for _, user := range []string{"met", "gone", "left"} {
		NamesIn(1, &event.Event{Dialect: event.Native, User: user}, func(n Name) { keys = append(keys, n.Key) })
	}
	entries, err := ids.Watch(keys)
	if err != nil || len(entries) != 3 || entries[0].Ord != 1 || entries[1].Ord != 2 || entries[2].Ord != 3 {
		t.Fatalf("watch: %+v, %v", entries, err)
	}
	assign(4, "met")
	write(func(b *pebble.Batch) {
		met, err := ids.Forget(b, keys[:2], []Left{{Key: keys[2], Sessions: map[uint64]bool{}}})
		if err != nil || !slices.Equal(met, keys[:1]) {
			t.Errorf("forget: met %q, %v; want %q", met, err, keys[:1])
		}
	})
	again := NewIDs(db, 1<<20) // reads what is stored
	for _, table := range []*IDs{ids, again} {
		for i, want := range []bool{true, false, true} {
			stored, err := table.Stored([]byte(keys[i]))
			if err != nil || (stored != nil) != want {
				t.Errorf("id %d: stored %x, %v", i, stored, err)
			}
			if i == 2 {
				if k, err := parseEntry(stored); err != nil || !k.partial || k.linked || len(k.sessions) > 0 {
					t.Errorf("an id that has lost rows: %+v, %v", k, err)
				}
			}
		}
	}
	if met, gone := assign(5, "met"), assign(6, "gone"); met != 1 || gone != 6 {
		t.Errorf("the ordinals of the next events are %d and %d, want 1 and 6", met, gone)
	}
}

// The forms of entries that have lost rows are read as they were written.
func TestPartialEntries(t *testing.T) {
	for _, k := range []*idEntry{
		{ord: 5, partial: true},
		{ord: 5, linked: true, partial: true, sessions: []sessionRef{{1, "abc", 7, 9, 9}}},
		{ord: 5, partial: true, visit: &Visit{id: "x", first: 1, last: 2}},
		{ord: 5, partial: true, session: &namedSession{name: "tab", first: 1, stretches: []stretch{{1, 2}}}},
	} {
		got, err := parseEntry(k.append(nil))
		if err != nil || !got.partial || got.linked != k.linked || string(got.append(nil)) != string(k.append(nil)) {
			t.Errorf("%+v: read as %+v, %v", k, got, err)
		}
	}
}
