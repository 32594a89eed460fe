package identity

import (
	"fmt"
	"io"
	"testing"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// readKeys is a database that notes which keys are read.
type readKeys struct {
	pebble.Reader
	keys map[string]bool
}

func (r *readKeys) Get(key []byte) ([]byte, io.Closer, error) {
	r.keys[string(key)] = true
	return r.Reader.Get(key)
}

// Assign reads no entry that Probe has not read, whatever the event: so an event that is probed
// is not refused half taken.
func TestProbeReadsWhatAssignReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db, err := pebble.Open("", memOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ids := NewIDs(db, 1<<20)
		sessions := 0
		newSession := func(event.Dialect) string { sessions++; return fmt.Sprint("made-", sessions) }
		const events = 30
		for seq := uint64(1); seq <= events; seq++ {
			e, q := probedEvent(t, int64(seq))
			if _, err := ids.Assign(1, seq, e, q, newSession); err != nil {
				t.Fatal(err)
			}
		}
		if err := ids.write(db, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			read := &readKeys{db, make(map[string]bool)}
			cold := NewIDs(read, 1<<20)
			e, q := probedEvent(t, events+1)
			if err := cold.Probe(1, e, q); err != nil {
				t.Fatal(err)
			}
			probed := read.keys
			read.keys = make(map[string]bool)
			if _, err := cold.Assign(1, events+1, e, q, newSession); err != nil {
				t.Fatal(err)
			}
			for key := range read.keys {
				made := key[5] == kindSession && sessionMade(key) // its id is new
				if !probed[key] && !made {
					t.Fatalf("%s %+v: Assign reads %q, and Probe has not", e.Dialect, e, key)
				}
			}
		}
	})
}

// A new session of a known or a new user reads nothing, however many there were: neither its name, which the
// filter does not know, nor the session itself, which no earlier event can have made. A key that is no id's
// does not stop the filter from being loaded.
func TestNewSessionsReadNothing(t *testing.T) {
	db, err := pebble.Open("", memOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Set([]byte{store.PrefixID}, nil, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	const sessions = 2000
	first := NewIDs(db, 1<<20)
	assign := func(ids *IDs, seq uint64) {
		e := &event.Event{Dialect: event.Native, Type: event.Track, SessionSent: true, Time: int64(seq), User: fmt.Sprint("u", seq%100), Session: fmt.Sprint("s", seq)}
		if _, err := ids.Assign(1, seq, e, &Question{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for seq := uint64(1); seq <= sessions; seq++ {
		assign(first, seq)
	}
	if err := first.write(db, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	read := &readKeys{db, make(map[string]bool)}
	ids := NewIDs(read, 1<<20)
	if err := ids.LoadFilter(1 << 20); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(sessions + 1); seq <= 2*sessions; seq++ {
		assign(ids, seq)
	}
	names := 0
	for key := range read.keys {
		switch key[5] {
		case kindNamed:
			t.Fatalf("the new session %q is looked for", key)
		case kindName:
			names++
		}
	}
	if names > sessions/20 {
		t.Errorf("%d of %d new names are looked for", names, sessions)
	}
}

// sessionMade reports whether the key of a session's id is of one that the table has just made.
func sessionMade(key string) bool { return len(key) > 11 && key[7:12] == "made-" }

// memOptions are the options of a database in memory.
func memOptions() *pebble.Options {
	o := store.ScratchOptions()
	o.FS = vfs.NewMem()
	return o
}

// probedEvent draws an event of few ids, and what Assign must know about it.
func probedEvent(t *rapid.T, time int64) (*event.Event, *Question) {
	text := func(name string, texts ...string) string { return rapid.SampledFrom(append(texts, "")).Draw(t, name) }
	e := &event.Event{
		Dialect:   rapid.SampledFrom(event.Dialects).Draw(t, "dialect"),
		Type:      rapid.SampledFrom([]event.Type{event.Track, event.Page, event.Order, event.Alias, event.Identify}).Draw(t, "type"),
		User:      text("user", "u1", "u2", "a1"),
		Anonymous: text("anonymous", "a1", "a2", "f1"),
		Session:   text("session", "s1", "s2"),
		Name:      text("name", "o1", "o2"),
		Time:      time * 1000,
	}
	e.SessionSent = e.Session != ""
	if e.Type == event.Alias {
		e.Previous = text("previous", "u1", "a2")
	}
	q := &Question{}
	switch {
	case rapid.IntRange(0, 5).Draw(t, "imported") == 0:
		e.Imported, e.SessionOf = true, text("session of", "i1", "i2")
		e.Session, e.SessionSent = "", false
	case e.Dialect == event.Matomo && !e.SessionSent:
		e.Extra = event.Object{{Key: event.Fingerprint, Value: event.Str(rapid.SampledFrom([]string{"f1", "f2"}).Draw(t, "fingerprint"))}}
		q.Hit, q.Before = &event.Hit{Order: e.Type == event.Order && e.Name != ""}, text("before", "f2")
		q.Day = [2]int64{0, 1 << 40}
	}
	return e, q
}
