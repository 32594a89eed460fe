package native

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// These tests try the parameters that reports share, on a report that does nothing.

// testReport has all of them.
var testReport = declare(&route{method: "GET", path: "/api/v1/test", right: dialect.Read,
	takes: takesSite | takesFilters | takesRange | takesCompare | takesSeries | takesTable,
	own:   []*param{{name: "by", kind: listKind}, sortBy(false, "visits", "views", "share"), metricsOf("", false, "visits", "views")}})[0]

// fewReport has a series only when it is asked for, of each row.
var fewReport = declare(&route{method: "GET", path: "/api/v1/test", right: dialect.Read,
	takes: takesSite | takesRange | takesSteps | takesTable, own: []*param{sortBy(false, "events")}})[0]

// testNow is when the reports are asked: 2026-11-25T10:20:30.123Z, a Wednesday.
const testNow int64 = 1795602030123

// askTest reads a query string as a report in a zone does, at testNow.
func askTest(t testing.TB, zone, raw string, r *route) (*asked, *reading, error) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	n := New(Options{Engine: nativetest.Full(), Now: func() time.Time { return time.UnixMilli(testNow) }})
	q, err := parseQuery(raw, r.params)
	if err != nil {
		return nil, nil, err
	}
	if err := r.params.check(&q); err != nil {
		return nil, nil, err
	}
	q.now = testNow
	c := &reading{site: &query.Site{ID: 1, Name: "shop", Location: loc}, query: q,
		req: &dialect.Request{Path: "/api/v1/test", Header: func(string) string { return "" }}, res: &dialect.Response{}}
	a, err := n.ask(context.Background(), c)
	return a, c, err
}

func spanText(s query.Span) string {
	return time.UnixMilli(s.From).UTC().Format("2006-01-02T15:04") + " " + time.UnixMilli(s.To).UTC().Format("2006-01-02T15:04")
}

// Each row is a query string and what the engine is asked.
func TestReportQuestions(t *testing.T) {
	for _, c := range []struct{ name, zone, raw, span, compare, series string }{
		{"nothing is asked", "UTC", "", "2026-10-27T00:00 2026-11-26T00:00", "", "day 30"},
		{"today", "UTC", "range=today", "2026-11-25T00:00 2026-11-26T00:00", "", "hour 24"},
		{"today of 25 hours", "Europe/Berlin", "from=2026-10-25&to=2026-10-25", "2026-10-24T22:00 2026-10-25T23:00", "", "hour 25"},
		{"30 minutes", "UTC", "range=30m", "2026-11-25T09:50 2026-11-25T10:20", "", "minute 30"},
		{"all", "UTC", "range=all", "2026-11-20T00:00 2026-11-26T00:00", "", "day 6"},
		{"from alone", "UTC", "from=2026-11-25", "2026-11-25T00:00 2026-11-25T10:20", "", "hour 11"},
		{"to alone", "UTC", "to=2026-11-21", "2026-11-20T00:00 2026-11-22T00:00", "", "hour 48"},
		{"to before the first event", "UTC", "to=2026-10-01", "2026-10-01T00:00 2026-10-02T00:00", "", "hour 24"},
		{"the last day there is", "UTC", "from=9999-12-31&to=9999-12-31&interval=none", "9999-12-31T00:00 9999-12-31T23:59", "", ""},
		{"the last day, west of it", "America/New_York", "from=9999-12-31&to=9999-12-31&interval=none", "9999-12-31T05:00 9999-12-31T23:59", "", ""},
		{"a year", "UTC", "from=2025-01-01&to=2025-12-31", "2025-01-01T00:00 2026-01-01T00:00", "", "week 53"},
		{"two years", "UTC", "from=2024-01-01&to=2025-12-31", "2024-01-01T00:00 2026-01-01T00:00", "", "month 24"},
		{"no series", "UTC", "range=7d&interval=none", "2026-11-19T00:00 2026-11-26T00:00", "", ""},
		{"an interval", "UTC", "range=7d&interval=week", "2026-11-19T00:00 2026-11-26T00:00", "", "week 2"},
		{"previous", "UTC", "range=today&compare=previous", "2026-11-25T00:00 2026-11-26T00:00", "2026-11-24T00:00 2026-11-24T10:20 steps 11", "hour 24"},
		{"the year before", "Europe/Berlin", "range=month&compare=year&interval=none", "2026-10-31T23:00 2026-11-25T23:00", "2025-10-31T23:00 2025-11-25T10:20 steps 0", ""},
		{"a given range", "UTC", "from=2026-11-01&to=2026-11-02&compare=2026-10-01..2026-10-31&interval=day", "2026-11-01T00:00 2026-11-03T00:00", "2026-10-01T00:00 2026-11-01T00:00 steps 31", "day 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, err := askTest(t, c.zone, c.raw, testReport)
			if err != nil {
				t.Fatal(err)
			}
			compare, series := "", ""
			if a.Compare != nil {
				compare = fmt.Sprintf("%s steps %d", spanText(*a.Compare), len(a.CompareSteps))
			}
			if a.Interval != "" {
				series = fmt.Sprintf("%s %d", a.Interval, len(a.Steps))
			}
			if spanText(a.Span) != c.span || compare != c.compare || series != c.series {
				t.Errorf("%q %q %q\nwant %q %q %q", spanText(a.Span), compare, series, c.span, c.compare, c.series)
			}
			if a.Now != testNow || a.Site.Name != "shop" {
				t.Errorf("now %d, site %s", a.Now, a.Site.Name)
			}
		})
	}
}

