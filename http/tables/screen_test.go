package tables

import (
	"net/url"
	"testing"
	"time"

	"cairn/http/native"
)

// The screen of a report shows the same: its range, its filters, and what the analysis looks for.
func TestScreens(t *testing.T) {
	for _, c := range []struct {
		name, query string
		ranged      bool
		want        string
	}{
		{"", "range=lastweek&compare=previous&country=DE&limit=20&site=shop", true, "?compare=previous&country=DE&range=lastweek"},
		{"visits", "by=source&metrics=visits", true, "?range=30d"},
		{"pages", "of=title&path~=/blog/*&sort=views&from=2026-11-01", true, "/pages?from=2026-11-01&of=title&path~=%2Fblog%2F%2A"},
		{"funnel", "step=name%3Da&step=name%3Db&range=7d", true, "/funnels?range=7d&step=name%3Da&step=name%3Db"},
		{"users", "limit=5", false, "/people?range=all"},
		{"live", "bot=false", false, "/live?bot=false"},
		{"site", "", false, ""},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		var q *native.Question
		if c.name != "" {
			one, ok := native.QuestionNamed(c.name)
			if !ok {
				t.Fatal(c.name)
			}
			q = &one
		}
		if got, want := Screen(q, "a/b", query, c.ranged), "/dashboard/site/a%2Fb"+c.want; got != want {
			t.Errorf("%s?%s: %s, not %s", c.name, c.query, got, want)
		}
	}
}

// The days of a report stay what they were.
func TestLasting(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, berlin) }
	for _, c := range []struct {
		from, to    time.Time
		query, want string
	}{
		{at(23, 0), at(30, 0), "name=a&range=lastweek", "from=2026-11-23&name=a&to=2026-11-29"},
		{at(23, 0), at(30, 0), "", "from=2026-11-23&to=2026-11-29"},
		{at(23, 0), at(24, 0), "range=yesterday", "from=2026-11-23&to=2026-11-23"},
		{at(23, 8), at(24, 8), "range=24h", "range=24h"},
		{at(1, 0), at(30, 0), "range=all", "range=all"},
		{time.Time{}, time.Time{}, "limit=1", "limit=1"},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		r := &Report{Zone: berlin, From: c.from, To: c.to}
		if got := r.Lasting(query).Encode(); got != c.want {
			t.Errorf("%s: %s, not %s", c.query, got, c.want)
		}
		if query.Encode() != c.query {
			t.Errorf("%s: the query is changed to %s", c.query, query.Encode())
		}
	}
}
