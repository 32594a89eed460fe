package dashboard

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file keeps the HTML of every screen in each of its states beside the tests, in
// testdata/screens/SCREEN-STATE.html, so that a change of the page is seen in a diff. The answers
// that the screens show are made up: see golden_answers_test.go.

var updateScreens = flag.Bool("screens.update", false, "write the golden screens; read git diff before they are committed")

// The states of a screen.
const (
	stateFull    = "full"    // every part has something
	statePartial = "partial" // the last step and the last cells are not over yet
	stateEmpty   = "empty"   // there is nothing in these days
	stateError   = "error"   // every question is refused
	stateHostile = "hostile" // what strangers send is code, markup or too long
)

// goldenScreen is a screen with an address and what its questions are answered.
type goldenScreen struct {
	name, address string
	answers       map[string]string
	partial       bool // some of it may be not over yet
	change        func(*Viewer)
}

// The whole page is in the files of the overview; of the other screens the frame is left out, which
// is the same. The drawings have golden files of their own.
func TestGoldenScreens(t *testing.T) {
	for _, g := range goldenScreens() {
		for _, state := range []string{stateFull, statePartial, stateEmpty, stateError, stateHostile} {
			if state == statePartial && !g.partial {
				continue
			}
			t.Run(g.name+"-"+state, func(t *testing.T) {
				m := &made{answers: map[string]string{"site": madeSite}}
				for call, text := range g.answers {
					if call == "saved" && g.name == "funnels" && state == stateError { // or there is nothing to count
						m.answers[call] = text
						continue
					}
					m.answers[call] = madeIn(t, call, text, state)
				}
				address := g.address
				if state == stateHostile {
					address += "&name=" + escape(hostileText) + "&prop.plan!=" + escape(hostile[1])
				}
				site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
				v := &Viewer{Sites: []*dialect.Site{site}}
				if g.change != nil {
					g.change(v)
				}
				now := shown
				if state == stateFull { // its days are over
					now = shown.AddDate(0, 0, 3)
				}
				res := get(t, New(Options{Reports: m, Gate: openGate{v}, Addresses: atRoot{}, Now: func() time.Time { return now }}), address)
				if res.Status != 200 {
					t.Errorf("status %d", res.Status)
				}
				body := string(res.Body)
				whole(t, body)
				if state == stateError && !strings.Contains(body, textTooMuch) {
					t.Errorf("%s does not say that it was too much", g.name)
				}
				compareGolden(t, g.name+"-"+state, body, g.name != "overview")
			})
		}
	}
}

// The pages around the screens: the door, and who is told something.
func TestGoldenDoors(t *testing.T) {
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	m := &made{answers: map[string]string{"site": madeSite, "sites": madeSites, "POST": `{"id":"1","kind":"share","name":"Board & co","token":"TOKEN"}`}}
	open := func(v *Viewer) *Dashboard {
		return New(Options{Reports: m, Gate: &lock{openGate: openGate{v}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	}
	admin := open(&Viewer{Sites: []*dialect.Site{site}, Admin: true, Save: true})
	for _, c := range []struct {
		name, method, target, body string
		status                     int
		d                          *Dashboard
	}{
		{"login", "GET", "/dashboard/login?next=/dashboard/site/shop/pages", "", 200, open(nil)},
		{"login-refused", "POST", "/dashboard/login", "key=wrong&next=/dashboard/site/shop/pages", 403, open(nil)},
		{"link", "GET", "/dashboard/open/AAAA-BBBB", "", 200, open(nil)},
		{"link-spent", "POST", "/dashboard/open/CCCC-DDDD", "", 403, open(nil)},
		{"no-page", "GET", "/dashboard/site/nowhere", "", 404, admin},
		{"share-made", "POST", "/dashboard/site/shop/saved", "do=save&kind=share&name=Board+%26+co&next=/dashboard/site/shop/setup", 200, admin},
		{"share-ended-unsure", "POST", "/dashboard/site/shop/saved", "do=delete&kind=share&id=1&name=Board&confirm=Bored", 400, admin},
		{"sites-" + stateFull, "GET", "/dashboard/sites", "", 200, admin},
		{"sites-" + stateEmpty, "GET", "/dashboard/sites", "", 200, admin},
		{"sites-" + stateError, "GET", "/dashboard/sites", "", 200, admin},
		{"sites-" + stateHostile, "GET", "/dashboard/sites", "", 200, admin},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, state, ok := strings.Cut(c.name, "sites-"); ok {
				m.answers["sites"] = madeIn(t, "sites", madeSites, state)
			}
			res := c.d.asks(t, c.method, c.target, c.body)
			if res.Status != c.status {
				t.Errorf("status %d, want %d", res.Status, c.status)
			}
			whole(t, string(res.Body))
			compareGolden(t, c.name, string(res.Body), false)
		})
	}
}

// compareGolden compares a page with its golden file. within leaves out what stands around the panels.
func compareGolden(t *testing.T, name, page string, within bool) {
	t.Helper()
	if within {
		at := strings.Index(page, `<div class="row`)
		if at < 0 {
			t.Fatalf("the page has no panels: %s", page)
		}
		page, _, _ = strings.Cut(page[at:], "</main>")
	}
	for _, r := range goldenRules {
		page = r.old.ReplaceAllString(page, r.new)
	}
	file := filepath.Join("testdata", "screens", name+".html")
	if *updateScreens {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		was, is := lineOfDifference(string(want), page)
		t.Errorf("%s looks different; see it with -screens.update and git diff. The first line that differs was\n%s\nand is\n%s", name, was, is)
	}
}

// goldenRules make a page shorter and the same after any change of style and script.
var goldenRules = []struct {
	old *regexp.Regexp
	new string
}{
	{regexp.MustCompile(`/dashboard/site/shop`), "~"},
	{regexp.MustCompile(`&(amp;)?name=[^&"]*&(amp;)?prop\.plan(!|%21)=([^&" ]|&#43;)*`), "&amp;HOSTILE"},
	{regexp.MustCompile(`-[0-9a-f]{12}\.(css|js|svg)`), "-HASH.$1"},
	{regexp.MustCompile(`(?s)(<svg class="chart-plot[^>]*>).*?(<g class="steps">|</svg>\n</figure>|</svg>\n<figcaption)`), "$1…$2"}, // how it is drawn is in testdata/charts
	{regexp.MustCompile(`(<rect)( [a-z]+="[^"]*"| data-p="[^"]*")* (data-from)`), "$1 … $3"},
	{regexp.MustCompile(`<tr>(<(th|td)[^>]*>(<span>)?[0-9:]*(</span>)?</(th|td)>){8,}</tr>\n?`), ""}, // rows of hours
	{regexp.MustCompile(`(long ){20,}`), "long … "},
	{regexp.MustCompile(`(long%20|long\+){20,}`), "long%20… "},
	{regexp.MustCompile(`<li><a href="[^"]*"( data-key="[a-z]")?>(Today|Yesterday|Last|This|All time)[^<]*</a></li>\n`), ""}, // the ranges
	{regexp.MustCompile(`<option value="[^"]*">[^<]*</option>`), ""},                                                         // what is not chosen
	{regexp.MustCompile(`<option value="[a-z]+" label="[^"]*"></option>`), ""},
	{regexp.MustCompile(`<optgroup label="[^"]*"></optgroup>`), ""},
	{regexp.MustCompile(`[ \t]+\n`), "\n"},
	{regexp.MustCompile(`\n{2,}`), "\n"},
}

// lineOfDifference is the first line that two texts do not share.
func lineOfDifference(a, b string) (string, string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(as), len(bs)) {
		var x, y string
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if x != y {
			return x, y
		}
	}
	return "", ""
}

