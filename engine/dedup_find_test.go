package engine

import (
	"fmt"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sealedIDs returns a store in which the events m0, m1, … are sealed, and a sequencer that
// does not have them among its recent ids.
func sealedIDs(t *testing.T, events, sealRows int) (*Engine, *sequencer, *siteState) {
	t.Helper()
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Reserve: -1, SealRows: sealRows, MergeRuns: 100, Memory: 16 << 20, Sites: SitesOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for n := 0; n < events; n += sealRows {
		var records []Record
		for i := range sealRows {
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: fmt.Sprint("m", n+i)}}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	s := e.state(1)
	for len(s.Unsealed(1<<63)) > 0 {
		time.Sleep(time.Millisecond)
	}
	seq := &sequencer{e: e, recent: newRecent(0), next: map[*siteState]uint64{s: uint64(events) + 1}}
	if seq.window, err = loadDedupWindow(e.db, e.opts.Dedup, e.opts.Elapsed, 0, 0); err != nil {
		t.Fatal(err)
	}
	return e, seq, s
}

// find returns the seqs of the originals of events with the given message ids.
func (s *sequencer) find(t *testing.T, site *siteState, ids []string) (seqs []uint64) {
	t.Helper()
	sub := new(submission)
	for _, id := range ids {
		sub.add(site, &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: id, Received: time.Now().UnixMilli()}}, identity.Question{}, new(event.Outcome))
	}
	if err := s.findOriginals(new(group), sub); err != nil {
		t.Fatal(err)
	}
	for i := range sub.events {
		seqs = append(seqs, sub.events[i].original)
	}
	return seqs
}

// Originals are found whether memory holds all filters, folded ones, few or none, and also
// if a filter is damaged. The filters in memory stay within their budget and are dropped
// with their runs.
func TestFindOriginals(t *testing.T) {
	const events, sealRows = 12_000, 2000
	e, s, site := sealedIDs(t, events, sealRows)
	sealed := site.Sealed()
	runs := sealed.All
	if len(runs) != events/sealRows {
		t.Fatalf("%d runs", len(runs))
	}
	var ids []string
	for i := range 2 * events {
		ids = append(ids, fmt.Sprint("m", i*7%(2*events)))
	}
	size := runs[0].FilterBytesMax() + filterOverhead
	for _, c := range []struct {
		name         string
		room         int64
		held, folded int // at least
	}{
		{"all", 100 * size, len(runs), 0},
		{"some folded", 5 * size, len(runs), 2},
		{"some not", 2 * size, 1, 1},
		{"none", 0, 0, 0},
	} {
		took := int64(0)
		s.filters = newHeldFilters(func() int64 { return c.room }, c.room/10, time.Hour, nil, func(bytes int64) { took = bytes })
		for i, seq := range s.find(t, site, ids) {
			n := i * 7 % (2 * events)
			want := uint64(n) + 1
			if n >= events {
				want = 0
			}
			if seq != want {
				t.Fatalf("%s: m%d is found at %d, want %d", c.name, n, seq, want)
			}
		}
		held, folded, sum := 0, 0, int64(0)
		for _, f := range s.filters.runs {
			sum += f.bytes()
			if f.filter != nil {
				held++
			}
			if f.filter != nil && f.filter.Folded() {
				folded++
			}
		}
		if sum != took || sum != s.filters.bytes || sum > c.room || held < c.held || folded < c.folded || c.folded == 0 && folded > 0 {
			t.Errorf("%s: %d filters, %d of them folded, take %d bytes; the callback was told %d, the count is %d, the budget %d", c.name, held, folded, sum, took, s.filters.bytes, c.room)
		}
	}

	// A page of another length makes one whole filter useless. All ids are still found.
	s.filters = newHeldFilters(func() int64 { return 100 * size }, 10*size, time.Hour, nil, func(int64) {})
	page, _ := index.RunBounds(runs[2].Run)
	page = append(page, 0xff, 0xfe, 0, 0, 0, 0, 1)
	if err := e.db.Set(page, []byte("damaged"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if got := s.find(t, site, []string{"m1", "m4100", "m4101", "new", "m11999"}); fmt.Sprint(got) != "[2 4101 4102 0 12000]" {
		t.Errorf("with a damaged filter: %v", got)
	}
	if f := s.filters.runs[runs[2].Run]; f == nil || f.filter != nil || !f.damaged {
		t.Error("the damaged filter is in use")
	}

	// Filters of runs that no longer exist are dropped.
	site.Merged(runs[:4], runs[3], nil)
	sealed.Close()
	s.filters.swept = time.Time{}
	s.filters.sweep(time.Now())
	if len(s.filters.runs) != 3 {
		t.Errorf("%d filters of 3 runs", len(s.filters.runs))
	}
}

// The filter of a run is held while it is asked for many ids, not while it is asked for few: its
// memory is then the page cache's.
func TestFiltersAreHeldWhileTheyAreWorthIt(t *testing.T) {
	const events, sealRows = 20_000, 10_000
	_, s, site := sealedIDs(t, events, sealRows)
	took := int64(0)
	s.filters = newHeldFilters(func() int64 { return 1 << 20 }, 1<<20, time.Hour, nil, func(bytes int64) { took = bytes })
	runs := site.Sealed()
	many := enough(runs.All[0])
	runs.Close()
	if many < 3 {
		t.Fatalf("%d ids are many", many)
	}
	find := func(n int) {
		t.Helper()
		for i := range n {
			if got := s.find(t, site, []string{fmt.Sprint("m", i)}); got[0] != uint64(i)+1 {
				t.Fatalf("m%d is found at %d", i, got[0])
			}
		}
	}
	find(many - 1)
	if took != 0 {
		t.Errorf("%d ids: filters take %d bytes", many-1, took)
	}
	find(1)
	if took == 0 || took != s.filters.bytes {
		t.Errorf("%d ids: filters take %d bytes, and the count is %d", many, took, s.filters.bytes)
	}
	now := s.filters.idle
	s.filters.sweep(now.Add(time.Hour)) // enough was asked until now
	if took == 0 {
		t.Error("filters that are asked for many ids are dropped")
	}
	find(many - 1)
	if !s.hasMore() {
		t.Error("a sequencer at rest would keep the filters")
	}
	s.rest(now.Add(2 * time.Hour))
	if took != 0 || s.hasMore() || len(s.filters.runs) != 0 {
		t.Errorf("%d filters take %d bytes although few ids were looked up", len(s.filters.runs), took)
	}
	find(many - 1) // they begin anew
	if took != 0 {
		t.Errorf("filters take %d bytes", took)
	}
}

// Filters that nobody asks any more are given back, although events without message ids go on.
func TestFiltersAreGivenBack(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, SealRows: 500, Memory: 40 << 20, Rest: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	n := 0
	send := func(events int, ids bool) {
		t.Helper()
		var records []Record
		for range events {
			ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "x"}
			if ids {
				ev.MessageID = fmt.Sprint("m", n)
			}
			records = append(records, Record{Site: site, Record: &event.Record{Event: ev}})
			n++
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	until := func(what string, send func(), is func(bytes int64) bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !is(e.pool.filters.Load()); {
			if time.Now().After(deadline) {
				t.Fatalf("%s: filters take %d bytes", what, e.pool.filters.Load())
			}
			send()
		}
	}
	until("with many ids", func() { send(2000, true) }, func(bytes int64) bool { return bytes > 0 })
	until("without ids", func() { send(1, false); time.Sleep(5 * time.Millisecond) }, func(bytes int64) bool { return bytes == 0 })
}
