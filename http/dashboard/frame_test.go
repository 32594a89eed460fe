package dashboard

import (
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// pageAt is a page of a site in a zone at a time.
func pageAt(t *testing.T, zone, now, query string) *page {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	return &page{d: New(Options{Addresses: atRoot{}}), viewer: &Viewer{}, site: &dialect.Site{}, screen: screens[0], base: "/s",
		state: parseState(query), zone: loc, now: at, locale: NewLocale("en", loc, at)}
}

// The arrows go to the ranges beside the one that is shown.
func TestRangesBeside(t *testing.T) {
	for _, c := range []struct{ name, zone, query, before, after string }{
		{"today", "Europe/Berlin", "range=today", "from=2026-11-28&to=2026-11-28", ""},
		{"yesterday", "Europe/Berlin", "range=yesterday", "from=2026-11-27&to=2026-11-27", "from=2026-11-29&to=2026-11-29"},
		{"a week of days", "Europe/Berlin", "from=2026-10-19&to=2026-10-25", "from=2026-10-12&to=2026-10-18", "from=2026-10-26&to=2026-11-01"},
		{"the day on which clocks go back", "Europe/Berlin", "from=2026-10-25&to=2026-10-25", "from=2026-10-24&to=2026-10-24", "from=2026-10-26&to=2026-10-26"},
		{"the day on which clocks go forward", "Europe/Berlin", "from=2026-03-29&to=2026-03-29", "from=2026-03-28&to=2026-03-28", "from=2026-03-30&to=2026-03-30"},
		{"the month before", "Europe/Berlin", "range=lastmonth", "from=2026-09-01&to=2026-09-30", "from=2026-11-01&to=2026-11-30"},
		{"midnight is skipped", "America/Havana", "from=2026-03-08&to=2026-03-08", "from=2026-03-07&to=2026-03-07", "from=2026-03-09&to=2026-03-09"},
		{"hours", "UTC", "from=2026-11-28T10:00:00Z&to=2026-11-28T12:00:00Z", "from=2026-11-28T08:00:00Z&to=2026-11-28T10:00:00Z", "from=2026-11-28T12:00:00Z&to=2026-11-28T14:00:00Z"},
		{"from midnight into a day", "UTC", "from=2026-11-24T00:00:00Z&to=2026-11-25T12:00:00Z", "from=2026-11-22T12:00:00Z&to=2026-11-24", "from=2026-11-25T12:00:00Z&to=2026-11-27"},
	} {
		var f frameView
		pageAt(t, c.zone, "2026-11-29T18:00:00Z", c.query).rangeOf(&f)
		for _, side := range []struct{ what, got, want string }{{"before", f.Before, c.before}, {"after", f.After, c.after}} {
			if side.want == "" && side.got != "" || !strings.HasPrefix(side.got, strings.TrimSuffix("/s?"+side.want, "?")) && side.want != "" {
				t.Errorf("%s: %s is %s, want %s", c.name, side.what, side.got, side.want)
			}
		}
	}
}

// A compared range is named by its whole days, also where one of them has 23 or 25 hours.
func TestNameOfComparedRange(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"whole days", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00", "1 – 31 Oct 2026"},
		{"the next day has 23 hours", "2026-03-01T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "1 – 28 Mar 2026"},
		{"it ends within a day of 25 hours", "2026-10-20T00:00:00+02:00", "2026-10-25T23:30:00+01:00", "20 – 25 Oct 2026"},
		{"hours", "2026-10-01T10:00:00+02:00", "2026-10-01T12:00:00+02:00", "Thu 1 Oct 2026, 10:00 – 12:00"},
	} {
		if got := pageAt(t, "Europe/Berlin", "2026-11-29T18:00:00Z", "").spanText(c.from, c.to); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A range takes the steps of another one only as far as it has not too many of them.
func TestStepsThatFit(t *testing.T) {
	m := madeOverview(plainName)
	for _, c := range []struct {
		query string
		keeps bool
	}{
		{"range=7d&interval=hour", true},
		{"range=12mo&interval=hour", false},
		{"range=90d&interval=minute", false},
		{"range=all&interval=day", true},
		{"from=2020-01-01&to=2026-01-01&interval=day", false},
		{"range=7d&interval=decade", true}, // the API refuses it by its name
	} {
		m.asked = nil
		screenOn(t, m, "?"+c.query)
		if got := m.asks("visits", "interval="+c.query[strings.LastIndexByte(c.query, '=')+1:]); got != c.keeps {
			t.Errorf("%s is asked as it is: %t", c.query, got)
		}
	}
}

// The step that is not over is the running one, whatever came before it, and in every chart.
func TestRunningStep(t *testing.T) {
	for _, c := range []struct {
		name, times string
		partial     []bool
		want        int
	}{
		{"the only one", "2026-11-29", []bool{true}, 0},
		{"the last one", "2026-11-28 2026-11-29", []bool{false, true}, 1},
		{"the range cuts the first one", "2026-11-27 2026-11-28", []bool{true, false}, 2},
		{"of a call that does not tell", "2026-11-28 2026-11-29 2026-11-30", []bool{false, false, false}, 1},
	} {
		p := pageAt(t, "UTC", "2026-11-29T18:00:00Z", "range=7d")
		var steps []step
		for i, date := range strings.Fields(c.times) {
			at, _ := time.Parse(time.DateOnly, date)
			steps = append(steps, step{Time: at, Partial: c.partial[i]})
		}
		if got := p.courseOf(metricOf("events"), "day", steps, nil, nil).Running; got != c.want {
			t.Errorf("%s: step %d is the first that runs, want %d", c.name, got, c.want)
		}
	}
}

// The heading of the chart names the number that it shows.
func TestHeadingOfChart(t *testing.T) {
	m := madeOverview(plainName)
	mustHave(t, screenOn(t, m, "?_metric=conversions"), ">Visitors over time<", "Visitors by day")
	m.answers["saved"] = `{"saved":[{"id":"1","kind":"goal","name":"Sign-up","query":"name=signup","revision":1}]}`
	mustHave(t, screenOn(t, m, "?_metric=conversions"), ">Conversions over time<", "Conversions by day")
}

// Every link holds the whole address, so a long address makes a page that is a thousand times as long.
func TestLongAddress(t *testing.T) {
	m := madeOverview(plainName)
	d := New(Options{Reports: m, Gate: openGate{&Viewer{Sites: []*dialect.Site{{Site: query.Site{Name: "shop"}}}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	for length, status := range map[int]int{stateBytesMax: 414, stateBytesMax / 2: 200} {
		req := &dialect.Request{Method: "GET", Path: "/dashboard/site/shop", RawQuery: "range=7d&country=" + strings.Repeat("x", length), Header: func(string) string { return "" }}
		res := new(dialect.Response)
		d.siteScreen(t.Context(), req, res)
		if res.Status != status {
			t.Errorf("%d bytes: status %d, want %d", length, res.Status, status)
		}
	}
}
