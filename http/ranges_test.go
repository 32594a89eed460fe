package httpd

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/engine"
)

// In Havana the clock goes from 23:59 on 7 March 2026 to 01:00 on the 8th. Every call puts the same
// events on each of these days.
func TestDaysWithoutMidnight(t *testing.T) {
	havana, err := time.LoadLocation("America/Havana")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)
	s := onStore(t, engine.Options{Now: func() time.Time { return now }}, nil, func() *Site {
		site := testSite(1, "shop")
		own := *site.Site
		own.Location = havana
		site.Site = &own
		return site
	}())
	for i, at := range []string{"2026-03-07T23:30:00-05:00", "2026-03-08T01:30:00-04:00", "2026-03-08T23:30:00-04:00"} {
		if got := s.send("POST", "/api/v1/events", fmt.Sprintf(`{"name":"e","time":%q,"anonymous":"a%d","properties":{"p":"v"}}`, at, i), secret); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	for _, day := range []struct {
		date  string
		count int
		start string // of its step
	}{{"2026-03-07", 1, "2026-03-07T00:00:00-05:00"}, {"2026-03-08", 2, "2026-03-08T01:00:00-04:00"}, {"2026-03-09", 0, "2026-03-09T00:00:00-04:00"}} {
		for target, want := range map[string]string{
			"/api/v1/count?from=" + day.date + "&to=" + day.date:                                                                                               fmt.Sprintf(`"events":%d,`, day.count),
			"/export/events?projectId=shop&start=" + day.date + "&end=" + day.date:                                                                             fmt.Sprintf(`"totalCount":%d,`, day.count),
			"/export/events?projectId=shop&start=" + day.date + "T00:00:00&end=" + day.date + "T23:59:59":                                                      fmt.Sprintf(`"totalCount":%d,`, day.count),
			"/insights/shop/metrics?startDate=" + day.date + "&endDate=" + day.date:                                                                            `"series":[{"date":"` + day.start + `"`,
			"/api/counts?site=shop&property=p&from=" + day.date + "&to=" + day.date + "&timeZone=America/Havana&" + readKey:                                    fmt.Sprintf(`"total":{"event":%d,`, day.count),
			"/api/counts?site=shop&property=p&interval=hour&limit=1000&from=" + day.date + "&to=" + day.date + "&timeZone=America/Havana&" + readKey:           fmt.Sprintf(`"total":{"event":%d,`, day.count),
			"/api/views/events?site=shop&limit=1&from=" + day.date + "&to=" + day.date + "&timeZone=America/Havana&" + readKey:                                 `"rows":0`, // native events are not shown there
			"/api/v1/series?interval=day&from=" + day.date + "&to=" + day.date:                                                                                 fmt.Sprintf(`"events":%d,`, day.count),
			"/insights/shop/metrics?startDate=2026-03-02&endDate=" + day.date + "&interval=week&filters=" + url.QueryEscape(`[{"name":"name","value":["e"]}]`): `"series":[{"date":"2026-03-02T00:00:00-05:00"`,
			"/insights/shop/metrics?startDate=2026-03-01T00:00:00&endDate=" + day.date + "T12:00:00&interval=month":                                            `"series":[{"date":"2026-03-01T00:00:00-05:00"`,
		} {
			headers := []string{secret}
			if strings.HasPrefix(target, "/export") || strings.HasPrefix(target, "/insights") {
				headers = []string{clientID, clientSecret}
			}
			if got := s.send("GET", target, "", headers...); got.status != 200 || !strings.Contains(got.body, want) {
				t.Errorf("%s: %d %s\nwant %s", target, got.status, got.body, want)
			}
		}
	}
}

// An event may be up to a day ahead. Who is live now is not who will come. Without to, a range has
// all events, whether it is divided into steps or not.
func TestEventsAhead(t *testing.T) {
	s := withEngine(t, nil)
	tomorrow := time.Now().UTC().Add(23 * time.Hour)
	if got := s.send("POST", "/api/v1/events", `[{"name":"e","anonymous":"a","time":"`+tomorrow.Format(time.RFC3339)+`","properties":{"p":"v"}}]`, secret); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := s.send("GET", "/insights/shop/live", "", clientID, clientSecret); got.body != `{"visitors":0}` {
		t.Errorf("live: %s", got.body)
	}
	if got := s.send("POST", "/api/v1/events", `[{"name":"e","anonymous":"b","properties":{"p":"v"}},{"name":"e","anonymous":"b","properties":{"p":"w"}}]`, secret); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := s.send("GET", "/insights/shop/live", "", clientID, clientSecret); got.body != `{"visitors":1}` {
		t.Errorf("live: %s", got.body)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	type answer struct {
		Data []struct {
			Time  string
			Event int
		}
		Total struct{ Event int }
	}
	ask := func(target string) (a answer) {
		t.Helper()
		got := s.send("GET", "/api/counts?site=shop&property=p&limit=1000&"+readKey+target, "")
		if err := json.Unmarshal([]byte(got.body), &a); err != nil || got.status != 200 {
			t.Fatalf("%s: %d %s", target, got.status, got.body)
		}
		return a
	}
	for _, from := range []string{"", "&from=" + today, "&from=" + today + "T00:00:00Z", "&from=" + today + "&timeZone=Asia/Tokyo"} {
		whole := ask(from)
		for _, interval := range []string{"hour", "day", "week", "month"} {
			steps, sum := ask(from+"&interval="+interval), 0
			for _, row := range steps.Data {
				sum += row.Event
			}
			if whole.Total.Event != sum || steps.Total.Event != sum {
				t.Errorf("%q by %s: %d in the steps, total %d; %d without steps", from, interval, sum, steps.Total.Event, whole.Total.Event)
			}
		}
		if from == "" && whole.Total.Event != 3 {
			t.Errorf("%d events", whole.Total.Event)
		}
	}
}
