package httpd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/http/dialect"
	"cairn/http/matomo"
	"cairn/http/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// owned is one request about the site shop.
type owned struct {
	method, target, body string
	headers              []string
}

// client is a connection that is kept from request to request.
type client struct {
	net.Conn
	r *bufio.Reader
	s *testServer
}

func (s *testServer) connect() *client {
	c := s.dial()
	return &client{c, bufio.NewReader(c), s}
}

func (c *client) ask(q owned) parsed {
	c.s.t.Helper()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: example.com\r\n", q.method, q.target)
	for _, h := range q.headers {
		text += h + "\r\n"
	}
	if q.body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(q.body))
	}
	if _, err := io.WriteString(c, text+"\r\n"+q.body); err != nil {
		c.s.t.Fatalf("%s %s: %v", q.method, q.target, err)
	}
	a, err := readAnswer(c.r, false)
	if err != nil {
		c.s.t.Fatalf("%s %s: %v", q.method, q.target, err)
	}
	return a
}

// ownQuestions are all calls that read, in every dialect that has such calls, with texts
// wherever a call accepts one.
func ownQuestions(eventID string) (list []owned) {
	get := func(target string, headers ...string) {
		list = append(list, owned{method: "GET", target: target, headers: headers})
	}
	native := func(target string) { get("/api/v1/"+target, "Authorization: Bearer shop-read") }
	for i := range 8 {
		native(fmt.Sprintf("counters?property=colour&value=shop-colour-%d", i))
		native(fmt.Sprintf("counters?property=colour&value=shop-colour-%d&value=nobody-%d&segment=size", i, i))
		native(fmt.Sprintf("count?prop.colour=shop-colour-%d&user=shop-user-%d", i, i))
	}
	for _, q := range []string{
		"counters", "counters?property=colour", "counters?property=unheard-of", "counters?property=colour&segment=size",
		"counters?property=colour&segment=unheard-of", "counters?property=colour&sort=users&limit=3",
		"counters?property=nest.inner&value=7", "counters?property=colour&from=2026-01-01&to=2026-01-31",
		"series?interval=day&from=2026-01-01&to=2026-01-05&prop.colour=shop-colour-1", "series?interval=week&name=shop-view",
		"count", "count?name=shop-view&type=track&dialect=native", "count?extra.nothing=here", "count?user=shop-user-3&metrics=events,users",
		"events?limit=5", "events?limit=5&name=shop-view&order=asc", "events?user=shop-user-2&after=" + eventID,
		"events/" + eventID, "events?value=1.5", "events?prop.colour=shop-colour-4&prop.size=shop-large",
		"users?limit=4", "users/shop-user-1", "users/shop-user-1/events?limit=3", "users/nobody-at-all", "users/shop%2Duser%2D2",
		"sessions?limit=4", "sessions?user=shop-user-1", "sessions/shop-session-1", "sessions/unheard-of", "groups/shop-group", "groups/unheard-of",
		// Refusals repeat what was sent.
		"count?shop-misspelt=1", "events?after=shop-no-cursor", "events?type=shop-no-type", "counters?property=colour&after=shop-no-cursor",
		"count?site=shop-other", "series?interval=shop-fortnight", "count?from=shop-yesterday",
	} {
		native(q)
	}
	get("/tracking/events?limit=3", "Authorization: Bearer shop-read")
	get("/tracking/events?userId=shop-user-1&limit=2", "Authorization: Bearer shop-read")
	get("/events?eventType=shop-view,shop-buy&limit=2", "Authorization: Bearer shop-read")
	panel := []string{"openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret"}
	for _, q := range []string{
		"/export/events?projectId=shop&limit=3", "/export/events?projectId=shop&event=shop-view&includes=profile",
		"/export/events?projectId=shop&profileId=shop-user-1", `/export/events?projectId=shop&filters=[{"name":"properties.colour","operator":"is","value":["shop-colour-1"]}]`,
		"/insights/shop/metrics?range=30d", "/insights/shop/live", "/insights/shop/profiles?limit=3",
		"/insights/shop/profiles/shop-user-1", "/insights/shop/profiles/shop-user-1/sessions", "/insights/shop-nowhere/live",
	} {
		get(q, panel...)
	}
	for _, q := range []string{
		"/api/counts?site=shop&key=shop-read", "/api/counts?site=shop&key=shop-read&property=colour",
		"/api/counts?site=shop&key=shop-read&property=unheard-of", "/api/counts?site=shop&key=shop-read&property=colour&value=shop-colour-1&segment=size",
		"/api/counts?site=shop&key=shop-read&property=colour&interval=day&from=2026-01-01&to=2026-01-04&timezone=Europe/Paris",
		"/api/views/events?site=shop&key=shop-read&limit=2", "/api/views/user?site=shop&key=shop-read&uid=shop-user-1",
		"/api/views/session?site=shop&key=shop-read&sid=shop-sid", "/api/counts?site=shop-nowhere&key=shop-read",
	} {
		get(q)
	}
	list = append(list, owned{
		method: "POST", target: "/api/counts", body: "site=shop&key=shop-read&property=colour&value=shop-colour-2&value=shop-colour-3",
		headers: []string{"Content-Type: application/x-www-form-urlencoded"},
	})
	token := "token_auth=shop-token"
	for _, q := range []string{
		"/index.php?module=API&method=SitesManager.getSiteFromId&idSite=1&" + token, "/index.php?module=API&method=SitesManager.getSitesIdFromSiteUrl&url=http://shop.example&" + token,
		"/index.php?module=API&method=SitesManager.getAllSites&" + token, "/index.php?module=API&method=shop.unheardOf&" + token,
		"/sourceConfig/?writeKey=shop-write", "/v1/projects/shop-write/settings", "/matomo.js", "/metrics-of-nobody",
	} {
		get(q)
	}
	return list
}

