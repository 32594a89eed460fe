package auth

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// more is a key that was made while the server ran.
func more(id string, kind Kind, text string, ends int64) Key {
	return Key{ID: id, Name: "name-" + id, Kind: kind, SHA256: sha256.Sum256([]byte(text)), Ends: ends}
}

// moreKeys is a registry of two sites; shop has two keys of each kind. One of each ends at 1e12.
func moreKeys(t *testing.T, c *clock) (r *Registry, ended *[]string) {
	t.Helper()
	shop := testKeys(1, "shop")
	for _, kind := range []Kind{SecretKey, ReadKey, WriteKey, ClientID, ClientSecret, TokenAuth, TrackingToken} {
		shop.More = append(shop.More, more(string("k-"+kind), kind, "more-"+string(kind), 0), more(string("e-"+kind), kind, "ends-"+string(kind), 1e12))
	}
	r, err := NewRegistry([]Keys{shop, testKeys(2, "blog")}, Tokens{Admin: "admin"}, false, c.now)
	if err != nil {
		t.Fatal(err)
	}
	ended = new([]string)
	r.OnEnded(func(site *dialect.Site, title string) { *ended = append(*ended, site.Name+": "+title) })
	return r, ended
}

// A second key of a kind opens what the first one opens, and the first one goes on. One that has
// ended opens what an unknown one does, from that millisecond on, and the log learns which.
func TestMoreKeys(t *testing.T) {
	type kind = dialect.CredentialKind
	tests := []struct {
		kind       kind
		id, secret string // X stands for the key
		plain      string
		key        Kind
		private    bool
	}{
		{dialect.CredentialWriteKey, "X", "", "shop-secret", SecretKey, true},
		{dialect.CredentialKey, "shop", "X", "shop-secret", SecretKey, true},
		{dialect.CredentialKey, "", "X", "shop-read", ReadKey, true},
		{dialect.CredentialWriteKey, "X", "", "shop-write", WriteKey, false},
		{dialect.CredentialClient, "X", "shop-client-secret", "shop-client", ClientID, true},
		{dialect.CredentialClient, "shop-client", "X", "shop-client-secret", ClientSecret, true},
		{dialect.CredentialClient, "more-client_id", "X", "shop-client-secret", ClientSecret, true},
		{dialect.CredentialSiteID, "1", "X", "shop-token", TokenAuth, true},
		{dialect.CredentialSiteID, "", "X", "shop-token", TokenAuth, true},
		{dialect.CredentialSiteID, "1", "X", "shop-tracking", TrackingToken, true},
	}
	put := func(s, key string) string {
		if s == "X" {
			return key
		}
		return s
	}
	for _, test := range tests {
		c := &clock{time.UnixMilli(1e12 - 1)}
		r, ended := moreKeys(t, c)
		resolve := func(key string) (Grant, dialect.Failure, error) {
			return r.Resolve(dialect.Credential{Kind: test.kind, ID: put(test.id, key), Secret: put(test.secret, key)}, "")
		}
		want, _, _ := resolve(test.plain)
		want.Queries = nil
		for _, key := range []string{"more-" + string(test.key), "ends-" + string(test.key), test.plain} {
			g, failure, _ := resolve(key)
			if g.Queries = nil; failure != dialect.OK || g != want || g.Private != test.private {
				t.Errorf("%v %s: %v, %+v; want %+v", test.kind, key, failure, g, want)
			}
		}
		c.at = time.UnixMilli(1e12)
		_, wrong, wrongErr := resolve("wrong")
		if len(*ended) != 0 {
			t.Errorf("ended early: %v", *ended)
		}
		if g, failure, err := resolve("ends-" + string(test.key)); failure != wrong || err != wrongErr || failure == dialect.OK || g != (Grant{}) {
			t.Errorf("%v, ended %s: %v, %v, %+v; want as an unknown one: %v", test.kind, test.key, failure, err, g, wrong)
		}
		title := "shop: name-e-" + string(test.key) + " (e-" + string(test.key) + ")"
		if !slices.Contains(*ended, title) {
			t.Errorf("logged %q, want %q", *ended, title)
		}
		if _, failure, _ := resolve("more-" + string(test.key)); failure != dialect.OK {
			t.Errorf("%s without an end: %v", test.key, failure)
		}
	}
}

// In a header too: the name of the key comes with what it opens, and an ended one is unknown.
func TestMoreKeysInHeader(t *testing.T) {
	c := &clock{time.UnixMilli(1e12 - 1)}
	r, ended := moreKeys(t, c)
	for key, want := range map[string]string{"shop-secret": "secret_key", "more-secret_key": "name-k-secret_key (k-secret_key)", "admin": "admin token"} {
		g, failure, err := r.Authorize("Bearer "+key, "site=shop", dialect.Manage, false)
		if failure != dialect.OK || g.Key != want {
			t.Errorf("%s: %v, %v, %q; want %q", key, failure, err, g.Key, want)
		}
	}
	for _, test := range []struct {
		key  string
		need dialect.Right
		want dialect.Failure
	}{
		{"ends-secret_key", dialect.Manage, dialect.OK}, {"ends-read_key", dialect.Write, dialect.Forbidden}, {"ends-token_auth", dialect.Read, dialect.Forbidden},
		{"more-client_secret", dialect.Read, dialect.Forbidden},
	} {
		if _, failure, _ := r.Authorize("Bearer "+test.key, "", test.need, false); failure != test.want {
			t.Errorf("%s: %v, want %v", test.key, failure, test.want)
		}
	}
	c.at = time.UnixMilli(1e12)
	for _, key := range []string{"ends-secret_key", "ends-read_key"} {
		if _, failure, err := r.Authorize("Bearer "+key, "", dialect.Read, false); failure != dialect.Unauthorized || err != ErrUnauthorized {
			t.Errorf("ended %s: %v, %v", key, failure, err)
		}
	}
	if len(*ended) != 2 {
		t.Errorf("logged %q", *ended)
	}
}

