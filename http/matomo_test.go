package httpd

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/http/matomo"
)

// setMatomo gives a site settings of the dialect.
func setMatomo(site *Site, settings matomo.Settings, hosts []string, goals ...matomo.Goal) {
	compiled, err := settings.Compile(hosts, goals)
	if err != nil {
		panic(err)
	}
	site.Settings, site.TrackingToken = []any{compiled}, settings.TrackingToken
}

// matomoSite is a site for Matomo's trackers, with goals of every kind. change may alter its
// settings.
func matomoSite(change ...func(*matomo.Settings)) *Site {
	site := testSite(1, "shop")
	site.GPC = true
	settings := matomo.Defaults()
	settings.Dimensions, settings.TrackingToken, settings.SearchParams = []int{1, 2}, "shop-tracking", []string{"q", "query"}
	for _, c := range change {
		c(&settings)
	}
	setMatomo(site, settings, []string{"shop.example", "www.shop.example"},
		matomo.Goal{ID: 1, Name: "signup", Match: "manually", PatternType: "contains", Revenue: 5},
		matomo.Goal{ID: 2, Name: "thanks", Match: "url", Pattern: "/THANKS", PatternType: "contains"},
		matomo.Goal{ID: 3, Name: "video", Match: "event_category", Pattern: "Videos", PatternType: "exact", EventValue: true, AllowMultiple: true},
		matomo.Goal{ID: 4, Name: "stayed", Match: "visit_duration", Pattern: "5", PatternType: "contains"},
		matomo.Goal{ID: 5, Name: "paper", Match: "file", Pattern: `\.pdf$`, PatternType: "regex"},
	)
	return site
}

// withVisits runs a server of that site on a real store.
func withVisits(t testing.TB, change func(*Options)) *testServer {
	t.Helper()
	return onStore(t, engine.Options{Visitors: hashedVisitors{}}, change, matomoSite())
}

