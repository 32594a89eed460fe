package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// keeper keeps sessions in memory.
type keeper struct {
	mu     sync.Mutex
	all    map[[32]byte]query.BrowserSession
	fail   error
	writes int
}

func (k *keeper) Browsers() ([]query.BrowserSession, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.all)), k.fail
}

func (k *keeper) KeepBrowser(s *query.BrowserSession, _ bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	k.writes++
	k.all[s.ID] = *s
	return nil
}

func (k *keeper) ForgetBrowsers(ids ...[32]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	for _, id := range ids {
		delete(k.all, id)
	}
	return nil
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.all)
}

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newSessions(t *testing.T, k *keeper, c *clock) *Sessions {
	t.Helper()
	s, err := NewSessions(k, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lookers is a registry of two sites, with an Opener for each key that can look.
func lookers(t *testing.T) (r *Registry, open func(key string) Opener) {
	t.Helper()
	r, err := NewRegistry([]Keys{
		{Site: dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}, WriteKey: "w1", ClientID: "c1", ClientSecret: "cs1", SecretKey: "s1", ReadKey: "r1", TokenAuth: "t1", TrackingToken: "tt1"},
		{Site: dialect.Site{Site: query.Site{ID: 2, Name: "blog"}}, SecretKey: "s2", ReadKey: "r2"},
	}, Tokens{Admin: "admin", Metrics: "metrics"}, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return r, func(key string) Opener {
		t.Helper()
		o, err := r.Opener(key)
		if err != nil {
			t.Fatal(key, err)
		}
		return o
	}
}

// Which key opens the dashboard, and how others are refused.
func TestOpener(t *testing.T) {
	r, _ := lookers(t)
	for key, want := range map[string]any{
		"r1": Opener{site: 1, right: dialect.Read}, "s2": Opener{site: 2, right: dialect.Read | dialect.Write | dialect.Manage},
		"admin": Opener{right: dialect.Read | dialect.Write | dialect.Manage},
		"w1":    errOnlySends, "c1": errOnlySends, "cs1": errOnlySends, "t1": errOnlySends, "tt1": errOnlySends, "metrics": errOnlySends,
		r.Tickets.Issue(1, time.Minute): errOnlySends,
		"":                              errNoKey, "x": errNoKey, "R1": errNoKey, strings.Repeat("x", 10_000): errNoKey, "shop": errNoKey,
	} {
		o, err := r.Opener(key)
		o.digest = [32]byte{}
		if w, ok := want.(Opener); ok && (err != nil || o != w) || !ok && err != want {
			t.Errorf("%.20q: %+v, %v; want %v", key, o, err, want)
		}
	}
}

// A session is found by the secret alone, opens what its key opens, and survives a restart.
func TestSession(t *testing.T) {
	r, open := lookers(t)
	k, c := &keeper{all: map[[32]byte]query.BrowserSession{}}, &clock{time.UnixMilli(1e12)}
	s := newSessions(t, k, c)
	reads, admin := s.Begin(open("r1")), s.Begin(open("admin"))
	for _, secret := range []string{"", "x", reads[1:], reads + "A", reads[:42] + "=", strings.ToLower(reads), admin[:42] + "*"} {
		if s.Find(secret) != nil {
			t.Errorf("%q is a session", secret)
		}
	}
	for range 2 { // the second time after a restart
		session := s.Find(reads)
		if session == nil {
			t.Fatal("no session")
		}
		for _, test := range []struct {
			session  *Session
			query    string
			need     dialect.Right
			siteless bool
			failure  dialect.Failure
			site     uint32
		}{
			{session, "", dialect.Read, false, dialect.OK, 1},
			{session, "", dialect.Manage, false, dialect.Forbidden, 1},
			{session, "", dialect.Write, false, dialect.Forbidden, 1},
			{s.Find(admin), "", dialect.Read, false, dialect.BadRequest, 0},
			{s.Find(admin), "", dialect.Read, true, dialect.OK, 0},
			{s.Find(admin), "site=blog", dialect.Manage, false, dialect.OK, 2},
			{s.Find(admin), "site=x", dialect.Read, false, dialect.NotFound, 0},
		} {
			g, failure, _ := r.AuthorizeSession(test.session, test.query, test.need, test.siteless)
			site := uint32(0)
			if g.Account != nil {
				site = g.Account.Site.ID
			}
			if failure != test.failure || site != test.site {
				t.Errorf("%q, %v: %v, site %d", test.query, test.need, failure, site)
			}
		}
		if list := r.Accounts(session); len(list) != 1 || list[0].Site.Name != "shop" {
			t.Errorf("%d sites", len(list))
		}
		if list := r.Accounts(s.Find(admin)); len(list) != 2 || list[0].Site.Name != "shop" {
			t.Errorf("%d sites", len(list))
		}
		s = newSessions(t, k, c)
	}
	for id, state := range k.all {
		if text := fmt.Sprint(id, state); strings.Contains(text, reads) || strings.Contains(text, "r1") {
			t.Errorf("the store has a secret: %s", text)
		}
	}
}

// The ways in which a session ends, each also over a restart.
func TestSessionEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *Sessions, k *keeper, c *clock, secret string){
		"logout": func(t *testing.T, s *Sessions, _ *keeper, _ *clock, secret string) {
			if err := s.End(secret); err != nil {
				t.Error(err)
			}
		},
		"idle": func(_ *testing.T, _ *Sessions, _ *keeper, c *clock, _ string) { c.at = c.at.Add(sessionIdle) },
		"old": func(t *testing.T, s *Sessions, _ *keeper, c *clock, secret string) {
			for range 30*24/10 - 1 {
				if c.at = c.at.Add(10 * time.Hour); s.Find(secret) == nil {
					t.Fatal("ended early")
				}
			}
			c.at = c.at.Add(10 * time.Hour)
		},
		"key": func(t *testing.T, s *Sessions, _ *keeper, _ *clock, _ string) {
			r, err := NewRegistry([]Keys{{Site: dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}, ReadKey: "new"}}, Tokens{}, false, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.EndOthers(r); err != nil {
				t.Error(err)
			}
		},
		"the key is of another site": func(t *testing.T, s *Sessions, _ *keeper, _ *clock, _ string) {
			r, err := NewRegistry([]Keys{{Site: dialect.Site{Site: query.Site{ID: 3, Name: "shop"}}, ReadKey: "r1"}}, Tokens{}, false, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.EndOthers(r); err != nil {
				t.Error(err)
			}
		},
		"restore": func(_ *testing.T, _ *Sessions, k *keeper, _ *clock, _ string) { clear(k.all) },
		"a thousand others": func(t *testing.T, s *Sessions, _ *keeper, c *clock, _ string) {
			_, open := lookers(t)
			c.at = c.at.Add(time.Second)
			for range sessionsMax {
				s.Begin(open("s2"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, open := lookers(t)
			k, c := &keeper{all: map[[32]byte]query.BrowserSession{}}, &clock{time.UnixMilli(1e12)}
			s := newSessions(t, k, c)
			secret := s.Begin(open("r1"))
			found := s.Find(secret)
			if found == nil || !s.Lives(found) {
				t.Fatal("no session")
			}
			if err := s.EndOthers(r); err != nil || s.Find(secret) == nil || newSessions(t, k, c).Find(secret) == nil {
				t.Fatal("it ended early", err)
			}
			end(t, s, k, c, secret)
			if name != "restore" && (s.Find(secret) != nil || s.Lives(found)) {
				t.Error("it goes on")
			}
			again := newSessions(t, k, c)
			if again.Find(secret) != nil {
				t.Error("a restart revives it")
			}
			if _, there := k.all[found.state.ID]; there {
				t.Error("it is still in the store")
			}
			if n := k.count(); n > sessionsMax {
				t.Errorf("%d sessions in the store", n)
			}
		})
	}
}

// The last use is written now and then, and not after the end.
func TestSessionUse(t *testing.T) {
	_, open := lookers(t)
	k, c := &keeper{all: map[[32]byte]query.BrowserSession{}}, &clock{time.UnixMilli(1e12)}
	s := newSessions(t, k, c)
	secret := s.Begin(open("r1"))
	for range 60 { // one hour
		c.at = c.at.Add(time.Minute)
		s.Find(secret)
	}
	if k.writes != 7 {
		t.Errorf("%d writes, want one and six", k.writes)
	}
	id, _ := idOf(secret)
	if err := s.End(secret); err != nil {
		t.Fatal(err)
	}
	s.note(id)
	if k.count() != 0 {
		t.Error("a note revives the session")
	}
}

// While the keeper takes nothing a session is in memory. It is written when that is over, and one
// that has ended meanwhile is forgotten then.
func TestSessionsOnAFullDisk(t *testing.T) {
	_, open := lookers(t)
	k, c := &keeper{all: map[[32]byte]query.BrowserSession{}}, &clock{time.UnixMilli(1e12)}
	s := newSessions(t, k, c)
	before := s.Begin(open("r1"))
	k.fail = errors.New("full")
	secret := s.Begin(open("r1"))
	if s.Find(secret) == nil || k.count() != 1 {
		t.Error("no session in memory")
	}
	if err := s.End(before); err == nil || s.Find(before) != nil {
		t.Error("the end", err)
	}
	k.fail = nil
	c.at = c.at.Add(usedEvery)
	s.Find(secret)
	if k.count() != 2 {
		t.Errorf("%d in the store, want the new one too", k.count())
	}
	if err := s.End(secret); err != nil || k.count() != 0 {
		t.Errorf("%d in the store, %v", k.count(), err)
	}
	k.fail = errors.New("damaged")
	if s, err := NewSessions(k, c.now); err == nil || s.Find(s.Begin(open("r1"))) == nil {
		t.Error("no sessions without a keeper", err)
	}
}

// Sessions begin, are used and end at once.
func TestSessionsAtOnce(t *testing.T) {
	_, open := lookers(t)
	k := &keeper{all: map[[32]byte]query.BrowserSession{}}
	s, err := NewSessions(k, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o := open("r1")
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 20 {
				secret := s.Begin(o)
				session := s.Find(secret)
				if session == nil || !s.Lives(session) || s.End(secret) != nil || s.Lives(session) || s.Find(secret) != nil {
					t.Error("not as alone")
				}
			}
		})
	}
	all.Wait()
	if len(s.all) != 0 || k.count() != 0 {
		t.Errorf("%d sessions, %d in the store", len(s.all), k.count())
	}
}
