package httpd

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine"
)

// What OpenPanel's users read back, page by page, is what they sent.
func TestOpenPanelReads(t *testing.T) {
	t.Parallel()
	notAtMidnight()
	s := withDevices(t, func(o *Options) {
		o.IPRate, o.IPBurst = 1e6, 1e6
	})
	send := func(body string, headers ...string) (session string) {
		t.Helper()
		a := s.send("POST", "/track", body, append([]string{clientID, clientSecret, visitor}, headers...)...)
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		var ids struct{ SessionID string }
		_ = json.Unmarshal([]byte(a.body), &ids)
		return ids.SessionID
	}
	const device = "203.0.113.9|Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	session := send(`{"type":"track","payload":{"name":"screen_view","properties":{"__path":"https://shop.example/a","__referrer":"https://www.google.com/","__title":"A"}}}`, firefox)
	send(`{"type":"identify","payload":{"profileId":"ada","firstName":"Ada","email":"ada@example.com","properties":{"plan":"pro"}}}`, firefox)
	for i := range 5 {
		send(fmt.Sprintf(`{"type":"track","payload":{"name":"click","profileId":"ada","groups":["acme"],"properties":{"i":%d,"tags":["x","y%d"]}}}`, i, i), firefox)
	}
	send(`{"type":"track","payload":{"name":"screen_view","profileId":"ada","properties":{"__path":"https://shop.example/b"}}}`, firefox)
	send(`{"type":"track","payload":{"name":"revenue","profileId":"ada","properties":{"__revenue":4200}}}`)
	send(`{"type":"increment","payload":{"profileId":"ada","property":"visits"}}`)
	send(`{"type":"track","payload":{"name":"cron","profileId":"robot"}}`)

	when := regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)
	hex := regexp.MustCompile(`"[0-9a-f]{32}"`)
	shorten := strings.NewReplacer(device, "DEVICE", session, "SESSION")
	show := func(body string) string {
		return hex.ReplaceAllString(when.ReplaceAllString(shorten.Replace(body), `"TIME"`), `"ID"`)
	}
	get := func(target string) parsed {
		return s.send("GET", target, "", clientID, clientSecret, visitor)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	filters := func(text string) string { return "&filters=" + url.QueryEscape(text) }
	const first = `{"id":"ID","name":"screen_view","deviceId":"DEVICE","profileId":"DEVICE","sessionId":"SESSION","projectId":"shop","createdAt":"TIME","path":"/a","duration":0,"city":"","country":"","os":"Linux","browser":"Firefox"`
	const ada = `{"id":"ada","firstName":"Ada","lastName":"","email":"ada@example.com","avatar":"","properties":{"browser":"Firefox","browser_version":"128.0","device":"desktop","os":"Linux","plan":"pro","visits":1},"groups":[],"devices":["DEVICE"],"isExternal":true,"createdAt":"TIME","lastSeenAt":"TIME"}`
	for _, c := range []struct {
		target string
		status int
		want   string // all of the body, or with … at its end the beginning
	}{
		{"/export/events?projectId=shop&event=screen_view", 200, `{"meta":{"count":2,"totalCount":2,"pages":1,"current":1},"data":[` +
			strings.ReplaceAll(strings.Replace(first, `"profileId":"DEVICE"`, `"profileId":"ada"`, 1), "/a", "/b") + `},` + first + `}]}`},
		{"/api/export/events?project_id=1&event=screen_view&page=2&limit=1&includes=properties,referrer&includes=referrerName&includes=origin,groups,revenue,meta,longitude", 200,
			`{"meta":{"count":1,"totalCount":2,"pages":2,"current":2},"data":[` + first + `,"referrer":"https://www.google.com/","referrerName":"Google","origin":"https://shop.example","longitude":null,"revenue":null,"groups":[],"properties":{"__title":"A"},"meta":null}]}`},
		{"/export/events?projectId=shop&page=9", 200, `{"meta":{"count":0,"totalCount":9,"pages":1,"current":9},"data":[]}`},
		{"/export/events?projectId=shop&event=click&event=revenue&limit=4", 200, `{"meta":{"count":4,"totalCount":6,"pages":2,"current":1},"data":[…`},
		{"/export/events?projectId=shop&profileId=ada&limit=1", 200, `{"meta":{"count":1,"totalCount":8,"pages":8,"current":1},"data":[{"id":"ID","name":"revenue",…`},
		{"/export/events?projectId=shop&event=cron&includes=profile", 200, `{"meta":{"count":1,"totalCount":1,"pages":1,"current":1},"data":[{"id":"ID","name":"cron","deviceId":"","profileId":"robot","sessionId":"",…`},
		{"/export/events?projectId=shop&event=revenue&includes=revenue", 200, `{"meta":{"count":1,"totalCount":1,"pages":1,"current":1},"data":[{"id":"ID","name":"revenue","deviceId":"DEVICE","profileId":"ada","sessionId":"SESSION",…`},
		{"/export/events?projectId=shop&limit=1" + filters(`[{"name":"properties.i","operator":"is","value":["3"]}]`), 200, `{"meta":{"count":1,"totalCount":1,…`},
		{"/export/events?projectId=shop&limit=1&page=2" + filters(`[{"name":"properties.i","operator":"gte","value":[2]},{"name":"groups","operator":"is","value":["acme"]}]`), 200, `{"meta":{"count":1,"totalCount":3,"pages":3,"current":2},…`},
		{"/export/events?projectId=shop&start=" + today + "&end=" + today, 200, `{"meta":{"count":9,"totalCount":9,…`},
		{"/export/events?projectId=shop&start=2020-01-01&end=2020-01-31", 200, `{"meta":{"count":0,"totalCount":0,"pages":0,"current":1},"data":[]}`},
		{"/export/events?projectId=shop&event=session_start", 200, `{"meta":{"count":1,"totalCount":1,"pages":1,"current":1},"data":[{"id":"SESSION.session_start","name":"session_start","deviceId":"DEVICE","profileId":"ada","sessionId":"SESSION","projectId":"shop","createdAt":"TIME","path":"/a","duration":0,"city":"","country":"","os":"Linux","browser":"Firefox"}]}`},
		{"/export/events?projectId=shop&event=session_end", 200, `{"meta":{"count":0,"totalCount":0,"pages":0,"current":1},"data":[]}`},
		{"/insights/shop/live", 200, `{"visitors":2}`},
		{"/insights/shop/profiles/ada", 200, ada},
		{"/api/insights/1/profiles/" + url.PathEscape(device), 200, ada},
		{"/insights/shop/profiles?limit=1", 200, `{"data":[{"id":"robot","firstName":"",…`},
		{"/insights/shop/profiles", 200, `{"data":[{"id":"robot",…`},
		{"/insights/shop/profiles/ada/sessions", 200, `{"data":[{"id":"SESSION","profileId":"ada","deviceId":"DEVICE","createdAt":"TIME","endedAt":"TIME",…`},
		{"/insights/shop/metrics?range=today", 200, `{"metrics":{"bounce_rate":0,"unique_visitors":2,"total_sessions":1,"avg_session_duration":…`},
		{"/insights/shop/metrics?range=custom&startDate=2020-01-01&endDate=2020-01-01", 200, `{"metrics":{"bounce_rate":0,"unique_visitors":0,"total_sessions":0,"avg_session_duration":0,"total_screen_views":0,"views_per_session":0,"total_revenue":0},"series":[{"date":"TIME","bounce_rate":0,"unique_visitors":0,"total_sessions":0,"avg_session_duration":0,"total_screen_views":0,"views_per_session":0,"total_revenue":0}]}`},
		{"/healthcheck", 200, `{"status":"ready","reasons":[]}`},
		{"/api/healthcheck", 200, `{"status":"ready","reasons":[]}`},

		{"/export/events", 400, `{"status":400,"error":"Bad Request","message":"projectId: required: the site's name or id"}`},
		{"/export/events?projectId=blog", 404, `{"status":404,"error":"Not Found","message":"there is no such project"}`},
		{"/export/events?projectId=shop&limit=1001", 400, `{"status":400,"error":"Bad Request","message":"limit: must be an integer from 1 to 1000"}`},
		{"/export/events?projectId=shop&page=0", 400, `{"status":400,"error":"Bad Request","message":"page: must be…`},
		{"/export/events?projectId=shop&page=1000000&limit=1000", 400, `{"status":400,"error":"Bad Request","message":"page: at most 1000000 events…`},
		{"/export/events?projectId=shop&includes=name,secrets", 400, `{"status":400,"error":"Bad Request","message":"includes: must be of properties,…`},
		{"/export/events?projectId=shop&start=2026-01-01", 400, `{"status":400,"error":"Bad Request","message":"start: and end come together"}`},
		{"/export/events?projectId=shop&event=session_start&event=click", 400, `{"status":400,"error":"Bad Request","message":"event: session_start and session_end are listed by themselves"}`},
		{"/export/events?projectId=shop&filters=x", 400, `{"status":400,"error":"Bad Request","message":"filters: must be a JSON array"}`},
		{"/export/charts?projectId=shop", 404, `{"status":404,…`},
		{"/insights/shop/profiles/nobody", 404, `{"status":404,"error":"Not Found","message":"not found"}`},
		{"/insights/shop/profiles?cursor=nonsense", 400, `{"status":400,…`},
		{"/insights/shop/metrics?range=custom&startDate=1990-01-01&endDate=2020-01-01&interval=minute", 400, `{"status":400,"error":"Bad Request","message":"bad query: interval: more than 10000 intervals; ask about a shorter time"}`},
		{"/insights/shop/gsc/queries", 404, `{"status":404,…`},
		{"/insights/shop", 404, `{"status":404,…`},
	} {
		a := get(c.target)
		got := show(a.body)
		want, prefix := strings.CutSuffix(c.want, "…")
		if a.status != c.status || !prefix && got != want || !strings.HasPrefix(got, want) || !json.Valid([]byte(a.body)) {
			t.Errorf("%s: %d %s\nwant %d %s", c.target, a.status, got, c.status, c.want)
		}
		if a.header["access-control-allow-origin"] != "" {
			t.Errorf("%s may be read from any page", c.target)
		}
	}
	key := regexp.MustCompile(`"key":"([0-9a-f]{32})"`).FindStringSubmatch(get("/insights/shop/profiles/ada/sessions").body)
	if key == nil {
		t.Error("a session has no key")
	} else if got := s.send("GET", "/api/v1/sessions/"+key[1], "", secret); !strings.HasPrefix(got.body, `{"id":"`+session+`","key":"`+key[1]+`"`) {
		t.Errorf("session %s: %s", key[1], got.body)
	}
	for _, headers := range [][]string{nil, {clientID}, {clientID, clientSecret + "x"}, {clientID, shopOrigin}} {
		a := s.send("GET", "/export/events?projectId=shop", "", append(headers, visitor)...)
		if a.status != 401 && a.status != 403 || strings.Contains(a.body, "click") {
			t.Errorf("%q: %d %s", headers, a.status, a.body)
		}
	}
	var metrics struct {
		Metrics struct {
			Sessions int     `json:"total_sessions"`
			Views    int     `json:"total_screen_views"`
			Per      float64 `json:"views_per_session"`
			Revenue  int     `json:"total_revenue"`
		}
	}
	if err := json.Unmarshal([]byte(get("/insights/shop/metrics?range=last24h").body), &metrics); err != nil || fmt.Sprint(metrics.Metrics) != "{1 2 2 4200}" {
		t.Errorf("%+v %v", metrics, err)
	}
	// Events of other protocols are there too, and counts are those of the native API.
	var native struct{ Events []struct{ ID string } }
	if a := s.send("POST", "/api/v1/events", `{"name":"by another way","user":"robot","properties":{"k":1}}`, secret); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(s.send("GET", "/api/v1/events?name=by+another+way", "", secret).body), &native); err != nil || len(native.Events) != 1 {
		t.Fatalf("%+v %v", native, err)
	}
	got := get("/export/events?projectId=shop&event=by+another+way&includes=properties").body
	if !strings.HasPrefix(got, `{"meta":{"count":1,"totalCount":1,"pages":1,"current":1},"data":[{"id":"`+native.Events[0].ID+`","name":"by another way"`) || !strings.Contains(got, `"properties":{"k":1}`) {
		t.Errorf("%s", got)
	}
	var exported struct{ Meta struct{ TotalCount int } }
	var counted struct{ Events int }
	_ = json.Unmarshal([]byte(get("/export/events?projectId=shop").body), &exported)
	_ = json.Unmarshal([]byte(s.send("GET", "/api/v1/count?type=track&type=page", "", secret).body), &counted)
	if exported.Meta.TotalCount != counted.Events || counted.Events != 10 {
		t.Errorf("%d events in the export, %d in the native API", exported.Meta.TotalCount, counted.Events)
	}
	// Pages of people meet without a gap.
	var page struct {
		Data []struct{ ID string }
		Next *string
	}
	var people []string
	for cursor := ""; ; cursor = "&cursor=" + *page.Next {
		page.Data, page.Next = nil, nil
		if err := json.Unmarshal([]byte(get("/insights/shop/profiles?limit=1"+cursor).body), &page); err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Data {
			people = append(people, p.ID)
		}
		if page.Next == nil {
			break
		}
	}
	if got := strings.Join(people, " "); got != "robot ada" {
		t.Errorf("people %s", got)
	}
}

