package auth

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file knows the sessions of browsers at the dashboard. A session came from a key, and
// opens what the key opens as long as the key is configured.

// When a session ends by itself, and how many there may be.
const (
	SessionMax  = 30 * 24 * time.Hour
	sessionIdle = 12 * time.Hour
	sessionsMax = 1000             // the one that was not used for longest gives way
	usedEvery   = 10 * time.Minute // how often the last use is written
)

// Keeper keeps sessions when the process ends.
type Keeper interface {
	Browsers() ([]query.BrowserSession, error)
	KeepBrowser(s *query.BrowserSession, late bool) error
	ForgetBrowsers(ids ...[32]byte) error
}

// Opener is a key that can open the dashboard.
type Opener struct {
	digest [32]byte
	site   uint32 // 0 = all
	right  dialect.Right
}

// Sessions are the sessions of all browsers. What the Keeper refuses, as on a full disk, is in
// memory alone.
type Sessions struct {
	keeper Keeper
	now    func() time.Time

	writing sync.Mutex // held while the keeper writes; before mu
	lost    [][32]byte // sessions that have ended and that the keeper has not forgotten yet
	mu      sync.Mutex
	all     map[[32]byte]*Session
}

// Session is one browser's.
type Session struct {
	state   query.BrowserSession // Used is under the lock of Sessions
	written int64                // when the keeper was last given Used
	queries Work                 // reads at work
	streams atomic.Int32         // open streams that last
}

