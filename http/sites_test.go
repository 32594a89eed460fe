package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/http/dialect"
	"cairn/http/matomo"
)

// setSites replaces the sites and the admin's token alone.
func (s *Server) setSites(list []*Site, implicit bool, admin string) error {
	o := s.sites.Load().options
	o.Sites, o.Implicit, o.AdminToken = list, implicit, admin
	apply, err := s.Prepare(o)
	if err == nil {
		apply()
	}
	return err
}

// keeping is a shop whose tracker keeps what stands behind # or not, with keys of its own.
func keeping(keep bool, keys string) *Site {
	site, settings := testSite(1, "shop"), matomo.Defaults()
	settings.KeepFragment = keep
	setMatomo(site, settings, nil)
	site.ClientSecret, site.SecretKey, site.TokenAuth = keys+"-client-secret", keys+"-secret", keys+"-token"
	return site
}

const (
	fragmentHit = "/matomo.php?idsite=1&rec=1&url=https://shop.example/a%23part"
	plainURL    = "https://shop.example/a"
	fragmentURL = plainURL + "#part"
)

// begin sends the head of a write and waits until the server is at work on it. The function
// it returns sends the body and reads the answer.
func (s *testServer) begin(target, body string, headers ...string) func() parsed {
	s.t.Helper()
	c := s.dial()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: example.com\r\n%s\r\nContent-Length: %d\r\n\r\n", target, strings.Join(headers, "\r\n"), len(body))
	<-s.engine.admitted
	return func() parsed {
		s.t.Helper()
		io.WriteString(c, body)
		a, err := readAnswer(bufio.NewReader(c), false)
		if err != nil {
			s.t.Fatal(err)
		}
		return a
	}
}

// A request keeps the sites that it began with, also when they are replaced while its body
// is on the way. The next request has the new ones.
func TestRequestKeepsItsSites(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *Options) { o.Sites = []*Site{keeping(false, "old")} })
	s.engine.admitted = make(chan struct{}, 9)
	// A hit that is 25 hours old needs a token.
	hit := s.begin(fragmentHit, "token_auth=old-token&cdo=90000", "Content-Type: application/x-www-form-urlencoded")
	client := s.begin("/track", `{"type":"track","payload":{"name":"a"}}`, "openpanel-client-id: shop-client", "openpanel-client-secret: old-client-secret")
	if err := s.setSites([]*Site{keeping(true, "new")}, false, "admin"); err != nil {
		t.Fatal(err)
	}
	for _, finish := range []func() parsed{hit, client} {
		if a := finish(); a.status != 200 {
			t.Errorf("a request that began before: %d %s", a.status, a.body)
		}
	}
	s.send("GET", fragmentHit, "")
	if got, want := s.engine.urls, []string{plainURL, "", fragmentURL}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for key, status := range map[string]int{"old-secret": 401, "new-secret": 200} {
		if a := s.send("GET", "/api/v1/events", "", "Authorization: Bearer "+key); a.status != status {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
	}
}

// A stream keeps its sites for as long as it lasts.
func TestStreamKeepsItsSites(t *testing.T) {
	t.Parallel()
	key := dialect.Credential{Kind: dialect.CredentialKey, Secret: "shop-secret"}
	begun, replaced := make(chan struct{}), make(chan struct{})
	s := startStreams(t, io.Discard, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
		"held": func(_ context.Context, req *dialect.Request, w io.Writer) error {
			close(begun)
			<-replaced
			_, err := fmt.Fprint(w, req.Find(key) == req.Site)
			return err
		},
	}})
	go func() {
		<-begun
		if err := s.setSites([]*Site{keeping(true, "new")}, false, "admin"); err != nil {
			t.Error(err)
		}
		close(replaced)
	}()
	req, err := http.NewRequest("GET", "http://"+s.addr+"/stream/held", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer shop-secret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "true" {
		t.Errorf("%d %q %v", res.StatusCode, body, err)
	}
}

// Sites that cannot be leave everything as it was.
func TestBadSitesChangeNothing(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	before := s.sites.Load()
	for _, bad := range [][]*Site{nil, {testSite(1, "shop"), testSite(1, "blog")}, {testSite(1, "shop"), testSite(2, "shop")}} {
		if err := s.setSites(bad, false, "admin"); err == nil || s.sites.Load() != before {
			t.Errorf("%d sites: %v", len(bad), err)
		}
	}
}

// What outlives the sites: what one has spent of its rate, and tickets.
func TestWhatSitesKeep(t *testing.T) {
	t.Parallel()
	limited := func(rate int) []*Site {
		site := testSite(1, "shop")
		site.RateLimit = rate
		return []*Site{site}
	}
	s := start(t, func(o *Options) { o.Sites = limited(1) })
	ticket := s.sites.Load().registry.Tickets.Issue(1, time.Minute)
	for i, c := range []struct{ rate, status int }{{1, 200}, {1, 429}, {1000, 200}} {
		if err := s.setSites(limited(c.rate), false, "admin"); err != nil {
			t.Fatal(err)
		}
		if a := s.post(`{"name":"a"}`); a.status != c.status {
			t.Errorf("post %d: %d %s, want %d", i, a.status, a.body, c.status)
		}
	}
	if _, failure, err := s.sites.Load().registry.Resolve(dialect.Credential{Kind: dialect.CredentialTicket, Secret: ticket}, ""); err != nil {
		t.Errorf("the ticket: %v %v", failure, err)
	}
}

// Requests under way while sites are replaced see the one or the other, and nothing between.
func TestSitesReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, each = 4, 100
	s := start(t, func(o *Options) { o.Sites = []*Site{keeping(false, "shop")} })
	kinds := map[string]int{}
	swaps, rounds := 0, 0
	// On a busy machine all requests of a round may meet the same sites.
	for ; len(kinds) < 2 && rounds < 50; rounds++ {
		var sending sync.WaitGroup
		for range clients {
			c := s.connect()
			sending.Go(func() {
				for range each {
					if a := c.ask(owned{method: "GET", target: fragmentHit}); a.status != 200 {
						t.Errorf("%d %s", a.status, a.body)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() {
			sending.Wait()
			close(done)
		}()
		for busy := true; busy; swaps++ {
			if err := s.setSites([]*Site{keeping(swaps%2 == 0, "shop")}, false, "admin"); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				busy = false
			default:
			}
		}
		clear(kinds)
		for _, url := range s.engine.urls {
			kinds[url]++
		}
	}
	if kinds[plainURL]+kinds[fragmentURL] != rounds*clients*each || len(kinds) != 2 {
		t.Errorf("%v after %d swaps", kinds, swaps)
	}
}
