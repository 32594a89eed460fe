package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file knows whose a request is.

// Why a credential is refused. Clients see these texts.
var (
	ErrUnauthorized = errors.New("Unauthorized") // the text Oppizi's clients know
	ErrForbidden    = errors.New("this key may not do that")
	errNoSuchSite   = errors.New("no such site")
	ErrOrigin       = errors.New("Unauthorized") // the id is right, the origin is not in the site's list
	errWhichSite    = &dialect.StatusError{Failure: dialect.BadRequest, Field: "site", Msg: "name a site with ?site=NAME"}
)

// Keys are the credentials of one site, one set for all dialects. An empty one opens
// nothing.
type Keys struct {
	Site          dialect.Site // the site, as dialects may see it
	WriteKey      string       // Segment; public, may only write
	ClientID      string       // OpenPanel
	ClientSecret  string
	SecretKey     string   // Oppizi and the native API: read, write and manage
	ReadKey       string   // may only read
	TokenAuth     string   // Matomo
	TrackingToken string   // Matomo: may do what TokenAuth may, except read
	Origins       []string // browsers that may send without a secret (OpenPanel)
}

// Account is a site with the credentials that open it. There is one for each site, as long
// as the registry lives. Its Keys never change.
type Account struct {
	Keys
	Index   int   // of the site among those given to NewRegistry, from 0
	Queries *Work // reads at work with its public credentials
}

// credential is one key and what it opens.
type credential struct {
	digest  [32]byte
	account *Account // nil for the admin token
	rights  dialect.Right
	admin   bool
	private bool // proves more than a public write key: limits by ip do not apply
	queries *Work
	streams *atomic.Int32
}

// Tokens are the keys of the whole process. An empty one opens nothing.
type Tokens struct {
	Admin   string // reads and writes every site
	Metrics string // reads the metrics of the process, and nothing else
}

// Registry finds credentials and sites. It is immutable once it is made, so that any
// goroutine may use it.
type Registry struct {
	keys     map[[32]byte]*credential
	others   map[[32]byte]struct{} // known keys that open nothing in a header, see refused
	metrics  string
	clients  map[[32]byte]*Account
	ids      map[uint32]*Account
	names    map[string]*Account
	only     *Account // the only site there is, else nil
	first    *Account
	implicit bool // every site name means the only one
	Tickets  *Tickets
}

// NewRegistry takes the sites, the keys of the process, and whether every site name means
// the only site. now tells when tickets end. It fails when two credentials or two sites are
// the same.
func NewRegistry(sites []Keys, tokens Tokens, implicit bool, now func() time.Time) (*Registry, error) {
	return newRegistry(&Registry{Tickets: newTickets(now)}, sites, tokens, implicit)
}

// Next is a registry for other sites and credentials that follows r, which stays as it is.
// Tickets of r stay valid for the sites that are still there, and reads at work with a
// credential of both count in both.
func (r *Registry) Next(sites []Keys, tokens Tokens, implicit bool) (*Registry, error) {
	return newRegistry(r, sites, tokens, implicit)
}

