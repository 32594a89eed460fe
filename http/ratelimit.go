package httpd

import (
	"hash/maphash"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cairn/http/wire"
)

// epoch is long before any time that rates see, and has a monotonic part as these have.
var epoch = time.Now().Add(-100 * 365 * 24 * time.Hour)

// ticks is a time in nanoseconds on the monotonic clock, where the time has one. Rates use it:
// the wall clock may be set back, and everybody would then owe for as long as the step.
func ticks(t time.Time) int64 { return int64(t.Sub(epoch)) }

// pace is a rate limit in the form of GCRA: a client has a theoretical arrival time, each
// unit moves it on by interval, and it may run ahead of the clock by slack. That takes one
// number for each client and no timers, and is exact over any span.
type pace struct {
	interval float64 // ns a unit; 0 = no limit
	slack    int64   // ns
}

// newPace allows perSecond units a second and burst of them at once.
func newPace(perSecond float64, burst int) pace {
	if perSecond <= 0 {
		return pace{}
	}
	interval := 1e9 / perSecond
	return pace{interval, int64(interval * float64(max(burst-1, 0)))}
}

// next is the arrival time after n more units, or how long to wait first. A request larger
// than the burst passes when the client owes nothing, and the client owes all of it
// afterwards. So a batch is never refused for ever.
func (p pace) next(arrival, now int64, n int) (int64, time.Duration) {
	if wait := arrival - now - p.slack; wait > 0 {
		return arrival, time.Duration(wait)
	}
	return max(arrival, now) + int64(math.Ceil(p.interval*float64(n))), 0
}

// meter holds one client to a pace.
type meter struct {
	pace
	arrival atomic.Int64
}

// take spends n units. A wait above 0 means that nothing was spent. With n = 0 it only
// says how long to wait.
func (m *meter) take(now time.Time, n int) time.Duration {
	if m.interval == 0 {
		return 0
	}
	for {
		old := m.arrival.Load()
		next, wait := m.next(old, ticks(now), n)
		if wait > 0 || n == 0 || m.arrival.CompareAndSwap(old, next) {
			return wait
		}
	}
}

const (
	meterShards   = 64
	metersOfShard = 1024 // 65,536 addresses in all, some 4 MB
)

// meters holds each address to one pace, in a table of bounded size. When a shard
// is full of addresses that owe something, one of them is forgotten.
type meters struct {
	pace
	seed   maphash.Seed
	shards [meterShards]struct {
		sync.Mutex
		arrival map[netip.Addr]int64
	}
}

func newMeters(p pace) *meters {
	m := &meters{pace: p, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].arrival = map[netip.Addr]int64{}
	}
	return m
}

// take spends one unit of an address.
func (m *meters) take(addr netip.Addr, now time.Time) time.Duration {
	if m.interval == 0 {
		return 0
	}
	addr = wire.LimitKey(addr)
	s := &m.shards[maphash.Comparable(m.seed, addr)%meterShards]
	s.Lock()
	defer s.Unlock()
	t := ticks(now)
	old, known := s.arrival[addr]
	next, wait := m.next(old, t, 1)
	if wait == 0 {
		if !known && len(s.arrival) >= metersOfShard {
			for a, arrival := range s.arrival {
				if arrival <= t {
					delete(s.arrival, a)
				}
			}
			for a := range s.arrival {
				if len(s.arrival) < metersOfShard {
					break
				}
				delete(s.arrival, a)
			}
		}
		s.arrival[addr] = next
	}
	return wait
}

// refund gives one unit back, because the request turned out to carry a secret.
func (m *meters) refund(addr netip.Addr) {
	if m.interval == 0 {
		return
	}
	addr = wire.LimitKey(addr)
	s := &m.shards[maphash.Comparable(m.seed, addr)%meterShards]
	s.Lock()
	defer s.Unlock()
	if old, ok := s.arrival[addr]; ok {
		s.arrival[addr] = old - int64(math.Ceil(m.interval))
	}
}

// retrySeconds is a wait as Retry-After says it: whole seconds, at least one.
func retrySeconds(wait time.Duration) int {
	return max(1, int(math.Ceil(wait.Seconds())))
}

// left says how much a client may send: the burst, how many units of it remain, and after
// how many seconds all of them do.
func (p pace) left(arrival, now int64) (limit, remaining, reset int) {
	owed := float64(max(arrival-now, 0))
	limit = int(math.Round(float64(p.slack)/p.interval)) + 1
	remaining = int((float64(p.slack)-owed)/p.interval) + 1
	if owed > float64(p.slack) {
		remaining = 0
	}
	return limit, min(remaining, limit), int(math.Ceil(owed / 1e9))
}

// arrivalOf is the theoretical arrival time of an address.
func (m *meters) arrivalOf(addr netip.Addr) int64 {
	addr = wire.LimitKey(addr)
	s := &m.shards[maphash.Comparable(m.seed, addr)%meterShards]
	s.Lock()
	defer s.Unlock()
	return s.arrival[addr]
}

// rateHeaders says in x-ratelimit-* what is left of the rate that would refuse the client
// first: that of its address or that of its site. A client without a limit gets no such
// headers.
func (x *exchange) rateHeaders() {
	now := ticks(x.started)
	limit, remaining, reset := -1, 0, 0
	if m := x.sites.perIP; m.interval > 0 && (x.charged || x.wait > 0 && !x.unlimited()) {
		limit, remaining, reset = m.left(m.arrivalOf(x.req.Peer), now)
	}
	if x.payer != nil && x.payer.events.interval > 0 {
		m := x.payer.events
		if l, r, s := m.left(m.arrival.Load(), now); limit < 0 || r < remaining {
			limit, remaining, reset = l, r, s
		}
	}
	if x.res.Status == 429 {
		limit, remaining, reset = max(limit, 1), 0, max(reset, retrySeconds(x.wait))
	}
	if limit < 0 {
		return
	}
	x.addHeader("x-ratelimit-limit", strconv.Itoa(limit))
	x.addHeader("x-ratelimit-remaining", strconv.Itoa(remaining))
	x.addHeader("x-ratelimit-reset", strconv.Itoa(reset))
}