// NewSessions takes up the sessions that the keeper has. With an error some or all of them are
// missing; new ones can begin.
func NewSessions(keeper Keeper, now func() time.Time) (*Sessions, error) {
	s := &Sessions{keeper: keeper, now: now, all: map[[32]byte]*Session{}}
	kept, err := keeper.Browsers()
	slices.SortFunc(kept, func(a, b query.BrowserSession) int { return cmp.Compare(b.Used, a.Used) })
	var over [][32]byte
	for _, state := range kept {
		if session := (&Session{state: state, written: state.Used}); session.over(now().UnixMilli()) || len(s.all) >= sessionsMax {
			over = append(over, state.ID)
		} else {
			s.all[state.ID] = session
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s, cmp.Or(err, s.forget(over))
}

// over says whether a session has ended by itself.
func (s *Session) over(now int64) bool {
	return now-s.state.Begin >= SessionMax.Milliseconds() || now-s.state.Used >= sessionIdle.Milliseconds()
}

// forget makes the keeper forget sessions, and those that it could not forget before. The caller
// holds writing.
func (s *Sessions) forget(ids [][32]byte) error {
	ids = append(s.lost, ids...)
	if len(ids) == 0 {
		return nil
	}
	if s.lost = nil; len(ids) > 2*sessionsMax {
		ids = ids[len(ids)-2*sessionsMax:]
	}
	err := s.keeper.ForgetBrowsers(ids...)
	if err != nil {
		s.lost = ids
	}
	return err
}

// Begin makes a session of whoever has shown a key, and returns the secret for its cookie.
func (s *Sessions) Begin(o Opener) (secret string) {
	var random [32]byte
	_, _ = rand.Read(random[:])
	now := s.now().UnixMilli()
	session := &Session{written: now, state: query.BrowserSession{
		ID: sha256.Sum256(random[:]), Key: o.digest, Site: o.site, Right: uint8(o.right), Begin: now, Used: now}}
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.forget(s.add(session, now))
	_ = s.keeper.KeepBrowser(&session.state, false)
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// add adds a session. It removes those that are over, and the longest unused one if there are
// too many; it returns their ids.
func (s *Sessions) add(session *Session, now int64) (removed [][32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *Session
	for id, other := range s.all {
		if other.over(now) {
			delete(s.all, id)
			removed = append(removed, id)
		} else if oldest == nil || other.state.Used < oldest.state.Used {
			oldest = other
		}
	}
	if len(s.all) >= sessionsMax {
		delete(s.all, oldest.state.ID)
		removed = append(removed, oldest.state.ID)
	}
	s.all[session.state.ID] = session
	return removed
}

// idOf is the ID of the session with a secret.
func idOf(secret string) (id [32]byte, ok bool) {
	var random [32]byte
	if len(secret) != base64.RawURLEncoding.EncodedLen(len(random)) {
		return id, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(random[:], []byte(secret))
	return sha256.Sum256(random[:]), err == nil && n == len(random)
}

// Find returns the session with a secret, which is used by that; nil when there is none.
func (s *Sessions) Find(secret string) *Session {
	id, ok := idOf(secret)
	if !ok {
		return nil
	}
	now := s.now().UnixMilli()
	s.mu.Lock()
	session := s.all[id]
	if session == nil || session.over(now) {
		s.mu.Unlock()
		return nil
	}
	session.state.Used = max(session.state.Used, now)
	due := now-session.written >= usedEvery.Milliseconds()
	if due {
		session.written = now
	}
	s.mu.Unlock()
	if due {
		s.note(id)
	}
	return session
}

// note has the keeper write the last use of a session, unless it has ended meanwhile.
func (s *Sessions) note(id [32]byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	session := s.all[id]
	if session == nil {
		s.mu.Unlock()
		return
	}
	state := session.state
	s.mu.Unlock()
	_ = s.keeper.KeepBrowser(&state, true)
}

// Lives says whether a session that was found still is one. It does not use it.
func (s *Sessions) Lives(session *Session) bool {
	now := s.now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[session.state.ID] == session && !session.over(now)
}

// End ends the session with a secret, if there is one. It has ended even with an error: then the
// keeper could not forget it, and will be asked again.
func (s *Sessions) End(secret string) error {
	id, ok := idOf(secret)
	if !ok {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	_, known := s.all[id]
	delete(s.all, id)
	s.mu.Unlock()
	if !known {
		return nil
	}
	return s.forget([][32]byte{id})
}

// EndOthers ends the sessions whose key is not one of a registry. The error is as that of End.
func (s *Sessions) EndOthers(r *Registry) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var ended [][32]byte
	s.mu.Lock()
	for id, session := range s.all {
		if r.of(session) == nil {
			delete(s.all, id)
			ended = append(ended, id)
		}
	}
	s.mu.Unlock()
	if len(ended) == 0 {
		return nil
	}
	return s.forget(ended)
}

// errOnlySends refuses a key that does not open the dashboard, to whoever has it.
var errOnlySends = &dialect.StatusError{Failure: dialect.Forbidden, Field: "key", Msg: "this key can only send; use a read_key, a secret_key or the admin_token"}

// errNoKey refuses every text that is no key.
var errNoKey = &dialect.StatusError{Failure: dialect.Unauthorized, Field: "key", Msg: "this is no key of a site"}

// Opener returns what a key that somebody types in opens. The error of a key that does not open
// the dashboard can be shown.
func (r *Registry) Opener(key string) (Opener, error) {
	c := r.key(key)
	if c == nil {
		if failure, _ := r.refused(key); failure == dialect.Forbidden {
			return Opener{}, errOnlySends
		}
		return Opener{}, errNoKey
	}
	if c.rights&dialect.Read == 0 {
		return Opener{}, errOnlySends
	}
	return c.opener(), nil
}

// Admin returns what the admin's token opens; ok is false when there is none.
func (r *Registry) Admin() (o Opener, ok bool) {
	for _, c := range r.keys {
		if c.admin {
			return c.opener(), true
		}
	}
	return o, false
}

func (c *credential) opener() Opener {
	o := Opener{digest: c.digest, right: c.rights}
	if c.account != nil {
		o.site = c.account.Site.ID
	}
	return o
}

// Has says whether the key of an Opener is still one that opens the same.
func (r *Registry) Has(o Opener) bool {
	c := r.keys[o.digest]
	return c != nil && c.opener() == o && !c.over(r.Tickets.now)
}

// of is the credential that a session came from; nil when it is no longer configured, or opens
// something else now.
func (r *Registry) of(s *Session) *credential {
	if !r.Has(Opener{s.state.Key, s.state.Site, dialect.Right(s.state.Right)}) {
		return nil
	}
	return r.keys[s.state.Key]
}

// AuthorizeSession is Authorize for a browser's session. It counts its own queries and streams.
func (r *Registry) AuthorizeSession(s *Session, query string, need dialect.Right, siteless bool) (Grant, dialect.Failure, error) {
	c := r.of(s)
	if c == nil {
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	}
	c.use()
	g := c.grant()
	g.Private, g.Queries, g.Streams = true, &s.queries, &s.streams
	return r.choose(g, query, need, siteless)
}

// Accounts are the sites that a session opens, in the order of the registry.
func (r *Registry) Accounts(s *Session) (list []*Account) {
	c := r.of(s)
	switch {
	case c == nil:
	case c.account != nil:
		list = append(list, c.account)
	default:
		for _, a := range r.ids {
			list = append(list, a)
		}
		slices.SortFunc(list, func(a, b *Account) int { return cmp.Compare(a.Index, b.Index) })
	}
	return list
}
