package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cairn/cli/config"
)

// Who was it: the same visitors, with real agents and addresses, come in by every
// dialect. Every way to read distinguishes them by country, browser and platform.

// whereVisitor is a visitor and what must be found about them.
type whereVisitor struct {
	ip, agent                            string
	country, english, browser, os, class string
}

var whereVisitors = []whereVisitor{
	{"193.0.6.139", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "NL", "Netherlands", "Firefox", "Linux", "desktop"},
	{"129.6.15.28", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "US", "United States", "Safari", "iOS", "smartphone"},
	{"133.11.0.1", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "JP", "Japan", "Edge", "Windows", "desktop"},
	{"2001:67c:2e8:22::c100:1", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36", "NL", "Netherlands", "Chrome", "Android", "smartphone"},
	{"200.160.2.3", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15", "BR", "Brazil", "Safari", "macOS", "desktop"},
}

// whereBot is a visitor of another kind.
var whereBot = whereVisitor{ip: "66.249.66.1", agent: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}

// whereSend is one way in which a visitor's event comes in. browser sends with the
// visitor's own address and agent; the other ways say whose event it is.
type whereSend struct {
	name, dialect, method, path, body string
	headers                           []string
	browser                           bool
	bots                              string // what becomes of a bot's event: kept, not (recognised by its agent), dropped
}

// whereSends returns the ways of one visitor. The keys are those of the site.
func whereSends(v whereVisitor, n int, k *config.SiteKeys) []whereSend {
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(k.WriteKey+":"))
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	return []whereSend{
		{"native", "native", "POST", "/api/v1/events",
			fmt.Sprintf(`{"type":"page","name":"p","user":"u%d","context":{"ip":%q,"browser":%q,"os":%q}}`, n, v.ip, v.browser, v.os),
			[]string{"Authorization: Bearer " + k.SecretKey}, false, "not"},
		{"oppizi", "oppizi", "POST", "/tracking/events", `{"eventName":"p","value":1}`, []string{"Authorization: Bearer " + k.SecretKey}, true, "kept"},
		{"opentracker", "opentracker", "GET", fmt.Sprintf("/?si=default&ti=p&uid=u%d&sid=s%d", n, n), "", nil, true, "kept"},
		{"segment from a browser", "segment", "POST", "/v1/page", fmt.Sprintf(`{"anonymousId":"a%d","name":"p"}`, n), []string{basic, "Content-Type: text/plain"}, true, "kept"},
		{"segment from a server", "segment", "POST", "/v1/batch",
			fmt.Sprintf(`{"batch":[{"type":"page","userId":"u%d","name":"p","context":{"ip":%q,"userAgent":%s}}]}`, n, v.ip, quoted(v.agent)),
			[]string{basic, "User-Agent: analytics-node/3.1.0"}, false, "kept"},
		{"openpanel", "openpanel", "POST", "/track", `{"type":"track","payload":{"name":"screen_view","properties":{"__path":"https://shop.example/p"}}}`,
			[]string{"openpanel-client-id: " + k.ClientID, "openpanel-client-secret: " + k.ClientSecret, "openpanel-client-ip: " + v.ip, "User-Agent: " + v.agent}, false, "kept"},
		{"matomo from a browser", "matomo", "GET", "/matomo.php?idsite=1&rec=1&action_name=p&url=https%3A%2F%2Fshop.example%2Fp", "", nil, true, "dropped"},
		{"matomo from a server", "matomo", "POST", "/matomo.php", "idsite=1&rec=1&action_name=p&url=https%3A%2F%2Fshop.example%2Fp&token_auth=" + k.TokenAuth + "&cip=" + url.QueryEscape(v.ip) + "&ua=" + url.QueryEscape(v.agent),
			[]string{"Content-Type: application/x-www-form-urlencoded"}, false, "dropped"},
		{"openpanel from a browser", "openpanel", "POST", "/track", `{"type":"track","payload":{"name":"screen_view","properties":{"__path":"https://shop.example/p"}}}`,
			[]string{"openpanel-client-id: " + k.ClientID, "Origin: https://shop.example"}, true, "dropped"},
	}
}

func TestWhereAndWho(t *testing.T) {
	t.Parallel()
	server := startServer(t, t.TempDir(), configured(t, "trusted_proxies = [\"127.0.0.1\"]\n[[site]]\nname = \"default\"\norigins = [\"https://shop.example\"]\n")...)
	keys := server.keys()

	send := func(s whereSend, v whereVisitor) {
		t.Helper()
		header := http.Header{"User-Agent": {"a-server/1"}}
		for _, h := range s.headers {
			name, value, _ := strings.Cut(h, ": ")
			header[http.CanonicalHeaderKey(name)] = []string{value}
		}
		if s.browser {
			header.Set("X-Forwarded-For", v.ip)
			header.Set("User-Agent", v.agent)
			header.Set("Accept-Language", "en-GB,en;q=0.9")
		}
		if status, body, err := request(s.method, server.url()+s.path, header, s.body); err != nil || status/100 != 2 {
			t.Fatalf("%s: %d %s %v", s.name, status, body, err)
		}
	}

	// Each visitor comes in by each way, and once more in their own words.
	want := map[string]int{} // events by dialect and by what is asked of it
	for n, v := range whereVisitors {
		for _, s := range whereSends(v, n, keys) {
			send(s, v)
			for _, question := range []string{"", "country=" + v.country, "browser=" + v.browser, "os=" + v.os, "platform=" + v.os,
				"country=" + v.country + "&browser=" + v.browser, "country=" + v.country + "&platform=" + v.os + "&browser=" + v.browser} {
				want[s.dialect+"&"+question]++
				want["&"+question]++
			}
			if s.dialect != "native" {
				want[s.dialect+"&device="+v.class]++
			}
		}
	}
	sent := want["&"]
	for question, n := range want {
		dialect, filter, _ := strings.Cut(question, "&")
		query := strings.TrimSuffix(filter, "&")
		if dialect != "" {
			query = strings.Trim("dialect="+dialect+"&"+filter, "&")
		}
		var page struct{ Events []sdkEvent }
		server.get("/api/v1/events?limit=1000&"+query, &page)
		var count struct{ Events int }
		server.get("/api/v1/count?"+query, &count)
		if len(page.Events) != n || count.Events != n {
			t.Errorf("%q: %d listed, %d counted, want %d", query, len(page.Events), count.Events, n)
		}
		for _, e := range page.Events {
			ip, _ := e.Context["ip"].(string)
			for _, v := range whereVisitors {
				if ip == v.ip || strings.Contains(fmt.Sprint(e), v.ip) {
					t.Errorf("an event of %s has the whole address %s", e.Dialect, v.ip)
				}
			}
		}
	}

	// The counters agree: by country, by browser, and one split by another.
	type row struct {
		Value, Segment string
		Events         int
	}
	counters := func(query string) map[string]int {
		var answer struct{ Rows []row }
		server.get("/api/v1/counters?limit=1000&"+query, &answer)
		got := map[string]int{}
		for _, r := range answer.Rows {
			got[strings.TrimSuffix(r.Value+"|"+r.Segment, "|")] = r.Events
		}
		return got
	}
	for _, property := range []string{"country", "browser", "platform"} {
		expect := map[string]int{}
		for question, n := range want {
			if value, ok := strings.CutPrefix(question, "&"+property+"="); ok && !strings.Contains(value, "&") {
				expect[value] = n
			}
		}
		if got := counters("property=" + property); fmt.Sprint(got) != fmt.Sprint(expect) {
			t.Errorf("counters of %s: %v, want %v", property, got, expect)
		}
	}
	expect := map[string]int{}
	for question, n := range want {
		if values, ok := strings.CutPrefix(question, "&country="); ok && strings.Count(values, "&") == 1 {
			expect[strings.Replace(values, "&browser=", "|", 1)] = n
		}
	}
	if got := counters("property=country&segment=browser"); fmt.Sprint(got) != fmt.Sprint(expect) {
		t.Errorf("counters of country by browser: %v, want %v", got, expect)
	}
	var tallies struct {
		Data []struct {
			Value, Segment string
			Event          int
		}
	}
	server.get("/api/counts?site=default&property=browser&segment=country", &tallies)
	english := map[string]int{}
	for _, r := range tallies.Data {
		english[r.Value+"|"+r.Segment] = r.Event
	}
	inEnglish := map[string]int{}
	for _, v := range whereVisitors {
		inEnglish[v.browser+"|"+v.english] = expect[v.country+"|"+v.browser]
	}
	if fmt.Sprint(english) != fmt.Sprint(inEnglish) {
		t.Errorf("Opentracker's counts of browser by country: %v, want %v", english, inEnglish)
	}

	// What was sent wins over what is detected, and no contradicting value is added.
	v := whereVisitors[0]
	for _, s := range []whereSend{
		{"opentracker", "opentracker", "GET", "/?si=default&ti=own&uid=o&country=Peru&browser=Acme", "", nil, true, ""},
		{"segment", "segment", "POST", "/v1/page", `{"anonymousId":"o","name":"own","context":{"location":{"country":"pe"},"os":{"name":"Acme"}}}`,
			[]string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(keys.WriteKey+":"))}, true, ""},
		{"openpanel", "openpanel", "POST", "/track", `{"type":"track","payload":{"name":"own","properties":{"__browser":"Acme"}}}`,
			[]string{"openpanel-client-id: " + keys.ClientID, "Origin: https://shop.example"}, true, ""},
		{"native", "native", "POST", "/api/v1/events", `{"name":"own","context":{"ip":"193.0.6.139","country":"PE"}}`, []string{"Authorization: Bearer " + keys.SecretKey}, false, ""},
	} {
		send(s, v)
	}
	for query, n := range map[string]int{"name=own": 4, "name=own&country=PE": 3, "name=own&country=NL": 1, "name=own&browser=Acme": 2, "name=own&browser=Firefox": 1, "name=own&os=Acme": 1} {
		var count struct{ Events int }
		if server.get("/api/v1/count?"+query, &count); count.Events != n {
			t.Errorf("%s: %d, want %d", query, count.Events, n)
		}
	}
	if got := counters("property=country&value=PE"); got["PE"] != 3 {
		t.Errorf("events counted in Peru: %v, want 3", got)
	}

	// Bots are distinguished from people, and kept or left out as each dialect does.
	kept, dropped := 0, 0
	for _, s := range whereSends(whereBot, 99, keys) {
		send(s, whereBot)
		switch s.bots {
		case "kept":
			kept++
		case "dropped":
			dropped++
		}
	}
	var bots, people struct{ Events int }
	server.get("/api/v1/count?bot=true", &bots)
	server.get("/api/v1/count?bot=false", &people)
	if bots.Events != kept || people.Events != sent+4+1 {
		t.Errorf("%d bots and %d others, want %d and %d", bots.Events, people.Events, kept, sent+4+1)
	}
	status, metrics, err := request("GET", server.url()+"/metrics", nil, "")
	for _, line := range []string{
		fmt.Sprintf("\ncairn_events_excluded_total{reason=\"bot\"} %d\n", dropped),
		"\ncairn_geo_database_up{file=\"embedded\"} 1\n",
	} {
		if err != nil || status != 200 || !strings.Contains(string(metrics), line) {
			t.Errorf("no %q in the metrics: %d %v", line, status, err)
		}
	}
	if err := server.running().Stop(); err != nil {
		t.Error(err)
	}
}