// Every screen of the table has golden files, and no file is of a screen that is gone.
func TestGoldenScreensAreAll(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range goldenScreens() {
		path, _, _ := strings.Cut(strings.TrimPrefix(g.address, "/"), "?")
		segments := strings.Split(path, "/")
		if path == "" {
			segments = nil
		}
		s, _ := screenOf(segments)
		seen[s.title] = true
	}
	for _, s := range screens {
		if !seen[s.title] {
			t.Errorf("no golden file is of the screen %s", s.title)
		}
	}
	files, err := filepath.Glob("testdata/screens/*.html")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".html")
		at := strings.LastIndexByte(name, '-')
		known := at < 0 || !slices.Contains([]string{stateFull, statePartial, stateEmpty, stateError, stateHostile}, name[at+1:])
		for _, g := range goldenScreens() {
			known = known || g.name == name[:at]
		}
		if !known && name[:at] != "sites" {
			t.Errorf("%s is of no screen", file)
		}
	}
}

// madeIn is an answer of a call as it is in a state.
func madeIn(t *testing.T, call, text, state string) string {
	t.Helper()
	if state == stateError && call != "site" {
		return `503 {"error":"query_timeout","status":503}`
	}
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v: %s", call, err, text)
	}
	n := 0
	v = remade(v, "", state, &n)
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Of an empty answer: lists that hold nothing, and numbers that are not known then.
var (
	emptyLists   = []string{"rows", "events", "users", "sessions", "goals", "entities", "fields", "split", "totals", "pages", "sources", "countries", "names", "saved"}
	emptyNumbers = regexp.MustCompile(`rate|avg|average|duration|median|^p[0-9]+$|^min$|^max$|per_visit|^time$`)
	// Strings that no sender chooses.
	ownStrings = regexp.MustCompile(`^(interval|unit|entity|period|cohort|count|kind|field|dialect|zone|next|site|key|id|time|from|to|until|start|end|received|first_seen|last_seen|type|referrer_type|first|last|query|geo)$`)
)

// remade is a part of an answer as it is in a state. n counts the strings that were made hostile.
func remade(v any, key, state string, n *int) any {
	switch x := v.(type) {
	case map[string]any:
		keys := sortedKeys(x)
		for _, k := range keys {
			x[k] = remade(x[k], k, state, n)
		}
		if state == stateHostile { // names of properties are the sender's, too
			if p, ok := x["properties"].(map[string]any); ok {
				p[hostileText] = hostile[1]
			}
		}
		return x
	case []any:
		if state == stateEmpty && slices.Contains(emptyLists, key) {
			return []any{}
		}
		for i := range x {
			x[i] = remade(x[i], key, state, n)
		}
		return x
	case bool:
		if state == stateFull && (key == "partial" || key == "complete") {
			return key == "complete"
		}
		return x
	case json.Number:
		if state != stateEmpty || key == "seq" || key == "revision" || key == "window" {
			return x
		}
		if emptyNumbers.MatchString(key) {
			return nil
		}
		return json.Number("0")
	case string:
		if state == stateHostile && !ownStrings.MatchString(key) {
			*n++
			return hostile[*n%len(hostile)]
		}
		if state == stateEmpty && (key == "first" || key == "last") {
			return nil
		}
		return x
	}
	return v
}