// disturb sends traffic of the site blog: reads and writes in all dialects, of many lengths,
// with "blog" in every text.
func disturb(s *testServer, c *client, r *rand.Rand, n int) {
	s.t.Helper()
	secret := "blog-token-" + strings.Repeat("deadbeef", 1+r.IntN(30))
	user := fmt.Sprintf("blog-user-%d@victim.example", n)
	for _, q := range []owned{
		{"GET", "/matomo.php?idsite=2&rec=1&action_name=blog%20page&url=http%3A%2F%2Fblog.example%2F" + secret + "&uid=" + user + "&token_auth=blog-token&apiv=1", "", nil},
		{"POST", "/api/v1/events", `[{"name":"blog-view","user":"` + user + `","properties":{"colour":"` + secret + `","blog-key":"blog-value"},"session":"blog-session"}]`, []string{"Authorization: Bearer blog-secret"}},
		{"POST", "/v1/batch", `{"batch":[{"type":"track","event":"blog-event","userId":"` + user + `","properties":{"secret":"` + secret + `"}}],"writeKey":"blog-write"}`, nil},
		{"POST", "/track", `{"type":"track","payload":{"name":"blog-track","profileId":"` + user + `","properties":{"a":"` + secret + `"}}}`, []string{"openpanel-client-id: blog-client", "openpanel-client-secret: blog-client-secret", "User-Agent: blog-agent/" + secret}},
		{"GET", "/?si=blog&ti=blog-title&uid=" + user + "&colour=" + secret, "", nil},
		{"POST", "/tracking/events", `{"transactionId":"blog-` + fmt.Sprint(n) + `","userId":"` + user + `","eventName":"blog-buy","eventType":"blog-buy","value":"` + secret + `"}`, []string{"Authorization: Bearer blog-secret"}},
		{"GET", "/api/v1/counters?property=colour&value=" + secret + "&value=blog-other", "", []string{"Authorization: Bearer blog-read"}},
		{"GET", "/api/v1/count?user=" + user + "&prop.colour=" + secret, "", []string{"Authorization: Bearer blog-read"}},
		{"GET", "/api/v1/events?limit=3&name=blog-view", "", []string{"Authorization: Bearer blog-read"}},
		{"GET", "/api/counts?site=blog&key=blog-read&property=colour&value=" + secret, "", nil},
		{"GET", "/export/events?projectId=blog&profileId=" + user, "", []string{"openpanel-client-id: blog-client", "openpanel-client-secret: blog-client-secret"}},
		{"GET", "/api/v1/count?blog-misspelt=" + secret, "", []string{"Authorization: Bearer blog-read"}},
	} {
		if a := c.ask(q); a.status >= 500 {
			s.t.Fatalf("%s %s: %d %s", q.method, q.target, a.status, a.body)
		}
	}
}

