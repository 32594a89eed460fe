package tables

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/http/native"
)

func TestNumbers(t *testing.T) {
	f := newFormat(nil)
	for _, c := range []struct {
		kind Kind
		x    float64
		want string
	}{
		{KindCount, 0, "0"}, {KindCount, 1234567, "1,234,567"}, {KindCount, -12345, "-12,345"},
		{KindNumber, 3.84, "3.84"}, {KindNumber, 0.01254, "0.0125"}, {KindNumber, math.NaN(), nothing}, {KindNumber, math.Copysign(0, -1), "0"},
		{KindRate, 0.4444, "44.4 %"}, {KindRate, 0, "0 %"}, {KindRate, 0.0001, "<0.1 %"}, {KindRate, 0.9999, "99.9 %"}, {KindRate, 1, "100 %"},
		{KindMoney, 9453.5, "9,453.50"}, {KindMoney, -0.004, "0.00"},
		{KindSeconds, 0, "0s"}, {KindSeconds, 0.4, "0.4s"}, {KindSeconds, 43, "43s"}, {KindSeconds, 59.6, "1m"}, {KindSeconds, 223, "3m43s"},
		{KindSeconds, 7500, "2h5m"}, {KindSeconds, 273600, "3d4h"}, {KindSeconds, 9.96, "10s"}, {KindSeconds, -61, "-1m1s"},
	} {
		if got := f.number(c.kind, c.x); got != c.want {
			t.Errorf("%v of kind %d: %q, want %q", c.x, c.kind, got, c.want)
		}
	}
}

