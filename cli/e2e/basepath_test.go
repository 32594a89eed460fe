package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file puts the server below a path of a larger site: behind a proxy that passes one path to it,
// with or without that path. Whatever the server says of its own addresses has to lie below it.

// basePath is where the server is.
const basePath = "/my/stats"

// largerSite is a site with the server at basePath. A request for any other path is a fault of the
// server's, which has led there.
type largerSite struct {
	*httptest.Server
	mu      sync.Mutex
	strayed []string
}

func newLargerSite(t *testing.T, server string, strip bool) *largerSite {
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if strip {
				r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, basePath)
				r.Out.URL.RawPath = strings.TrimPrefix(r.In.URL.RawPath, basePath)
			}
		},
	}
	site := new(largerSite)
	site.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != basePath && !strings.HasPrefix(r.URL.Path, basePath+"/") {
			site.mu.Lock()
			site.strayed = append(site.strayed, r.Method+" "+r.URL.Path+", from "+r.Referer())
			site.mu.Unlock()
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(site.Close)
	return site
}

// linked matches the addresses in a page. Those in href and src can be followed.
var linked = regexp.MustCompile(` (href|src|action|formaction|data-values|data-stream)="(/[^"]*|https?://[^"]*)"`)

// pagesMax bounds how many addresses are followed.
const pagesMax = 250

func TestBasePathOfLargerSite(t *testing.T) {
	t.Parallel()
	for name, strip := range map[string]bool{"the proxy passes the path": false, "the proxy takes the path off": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := startServer(t, dir, configured(t, fmt.Sprintf("base_path = %q\n[[site]]\nname = \"shop\"\nid = 1\nhosts = [\"shop.example\"]\n", basePath))...)
			site := newLargerSite(t, s.url(), strip)
			at := site.URL + basePath
			jar, _ := cookiejar.New(nil)
			browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
			keys := s.keys()

			// Each protocol's event, and what each tells its clients of the server's address.
			bearer := http.Header{"Authorization": {"Bearer " + keys.SecretKey}, "Content-Type": {"application/json"}}
			const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
			for _, r := range []struct {
				method, path string
				header       http.Header
				body, want   string
			}{
				{"POST", "/api/v1/events", bearer, `{"name":"signup","user":"ada","properties":{"plan":"pro"}}`, `"id"`},
				{"POST", "/tracking/events", bearer, `{"eventName":"Purchase","value":250,"userId":"ada"}`, ""},
				{"GET", "/?si=shop&ti=Hello&json", nil, "", ""},
				{"POST", "/v1/track", http.Header{"Authorization": {"Basic " + basic(keys.WriteKey)}}, `{"event":"Order Completed","userId":"ada","properties":{"revenue":49.9}}`, ""},
				{"POST", "/track", http.Header{"Openpanel-Client-Id": {keys.ClientID}, "Openpanel-Client-Secret": {keys.ClientSecret}, "Content-Type": {"application/json"}}, `{"type":"track","payload":{"name":"my_event","profileId":"ada"}}`, ""},
				{"GET", "/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fshop.example%2F&action_name=Home&_id=0123456789abcdef", http.Header{"User-Agent": {agent}}, "", "GIF89a"},
				{"GET", "/any/folder/piwik.php?idsite=1&rec=1&url=https%3A%2F%2Fshop.example%2Fa&action_name=A&_id=0123456789abcdef", http.Header{"User-Agent": {agent}}, "", "GIF89a"},
				{"GET", "/v1/projects/" + keys.WriteKey + "/settings", nil, "", `"apiHost":"` + strings.TrimPrefix(at, "http://") + `/v1"`},
				{"GET", "/openapi.json", nil, "", `"servers": [{"url": "` + basePath + `"}]`},
				{"GET", "/healthz", nil, "", `"status":"ok"`},
				{"GET", "", http.Header{"Accept": {"text/html"}}, "", "cairn"},
			} {
				req, err := http.NewRequest(r.method, at+r.path, strings.NewReader(r.body))
				if err != nil {
					t.Fatal(err)
				}
				if r.header != nil {
					req.Header = r.header
				}
				res, err := browser.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if res.StatusCode/100 != 2 || !strings.Contains(string(body), r.want) {
					t.Errorf("%s %s: %d %.300q", r.method, r.path, res.StatusCode, body)
				}
			}

			// The dashboard: every address on every page.
			login(t, browser, at, site.URL, keys.SecretKey)
			seen, todo := map[string]bool{}, []string{at, at + "/dashboard", at + "/dashboard/site/shop/live", at + "/dashboard/site/shop/setup"}
			for len(todo) > 0 && len(seen) < pagesMax {
				page := todo[0]
				todo = todo[1:]
				if seen[page] {
					continue
				}
				seen[page] = true
				res, body := fetchStart(t, browser, page)
				if res.StatusCode >= 400 {
					t.Errorf("%s: %d %.200q", page, res.StatusCode, body)
				}
				for _, m := range linked.FindAllStringSubmatch(body, -1) {
					link, err := res.Request.URL.Parse(html.UnescapeString(m[2]))
					if err != nil || link.Host != res.Request.URL.Host {
						continue // the site's own pages, and the rest of the world
					}
					if link.Fragment = ""; !strings.HasPrefix(link.Path, basePath+"/") && link.Path != basePath {
						t.Errorf("%s leads to %s", page, m[2])
					}
					if m[1] == "href" || m[1] == "src" {
						todo = append(todo, link.String())
					}
				}
			}
			if len(seen) < 40 {
				t.Errorf("only %d pages: %v", len(seen), seen)
			}
			// The session is for this path of the site alone, and ends there.
			for path, want := range map[string]bool{"/": false, "/other": false, basePath + "/dashboard": true} {
				u, _ := url.Parse(site.URL + path)
				if got := slices.ContainsFunc(jar.Cookies(u), func(c *http.Cookie) bool { return strings.Contains(c.Name, "cairn-") }); got != want {
					t.Errorf("%s gets the session: %v", path, got)
				}
			}
			site.mu.Lock()
			for _, stray := range site.strayed {
				t.Errorf("led to %s", stray)
			}
			site.mu.Unlock()
			s.finish()
		})
	}
}

// login logs in at the dashboard of the server at a base url.
func login(t *testing.T, browser *http.Client, base, origin, key string) {
	t.Helper()
	req, err := http.NewRequest("POST", base+"/dashboard/login", strings.NewReader(url.Values{"key": {key}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {origin}}
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if res.Body.Close(); res.StatusCode != 200 || strings.Contains(string(body), `name="key"`) {
		t.Fatalf("login: %d at %s, %.300q", res.StatusCode, res.Request.URL, body)
	}
}

// fetchStart gets a page, or the begin of one that lasts.
func fetchStart(t *testing.T, browser *http.Client, page string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", page, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ContentLength < 0 && !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		first := make([]byte, 1)
		io.ReadFull(res.Body, first)
		return res, ""
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	return res, string(body)
}

// basic is the Authorization of a user without a password.
func basic(user string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":")) }
