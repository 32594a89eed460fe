package engine

import (
	"errors"
	"testing"

	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// enriched counts the events that were enriched.
type enriched struct{ n int }

func (e *enriched) Enrich(*enrich.Privacy, *event.Event, *event.Source, *enrich.Arena) { e.n++ }

// A request that does not fit into the queue is refused before its events are enriched. Every
// request frees its bytes in the queue, whether it is stored or refused.
func TestQueueBytes(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	work := new(enriched)
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, QueueBytes: 4000, Enrich: work})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	send := func(names ...string) error {
		t.Helper()
		var records []Record
		for _, n := range names {
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: n, User: "someone"}}})
		}
		_, err := e.Ingest(t.Context(), records, true, nil)
		return err
	}
	others := func(bytes int64) { e.queued.Add(bytes) }
	for _, c := range []struct {
		name   string
		others int64 // bytes that other requests have queued
		events []string
		want   error
		work   int
	}{
		{"an empty queue", 0, []string{"a", "b"}, nil, 2},
		{"larger than the queue, alone in it", 0, make([]string, 200), nil, 200},
		{"bytes are left", 3000, []string{"a"}, nil, 1},
		{"too few bytes are left", 3900, []string{"a", "b", "c"}, query.ErrBusy, 0},
		{"a full queue", 4000, []string{"a"}, query.ErrBusy, 0},
		{"bytes are free again", 0, []string{"a"}, nil, 1},
	} {
		others(c.others)
		work.n = 0
		if err := send(c.events...); !errors.Is(err, c.want) || work.n != c.work {
			t.Errorf("%s: %v, %d events are enriched; want %v, %d", c.name, err, work.n, c.want, c.work)
		}
		others(-c.others)
		if n := e.queued.Load(); n != 0 {
			t.Errorf("%s: %d bytes stay in the queue", c.name, n)
		}
	}
}
