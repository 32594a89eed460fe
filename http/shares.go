package httpd

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"

	"cairn/engine/query"
	"cairn/http/auth"
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
	token  [32]byte // its SHA-256
	limits *dialect.Share
	load   *load
	own    *visiting
}

// limitsOf is what the share of a viewer limits; nil for a viewer without one.
func limitsOf(v *dashboard.Viewer) *dialect.Share {
	if l, ok := v.Key.(*looker); ok && l.share != nil {
		return l.share.limits
	}
	return nil
}

// Share implements dashboard.Gate.
func (s *Server) Share(req *dialect.Request, token string) (*dashboard.Viewer, error) {
	x := exchangeOf(req)
	if _, wait := s.guesses.next(s.guesses.arrivalOf(x.req.Peer), ticks(x.started), 1); wait > 0 {
		x.wait = wait
		return nil, errGuesses
	}
	digest := sha256.Sum256([]byte(token))
	a, saved, limits, err := (*auth.Account)(nil), query.Saved{}, (*dialect.Share)(nil), query.ErrNotFound
	if len(token) == shareBytes {
		a, saved, limits, err = s.shareOf(x.sites, digest)
	}
	switch {
	case errors.Is(err, query.ErrNotFound):
		s.guesses.take(x.req.Peer, x.started)
		return nil, nil
	case err != nil:
		return nil, err
	case a == nil:
		return nil, nil
	}
	goals, err := s.native.GoalsOf(s.running, &a.Site.Site, limits)
	if err != nil { // the numbers are shown without them
		goals = nil
	}
	load, own := s.loads.of(digest, x.req.Peer)
	share := &dashboard.Share{Name: saved.Name, People: !limits.Numbers, Embed: saved.Share.Embed}
	for _, g := range goals {
		share.Goals = append(share.Goals, dashboard.Goal{Name: g.Name, Query: g.Query})
	}
	return &dashboard.Viewer{Sites: []*dialect.Site{&a.Site}, Key: &looker{&own.work, &sharing{digest, limits, load, own}}, Share: share}, nil
}

// shareOf is the share of a token, its site and what it limits. The error is query.ErrNotFound for a
// token of no share; the site is nil when the share is over.
func (s *Server) shareOf(all *sites, digest [32]byte) (*auth.Account, query.Saved, *dialect.Share, error) {
	site, saved, err := s.engine.ShareOf(s.running, digest)
	if err != nil {
		return nil, saved, nil, err
	}
	a := all.registry.ByID(site)
	if a == nil || saved.Share.Expires != 0 && s.now().UnixMilli() >= saved.Share.Expires {
		return nil, saved, nil, nil
	}
	limits := &dialect.Share{Numbers: saved.Share.Scope != "people", Props: saved.Share.Props}
	if saved.Share.Filter != "" {
		if limits.Filter, err = s.filterOf(s.running, &a.Site, saved.Share.Filter); err != nil {
			return nil, saved, nil, fmt.Errorf("the filter of a share: %v", err) // not an unknown token
		}
	}
	return a, saved, limits, nil
}

// Follow implements dashboard.Reports.
func (s *Server) Follow(req *dialect.Request, v *dashboard.Viewer, site *dialect.Site, rawQuery string) dashboard.Answer {
	x := exchangeOf(req)
	q := s.question(v, site, "GET", "live/stream")
	q.RawQuery = rawQuery
	l, ok := v.Key.(*looker)
	if !ok || l.share == nil {
		return s.answer(q, func(*dialect.Response) error { return errUnbound })
	}
	q.Valid = func() bool {
		a, _, limits, err := s.shareOf(s.sites.Load(), l.share.token)
		return err == nil && a != nil && a.Site.ID == site.ID && reflect.DeepEqual(limits, l.share.limits)
	}
	return s.answer(q, func(res *dialect.Response) error {
		if !x.countLasting(bound{&l.share.own.streams, lastingKeyMax}, bound{&l.share.load.streams, lastingSharesMax}, bound{&s.lastingShares, lastingSharesMax}) {
			return errStreams
		}
		var ctx context.Context
		ctx, x.cancel = context.WithTimeout(s.streaming, lastsMax)
		return s.native.Read(ctx, q, nil, res)
	})
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

// load counts what one share has at work.
type load struct {
	work    auth.Work                // questions of all
	streams atomic.Int32             // of all
	from    map[netip.Addr]*visiting // under the lock of loads
}

// visiting is what one address that looks at a share has at work.
type visiting struct {
	work    auth.Work
	streams atomic.Int32
}

func (v *visiting) idle() bool { return v.work.Count() == 0 && v.streams.Load() == 0 }

func (l *load) idle() bool { return l.work.Count() == 0 && l.streams.Load() == 0 }

// loadsMax bounds how many shares are counted, and of each how many addresses. When there are
// more, those with nothing at work are forgotten.
const loadsMax = 1024

// loads are the shares that somebody has looked at. Only right tokens come here.
type loads struct {
	mu  sync.Mutex
	all map[[32]byte]*load
}

// of returns the counts of a share and of an address that looks at it.
func (l *loads) of(token [32]byte, addr netip.Addr) (*load, *visiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	share := l.all[token]
	if share == nil {
		if l.all == nil {
			l.all = map[[32]byte]*load{}
		}
		if len(l.all) >= loadsMax {
			for other, load := range l.all {
				if load.idle() {
					delete(l.all, other)
				}
			}
		}
		share = &load{from: map[netip.Addr]*visiting{}}
		l.all[token] = share
	}
	addr = wire.LimitKey(addr)
	own := share.from[addr]
	if own == nil {
		if len(share.from) >= loadsMax {
			for other, v := range share.from {
				if v.idle() {
					delete(share.from, other)
				}
			}
		}
		own = new(visiting)
		share.from[addr] = own
	}
	return share, own
}
