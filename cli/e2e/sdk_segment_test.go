package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The vendors' SDKs for the Segment protocol, run against the real binary and read back
// through the native API. The SDKs decide what they send; these tests decide what must
// arrive.

// checkCalls checks the events of the six calls that every script makes.
func checkCalls(t *testing.T, s *sdk) {
	t.Helper()
	calls := map[string]sdkEvent{}
	for _, e := range s.await("dialect=segment&extra.context.library.name="+sdkLibrary(t, s), 6) {
		calls[e.Type] = e
	}
	for _, typ := range []string{"identify", "track", "page", "screen", "group", "alias"} {
		if _, ok := calls[typ]; !ok {
			t.Errorf("no %s arrived", typ)
		}
	}
	if e := calls["track"]; e.Name != "Order Completed" || e.Value != 49.9 || e.Properties["revenue"] != 49.9 || e.MessageID == "" || time.Since(e.Time).Abs() > time.Minute {
		t.Errorf("the track call became %+v", e)
	}
	if e := calls["page"]; e.Name != "Home" {
		t.Errorf("the page call became %+v", e)
	}
	var user struct {
		ID         string
		Properties map[string]any
		Aliases    []string
		Groups     []string
	}
	s.get("/api/v1/users/ada", &user)
	if user.Properties["plan"] != "pro" || !slices.Contains(user.Groups, "acme") {
		t.Errorf("the profile is %+v", user)
	}
	var group struct {
		Name    string
		Members []string
	}
	s.get("/api/v1/groups/acme", &group)
	if group.Name != "Acme" || len(group.Members) != 1 {
		t.Errorf("the group is %+v", group)
	}
}

// sdkLibrary is the one library name among the events.
func sdkLibrary(t *testing.T, s *sdk) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, e := range s.events("dialect=segment") {
			if name, ok := at(e.Extra, "context.library.name").(string); ok {
				return name
			}
		}
	}
	t.Fatal("no event names its library")
	return ""
}

func TestSegmentNode(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "")
	if out := s.node("node.mjs"); !strings.Contains(out, `"errors":[]`) {
		t.Error(out)
	}
	events := s.await("dialect=segment", 7)
	for _, e := range events {
		if at(e.Extra, "context.library.name") != "@segment/analytics-node" || e.MessageID == "" {
			t.Errorf("%+v", e)
		}
		switch {
		case e.Name == "Order Completed":
			if e.Value != 49.9 || e.Context["utm_source"] != "news" || e.Context["utm_campaign"] != "spring" || e.Context["language"] != "en-GB" || e.Context["timezone"] != "Europe/London" ||
				!slices.Equal(e.Groups, []string{"acme"}) || e.Context["browser"] != "Chrome" || e.Context["os"] != "Windows" || e.Context["ip"] != "203.0.113.0" {
				t.Errorf("%+v", e)
			}
		case e.Name == "Old":
			// The SDK's clock is right, so an old timestamp is stored with only the
			// time of the transfer added.
			if d := e.Time.Sub(time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)); d.Abs() > time.Minute {
				t.Errorf("an old event differs by %v from its time", d)
			}
		case e.Type == "page":
			if e.Context["url"] != "https://shop.example/" || e.Context["title"] != "Shop" || e.Properties["category"] != "Docs" {
				t.Errorf("%+v", e)
			}
			if e.Context["browser"] != nil {
				t.Errorf("the SDK's own agent became the person's browser: %+v", e.Context)
			}
		}
	}
	var totals struct{ Events, Users int }
	s.get("/api/v1/count?user=ada@example.org", &totals)
	if totals.Events != 7 || totals.Users != 1 {
		t.Errorf("after identify and alias one person has %+v", totals)
	}
}

func TestSegmentNodeLegacy(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "")
	s.node("node-legacy.mjs")
	checkCalls(t, s)
}

func TestRudderNode(t *testing.T) {
	t.Parallel()
	for _, gzip := range []string{"1", "0"} {
		s := newSDK(t, "segment", "")
		s.node("rudder-node.mjs", "GZIP="+gzip)
		checkCalls(t, s)
	}
}

// Go's SDK is in a module of its own, so that cairn does not depend on it.
func TestSegmentGo(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "")
	cmd := exec.Command("go", "run", "-C", "go", ".")
	s.run(cmd)
	checkCalls(t, s)
	for _, e := range s.events("type=track") {
		if at(e.Extra, "context.library.name") != "analytics-go" {
			t.Errorf("the context of the batch is not in %+v", e)
		}
	}
}

