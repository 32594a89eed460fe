package openpanel

import (
	"encoding/json"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

func TestFilters(t *testing.T) {
	e := &event.Event{Name: "order", User: "ada", Anonymous: "d1", Groups: []string{"acme", "beta"}, Value: event.Num("4200"),
		Properties: event.Object{{Key: "plan", Value: event.Str("Pro")}, {Key: "n", Value: event.Num("12.0")}, {Key: "tags", Value: event.Raw(`["a","b"]`)},
			{Key: "o", Value: event.Raw(`{"p":{"q":true}}`)}, {Key: "null", Value: event.Value{Kind: event.Null}},
			{Key: "empty", Value: event.Str("")}, {Key: "list", Value: event.Raw(`["",{}]`)}},
		Context: event.Object{{Key: "country", Value: event.Str("SE")}}, Extra: event.Object{{Key: "referrer_name", Value: event.Str("Google")}}}
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{`{"name":"name","operator":"startsWith","value":["x","or"]}`, true},
		{`{"name":"name","operator":"endsWith","value":"er"}`, true},
		{`{"name":"name","operator":"regex","value":["^o.*r$"]}`, true},
		{`{"name":"profileId","operator":"startsWith","value":["a"]}`, true},
		{`{"name":"profileId","operator":"contains","value":["x","AD"]}`, true},
		{`{"name":"profileId","operator":"doesNotContain","value":["AD"]}`, false},
		{`{"name":"profileId","operator":"isNull"}`, false},
		{`{"name":"profileId","operator":"isNotNull"}`, true},
		{`{"name":"name","operator":"contains","value":["\\"]}`, false},
		{`{"name":"groups","operator":"endsWith","value":["eta"]}`, true},
		{`{"name":"referrer_name","operator":"startsWith","value":["Goo"]}`, true},
		{`{"name":"revenue","operator":"gt","value":[4199]}`, true},
		{`{"name":"revenue","operator":"gt","value":["4200"]}`, false},
		{`{"name":"revenue","operator":"gte","value":[4200]}`, true},
		{`{"name":"properties.n","operator":"lt","value":[12]}`, false},
		{`{"name":"properties.n","operator":"lte","value":[12]}`, true},
		{`{"name":"properties.plan","operator":"gt","value":[1]}`, false},
		{`{"name":"properties.tags","operator":"endsWith","value":["b"]}`, true},
		{`{"name":"properties.empty","operator":"regex","value":["^$"]}`, true},
	} {
		conds, rest, err := filtersOf("[" + c.filter + "]")
		if err != nil || len(conds) != 0 || len(rest) != 1 {
			t.Errorf("%s: %v %v %v", c.filter, conds, rest, err)
		} else if got := matchesAll(rest, e); got != c.want {
			t.Errorf("%s: %v", c.filter, got)
		}
	}
	conds, rest, err := filtersOf(`[{"name":"profileId","operator":"isNot","value":["ada"]},{"name":"properties.plan","operator":"is","value":["pro",1,true,null]},{"name":"path","value":"/a"},{"name":"country","operator":"is","value":[]}]`)
	if got := fmt.Sprint(conds, rest, err); got != `["user" "not" ["ada"] "prop.plan" "" ["pro" "1" "true"] "path" "" ["/a"]] [] <nil>` {
		t.Error(got)
	}
	conds, rest, err = filtersOf(`[{"name":"name","operator":"contains","value":["RD","5*"]},{"name":"groups","operator":"doesNotContain","value":["rd"]},{"name":"sessionId","operator":"isNull","value":["x"]},{"name":"properties.a","operator":"isNotNull"}]`)
	if got := fmt.Sprint(conds, rest, err); got != `["name" "match" ["*RD*" "*5\\**"] "group" "notmatch" ["*rd*"] "session_name" "hasnot" [] "prop.a" "has" []] [] <nil>` {
		t.Error(got)
	}
	for text, want := range map[string]string{
		`{}`:                       "filters: must be a JSON array",
		`[`:                        "filters: must be a JSON array",
		`[1]`:                      "filters.0: must be an object",
		`[{"name":"nonsense"}]`:    "filters.0.name: must be a field",
		`[{"name":"properties."}]`: "filters.0.name: must be a field",
		`[{"name":"path","operator":"inCohort"}]`:                        "filters.0.operator: must be one of",
		`[{"name":"path","operator":"regex","value":["("]}]`:             "filters.0.value: must be a regular expression",
		`[` + strings.Repeat(`{"name":"path"},`, 32) + `{}]`:             "filters: at most 32",
		`[{"name":"path","value":[` + strings.Repeat(`1,`, 100) + `1]}]`: "filters.0.value: at most 100",
	} {
		if _, _, err := filtersOf(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// A filter converts the value of an event once, not once for each value of the filter.
func TestFilterConvertsOnce(t *testing.T) {
	for operator, have := range map[string]string{"contains": "ABC", "doesNotContain": "ABC", "gt": "no number", "lte": "no number"} {
		allocs := func(values int) float64 {
			_, rest, err := filtersOf(`[{"name":"profileId","operator":"` + operator + `","value":["00"` + strings.Repeat(`,"007"`, values-1) + `]}]`)
			if err != nil || len(rest) != 1 {
				t.Fatal(rest, err)
			}
			return testing.AllocsPerRun(100, func() { rest[0].fits(have) })
		}
		if one, many := allocs(1), allocs(100); one != many {
			t.Errorf("%s: %v allocations for one value, %v for 100", operator, one, many)
		}
	}
}

// A range covers whole days in the site's zone, except for ranges that end now.
func TestSpan(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ query, want string }{
		{"", "2026-11-15T00:00:00+01:00 2026-11-22T00:00:00+01:00 day"},
		{"range=7d", "2026-11-15T00:00:00+01:00 2026-11-22T00:00:00+01:00 day"},
		{"range=30d", "2026-10-23T00:00:00+02:00 2026-11-22T00:00:00+01:00 day"},
		{"range=today", "2026-11-21T00:00:00+01:00 2026-11-22T00:00:00+01:00 hour"},
		{"range=yesterday&interval=day", "2026-11-20T00:00:00+01:00 2026-11-21T00:00:00+01:00 day"},
		{"range=30min", "2026-11-21T00:00:00+01:00 2026-11-21T00:30:00+01:00 minute"},
		{"range=lastHour", "2026-11-20T23:30:00+01:00 2026-11-21T00:30:00+01:00 minute"},
		{"range=last24h", "2026-11-20T00:30:00+01:00 2026-11-21T00:30:00+01:00 hour"},
		{"range=3m", "2026-08-22T00:00:00+02:00 2026-11-22T00:00:00+01:00 day"},
		{"range=6m", "2026-05-22T00:00:00+02:00 2026-11-22T00:00:00+01:00 month"},
		{"range=12m", "2025-11-22T00:00:00+01:00 2026-11-22T00:00:00+01:00 month"},
		{"range=monthToDate", "2026-11-01T00:00:00+01:00 2026-11-22T00:00:00+01:00 day"},
		{"range=lastMonth", "2026-10-01T00:00:00+02:00 2026-11-01T00:00:00+01:00 day"},
		{"range=yearToDate", "2026-01-01T00:00:00+01:00 2026-11-22T00:00:00+01:00 month"},
		{"range=lastYear", "2025-01-01T00:00:00+01:00 2026-01-01T00:00:00+01:00 month"},
		{"startDate=2026-11-01&endDate=2026-11-03", "2026-11-01T00:00:00+01:00 2026-11-04T00:00:00+01:00 day"},
		{"range=custom&startDate=2026-11-01T10:00:00Z&endDate=2026-11-01T12:00:00Z&interval=hour", "2026-11-01T11:00:00+01:00 2026-11-01T13:00:00+01:00 hour"},
		{"range=custom", "startDate: and endDate are needed for a custom range"},
		{"range=2d", "range: must be one of"},
		{"startDate=2026-11-01", "startDate: and endDate come together"},
		{"startDate=x&endDate=y", "startDate: must be a date"},
		{"startDate=2026-11-03&endDate=2026-11-01", "endDate: must not be before startDate"},
		{"range=7d&interval=second", "interval: must be one of"},
	} {
		asked, err := paramsOf(c.query)
		if err != nil {
			t.Fatal(err)
		}
		x := &reading{query: asked, req: &dialect.Request{ReceivedUnixMilli: time.Date(2026, 11, 21, 0, 30, 0, 0, berlin).UnixMilli(), Site: &dialect.Site{Site: query.Site{Location: berlin}}}}
		from, to, interval, err := x.span()
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(time.UnixMilli(from).In(berlin).Format(time.RFC3339), " ", time.UnixMilli(to).In(berlin).Format(time.RFC3339), " ", interval)
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.query, got, c.want)
		}
	}
}

