// Exactly once: many senders send the same message ids at the same time, with a restart in
// between.

package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestDedupConcurrent(t *testing.T) {
	const senders, ids = 64, 1000
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(1, 1)))
	site := w.sites[0]
	open := func() *engine.Engine {
		options := w.options(fs, rand.New(rand.NewPCG(1, 2)))
		options.SealRows, options.HotEvents = 50, 300 // most originals are sealed before their retry
		e, err := engine.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	type verdict struct {
		stored  int
		answers map[string]int // number of answers by "seq id received"
	}
	var mu sync.Mutex
	verdicts := make([]verdict, ids)
	for i := range verdicts {
		verdicts[i].answers = map[string]int{}
	}
	// send sends each id once. Each sender has its own order and batches. It stops when the
	// engine does.
	send := func(e *engine.Engine, sender int) error {
		rng := rand.New(rand.NewPCG(uint64(sender), 9))
		order := rng.Perm(ids)
		for len(order) > 0 {
			n := min(1+rng.IntN(20), len(order))
			records := make([]engine.Record, n)
			for i, id := range order[:n] {
				records[i] = engine.Record{Site: site, Record: &event.Record{Event: event.Event{
					Dialect: event.Oppizi, Type: event.Track, Name: "x", User: fmt.Sprintf("sender %d", sender),
					MessageID: fmt.Sprintf("id %d", id),
				}}}
			}
			outcomes, err := e.Ingest(t.Context(), records, sender%2 == 0, nil)
			if err != nil {
				return err
			}
			mu.Lock()
			for i, id := range order[:n] {
				o := outcomes[i]
				if o.Status == event.Stored {
					verdicts[id].stored++
				} else if o.Status != event.Duplicate {
					t.Errorf("id %d: %+v", id, o)
				}
				verdicts[id].answers[fmt.Sprint(o.Seq, " ", o.ID, " ", o.Received)]++
			}
			mu.Unlock()
			order = order[n:]
		}
		return nil
	}
	everyone := func(e *engine.Engine, end func()) {
		var wg sync.WaitGroup
		for sender := range senders {
			wg.Go(func() {
				if err := send(e, sender); err != nil && !errors.Is(err, query.ErrStopping) {
					t.Errorf("sender %d: %v", sender, err)
				}
			})
		}
		end()
		wg.Wait()
	}

	e := open()
	everyone(e, func() { // the engine stops in the middle
		for e.Stats().Accepted < ids/3 {
			time.Sleep(100 * time.Microsecond)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	e = open()
	everyone(e, func() {})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open()
	if err := send(e, 1000); err != nil { // once more, when all originals are sealed or replayed
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()

	events, err := walk(e, query.Query{Site: &site.Site, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != ids {
		t.Errorf("%d events are stored, want %d", len(events), ids)
	}
	place := map[string]string{}
	for _, ev := range events {
		place[ev.MessageID] = fmt.Sprint(ev.Seq, " ", ev.ID, " ", ev.Received)
	}
	for i, v := range verdicts {
		id := fmt.Sprintf("id %d", i)
		if v.stored > 1 || len(v.answers) != 1 || v.answers[place[id]] == 0 {
			t.Errorf("%s: stored %d times, answers %v, stored as %q", id, v.stored, v.answers, place[id])
		}
	}
	page, err := e.Counters(t.Context(), query.CounterQuery{Site: &site.Site, Property: "name", Limit: 10})
	if err != nil || page.Total.Events != ids {
		t.Errorf("counted %d, %v; want %d", page.Total.Events, err, ids)
	}
}

// The key of dedup is (site, dialect, message id).
func TestDedupKey(t *testing.T) {
	w := newWorkload(rand.New(rand.NewPCG(2, 1)))
	e, err := engine.Open(w.options(vfs.NewMem(), rand.New(rand.NewPCG(2, 2))))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		name    string
		site    *engine.Site
		dialect event.Dialect
		id      string
		want    event.Status
		seq     uint64
	}{
		{"first", w.sites[0], event.Native, "m", event.Stored, 1},
		{"again", w.sites[0], event.Native, "m", event.Duplicate, 1},
		{"another dialect", w.sites[0], event.Segment, "m", event.Stored, 2},
		{"another site", w.sites[1], event.Native, "m", event.Stored, 1},
		{"another case", w.sites[0], event.Native, "M", event.Stored, 3},
		{"no id", w.sites[0], event.Native, "", event.Stored, 4},
		{"no id again", w.sites[0], event.Native, "", event.Stored, 5},
		{"the first still", w.sites[0], event.Native, "m", event.Duplicate, 1},
	} {
		out, err := e.Ingest(t.Context(), []engine.Record{{Site: c.site, Record: &event.Record{Event: event.Event{
			Dialect: c.dialect, Type: event.Track, Name: "x", MessageID: c.id,
		}}}}, true, nil)
		if err != nil || out[0].Status != c.want || out[0].Seq != c.seq {
			t.Errorf("%s: %+v, %v; want status %d seq %d", c.name, out, err, c.want, c.seq)
		}
	}
}

// A site with a few events in memory knows their ids, however many events another site has
// sent since.
func TestDedupQuietSite(t *testing.T) {
	quiet, busy := &engine.Site{Site: query.Site{ID: 1, Name: "quiet"}}, &engine.Site{Site: query.Site{ID: 2, Name: "busy"}}
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(quiet, busy), Reserve: -1, Memory: 16 << 20, SealRows: 2000, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	send := func(site *engine.Site, from, n int) []event.Outcome {
		var records []engine.Record
		for i := range n {
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x", MessageID: fmt.Sprint("m", from+i)}}})
		}
		outcomes, err := e.Ingest(t.Context(), records, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		return outcomes
	}
	send(quiet, 0, 5)
	for n := 0; n < 40_000; n += 1000 { // the exact table holds about 10,000
		send(busy, n, 1000)
	}
	for i, o := range send(quiet, 0, 6) {
		if want := i < 5; (o.Status == event.Duplicate) != want || want && o.Seq != uint64(i+1) {
			t.Errorf("event %d again: %+v", i, o)
		}
	}
	for i, o := range send(busy, 0, 3) {
		if o.Status != event.Duplicate || o.Seq != uint64(i+1) {
			t.Errorf("event %d of the busy site again: %+v", i, o)
		}
	}
}
