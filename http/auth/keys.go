package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"cairn/http/dialect"
)

// This file knows the kinds of keys, those that were made while the server ran, when a key ends,
// and which keys were used.

// Kind is a kind of credential of a site, by its name in the configuration.
type Kind string

// The kinds.
const (
	SecretKey     Kind = "secret_key"     // Oppizi and the native API: reads, writes and manages
	ReadKey       Kind = "read_key"       // only reads
	WriteKey      Kind = "write_key"      // Segment; public, may only write
	ClientID      Kind = "client_id"      // OpenPanel; public
	ClientSecret  Kind = "client_secret"  // OpenPanel
	TokenAuth     Kind = "token_auth"     // Matomo
	TrackingToken Kind = "tracking_token" // Matomo: may do what TokenAuth may, except read
)

// kindRule is what keys of a kind open in a header or as a token.
type kindRule struct {
	kind    Kind
	rights  dialect.Right
	private bool                // proves more than a public key
	plain   func(*Keys) *string // the one of the configuration
}

// kindRules are the kinds but those of OpenPanel, which open nothing alone.
var kindRules = []kindRule{
	{SecretKey, dialect.Read | dialect.Write | dialect.Manage, true, func(k *Keys) *string { return &k.SecretKey }},
	{ReadKey, dialect.Read, true, func(k *Keys) *string { return &k.ReadKey }},
	{WriteKey, dialect.Write, false, func(k *Keys) *string { return &k.WriteKey }},
	{TokenAuth, 0, true, func(k *Keys) *string { return &k.TokenAuth }},
	{TrackingToken, 0, true, func(k *Keys) *string { return &k.TrackingToken }},
}

// Key is one more credential of a site. What it is itself is not known, but its SHA-256 is.
type Key struct {
	ID, Name string
	Kind     Kind
	SHA256   [32]byte
	Ends     int64 // Unix milliseconds; 0 = never
}

// credential is one key and what it opens.
type credential struct {
	digest  [32]byte
	account *Account // nil for the admin token
	kind    Kind     // "" for the admin token
	title   string   // what admin.log calls the key
	ends    int64    // Unix milliseconds; 0 = never
	rights  dialect.Right
	admin   bool
	private bool // proves more than a public write key: limits by ip do not apply
	queries *Work
	streams *atomic.Int32
	calls   *atomic.Int64
	used    *atomic.Bool // since Uses was last called
}

// over says whether the key has ended. Only keys with an end ask for the time.
func (c *credential) over(now func() time.Time) bool {
	return c.ends != 0 && now().UnixMilli() >= c.ends
}

// use notes that the key was used. Writing always would make the cores pass the flag around.
func (c *credential) use() {
	if !c.used.Load() {
		c.used.Store(true)
	}
}

// credentials of a site, the plain ones first.
func (a *Account) credentials() (list []*credential) {
	plain := func(text string, c credential) {
		if text == "" {
			return
		}
		c.account, c.digest, c.title = a, sha256.Sum256([]byte(text)), string(c.kind)
		list = append(list, &c)
	}
	for _, rule := range kindRules {
		plain(*rule.plain(&a.Keys), credential{kind: rule.kind, rights: rule.rights, private: rule.private})
	}
	plain(a.ClientID, credential{kind: ClientID})
	plain(a.ClientSecret, credential{kind: ClientSecret, private: true})
	configured := len(list)
	for _, k := range a.More {
		c := &credential{account: a, digest: k.SHA256, kind: k.Kind, ends: k.Ends}
		c.title = k.Name + " (" + k.ID + ")" // an operator chooses names, so that alone is not enough
		// A rotation that was cut leaves the key that it was to replace in both places.
		if slices.ContainsFunc(list[:configured], func(o *credential) bool { return o.digest == c.digest && o.kind == c.kind }) {
			continue
		}
		c.private = k.Kind == ClientSecret
		for _, rule := range kindRules {
			if rule.kind == k.Kind {
				c.rights, c.private = rule.rights, rule.private
			}
		}
		list = append(list, c)
	}
	return list
}

// OnEnded sets what is called when somebody uses a key that has ended. It is called before any
// request.
func (r *Registry) OnEnded(fn func(site *dialect.Site, title string)) { r.ended = fn }

