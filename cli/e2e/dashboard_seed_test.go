package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file fills a site with 20,000 events for the tests of the dashboard: visits of a shop over
// the last 58 days and around the last change of the clock, by every protocol, and things saved.
// What was sent is kept, so that a test can count it again.

// seedZone is the zone of the seeded site, whose clock changes twice a year. No day of it ends within
// an hour or began within one: what a test reads twice is of the same days.
func seedZone(now time.Time) *time.Location {
	for _, name := range []string{"Europe/Berlin", "America/New_York"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		if hour := now.In(zone).Hour(); hour != 0 && hour != 23 {
			return zone
		}
	}
	panic("it is midnight in both zones")
}

func seedConfig(zone *time.Location) string {
	return `
trusted_proxies = ["127.0.0.1"]
[[site]]
name = "default"
timezone = "` + zone.String() + `"
origins = ["https://shop.example"]
`
}

// seedEvents is how many events are sent.
const seedEvents = 20_000

// seedVisit is one visit of the native events.
type seedVisit struct {
	person, country, source, entry string
	views, events, signups         int
	begin, end                     time.Time
}

// seedEvent is what the recount needs of one event.
type seedEvent struct {
	dialect, typ, name, person, page string
	at                               time.Time
}

// seed is what was sent.
type seed struct {
	zone   *time.Location
	now    time.Time
	dst    time.Time // midnight of the day on which the clock last changed
	visits []seedVisit
	events []seedEvent
}

var (
	seedPages     = []string{"/", "/", "/", "/pricing", "/docs", "/docs/install", "/blog/hello-world", "/blog/why-pebbles", "/about", "/contact"}
	seedCountries = []string{"DE", "DE", "DE", "US", "US", "US", "GB", "FR", "JP", "BR", "IN", "NL"}
	seedSources   = []string{"", "", "google.com", "google.com", "bing.com", "t.co", "chatgpt.com", "news.ycombinator.com"}
	seedDevices   = [][3]string{{"Chrome", "Windows", "desktop"}, {"Mobile Safari", "iOS", "smartphone"}, {"Safari", "macOS", "desktop"}, {"Firefox", "Linux", "desktop"}, {"Samsung Internet", "Android", "smartphone"}}
	seedPlaces    = map[string][2]string{"DE": {"BE", "Berlin"}, "US": {"CA", "San Francisco"}, "FR": {"IDF", "Paris"}}
)

// seedAgent is the browser of the events that come one by one.
const seedAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

// newSeed decides what is sent. The same random numbers make it each time, but for the time.
func newSeed(now time.Time) *seed {
	zone := seedZone(now)
	s := &seed{zone: zone, now: now.In(zone)}
	for s.dst = s.midnight(-1); s.dst.AddDate(0, 0, 1).Sub(s.dst) == 24*time.Hour; {
		s.dst = s.dst.AddDate(0, 0, -1)
	}
	return s
}

// midnight is the begin of a day so many days from today.
func (s *seed) midnight(days int) time.Time {
	y, m, d := s.now.Date()
	return time.Date(y, m, d+days, 0, 0, 0, 0, s.zone)
}

// send sends all of it to a server, and saves some things.
func (s *seed) send(srv *sdk) {
	srv.Helper()
	k := srv.keys()
	rng := rand.New(rand.NewPCG(7, 18))
	native := map[string]string{"Authorization": "Bearer " + k.SecretKey, "Content-Type": "application/json"}
	others := map[string]int{"segment": 1000, "matomo": 1000, "openpanel": 300, "opentracker": 300, "oppizi": 400}
	left := seedEvents
	for _, n := range others {
		left -= n
	}
	var batch []map[string]any
	flush := func() {
		if len(batch) > 0 {
			srv.post("/api/v1/events", native, batch)
			batch = nil
		}
	}
	for len(batch) < left {
		begin := s.now.Add(-time.Duration(rng.Float64() * 58 * 24 * float64(time.Hour))).Add(-2 * time.Hour)
		if len(s.visits) < 300 {
			begin = s.dst.Add(time.Duration(rng.IntN(22*60)) * time.Minute)
		}
		if begin.Hour() == 23 { // no visit lasts over midnight, so that all of it is in the same ranges
			begin = begin.Add(-time.Hour)
		}
		batch = s.visit(batch, rng, begin.Truncate(time.Second), left)
		if len(batch) > 2000 {
			left -= len(batch)
			flush()
		}
	}
	flush()
	s.segment(srv, rng, others["segment"])
	s.matomo(srv, rng, others["matomo"])
	s.oneByOne(srv, others)
	for _, saved := range []string{
		`{"kind":"goal","name":"Signed up","query":"name=signup"}`,
		`{"kind":"filter","name":"From Germany","query":"visit.country=DE"}`,
		`{"kind":"funnel","name":"To a sign-up","query":"step=page%3D/&step=page%3D/pricing&step=name%3Dsignup"}`,
		`{"kind":"note","name":"","time":"` + s.midnight(-9).Format(time.DateOnly) + `","text":"A new home page"}`,
	} {
		srv.post("/api/v1/saved", native, json.RawMessage(saved))
	}
}

