package dashboard

import (
	"encoding/json"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/http/dialect"
)

// onShare asks for an address below a share: the answer, and its CSV.
func onShare(t *testing.T, m *made, share Share, address string, headers ...string) (res *dialect.Response, csv string) {
	t.Helper()
	d := New(Options{Reports: m, Gate: &sharing{share: share}, Addresses: below{}, Now: func() time.Time { return shown }})
	path, raw, _ := strings.Cut(address, "?")
	res = new(dialect.Response)
	d.shared(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/s/tok" + path, RawQuery: raw, Header: func(name string) string {
		if at := slices.Index(headers, name); at >= 0 {
			return headers[at+1]
		}
		return ""
	}}, res)
	if res.Stream != nil {
		var b strings.Builder
		if err := res.Stream(&b); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		csv = b.String()
	}
	return res, csv
}

// saidBy is the sentence of an answer that refuses a parameter.
func saidBy(t *testing.T, res *dialect.Response) (field, text string) {
	t.Helper()
	var said struct {
		Error, Field string
		Status       int
	}
	if err := json.Unmarshal(res.Body, &said); err != nil || said.Status != res.Status || res.ContentType != "application/json" || !strings.HasPrefix(said.Error, said.Field+": ") {
		t.Errorf("%d %s: %v", res.Status, res.Body, err)
	}
	return said.Field, strings.TrimPrefix(said.Error, said.Field+": ")
}

// inBrackets are the tabs of a table in the list of tables.
var inBrackets = regexp.MustCompile(` \([^)]*\)`)

// Each table that a screen links to as CSV is the answer of the screen's own address with _format=csv,
// and the name of its panel where there are several. No screen has another table.
func TestTablesOfShares(t *testing.T) {
	link := regexp.MustCompile(`"/cairn/dashboard/s/tok/data/([^"]*format=csv)"`)
	without := []string{"live", "event", "person", "visit", "funnels", "funnel-people", "retention-people"}
	tables := 0
	for _, g := range goldenScreens() {
		if g.name == "setup" { // no share has it
			continue
		}
		m := &made{answers: maps.Clone(g.answers)}
		if m.answers["site"] == "" {
			m.answers["site"] = madeSite
		}
		m.answers["visits"] = strings.Replace(m.answers["visits"], `"source":{`, `"campaign":{`+goldenRows+`},"source":{`, 1)
		page, _ := onShare(t, m, Share{People: true}, g.address+"&_wait=1")
		if page.Status != 200 {
			t.Fatalf("%s: %d", g.name, page.Status)
		}
		linked := map[string]bool{}
		for _, found := range link.FindAllStringSubmatch(string(page.Body), -1) {
			linked[html.UnescapeString(found[1])] = true
		}
		m.asked = nil
		res, csv := onShare(t, m, Share{People: true}, g.address+"&_format=csv&_panel=none")
		field, list := saidBy(t, res)
		if slices.Contains(without, g.name) {
			if field != "_format" || list != textNoTable || len(linked) > 0 {
				t.Errorf("%s: %s: %s, %d links", g.name, field, list, len(linked))
			}
			continue
		}
		list, ok := strings.CutPrefix(list, textNoSuchTable)
		if res.Status != 400 || field != "_panel" || !ok || csv != "" {
			t.Fatalf("%s: %d %s", g.name, res.Status, res.Body)
		}
		names := strings.Split(inBrackets.ReplaceAllString(list, ""), ", ")
		res, csv = onShare(t, m, Share{People: true}, g.address+"&_format=csv")
		if one := len(names) == 1; one != (res.Status == 200 && linked[csv]) || !one && !strings.Contains(string(res.Body), textWhichTable+list) {
			t.Errorf("%s: %d tables and no name: %d %s", g.name, len(names), res.Status, res.Body)
		}
		of := map[string]bool{}
		for _, name := range names {
			m.asked = nil
			res, csv := onShare(t, m, Share{People: true}, g.address+"&_format=csv&_panel="+name)
			if res.Status != 200 || res.ContentType != "text/csv; charset=utf-8" || !linked[csv] {
				t.Errorf("%s: the table %s: %d %s %s asks %q; the screen links to %q", g.name, name, res.Status, res.ContentType, res.Body, csv, slices.Collect(maps.Keys(linked)))
			}
			for _, asked := range m.asked { // for the table alone, and what says which tables there are
				if call, _, _ := strings.Cut(asked, "?"); call != "site" && call != "saved" && !strings.HasSuffix(asked, csv) {
					t.Errorf("%s: the table %s: asks %s", g.name, name, asked)
				}
			}
			of[csv] = true
			tables++
		}
		if len(of) != len(linked) || len(of) != len(names) {
			t.Errorf("%s: %d tables have %d answers, and the screen %d links", g.name, len(names), len(of), len(linked))
		}
	}
	if tables < 20 {
		t.Errorf("only %d tables were found", tables)
	}
}

