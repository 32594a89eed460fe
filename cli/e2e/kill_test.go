package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/cli/bench"
)

var (
	killCycles = flag.Int("kill.cycles", 5, "how often TestKill kills the server")
	killSeed   = flag.Uint64("kill.seed", 0, "seed of TestKill; 0 = by the clock")
)

const (
	killSenders  = 6
	killBatchMax = 20 // events of one request; killRequest.seen has a bit for each
	killAgainPct = 5  // sends that repeat an earlier request
	killEarlyPct = 20 // kills that interrupt the recovery
	killLoadMax  = 400 * time.Millisecond
	killStartMax = 60 * time.Millisecond // most starts take less
)

// Promises D1, D2, D3 and D4, tried on the real binary. Whenever it is killed, every
// event of a request that was answered 2xx is listed exactly once after the restart.
// Every request is stored completely or not at all. A repeated request is not stored
// twice. The counters equal the listing.
func TestKill(t *testing.T) {
	t.Parallel()
	k := newKiller(t, t.TempDir(), *killSeed)
	t.Logf("go test ./cli/e2e -run TestKill -kill.cycles=%d -kill.seed=%d", *killCycles, k.oracle.seed)
	k.run(t, *killCycles)
}

// killer loads a server and ends it without a warning, again and again on one store.
type killer struct {
	options bench.ChildOptions
	rng     *rand.Rand
	oracle  *killOracle

	// A server is only killed, or fail first takes away its disk, and mend brings the disk
	// back after the kill. Both are nil or neither is.
	fail, mend func() error
	// failing is set before fail. Since then, the server may answer 5xx, and a 2xx promises
	// nothing: Linux can end an fsync that was under way without an error although the data
	// is gone, and a machine without power sends no answers.
	failing atomic.Bool
	// gone is set after fail. Since then, no new event can be stored, so a 2xx for one is a fault.
	gone atomic.Bool

	kills, early      int
	unanswered, again atomic.Int64
}

// newKiller returns a killer for a store in dir. A seed of 0 is replaced by the clock.
func newKiller(t *testing.T, dir string, seed uint64) *killer {
	t.Helper()
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	options, err := serveOptions(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &killer{options: options, rng: rand.New(rand.NewPCG(seed, 0)), oracle: &killOracle{seed: seed, kinds: map[string]int64{}}}
}

// run runs all cycles and a last check. It logs what was found, also when the test fails.
func (k *killer) run(t *testing.T, cycles int) {
	t.Helper()
	done := 0
	defer func() {
		o := k.oracle
		t.Logf("%d cycles, %d kills, %d of them during recovery; %d requests with %d events, %d acknowledged with %d events; %d never answered, %d of these stored; %d repeated; %v",
			done, k.kills, k.early, len(o.requests), o.sent, o.acked, o.ackedEvents, k.unanswered.Load(), o.storedUnanswered, k.again.Load(), o.faults)
	}()
	for ; done < cycles; done++ {
		if err := k.cycle(done); err != nil {
			t.Fatalf("cycle %d: %v", done, err)
		}
	}
	if err := k.finish(); err != nil {
		t.Fatal(err)
	}
	if k.oracle.acked == 0 {
		t.Error("nothing was ever acknowledged")
	}
}

// cycle starts the server, verifies, loads it and kills it at a random instant.
func (k *killer) cycle(n int) error {
	if k.rng.IntN(100) < killEarlyPct {
		if err := k.killEarly(); err != nil {
			return err
		}
	}
	server, err := k.start()
	if err != nil {
		return err
	}
	defer func() { server.Kill() }()
	// Now and then read the whole log and let the checker recount, otherwise only read what
	// is new.
	all := n > 0 && (n%10 == 0 && n < 100 || n%100 == 0)
	if err := k.oracle.verify(server, all); err != nil {
		return err
	}
	if all {
		if err := stopAndCheck(server, k.options); err != nil {
			return err
		}
		again, err := k.start()
		if err != nil {
			return err
		}
		server = again
	}
	k.failing.Store(false)
	k.gone.Store(false)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fault := make(chan error, killSenders)
	var senders sync.WaitGroup
	for range killSenders {
		rng := rand.New(rand.NewPCG(k.rng.Uint64(), 1))
		senders.Go(func() {
			if err := k.send(ctx, server, rng); err != nil {
				fault <- err
			}
		})
	}
	time.Sleep(time.Duration(k.rng.Int64N(int64(killLoadMax))))
	err = k.kill(server)
	cancel()
	senders.Wait()
	if err != nil {
		return err
	}
	select {
	case err := <-fault:
		return err
	default:
		return nil
	}
}

func (k *killer) start() (*bench.Child, error) {
	return bench.StartChild(context.Background(), k.options)
}

// kill ends a running server.
func (k *killer) kill(server *bench.Child) error {
	k.kills++
	var err error
	if k.fail != nil {
		k.failing.Store(true)
		err = k.fail()
		k.gone.Store(true)
		// For a moment the server meets the errors.
		time.Sleep(time.Duration(k.rng.Int64N(int64(killStartMax))))
	}
	server.Kill()
	if k.mend != nil {
		err = errors.Join(err, k.mend())
	}
	return err
}

// killEarly starts the server and ends it again at once, most likely during the recovery.
func (k *killer) killEarly() error {
	for range 1 + k.rng.IntN(3) {
		k.early++
		if err := k.interrupt(time.Duration(k.rng.Int64N(int64(killStartMax)))); err != nil {
			return err
		}
	}
	return nil
}

// interrupt ends the server this long after the start began.
func (k *killer) interrupt(after time.Duration) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	timer := time.AfterFunc(after, func() {
		defer cancel()
		if k.fail != nil {
			failed <- k.fail()
		}
		close(failed)
	})
	server, err := bench.StartChild(ctx, k.options)
	if timer.Stop() {
		if err != nil {
			return err
		}
		return k.kill(server) // the start was faster
	}
	k.kills++
	fault := <-failed
	switch {
	case err == nil:
		server.Kill()
	case k.fail == nil && !errors.Is(err, context.Canceled):
		fault = err
	}
	if k.mend != nil {
		fault = errors.Join(fault, k.mend())
	}
	return fault
}

