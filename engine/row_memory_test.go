// These tests are about the bytes that rows in memory and groups may take.

package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func roomStore(t *testing.T, memory int64) (*Engine, *Site) {
	t.Helper()
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, Memory: memory, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return e, site
}

// errgroup waits for goroutines and keeps the first error that one of them returns.
type errgroup struct {
	sync.WaitGroup
	once sync.Once
	err  error
}

func (g *errgroup) Go(fn func() error) {
	g.WaitGroup.Go(func() {
		if err := fn(); err != nil {
			g.once.Do(func() { g.err = err })
		}
	})
}

func (g *errgroup) Wait() error {
	g.WaitGroup.Wait()
	return g.err
}

// While the sealer is blocked, the engine takes only as many events as fit into memory. When
// the sealer goes on, the engine takes all events that waited.
func TestRowsInMemoryAreBoundedInBytes(t *testing.T) {
	const memory, events = 4 << 20, 2000
	e, site := roomStore(t, memory)
	e.sealer.install.Lock()
	done := make(chan error, 1)
	go func() {
		var clients errgroup
		for client := range 40 {
			clients.Go(func() error {
				for n := client; n < events/10; n += 40 {
					var records []Record
					for i := range 10 {
						text := fmt.Sprintf("%d %d %s", n, i, strings.Repeat("x", 8000))
						records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "e", Properties: event.Object{{Key: "text", Value: event.Str(text)}}}}})
					}
					if _, err := e.Ingest(context.Background(), records, true, nil); err != nil {
						return err
					}
				}
				return nil
			})
		}
		done <- clients.Wait()
	}()
	for waited := false; !waited; {
		select {
		case err := <-done:
			t.Errorf("all events are taken although the sealer is blocked: %d bytes, %v", e.hotBytes.Load(), err)
			done <- err
			waited = true
		default:
			time.Sleep(time.Millisecond)
			waited = e.sealer.behind((load{1, 10, 200, 80_000}).most())
		}
	}
	if held := e.hotBytes.Load(); held > memory/2 {
		t.Errorf("%d bytes are held, want at most %d", held, memory/2)
	}
	e.sealer.install.Unlock()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, err := e.Count(context.Background(), query.Query{Site: &site.Site}); err != nil || got.Events != events {
		t.Errorf("%d events, %v; want %d", got.Events, err, events)
	}
	if asked := e.asked.Load(); asked != 0 {
		t.Errorf("%d bytes are still reserved although nothing is in progress", asked)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// Parts that are sealed are freed while others still wait: the queue does not keep them in
// memory.
func TestSealedPartsAreNotHeld(t *testing.T) {
	e, _ := roomStore(t, 16<<20)
	defer e.Close()
	s := &sealer{e: e}
	s.changed = sync.NewCond(&s.mu)
	for range 3 {
		s.work = append(s.work, sealWork{part: index.NewMemPart(table.Format, 1, 1)})
	}
	before := s.work
	s.finished(s.work[:1:1])
	if len(s.work) != 2 || &s.work[0] == &before[1] {
		t.Errorf("%d parts wait, in the same array as the sealed ones; want 2 in another array", len(s.work))
	}
}

// A group reserves enough memory for rows of many sites, each of which begins a part. Two
// requests send events to all sites in turn: the first to new sites, the second to the same
// sites again.
func TestRowsOfManySitesReserveEnoughMemory(t *testing.T) {
	const each = 2
	sites := make([]*Site, 300)
	for i := range sites {
		sites[i] = &Site{Site: query.Site{ID: uint32(i) + 1, Name: fmt.Sprint("site", i)}}
	}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(sites...), Reserve: -1, Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := newTestSequencer(e)
	g := e.newGroup()
	for round := range 2 {
		var records []Record
		for n := range len(sites) * each {
			var o event.Object
			for p := range 5 {
				o = append(o, event.Member{Key: fmt.Sprint("p", n, p), Value: event.Num("1")})
			}
			records = append(records, Record{Site: sites[n%len(sites)], Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "e", Properties: o}}})
		}
		var m Memory
		sub := m.begin(len(records))
		e.fill(sub, records, m.outcomes, true)
		if s.take(g, sub); sub.err != nil {
			t.Fatal(sub.err)
		}
		if want := int64((round + 1) * len(sites) * each); g.asked.sites != int64(len(sites)) || g.asked.rows != want {
			t.Errorf("memory is reserved for %d rows of %d sites, want %d of %d", g.asked.rows, g.asked.sites, want, len(sites))
		}
	}
	p := publisher{e: e}
	if err := p.stage(g); err != nil {
		t.Fatal(err)
	}
	if asked, held := g.asked.most(), e.hotBytes.Load(); held > asked || held < int64(4*len(sites)*(1<<10)) {
		t.Errorf("%d bytes are reserved, %d are in use", asked, held)
	}
	if err := g.batch.Close(); err != nil {
		t.Fatal(err)
	}
}