// visit adds the events of one native visit to a batch.
func (s *seed) visit(batch []map[string]any, rng *rand.Rand, begin time.Time, most int) []map[string]any {
	pick := func(of []string) string { return of[rng.IntN(len(of))] }
	device := seedDevices[rng.IntN(len(seedDevices))]
	v := seedVisit{person: fmt.Sprintf("p%d", rng.IntN(2500)), country: pick(seedCountries), source: pick(seedSources), begin: begin, end: begin}
	session := fmt.Sprintf("s%d", len(s.visits))
	context := func() map[string]any {
		place := seedPlaces[v.country]
		c := map[string]any{"browser": device[0], "os": device[1], "device": device[2], "country": v.country, "language": "de-DE", "screen": "1920x1080"}
		if place[0] != "" {
			c["region"], c["city"] = place[0], place[1]
		}
		return c
	}
	add := func(later int, typ, name, page string, c, properties map[string]any) {
		if len(batch) == most {
			return
		}
		v.end = v.end.Add(time.Duration(later) * time.Second)
		v.events++
		if name == "signup" {
			v.signups++
		}
		e := map[string]any{"type": typ, "name": name, "anonymous": v.person, "session": session, "time": v.end.UnixMilli(), "context": c}
		if properties != nil {
			e["properties"] = properties
		}
		batch = append(batch, e)
		s.events = append(s.events, seedEvent{"native", typ, name, v.person, page, v.end})
	}
	for n := 1 + rng.IntN(6)*rng.IntN(2); n > 0 && len(batch) < most; n-- { // most visits are short
		page, c, later := pick(seedPages), context(), 0
		c["path"], c["url"], c["title"] = page, "https://shop.example"+page, "The page "+page
		if v.views == 0 {
			if v.entry = page; v.source != "" {
				c["referrer"] = "https://" + v.source + "/"
			}
			if rng.IntN(10) == 0 {
				c["utm_source"], c["utm_medium"], c["utm_campaign"] = "newsletter", "email", "november"
			}
		} else {
			later = 5 + rng.IntN(120)
		}
		v.views++
		add(later, "page", "The page "+page, page, c, nil)
	}
	if rng.IntN(8) == 0 {
		add(20, "track", pick([]string{"signup", "add_to_cart", "video_play"}), "", context(), map[string]any{"plan": pick([]string{"free", "pro", "team"}), "amount": rng.IntN(90)})
	}
	if rng.IntN(20) == 0 {
		add(10, "search", pick([]string{"install", "price", "backup"}), "", context(), map[string]any{"count": rng.IntN(9)})
	}
	s.visits = append(s.visits, v)
	return batch
}

// segment sends pages and tracks in batches.
func (s *seed) segment(srv *sdk, rng *rand.Rand, n int) {
	key := base64.StdEncoding.EncodeToString([]byte(srv.keys().WriteKey + ":"))
	var batch []map[string]any
	for i := range n {
		at := s.now.Add(-time.Duration(rng.IntN(25*24*60)) * time.Minute).Truncate(time.Second)
		person := fmt.Sprintf("ada-%d", i%70)
		e := map[string]any{"type": "page", "userId": person, "timestamp": at.UTC().Format(time.RFC3339), "properties": map[string]any{"url": "https://shop.example/pricing", "path": "/pricing", "title": "Prices"}}
		sent := seedEvent{"segment", "page", "", person, "/pricing", at}
		switch i % 10 {
		case 0:
			e = map[string]any{"type": "identify", "userId": person, "timestamp": e["timestamp"], "traits": map[string]any{"name": "Ada " + strconv.Itoa(i), "plan": "pro"}}
			sent = seedEvent{"segment", "identify", "", person, "", at}
		case 1, 2:
			e = map[string]any{"type": "track", "event": "signup", "userId": person, "timestamp": e["timestamp"], "properties": map[string]any{"plan": "pro"}}
			sent = seedEvent{"segment", "track", "signup", person, "", at}
		}
		batch = append(batch, e)
		s.events = append(s.events, sent)
		if len(batch) == 250 || i == n-1 {
			srv.post("/v1/batch", map[string]string{"Authorization": "Basic " + key, "Content-Type": "application/json"}, map[string]any{"batch": batch})
			batch = nil
		}
	}
}

