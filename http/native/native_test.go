package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/adminlog"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// These tests hold the promise of the native routes: each asks the engine exactly what the
// query says, answers as openapi.json describes, and names the parameter that it refuses.

// call handles a native request as the server does: it calls Read or Act, and passes an error
// to Reply.
func call(t testing.TB, n *nativetest.Engine, zone, method, target string) *dialect.Response {
	t.Helper()
	return callIn(t, n, zone, new(fakeControl), method, target, "", "")
}

// callWith is call with a process, nil for none, and a body.
func callWith(t testing.TB, n *nativetest.Engine, process *fakeControl, method, target, form, body string) *dialect.Response {
	t.Helper()
	return callIn(t, n, "UTC", process, method, target, form, body)
}

func callIn(t testing.TB, n *nativetest.Engine, zone string, process *fakeControl, method, target, form, body string) *dialect.Response {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "snapshots")
	api := New(Options{Engine: n, Backups: n, Sinks: n, SnapshotDir: func() string { return dir },
		Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay + 123).In(loc) }})
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: loc}}
	blog := &dialect.Site{Site: query.Site{ID: 2, Name: "blog", Location: loc}}
	api.options.Sites = func() []*dialect.Site { return []*dialect.Site{site, blog} }
	if process != nil {
		api.options.Control, api.options.Keyring = process, process
		api.options.Note = func(_ *dialect.Request, e adminlog.Entry) { process.noted = append(process.noted, e) }
	}
	path, raw, _ := strings.Cut(target, "?")
	req := &dialect.Request{Method: method, Path: path, RawQuery: raw, Site: site, Body: []byte(body), Header: func(name string) string {
		if name == "Content-Type" {
			return form
		}
		return ""
	}}
	res := &dialect.Response{}
	if method != "GET" {
		err = api.Act(t.Context(), req, res)
	} else {
		err = api.Read(t.Context(), req, nil, res)
	}
	if err != nil {
		if res.Status != 0 || len(res.Body) != 0 {
			t.Fatalf("%s: an error after a part of the answer was written: %q", target, res.Body)
		}
		api.Reply(req, res, failureOf(err))
	}
	if res.Stream == nil && (res.ContentType != "application/json" || !json.Valid(res.Body)) {
		t.Fatalf("%s: not JSON: %q", target, res.Body)
	}
	return res
}