// The browser's SDK gets everything from cairn, on a page of another origin, with both
// ways of delivery, and contacts nobody else.
func TestSegmentBrowser(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"standard", "batching"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSDK(t, "segment", "")
			origin := s.site(map[string]string{"URL": s.url(), "WRITE_KEY": s.keys().WriteKey})
			var done struct {
				Failures  []string
				Anonymous string
			}
			if s.open(origin+"/next.html?mode="+mode+"&utm_source=news", &done); len(done.Failures) > 0 {
				t.Fatal(done.Failures)
			}
			checkCalls(t, s)
			for _, e := range s.events("type=page") {
				if e.Anonymous != done.Anonymous || e.Context["title"] != "Shop" || e.Context["utm_source"] != "news" || e.Context["browser"] != "Headless Chrome" || e.Properties["category"] != "Docs" ||
					!strings.HasPrefix(e.Context["url"].(string), origin+"/next.html") {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

func TestRudderBrowser(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "")
	origin := s.site(map[string]string{"URL": s.url(), "WRITE_KEY": s.keys().WriteKey})
	s.open(origin+"/rudder.html", &struct{}{})
	types := map[string]int{}
	for _, e := range s.await("dialect=segment", 5) {
		types[e.Type]++
		if at(e.Extra, "channel") != "web" || e.MessageID == "" {
			t.Errorf("%+v", e)
		}
	}
	if len(types) != 5 {
		t.Errorf("arrived: %v", types)
	}
	var user struct{ Properties map[string]any }
	s.get("/api/v1/users/ada", &user)
	if user.Properties["plan"] != "pro" {
		t.Errorf("traits that RudderStack sends in the context are missing: %+v", user)
	}
}

// The server is killed between an SDK's try and its retry, once before and once after
// it stored the batch. Each event is stored exactly once.
func TestSegmentKilledBetweenTries(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"node.mjs", "node-legacy.mjs", "rudder-node.mjs", "go"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			s := newSDK(t, "segment", "")
			url := s.front(func(n int, r *http.Request) fate {
				switch n {
				case 1:
					return lostAfter
				case 3:
					return lostBefore
				}
				return passed
			})
			if script == "go" {
				s.run(exec.Command("go", "run", "-C", "go", "."), "URL="+url, "COUNT=40")
			} else {
				s.node(script, "URL="+url, "COUNT=40", "FLUSH_AT=10")
			}
			checkCounted(t, s, 40)
		})
	}
}

// countedEvent finds the number of each event that next.html counts.
var countedEvent = regexp.MustCompile(`"properties":\{"i":(\d+)`)

// The same with the browser's SDK, either way of delivery.
func TestSegmentBrowserKilledBetweenTries(t *testing.T) {
	t.Parallel()
	for mode, path := range map[string]string{"standard": "/v1/t", "batching": "/v1/b"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSDK(t, "segment", "")
			const count = 20
			var mu sync.Mutex
			calls, passedOn := 0, map[string]bool{}
			url := s.front(func(_ int, r *http.Request) fate {
				if r.Method != "POST" || r.URL.Path != path {
					return passed
				}
				mu.Lock()
				defer mu.Unlock()
				switch calls++; calls {
				case 1:
					return lostAfter
				case 2:
					return lostBefore
				}
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				for _, event := range countedEvent.FindAllSubmatch(body, -1) {
					passedOn[string(event[1])] = true
				}
				return passed
			})
			s.settled = func() bool { // then the SDK has tried again what was lost
				mu.Lock()
				defer mu.Unlock()
				return len(passedOn) == count
			}
			origin := s.site(map[string]string{"URL": url, "WRITE_KEY": s.keys().WriteKey})
			s.open(fmt.Sprintf("%s/next.html?count=%d&mode=%s", origin, count, mode), &struct{}{})
			if calls < 3 { // the first two are lost
				t.Errorf("%d calls went through the proxy", calls)
			}
			checkCounted(t, s, count)
		})
	}
}

// checkCounted checks that the track calls 0 to n-1 are stored once each.
func checkCounted(t *testing.T, s *sdk, n int) {
	t.Helper()
	seen := map[any]int{}
	for _, e := range s.await("name=Counted", n) {
		seen[e.Properties["i"]]++
	}
	if len(seen) != n {
		t.Errorf("%d of %d events are stored: %v", len(seen), n, seen)
	}
}

// The rate of a site is exceeded: it answers 429 with Retry-After, and everything
// arrives in the end.
func TestSegmentRateLimit(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "[[site]]\nname = \"shop\"\nrate_limit = 10\n")
	limited := 0
	url := s.front(func(n int, r *http.Request) fate { limited++; return passed })
	s.node("node.mjs", "URL="+url, "COUNT=40", "FLUSH_AT=10")
	checkCounted(t, s, 40)
	if limited <= 4 {
		t.Errorf("%d requests: none was limited", limited)
	}
}

// One event of a batch is larger than cairn accepts, although the SDK sends it: the
// answer is 207, and the others are stored.
func TestSegmentPartialSuccess(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "")
	if out := s.node("node.mjs", "COUNT=10", "FLUSH_AT=10", "LARGE=4"); !strings.Contains(out, `"errors":[]`) {
		t.Errorf("the SDK treats a 207 as a failure: %s", out)
	}
	for _, e := range s.await("name=Counted", 9) {
		if e.Properties["i"] == 4.0 {
			t.Error("the large event was stored")
		}
	}
}

// While the disk is full the SDK is told to retry. When there is space again everything
// arrives, once.
func TestSegmentDiskFull(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "segment", "reserve = \"100000GiB\"\n[[site]]\nname = \"shop\"\n")
	room := configured(t, "[[site]]\nname = \"shop\"\n")
	url := s.front(func(n int, r *http.Request) fate {
		if n == 4 {
			s.setFlags(room)
			return lostBefore
		}
		return passed
	})
	s.node("node.mjs", "URL="+url, "COUNT=20", "FLUSH_AT=10")
	checkCounted(t, s, 20)
}
