package engine

import (
	"fmt"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// While more people are about than the table of ids has memory for, it takes more of the pool, and
// what it then has is enough. It gives that back when no event has come for a while.
func TestIDsTakeMoreWhileTheyMiss(t *testing.T) {
	const people = 4000
	site := &Site{Site: query.Site{ID: 1}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, Memory: 40 << 20, Rest: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	round := func() {
		for first := 0; first < people; first += 500 {
			var events []Record
			for i := first; i < first+500; i++ {
				who := fmt.Sprintf("somebody-%08x", uint32(i)*2654435761)
				events = append(events, Record{Site: site, Record: &event.Record{Event: event.Event{
					Dialect: event.Native, Type: event.Track, Name: "view", User: who, Session: "visit-of-" + who, SessionSent: true, Time: e.now().UnixMilli(),
				}}})
			}
			if _, err := e.Ingest(t.Context(), events, true, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := &e.memory
	most := int64(0)
	for range 40 {
		round()
		most = max(most, e.pool.idsMore.Load())
	}
	if most <= m.IDsMore {
		t.Fatalf("ids may take %d bytes more, as with few people", most)
	}
	took := e.pool.ids.Load()
	deadline := time.Now().Add(30 * time.Second)
	for e.pool.idsMore.Load() != m.IDsMore || e.pool.ids.Load() > int64(idsTimes*float64(m.IDs+m.IDsMore))*5/4 {
		if time.Now().After(deadline) {
			t.Fatalf("long after the last event ids may take %d bytes more, want %d; they take %d, and %d before", e.pool.idsMore.Load(), m.IDsMore, e.pool.ids.Load(), took)
		}
		time.Sleep(10 * time.Millisecond)
	}
	round() // and events go on
}

// A look-up of an id skips a table of an upper level that does not have it.
func TestTablesHaveFilters(t *testing.T) {
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	key := func(i int) []byte { return fmt.Appendf([]byte{store.PrefixID}, "id-%d", i) }
	for i := 0; i < 2000; i += 2 {
		if err := e.db.Set(key(i), nil, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 2000; i += 2 {
		if _, _, err := e.db.Get(key(i)); err != pebble.ErrNotFound {
			t.Fatalf("%v", err)
		}
	}
	if f := e.db.Metrics().Filter; f.Hits < 500 {
		t.Errorf("%d of 1,000 looks were spared, and %d were in vain", f.Hits, f.Misses)
	}
}