// Each row is a request and the question that the engine gets.
func TestQuestions(t *testing.T) {
	for _, c := range []struct{ name, zone, target, asked string }{
		{"all events", "UTC", "/api/v1/events", `list shop limit 100`},
		{"every kind of filter", "UTC", "/api/v1/events?name=a&user=b&anonymous=c&session=d&group=e&type=order&dialect=matomo&value=1&message_id=m&country=NL&utm_source=x&prop.plan=pro&extra.k.l=v",
			`list shop name=["a"] user=["b"] anonymous=["c"] session=["d"] group=["e"] type=["order"] dialect=["matomo"] value=["1"] message_id=["m"] country=["NL"] utm_source=["x"] prop.plan=["pro"] extra.k.l=["v"] limit 100`},
		{"a repeated filter is one condition with OR", "UTC", "/api/v1/events?name=a&country=NL&name=b&name=a", `list shop name=["a" "b"] country=["NL"] limit 100`},
		{"commas do not separate values", "UTC", "/api/v1/events?value=1,2", `list shop value=["1,2"] limit 100`},
		{"percent and plus", "UTC", "/api/v1/events?name=caf%C3%A9+au%20lait%2B&prop.a%3Db=%26", `list shop name=["café au lait+"] prop.a=b=["&"] limit 100`},
		{"dots in a path", "UTC", "/api/v1/events?prop.a..b.=1&prop.c.d=2", `list shop prop.a..b.=["1"] prop.c.d=["2"] limit 100`},
		{"an empty property", "UTC", "/api/v1/events?prop.k=", `list shop prop.k=[""] limit 100`},
		{"a key without =", "UTC", "/api/v1/events?prop.k&&", `list shop prop.k=[""] limit 100`},
		{"order, limit, after", "UTC", "/api/v1/events?order=asc&limit=20&after=" + nativetest.SomeID, `list shop asc limit 20 after ` + nativetest.SomeID},
		{"empty single parameters are ignored", "UTC", "/api/v1/events?order=&limit=&after=&from=&to=&site=", `list shop limit 100`},
		{"milliseconds", "UTC", "/api/v1/events?from=1795860000123&to=1795860000124", `list shop [1795860000123,1795860000124) limit 100`},
		{"seconds and nanoseconds", "UTC", "/api/v1/events?from=1795860000.5&to=1795860001000000000", `list shop [1795860000500,1795860001000) limit 100`},
		{"RFC 3339", "UTC", "/api/v1/events?from=2026-11-21T01:00:00%2B01:00&to=2026-11-21T00:00:00.5Z", fmt.Sprintf(`list shop [%d,%d) limit 100`, nativetest.SomeDay, nativetest.SomeDay+500)},
		{"a plus that was not encoded", "UTC", "/api/v1/events?from=2026-11-21T01:00:00+01:00", fmt.Sprintf(`list shop [%d,0) limit 100`, nativetest.SomeDay)},
		{"less than a millisecond", "UTC", "/api/v1/events?from=2026-11-21T00:00:00.0001Z", fmt.Sprintf(`list shop [%d,0) limit 100`, nativetest.SomeDay+1)},
		{"a day in UTC", "UTC", "/api/v1/events?from=2026-11-21&to=2026-11-21", fmt.Sprintf(`list shop [%d,%d) limit 100`, nativetest.SomeDay, nativetest.SomeDay+86_400_000)},
		{"a day in Amsterdam", "Europe/Amsterdam", "/api/v1/count?from=2026-11-21&to=2026-11-21", fmt.Sprintf(`count shop [%d,%d)`, nativetest.SomeDay-3_600_000, nativetest.SomeDay-3_600_000+86_400_000)},
		{"a day of 25 hours", "Europe/Amsterdam", "/api/v1/count?from=2026-10-25&to=2026-10-25", `count shop [1792879200000,1792969200000)`},
		{"count", "UTC", "/api/v1/count?name=a", `count shop name=["a"]`},
		{"count of events", "UTC", "/api/v1/count?metrics=events", `count shop metrics 1`},
		{"count of the others", "UTC", "/api/v1/count?metrics=sessions,users", `count shop metrics 110`},
		{"series", "Europe/Amsterdam", "/api/v1/series?name=a", `series day Europe/Amsterdam shop name=["a"]`},
		{"series by week", "UTC", "/api/v1/series?interval=week", `series week UTC shop`},
		{"one event", "UTC", "/api/v1/events/" + nativetest.SomeID, "event " + nativetest.SomeID},
		{"properties", "UTC", "/api/v1/counters", `counters shop property= values=[] segment= times=0,0 days=0,0 sort=events limit=100 offset=0`},
		{"counters of days", "Europe/Amsterdam", "/api/v1/counters?property=country&from=2026-11-01&to=2026-11-21", `counters shop property=country values=[] segment= times=0,0 days=20758,20778 sort=events limit=100 offset=0`},
		{"counters from a day on", "UTC", "/api/v1/counters?property=country&from=2026-11-21", `counters shop property=country values=[] segment= times=0,0 days=20778,2932896 sort=events limit=100 offset=0`},
		{"counters up to a day", "UTC", "/api/v1/counters?property=country&to=2026-11-21", `counters shop property=country values=[] segment= times=0,0 days=0,20778 sort=events limit=100 offset=0`},
		{"counters of 1970-01-01", "UTC", "/api/v1/counters?property=country&to=1970-01-01", `counters shop property=country values=[] segment= times=0,86400000 days=0,0 sort=events limit=100 offset=0`},
		{"counters of hours", "UTC", "/api/v1/counters?property=country&from=2026-11-21&to=2026-11-21T12:00:00Z", fmt.Sprintf(`counters shop property=country values=[] segment= times=%d,%d days=0,0 sort=events limit=100 offset=0`, nativetest.SomeDay, nativetest.SomeDay+43_200_000)},
		{"a property split by a segment", "UTC", "/api/v1/counters?property=plan&value=pro&value=free&segment=country&sort=users&limit=5", `counters shop property=plan values=["pro" "free"] segment=country times=0,0 days=0,0 sort=users limit=5 offset=0`},
		{"the key's own site", "UTC", "/api/v1/count?site=shop", `count shop`},
		{"users", "UTC", "/api/v1/users?limit=2&after=" + nativetest.SomeID, `users shop limit 2 after ` + nativetest.SomeID},
		{"a user", "UTC", "/api/v1/users/u-1", "user u-1"},
		{"a user with a slash, a percent and a plus", "UTC", "/api/v1/users/a%2Fb%25+c", "user a/b%+c"},
		{"a user in UTF-8", "UTC", "/api/v1/users/%E2%82%AC", "user €"},
		{"a user named events", "UTC", "/api/v1/users/events", "user events"},
		{"a user's events", "UTC", "/api/v1/users/a%2Fb/events?name=x&order=asc", `list shop name=["x"] user=["a/b"] asc limit 100`},
		{"sessions", "UTC", "/api/v1/sessions?user=u-1&anonymous=a&from=1795860000&to=1795860001&limit=3", `sessions shop user=["u-1"] anonymous=["a"] [1795860000000,1795860001000) limit 3`},
		{"a session", "UTC", "/api/v1/sessions/s-1", "session s-1"},
		{"a group", "UTC", "/api/v1/groups/g%20-1", "group g -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := nativetest.Full()
			res := call(t, n, c.zone, "GET", c.target)
			if res.Status != 200 || n.Asked != c.asked {
				t.Fatalf("%d %.200s\nasked %s\nwant  %s", res.Status, res.Body, n.Asked, c.asked)
			}
		})
	}
}