// finish verifies the whole log once more, stops the server properly and lets the
// checker recount.
func (k *killer) finish() error {
	server, err := k.start()
	if err != nil {
		return err
	}
	defer server.Kill()
	if err := k.oracle.verify(server, true); err != nil {
		return err
	}
	return stopAndCheck(server, k.options)
}

// send posts requests until the server is gone. Only wrong answers are errors.
func (k *killer) send(ctx context.Context, server *bench.Child, rng *rand.Rand) error {
	c, err := bench.Dial(ctx, server.URL, server.Keys.Sites[0].SecretKey)
	if err != nil {
		return nil
	}
	defer c.Close()
	for ctx.Err() == nil {
		req := k.oracle.next(rng)
		if req.sent.Add(1) > 1 {
			k.again.Add(1)
		}
		contentType := "application/json"
		if req.ndjson {
			contentType = bench.NDJSON
		}
		gone := k.gone.Load()
		answer, err := c.Post("/api/v1/events", contentType, k.oracle.body(req))
		if err != nil {
			refused := strings.HasPrefix(err.Error(), "status ")
			if refused && !(k.failing.Load() && strings.HasPrefix(err.Error(), "status 5")) {
				return err
			}
			k.unanswered.Add(1)
			return nil
		}
		var got struct{ Accepted, Duplicates int }
		if err := json.Unmarshal(answer, &got); err != nil {
			return fmt.Errorf("%w in %s", err, answer)
		}
		sent := req.sent.Load()
		if got.Accepted+got.Duplicates != req.events || got.Accepted != 0 && got.Duplicates != 0 || sent == 1 && got.Duplicates != 0 {
			return fmt.Errorf("request %d of %d events, sent %d times, was answered %s", req.number, req.events, sent, answer)
		}
		if gone && got.Accepted > 0 {
			return fmt.Errorf("request %d was sent after the disk had failed and was answered %s", req.number, answer)
		}
		if !k.failing.Load() {
			req.acked.Store(true)
		}
	}
	return nil
}

// killRequest is one request of 1 to killBatchMax events. Its number says what is in it.
type killRequest struct {
	number, events int
	ndjson         bool
	sent           atomic.Int32
	acked          atomic.Bool
	seen           uint32 // a bit for each of its events that is in the log
}

// killOracle knows what was sent and what was found.
type killOracle struct {
	seed     uint64
	mu       sync.Mutex
	requests []*killRequest
	sent     int // events of all requests

	// Only verify uses these, while nothing is sent.
	kinds              map[string]int64
	events             int // in the log
	cursor             string
	acked, ackedEvents int // requests, and their events
	storedUnanswered   int
	faults             killFaults
}

// killFaults counts what one verification finds.
type killFaults struct {
	lost, twice, unknown int // events: acknowledged and not listed, listed again, never sent
	partial, counters    int // requests, and totals that are not those of the listing
	first                string
}

func (f *killFaults) add(count *int, n int, format string, args ...any) {
	if f.first == "" {
		f.first = ": " + fmt.Sprintf(format, args...)
	}
	*count += n
}

func (f killFaults) String() string {
	return fmt.Sprintf("%d acknowledged events lost, %d duplicate, %d never sent, %d partial requests, %d counter differences%s",
		f.lost, f.twice, f.unknown, f.partial, f.counters, f.first)
}

// next returns a new request, or now and then an earlier one, which may be on its way
// at this moment.
func (o *killOracle) next(rng *rand.Rand) *killRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.requests); n > 0 && rng.IntN(100) < killAgainPct {
		return o.requests[rng.IntN(n)]
	}
	r := &killRequest{number: len(o.requests), events: 1, ndjson: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		r.events += rng.IntN(killBatchMax)
	}
	o.requests = append(o.requests, r)
	o.sent += r.events
	return r
}