// A request with a key made at run time costs what one with a key of the configuration costs.
func TestMoreKeysCost(t *testing.T) {
	r, _ := moreKeys(t, &clock{time.UnixMilli(1e12 - 1)})
	allocs := func(header string) float64 {
		return testing.AllocsPerRun(100, func() { r.Authorize(header, "", dialect.Write, false) })
	}
	if plain, made := allocs("Bearer shop-secret"), allocs("Bearer more-secret_key"); made > plain {
		t.Errorf("%v allocations, and %v with a key of the configuration", made, plain)
	}
}

// A browser's session ends with its key.
func TestSessionEndsWithKey(t *testing.T) {
	c := &clock{time.UnixMilli(1e12 - 1)}
	r, _ := moreKeys(t, c)
	s := newSessions(t, &keeper{all: map[[32]byte]query.BrowserSession{}}, c)
	o, err := r.Opener("ends-read_key")
	if err != nil {
		t.Fatal(err)
	}
	session := s.Find(s.Begin(o))
	if _, failure, _ := r.AuthorizeSession(session, "", dialect.Read, false); failure != dialect.OK {
		t.Fatal(failure)
	}
	c.at = time.UnixMilli(1e12)
	if _, failure, _ := r.AuthorizeSession(session, "", dialect.Read, false); failure != dialect.Unauthorized {
		t.Error(failure)
	}
	if _, err := r.Opener("ends-read_key"); err != errNoKey {
		t.Error(err)
	}
}

// A key that is there twice: one site may have the same key of one kind in the configuration and
// among the others, as a rotation that was cut leaves it; the configuration's counts. Anything
// else is refused.
func TestKeyTwice(t *testing.T) {
	shop := testKeys(1, "shop")
	shop.More = []Key{more("a", SecretKey, "shop-secret", 1), more("b", ClientID, "shop-client", 1), more("c", ClientSecret, "shop-client-secret", 1)}
	r, err := NewRegistry([]Keys{shop}, Tokens{}, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if g, failure, _ := r.Authorize("Bearer shop-secret", "", dialect.Manage, false); failure != dialect.OK || g.Ends != 0 || g.Key != "secret_key" {
		t.Errorf("%v, %+v: the key has ended, though the configuration has it", failure, g)
	}
	if _, failure, _ := r.Resolve(dialect.Credential{Kind: dialect.CredentialClient, ID: "shop-client", Secret: "shop-client-secret"}, ""); failure != dialect.OK {
		t.Error(failure)
	}
	for _, k := range []Key{more("a", ReadKey, "shop-secret", 0), more("a", SecretKey, "blog-secret", 0), more("a", ClientID, "blog-client", 0)} {
		shop.More = []Key{k}
		if _, err := NewRegistry([]Keys{shop, testKeys(2, "blog")}, Tokens{}, false, time.Now); err == nil {
			t.Errorf("%+v is there twice", k)
		}
	}
}

// Which keys were used is known once, also by the registry that follows, in which a key may have
// another name.
func TestUses(t *testing.T) {
	c := &clock{time.UnixMilli(1e12 - 1)}
	r, _ := moreKeys(t, c)
	uses := func(r *Registry) (n int) {
		r.Uses(func(Use) { n++ })
		return n
	}
	if n := uses(r); n != 0 {
		t.Fatalf("%d keys were used before they were", n)
	}
	for range 2 {
		r.Authorize("Bearer more-read_key", "", dialect.Read, false)
		r.Authorize("Bearer wrong", "", dialect.Read, false)
		r.Resolve(dialect.Credential{Kind: dialect.CredentialClient, ID: "more-client_id", Secret: "ends-client_secret"}, "")
	}
	shop := testKeys(1, "shop")
	shop.More = []Key{more("other", ReadKey, "more-read_key", 5), more("b", ClientSecret, "ends-client_secret", 0)}
	next, err := r.Next([]Keys{shop}, Tokens{Admin: "admin"}, false)
	if err != nil {
		t.Fatal(err)
	}
	read := Use{1, sha256.Sum256([]byte("more-read_key"))}
	if !next.Used(read) || !next.Knows(read) || next.Knows(Use{2, read.SHA256}) || next.Used(Use{1, sha256.Sum256([]byte("shop-read"))}) {
		t.Error("another key was used than the one that was")
	}
	if n := uses(next); n != 2 {
		t.Errorf("%d keys were used, want the two that are still there", n)
	}
	if n := uses(next); n != 0 {
		t.Errorf("%d keys were used again", n)
	}
	// One that has ended is not used by who tries it.
	next.Authorize("Bearer more-read_key", "", dialect.Read, false)
	if n := uses(next); n != 0 {
		t.Errorf("%d: an ended key was used", n)
	}
}