const matomoPixel = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// What a client gets on the wire, and how many events there are after it.
func TestMatomoWire(t *testing.T) {
	t.Parallel()
	const (
		page  = "?idsite=1&rec=1&url=https://shop.example/a&action_name=A&_id=0123456789abcdef"
		form  = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"
		json  = "Content-Type: application/json"
		gif   = "image/gif"
		token = "shop-token"
	)
	both := matomoPixel + "This resource is part of Matomo."
	s := withVisits(t, nil)
	stored := 0
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		media, want                string // want is how the body begins
		stores                     int
	}{
		{"an image", "GET", "/matomo.php" + page, "", nil, 200, gif, matomoPixel, 1},
		{"by its old name", "GET", "/piwik.php" + page, "", nil, 200, gif, matomoPixel, 1},
		{"under a prefix", "GET", "/stats/a/matomo.php" + page, "", nil, 200, gif, matomoPixel, 1},
		{"without an image", "GET", "/matomo.php" + page + "&send_image=0", "", nil, 204, "", "", 1},
		{"any other send_image", "GET", "/matomo.php" + page + "&send_image=false", "", nil, 200, gif, matomoPixel, 1},
		{"a beacon", "POST", "/matomo.php" + page + "&send_image=0", "", []string{form, "Origin: https://shop.example"}, 204, "", "", 1},
		{"a form", "POST", "/matomo.php", page[1:], []string{form}, 200, gif, matomoPixel, 1},
		{"a form of no type", "POST", "/matomo.php", page[1:], nil, 200, gif, matomoPixel, 1},
		{"a query and a form", "POST", "/matomo.php" + page, "token_auth=" + token + "&idsite=99", []string{form}, 200, gif, matomoPixel, 1},
		{"multipart", "POST", "/matomo.php", "--x\r\nContent-Disposition: form-data; name=\"idsite\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"rec\"\r\n\r\n1\r\n--x--\r\n",
			[]string{"Content-Type: multipart/form-data; boundary=x"}, 200, gif, matomoPixel, 1},
		{"a look", "HEAD", "/matomo.php" + page, "", nil, 200, gif, "", 1},
		{"nothing", "GET", "/matomo.php", "", nil, 200, "text/html; charset=UTF-8", "This resource is part of Matomo.", 0},
		{"nothing posted", "POST", "/matomo.php", "", nil, 400, "text/html; charset=UTF-8", "This resource is part of Matomo.", 0},
		{"nothing looked at", "HEAD", "/matomo.php", "", nil, 400, "text/html; charset=UTF-8", "", 0},
		{"not to be recorded", "GET", "/matomo.php?idsite=1&url=https://shop.example/", "", nil, 200, gif, matomoPixel, 0},
		{"rec=true", "GET", "/matomo.php?idsite=1&rec=true", "", nil, 200, gif, matomoPixel, 0},
		{"no site", "GET", "/matomo.php?rec=1&url=https://shop.example/", "", nil, 400, gif, both, 0},
		{"site 0", "GET", "/matomo.php?rec=1&idsite=0", "", nil, 400, gif, both, 0},
		{"another site", "GET", "/matomo.php?rec=1&idsite=7", "", nil, 400, gif, both, 0},
		{"another site without an image", "GET", "/matomo.php?rec=1&idsite=7&send_image=0", "", nil, 400, "text/html; charset=UTF-8", "This resource is part of Matomo.", 0},
		{"a word for a site", "GET", "/matomo.php?rec=1&idsite=abc", "", nil, 400, gif, both, 0},
		{"an array for a site", "GET", "/matomo.php?rec=1&idsite[]=1", "", nil, 400, gif, both, 0},
		{"a site with a space", "GET", "/matomo.php?rec=1&idsite=%201", "", nil, 200, gif, matomoPixel, 1},
		{"a short cid", "GET", "/matomo.php" + page + "&cid=123", "", nil, 400, gif, both, 0},
		{"a cid of letters", "GET", "/matomo.php" + page + "&cid=zzzzzzzzzzzzzzzz", "", nil, 200, gif, matomoPixel, 1},
		{"a place without a token", "GET", "/matomo.php" + page + "&country=fr", "", nil, 400, gif, both, 0},
		{"a place with a wrong token", "GET", "/matomo.php" + page + "&country=fr&token_auth=x", "", nil, 400, gif, both, 0},
		{"a place with the token", "GET", "/matomo.php" + page + "&country=fr&token_auth=" + token, "", nil, 200, gif, matomoPixel, 1},
		{"a place with the admin's", "GET", "/matomo.php" + page + "&country=fr&token_auth=admin", "", nil, 200, gif, matomoPixel, 1},
		{"a place with a tracker's", "GET", "/matomo.php" + page + "&country=fr&token_auth=shop-tracking", "", nil, 200, gif, matomoPixel, 1},
		{"a place with a bearer", "GET", "/matomo.php" + page + "&cip=1.2.3.4", "", []string{"Authorization: Bearer " + token}, 200, gif, matomoPixel, 1},
		{"a place with another key", "GET", "/matomo.php" + page + "&cip=1.2.3.4&token_auth=shop-secret", "", nil, 400, gif, both, 0},
		{"an empty place", "GET", "/matomo.php" + page + "&country=&cip=", "", nil, 200, gif, matomoPixel, 1},
		{"a wrong token alone", "GET", "/matomo.php" + page + "&token_auth=x", "", nil, 200, gif, matomoPixel, 1},
		{"an hour ago", "GET", "/matomo.php" + page + "&cdt=" + ago(time.Hour), "", nil, 200, gif, matomoPixel, 1},
		{"two days ago", "GET", "/matomo.php" + page + "&cdt=" + ago(48*time.Hour), "", nil, 400, gif, both, 0},
		{"two days ago with the token", "GET", "/matomo.php" + page + "&cdt=" + ago(48*time.Hour) + "&token_auth=" + token, "", nil, 200, gif, matomoPixel, 1},
		{"a blank category", "GET", "/matomo.php" + page + "&e_c=%20&e_a=b", "", nil, 400, gif, both, 0},
		{"a blank content", "GET", "/matomo.php" + page + "&c_n=%20", "", nil, 400, gif, both, 0},
		{"a goal", "GET", "/matomo.php" + page + "&idgoal=1", "", nil, 200, gif, matomoPixel, 1},
		{"another goal", "GET", "/matomo.php" + page + "&idgoal=9", "", nil, 400, gif, both, 0},
		{"a time below 0", "GET", "/matomo.php" + page + "&pf_srv=-2", "", nil, 400, gif, both, 0},
		{"items that are none", "GET", "/matomo.php" + page + "&idgoal=0&ec_id=1&ec_items=45", "", nil, 200, gif, matomoPixel, 0},
		{"a custom action", "GET", "/matomo.php" + page + "&ca=1&cra=x", "", nil, 200, gif, matomoPixel, 0},
		{"a page and a goal", "GET", "/matomo.php?idsite=1&rec=1&url=https://shop.example/thanks&_id=0123456789abcde0", "", nil, 200, gif, matomoPixel, 2},
		{"a bot", "GET", "/matomo.php" + page, "", []string{googlebot}, 200, gif, matomoPixel, 0},
		{"a bot that may", "GET", "/matomo.php" + page + "&bots=1", "", []string{googlebot}, 200, gif, matomoPixel, 1},
		{"a bot with a token", "GET", "/matomo.php" + page + "&token_auth=" + token, "", []string{googlebot}, 200, gif, matomoPixel, 0},
		{"headless Chrome", "GET", "/matomo.php" + page, "", []string{"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"}, 200, gif, matomoPixel, 1},
		{"a program", "GET", "/matomo.php" + page, "", []string{"User-Agent: curl/8.5.0"}, 200, gif, matomoPixel, 1},
		{"an opt-out", "GET", "/matomo.php" + page, "", []string{"Cookie: a=b; matomo_ignore=ignore%3DKg%3D%3D"}, 200, gif, matomoPixel, 0},
		{"fetched ahead", "GET", "/matomo.php" + page, "", []string{"X-Purpose: preview"}, 200, gif, matomoPixel, 0},
		{"an unwanted signal", "GET", "/matomo.php" + page, "", []string{"Sec-GPC: 1"}, 200, gif, matomoPixel, 0},
		{"a bulk", "POST", "/matomo.php", `{"requests":["` + page + `","` + page + `"]}`, []string{form}, 200, "application/json", `{"status":"success","tracked":2,"invalid":0}`, 2},
		{"a bulk of all kinds", "POST", "/matomo.php?queuedtracking=0", `{"requests":["http:\/\/h\/matomo.php` + page + `#x",{"idsite":1,"rec":"1","url":"https://shop.example/o","bw_bytes":12},null,{},[],"","?","idsite=1&rec=1",{"idsite":"1","rec":0}]}`,
			[]string{json}, 200, "application/json", `{"status":"success","tracked":7,"invalid":0}`, 3},
		{"a bulk with faults", "POST", "/matomo.php", `{"token_auth":"` + token + `","requests":["` + page + `","","?idsite=9&rec=1",7,"` + page + `&cid=1"]}`,
			nil, 200, "application/json", `{"status":"success","tracked":1,"invalid":3,"invalid_indices":[2,3,4],"errors":["idsite: there is no such site",`, 1},
		{"a bulk with faults and no token", "POST", "/matomo.php", `{"requests":["` + page + `","?idsite=9&rec=1"]}`, nil, 200, "application/json", `{"status":"success","tracked":1,"invalid":1}`, 1},
		{"a bulk of another's with a token", "POST", "/matomo.php", `{"token_auth":"` + token + `","requests":["?idsite=9&rec=1"]}`, nil, 200, "application/json", `{"status":"success","tracked":0,"invalid":1,"invalid_indices":[0],"errors":[`, 0},
		{"a bulk with a wrong token", "POST", "/matomo.php", `{"token_auth":"x","requests":["` + page + `&cip=1.2.3.4"]}`, nil, 200, "application/json", `{"status":"success","tracked":0,"invalid":1}`, 0},
		{"a bulk with a bearer", "POST", "/matomo.php", `{"requests":["` + page + `&cip=1.2.3.4"]}`, []string{"Authorization: Bearer " + token}, 200, "application/json", `{"status":"success","tracked":1,"invalid":0,"invalid_indices":[]}`, 1},
		{"a bulk with a token of its own", "POST", "/matomo.php", `{"requests":["` + page + `&cip=1.2.3.4&token_auth=` + token + `"]}`, nil, 200, "application/json", `{"status":"success","tracked":1,"invalid":0}`, 1},
		{"a bulk of nothing", "POST", "/matomo.php", ` {"requests":[]} `, nil, 200, "application/json", `{"status":"success","tracked":0,"invalid":0}`, 0},
		{"a bulk without an answer", "POST", "/matomo.php", `{"requests":["` + page + `"],"send_image":0}`, []string{form}, 204, "", "", 1},
		{"a bulk without an answer, in words", "POST", "/matomo.php", `{"requests":["` + page + `"],"send_image":"0"}`, []string{form}, 204, "", "", 1},
		{"a broken bulk", "POST", "/matomo.php", `{"requests":["` + page + `"`, nil, 400, "application/json", `{"status":"error","tracked":0,"invalid":0,`, 0},
		{"a bulk of too many", "POST", "/matomo.php", `{"requests":["` + strings.Repeat(`?a=b","`, 10_001) + `"]}`, []string{json}, 413, "application/json", `{"status":"error"`, 0},
		{"another method", "PUT", "/matomo.php" + page, "", nil, 405, "", "", 0},
	} {
		got := s.send(c.method, c.target, c.body, append(c.headers, visitor)...)
		if got.status != c.status || !strings.HasPrefix(got.body, c.want) || c.want == "" && c.status < 300 && got.body != "" {
			t.Errorf("%s: %d %q, want %d with %q", c.name, got.status, got.body, c.status, c.want)
		}
		if media := got.header["content-type"]; c.media != "" && media != c.media {
			t.Errorf("%s: Content-Type %q, want %q", c.name, media, c.media)
		}
		if c.status == 200 && c.want == matomoPixel && len(got.body) != 43 {
			t.Errorf("%s: an image of %d bytes", c.name, len(got.body))
		}
		if cache := got.header["cache-control"]; c.status < 400 && cache != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.name, cache)
		}
		stored += c.stores
		if n := s.total(); n != stored {
			t.Errorf("%s: %d events, want %d", c.name, n, stored)
			stored = n
		}
	}
}