// Which rows are shown, and in which order.
func TestReportRows(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"", "visits desc limit 10 metrics [visits views]"},
		{"sort=views&limit=1000&at_least=5&search=a*", "views desc limit 1000 at least 5 search a* metrics [visits views]"},
		{"sort=value", "value asc limit 10 metrics [visits views]"},
		{"sort=value&order=desc", "value desc limit 10 metrics [visits views]"},
		{"sort=share&order=asc", "share asc limit 10 metrics [visits views]"},
		{"metrics=views", "views desc limit 10 metrics [views]"},
		{"metrics=views,visits&max_age=3600", "visits desc limit 10 metrics [visits views] age 1h0m0s"},
		{"metrics=views&sort=value", "value asc limit 10 metrics [views]"},
		{"format=csv&limit=3", "visits desc limit 1048576 metrics [visits views] csv"},
	} {
		a, _, err := askTest(t, "UTC", c.raw, testReport)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		var b strings.Builder
		order := map[bool]string{true: "asc", false: "desc"}[a.Ascending]
		fmt.Fprintf(&b, "%s %s limit %d", a.Sort, order, a.Limit)
		if a.AtLeast > 0 {
			fmt.Fprintf(&b, " at least %d", a.AtLeast)
		}
		if a.Search != "" {
			fmt.Fprintf(&b, " search %s", a.Search)
		}
		fmt.Fprintf(&b, " metrics %v", a.Metrics)
		if a.MaxAge > 0 {
			fmt.Fprintf(&b, " age %s", a.MaxAge)
		}
		if a.CSV {
			b.WriteString(" csv")
		}
		if b.String() != c.want {
			t.Errorf("%s: %s\nwant %s", c.raw, b.String(), c.want)
		}
	}
}

// Every wrong value of a common parameter is refused by the parameter's name, with a sentence.
func TestReportRefusals(t *testing.T) {
	other, _, err := askTest(t, "UTC", "range=7d", testReport)
	if err != nil {
		t.Fatal(err)
	}
	ofOther := string(appendCounterCursor(nil, 10, other.cursor))
	for _, c := range []struct{ raw, field string }{
		{"range=8d", "range"}, {"range=Today", "range"}, {"range=7d&range=7d", "range"}, {"range=7d&from=2026-11-01", "range"}, {"range=7d&to=2026-11-01", "range"},
		{"from=x", "from"}, {"to=x", "to"}, {"from=2026-11-02&to=2026-11-01", "to"}, {"from=2026-11-26", "from"},
		{"compare=last", "compare"}, {"compare=previous&range=all", "compare"}, {"compare=2026-11-01..", "compare"}, {"compare=..2026-11-01", "compare"},
		{"compare=2026-11-02..2026-11-01", "compare"}, {"compare=2026-11-01..2026-11-02..2026-11-03", "compare"},
		{"compare=2020-01-01..2025-01-01&range=lastweek&interval=hour", "compare"},
		{"interval=second", "interval"}, {"interval=minute", "interval"}, {"range=90d&interval=hour", "interval"}, {"from=1970-01-01&to=2060-01-01", "interval"},
		{"limit=0", "limit"}, {"limit=1001", "limit"}, {"limit=ten", "limit"}, {"limit=-1", "limit"}, {"limit=1e2", "limit"},
		{"after=x", "after"}, {"after=" + ofOther, "after"}, {"after=" + nativetest.SomeID, "after"}, {"range=7d&format=csv&after=" + ofOther, "after"},
		{"search=" + strings.Repeat("*", 4096), "search"},
		{"sort=bounces", "sort"}, {"sort=views&metrics=visits", "sort"}, {"order=up", "order"},
		{"at_least=-1", "at_least"}, {"at_least=1.5", "at_least"}, {"at_least=99999999999999999999", "at_least"},
		{"max_age=-1", "max_age"}, {"max_age=3601", "max_age"}, {"max_age=10s", "max_age"},
		{"format=xml", "format"}, {"format=CSV", "format"},
		{"metrics=visits,", "metrics"}, {"metrics=users", "metrics"},
		{"unknown=1", "unknown"}, {"goal=x", "goal"},
	} {
		_, _, err := askTest(t, "UTC", c.raw, testReport)
		bad, ok := err.(*dialect.StatusError)
		if !ok || bad.Failure != dialect.BadRequest || bad.Field != c.field || !strings.HasPrefix(bad.Msg, c.field+": ") {
			t.Errorf("%.60s: %v", c.raw, err)
		}
	}
	if _, _, err := askTest(t, "UTC", "interval=day&limit=21", fewReport); err == nil || err.(*dialect.StatusError).Field != "limit" {
		t.Errorf("21 rows with a series each: %v", err)
	}
	if _, _, err := askTest(t, "UTC", "interval=day&limit=20", fewReport); err != nil {
		t.Error(err)
	}
	if a, _, err := askTest(t, "UTC", "limit=21", fewReport); err != nil || a.Interval != "" {
		t.Errorf("a series that nobody asked for: %v %v", a, err)
	}
}

