package native

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// ask reads a target with headers, as the server does.
func ask(t testing.TB, n *nativetest.Engine, target string, headers map[string]string) (*dialect.Response, error) {
	t.Helper()
	api := New(Options{Engine: n, Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay + 123) }})
	path, raw, _ := strings.Cut(target, "?")
	req := &dialect.Request{Method: "GET", Path: path, RawQuery: raw, Site: &dialect.Site{Site: query.Site{ID: 1, Name: "my shop/1"}},
		Header: func(name string) string { return headers[name] }}
	res := &dialect.Response{}
	err := api.Read(t.Context(), req, nil, res)
	return res, err
}

func header(res *dialect.Response, name string) string {
	for _, h := range res.Header {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// sheet is the answer to a target in CSV.
func sheet(t testing.TB, n *nativetest.Engine, target string) string {
	t.Helper()
	res, err := ask(t, n, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 200 || res.Stream == nil || !strings.HasPrefix(res.ContentType, "text/csv") {
		t.Fatalf("%s: %+v", target, res)
	}
	var b bytes.Buffer
	if err := res.Stream(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Cells are quoted as RFC 4180 says, and no text becomes a formula.
func TestCSVCells(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`"plain"`, `plain`}, {`""`, `""`}, {`null`, ``}, {`12.5`, `12.5`}, {`-3`, `-3`}, {`true`, `true`}, {`[1]`, ``}, {`{"a":1}`, ``},
		{`"a,b"`, `"a,b"`}, {`"a\"b"`, `"a""b"`}, {`"a\nb"`, "\"a\nb\""}, {`"a\r"`, "\"a\r\""}, {`" a"`, `" a"`}, {`"a "`, `"a "`}, {`"é\u20ac"`, `é€`},
		{`"=1+1"`, `'=1+1`}, {`"+1"`, `'+1`}, {`"-1+2"`, `'-1+2`}, {`"-5"`, `-5`}, {`"-5.25"`, `-5.25`}, {`"-05"`, `'-05`}, {`"@SUM(A1)"`, `'@SUM(A1)`},
		{`"\tx"`, "'\tx"}, {`"\rx"`, "\"'\rx\""}, {`"=a,\"b\""`, `"'=a,""b"""`}, {`"\u003d1"`, `'=1`}, {`"-"`, `'-`},
	} {
		if got := string(appendMember(nil, []byte(c.json))); got != c.want {
			t.Errorf("%s: %s, want %s", c.json, got, c.want)
		}
	}
}

// The members of a row become its columns, those of was and in too.
func TestCSVTable(t *testing.T) {
	rows := []string{
		`{"value":"a\"},{","visits":3,"rate":0.5,"was":{"visits":1,"in":{"x":9}},"in":{"country":"NL"},"list":[{"visits":7}],"other":{"visits":8}}`,
		`{"visits":0,"value":null,"in":{},"was":{"visits":null}}`,
		`{}`,
	}
	c := &reading{site: &query.Site{Name: "shop"}, req: &dialect.Request{Path: "/api/v1/visits"}, res: new(dialect.Response)}
	c.sendCSV([]string{"value", "in.country", "visits", "was.visits", "list"}, len(rows), func(dst []byte, i int) []byte { return append(dst, rows[i]...) })
	var b bytes.Buffer
	if err := c.csv.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "value,in_country,visits,was_visits,list\r\n\"a\"\"},{\",NL,3,1,\r\n,,0,,\r\n,,,,\r\n"
	if b.String() != want {
		t.Errorf("%q\nwant %q", b.String(), want)
	}
}

// Any rows come back from a reader of CSV, but for the apostrophes.
func FuzzCSV(f *testing.F) {
	f.Add("a", "b,\"\n", "=1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		texts := []string{a, b, c}
		if slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) }) {
			return // no event has such a text
		}
		tab := csvTable{columns: []string{"a", "b", "c"}}
		done := false
		tab.next = func(dst []byte) ([]byte, error) {
			if done {
				return dst, io.EOF
			}
			done = true
			for i, text := range texts {
				dst = append(dst, ",{"[boolIndex(i == 0)])
				dst = append(dst, '"', "abc"[i], '"', ':')
				dst = event.AppendString(dst, text)
			}
			return append(dst, '}'), nil
		}
		var out bytes.Buffer
		if err := tab.write(&out); err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(got) != 2 || len(got[1]) != 3 {
			t.Fatalf("%q: %q, %v", texts, got, err)
		}
		for i, text := range texts {
			// encoding/csv reads "\r\n" inside a cell as "\n".
			cell, want := got[1][i], strings.ReplaceAll(text, "\r\n", "\n")
			if strings.TrimPrefix(cell, "'") != strings.TrimPrefix(want, "'") {
				t.Errorf("%q became %q", text, cell)
			}
			if cell != "" && strings.ContainsAny(cell[:1], "=+@\t\r") {
				t.Errorf("%q is a formula", cell)
			}
		}
	})
}