// What is asked of a table is refused in a sentence; an address may hold the tabs of other tables.
func TestTablesOfSharesRefused(t *testing.T) {
	for _, c := range []struct {
		address     string
		field, text string
	}{
		{"/pages?_format=xlsx", "_format", textFormat},
		{"/pages?_format=csv&_panel=sources", "_panel", textNoSuchTable + "pages (_tab: page title host url)"},
		{"?_format=csv&_panel=pages&_tab=sources", "_tab", textNoSuchTab},
		{"?_format=csv", "_panel", textWhichTable + "chart, sources (_tab: channel source"},
		{"?_format=csv&_panel=pages&_tab=source&_tab=entry", "", "visits?range=30d&bot=false&by=entry"},
		{"?_format=csv&_panel=pages&_tab=source", "", "pages?range=30d"},
		{"?_format=csv&_panel=sources&range=7d&visit.country=DE", "", "visits?range=7d&visit.country=DE&by=channel"},
	} {
		res, csv := onShare(t, madeOverview(plainName), Share{}, c.address)
		if c.field == "" {
			if res.Status != 200 || !strings.HasPrefix(strings.Replace(csv, "compare=previous&", "", 1), c.text) {
				t.Errorf("%s: %d %s%s", c.address, res.Status, res.Body, csv)
			}
			continue
		}
		if field, text := saidBy(t, res); res.Status != 400 || field != c.field || !strings.HasPrefix(text, c.text) {
			t.Errorf("%s: %d %s: %s", c.address, res.Status, field, text)
		}
	}
	// What the API refuses is the answer, too.
	m := madeOverview(plainName)
	m.answers["pages"] = `400 {"error":"path: bad","field":"path","status":400}`
	if res, _ := onShare(t, m, Share{}, "/pages?_format=csv"); res.Status != 400 || !strings.Contains(string(res.Body), "path: bad") || res.ContentType != "application/json" {
		t.Errorf("%d %s %s", res.Status, res.ContentType, res.Body)
	}
	// A screen of people is none of a share of numbers, and an embed has no tables.
	if res, _ := onShare(t, madeOverview(plainName), Share{}, "/people?_format=csv"); res.Status != 404 {
		t.Errorf("people: %d", res.Status)
	}
	res := new(dialect.Response)
	d := New(Options{Reports: madeOverview(plainName), Gate: &sharing{share: Share{Embed: []string{"*"}}}, Addresses: below{}, Now: func() time.Time { return shown }})
	d.embedded(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/e/tok", RawQuery: "_format=csv", Header: noHeader}, res)
	if res.Status != 200 || res.Stream != nil || !strings.HasPrefix(res.ContentType, "text/html") {
		t.Errorf("an embed: %d %s", res.Status, res.ContentType)
	}
}

// A spreadsheet that has the table already is told so, by the address of the screen and by that of the
// call. A site without events has tables without rows.
func TestHeadersOfTables(t *testing.T) {
	for _, address := range []string{"/pages?_format=csv&range=7d", "/data/pages?range=7d&format=csv"} {
		res, csv := onShare(t, madeOverview(plainName), Share{}, address)
		if res.Status != 200 || csv == "" || header(res, "ETag") != `"tag"` || header(res, "Cache-Control") != "private, no-cache" || header(res, "Content-Disposition") != "attachment" ||
			header(res, "X-Robots-Tag") != "noindex" || header(res, "Referrer-Policy") != "no-referrer" || header(res, "Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d %v", address, res.Status, res.Header)
		}
		res, _ = onShare(t, madeOverview(plainName), Share{}, address, "If-None-Match", `"tag"`)
		if res.Status != 304 || res.Stream != nil || len(res.Body) > 0 || res.ContentType != "" || header(res, "ETag") != `"tag"` {
			t.Errorf("%s, again: %d %s %v", address, res.Status, res.Body, res.Header)
		}
	}
	m := madeOverview(plainName)
	m.answers["site"] = `{"name":"shop","zone":"UTC","first":null,"last":null,"events":0,"dialects":[]}`
	if res, csv := onShare(t, m, Share{}, "?_format=csv&_panel=sources&range=7d"); res.Status != 200 || !strings.HasPrefix(csv, "visits?") {
		t.Errorf("a site without events: %d %s", res.Status, res.Body)
	}
}
