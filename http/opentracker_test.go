package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
)

// withEngine runs a server of two sites on a real store.
func withEngine(t testing.TB, change func(*Options)) *testServer {
	t.Helper()
	return onStore(t, engine.Options{}, change, testSite(1, "shop"), testSite(2, "blog"))
}

const readKey = "key=shop-read"

// Dialects share "/": the request decides which one answers.
func TestOpentrackerRoutes(t *testing.T) {
	t.Parallel()
	s := withEngine(t, nil)
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, test := range []struct {
		method, target, body string
		headers              []string
		status               int
		want                 string
	}{
		{"GET", "/", "", nil, 200, `{"status":"ok"}`},
		{"HEAD", "/", "", nil, 200, ""},
		{"GET", "/?si=shop", "", nil, 200, ""},
		{"GET", "/?&a=1&si=shop&", "", nil, 200, ""},
		{"GET", "/?si=", "", nil, 400, "error: si: required"},
		{"GET", "/?si=nobody", "", nil, 403, "error: no such site"},
		{"GET", "/?si=nobody&json", "", nil, 403, `{"error":"no such site"}`},
		{"GET", "/?si=nobody&callback=f", "", nil, 403, `f({"error":"no such site"});`},
		{"HEAD", "/?si=shop", "", nil, 405, ""},
		{"PUT", "/?si=shop", "", nil, 405, "error: method not allowed"},
		{"POST", "/", "si=shop&a=1", []string{form}, 200, ""},
		{"POST", "/", "a=1", []string{form}, 400, "error: si: required"},
		{"POST", "/", "", nil, 400, "error: si: required"},
		{"POST", "/?si=shop", "a=1", nil, 200, ""},
		{"POST", "/?si=shop&json", "<a/>", []string{"Content-Type: application/xml"}, 415, `{"error":"Content-Type: must be`},
		{"POST", "/?si=shop&json", strings.Repeat("a", 1<<20+1), nil, 413, `{"error":`},
		{"GET", "/index.php?si=shop", "", nil, 200, ""},
		{"GET", "/opentracker?si=shop", "", nil, 200, ""},
		{"GET", "/opentracker/?si=shop", "", nil, 200, ""},
		{"GET", "/opentracker", "", nil, 400, "error: si: required"},
		{"GET", "/api/counts?site=shop&property=a&" + readKey, "", nil, 200, `"rows":1`},
		{"GET", "/api/counts.jsp?site=shop&property=a", "", []string{"Authorization: Bearer shop-secret"}, 200, `"rows":1`},
		{"POST", "/opentracker/counts", "si=shop&property=a&" + readKey, []string{form}, 200, `"rows":1`},
		{"GET", "/api/counts?site=shop&property=a&login=shop&password=shop-read", "", nil, 200, `"rows":1`},
		{"GET", "/api/counts?site=shop&property=a", "", []string{"Authorization: Bearer admin"}, 200, `"rows":1`},
		{"GET", "/api/counts?site=shop&property=a", "", nil, 401, `{"error":"Unauthorized"}`},
		{"GET", "/api/counts?site=shop&property=a&key=nobody", "", nil, 401, `{"error":`},
		{"GET", "/api/counts?site=shop&property=a&key=shop-write", "", nil, 403, `{"error":`},
		{"GET", "/api/counts?site=blog&property=a&" + readKey, "", nil, 404, `{"error":"no such site"}`},
		{"GET", "/api/counts?property=a&" + readKey, "", nil, 400, `{"error":"site: required"}`},
		{"DELETE", "/api/counts?site=shop", "", nil, 405, `{"error":`},
		{"GET", "/api/management/login_user?login=shop&password=nobody", "", nil, 200, "false"},
		{"GET", "/api/management/login_user?login=blog&password=shop-read", "", nil, 200, "false"},
		{"GET", "/api/management/login_user", "", nil, 200, "false"},
		{"GET", "/api/views/event?site=shop&eid=00000000000000000000000000000000&" + readKey, "", nil, 404, `{"error":`},
		{"GET", "/api/views/events?site=shop&nextToken=00000000000000000000000000000000&" + readKey, "", nil, 400, `{"error":"nextToken: not a token of this listing"}`},
		{"GET", "/api/views/nothing?site=shop&" + readKey, "", nil, 404, ""},
	} {
		a := s.send(test.method, test.target, test.body, test.headers...)
		if a.status != test.status || !strings.Contains(a.body, test.want) {
			t.Errorf("%s %.60s: %d %.120s; want %d %s", test.method, test.target, a.status, a.body, test.status, test.want)
		}
		if open := test.target == "/" && test.method != "POST" || strings.HasSuffix(test.target, "/nothing?site=shop&"+readKey); a.header["access-control-allow-origin"] == "*" == open {
			t.Errorf("%s %.60s: %v", test.method, test.target, a.header)
		}
	}
	// The host of the vendor's own name.
	if answer, _ := s.raw("GET / HTTP/1.1\r\nHost: log.shop.example\r\nConnection: close\r\n\r\n", time.Second); !strings.Contains(answer, "error: si: required") {
		t.Errorf("log.shop.example: %s", answer)
	}
	for _, method := range []string{"GET", "POST"} {
		a := s.send("OPTIONS", "/?si=shop", "", "Origin: https://page.example", "Access-Control-Request-Method: "+method, "Access-Control-Request-Headers: content-type")
		if a.status != 204 || a.header["access-control-allow-origin"] != "*" {
			t.Errorf("preflight of %s: %d %v", method, a.status, a.header)
		}
	}
	if a := s.send("OPTIONS", "/", "", "Access-Control-Request-Method: GET"); a.header["access-control-allow-origin"] != "" {
		t.Errorf("preflight of the start page: %v", a.header)
	}
}

