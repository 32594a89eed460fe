package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// OpenPanel's own SDKs, run against the real binary and read back through the native
// API.

// opIDs are the ids in an answer.
type opIDs struct {
	DeviceID, SessionID string
	Duplicate           bool
}

// opProfile is a person as the native API shows them.
type opProfile struct {
	ID                string
	Properties        map[string]any
	Aliases           []string
	Anonymous, Groups []string
}

func TestSDKOpenPanelNode(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "openpanel", "")
	var out struct {
		Answers       []opIDs
		Before, After []string
		Refused       any
		Tries         int
	}
	text := s.node("node.mjs")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for i, a := range out.Answers {
		// A server's events begin no session, so identify, increment and group are answered
		// without one.
		track := i == 0 || i >= 7
		if a.DeviceID == "" || (a.SessionID != "") != track || a.Duplicate {
			t.Errorf("call %d was answered %+v", i, a)
		}
	}
	if len(out.Before) != 2 || out.Before[0] == "" || out.Before[1] == "" || out.After[0] != "device-of-the-buyer" {
		t.Errorf("the SDK remembers %q, then %q", out.Before, out.After)
	}
	if out.Refused != nil || out.Tries != 1 {
		t.Errorf("a wrong secret was answered %v after %d tries", out.Refused, out.Tries)
	}
	check := func() {
		t.Helper()
		calls := map[string]sdkEvent{}
		var types []string
		for _, e := range s.await("dialect=openpanel", 9) {
			calls[e.Type+" "+e.Name] = e
			types = append(types, e.Type)
			if e.Session != "" {
				t.Errorf("a server's event opened session %s: %+v", e.Session, e)
			}
		}
		if got := strings.Join(types, " "); got != "track identify increment increment group group group track track" {
			t.Errorf("stored %s", got)
		}
		if e := calls["track started"]; e.User != "" || e.Anonymous != "" || at(e.Properties, "nested.deep") == nil || e.Properties["step"] != 1.0 {
			t.Errorf("track: %+v", e)
		}
		if e := calls["track report_exported"]; e.User != "ada" || e.Properties["release"] != "1.2" || !slices.Equal(slices.Sorted(slices.Values(e.Groups)), []string{"acme", "beta", "delta", "gamma"}) {
			t.Errorf("track with groups: %+v", e)
		}
		if e := calls["track revenue"]; e.Value != 4200.0 || e.Anonymous != "device-of-the-buyer" || e.Properties["product"] != "tea" {
			t.Errorf("revenue: %+v", e)
		}
		var ada opProfile
		s.get("/api/v1/users/ada", &ada)
		p := ada.Properties
		if p["firstName"] != "Ada" || p["email"] != "ada@example.com" || p["company"] != "Engines" || p["tier"] != "premium" || p["visits"] != 3.0 || at(p, "credit.left") != -0.25 ||
			!slices.Equal(slices.Sorted(slices.Values(ada.Groups)), []string{"acme", "beta", "gamma"}) {
			t.Errorf("the profile is %+v", ada)
		}
		var acme struct {
			Name, Type string
			Properties map[string]any
			Members    []string
		}
		s.get("/api/v1/groups/acme", &acme)
		if acme.Name != "Acme Inc" || acme.Type != "company" || acme.Properties["seats"] != 25.0 || !slices.Equal(acme.Members, []string{"ada"}) {
			t.Errorf("the group is %+v", acme)
		}
	}
	check()
	s.restart()
	check()
}

// opTotal is a numeric property of ada's profile.
func opTotal(s *sdk, property string) int {
	s.Helper()
	var ada opProfile
	s.get("/api/v1/users/ada", &ada)
	n, _ := ada.Properties[property].(float64)
	return int(n)
}