func TestChanges(t *testing.T) {
	f := newFormat(nil)
	count, rate, length, bounces := metricOf("visits"), metricOf("conversion_rate"), metricOf("duration"), metricOf("bounce_rate")
	for _, c := range []struct {
		of          metric
		now, before float64
		want        Change
	}{
		{count, 112, 100, Change{"+12 %", Up, 1}}, {count, 100, 112, Change{"-10.7 %", Down, -1}}, {count, 5, 5, Change{"0 %", Same, 0}},
		{count, 5, 0, Change{"new", Up, 1}}, {count, -5, 0, Change{"new", Down, -1}}, {count, -5, -10, Change{"+50 %", Up, 1}}, {count, 0, 0, Change{"0 %", Same, 0}}, {count, 0, 7, Change{"-100 %", Down, -1}}, {count, 3000, 1, Change{"+299,900 %", Up, 1}},
		{rate, 0.5, 0.45, Change{"+5 pt", Up, 1}}, {bounces, 0.5, 0.45, Change{"+5 pt", Up, -1}}, {bounces, 0.4, 0.45, Change{"-5 pt", Down, 1}},
		{rate, 0.5, 0.50001, Change{"0 pt", Same, 0}}, {length, 65, 60, Change{"+5s", Up, 1}}, {length, 60, 60.2, Change{"0s", Same, 0}},
		{count, math.NaN(), 1, Change{}},
	} {
		if got := f.change(c.of, c.now, c.before); got != c.want {
			t.Errorf("%s from %v to %v: %+v, want %+v", c.of.key, c.before, c.now, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := newFormat(berlin)
	at := func(text string) time.Time {
		when, err := time.ParseInLocation("2006-01-02 15:04", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct{ from, to, want string }{
		{"2026-11-30 00:00", "2026-12-01 00:00", "30 Nov 2026"}, {"2026-11-01 00:00", "2026-12-01 00:00", "1 – 30 Nov 2026"},
		{"2026-10-28 00:00", "2026-11-04 00:00", "28 Oct – 3 Nov 2026"}, {"2025-12-28 00:00", "2026-01-04 00:00", "28 Dec 2025 – 3 Jan 2026"},
		{"2026-11-29 14:03", "2026-11-30 14:03", "29 Nov 2026, 14:03 – 30 Nov 2026, 14:03"}, {"2026-11-29 14:03", "2026-11-29 14:33", "29 Nov 2026, 14:03 – 14:33"},
	} {
		if got := f.span(at(c.from), at(c.to)); got != c.want {
			t.Errorf("%s to %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	// The clock shows 02:30 twice.
	if got := f.step(time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), "hour"); got != "2026-10-25 02:30 CET" {
		t.Error(got)
	}
}

// Without "by" the products of a shop are told apart as the API does by itself, and they are shown.
func TestShopWithoutBy(t *testing.T) {
	q, query := asked(t, "shop", "range=30d&compare=previous")
	r, err := Read(q, query, answer(t, "shop"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if text := r.Text(Style{}); !strings.Contains(text, "\nProducts\nProduct  Name       Currency") || !strings.Contains(text, "Green tea") {
		t.Errorf("%s", text)
	}
}

// Of a page after the first, how many rows follow is not known: the answer says how many there are in all.
func TestLaterPages(t *testing.T) {
	q, query := asked(t, "breakdown", "by=name&limit=2&after=MTI")
	for _, c := range []struct {
		next, want string
		style      Style
	}{
		{`"MTM"`, "and more: ask with after=MTM\n", Style{}},
		{`"MTM"`, "and more: ask with limit=1\n", Style{RowsMax: 1}},
		{`null`, "b           1\n", Style{}},
		{`null`, "and 1 more\n", Style{RowsMax: 1}},
	} {
		r, err := Read(q, query, []byte(`{"site":"s","zone":"UTC","rows":[{"value":"a","events":2},{"value":"b","events":1}],"count":25,"next":`+c.next+`}`), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if text := r.Text(c.style); !strings.Contains(text, "of 25") || !strings.HasSuffix(text, c.want) {
			t.Errorf("next %s, want %q:\n%s", c.next, c.want, text)
		}
	}
	// Nor is it known of an answer that does not count its rows.
	r := &Report{Tables: []Table{{Columns: []Column{{"v", "V", KindText}}, Next: "cur", Rows: []Row{{Cells: []Cell{{Text: "a"}}}, {Cells: []Cell{{Text: "b"}}}}}}}
	if text := r.Text(Style{RowsMax: 1}); !strings.HasSuffix(text, "\nand more: ask with limit=1\n") {
		t.Errorf("%s", text)
	}
}

// A text that is cut has fewer rows, says how many more there are, and what asks for them.
func TestFewRows(t *testing.T) {
	r := &Report{Title: "X", Tables: []Table{{Name: "a", Title: "A", Columns: []Column{{"v", "V", KindText}}, Count: 400, Next: "cur"}, {Name: "b", Title: "B", Columns: []Column{{"v", "V", KindText}}}}}
	for range 100 {
		r.Tables[0].Rows = append(r.Tables[0].Rows, Row{Share: -1, Cells: []Cell{{Text: strings.Repeat("é", 60), Has: true}}})
	}
	for range 3 {
		r.Tables[1].Rows = append(r.Tables[1].Rows, Row{Share: -1, Cells: []Cell{{Text: "small"}}})
	}
	count := func(text, of string) int { return strings.Count(text, of) }
	all := r.Text(Style{})
	if count(all, "é") != 6000 || count(all, "small") != 3 || !strings.Contains(all, "and 300 more: ask with after=cur\n") {
		t.Errorf("%s", all)
	}
	few := r.Text(Style{RowsMax: 50, TextMax: 10, Param: "-"})
	if count(few, "…") != 47 || count(few, "small") != 3 || !strings.Contains(few, "and 353 more: ask with -limit 47\n") {
		t.Errorf("%s", few)
	}
	for _, most := range []int{40, 200, 1000, 8192} {
		if text := r.Text(Style{BytesMax: most}); len(text) > most || text != "" && !strings.HasSuffix(text, "\n") {
			t.Errorf("%d bytes of %d: %q", len(text), most, text)
		}
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct{ name, first string }{
		{"visits", `{"value":"DE"`}, {"breakdown", `{"value":`}, {"funnel", `{"value":`}, {"funnel-entities", `"`}, {"retention", `{"period":`}, {"paths", `{"column":0`},
		{"live", `{"time":`}, {"goals", `{"id":`}, {"shop", `{"value":`}, {"fields", `{"field":`}, {"count", `{"events":`}, {"series", `{"time":`}, {"events", `{"id":`},
		{"sessions", `{"id":`}, {"users", `{"id":`}, {"site", `{"name":`}, {"sites", `{"name":`}, {"aggregate-days", `{"time":`},
	} {
		rows, err := Rows(answer(t, c.name))
		if err != nil || len(rows) == 0 || !strings.HasPrefix(string(rows[0]), c.first) || slices.ContainsFunc(rows, func(row []byte) bool { return strings.Contains(string(row), "\n") }) {
			t.Errorf("%s: %v %.200s", c.name, err, rows)
		}
	}
	if _, err := Rows([]byte("[1]")); err == nil {
		t.Error("a list is taken for an answer")
	}
}

// The overview asks the questions that the site can have, each with parameters that it has.
func TestOverviewAsks(t *testing.T) {
	for _, c := range []struct{ site, want string }{
		{`{"events":9,"first":"2026-01-01T00:00:00.000Z","dialects":["native"]}`, "site visits pages breakdown"},
		{`{"events":9,"first":"2026-01-01T00:00:00.000Z","dialects":["opentracker"]}`, "site visits breakdown"},
		{`{"events":9,"first":"2026-01-01T00:00:00.000Z","dialects":["oppizi"]}`, "site breakdown"},
		{`{"events":0,"first":null,"dialects":[]}`, "site"},
	} {
		var names []string
		_, query := asked(t, "visits", "range=7d&interval=day&goal=type%3Dorder&country!=DE&site=s&limit=3")
		r, err := Overview(func(q *native.Question, query url.Values) ([]byte, error) {
			names = append(names, q.Name)
			for name := range query {
				if q.Param(strings.TrimRight(name, "!~<>")) == nil {
					t.Errorf("%s has no parameter %s", q.Name, name)
				}
			}
			if q.Name != "site" && (query["range"][0] != "7d" || query["country!"][0] != "DE" || query["limit"][0] != "3") || query["site"][0] != "s" {
				t.Errorf("%s: %v", q.Name, query)
			}
			if q.Name == "site" {
				return []byte(c.site), nil
			}
			return []byte(`{"rows":[],"by":{},"total":{}}`), nil
		}, query, Options{})
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q; %v", c.site, got, c.want, err)
		}
		if c.want == "site" && !strings.Contains(r.Text(Style{}), "no events yet") {
			t.Errorf("%s", r.Text(Style{}))
		}
	}
}