// A ticket reads its own site, for the time that was asked for.
func TestOpentrackerTicket(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var mu sync.Mutex
	s := withEngine(t, func(o *Options) {
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	ticket := s.send("GET", "/api/management/login_user.jsp?login=shop&password=shop-read&expires=60", "").body
	read := func(site string) int {
		return s.send("GET", "/api/counts?site="+site+"&property=a&ticketId="+ticket, "").status
	}
	if len(ticket) != 36 || read("shop") != 200 || read("blog") != 404 {
		t.Errorf("%q: %d, another site %d", ticket, read("shop"), read("blog"))
	}
	mu.Lock()
	now = now.Add(61 * time.Second)
	mu.Unlock()
	if read("shop") != 401 {
		t.Errorf("when it is over: %d", read("shop"))
	}
	if a := s.send("POST", "/api/v1/events", `{"name":"x"}`, "Authorization: Bearer "+ticket); a.status != 401 {
		t.Errorf("the native API takes a ticket: %d", a.status)
	}
}

// What the agent and the address show, what parameters replace, and that requests of a proxy
// show nothing. The country is a code in the store and a name here.
func TestOpentrackerDetected(t *testing.T) {
	t.Parallel()
	s := withEngine(t, nil)
	agent := "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
	from := "X-Forwarded-For: 8.8.8.8"
	for _, query := range []string{"uid=u&sid=s&ti=Home", "uid=u&sid=s&proxy=true&phone=1", "uid=v&sid=w&browser=Kiosk&country=Germany"} {
		if a := s.send("GET", "/?si=shop&"+query, "", agent, from); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	view := func(what string) string {
		return s.send("GET", "/api/views/"+what+"&site=shop&"+readKey, "").body
	}
	if got := view("user?uid=u"); !strings.Contains(got, `"title":"Home"`) || !strings.Contains(got, `"browser":"Chrome"`) || !strings.Contains(got, `"platform":"Windows"`) ||
		!strings.Contains(got, `"phone":"1"`) || !strings.Contains(got, `"events":2,"sessions":1`) {
		t.Errorf("user u: %s", got)
	}
	if got := view("user?uid=v"); !strings.Contains(got, `"browser":"Kiosk"`) || !strings.Contains(got, `"country":"Germany","countryCode":"DE"`) || strings.Contains(got, "browserVersion") {
		t.Errorf("user v: %s", got)
	}
	if got := view("events?property=browser&value=Chrome"); !strings.HasPrefix(got, `{"rows":1,`) {
		t.Errorf("events by the detected browser: %s", got)
	}
	if got := view("events?property=country&value=DE"); !strings.HasPrefix(got, `{"rows":1,`) {
		t.Errorf("events by country: %s", got)
	}
	// The agent of the proxy is in no table.
	for query, want := range map[string]string{
		"property=browser":                                `"data":[{"value":"Chrome","event":1,"session":1,"user":1},{"value":"Kiosk","event":1,"session":1,"user":1}]`,
		"property=phone&segment=browser":                  `"data":[]`,
		"property=browser&segment=country&filter=Germany": `"data":[{"value":"Kiosk","segment":"Germany","event":1,"session":1,"user":1}]`,
	} {
		if a := s.send("GET", "/api/counts?site=shop&"+query+"&"+readKey, ""); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

// The counters are those of the native API, whatever dialect sent the event.
func TestOpentrackerSameNumbers(t *testing.T) {
	t.Parallel()
	notAtMidnight()
	s := withEngine(t, nil)
	send := func(a parsed) {
		t.Helper()
		if a.status/100 != 2 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	send(s.send("GET", "/?si=shop&plan=pro[%2B4]&tier!=gold&sid=1&ti=Buy", ""))
	send(s.send("GET", "/?si=shop&plan=free[-9]&sid=2", ""))
	send(s.send("GET", "/?si=shop&plan=pro&sid=2&increment=false", ""))
	send(s.send("POST", "/v1/track", `{"event":"Buy","userId":"u","properties":{"plan":"pro"}}`, writeKey))
	send(s.send("POST", "/api/v1/events", `{"name":"Buy","user":"u","properties":{"plan":"pro","tier":"gold"},"segments":["tier"],"increments":{"plan":2}}`, "Authorization: Bearer shop-secret"))
	type row struct {
		Value, Segment, Time    string
		Event, Session, User    int64
		Events, Sessions, Users int64
	}
	var here, native struct {
		Data, Rows json.RawMessage
		Total      row
	}
	rows := func(text json.RawMessage) (list []row) {
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		for i := range list {
			r := &list[i]
			r.Event, r.Session, r.User = r.Event+r.Events, r.Session+r.Sessions, r.User+r.Users
			r.Events, r.Sessions, r.Users = 0, 0, 0
		}
		return list
	}
	today := time.Now().UTC().Format(time.DateOnly)
	for _, query := range []string{"property=plan", "property=plan&segment=tier", "property=plan&value=pro", "property=plan&from=" + today + "&to=" + today} {
		a := s.send("GET", "/api/counts?site=shop&"+query+"&"+readKey, "")
		b := s.send("GET", "/api/v1/counters?"+query, "", "Authorization: Bearer shop-read")
		if json.Unmarshal([]byte(a.body), &here) != nil || json.Unmarshal([]byte(b.body), &native) != nil {
			t.Fatalf("%s: %s %s", query, a.body, b.body)
		}
		if got, want := rows(here.Data), rows(native.Rows); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s:\n    here %+v\nnatively %+v", query, got, want)
		}
	}
	a := s.send("GET", "/api/counts?site=shop&property=plan&"+readKey, "")
	if !strings.Contains(a.body, `"data":[{"value":"pro","event":7,"session":3,"user":2},{"value":"free","event":-9,"session":1,"user":1}]`) {
		t.Errorf("%s", a.body)
	}
	// The counts by day add up to the same, in another zone too.
	for _, zone := range []string{"UTC", "Pacific/Auckland"} {
		a := s.send("GET", "/api/counts?site=shop&property=plan&interval=day&timeZone="+url.QueryEscape(zone)+"&"+readKey, "")
		if json.Unmarshal([]byte(a.body), &here) != nil {
			t.Fatalf("%s", a.body)
		}
		sums := map[string]int64{}
		for _, r := range rows(here.Data) {
			sums[r.Value] += r.Event
			if at, err := time.Parse(time.RFC3339, r.Time); err != nil || at.Format("15:04:05") != "00:00:00" {
				t.Errorf("%s: a day begins at %s", zone, r.Time)
			}
		}
		if sums["pro"] != 7 || sums["free"] != -9 || here.Total.Event != -2 {
			t.Errorf("%s: %v in all %+v", zone, sums, here.Total)
		}
	}
	// A series without a beginning begins with the first event.
	for _, until := range []string{"&interval=day&to=2999-12-31", "&interval=week&endTime=9999999999999&timeZone=Pacific/Auckland", "&interval=day&to=2999-12-31&timeZone=Pacific/Auckland"} {
		if a := s.send("GET", "/api/counts?site=shop&property=plan"+until+"&"+readKey, ""); a.status != 400 || !strings.Contains(a.body, "more than 1000 intervals") {
			t.Errorf("%s: %d %s", until, a.status, a.body)
		}
	}
	tomorrow := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
	for _, until := range []string{"&interval=day&to=" + tomorrow, "&interval=hour&to=" + tomorrow, "&interval=week&timeZone=Pacific/Auckland&to=" + tomorrow} {
		a := s.send("GET", "/api/counts?site=shop&property=plan"+until+"&"+readKey, "")
		if json.Unmarshal([]byte(a.body), &here) != nil || here.Total.Event != -2 || len(rows(here.Data)) == 0 || len(rows(here.Data)) > 200 {
			t.Errorf("%s: %d %.300s", until, a.status, a.body)
		}
	}
	if a := s.send("GET", "/api/counts?site=shop&property=plan&interval=hour&from=2026-01-01&to=2026-03-01&"+readKey, ""); a.status != 400 || !strings.Contains(a.body, "more than 1000 intervals") {
		t.Errorf("too many steps: %d %s", a.status, a.body)
	}
}

// Whole days past the cap of values go to "(other)", in tables and in their sum.
func TestOpentrackerOther(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fills a day with 10,000 values")
	}
	s := withEngine(t, nil)
	records := make([]engine.Record, 0, 10_050)
	for i := range 10_050 {
		records = append(records, engine.Record{Site: s.sites.Load().tenants[0].Site.Site, Record: &event.Record{Event: event.Event{
			Dialect: event.Opentracker, Type: event.Track, Session: "s",
			Properties: event.Object{{Key: "k", Value: event.Str(fmt.Sprint("v", i))}},
		}}})
	}
	if _, err := s.Server.engine.Ingest(context.Background(), records, true, nil); err != nil {
		t.Fatal(err)
	}
	a := s.send("GET", "/api/counts?site=shop&property=k&limit=1&"+readKey, "")
	if !strings.Contains(a.body, `"rows":10001,`) || !strings.Contains(a.body, `"data":[{"value":"(other)","event":50,"session":1,"user":1}],"total":{"event":10050,"session":1,"user":1}`) {
		t.Errorf("%s", a.body)
	}
}

// What an event gives to its user is in the user's profile, whoever asks, and the newest by
// the event's own time.
func TestOpentrackerProfile(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	now := time.Now()
	for _, target := range []string{
		"/?si=shop&ti=a&uid=ada&plan=free&gender=f",
		"/?si=shop&ti=b&uid=ada&plan=gold",
		fmt.Sprintf("/?si=shop&ti=c&uid=ada&plan=old&city=Paris&t_ms=%d", now.Add(-time.Hour).UnixMilli()),
	} {
		if a := s.send("GET", target, "", firefox); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	a := s.send("GET", "/api/v1/users/ada", "", secret)
	if want := `"properties":{"city":"Paris","gender":"f","plan":"gold"}`; !strings.Contains(a.body, want) {
		t.Errorf("%s lacks %s", a.body, want)
	}
	view := s.send("GET", "/api/views/user?site=shop&key=shop-read&uid=ada", "")
	for _, want := range []string{`"city":"Paris"`, `"gender":"f"`, `"plan":"gold"`} {
		if !strings.Contains(view.body, want) {
			t.Errorf("%s lacks %s", view.body, want)
		}
	}
	// An identify of another protocol comes later.
	s.send("POST", "/api/v1/events", `{"type":"identify","user":"ada","properties":{"plan":"team"}}`, secret)
	if a := s.send("GET", "/api/v1/users/ada", "", secret); !strings.Contains(a.body, `"plan":"team"`) {
		t.Errorf("%s", a.body)
	}
}