// body returns the body of a request, the same each time.
func (o *killOracle) body(r *killRequest) []byte {
	rng := rand.New(rand.NewPCG(o.seed, uint64(r.number)))
	b, between := []byte("["), byte(',')
	if r.ndjson || r.events == 1 {
		b, between = nil, '\n'
	}
	for i := range r.events {
		if i > 0 {
			b = append(b, between)
		}
		b = fmt.Appendf(b, `{"name":"kill","user":"u%d","message_id":"%d-%d","properties":{"kind":"k%d","request":%d}}`, rng.IntN(50), r.number, i, rng.IntN(7), r.number)
	}
	if between == ',' {
		b = append(b, ']')
	}
	return b
}

// verify reads the log from where it stopped, or from the start, and compares. After a
// fault it reads all of the log, to count the faults.
func (o *killOracle) verify(server *bench.Child, all bool) error {
	err := o.compare(server, all)
	if err != nil && !all {
		if again := o.compare(server, true); again != nil {
			return again
		}
	}
	return err
}

func (o *killOracle) compare(server *bench.Child, all bool) error {
	c, err := bench.Dial(context.Background(), server.URL, server.Keys.Sites[0].SecretKey)
	if err != nil {
		return err
	}
	defer c.Close()
	o.faults = killFaults{}
	if all {
		clear(o.kinds)
		o.events, o.cursor = 0, ""
		for _, r := range o.requests {
			r.seen = 0
		}
	}
	if err := o.walk(c); err != nil {
		return err
	}
	o.acked, o.ackedEvents, o.storedUnanswered = 0, 0, 0
	for _, r := range o.requests {
		listed, acked := bits.OnesCount32(r.seen), r.acked.Load()
		if acked {
			o.acked++
			o.ackedEvents += r.events
		}
		switch {
		case acked && listed != r.events:
			o.faults.add(&o.faults.lost, r.events-listed, "request %d was acknowledged with %d events, %d are listed", r.number, r.events, listed)
		case listed != 0 && !acked:
			o.storedUnanswered++
		}
		if listed != 0 && listed != r.events {
			o.faults.add(&o.faults.partial, 1, "request %d has %d events, %d are listed", r.number, r.events, listed)
		}
	}
	if err := o.compareCounters(c); err != nil {
		return err
	}
	if o.faults.first != "" {
		return errors.New(o.faults.String())
	}
	return nil
}

// walk follows the listing from o.cursor to its end.
func (o *killOracle) walk(c *bench.Conn) error {
	for {
		path := "/api/v1/events?order=asc&limit=1000"
		if o.cursor != "" {
			path += "&after=" + url.QueryEscape(o.cursor)
		}
		answer, err := c.Get(path)
		if err != nil {
			return err
		}
		var page struct {
			Events []struct {
				ID         string
				MessageID  string `json:"message_id"`
				Properties struct{ Kind string }
			}
			Next *string
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		for _, e := range page.Events {
			o.kinds[e.Properties.Kind]++
			o.events++
			o.cursor = e.ID
			number, place, _ := strings.Cut(e.MessageID, "-")
			n, err := strconv.Atoi(number)
			i, ierr := strconv.Atoi(place)
			if err != nil || ierr != nil || n < 0 || n >= len(o.requests) || i < 0 || i >= o.requests[n].events {
				o.faults.add(&o.faults.unknown, 1, "message id %q was never sent", e.MessageID)
				continue
			}
			if o.requests[n].seen&(1<<i) != 0 {
				o.faults.add(&o.faults.twice, 1, "message id %s is listed again", e.MessageID)
			}
			o.requests[n].seen |= 1 << i
		}
		if page.Next == nil || len(page.Events) == 0 {
			return nil
		}
	}
}

// compareCounters compares what the server counts with what was listed.
func (o *killOracle) compareCounters(c *bench.Conn) error {
	answer, err := c.Get("/api/v1/count")
	if err != nil {
		return err
	}
	var count struct{ Events int }
	if err := json.Unmarshal(answer, &count); err != nil {
		return err
	}
	if count.Events != o.events {
		o.faults.add(&o.faults.counters, 1, "the count is %d, the listing has %d", count.Events, o.events)
	}
	if answer, err = c.Get("/api/v1/counters?property=kind"); err != nil {
		return err
	}
	var counters struct {
		Rows []struct {
			Value  string
			Events int64
		}
	}
	if err := json.Unmarshal(answer, &counters); err != nil {
		return err
	}
	got := map[string]int64{}
	for _, r := range counters.Rows {
		got[r.Value] = r.Events
	}
	if !maps.Equal(got, o.kinds) {
		o.faults.add(&o.faults.counters, 1, "the counters are %v, the listing has %v", got, o.kinds)
	}
	return nil
}