// A cursor opens the next page of its own query alone. What does not choose the rows may differ.
func TestReportPages(t *testing.T) {
	a, _, err := askTest(t, "UTC", "range=7d&by=source&country=NL&country=DE", testReport)
	if err != nil {
		t.Fatal(err)
	}
	if next := string(a.next(nil, 10, 10)); next != `,"next":null` {
		t.Errorf("after the last page: %s", next)
	}
	cursor := strings.Trim(strings.TrimPrefix(string(a.next(nil, 10, 11)), `,"next":`), `"`)
	for raw, same := range map[string]bool{
		"range=7d&by=source&country=NL&country=DE":              true,
		"country=NL&country=DE&by=source&limit=5&range=7d":      true,
		"range=7d&by=source&country=NL&country=DE&max_age=10":   true,
		"range=7d&by=entry&country=NL&country=DE":               false,
		"range=7d&by=source&by=entry&country=NL&country=DE":     false,
		"range=30d&by=source&country=NL&country=DE":             false,
		"range=7d&by=source&country=NL":                         false,
		"range=7d&by=source&country=NL&country=DE&sort=views":   false,
		"range=7d&by=source&country=NL&country=DE&search=x":     false,
		"range=7d&by=source&country=NL&country=DE&at_least=2":   false,
		"range=7d&by=source&country=NL&city=DE":                 false,
		"range=7d&by=source&country=NL&country=DE&compare=year": false,
	} {
		b, _, err := askTest(t, "UTC", raw+"&after="+cursor, testReport)
		if same != (err == nil) || same && b.Offset != 10 {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// The frame of an answer is of the moment of the answer, not of the question.
func TestReportFrame(t *testing.T) {
	a, _, err := askTest(t, "Europe/Berlin", "from=2026-11-24T23:30:00Z&to=2026-11-25T02:15:00Z&interval=hour&compare=previous", testReport)
	if err != nil {
		t.Fatal(err)
	}
	at := testNow - 9*3600_000 // 01:20:30, within the range
	as := query.AsOf{Time: at, Seq: 42}
	numbers := func(dst []byte, i int) []byte { return appendCount(dst, "visits", uint64(i)) }
	out := a.open(nil, as)
	out = a.series(out, as, numbers)
	out = append(a.compare(out, as, func(dst []byte) []byte { return append(dst, "{}"...) }, nil), '}')
	want := `{"site":"shop","zone":"Europe/Berlin","from":"2026-11-24T23:30:00.000Z","to":"2026-11-25T02:15:00.000Z","until":"2026-11-25T01:20:30.123Z","as_of":{"time":"2026-11-25T01:20:30.123Z","seq":42},` +
		`"interval":"hour","series":[{"time":"2026-11-24T23:00:00.000Z","visits":0,"partial":true},{"time":"2026-11-25T00:00:00.000Z","visits":1,"partial":false},{"time":"2026-11-25T01:00:00.000Z","visits":2,"partial":true},{"time":"2026-11-25T02:00:00.000Z","visits":3,"partial":true}],` +
		`"compare":{"from":"2026-11-24T20:45:00.000Z","to":"2026-11-24T23:30:00.000Z","total":{}}}`
	if string(out) != want {
		t.Errorf("\n got %s\nwant %s", out, want)
	}
}

// Quotients are rounded half away from zero, from the exact quotient.
func TestQuotients(t *testing.T) {
	for _, c := range []struct {
		num, den int64
		digits   int
		want     string
	}{
		{0, 0, 4, "null"}, {5, 0, 4, "null"}, {0, 3, 4, "0"}, {1, 3, 4, "0.3333"}, {2, 3, 4, "0.6667"}, {1, 1, 4, "1"}, {1, 2, 0, "1"},
		{1, 8, 2, "0.13"}, {-1, 8, 2, "-0.13"}, {-1, 1000, 2, "0"}, {1, -2, 1, "-0.5"}, {5, 100, 1, "0.1"}, {49, 1000, 1, "0"},
		{444, 1000, 4, "0.444"}, {223_349, 1000, 1, "223.3"}, {223_350, 1000, 1, "223.4"}, {100, 1, 1, "100"},
		{9223372036854775807, 1, 9, "9223372036854775807"}, {-9223372036854775808, 1, 1, "-9223372036854775808"}, {9223372036854775807, 2, 1, "4611686018427387903.5"},
	} {
		if got := string(appendQuotient(nil, c.num, c.den, c.digits)); got != c.want {
			t.Errorf("%d/%d with %d digits: %s, want %s", c.num, c.den, c.digits, got, c.want)
		}
	}
	if got := string(appendRate(nil, "rate", 1, 3)); got != `,"rate":0.3333` {
		t.Error(got)
	}
}