// ago is a cdt so long ago.
func ago(d time.Duration) string {
	return strings.ReplaceAll(time.Now().Add(-d).UTC().Format(time.DateTime), " ", "%20")
}

// If the store fails, the answer is 503, or 507 for a full disk. It is never a 400, which
// clients take for their own fault.
func TestMatomoTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		admit, fail  error
		method, body string
		status       int
		want         string
	}{
		{"busy", query.ErrBusy, nil, "GET", "", 503, matomoPixel},
		{"busy at last", nil, query.ErrBusy, "GET", "", 503, matomoPixel},
		{"stopping", query.ErrStopping, nil, "POST", `{"requests":["?idsite=1&rec=1"]}`, 503, ``},
		{"failed at last", nil, query.ErrFailed, "POST", `{"requests":["?idsite=1&rec=1"]}`, 503, `{"status":"error","tracked":0,"invalid":0,`},
		{"full", query.ErrDiskFull, nil, "GET", "", 507, matomoPixel},
	} {
		s := start(t, nil)
		s.engine.admit, s.engine.fail = c.admit, c.fail
		got := s.send(c.method, "/matomo.php?idsite=1&rec=1", c.body, "Content-Type: application/x-www-form-urlencoded")
		if got.status != c.status || !strings.HasPrefix(got.body, c.want) || got.header["retry-after"] == "" {
			t.Errorf("%s: %d %q, Retry-After %q", c.name, got.status, got.body, got.header["retry-after"])
		}
		if n := s.engine.count(); n != 0 {
			t.Errorf("%s: %d events", c.name, n)
		}
	}
}