// matomo sends visits of nine page views and an order in one bulk request.
func (s *seed) matomo(srv *sdk, rng *rand.Rand, n int) {
	var requests []string
	var at time.Time
	for i := range n {
		if at = at.Add(time.Minute); i%10 == 0 {
			at = s.now.Add(-time.Duration(1+rng.IntN(25*24)) * time.Hour).Truncate(time.Hour)
		}
		q := url.Values{"idsite": {"1"}, "rec": {"1"}, "_id": {fmt.Sprintf("%016x", 1000+i/10)}, "ua": {seedAgent}, "cip": {"193.0.6.139"}, "cdt": {at.UTC().Format(time.DateTime)}, "url": {"https://shop.example/docs"}}
		sent := seedEvent{"matomo", "page", "Docs", fmt.Sprint(i / 10), "/docs", at}
		if i%10 == 9 {
			q.Set("idgoal", "0")
			q.Set("ec_id", fmt.Sprint("order-", i))
			q.Set("revenue", "42.5")
			q.Set("ec_items", `[["SKU1","A cairn of five stones","Stones",20,1],["SKU2","A pebble","Stones",22.5,1]]`)
			sent.typ, sent.page = "order", ""
		} else {
			q.Set("action_name", "Docs")
		}
		requests = append(requests, "?"+q.Encode())
		s.events = append(s.events, sent)
	}
	srv.post("/matomo.php", map[string]string{"Content-Type": "application/json"}, map[string]any{"requests": requests, "token_auth": srv.keys().TokenAuth})
}

// oneByOne sends what the other protocols take one by one, several at a time.
func (s *seed) oneByOne(srv *sdk, n map[string]int) {
	k := srv.keys()
	type request struct {
		method, path string
		header       map[string]string
		body         string
	}
	var list []request
	for i := range n["openpanel"] {
		list = append(list, request{"POST", "/track", map[string]string{"openpanel-client-id": k.ClientID, "openpanel-client-secret": k.ClientSecret, "openpanel-client-ip": "129.6.15." + strconv.Itoa(i%200+1), "Content-Type": "application/json"},
			`{"type":"track","payload":{"name":"screen_view","properties":{"__path":"https://shop.example/app/` + strconv.Itoa(i) + `","__title":"App"}}}`})
		s.events = append(s.events, seedEvent{"openpanel", "page", "screen_view", "", "/app/" + strconv.Itoa(i), s.now})
	}
	for i := range n["opentracker"] {
		list = append(list, request{"GET", fmt.Sprintf("/?si=default&ti=Hello&uid=%032x&level=%d", 1+i%50, i%7), nil, ""})
		s.events = append(s.events, seedEvent{"opentracker", "track", "Hello", fmt.Sprint(i % 50), "", s.now})
	}
	for i := range n["oppizi"] {
		list = append(list, request{"POST", "/tracking/events", map[string]string{"Authorization": "Bearer " + k.SecretKey, "Content-Type": "application/json"},
			fmt.Sprintf(`{"eventName":"Purchase","value":%d,"userId":"u%d","metadata":{"orderId":%d}}`, i, i%40, i)})
		s.events = append(s.events, seedEvent{"oppizi", "track", "Purchase", fmt.Sprint("u", i%40), "", s.now})
	}
	// Connections are kept: a new one for each would be most of the work.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	work := make(chan request)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for r := range work {
				req, err := http.NewRequest(r.method, srv.url()+r.path, strings.NewReader(r.body))
				if err != nil {
					srv.Error(err)
					continue
				}
				req.Header.Set("User-Agent", seedAgent)
				for name, value := range r.header {
					req.Header.Set(name, value)
				}
				res, err := client.Do(req)
				if err != nil {
					srv.Error(err)
					continue
				}
				res.Body.Close()
				if res.StatusCode/100 != 2 {
					srv.Errorf("%s %s: %d", r.method, r.path, res.StatusCode)
				}
			}
		})
	}
	for _, r := range list {
		work <- r
	}
	close(work)
	all.Wait()
}

// post sends JSON, all of which must be taken.
func (s *sdk) post(path string, header map[string]string, body any) {
	s.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	h := http.Header{"User-Agent": {"a-server/1"}}
	for name, value := range header {
		h.Set(name, value)
	}
	status, answer, err := request("POST", s.url()+path, h, string(text))
	if err != nil || status/100 != 2 || status == 207 {
		s.Fatalf("POST %s: %d %v %.500s", path, status, err, answer)
	}
}

// sow starts a server with the seeded site. No event is refused, excluded or a duplicate.
func sow(t *testing.T) (*sdk, *seed) {
	t.Helper()
	sown := newSeed(time.Now())
	s := newDashboard(t, seedConfig(sown.zone))
	sown.send(s)
	want := map[string]int{}
	for _, e := range sown.events {
		want[e.dialect]++
	}
	for dialect, n := range want {
		var count struct{ Events int }
		if s.get("/api/v1/count?dialect="+dialect, &count); count.Events != n {
			t.Fatalf("%s: %d events, want %d", dialect, count.Events, n)
		}
	}
	if len(sown.events) != seedEvents {
		t.Fatalf("%d events were sent", len(sown.events))
	}
	return s, sown
}
