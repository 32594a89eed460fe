package openpanel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// history returns a store with two finished sessions, a live one, and 30 events of a native
// client.
func history(t testing.TB) *dialecttest.Store {
	s := new(dialecttest.Store)
	at := func(text string) int64 {
		when, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return when.UnixMilli()
	}
	page := func(session, when, url string, groups ...string) {
		e := &event.Event{Dialect: event.OpenPanel, Type: event.Page, Name: "screen_view", Anonymous: "d", Session: session, Time: at(when), Groups: groups,
			Context: event.Object{{Key: "url", Value: event.Str(url)}, {Key: "path", Value: event.Str(pathOf(url))}, {Key: "country", Value: event.Str("SE")}}}
		if _, err := s.Add(e, e.Time); err != nil {
			t.Fatal(err)
		}
	}
	page("one", "2026-11-18 23:59:00", "https://shop.example/a?x=1", "acme")
	page("one", "2026-11-18 23:59:59", "https://shop.example/b#c", "beta", "acme")
	page("two", "2026-11-19 08:00:00", "https://shop.example/")
	page("three", "2026-11-20 11:45:00", "https://shop.example/")
	for i := range 30 {
		e := &event.Event{Dialect: event.Native, Type: event.Track, Name: "tick", User: "ada", Time: at("2026-11-17 00:00:00"),
			Properties: event.Object{{Key: "i", Value: event.Num(fmt.Sprint(i))}}}
		if _, err := s.Add(e, received.UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// read answers a GET as the client of the site shop.
func read(t testing.TB, s dialect.Reader, target string) string {
	t.Helper()
	req := request(t, "GET", target, "")
	req.Site = &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}
	req.Find = func(c dialect.Credential) *dialect.Site {
		if c.ID == "blog" || c.ID == "2" {
			return &dialect.Site{Site: query.Site{ID: 2, Name: "blog"}}
		}
		return nil
	}
	var res dialect.Response
	if err := New().Read(t.Context(), req, s, &res); err != nil {
		var chosen *dialect.StatusError
		if errors.As(err, &chosen) {
			return fmt.Sprint(chosen.Failure.Status(), " ", err)
		}
		return err.Error()
	}
	return string(res.Body)
}

// The export adds events for the start and the end of each session.
func TestExportSessions(t *testing.T) {
	s := history(t)
	const start = `{"id":"%s.session_start","name":"session_start","deviceId":"d","profileId":"d","sessionId":"%[1]s","projectId":"shop","createdAt":"%s","path":"%s","duration":0,"city":"","country":"SE","os":"","browser":""}`
	const end = `{"id":"%s.session_end","name":"session_end","deviceId":"d","profileId":"d","sessionId":"%[1]s","projectId":"shop","createdAt":"%s","path":"%s","duration":%d,"city":"","country":"SE","os":"","browser":"","groups":%s,"properties":{"__bounce":%t}}`
	started := []string{
		fmt.Sprintf(start, "three", "2026-11-20T11:44:59.900Z", "/"),
		fmt.Sprintf(start, "two", "2026-11-19T07:59:59.900Z", "/"),
		fmt.Sprintf(start, "one", "2026-11-18T23:58:59.900Z", "/a"),
	}
	ended := []string{
		fmt.Sprintf(end, "two", "2026-11-19T08:00:01.000Z", "/", 0, `[]`, true),
		fmt.Sprintf(end, "one", "2026-11-19T00:00:00.000Z", "/b", 59000, `["acme","beta"]`, false),
	}
	for _, c := range []struct {
		query string
		total int
		lines []string
	}{
		{"event=session_start", 3, started},
		{"event=session_start&limit=2&page=2", 3, started[2:]},
		{"event=session_end&includes=properties,groups", 2, ended},
		// The end of a session is a second after its last event: the next day.
		{"event=session_end&includes=properties,groups&start=2026-11-18&end=2026-11-18", 0, nil},
		{"event=session_end&includes=properties,groups&start=2026-11-19&end=2026-11-19", 2, ended},
		{"event=session_start&start=2026-11-18&end=2026-11-18", 1, started[2:]},
		{"event=session_start&profileId=nobody", 0, nil},
	} {
		got := read(t, s, "/export/events?projectId=shop&"+c.query)
		_, data, _ := strings.Cut(got, `"data":[`)
		if data != strings.Join(c.lines, ",")+"]}" || !strings.Contains(got, fmt.Sprintf(`"totalCount":%d,`, c.total)) {
			t.Errorf("%s:\n got %s\nwant %s", c.query, got, strings.Join(c.lines, ","))
		}
	}
	if got := read(t, s, "/export/events?projectId=shop&event=session_start&event=session_end"); strings.Count(got, "session_start\"") != 6 || strings.Count(got, "session_end\"") != 4 {
		t.Errorf("both: %s", got)
	}
}

// Every event is on exactly one page of the export, at any page size. This also holds for
// filters that the store does not have.
func TestExportPages(t *testing.T) {
	s := history(t)
	for _, c := range []struct {
		query string
		want  int
	}{
		{"", 34},
		{"&event=tick", 30},
		{"&event=", 34},
		{`&filters=[{"name":"properties.i","operator":"gte","value":[10]}]`, 20},
		{`&filters=[{"name":"name","operator":"isNot","value":["tick"]}]`, 4},
	} {
		for _, limit := range []int{1, 7, 1000} {
			seen, lines := map[string]bool{}, 0
			pages := (c.want + limit - 1) / limit
			for page := 1; page <= pages; page++ {
				got := read(t, s, fmt.Sprintf("/export/events?projectId=1&limit=%d&page=%d%s", limit, page, c.query))
				if !strings.HasPrefix(got, fmt.Sprintf(`{"meta":{"count":%d,"totalCount":%d,"pages":%d,"current":%d},`, min(limit, c.want-(page-1)*limit), c.want, pages, page)) {
					t.Fatalf("%s, page %d of %d: %s", c.query, page, limit, got)
				}
				for _, line := range strings.Split(got, `{"id":"`)[1:] {
					seen[line[:32]] = true
					lines++
				}
			}
			if len(seen) != c.want || lines != c.want {
				t.Errorf("%s, limit %d: %d lines, %d events, want %d", c.query, limit, lines, len(seen), c.want)
			}
		}
	}
}

// A client reads only its own project. About another project it learns only whether it exists.
func TestProjects(t *testing.T) {
	s := history(t)
	for target, want := range map[string]string{
		"/export/events?projectId=blog":          "403 the project is another client's",
		"/api/export/events?project_id=2":        "403 the project is another client's",
		"/export/events?projectId=nosuch":        "404 there is no such project",
		"/export/events":                         "projectId: required: the site's name or id",
		"/insights/blog/live":                    "403 the project is another client's",
		"/insights/nosuch/metrics":               "404 there is no such project",
		"/insights/shop/profiles/nobody":         "404 not found",
		"/insights/shop/profiles/nobody/x":       "404 there is nothing here",
		"/insights/shop/profiles/%":              "404 there is nothing here",
		"/insights//live":                        "404 there is nothing here",
		"/export/charts?projectId=shop":          "404 there is nothing here",
		"/insights/shop/profiles/" + long(257):   "404 there is nothing here",
		"/export/events?projectId=" + long(2000): "404 there is no such project",
	} {
		if got := read(t, s, target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// Every query gets an answer or an error that blames the client.
func FuzzRead(f *testing.F) {
	for _, target := range []string{
		"/export/events?projectId=shop&event=a&event=session_end&start=2026-11-19&end=2026-11-20&page=2&limit=3&includes=profile,meta",
		"/insights/shop/metrics?range=12m&interval=week", "/insights/1/metrics?startDate=1970-01-01&endDate=2026-01-01", "/insights/shop/profiles/d/sessions?cursor=x", "/insights/shop/live",
		`/export/events?projectId=shop&filters=[{"name":"properties.i","operator":"regex","value":["^1"]}]`,
	} {
		f.Add(target)
	}
	s := history(f)
	f.Fuzz(func(t *testing.T, target string) {
		path, raw, _ := strings.Cut(target, "?")
		req := &dialect.Request{Method: "GET", Path: path, RawQuery: raw, ReceivedUnixMilli: received.UnixMilli(), Site: &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}}
		var res dialect.Response
		err := New().Read(context.Background(), req, s, &res)
		var chosen *dialect.StatusError
		if err == nil && res.Status != 200 || err != nil && !isField(err) && !errors.As(err, &chosen) {
			t.Fatalf("%q: %d %T %v", target, res.Status, err, err)
		}
	})
}

// hurried is a store that runs out of time after two events of a page.
type hurried struct{ *dialecttest.Store }

func (h hurried) List(ctx context.Context, q query.Query) (query.Page, error) {
	page, err := h.Store.List(ctx, q)
	if len(page.Events) > 2 {
		page.Events, page.Next = page.Events[:2], page.Events[1].ID
	}
	return page, err
}

// Pages have numbers, so a page that is incomplete because time ran out is an error.
func TestExportOutOfTime(t *testing.T) {
	const late = "503 the query took too long; narrow it by event, start and end"
	s := hurried{history(t)}
	if got := read(t, s, "/export/events?projectId=shop&limit=3"); got != late {
		t.Error(got)
	}
	if got := read(t, s, "/export/events?projectId=shop&limit=2"); strings.Count(got, `"sessionId"`) != 2 {
		t.Error(got)
	}
}