func newRegistry(before *Registry, sites []Keys, tokens Tokens, implicit bool) (*Registry, error) {
	r := &Registry{
		keys:     map[[32]byte]*credential{},
		others:   map[[32]byte]struct{}{},
		metrics:  tokens.Metrics,
		clients:  map[[32]byte]*Account{},
		ids:      map[uint32]*Account{},
		names:    map[string]*Account{},
		implicit: implicit && len(sites) == 1,
		Tickets:  before.Tickets,
	}
	if err := r.add(tokens.Admin, &credential{rights: dialect.Read | dialect.Write | dialect.Manage, admin: true, private: true}, before); err != nil {
		return nil, fmt.Errorf("admin token: %w", err)
	}
	for i, s := range sites {
		id, name := s.Site.ID, s.Site.Name
		a := &Account{Keys: s, Index: i, Queries: new(Work)}
		if old := before.ids[id]; old != nil {
			a.Queries = old.Queries
		}
		if r.ids[id] != nil || r.names[name] != nil {
			return nil, fmt.Errorf("site %q (id %d) is there twice", name, id)
		}
		r.ids[id], r.names[name] = a, a
		if len(sites) == 1 {
			r.only = a
		}
		if r.first == nil {
			r.first = a
		}
		for _, key := range []struct {
			text    string
			rights  dialect.Right
			private bool
		}{
			{s.SecretKey, dialect.Read | dialect.Write | dialect.Manage, true},
			{s.ReadKey, dialect.Read, true},
			{s.WriteKey, dialect.Write, false},
			{s.TokenAuth, 0, true},
			{s.TrackingToken, 0, true},
		} {
			c := &credential{account: a, rights: key.rights, private: key.private}
			if !key.private {
				c.queries = a.Queries
			}
			if err := r.add(key.text, c, before); err != nil {
				return nil, fmt.Errorf("site %q: %w", name, err)
			}
		}
		r.others[sha256.Sum256([]byte(s.ClientSecret))] = struct{}{}
		if s.ClientID != "" {
			d := sha256.Sum256([]byte(s.ClientID))
			if r.clients[d] != nil {
				return nil, fmt.Errorf("site %q: its client_id is another site's", name)
			}
			r.clients[d] = a
			r.others[d] = struct{}{}
		}
	}
	if tokens.Metrics != "" {
		d := sha256.Sum256([]byte(tokens.Metrics))
		if _, other := r.others[d]; other || r.keys[d] != nil {
			return nil, errors.New("metrics token: a key is used twice")
		}
		r.others[d] = struct{}{}
	}
	return r, nil
}

// trusts says whether Matomo's trackers may set the time and place of their hits with this
// token.
func (a *Account) trusts(token string) bool {
	return same(token, a.TokenAuth) || same(token, a.TrackingToken)
}

// add adds a credential. One without queries counts its own, those of before included.
func (r *Registry) add(key string, c *credential, before *Registry) error {
	if key == "" {
		return nil
	}
	c.digest = sha256.Sum256([]byte(key))
	if r.keys[c.digest] != nil {
		return errors.New("a key is used twice")
	}
	if old := before.keys[c.digest]; c.queries == nil && old != nil && old.private {
		c.queries, c.streams = old.queries, old.streams
	} else if c.queries == nil {
		c.queries = new(Work)
	}
	if c.streams == nil {
		c.streams = new(atomic.Int32)
	}
	r.keys[c.digest] = c
	return nil
}

// key finds the credential of a key, nil when there is none.
func (r *Registry) key(text string) *credential {
	if text == "" || len(text) > 512 {
		return nil
	}
	d := sha256.Sum256([]byte(text))
	c := r.keys[d]
	if c == nil || subtle.ConstantTimeCompare(c.digest[:], d[:]) != 1 {
		return nil
	}
	return c
}

// refused is why a key in a header that opens nothing is refused: it is unknown, or it is a
// key of another kind, which does not belong there. An empty key is unknown.
func (r *Registry) refused(key string) (dialect.Failure, error) {
	if key != "" && len(key) <= 512 {
		_, known := r.others[sha256.Sum256([]byte(key))]
		if known || r.key(key) != nil || r.ids[r.Tickets.site(key)] != nil {
			return dialect.Forbidden, ErrForbidden
		}
	}
	return dialect.Unauthorized, ErrUnauthorized
}

// AuthorizeMetrics says whether the key in an Authorization header may read the metrics of
// the process, which tell of all sites: the metrics token and the admin's token may. The
// error is nil with dialect.OK alone.
func (r *Registry) AuthorizeMetrics(header string) (dialect.Failure, error) {
	token := dialect.Bearer(header)
	if c := r.key(token); c != nil && c.admin || same(token, r.metrics) {
		return dialect.OK, nil
	}
	return r.refused(token)
}

