package wire

import (
	"net/netip"
	"sync"
)

// This file divides the budget of bodies among clients, so that a few of them cannot take
// all of it.

// The shares of the budget: of all clients that have proved no secret together, and of one
// address among them. The rest is for those that have.
const (
	openShare    = 0.75
	addressShare = 0.125
)

// Shares knows what each client holds of a budget. Any goroutine may use it.
type Shares struct {
	budget, openMax, addressMax int64

	mu   sync.Mutex
	open int64 // held by all clients without a secret
	by   map[netip.Addr]holding
}

// holding is what one address holds.
type holding struct {
	bytes    int64
	requests int
}

// NewShares divides a budget of that many bytes.
func NewShares(budget int64) *Shares {
	return &Shares{budget: budget, openMax: int64(openShare*float64(budget)) + 16*bodySlack, addressMax: int64(addressShare * float64(budget)), by: map[netip.Addr]holding{}}
}

// bodySlack is what a buffer may be larger than its body.
const bodySlack = 4 << 10

// BodyMax is how many bytes one body may have, so that its buffers fit into the budget when
// nobody else has any. proved says that the client has proved a secret, packed that the body
// is compressed: it then lies in memory twice.
func (s *Shares) BodyMax(proved, packed bool) int64 {
	most := s.budget / 2
	if packed && !proved {
		most = s.openMax / 2
	}
	return most - bodySlack
}

// Share is what one request holds of the budget. The zero Share and nil have no bound. It
// serves one request after another, and one goroutine at a time.
type Share struct {
	shares *Shares
	addr   netip.Addr // invalid: the client's address has no share of its own
	held   int64
}

// Of makes the share of a request without a secret. addr is the client's address; the zero
// Addr has no bound of its own.
func (s *Shares) Of(addr netip.Addr) Share {
	return Share{shares: s, addr: LimitKey(addr)}
}

// bounded says whether the client has proved no secret.
func (h *Share) bounded() bool { return h != nil && h.shares != nil }

// take adds n bytes to what the request holds, and reports whether its share allows that. An
// address may always hold one request, however large.
func (h *Share) take(n int64) bool {
	if !h.bounded() {
		return true
	}
	s := h.shares
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open+n > s.openMax {
		return false
	}
	if h.addr.IsValid() {
		all := s.by[h.addr]
		if h.held == 0 {
			all.requests++
		}
		if all.bytes += n; all.bytes > s.addressMax && all.requests > 1 {
			return false
		}
		s.by[h.addr] = all
	}
	s.open += n
	h.held += n
	return true
}

// give takes n bytes off what the request holds.
func (h *Share) give(n int64) {
	if !h.bounded() || n == 0 {
		return
	}
	s := h.shares
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open -= n
	h.held -= n
	if !h.addr.IsValid() {
		return
	}
	all := s.by[h.addr]
	all.bytes -= n
	if h.held == 0 {
		all.requests--
	}
	if all.requests == 0 {
		delete(s.by, h.addr)
	} else {
		s.by[h.addr] = all
	}
}