// A profile shows no avatar that a page could run as code, whoever has stored it.
func TestOpenPanelAvatarOfOthers(t *testing.T) {
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	for _, avatar := range []string{"javascript:alert(1)", "https://a.example/1.png"} {
		s.post(`{"type":"identify","user":"ada","properties":{"avatar":"` + avatar + `"}}`)
		a := s.send("GET", "/insights/shop/profiles/ada", "", "openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret")
		if a.status != 200 || strings.Contains(a.body, avatar) != strings.HasPrefix(avatar, "https:") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// Revenue adds up to the end of int64 and stays there.
func TestOpenPanelRevenueSaturates(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	panel := []string{"openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret"}
	c := s.connect()
	var total string
	for i := range 1026 {
		a := c.ask(owned{"POST", "/track", fmt.Sprintf(`{"type":"track","payload":{"name":"revenue","profileId":"u%d","properties":{"__revenue":9007199254740991}}}`, i), panel})
		if a.status != 200 {
			t.Fatal(a.status, a.body)
		}
		if i == 1 {
			total = s.send("GET", "/insights/shop/metrics?range=today", "", panel...).body
		}
	}
	if !strings.Contains(total, `"total_revenue":18014398509481982`) {
		t.Errorf("two events: %.300s", total)
	}
	total = s.send("GET", "/insights/shop/metrics?range=today", "", panel...).body
	if !strings.Contains(total, `"total_revenue":9223372036854775807`) || strings.Contains(total, ":-") {
		t.Errorf("1,026 events: %.300s", total)
	}
}

// Every operator of a filter sees the same values under a name.
func TestOpenPanelFilters(t *testing.T) {
	s := withDevices(t, nil)
	for i, properties := range []string{`{"n":{"b":5}}`, `{"n":7}`, `{"n":[{"b":5},{"b":"x"}]}`, `{"n.b":5}`, `{"m":1}`, `{"n":[5,"y"]}`, `{"n":null}`} {
		body := fmt.Sprintf(`{"name":"e%d","user":"u%d","properties":%s}`, i+1, i+1, properties)
		if got := s.send("POST", "/api/v1/events", body, secret); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	// ada is seen as device-1 first, and under another name before that.
	for _, body := range []string{
		`{"name":"f1","anonymous":"device-1"}`, `{"name":"f2","anonymous":"device-1","user":"ada"}`, `{"name":"f3","user":"old"}`,
		`{"type":"alias","user":"ada","previous":"old"}`, `{"name":"f4","user":"bob"}`,
	} {
		if got := s.send("POST", "/api/v1/events", body, secret); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	name := regexp.MustCompile(`"name":"([ef]\d)"`)
	for _, c := range []struct{ name, operator, value, of, want string }{
		{"properties.n", "is", "5", "e", "e6"},
		{"properties.n", "isNot", "5", "e", "e1 e2 e3 e4 e5 e7"},
		{"properties.n", "contains", "5", "e", "e6"},
		{"properties.n", "doesNotContain", "5", "e", "e1 e2 e3 e4 e5 e7"},
		{"properties.n", "contains", "Y", "e", "e6"},
		{"properties.n", "contains", "*", "e", ""},
		{"properties.n", "contains", `\`, "e", ""},
		{"properties.n", "contains", "", "e", "e2 e6"},
		{"properties.n", "startsWith", "y", "e", "e6"},
		{"properties.n", "endsWith", "x", "e", ""},
		{"properties.n", "regex", "^[5-7]$", "e", "e2 e6"},
		{"properties.n", "gt", "4", "e", "e2 e6"},
		{"properties.n", "lte", "5", "e", "e6"},
		{"properties.n", "isNull", "", "e", "e1 e3 e4 e5 e7"},
		{"properties.n", "isNotNull", "", "e", "e2 e6"},
		// The path leads into objects, also those in arrays, and may be a literal key.
		{"properties.n.b", "is", "5", "e", "e1 e3 e4"},
		{"properties.n.b", "isNot", "5", "e", "e2 e5 e6 e7"},
		{"properties.n.b", "contains", "5", "e", "e1 e3 e4"},
		{"properties.n.b", "doesNotContain", "5", "e", "e2 e5 e6 e7"},
		{"properties.n.b", "endsWith", "x", "e", "e3"},
		{"properties.n.b", "gte", "5", "e", "e1 e3 e4"},
		{"properties.n.b", "isNull", "", "e", "e2 e5 e6 e7"},
		{"properties.n.b", "isNotNull", "", "e", "e1 e3 e4"},
		// is and isNot follow the person.
		{"profileId", "is", "ada", "f", "f1 f2 f3"},
		{"profileId", "isNot", "ada", "f", "f4"},
		{"profileId", "isNot", "device-1", "f", "f4"},
		{"profileId", "isNot", "nobody", "f", "f1 f2 f3 f4"},
		{"deviceId", "isNot", "device-1", "f", "f3 f4"},
		{"deviceId", "contains", "ICE-", "f", "f1 f2"},
		{"deviceId", "isNull", "", "f", "f3 f4"},
		// The others compare the id that the event itself has.
		{"profileId", "contains", "a", "f", "f2"},
		{"profileId", "isNull", "", "f", ""},
	} {
		filters := fmt.Sprintf(`[{"name":%q,"operator":%q,"value":[%q]},{"name":"name","operator":"startsWith","value":[%q]}]`, c.name, c.operator, c.value, c.of)
		got := s.send("GET", "/export/events?projectId=shop&limit=100&filters="+url.QueryEscape(filters), "", clientID, clientSecret)
		var names []string
		for _, m := range name.FindAllStringSubmatch(got.body, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		if text := strings.Join(names, " "); got.status != 200 || text != c.want {
			t.Errorf("%s %s %q: %d %q, want %q", c.name, c.operator, c.value, got.status, text, c.want)
		}
	}
}