func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The calls that are no reports have all their rows in one table.
func TestCSVOfCalls(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"/api/v1/count?format=csv", "events,users,sessions\r\n3,2,1\r\n"},
		{"/api/v1/count?format=csv&metrics=sessions", "sessions\r\n1\r\n"},
		{"/api/v1/series?format=csv&metrics=events", "time,events\r\n2026-11-21T00:00:00.000Z,3\r\n2026-11-21T01:00:00.000Z,0\r\n"},
		{"/api/v1/counters?format=csv&property=plan", "value,events,users,sessions\r\npro,-5,1,2\r\nfree,4,0,0\r\n"},
		{"/api/v1/counters?format=csv", "value,values,events,users,sessions\r\npro,9,-5,1,2\r\nfree,1,4,0,0\r\n"},
		{"/api/v1/counters?format=csv&property=plan&segment=country", "value,segment,events,users,sessions\r\npro,NL,-5,1,2\r\nfree,\"\",4,0,0\r\n"},
		{"/api/v1/users?format=csv", "id,first_seen,last_seen,events,sessions\r\nu-1,2026-11-21T00:00:00.000Z,2026-11-21T00:00:00.005Z,9,2\r\nu-2,1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.000Z,0,0\r\n"},
		{"/api/v1/sessions?format=csv", "id,key,user,anonymous,dialect,start,end,duration,events,actions,entry,exit,bounce,referrer,referrer_type,campaign,cart\r\n" +
			"s-1," + nativetest.SomeID + ",u-1,a-1,matomo,2026-11-21T00:00:00.000Z,2026-11-21T00:01:01.999Z,61,4,3,/in,/out,false,https://x.example/,website,c,c-1\r\n" +
			"s-2," + nativetest.OtherID + ",,,native,1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.000Z,0,0,0,,,true,,,,\r\n"},
	} {
		if got := sheet(t, nativetest.Full(), c.target); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.target, got, c.want)
		}
	}
	n := nativetest.Full()
	n.EventPage.Next = ""
	if got := sheet(t, n, "/api/v1/events?format=csv"); strings.Count(got, "\r\n") != 3 || !strings.Contains(got, "\r\n"+nativetest.SomeID+",42,shop,native,order,order <1>,2026-11-21T00:00:00.001Z") {
		t.Errorf("%q", got)
	}
	res, _ := ask(t, n, "/api/v1/events?format=csv", nil)
	if got := header(res, "Content-Disposition"); got != `attachment; filename="my_shop_1-events-2026-11-21.csv"` {
		t.Error(got)
	}
	for _, target := range []string{"/api/v1/events?format=csv&after=" + nativetest.SomeID, "/api/v1/sessions?format=csv&after=" + nativetest.SomeID, "/api/v1/users?format=csv&after=" + nativetest.SomeID} {
		var bad *dialect.StatusError
		if _, err := ask(t, n, target, nil); !errors.As(err, &bad) || bad.Field != "after" {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// A listing goes on with the next page until there is none, and ends at the most rows of a table.
// An error on the way cuts the answer off.
func TestCSVPages(t *testing.T) {
	c := &reading{site: &query.Site{Name: "shop"}, req: &dialect.Request{Path: "/api/v1/events"}, res: new(dialect.Response)}
	pages := 0
	read := func(after string) (int, string, error) {
		if pages++; after != fmt.Sprint(pages) {
			t.Fatalf("page %d after %s", pages, after)
		}
		switch pages {
		case 1:
			return 0, "2", nil // an empty page in between
		case 2:
			return 2, "3", nil
		}
		return 1, "", nil
	}
	one := func(dst []byte, i int) []byte { return fmt.Appendf(dst, `{"id":"%d-%d"}`, pages, i) }
	c.csvPages([]string{"id"}, 2, "1", read, one)
	var b bytes.Buffer
	if err := c.csv.write(&b); err != nil || b.String() != "id\r\n0-0\r\n0-1\r\n2-0\r\n2-1\r\n3-0\r\n" {
		t.Errorf("%q %v", b.String(), err)
	}
	c.csvPages([]string{"id"}, 1000, "1", func(string) (int, string, error) { return 1000, "1", nil }, func(dst []byte, i int) []byte { return append(dst, `{"id":1}`...) })
	var lines lineCount
	if err := c.csv.write(&lines); err != nil || int(lines) != csvRowsMax+1 {
		t.Errorf("%d lines, %v", lines, err)
	}
	broken := errors.New("broken")
	c.csvPages([]string{"id"}, 1, "1", func(string) (int, string, error) { return 0, "", broken }, one)
	if err := c.csv.write(io.Discard); err != broken {
		t.Error(err)
	}
}

type lineCount int

func (n *lineCount) Write(p []byte) (int, error) {
	*n += lineCount(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// Whoever has an answer gets 304, as long as the engine gives that answer to that query.
func TestETag(t *testing.T) {
	for _, target := range []string{"/api/v1/count?country=NL", "/api/v1/series", "/api/v1/counters?property=plan", "/api/v1/events?limit=5", "/api/v1/sessions", "/api/v1/users", "/api/v1/users?sort=last"} {
		n := nativetest.Full()
		n.AsOf = query.AsOf{Tag: "abc1"}
		res, err := ask(t, n, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		tag := header(res, "ETag")
		if len(tag) < 8 || header(res, "Cache-Control") != "private, no-cache" {
			t.Fatalf("%s: %q", target, res.Header)
		}
		more := "?"
		if strings.Contains(target, "?") {
			more = "&"
		}
		for _, c := range []struct {
			target, has string
			same        bool
		}{
			{target, tag, true}, {target, "W/" + tag, true}, {target, `"x", ` + tag, true}, {target + more + "max_age=10", tag, true},
			{target, "", false}, {target, "*", false}, {target, `"abc1"`, false}, {target, strings.Replace(tag, "abc1", "abc2", 1), false},
			{target + more + "format=csv", tag, false}, {target + more + "from=2026-11-01", tag, false},
		} {
			res, err := ask(t, n, c.target, map[string]string{"If-None-Match": c.has})
			if err != nil {
				t.Fatal(err)
			}
			if same := res.Status == 304; same != c.same || same && (len(res.Body) > 0 || res.Stream != nil || header(res, "ETag") != tag) {
				t.Errorf("%s with %s: %d %s", c.target, c.has, res.Status, res.Body)
			}
		}
		n.AsOf.Tag = "abc2"
		if res, err := ask(t, n, target, map[string]string{"If-None-Match": tag}); err != nil || res.Status != 200 {
			t.Errorf("%s: another answer: %v, %v", target, res.Status, err)
		}
	}
}

// A browser that opened a share has another list of fields than one with a key, and than one with
// another share. Its tag is not that of theirs.
func TestETagOfShares(t *testing.T) {
	n := nativetest.Full()
	n.AsOf = query.AsOf{Tag: "abc1"}
	tags := map[string]string{}
	for _, share := range []*dialect.Share{nil, {}, {Numbers: true}, {Numbers: true, Props: []string{"amount"}}, {Numbers: true, Props: []string{"amo", "unt"}}, {Numbers: true, Filter: "country=NL"}} {
		target := "/api/v1/fields"
		if share != nil && share.Filter != "" {
			target = "/api/v1/count"
		}
		api := New(Options{Engine: n, Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay) }})
		req := &dialect.Request{Method: "GET", Path: target, Site: &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}, Share: share, Header: func(string) string { return "" }}
		res := &dialect.Response{}
		if err := api.Read(t.Context(), req, nil, res); err != nil {
			t.Fatal(err)
		}
		tag := header(res, "ETag")
		if body, known := tags[tag]; tag == "" || known {
			t.Errorf("%+v: the tag %q is that of another answer:\n%s\n%s", share, tag, body, res.Body)
		}
		tags[tag] = string(res.Body)
	}
}

// Whether a property was ever counted does not follow from the rows of a range, so an answer that says
// it has no tag.
func TestNoETagOfUnknownProperty(t *testing.T) {
	n := nativetest.Full()
	n.AsOf, n.CounterPage = query.AsOf{Tag: "abc1"}, query.CounterPage{}
	res, err := ask(t, n, "/api/v1/counters?property=plan&range=yesterday", nil)
	if err != nil || !strings.Contains(string(res.Body), `"known":false`) || header(res, "ETag") != "" {
		t.Errorf("%s, %q, %v", res.Body, res.Header, err)
	}
}

// The calls that are no reports take ranges by name and max_age.
func TestRangesOfCalls(t *testing.T) {
	for _, c := range []struct{ target, asked string }{
		{"/api/v1/count?range=yesterday", fmt.Sprintf("count my shop/1 [%d,%d)", nativetest.SomeDay-86_400_000, nativetest.SomeDay)},
		{"/api/v1/count?range=all", "count my shop/1"},
		{"/api/v1/counters?property=plan&range=lastweek", "counters my shop/1 property=plan values=[] segment= times=0,0 days=20766,20772 sort=events limit=100 offset=0"},
		{"/api/v1/counters?property=plan&range=30m", fmt.Sprintf("counters my shop/1 property=plan values=[] segment= times=%d,%d days=0,0 sort=events limit=100 offset=0", nativetest.SomeDay-1_800_000, nativetest.SomeDay)},
		{"/api/v1/counters?property=plan&range=all", "counters my shop/1 property=plan values=[] segment= times=0,0 days=0,0 sort=events limit=100 offset=0"},
	} {
		n := nativetest.Full()
		if _, err := ask(t, n, c.target, nil); err != nil || n.Asked != c.asked {
			t.Errorf("%s: %s, %v\nwant %s", c.target, n.Asked, err, c.asked)
		}
	}
	for target, field := range map[string]string{
		"/api/v1/count?range=7d&from=2026-11-01": "range", "/api/v1/events?range=tomorrow": "range", "/api/v1/counters?range=7d&to=2026-11-01": "range",
		"/api/v1/count?max_age=4000": "max_age", "/api/v1/events?format=xml": "format", "/api/v1/sessions?max_age=x": "max_age", "/api/v1/users?max_age=x": "max_age",
	} {
		var bad *dialect.StatusError
		if _, err := ask(t, nativetest.Full(), target, nil); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// The file of a table says which one it is, so that the tables of a screen have names of their own.
func TestCSVFileNames(t *testing.T) {
	for target, want := range map[string]string{
		"visits?range=7d":                                       "visits",
		"visits?range=7d&by=source&interval=none":               "visits-by-source",
		"pages?range=7d&of=title":                               "pages-title",
		"breakdown?range=7d&by=name":                            "breakdown-by-name",
		"breakdown?range=7d&by=name&type=search":                "breakdown-search-by-name",
		"breakdown?range=7d&by=name&type!=page&name=x":          "breakdown-by-name",
		"breakdown?range=7d&by=country&by=prop.a%22%0Ab":        "breakdown-by-country-prop.a__b",
		"breakdown?range=7d&by=prop." + strings.Repeat("x", 90): "breakdown-by-prop." + strings.Repeat("x", 59),
	} {
		res, err := ask(t, nativetest.Full(), "/api/v1/"+target+"&format=csv", nil)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if got, want := header(res, "Content-Disposition"), `attachment; filename="my_shop_1-`+want+`-2026-11-21.csv"`; got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// A series that is compared has both ranges side by side, paired by position; a step without a pair
// has empty cells.
func TestCSVOfComparedSteps(t *testing.T) {
	got := sheet(t, nativetest.Full(), "/api/v1/visits?from=2026-11-18&to=2026-11-20&compare=2026-11-01..2026-11-02&interval=day&metrics=visits&format=csv")
	lines := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
	if lines[0] != "time,visits,partial,was_time,was_visits" || len(lines) != 4 {
		t.Fatalf("%q", lines)
	}
	if !strings.Contains(lines[2], ",false,2026-11-02T00:00:00.000Z,") || !strings.HasSuffix(lines[3], ",false,,") {
		t.Errorf("%q", lines)
	}
	if got := sheet(t, nativetest.Full(), "/api/v1/visits?from=2026-11-18&to=2026-11-20&interval=day&metrics=visits&format=csv"); !strings.HasPrefix(got, "time,visits,partial\r\n") {
		t.Errorf("%q", got)
	}
}
