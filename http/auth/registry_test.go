package auth

import (
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// testKeys are keys of every kind for one site.
func testKeys(id uint32, name string) Keys {
	return Keys{
		Site:     dialect.Site{Site: query.Site{ID: id, Name: name}},
		WriteKey: name + "-write", ClientID: name + "-client", ClientSecret: name + "-client-secret",
		SecretKey: name + "-secret", TokenAuth: name + "-token", TrackingToken: name + "-tracking", ReadKey: name + "-read",
		Origins: []string{"https://" + name + ".example"},
	}
}

// TestResolve is a table of the credentials that records have, with two sites and with none
// configured.
func TestResolve(t *testing.T) {
	two, err := NewRegistry([]Keys{testKeys(1, "shop"), testKeys(2, "blog")}, Tokens{Admin: "admin"}, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	implicit, err := NewRegistry([]Keys{testKeys(1, "default")}, Tokens{Admin: "admin"}, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	type kind = dialect.CredentialKind
	const none, write, client, id, name, key, ticket = dialect.CredentialNone, dialect.CredentialWriteKey, dialect.CredentialClient,
		dialect.CredentialSiteID, dialect.CredentialSiteName, dialect.CredentialKey, dialect.CredentialTicket
	const all = dialect.Read | dialect.Write | dialect.Manage
	for _, test := range []struct {
		registry   *Registry
		kind       kind
		id, secret string
		origin     string
		site       string
		rights     dialect.Right
		private    bool
		failure    dialect.Failure
	}{
		{two, none, "", "", "", "", 0, false, dialect.Unauthorized},

		{two, write, "shop-write", "", "", "shop", dialect.Write, false, 0},
		{two, write, "blog-secret", "", "", "blog", all, true, 0},
		{two, write, "shop-read", "", "", "", 0, false, dialect.Forbidden},
		{two, write, "shop-token", "", "", "", 0, false, dialect.Forbidden},
		{two, write, "admin", "", "", "", 0, false, dialect.Unauthorized},
		{two, write, "wrong", "", "", "", 0, false, dialect.Unauthorized},
		{two, write, "", "", "", "", 0, false, dialect.Unauthorized},

		{two, client, "shop-client", "shop-client-secret", "", "shop", dialect.Read | dialect.Write, true, 0},
		{two, client, "shop-client", "blog-client-secret", "", "", 0, false, dialect.Unauthorized},
		{two, client, "shop-client", "shop-secret", "", "", 0, false, dialect.Unauthorized},
		{two, client, "shop-client", "", "", "", 0, false, dialect.Unauthorized},
		{two, client, "shop-client", "", "https://shop.example", "shop", dialect.Write, false, 0},
		{two, client, "shop-client", "", "https://blog.example", "", 0, false, dialect.Unauthorized},
		{two, client, "shop-client", "wrong", "https://shop.example", "", 0, false, dialect.Unauthorized},
		{two, client, "wrong", "shop-client-secret", "", "", 0, false, dialect.Unauthorized},

		{two, id, "2", "", "", "blog", dialect.Write, false, 0},
		{two, id, "2", "blog-token", "", "blog", dialect.Read | dialect.Write, true, 0},
		{two, id, "2", "admin", "", "blog", dialect.Read | dialect.Write, true, 0},
		{two, id, "2", "shop-token", "", "", 0, false, dialect.Unauthorized},
		{two, id, "2", "blog-tracking", "", "blog", dialect.Write, true, 0},
		{two, id, "2", "blog-secret", "", "", 0, false, dialect.Unauthorized},
		{two, id, "", "blog-token", "", "blog", dialect.Read | dialect.Write, true, 0},
		{two, id, "", "blog-tracking", "", "blog", dialect.Write, true, 0},
		{two, id, "", "admin", "", "shop", dialect.Read | dialect.Write, true, 0},
		{two, id, "", "blog-secret", "", "", 0, false, dialect.Unauthorized},
		{two, id, "", "wrong", "", "", 0, false, dialect.Unauthorized},
		{two, id, "", "", "", "", 0, false, dialect.Unauthorized},
		{two, id, "3", "", "", "", 0, false, dialect.BadRequest},
		{two, id, "0", "", "", "", 0, false, dialect.BadRequest},
		{two, id, "4294967298", "", "", "", 0, false, dialect.BadRequest},
		{two, id, "x", "", "", "", 0, false, dialect.BadRequest},
		{implicit, id, "77", "", "", "default", dialect.Write, false, 0},

		{two, name, "shop", "", "", "shop", dialect.Write, false, 0},
		{two, name, "Shop", "", "", "", 0, false, dialect.Forbidden},
		{two, name, "", "", "", "", 0, false, dialect.Forbidden},
		{implicit, name, "anything", "", "", "default", dialect.Write, false, 0},

		{two, key, "", "shop-read", "", "shop", dialect.Read, true, 0},
		{two, key, "shop", "shop-secret", "", "shop", all, true, 0},
		{two, key, "blog", "shop-secret", "", "", 0, false, dialect.NotFound},
		{two, key, "nothing", "shop-secret", "", "", 0, false, dialect.NotFound},
		{two, key, "blog", "admin", "", "blog", all, true, 0},
		{two, key, "", "admin", "", "", 0, false, dialect.BadRequest},
		{two, key, "shop", "", "", "", 0, false, dialect.Unauthorized},
		{implicit, key, "anything", "default-read", "", "default", dialect.Read, true, 0},
		{implicit, key, "anything", "admin", "", "default", all, true, 0},

		{two, ticket, "", two.Tickets.Issue(2, time.Minute), "", "blog", dialect.Read, true, 0},
		{two, ticket, "blog", two.Tickets.Issue(2, time.Minute), "", "blog", dialect.Read, true, 0},
		{two, ticket, "shop", two.Tickets.Issue(2, time.Minute), "", "", 0, false, dialect.NotFound},
		{two, ticket, "blog", "wrong", "", "", 0, false, dialect.Unauthorized},
		{two, ticket, "blog", "", "", "", 0, false, dialect.Unauthorized},
		{implicit, ticket, "anything", implicit.Tickets.Issue(1, time.Minute), "", "default", dialect.Read, true, 0},
	} {
		g, failure, err := test.registry.Resolve(dialect.Credential{Kind: test.kind, ID: test.id, Secret: test.secret}, test.origin)
		site := ""
		if g.Account != nil {
			site = g.Account.Site.Name
		}
		if failure != test.failure || site != test.site || g.Rights != test.rights || g.Private != test.private || (err == nil) != (failure == dialect.OK) {
			t.Errorf("kind %d %q %q %q: site %q rights %d private %v failure %v (%v)", test.kind, test.id, test.secret, test.origin, site, g.Rights, g.Private, failure, err)
		}
	}
}

// TestAuthorize is what a key of every kind may do from the header.
func TestAuthorize(t *testing.T) {
	r, err := NewRegistry([]Keys{testKeys(1, "shop"), testKeys(2, "blog")}, Tokens{Admin: "admin"}, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const ok, no, who = dialect.OK, dialect.Forbidden, dialect.Unauthorized
	for _, c := range []struct {
		key                 string
		read, write, manage dialect.Failure
	}{
		{"shop-secret", ok, ok, ok},
		{"admin", ok, ok, ok},
		{"shop-read", ok, no, no},
		{"shop-write", no, ok, no},
		{"shop-token", no, no, no},
		{"shop-tracking", no, no, no},
		// These are known and open nothing from the header.
		{"shop-client", no, no, no},
		{"shop-client-secret", no, no, no},
		{r.Tickets.Issue(1, time.Minute), no, no, no},
		{"wrong", who, who, who},
		{"", who, who, who},
	} {
		for right, want := range map[dialect.Right]dialect.Failure{dialect.Read: c.read, dialect.Write: c.write, dialect.Manage: c.manage} {
			g, got, err := r.Authorize("Bearer "+c.key, "site=shop", right, false)
			if got != want || (err == nil) != (got == ok) || got == ok && g.Account.Site.Name != "shop" {
				t.Errorf("%q for right %d: %v (%v), want %v", c.key, right, got, err, want)
			}
		}
	}
	// Matomo's and OpenPanel's credentials may read and write, and do not manage.
	for _, c := range []dialect.Credential{
		{Kind: dialect.CredentialClient, ID: "shop-client", Secret: "shop-client-secret"},
		{Kind: dialect.CredentialSiteID, ID: "1", Secret: "shop-token"},
		{Kind: dialect.CredentialSiteID, ID: "1", Secret: "admin"},
		{Kind: dialect.CredentialTicket, Secret: r.Tickets.Issue(1, time.Minute)},
	} {
		if g, got, _ := r.Resolve(c, ""); got != ok || g.Rights&dialect.Manage != 0 {
			t.Errorf("%+v: %v, rights %d", c, got, g.Rights)
		}
	}
}

// The registry that follows another counts the reads at work with credentials of both, and
// knows its tickets.
func TestNext(t *testing.T) {
	keys := []Keys{testKeys(1, "shop"), testKeys(2, "blog")}
	r, err := NewRegistry(keys, Tokens{Admin: "admin"}, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	opens := []dialect.Credential{
		{Kind: dialect.CredentialKey, ID: "shop", Secret: "shop-read"},
		{Kind: dialect.CredentialKey, ID: "shop", Secret: "admin"},
		{Kind: dialect.CredentialClient, ID: "shop-client", Secret: "shop-client-secret"},
		{Kind: dialect.CredentialTicket, Secret: r.Tickets.Issue(1, time.Minute)},
	}
	before := make([]Grant, len(opens))
	for i, c := range opens {
		if before[i], _, err = r.Resolve(c, ""); err != nil {
			t.Fatal(err)
		}
	}
	keys[0].SecretKey = "other"
	next, err := r.Next(keys[:1], Tokens{Admin: "admin"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range opens {
		g, _, err := next.Resolve(c, "")
		if err != nil || g.Queries != before[i].Queries || g.Account == before[i].Account {
			t.Errorf("%+v: %+v %v", c, g, err)
		}
	}
	for _, gone := range []string{"shop-secret", "blog-secret"} {
		c := dialect.Credential{Kind: dialect.CredentialKey, Secret: gone}
		if _, failure, _ := next.Resolve(c, ""); failure != dialect.Unauthorized {
			t.Errorf("%s: %v", gone, failure)
		}
		if _, failure, _ := r.Resolve(c, ""); failure != dialect.OK {
			t.Errorf("%s in the former registry: %v", gone, failure)
		}
	}
}
