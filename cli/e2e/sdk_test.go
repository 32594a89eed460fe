package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file has what the tests of the vendors' SDKs share: the real binary on an
// address that stays the same after a restart, node and a browser to run the SDK in,
// and reading back through the native API. The SDKs of a dialect are in
// testdata/sdk/DIALECT, pinned by its package-lock.json. testdata/sdk/browser drives
// the browser for all of them.
//
// These tests run only with CAIRN_SDK=1: they need node, npm and its registry, and some
// need Chromium.

// sdkTime bounds one run of an SDK or of the browser, so that one that hangs ends. Most need less than
// half a minute by themselves, but many run at once, on a machine that may do other things.
const sdkTime = 15 * time.Minute

// sdk is the server of one test and what it needs to run SDKs against it.
type sdk struct {
	*testServer
	dialect string      // the folder in testdata/sdk
	settled func() bool // what pages of site that ask for /settled wait for
}

// needsSDK skips a test unless CAIRN_SDK=1.
func needsSDK(t *testing.T) {
	t.Helper()
	if os.Getenv("CAIRN_SDK") != "1" {
		t.Skip("CAIRN_SDK=1 runs the vendors' SDKs and the dashboard in a browser; it needs node, npm's registry and Chromium")
	}
}

// newSDK starts a server for the SDKs of a dialect. The server keeps its address when
// it is started again. config is a cairn.toml, which may be empty. The test is skipped
// unless CAIRN_SDK=1.
func newSDK(t *testing.T, dialect, config string) *sdk {
	t.Helper()
	needsSDK(t)
	s := &sdk{testServer: startServer(t, t.TempDir(), configured(t, config)...), dialect: dialect}
	s.configure(config)
	installSDK(t, s.folder())
	return s
}

var sdksInstalled sync.Map // folder → func() error

// installSDK runs npm ci in a folder where nothing is installed yet.
func installSDK(t *testing.T, folder string) {
	t.Helper()
	once, _ := sdksInstalled.LoadOrStore(folder, sync.OnceValue(func() error {
		if _, err := os.Stat(filepath.Join(folder, "node_modules")); err == nil {
			return nil
		}
		cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci in %s: %w: %s", folder, err, out)
		}
		return nil
	}))
	if err := once.(func() error)(); err != nil {
		t.Fatal(err)
	}
}

func (s *sdk) folder() string { return filepath.Join(top, "testdata", "sdk", s.dialect) }

// configure sets the configuration of the next start. The address and the data stay.
func (s *sdk) configure(config string) { s.setFlags(configured(s.T, config)) }

// setFlags is configure with flags of serve, for any goroutine.
func (s *sdk) setFlags(flags []string) {
	s.options.Args = append(flags, "-listen", strings.TrimPrefix(s.url(), "http://"))
}

// node runs a script of the dialect's folder and returns what it printed. URL is the
// server's address unless env sets another.
func (s *sdk) node(script string, env ...string) string {
	s.Helper()
	return s.run(exec.Command("node", script), env...)
}

// run is node for any program. It runs in the dialect's folder unless it has another.
func (s *sdk) run(cmd *exec.Cmd, env ...string) string {
	s.Helper()
	k := s.keys()
	if cmd.Dir == "" {
		cmd.Dir = s.folder()
	}
	cmd.Env = append(os.Environ(), "URL="+s.url(), "WRITE_KEY="+k.WriteKey, "CLIENT_ID="+k.ClientID, "CLIENT_SECRET="+k.ClientSecret,
		"SECRET_KEY="+k.SecretKey, "TOKEN_AUTH="+k.TokenAuth, "CHROMIUM="+chromium())
	cmd.Env = append(cmd.Env, env...)
	stop := time.AfterFunc(sdkTime, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("%s: %v\n%s\n%s", strings.Join(cmd.Args, " "), err, out, s.running().Log())
	}
	return string(out)
}

// pageVisit is the result of a page that was opened in the browser.
type pageVisit struct {
	Done  json.RawMessage // what the page reported when it was done, nil if it never was
	Log   []string
	Hosts []string // that the page contacted
}

// browse opens pages in a real browser, each with a fresh profile, until they are done.
func (s *sdk) browse(urls ...string) []pageVisit {
	s.Helper()
	folder := filepath.Join(top, "testdata", "sdk", "browser")
	installSDK(s.T, folder)
	pages, err := json.Marshal(urls)
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command("node", "browser.mjs")
	cmd.Dir = folder
	text := s.run(cmd, "PAGES="+string(pages))
	var visits []pageVisit
	if err := json.Unmarshal([]byte(text), &visits); err != nil || len(visits) != len(urls) {
		s.Fatalf("%v: %s", err, text)
	}
	return visits
}