func FuzzFilters(f *testing.F) {
	f.Add(`[{"name":"properties.a","operator":"regex","value":["x"]}]`, "x")
	f.Add(`[{"name":"path","operator":"gt","value":[1]},{"name":"groups","operator":"isNull"}]`, "1")
	f.Fuzz(func(t *testing.T, text, value string) {
		_, rest, err := filtersOf(text)
		if err == nil {
			matchesAll(rest, &event.Event{Name: value, Groups: []string{value}, Properties: event.Object{{Key: "a", Value: event.Str(value)}}})
		}
	})
}

// The patterns of a request are bounded together by their compiled size.
func TestPatternsAreBounded(t *testing.T) {
	filter := func(patterns ...string) string {
		text, err := json.Marshal(patterns)
		if err != nil {
			t.Fatal(err)
		}
		return `[{"name":"name","operator":"regex","value":` + string(text) + `}]`
	}
	var large []string
	for c := 'a'; c <= 'z'; c++ {
		large = append(large, string(c)+"{1000}")
	}
	huge := strings.Join(large, "|")
	for _, test := range []struct {
		name, filters string
		ok            bool
	}{
		{"ordinary", filter(`^/products/[0-9]+$`, `(?i)checkout|cart`, `\p{L}{2,20}`), true},
		{"a hundred ordinary ones", filter(slices.Repeat([]string{`^/products/[a-z0-9-]+/reviews$`}, 100)...), true},
		{"one repeat", filter("a{1000}"), true},
		{"many repeats", filter(slices.Repeat([]string{"a{1000}"}, 20)...), false},
		{"a huge one", filter(huge), false},
		{"a hundred huge ones", filter(slices.Repeat([]string{huge}, 100)...), false},
		{"repeats of repeats", filter("((a{31}){31}|(b{31}){31}|(c{31}){31}|(d{31}){31}|(e{31}){31}|(f{31}){31}|(g{31}){31}|(h{31}){31}|(i{31}){31}|(j{31}){31}|(k{31}){31})"), false},
		{"classes", filter(slices.Repeat([]string{strings.Repeat(`\pL`, 80)}, 10)...), false},
	} {
		if test.name == "a huge one" && len(huge) > patternBytesMax {
			t.Fatalf("%d bytes", len(huge))
		}
		_, _, err := filtersOf(test.filters)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// What is counted is near what is compiled.
	for _, text := range []string{"abc", "a{1000}", "(ab|cd){20}", `^/products/[0-9]+$`, "(a?b+){3,7}", huge} {
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if n := instructions(tree, 1<<30); n > 3*len(prog.Inst) || 3*n < len(prog.Inst) {
			t.Errorf("%.20s: %d counted, %d compiled", text, n, len(prog.Inst))
		}
	}
	if n := testing.AllocsPerRun(1, func() { _, _, _ = filtersOf(filter(slices.Repeat([]string{huge}, 100)...)) }); n > 5000 {
		t.Errorf("%v allocations for patterns that are refused", n)
	}
}