// Each row is a request and its exact answer.
func TestAnswers(t *testing.T) {
	for _, c := range []struct{ name, target, want string }{
		{"event", "/api/v1/events/" + nativetest.SomeID, `{"id":"` + nativetest.SomeID + `","seq":42,"site":"shop","dialect":"native","type":"order","name":"order \u003c1\u003e","time":"2026-11-21T00:00:00.001Z","received":"2026-11-21T00:00:00.002Z","user":"u-1","anonymous":"a-1","session":"s-1","previous":"p-1","groups":["g-1"],"message_id":"m-1","value":12.50,"properties":{"plan":"pro","seats":3,"tags":["a",{"b":null}],"trial":true},"context":{"country":"NL","latitude":52.1,"bot":false},"increments":{"seats":3},"segments":["plan"],"counted":false,"extra":{"integrations":{"All":true}}}`},
		{"count", "/api/v1/count", `{"events":3,"users":2,"sessions":1}`},
		{"count of events", "/api/v1/count?metrics=events", `{"events":3}`},
		{"count of people", "/api/v1/count?metrics=sessions,users", `{"users":2,"sessions":1}`},
		{"series of users", "/api/v1/series?interval=hour&metrics=users", `{"interval":"hour","buckets":[{"time":"2026-11-21T00:00:00.000Z","users":2},{"time":"2026-11-21T01:00:00.000Z","users":0}]}`},
		{"counters of sessions", "/api/v1/counters?property=plan&metrics=sessions&sort=sessions", `{"rows":[{"value":"pro","sessions":2},{"value":"free","sessions":0}],"total":{"sessions":2},"next":null}`},
		{"counters of two", "/api/v1/counters?property=plan&metrics=users,events", `{"rows":[{"value":"pro","events":-5,"users":1},{"value":"free","events":4,"users":0}],"total":{"events":-1,"users":1},"next":null}`},
		{"series", "/api/v1/series?interval=hour", `{"interval":"hour","buckets":[{"time":"2026-11-21T00:00:00.000Z","events":3,"users":2,"sessions":1},{"time":"2026-11-21T01:00:00.000Z","events":0,"users":0,"sessions":0}]}`},
		{"counters", "/api/v1/counters?property=plan", `{"rows":[{"value":"pro","events":-5,"sessions":2,"users":1},{"value":"free","events":4,"sessions":0,"users":0}],"total":{"events":-1,"sessions":2,"users":1},"next":null}`},
		{"properties", "/api/v1/counters", `{"rows":[{"value":"pro","values":9,"events":-5,"sessions":2,"users":1},{"value":"free","values":1,"events":4,"sessions":0,"users":0}],"total":{"events":-1,"sessions":2,"users":1},"next":null}`},
		{"cross", "/api/v1/counters?property=plan&segment=country", `{"rows":[{"value":"pro","segment":"NL","events":-5,"sessions":2,"users":1},{"value":"free","segment":"","events":4,"sessions":0,"users":0}],"total":{"events":-1,"sessions":2,"users":1},"next":null}`},
		{"user", "/api/v1/users/u-1", `{"id":"u-1","properties":{"plan":"pro"},"aliases":["old"],"anonymous":["a-1"],"groups":["g-1"],"first_seen":"2026-11-21T00:00:00.000Z","last_seen":"2026-11-21T00:00:00.005Z","events":9,"sessions":2}`},
		{"users", "/api/v1/users", `{"users":[{"id":"u-1","properties":{"plan":"pro"},"aliases":["old"],"anonymous":["a-1"],"groups":["g-1"],"first_seen":"2026-11-21T00:00:00.000Z","last_seen":"2026-11-21T00:00:00.005Z","events":9,"sessions":2},{"id":"u-2","properties":{},"aliases":[],"anonymous":[],"groups":[],"first_seen":"1970-01-01T00:00:00.000Z","last_seen":"1970-01-01T00:00:00.000Z","events":0,"sessions":0}],"next":null}`},
		{"session", "/api/v1/sessions/s-1", `{"id":"s-1","key":"` + nativetest.SomeID + `","user":"u-1","anonymous":"a-1","dialect":"matomo","start":"2026-11-21T00:00:00.000Z","end":"2026-11-21T00:01:01.999Z","duration":61,"events":4,"actions":3,"entry":"/in","exit":"/out","bounce":false,"referrer":"https://x.example/","referrer_type":"website","campaign":"c","goals":["signup"],"orders":["o-1"],"cart":"c-1"}`},
		{"group", "/api/v1/groups/g-1", `{"id":"g-1","type":"company","name":"Acme","properties":{"size":9},"members":["u-1","u-2"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := call(t, nativetest.Full(), "UTC", "GET", c.target)
			if res.Status != 200 || string(res.Body) != c.want+"\n" {
				t.Fatalf("%d\n got %s\nwant %s", res.Status, res.Body, c.want)
			}
		})
	}
}

// The answer to a refused request names the invalid field.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, c := range []struct {
		target string
		status int
		field  string
	}{
		{"/api/v1/events?nmae=x", 400, "nmae"},
		{"/api/v1/events?Name=x", 400, "Name"},
		{"/api/v1/events?=x", 400, ""},
		{"/api/v1/events?prop.=x", 400, "prop."},
		{"/api/v1/events?prop=x", 400, "prop"},
		{"/api/v1/events?context.colour=red", 400, "context.colour"},
		{"/api/v1/events?prop." + long + "=x", 400, ("prop." + long)[:128]},
		{"/api/v1/events?%zz=x", 400, "%zz"},
		{"/api/v1/events?name=%zz", 400, "name"},
		{"/api/v1/events?name=%ff", 400, "name"},
		{"/api/v1/events?name=", 400, "name"},
		{"/api/v1/events?country=", 400, "country"},
		{"/api/v1/events?type=clicked", 400, "type"},
		{"/api/v1/events?dialect=plausible", 400, "dialect"},
		{"/api/v1/events?limit=0", 400, "limit"},
		{"/api/v1/events?limit=1001", 400, "limit"},
		{"/api/v1/events?limit=-1", 400, "limit"},
		{"/api/v1/events?limit=1e2", 400, "limit"},
		{"/api/v1/events?limit=%2B5", 400, "limit"},
		{"/api/v1/events?limit=99999999999999999999", 400, "limit"},
		{"/api/v1/events?limit=1&limit=2", 400, "limit"},
		{"/api/v1/events?order=up", 400, "order"},
		{"/api/v1/events?after=x", 400, "after"},
		{"/api/v1/events?after=" + strings.ToUpper(nativetest.SomeID), 400, "after"},
		{"/api/v1/events?from=yesterday", 400, "from"},
		{"/api/v1/events?from=2026-02-30", 400, "from"},
		{"/api/v1/events?from=2026-11-21T25:00:00Z", 400, "from"},
		{"/api/v1/events?from=2026-11-21T00:00:00", 400, "from"},
		{"/api/v1/events?from=-5", 400, "from"},
		{"/api/v1/events?from=1969-12-31", 400, "from"},
		{"/api/v1/events?to=99999999999999999", 400, "to"},
		{"/api/v1/events?to=99999999999999999999999", 400, "to"},
		{"/api/v1/events?to=0", 400, "to"},
		{"/api/v1/events?from=1795860000&to=1795860000000", 400, "to"},
		{"/api/v1/events?from=1000", 400, "from"},
		{"/api/v1/events?from=17958600000", 400, "from"},
		{"/api/v1/events?to=1.79586e9", 400, "to"},
		{"/api/v1/events?from=2026-11-21&to=2026-11-20", 400, "to"},
		{"/api/v1/events?" + strings.Repeat("name=x&", queryPairsMax+1), 400, ""},
		{"/api/v1/count?limit=5", 400, "limit"},
		{"/api/v1/count?order=asc", 400, "order"},
		{"/api/v1/series?interval=year", 400, "interval"},
		{"/api/v1/counters?value=x", 400, "value"},
		{"/api/v1/counters?segment=x", 400, "segment"},
		{"/api/v1/counters?property=x&sort=name", 400, "sort"},
		{"/api/v1/counters?property=x&sort=users&metrics=events,sessions", 400, "sort"},
		{"/api/v1/count?metrics=visits", 400, "metrics"},
		{"/api/v1/count?metrics=events,", 400, "metrics"},
		{"/api/v1/events?metrics=events", 400, "metrics"},
		{"/api/v1/counters?property=x&after=AAAAAAAA", 400, "after"},
		{"/api/v1/counters?property=x&value!=y", 400, "value"},
		{"/api/v1/users?order=asc", 400, "order"},
		{"/api/v1/users?sort=last&after=" + nativetest.SomeID, 400, "after"},
		{"/api/v1/users?sort=id", 400, "sort"},
		{"/api/v1/users/u-1?limit=1", 400, "limit"},
		{"/api/v1/users/u-1/events?user=u-2", 400, "user"},
		{"/api/v1/sessions?order=asc", 400, "order"},
		{"/api/v1/events/" + nativetest.SomeID + "?x=1", 400, "x"},
		{"/api/v1/events?site=blog", 404, "site"},
		{"/api/v1/events/" + nativetest.SomeID + "?site=blog", 404, "site"},
		{"/api/v1/events?site=shop&site=blog", 400, "site"},
		{"/api/v1/events/short", 404, ""},
		{"/api/v1/events/", 404, ""},
		{"/api/v1/users/", 404, ""},
		{"/api/v1/users//events", 404, ""},
		{"/api/v1/users/%zz", 404, ""},
		{"/api/v1/users/" + long, 404, ""},
		{"/api/v1/users/a/b", 404, ""},
		{"/api/v1/users/u-1/events/", 404, ""},
		{"/api/v1/nothing", 404, ""},
		{"/api/v1/admin/snapshot", 404, ""},
	} {
		n := nativetest.Full()
		res := call(t, n, "UTC", "GET", c.target)
		got := errorOf(t, res)
		if res.Status != c.status || got.Field != c.field {
			t.Errorf("%.80s: %d %s", c.target, res.Status, res.Body)
		}
		if n.Asked != "" {
			t.Errorf("%.80s: the engine was asked %s", c.target, n.Asked)
		}
	}
}

type nativeError struct {
	Error  string
	Field  string
	Status int
}

func errorOf(t testing.TB, res *dialect.Response) nativeError {
	t.Helper()
	var e nativeError
	if err := json.Unmarshal(res.Body, &e); err != nil || e.Error == "" || e.Status != res.Status {
		t.Fatalf("not an error body: %d %s", res.Status, res.Body)
	}
	return e
}

// sample is a target that a route answers.
func sample(r *route) string {
	return nativetest.Target(r.method, r.path)
}

// Each error of the engine has its status and message on every read.
func TestEngineErrors(t *testing.T) {
	for _, c := range []struct {
		err          error
		list, object int
		text         string
	}{
		{query.ErrNotFound, 404, 404, "not found"},
		{query.ErrBadCursor, 400, 404, ""},
		{fmt.Errorf("%w: too many values", query.ErrBadQuery), 400, 400, "bad query: too many values"},
		{query.ErrQueryTimeout, 503, 503, "query_timeout"},
		{query.ErrStopping, 503, 503, query.ErrStopping.Error()},
		{&query.Damage{File: "000012.sst", Err: errors.New("checksum mismatch")}, 500, 500, "corrupt"},
		{errors.New("open /var/lib/cairn/000012.sst: no such file"), 500, 500, "Internal Server Error"},
	} {
		for _, r := range table {
			if r.read == nil || r.path == adminPath+"rejected" || strings.HasPrefix(r.path, adminPath+"sites") { // these ask nothing of the engine
				continue
			}
			n := nativetest.Full()
			n.Err = c.err
			res := call(t, n, "UTC", "GET", sample(r))
			got := errorOf(t, res)
			want := c.list
			if strings.HasSuffix(r.path, "*") {
				want = c.object
			}
			if res.Status != want || c.text != "" && got.Error != c.text {
				t.Errorf("%s: %v: %d %s", r.path, c.err, res.Status, res.Body)
			}
		}
	}
}

// Each path matches one line of the table, no line has a parameter twice, and no filter is also
// a single parameter.
func TestTable(t *testing.T) {
	if len(routes) != len(table)+1 {
		t.Fatal("routes and table differ")
	}
	if imports := routes[len(table)]; imports.Right != dialect.Manage || imports.Query != "import=1" || imports.Path != sendRoute.path || imports.Body != EventsBodyMax || imports.Auth != dialect.AuthBearer {
		t.Errorf("imports: %+v", imports)
	}
	for i, r := range table {
		if got, ids := routeFor(r.method, strings.ReplaceAll(r.path, "*", "events")); got != r || len(ids) != strings.Count(r.path, "*") {
			t.Errorf("%s %s matches another line of the table", r.method, r.path)
		}
		want := dialect.Write
		if r.read != nil {
			want = dialect.Read
		}
		deletions := strings.HasPrefix(r.path, adminPath+"deletions") || r.path == adminPath+"retention"
		if deletions || r.act != nil && !strings.HasPrefix(r.path, adminPath) {
			want = dialect.Manage
		}
		if strings.HasPrefix(r.path, adminPath) && !deletions || r.path == "/api/v1/sites" {
			want |= dialect.Admin
		}
		if routes[i].Right != want {
			t.Errorf("%s %s: right %v", r.method, r.path, routes[i].Right)
		}
		if routes[i].Auth != dialect.AuthBearer || routes[i].CORS != dialect.CORSNone || routes[i].Reads != (r.read != nil) || routes[i].Acts != (r.act != nil) || r.act != nil && r.read != nil {
			t.Errorf("%s %s: %+v", r.method, r.path, routes[i])
		}
		seen := map[string]bool{}
		for _, p := range r.params.names() {
			if seen[p] {
				t.Errorf("%s: the parameter %s is listed twice", r.path, p)
			}
			seen[p] = true
		}
	}
	// So it is in the query of what is saved.
	seen := map[string]bool{}
	for _, name := range savedParams.names() {
		if seen[name] {
			t.Errorf("%s is listed twice for what is saved", name)
		}
		seen[name] = true
	}
	// A name is of one kind in all calls.
	kinds := map[string]parameterKind{}
	for _, r := range table {
		for _, p := range r.params {
			for _, name := range p.stands() {
				if kind, ok := kinds[name]; ok && kind != p.kind {
					t.Errorf("%s: %s is of two kinds", r.path, name)
				}
				kinds[name] = p.kind
			}
		}
	}
}

// FuzzNativeQuery checks that a query string is refused, or is read as net/url reads it and stays
// within all bounds.
func FuzzNativeQuery(f *testing.F) {
	for _, raw := range []string{
		"", "name=a&name=b&prop.x=1", "from=2026-11-21&to=2026-11-21", "from=1&to=2&limit=5&order=asc",
		"after=" + nativetest.SomeID, "interval=hour", "prop.a%2Eb=%E2%82%AC", "name=%", "type=page&bot=false", "from=2011-12-30&to=2011-12-30",
		"country!=DE&path%7E=/a*&prop.a>=1e2&value<=-0.5&has=prop.plan&has!=user", `prop."a!"!~=x&visit.entry~=/*&visit.has!=source&context.timezone=UTC`,
	} {
		f.Add(raw, "Europe/Amsterdam")
		f.Add(raw, "Pacific/Apia")
	}
	f.Fuzz(func(t *testing.T, raw, zone string) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			loc = time.UTC
		}
		for _, r := range table {
			q, err := parseQuery(raw, r.params)
			if err != nil {
				continue
			}
			want, err := url.ParseQuery(raw)
			if err != nil && !strings.Contains(raw, ";") {
				t.Fatalf("%q: accepted, but net/url refuses it: %v", raw, err)
			}
			for _, c := range q.where {
				name := nameOf(c)
				if c.Op == query.OpHas || c.Op == query.OpHasNot {
					c.Values = []string{c.Field}
				}
				if len(c.Values) == 0 {
					t.Fatalf("%q: %v", raw, c)
				}
				for _, v := range c.Values {
					if again, err := filterOf(r.params, name, v); err != nil || again.Field != c.Field || again.Op != c.Op || again.Visit != c.Visit {
						t.Fatalf("%q: %v; %s=%s is %v, %v", raw, c, name, v, again, err)
					}
				}
				if first, ok := want[name]; ok && !strings.Contains(raw, ";") && !slices.Contains(c.Values, first[0]) {
					t.Fatalf("%q: %v, want %q", raw, c, first[0])
				}
			}
			if r.params.check(&q) != nil {
				continue
			}
			query, err := q.page(&query.Site{Name: "shop", Location: loc})
			if err != nil {
				continue
			}
			if r.params.has("limit") && (query.Limit < 1 || query.Limit > pageMax) || query.From < 0 && q.single["from"] == "" || query.To != 0 && query.From >= query.To || q.single["to"] != "" && query.To == 0 {
				t.Fatalf("%q: %+v", raw, query)
			}
		}
	})
}

// failureOf maps an error of the native API or of the engine to a failure, as the server does.
// It has only the cases that these tests need; see failure.go in http.
func failureOf(err error) dialect.Result {
	result := dialect.Result{Failure: dialect.Internal, Err: errors.New("internal error")}
	var status *dialect.StatusError
	var field *event.FieldError
	switch {
	case errors.As(err, &status):
		result = dialect.Result{Failure: status.Failure, Err: err}
	case errors.As(err, &field), errors.Is(err, query.ErrBadCursor), errors.Is(err, query.ErrBadQuery):
		result = dialect.Result{Failure: dialect.BadRequest, Err: err}
	case errors.Is(err, query.ErrBusy), errors.Is(err, query.ErrStopping), errors.Is(err, query.ErrFailed), errors.Is(err, query.ErrQueryTimeout):
		result = dialect.Result{Failure: dialect.Busy, Err: err}
	case errors.Is(err, query.ErrDiskFull):
		result = dialect.Result{Failure: dialect.DiskFull, Err: err}
	case errors.Is(err, query.ErrConflict):
		result = dialect.Result{Failure: dialect.Conflict, Err: err}
	case errors.Is(err, query.ErrNotFound):
		result = dialect.Result{Failure: dialect.NotFound, Err: err}
	case query.DamageOf(err) != nil:
		result.Err = query.DamageOf(err)
	}
	return result
}

// The value of a cart is a number, as that of its event is.
func TestCartIsANumber(t *testing.T) {
	for cart, want := range map[string]string{"": "null", "25": "25", "25.50": "25.5", "0": "0", "c-1": `"c-1"`} {
		if got := string(appendCart(nil, cart)); got != want {
			t.Errorf("%q: %s, want %s", cart, got, want)
		}
	}
}
