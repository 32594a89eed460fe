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
	ErrNoSuchSite   = errors.New("no such site")
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
	More          []Key    // of any kinds, beside the one of each kind above
}

// Account is a site with the credentials that open it. There is one for each site, as long
// as the registry lives. Its Keys never change.
type Account struct {
	Keys
	Index   int           // of the site among those given to NewRegistry, from 0
	Queries *Work         // reads at work with its public credentials
	secrets []*credential // of OpenPanel's clients
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
	clients  map[[32]byte]*credential // ids of OpenPanel's clients
	ids      map[uint32]*Account
	names    map[string]*Account
	only     *Account // the only site there is, else nil
	first    *Account
	implicit bool // every site name means the only one
	Tickets  *Tickets
	ended    func(site *dialect.Site, title string) // see OnEnded
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
		clients:  map[[32]byte]*credential{},
		ids:      map[uint32]*Account{},
		names:    map[string]*Account{},
		implicit: implicit && len(sites) == 1,
		Tickets:  before.Tickets,
		ended:    before.ended,
	}
	if tokens.Admin != "" {
		c := &credential{digest: sha256.Sum256([]byte(tokens.Admin)), title: "admin token", rights: dialect.Read | dialect.Write | dialect.Manage, admin: true, private: true}
		if err := r.add(c, before); err != nil {
			return nil, fmt.Errorf("admin token: %w", err)
		}
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
		for _, c := range a.credentials() {
			if err := r.add(c, before); err != nil {
				return nil, fmt.Errorf("site %q: %w", name, err)
			}
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

// refused is why a key in a header that opens nothing is refused: it is unknown, or it is a
// key of another kind, which does not belong there. An empty key is unknown.
func (r *Registry) refused(key string) (dialect.Failure, error) {
	if key != "" && len(key) <= keyBytesMax {
		_, known := r.others[sha256.Sum256([]byte(key))]
		c := r.find(key)
		if known || c != nil && !c.over(r.Tickets.now) || r.ids[r.Tickets.site(key)] != nil {
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
func (r *Registry) ByClient(id string) *Account {
	if len(id) > keyBytesMax {
		return nil
	}
	c := r.alive(r.clients[sha256.Sum256([]byte(id))])
	if c == nil {
		return nil
	}
	return c.account
}

// Grant is what a credential opens: whose site, and what may be done there.
type Grant struct {
	Account *Account // nil for the admin's token without a site
	Private bool     // a secret was proved: limits by ip do not apply
	Rights  dialect.Right
	Admin   bool
	Queries *Work         // reads at work with this credential; whoever reads counts them
	Streams *atomic.Int32 // open streams that last, as above; set by Authorize and AuthorizeSession alone
	Calls   *atomic.Int64 // of assistants, which room http/mcp counts; set as Streams
	Key     string        // what admin.log calls the credential; "" = it is public. Set as Streams
	Ends    int64         // when the credential ends, Unix milliseconds; 0 = never. Set as Streams
}

// grant is what a key in a header opens.
func (c *credential) grant() Grant {
	return Grant{Account: c.account, Private: c.private, Rights: c.rights, Admin: c.admin, Queries: c.queries, Streams: c.streams, Calls: c.calls, Key: c.title, Ends: c.ends}
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
	return r.choose(c.grant(), query, need, siteless)
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
				return g, dialect.NotFound, ErrNoSuchSite
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
	return Grant{Account: k.account, Private: k.private, Rights: k.rights, Queries: k.queries}, dialect.OK, nil
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
		return refuse(dialect.NotFound, ErrNoSuchSite)
	}
	return Grant{Account: a, Private: k.private, Rights: k.rights, Admin: k.admin, Queries: k.queries}, dialect.OK, nil
}

// ticket opens its site to reads. A name of a site, if there is one, has to be that site's.
func (r *Registry) ticket(site, ticket string) (Grant, dialect.Failure, error) {
	a := r.ids[r.Tickets.site(ticket)]
	switch {
	case a == nil:
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	case !r.implicit && site != "" && site != a.Site.Name:
		return refuse(dialect.NotFound, ErrNoSuchSite)
	}
	return Grant{Account: a, Private: true, Rights: dialect.Read, Queries: a.Queries}, dialect.OK, nil
}

// client is an OpenPanel client with its secret, or without a secret from an origin that the
// site lists. A wrong id, a wrong secret and a wrong origin get the same answer.
func (r *Registry) client(id, secret, origin string) (Grant, dialect.Failure, error) {
	a := r.ByClient(id)
	if a == nil {
		return refuse(dialect.Unauthorized, ErrUnauthorized)
	}
	if secret != "" && len(secret) <= keyBytesMax && r.alive(a.secret(sha256.Sum256([]byte(secret)))) != nil {
		return Grant{Account: a, Private: true, Rights: dialect.Read | dialect.Write, Queries: a.Queries}, dialect.OK, nil
	}
	switch {
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
			return refuse(dialect.BadRequest, ErrNoSuchSite)
		}
	}
	g := a.public()
	if token == "" {
		return g, dialect.OK, nil
	}
	k := r.key(token)
	super := k != nil && (k.admin || k.account == a && k.kind == TokenAuth)
	if g.Private = super || k.trusts(a); !g.Private {
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
	case !k.trusts(k.account):
		return nil
	}
	return k.account
}

// siteName is Opentracker's si, which anybody may write to.
func (r *Registry) siteName(name string) (Grant, dialect.Failure, error) {
	a := r.only
	if !r.implicit {
		if a = r.names[name]; a == nil {
			return refuse(dialect.Forbidden, ErrNoSuchSite)
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
