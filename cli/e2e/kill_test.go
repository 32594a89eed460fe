package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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
	killBatchMax = 20 // events of one request
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
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./cli/e2e -run TestKill -kill.cycles=%d -kill.seed=%d", *killCycles, seed)
	options, err := serveOptions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{options: options, rng: rand.New(rand.NewPCG(seed, 0)), oracle: newKillOracle()}
	for cycle := range *killCycles {
		if err := k.cycle(cycle); err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
	}
	if err := k.finish(); err != nil {
		t.Fatal(err)
	}
	if k.oracle.events == 0 {
		t.Error("nothing was ever acknowledged")
	}
	t.Logf("%d events listed after %d kills, %d of them during recovery; %d requests never answered, of which %d were stored; %d repeated",
		k.oracle.events, k.kills, k.early, k.unanswered.Load(), k.oracle.storedUnanswered, k.again.Load())
}

type killer struct {
	options           bench.ChildOptions
	rng               *rand.Rand
	oracle            *killOracle
	kills, early      int
	unanswered, again atomic.Int64
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
	defer server.Kill()
	// Now and then read the whole log, otherwise only the new part.
	if err := k.oracle.verify(server, n%10 == 0); err != nil {
		return err
	}
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
	server.Kill()
	k.kills++
	cancel()
	senders.Wait()
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

// killEarly starts the server and kills it again at once, most likely during the
// recovery.
func (k *killer) killEarly() error {
	for range 1 + k.rng.IntN(3) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(k.rng.Int64N(int64(killStartMax))))
		server, err := bench.StartChild(ctx, k.options)
		cancel()
		if err == nil {
			server.Kill() // the start was faster
		} else if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		k.kills++
		k.early++
	}
	return nil
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
		answer, err := c.Post("/api/v1/events", contentType, req.body)
		if err != nil {
			if strings.HasPrefix(err.Error(), "status ") {
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
		req.acked.Store(true)
	}
	return nil
}

// killRequest is one request of 1 to killBatchMax events.
type killRequest struct {
	number, events int
	ndjson         bool
	body           []byte
	sent           atomic.Int32
	acked          atomic.Bool
	listed         int // events of it found in the log
}

// killOracle knows what was sent and what was found.
type killOracle struct {
	mu       sync.Mutex
	requests []*killRequest

	// Only verify uses these, while nothing is sent.
	seen             map[string]bool // message ids
	kinds            map[string]int64
	events           int
	cursor           string
	storedUnanswered int
}

func newKillOracle() *killOracle {
	return &killOracle{seen: map[string]bool{}, kinds: map[string]int64{}}
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
	var lines []string
	for i := range r.events {
		lines = append(lines, fmt.Sprintf(`{"name":"kill","user":"u%d","message_id":"%d-%d","properties":{"kind":"k%d","request":%d}}`, rng.IntN(50), r.number, i, rng.IntN(7), r.number))
	}
	switch {
	case r.ndjson:
		r.body = []byte(strings.Join(lines, "\n"))
	case r.events == 1:
		r.body = []byte(lines[0])
	default:
		r.body = []byte("[" + strings.Join(lines, ",") + "]")
	}
	o.requests = append(o.requests, r)
	return r
}

// verify reads the log from where it stopped, or from the start, and compares.
func (o *killOracle) verify(server *bench.Child, all bool) error {
	c, err := bench.Dial(context.Background(), server.URL, server.Keys.Sites[0].SecretKey)
	if err != nil {
		return err
	}
	defer c.Close()
	if all {
		clear(o.seen)
		clear(o.kinds)
		o.events, o.cursor = 0, ""
		for _, r := range o.requests {
			r.listed = 0
		}
	}
	if err := o.walk(c); err != nil {
		return err
	}
	o.storedUnanswered = 0
	for _, r := range o.requests {
		switch {
		case r.acked.Load() && r.listed != r.events:
			return fmt.Errorf("LOST: request %d was acknowledged with %d events, %d are listed", r.number, r.events, r.listed)
		case r.listed != 0 && r.listed != r.events:
			return fmt.Errorf("PARTIAL: request %d of %d events, %d are listed", r.number, r.events, r.listed)
		case r.listed != 0 && !r.acked.Load():
			o.storedUnanswered++
		}
	}
	return o.compareCounters(c)
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
			if o.seen[e.MessageID] {
				return fmt.Errorf("TWICE: message id %s", e.MessageID)
			}
			o.seen[e.MessageID] = true
			number, _, _ := strings.Cut(e.MessageID, "-")
			n, err := strconv.Atoi(number)
			if err != nil || n >= len(o.requests) {
				return fmt.Errorf("message id %q was never sent", e.MessageID)
			}
			o.requests[n].listed++
			o.kinds[e.Properties.Kind]++
			o.events++
			o.cursor = e.ID
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
		return fmt.Errorf("COUNT: %d, the listing has %d", count.Events, o.events)
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
	if fmt.Sprint(got) != fmt.Sprint(o.kinds) {
		return fmt.Errorf("COUNTERS: %v, the listing has %v", got, o.kinds)
	}
	return nil
}