// AnySite says whether every site name means the only site there is.
func (r *Registry) AnySite() bool { return r.implicit }

// ByID is the site of an id, nil when there is none.
func (r *Registry) ByID(id uint32) *Account { return r.ids[id] }

// ByClient is the site of an OpenPanel client's id, nil when there is none.
func (r *Registry) ByClient(id string) *Account { return r.clients[sha256.Sum256([]byte(id))] }

// Grant is what a credential opens: whose site, and what may be done there.
type Grant struct {
	Account *Account // nil for the admin's token without a site
	Private bool     // a secret was proved: limits by ip do not apply
	Rights  dialect.Right
	Admin   bool
	Queries *Work         // reads at work with this credential; whoever reads counts them
	Streams *atomic.Int32 // open streams that last, as above; set by Authorize and AuthorizeSession alone
}

// Authorize resolves the key in an Authorization header. query is the raw query string, in
// which a request with the admin's token may name a site. siteless allows that token
// without a site; the grant has no account then. A key that is known but lacks the right is
// Forbidden. The error is nil with dialect.OK alone.
func (r *Registry) Authorize(header, query string, need dialect.Right, siteless bool) (Grant, dialect.Failure, error) {
	token := dialect.Bearer(header)
	c := r.key(token)
	if c == nil {
		return refuse(r.refused(token))
	}
	return r.choose(Grant{c.account, c.private, c.rights, c.admin, c.queries, c.streams}, query, need, siteless)
}

// choose is the part of Authorize that comes after the key: its right, and which site the
// admin's token means.
func (r *Registry) choose(g Grant, query string, need dialect.Right, siteless bool) (Grant, dialect.Failure, error) {
	if g.Rights&need != need {
		return g, dialect.Forbidden, ErrForbidden
	}
	if g.Admin {
		name, named := queryValue(query, "site")
		switch {
		case named:
			if g.Account = r.names[name]; g.Account == nil {
				return g, dialect.NotFound, errNoSuchSite
			}
		case r.only != nil:
			g.Account = r.only
		case !siteless:
			return g, dialect.BadRequest, errWhichSite
		}
	}
	return g, dialect.OK, nil
}

// Resolve resolves the credential that a record or a read names itself. origin is the Origin
// header of the request, "" when there is none; it counts for an OpenPanel client that
// sends no secret. The error is nil with dialect.OK alone.
func (r *Registry) Resolve(c dialect.Credential, origin string) (Grant, dialect.Failure, error) {
	switch c.Kind {
	case dialect.CredentialWriteKey:
		return r.writeKey(c.ID)
	case dialect.CredentialKey:
		return r.nativeKey(c.ID, c.Secret)
	case dialect.CredentialTicket:
		return r.ticket(c.ID, c.Secret)
	case dialect.CredentialClient:
		return r.client(c.ID, c.Secret, origin)
	case dialect.CredentialSiteID:
		return r.siteID(c.ID, c.Secret)
	case dialect.CredentialSiteName:
		return r.siteName(c.ID)
	}
	return refuse(dialect.Unauthorized, ErrUnauthorized)
}

// refuse is the answer to a credential that opens nothing.
func refuse(failure dialect.Failure, err error) (Grant, dialect.Failure, error) {
	return Grant{}, failure, err
}

// public is the grant of what every visitor of a site may do.
func (a *Account) public() Grant {
	return Grant{Account: a, Rights: dialect.Write, Queries: a.Queries}
}

// writeKey is Segment's write key: any key of one site that may write.
func (r *Registry) writeKey(key string) (Grant, dialect.Failure, error) {
	k := r.key(key)
	if k == nil || k.account == nil {
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	}
	if k.rights&dialect.Write == 0 {
		return refuse(dialect.Forbidden, ErrForbidden)
	}
	return Grant{k.account, k.private, k.rights, false, k.queries, nil}, dialect.OK, nil
}