// ownAnswers is a server with events of the site shop, the questions about them, and
// what each was answered first.
func ownAnswers(t testing.TB) (s *testServer, questions []owned, answers []parsed) {
	t.Helper()
	s = onStore(t, engine.Options{Memory: 64 << 20}, nil, testSite(1, "shop"), testSite(2, "blog"))
	var events []string
	for i := range 400 {
		events = append(events, fmt.Sprintf(
			`{"name":"shop-%s","time":"2026-01-0%dT10:00:00Z","user":"shop-user-%d","session":"shop-session-%d","value":1.5,"groups":["shop-group"],"segments":["size"],`+
				`"properties":{"colour":"shop-colour-%d","size":"shop-%s","nest":{"inner":%d}}}`,
			[]string{"view", "buy"}[i%2], 1+i%4, i%5, i%7, i%8, []string{"large", "small"}[i%2], i%9))
	}
	events = append(events, `{"type":"identify","user":"shop-user-1","properties":{"plan":"shop-pro"}}`,
		`{"type":"group","user":"shop-user-1","groups":["shop-group"],"properties":{"kind":"shop"}}`)
	const shop = "Authorization: Bearer shop-secret"
	panel := []string{"openpanel-client-id: shop-client", "openpanel-client-secret: shop-client-secret"}
	for _, q := range []owned{
		{"POST", "/api/v1/events", "[" + strings.Join(events, ",") + "]", []string{shop}},
		{"POST", "/tracking/events", `{"transactionId":"shop-sale","userId":"shop-user-1","eventName":"shop-buy","eventType":"shop-buy","value":"3"}`, []string{shop}},
		{"POST", "/track", `{"type":"identify","payload":{"profileId":"shop-user-1","firstName":"shop-name","properties":{"plan":"shop-pro"}}}`, panel},
		{"POST", "/track", `{"type":"track","payload":{"name":"screen_view","profileId":"shop-user-1","properties":{"__path":"https://shop.example/a"}}}`, panel},
		{"GET", "/?si=shop&sid=shop-sid&uid=shop-user-1&ti=shop-title&colour=shop-colour-1&size=shop-large", "", nil},
		{"GET", "/matomo.php?idsite=1&rec=1&uid=shop-user-1&action_name=shop-page&url=http%3A%2F%2Fshop.example%2Fshop-page", "", []string{"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}},
		{"POST", "/v1/track", `{"event":"shop-event","userId":"shop-user-1","properties":{"colour":"shop-colour-1"},"writeKey":"shop-write"}`, nil},
	} {
		if a := s.connect().ask(q); a.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", q.method, q.target, a.status, a.body)
		}
	}
	var page struct{ Events []struct{ ID string } }
	if err := json.Unmarshal([]byte(s.send("GET", "/api/v1/events?limit=1&order=asc", "", "Authorization: Bearer shop-read").body), &page); err != nil || len(page.Events) != 1 {
		t.Fatalf("%v, %d events", err, len(page.Events))
	}
	questions = ownQuestions(page.Events[0].ID)
	for _, q := range questions {
		a := s.connect().ask(q)
		if a.status >= 500 {
			t.Fatalf("%s %s: %d %s", q.method, q.target, a.status, a.body)
		}
		answers = append(answers, a)
	}
	return s, questions, answers
}

// stillOwn asks again: the answer is the same as the first, to the last byte.
func stillOwn(c *client, q owned, first parsed) {
	c.s.t.Helper()
	a := c.ask(q)
	if a.status != first.status || a.body != first.body {
		c.s.t.Errorf("%s %s\nfirst answered %d %.300q\nnow answered   %d %.300q", q.method, q.target, first.status, first.body, a.status, a.body)
	}
	if strings.Contains(a.body, "blog") || strings.Contains(a.body, "deadbeef") || strings.Contains(a.body, "\uFFFD") {
		c.s.t.Errorf("%s %s shows what is another's: %.300q", q.method, q.target, a.body)
	}
}

// TestAnswersAreTheAskersOwn asks every question about one site, lets another site read and
// write, and asks again, over kept connections and over new ones. Each answer is the same to
// the last byte, and has no text of the other site.
func TestAnswersAreTheAskersOwn(t *testing.T) {
	t.Parallel()
	s, questions, answers := ownAnswers(t)
	r := rand.New(rand.NewPCG(14, 0))
	kept := s.connect()
	for round := range 6 {
		for i, q := range questions {
			c := kept
			if (round+i)%3 == 2 {
				c = s.connect()
			}
			stillOwn(c, q, answers[i])
			if c != kept {
				c.Close()
			}
			if i%8 == 0 {
				disturb(s, kept, r, round*len(questions)+i)
			}
		}
	}
}

// FuzzAnswersAreTheAskersOwn asks and disturbs in any order: each byte is a question or a turn
// of the other site.
func FuzzAnswersAreTheAskersOwn(f *testing.F) {
	f.Add([]byte{0, 255, 0, 255, 0, 1, 254, 1, 2, 255, 2})
	s, questions, answers := ownAnswers(f)
	f.Fuzz(func(t *testing.T, order []byte) {
		c := (&testServer{s.Server, s.engine, s.addr, t}).connect()
		r := rand.New(rand.NewPCG(14, 2))
		for i, b := range order[:min(len(order), 64)] {
			if int(b) < len(questions) {
				stillOwn(c, questions[b], answers[b])
			} else {
				disturb(c.s, c, r, i)
			}
		}
	})
}

// rememberedStory is what one visitor after another does on the site shop. Later requests
// depend on what the store remembers of earlier ones: whose a session is, which visit goes
// on, what a profile has, which order the site knows.
func rememberedStory() (list []owned) {
	panel := []string{clientID, shopOrigin, visitor, firefox}
	server := []string{clientID, clientSecret, visitor}
	add := func(method, target, body string, headers ...string) {
		list = append(list, owned{method, target, body, headers})
	}
	for i := range 6 {
		user, sid := fmt.Sprintf("shop-user-%d", i), fmt.Sprintf("shop-sid-%d", i)
		add("GET", "/?si=shop&sid="+sid+"&uid="+user+"&ti=shop-title&plan=shop-plan-"+sid, "")
		add("GET", "/?si=shop&sid="+sid+"&ti=shop-again", "")
		track := `{"type":"track","payload":{"name":"shop-track","profileId":"` + user + `","properties":{"plan":"shop-` + sid + `"}}}`
		add("POST", "/track", strings.Replace(track, `"profileId":"`+user+`",`, "", 1), panel...)
		add("POST", "/track", track, panel...)
		add("POST", "/track", strings.Replace(track, "shop-track", "shop-server", 1), server...)
		add("POST", "/track", `{"type":"identify","payload":{"profileId":"`+user+`","firstName":"shop-name","properties":{"word":"shop-word","sum":1}}}`, server...)
		add("POST", "/track", `{"type":"increment","payload":{"profileId":"`+user+`","property":"sum","value":2}}`, server...)
		add("POST", "/track", `{"type":"increment","payload":{"profileId":"`+user+`","property":"word","value":2}}`, server...)
		hit := "/matomo.php?idsite=1&rec=1&_id=" + fmt.Sprintf("%016x", 7000+i) + "&url=http%3A%2F%2Fshop.example%2F"
		add("GET", hit+"a%3Futm_campaign%3Dshop-campaign-"+sid+"%26utm_term%3Dshop-term&action_name=shop-page&dimension1=shop-dim-"+sid, "", firefox, visitor)
		add("GET", hit+"b&action_name=shop-page&uid="+user, "", firefox, visitor)
		add("GET", hit+"b&ping=1&dimension2=shop-ping-"+sid+"&cvar=%7B%225%22%3A%5B%22shop-name%22%2C%22shop-value-"+sid+"%22%5D%7D", "", firefox, visitor)
		add("GET", hit+"b&ping=1&dimension1=shop-ping-"+sid, "", firefox, visitor)
		add("GET", hit+"c&idgoal=0&revenue=5&ec_id=shop-order-"+sid, "", firefox, visitor)
		add("GET", hit+"c&idgoal=0&revenue=5&ec_id=shop-order-"+sid, "", firefox, visitor)
		segment := `{"event":"shop-event","anonymousId":"shop-anon-` + sid + `","messageId":"shop-m-` + sid + `","context":{"userAgent":"shop-agent/` + sid + `"},"writeKey":"shop-write"}`
		add("POST", "/v1/track", segment)
		add("POST", "/v1/track", segment)
		add("POST", "/v1/alias", `{"previousId":"shop-anon-`+sid+`","userId":"`+user+`","writeKey":"shop-write"}`)
		add("POST", "/api/v1/events", `{"name":"shop-native","user":"`+user+`","properties":{"plan":"shop-`+sid+`"}}`, secret)
		add("POST", "/tracking/events", `{"transactionId":"shop-t-`+sid+`","userId":"`+user+`","eventName":"shop-sale","eventType":"shop-buy","value":"3"}`, secret)
	}
	read := "Authorization: Bearer shop-read"
	for _, q := range []string{
		"events?limit=1000", "users?limit=1000", "sessions?limit=1000", "counters", "counters?property=plan", "counters?property=browser",
		"count?user=shop-user-1", "count?anonymous=shop-anon-shop-sid-2", "sessions/shop-sid-3", "users/shop-user-4",
	} {
		add("GET", "/api/v1/"+q, "", read)
	}
	return list
}

// TestMemoryIsTheWritersOwn tells one story to two stores. One of them gets requests of
// another site in between. Both answer and store the same.
func TestMemoryIsTheWritersOwn(t *testing.T) {
	t.Parallel()
	hex := regexp.MustCompile(`\b[0-9a-f]{32}\b|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	when := regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z?|\b\d{13}\b`)
	short := regexp.MustCompile(`"[A-Za-z0-9_-]{22}"`)
	duration := regexp.MustCompile(`"duration":[0-9.]+`)
	tell := func(disturbed bool) (answers []string) {
		shop := testSite(1, "shop")
		setMatomo(shop, matomo.Settings{CDTWindow: dialect.Duration(24 * time.Hour), Dimensions: []int{1, 2}}, nil)
		s := onStore(t, engine.Options{Visitors: hashedVisitors{}}, nil, shop, testSite(2, "blog"))
		c, r := s.connect(), rand.New(rand.NewPCG(14, 1))
		for i, q := range rememberedStory() {
			a := c.ask(q)
			if a.status >= 500 {
				t.Fatalf("%s %s: %d %s", q.method, q.target, a.status, a.body)
			}
			body := duration.ReplaceAllString(short.ReplaceAllString(when.ReplaceAllString(hex.ReplaceAllString(a.body, "ID"), "TIME"), `"SHORT"`), `"duration":0`)
			answers = append(answers, fmt.Sprintf("%d %s", a.status, body))
			if disturbed {
				disturb(s, c, r, i)
			}
		}
		return answers
	}
	quiet, disturbed := tell(false), tell(true)
	for i, q := range rememberedStory() {
		if quiet[i] != disturbed[i] {
			at := 0
			for at < min(len(quiet[i]), len(disturbed[i])) && quiet[i][at] == disturbed[i][at] {
				at++
			}
			t.Errorf("%s %s\nalone      …%.200s\nin company …%.200s", q.method, q.target, quiet[i][max(0, at-80):], disturbed[i][max(0, at-80):])
		}
	}
}