// 64 simultaneous increments add 64. When the server is killed meanwhile, the SDK
// repeats requests, so the total lies between what was acknowledged and what was tried.
// With an Idempotency-Key it is exact.
func TestSDKOpenPanelIncrements(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "openpanel", "")
	run := func(property string, env ...string) (acked, tries int) {
		var out struct{ Acked, Tries int }
		text := s.node("increments.mjs", append([]string{"PROPERTY=" + property, "N=64"}, env...)...)
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return out.Acked, out.Tries
	}
	if acked, _ := run("calm"); acked != 64 || opTotal(s, "calm") != 64 {
		t.Errorf("%d acknowledged, the property is %d", acked, opTotal(s, "calm"))
	}

	// killing kills the server now and then until stop is called or the test ends, but not
	// for ever: on a busy machine the calls would not come to an end. stop returns how often.
	const killsMax = 16
	killing := func() (stop func() int) {
		quit, done := make(chan struct{}), make(chan struct{})
		kills := 0
		go func() {
			defer close(done)
			for kills < killsMax {
				select {
				case <-quit:
					return
				case <-time.After(time.Duration(100+rand.IntN(300)) * time.Millisecond):
					if err := s.tryRestart(); err != nil {
						t.Error(err)
						return
					}
					kills++
				}
			}
		}()
		stop = sync.OnceValue(func() int {
			close(quit)
			<-done
			return kills
		})
		t.Cleanup(func() { stop() })
		return stop
	}
	stop := killing()
	acked, tries := run("hasty", "WAVES=12")
	kills := stop()
	if total := opTotal(s, "hasty"); total < acked || total > tries || acked == 0 {
		t.Errorf("after %d kills: %d acknowledged, %d tried, the property is %d", kills, acked, tries, total)
	} else {
		t.Logf("%d kills: %d acknowledged, %d in all, %d tried", kills, acked, total, tries)
	}
	stop = killing()
	acked, tries = run("keyed", "WAVES=12", "KEYED=1")
	kills = stop()
	if total := opTotal(s, "keyed"); acked != 64*12 || total != acked {
		t.Errorf("with keys, after %d kills: %d acknowledged, %d tried, the property is %d", kills, acked, tries, total)
	} else {
		t.Logf("with keys, %d kills: %d acknowledged and in all, %d tried", kills, acked, tries)
	}

	// The same, but now each answer that may be lost is lost: the repeated requests are
	// known.
	for _, keyed := range []string{"0", "1"} {
		lost := 0
		url := s.front(func(n int, r *http.Request) fate {
			switch n {
			case 5, 33, 60:
				lost++
				return lostAfter
			case 20:
				return lostBefore
			}
			return passed
		})
		property := "lost" + keyed
		acked, _ := run(property, "URL="+url, "KEYED="+keyed)
		want := 64
		if keyed == "0" {
			want += lost
		}
		if total := opTotal(s, property); acked != 64 || total != want {
			t.Errorf("keys %s: %d acknowledged, the property is %d, want %d", keyed, acked, total, want)
		}
	}
}