// trusts says whether Matomo's trackers may set the time and place of their hits on a site with
// this credential.
func (c *credential) trusts(a *Account) bool {
	return c != nil && c.account == a && (c.kind == TokenAuth || c.kind == TrackingToken)
}

// errTwice refuses two credentials that are the same.
var errTwice = errors.New("a key is used twice")

// add adds a credential. One without queries counts its own, those of before included.
func (r *Registry) add(c *credential, before *Registry) error {
	switch c.kind {
	case ClientSecret:
		a := c.account
		a.secrets = append(a.secrets, c)
		r.others[c.digest] = struct{}{}
		c.used = new(atomic.Bool)
		if old := before.ids[a.Site.ID]; old != nil {
			if o := old.secret(c.digest); o != nil {
				c.used = o.used
			}
		}
		return nil
	case ClientID:
		if r.clients[c.digest] != nil {
			return errors.New("its client_id is another site's")
		}
		r.clients[c.digest] = c
		r.others[c.digest] = struct{}{}
		if c.used = new(atomic.Bool); before.clients[c.digest] != nil {
			c.used = before.clients[c.digest].used
		}
		return nil
	}
	if r.keys[c.digest] != nil {
		return errTwice
	}
	old := before.keys[c.digest]
	switch {
	case !c.private:
		c.queries = c.account.Queries
	case old != nil && old.private:
		c.queries, c.streams, c.calls = old.queries, old.streams, old.calls
	default:
		c.queries = new(Work)
	}
	if c.streams == nil {
		c.streams, c.calls = new(atomic.Int32), new(atomic.Int64)
	}
	if c.used = new(atomic.Bool); old != nil {
		c.used = old.used
	}
	r.keys[c.digest] = c
	return nil
}

// find finds the credential of a key, nil when there is none.
func (r *Registry) find(text string) *credential {
	if text == "" || len(text) > keyBytesMax {
		return nil
	}
	d := sha256.Sum256([]byte(text))
	c := r.keys[d]
	if c == nil || subtle.ConstantTimeCompare(c.digest[:], d[:]) != 1 {
		return nil
	}
	return c
}

// key is find without keys that have ended.
func (r *Registry) key(text string) *credential { return r.alive(r.find(text)) }

// keyBytesMax is how long a key may be.
const keyBytesMax = 512

// alive is c, which is used by that; nil if it has ended.
func (r *Registry) alive(c *credential) *credential {
	switch {
	case c == nil:
		return nil
	case c.over(r.Tickets.now):
		if r.ended != nil {
			r.ended(&c.account.Site, c.title)
		}
		return nil
	}
	c.use()
	return c
}

// secret finds the secret of OpenPanel's clients with a SHA-256.
func (a *Account) secret(digest [32]byte) *credential {
	var found *credential
	for _, c := range a.secrets { // all of them, whichever it is
		if subtle.ConstantTimeCompare(c.digest[:], digest[:]) == 1 {
			found = c
		}
	}
	return found
}

// Use is a key that was used.
type Use struct {
	Site   uint32
	SHA256 [32]byte
}

// Uses calls fn with each key that was used since the last call, or the start.
func (r *Registry) Uses(fn func(Use)) {
	r.each(func(c *credential) {
		if c.used.Load() && c.used.Swap(false) {
			fn(c.useOf())
		}
	})
}

// Used says whether a key was used since Uses was last called.
func (r *Registry) Used(u Use) (used bool) {
	r.each(func(c *credential) {
		if c.useOf() == u && c.used.Load() {
			used = true
		}
	})
	return used
}

// Knows says whether there is such a key.
func (r *Registry) Knows(u Use) (known bool) {
	r.each(func(c *credential) { known = known || c.useOf() == u })
	return known
}

// useOf is the key as one that was used. That of the admin's token has no site.
func (c *credential) useOf() Use {
	if c.account == nil {
		return Use{0, c.digest}
	}
	return Use{c.account.Site.ID, c.digest}
}

// each calls fn with every credential.
func (r *Registry) each(fn func(*credential)) {
	for _, c := range r.keys {
		fn(c)
	}
	for _, c := range r.clients {
		fn(c)
	}
	for _, a := range r.ids {
		for _, c := range a.secrets {
			fn(c)
		}
	}
}