// nativeKey is a key of the native API for the site of a name. Without a name it is the
// key's own site, or the only one.
func (r *Registry) nativeKey(site, key string) (Grant, dialect.Failure, error) {
	k := r.key(key)
	if k == nil {
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	}
	a := r.names[site]
	if r.implicit || site == "" {
		a = r.only
		if k.account != nil {
			a = k.account
		}
	}
	switch {
	case a == nil && site == "":
		return refuse(dialect.BadRequest, errWhichSite)
	case a == nil, k.account != nil && k.account != a:
		return refuse(dialect.NotFound, errNoSuchSite)
	}
	return Grant{a, k.private, k.rights, k.admin, k.queries, nil}, dialect.OK, nil
}

// ticket opens its site to reads. A name of a site, if there is one, has to be that site's.
func (r *Registry) ticket(site, ticket string) (Grant, dialect.Failure, error) {
	a := r.ids[r.Tickets.site(ticket)]
	switch {
	case a == nil:
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	case !r.implicit && site != "" && site != a.Site.Name:
		return refuse(dialect.NotFound, errNoSuchSite)
	}
	return Grant{a, true, dialect.Read, false, a.Queries, nil}, dialect.OK, nil
}

// client is an OpenPanel client with its secret, or without a secret from an origin that the
// site lists. A wrong id, a wrong secret and a wrong origin get the same answer.
func (r *Registry) client(id, secret, origin string) (Grant, dialect.Failure, error) {
	a := r.ByClient(id)
	switch {
	case a == nil:
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	case same(secret, a.ClientSecret):
		return Grant{a, true, dialect.Read | dialect.Write, false, a.Queries, nil}, dialect.OK, nil
	case secret != "" || origin == "":
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	case !allowsOrigin(a.Origins, origin):
		return refuse(dialect.Unauthorized, ErrOrigin)
	}
	return a.public(), dialect.OK, nil
}

// siteID is Matomo's idsite, which anybody may write to. A token allows more, and a wrong
// token is refused.
func (r *Registry) siteID(id, token string) (Grant, dialect.Failure, error) {
	a := r.only
	switch {
	case id == "":
		if a = r.tokenOwner(token); a == nil {
			return refuse(dialect.Unauthorized, ErrUnauthorized)
		}
	case !r.implicit:
		n, err := strconv.ParseUint(id, 10, 32)
		if a = r.ids[uint32(n)]; err != nil || a == nil {
			return refuse(dialect.BadRequest, errNoSuchSite)
		}
	}
	g := a.public()
	if token == "" {
		return g, dialect.OK, nil
	}
	k := r.key(token)
	super := same(token, a.TokenAuth) || k != nil && k.admin
	if g.Private = super || a.trusts(token); !g.Private {
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	}
	if super {
		g.Rights |= dialect.Read
	}
	return g, dialect.OK, nil
}

// tokenOwner is the site of a token that comes without an idsite, nil for a wrong token. The
// admin's token opens every site: here it means the first.
func (r *Registry) tokenOwner(token string) *Account {
	k := r.key(token)
	switch {
	case k == nil:
		return nil
	case k.admin:
		return r.first
	case k.account == nil || !k.account.trusts(token):
		return nil
	}
	return k.account
}

// siteName is Opentracker's si, which anybody may write to.
func (r *Registry) siteName(name string) (Grant, dialect.Failure, error) {
	a := r.only
	if !r.implicit {
		if a = r.names[name]; a == nil {
			return refuse(dialect.Forbidden, errNoSuchSite)
		}
	}
	return a.public(), dialect.OK, nil
}

// same compares two secrets in constant time. An empty one is never right.
func same(got, want string) bool {
	g, w := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(g[:], w[:]) == 1 && want != ""
}

// queryValue is the last value of key in a raw query string.
func queryValue(query, key string) (value string, found bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k == key {
			value, found = event.Unescape(v), true
		}
	}
	return value, found
}