// Trackers throw answers away, so the operator learns what was refused, without anything that
// clients sent.
func TestMatomoRefusalsAreSeen(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	s := withVisits(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s.send("GET", "/matomo.php?idsite=771122334&rec=1&uid=whisper", "", visitor)
	s.send("POST", "/matomo.php", `{"requests":["?idsite=1&rec=1&cip=198.51.100.9&uid=whisper","?idsite=1&rec=1&idgoal=0&ec_id=one","?idsite=1&rec=1&idgoal=0&ec_id=one"]}`, visitor)
	s.send("GET", "/matomo.php?idsite=1&rec=0", "", visitor)
	m := s.send("GET", "/metrics", "", adminKey).body
	for _, want := range []string{
		`cairn_events_rejected_total{reason="matomo idsite"} 1`, `cairn_events_rejected_total{reason="matomo cip"} 1`,
		`cairn_events_rejected_total{reason="ec_id"} 1`, `cairn_events_excluded_total{reason="rec"} 1`,
	} {
		if !strings.Contains(m, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	for _, want := range []string{"field=idsite", `field=cip reason="needs a valid token_auth"`, "field=ec_id"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, log.String())
		}
	}
	for _, secret := range []string{"whisper", "198.51.100.9", "771122334"} {
		if strings.Contains(strings.ReplaceAll(log.String(), "unlogged", ""), " "+secret) || strings.Contains(log.String(), "="+secret) {
			t.Errorf("the log has %s:\n%s", secret, log.String())
		}
	}
}

// Settings change answers: DNT is told that it was seen, debug says what became of a
// hit, and is off unless it is set.
func TestMatomoSettings(t *testing.T) {
	t.Parallel()
	const page = "/matomo.php?idsite=1&rec=1&url=https://shop.example/a"
	s := withVisits(t, func(o *Options) { o.Sites[0].DNT = true })
	for _, header := range []string{"DNT: 1", "X-Do-Not-Track: 1"} {
		if got := s.send("GET", page, "", visitor, header); got.status != 200 || got.header["tk"] != "N" || got.body != matomoPixel {
			t.Errorf("%s: %d %q, Tk %q", header, got.status, got.body, got.header["tk"])
		}
	}
	if got := s.send("GET", page+"&debug=1", "", visitor); got.body != matomoPixel || s.total() != 1 {
		t.Errorf("debug that is not set: %q, %d events", got.body, s.total())
	}
	s = withVisits(t, func(o *Options) { o.Sites[0] = matomoSite(func(s *matomo.Settings) { s.Debug = true }) })
	for _, c := range []struct {
		target, want string
		status       int
	}{
		{page, "Recorded: page event ", 200},
		{page + "&cid=1", "An exception occurred: cid: must be 16 hexadecimal digits\n", 400},
		{page + "&ca=1", "Not recorded: custom action\n", 200},
		{page + "&ping=1&_id=aaaaaaaaaaaaaaaa&cid=aaaaaaaaaaaaaaaa", "Not recorded: ", 200},
	} {
		got := s.send("GET", c.target, "", visitor)
		if got.status != c.status || !strings.HasPrefix(got.body, c.want) || got.header["content-type"] != "text/plain; charset=UTF-8" {
			t.Errorf("%s: %d %s %q", c.target, got.status, got.header["content-type"], got.body)
		}
	}
}

// Browsers of other origins are answered with their own, credentials included; a
// preflight stores nothing.
func TestMatomoCORS(t *testing.T) {
	t.Parallel()
	s := withVisits(t, nil)
	const origin = "Origin: https://elsewhere.example"
	for _, method := range []string{"GET", "POST", "HEAD"} {
		got := s.send(method, "/matomo.php?idsite=1&rec=1", "", visitor, origin)
		if got.header["access-control-allow-origin"] != "https://elsewhere.example" || got.header["access-control-allow-credentials"] != "true" {
			t.Errorf("%s: %v", method, got.header)
		}
	}
	got := s.send("OPTIONS", "/matomo.php?idsite=1&rec=1", "", visitor, origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
	if got.status != 204 || got.body != "" || got.header["access-control-allow-origin"] != "https://elsewhere.example" ||
		!strings.Contains(got.header["access-control-allow-methods"], "POST") || got.header["access-control-allow-headers"] != "content-type" {
		t.Errorf("%d %q %v", got.status, got.body, got.header)
	}
	if got := s.send("POST", "/matomo.php?idsite=1&rec=1", "", visitor); got.header["access-control-allow-origin"] != "*" {
		t.Errorf("without an origin: %v", got.header)
	}
	if n := s.total(); n != 4 {
		t.Errorf("%d events", n)
	}
}

// A tracker's token may send for others and reads nothing. token_auth reads nothing of the
// native API.
func TestMatomoTokensDoNotRead(t *testing.T) {
	t.Parallel()
	s := withVisits(t, nil)
	for _, token := range []string{"shop-tracking", "shop-token"} {
		for _, target := range []string{"/api/v1/events", "/api/v1/sessions", "/tracking/events"} {
			if got := s.send("GET", target, "", "Authorization: Bearer "+token); got.status != 403 {
				t.Errorf("%s with %s: %d", target, token, got.status)
			}
		}
	}
}