// A page of another origin, without a secret, in a real browser.
func TestSDKOpenPanelBrowser(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "openpanel", "[[site]]\nname = \"shop\"\norigins = [\"http://localhost:*\"]\n[site.openpanel]\nunsafe_revenue = true\n")
	// The wildcard matches letters, digits, dots and dashes, and a port too.
	origin := s.site(map[string]string{"URL": s.url(), "CLIENT_ID": s.keys().ClientID})
	var out struct {
		Answers, Twice        []opIDs
		Anonymous, Identified []string
		Asked                 opIDs
	}
	s.open(origin+"/page.html", &out)
	device, session := out.Asked.DeviceID, out.Asked.SessionID
	if len(device) != 32 || len(session) != 22 {
		t.Errorf("device %q, session %q", device, session)
	}
	for i, a := range append(out.Answers, out.Twice...) {
		if a.DeviceID != device || a.SessionID != session {
			t.Errorf("call %d was answered %+v, want %s in %s", i, a, device, session)
		}
	}
	for _, ids := range [][]string{out.Anonymous, out.Identified} {
		if len(ids) != 2 || ids[0] != device || ids[1] != session {
			t.Errorf("the SDK remembers %q", ids)
		}
	}
	once := 2
	for _, a := range out.Twice {
		if a.Duplicate {
			once--
		}
	}
	check := func() {
		t.Helper()
		var got []string
		firsts := 0
		for _, e := range s.await("dialect=openpanel", 10+once) {
			got = append(got, strings.TrimSpace(e.Type+" "+e.Name))
			if e.Anonymous != device {
				t.Errorf("%s is of device %q", e.Name, e.Anonymous)
			}
			if browser, _ := e.Context["browser"].(string); !strings.Contains(browser, "Chrome") || e.Context["bot"] != nil {
				t.Errorf("%s: context %v", e.Name, e.Context)
			}
			tracked := e.Type == "track" || e.Type == "page"
			if (e.Session == session) != tracked {
				t.Errorf("%s %s is in session %q", e.Type, e.Name, e.Session)
			}
			where := origin + "/page.html"
			first := e.Type == "page" && e.Context["url"] == where
			if first {
				firsts++
			} else {
				where += "?utm_source=news&step=2"
			}
			// The SDK does not send the page with what it tracks by attribute or link.
			if tracked && e.Name != "buy_clicked" && e.Name != "link_out" && (e.Context["url"] != where || e.Context["path"] != "/page.html") {
				t.Errorf("%s is at %v", e.Name, e.Context["url"])
			}
			switch e.Name {
			case "screen_view":
				if e.Type != "page" || e.Context["title"] != "Shop" || !first && e.Context["utm_source"] != "news" {
					t.Errorf("a screen view: %+v", e)
				}
			case "buy_clicked":
				if e.Properties["planName"] != "pro" || e.User != "" {
					t.Errorf("a click: %+v", e)
				}
			case "link_out":
				if e.Properties["href"] != "https://elsewhere.example/there" || e.Properties["text"] != "There" {
					t.Errorf("a link: %+v", e)
				}
			case "report_exported":
				if e.User != "ada" || !slices.Equal(e.Groups, []string{"acme"}) || e.Properties["format"] != "pdf" {
					t.Errorf("an event with a group: %+v", e)
				}
			case "revenue":
				if fmt.Sprint(e.Value, e.Properties["product"]) != "4200tea" && fmt.Sprint(e.Value, e.Properties["product"]) != "100cup" {
					t.Errorf("revenue: %+v", e)
				}
			}
		}
		if firsts != 1 {
			t.Errorf("%d views of the page without a campaign, want 1", firsts)
		}
		// The page does not wait for the answers to the first four, so their order is open.
		alone := []string{"page screen_view", "track buy_clicked", "track link_out"}
		place := func(name string) int {
			if i := slices.Index(alone, name); i >= 0 {
				return i
			}
			return len(alone)
		}
		slices.SortStableFunc(got, func(a, b string) int { return place(a) - place(b) })
		want := "page screen_view, page screen_view, track buy_clicked, track link_out, identify, increment clicks, group, track report_exported, track revenue, track revenue" + strings.Repeat(", track twice", once)
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("stored %s\n  want %s", got, want)
		}
		var ada opProfile
		s.get("/api/v1/users/ada", &ada)
		if ada.Properties["clicks"] != 1.0 || ada.Properties["tier"] != "premium" || !slices.Equal(ada.Anonymous, []string{device}) || !slices.Equal(ada.Groups, []string{"acme"}) {
			t.Errorf("the profile is %+v", ada)
		}
		var count struct{ Events, Users, Sessions int }
		s.get("/api/v1/count?dialect=openpanel", &count)
		if count.Users != 1 || count.Sessions != 1 {
			t.Errorf("%+v, want one person in one session", count)
		}
	}
	check()
	s.restart()
	check()

	// Another page may not write, and the log tells the operator why.
	s.configure("[[site]]\nname = \"shop\"\norigins = [\"https://shop.example\"]\n")
	s.restart()
	before := len(s.events(""))
	status, body, err := request("POST", s.url()+"/track", http.Header{"Openpanel-Client-Id": {s.keys().ClientID}, "Origin": {origin}}, `{"type":"track","payload":{"name":"a"}}`)
	if err != nil || status != 401 || !strings.HasPrefix(string(body), `{"status":401,"error":"Invalid client credentials"`) || len(s.events("")) != before {
		t.Errorf("%d %s %v", status, body, err)
	}
	// The log comes through a pipe, so it may arrive after the answer.
	var log string
	told := false
	for end := time.Now().Add(10 * time.Second); !told && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		log = s.running().Log()
		told = strings.Contains(log, origin) && strings.Contains(log, "origin refused")
	}
	if !told {
		t.Errorf("the log does not name the origin: %s", log)
	}
}
