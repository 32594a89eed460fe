package httpd

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"cairn/engine/query"
	"cairn/http/dashboard"
	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file knows who looks with the token of a share. The token in the path is all there is: no
// cookie counts beside it.

// Wrong tokens of one address: how many a minute. Beyond it right ones are refused too, because
// the answers would tell them apart.
const guessesMinute = 60

// shareBytes is the length of a token: 160 bits in base32, see native's save.
const shareBytes = 32

// shareQueriesMax is how many questions one share may have at work; each address that looks has
// queriesMax.
const shareQueriesMax = 16

var errGuesses = &dialect.StatusError{Failure: dialect.RateLimited, Msg: "too many wrong links; wait a minute"}

// sharing is what the gate keeps of a viewer with a share.
type sharing struct {
	limits *dialect.Share
	load   *load
}

// limitsOf is what the share of a viewer limits; nil for a viewer without one.
func limitsOf(v *dashboard.Viewer) *dialect.Share {
	if s, ok := v.Key.(*sharing); ok {
		return s.limits
	}
	return nil
}

// beginShared counts a question of a viewer with a share among those of the share.
func beginShared(v *dashboard.Viewer) (end func(), err error) {
	s, ok := v.Key.(*sharing)
	if !ok {
		return func() {}, nil
	}
	if s.load.all.Add(1) > shareQueriesMax {
		s.load.all.Add(-1)
		return nil, query.ErrTooMany
	}
	return func() { s.load.all.Add(-1) }, nil
}

// Share implements dashboard.Gate.
func (s *Server) Share(req *dialect.Request, token string) (*dashboard.Viewer, error) {
	x := exchangeOf(req)
	if _, wait := s.guesses.next(s.guesses.arrivalOf(x.req.Peer), ticks(x.started), 1); wait > 0 {
		x.wait = wait
		return nil, errGuesses
	}
	digest := sha256.Sum256([]byte(token))
	site, saved, err := uint32(0), query.Saved{}, query.ErrNotFound
	if len(token) == shareBytes {
		site, saved, err = s.engine.ShareOf(s.running, digest)
	}
	if err != nil && !errors.Is(err, query.ErrNotFound) {
		return nil, err
	}
	a := x.sites.registry.ByID(site)
	if err != nil || a == nil || saved.Share.Expires != 0 && s.now().UnixMilli() >= saved.Share.Expires {
		if err != nil {
			s.guesses.take(x.req.Peer, x.started)
		}
		return nil, nil
	}
	share := saved.Share
	limits := &dialect.Share{Numbers: share.Scope != "people", Props: share.Props}
	if share.Filter != "" {
		if limits.Filter, err = s.filterOf(s.running, &a.Site, share.Filter); err != nil {
			return nil, err
		}
	}
	load, own := s.loads.of(digest, x.req.Peer)
	return &dashboard.Viewer{
		Sites: []*dialect.Site{&a.Site}, Work: own, Key: &sharing{limits, load},
		Share: &dashboard.Share{Name: saved.Name, People: !limits.Numbers, Embed: share.Embed},
	}, nil
}

// filterOf is the query of a saved filter. A share whose filter is not there shows nothing.
func (s *Server) filterOf(ctx context.Context, site *dialect.Site, id string) (string, error) {
	f, err := s.engine.Saved(ctx, &site.Site, id)
	switch {
	case err != nil:
		return "", err
	case f.Kind != query.SavedFilter:
		return "", query.ErrNotFound
	}
	return f.Query, nil
}

// load counts the questions of one share that are at work.
type load struct {
	all  atomic.Int32
	from map[netip.Addr]*atomic.Int32 // of one address; under the lock of loads
}

// loadsMax bounds how many shares are counted, and of each how many addresses. When there are
// more, those with nothing at work are forgotten.
const loadsMax = 1024

// loads are the shares that somebody has looked at. Only right tokens come here.
type loads struct {
	mu  sync.Mutex
	all map[[32]byte]*load
}

// of returns the counts of a share and of an address that looks at it.
func (l *loads) of(token [32]byte, addr netip.Addr) (*load, *atomic.Int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	share := l.all[token]
	if share == nil {
		if l.all == nil {
			l.all = map[[32]byte]*load{}
		}
		if len(l.all) >= loadsMax {
			for other, idle := range l.all {
				if idle.all.Load() == 0 {
					delete(l.all, other)
				}
			}
		}
		share = &load{from: map[netip.Addr]*atomic.Int32{}}
		l.all[token] = share
	}
	addr = wire.LimitKey(addr)
	own := share.from[addr]
	if own == nil {
		if len(share.from) >= loadsMax {
			for other, idle := range share.from {
				if idle.Load() == 0 {
					delete(share.from, other)
				}
			}
		}
		own = new(atomic.Int32)
		share.from[addr] = own
	}
	return share, own
}