// newTestSequencer returns a sequencer without a queue. The test calls its methods.
func newTestSequencer(e *Engine) *sequencer {
	s := newSequencer(e, identity.NewIDs(nil, 1<<30), newRecent(0))
	s.idle = true
	return s
}

// A group of duplicates, which are not stored, returns the memory that it has reserved.
func TestDuplicatesReturnTheirMemory(t *testing.T) {
	e, site := roomStore(t, 16<<20)
	defer e.Close()
	for range 3 {
		r := []Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "e", MessageID: "m"}}}}
		if _, err := e.Ingest(context.Background(), r, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	if asked := e.asked.Load(); asked != 0 {
		t.Errorf("%d bytes are still reserved although nothing is in progress", asked)
	}
}

// A group counts the bytes that it adds to the log: those of its records, of the ids that it
// changes, and of the names and values in its note.
func TestGroupBytes(t *testing.T) {
	e, site := roomStore(t, 16<<20)
	defer e.Close()
	s := newTestSequencer(e)
	records := aliasBatch(site, 0, 20)
	for n := range 20 {
		records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Segment, Type: event.Track, Name: "e", Properties: event.Object{{Key: fmt.Sprintf("%0160d", n), Value: event.Num("1")}}}}})
	}
	var m Memory
	sub := m.begin(len(records))
	e.fill(sub, records, m.outcomes, true)
	g := e.newGroup()
	s.take(g, sub)
	if sub.err != nil {
		t.Fatal(sub.err)
	}
	rows, names := 0, 0
	for _, record := range g.order[0].records {
		rows += len(record)
	}
	for _, set := range g.order[0].counted {
		names += len(set.key.property)
		for _, value := range set.delta.values {
			names += len(value)
		}
	}
	if s.ids.ChangedBytes() < 20*3*245 || names < 20*160 {
		t.Fatalf("%d bytes of ids are changed, %d of names counted", s.ids.ChangedBytes(), names)
	}
	if want := rows + s.ids.ChangedBytes() + names; g.bytes != want {
		t.Errorf("%d bytes are counted, want %d: %d of records, %d of ids, %d of names and values", g.bytes, want, rows, s.ids.ChangedBytes(), names)
	}
	if want := (load{1, 40, g.asked.cells, int64(len(sub.bodies))}); g.asked != want || g.asked.cells < 20*6+20 {
		t.Errorf("memory is reserved for %+v, want %+v", g.asked, want)
	}
	if err := g.batch.Close(); err != nil {
		t.Fatal(err)
	}
}

// The memory that a group keeps for later groups is bounded over all its sites.
func TestGroupKeepsLittle(t *testing.T) {
	e, _ := roomStore(t, 16<<20)
	defer e.Close()
	g := e.newGroup()
	for id := range uint32(groupSitesKept) {
		g.of(newSiteState(id+1, identity.NewLinks(nil, nil)), 1).records = make([][]byte, groupEventsMax)
	}
	g.batch.Close()
	e.spareGroups = make(chan *group, 1)
	e.recycle(g)
	kept := 0
	for _, sg := range (<-e.spareGroups).spare {
		kept += cap(sg.records)
	}
	if kept == 0 || kept > groupRecordKept {
		t.Errorf("capacity for %d records is kept, want at most %d and more than 0", kept, groupRecordKept)
	}
}

// A budget larger than the address space of the machine becomes the largest possible budget.
// It must not become the low bits of its number.
func TestMemoryBeyondTheMachine(t *testing.T) {
	o := Options{Memory: 3 << 40}.withDefaults()
	if int64(int(o.Memory)) != o.Memory || o.Memory < 1<<31-1 || o.Pairs < 1<<21 {
		t.Errorf("%d bytes, %d pairs", o.Memory, o.Pairs)
	}
}