// open opens one page and reads its report into done. The page must not fail, nor
// contact anybody but its own origin and the server.
func (s *sdk) open(url string, done any) {
	s.Helper()
	v := s.browse(url)[0]
	var failure struct{ Failed any }
	err := json.Unmarshal(v.Done, &failure)
	if err == nil {
		err = json.Unmarshal(v.Done, done)
	}
	if err != nil || failure.Failed != nil || len(v.Hosts) != 2 {
		s.Fatalf("%v: the page says %s, and asked %q\n%s", err, v.Done, v.Hosts, strings.Join(v.Log, "\n"))
	}
}

// chromium returns the browser's program.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return "/usr/bin/chromium"
}

// site serves the dialect's folder from another origin than the server's, as the
// pages of a customer are. {{NAME}} in a page is the value of vars. A page can ask for
// /settled, which is s.settled.
func (s *sdk) site(vars map[string]string) (origin string) {
	files := http.FileServer(http.Dir(s.folder()))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/settled" {
			fmt.Fprint(w, s.settled())
			return
		}
		if !strings.HasSuffix(r.URL.Path, ".html") {
			files.ServeHTTP(w, r)
			return
		}
		text, err := os.ReadFile(filepath.Join(s.folder(), filepath.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		for name, value := range vars {
			text = []byte(strings.ReplaceAll(string(text), "{{"+name+"}}", value))
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(text)
	}))
	s.Cleanup(page.Close)
	return strings.Replace(page.URL, "127.0.0.1", "localhost", 1)
}

// front is a proxy before the server. It passes the number of each request, from 1, and
// its body to choose, whose result happens to the request.
func (s *sdk) front(choose func(n int, r *http.Request) fate) (url string) {
	var mu sync.Mutex
	n := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock() // one after another, so that "before" and "after" have a meaning
		defer mu.Unlock()
		n++
		f := choose(n, r)
		if f != lostBefore {
			req, err := http.NewRequest(r.Method, s.url()+r.URL.RequestURI(), r.Body)
			if err != nil {
				s.Error(err)
				return
			}
			req.Header, req.Host = r.Header, r.Host
			res, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
			if err != nil {
				s.Error(err)
				return
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if f == passed {
				for name, values := range res.Header {
					w.Header()[name] = values
				}
				w.WriteHeader(res.StatusCode)
				_, _ = w.Write(body)
				return
			}
			if res.StatusCode/100 != 2 {
				s.Errorf("the request to be stored was answered %d: %s", res.StatusCode, body)
			}
		}
		if err := s.tryRestart(); err != nil {
			s.Error(err)
		}
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
	}))
	s.Cleanup(proxy.Close)
	return proxy.URL
}

// fate is what happens to a request on its way through front.
type fate int

const (
	passed     fate = iota
	lostBefore      // the server is killed before the request reaches it, and started again
	lostAfter       // the server is killed after it answered, before the client has the answer
)

// sdkEvent is one event as the native API shows it.
type sdkEvent struct {
	Dialect, Type, Name, User, Anonymous, Session, Previous string
	Time, Received                                          time.Time
	Groups                                                  []string
	MessageID                                               string `json:"message_id"`
	Value                                                   any
	Properties, Context, Extra                              map[string]any
}

// events returns what a query of the native API selects, oldest first.
func (s *sdk) events(query string) []sdkEvent {
	s.Helper()
	var page struct{ Events []sdkEvent }
	s.get("/api/v1/events?limit=1000&order=asc&"+query, &page)
	return page.Events
}

// await waits until a query selects exactly n events, and returns them: SDKs send in
// the background.
func (s *sdk) await(query string, n int) []sdkEvent {
	s.Helper()
	var events []sdkEvent
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if events = s.events(query); len(events) >= n {
			break
		}
	}
	if len(events) != n {
		s.Fatalf("%d events of %q, want %d: %+v", len(events), query, n, events)
	}
	return events
}

// at returns the value at a dotted path of nested objects.
func at(o map[string]any, path string) any {
	key, rest, deeper := strings.Cut(path, ".")
	if inner, ok := o[key].(map[string]any); ok && deeper {
		return at(inner, rest)
	}
	if deeper {
		return nil
	}
	return o[key]
}
