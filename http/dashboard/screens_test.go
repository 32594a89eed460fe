package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"cairn/engine/query"
	"cairn/http/dialect"
)

// madeRows are n rows of a table, as the API writes them.
func madeRows(n int, name func(i int) string) string {
	var rows []string
	for i := range n {
		value, _ := json.Marshal(name(i))
		rows = append(rows, fmt.Sprintf(`{"value":%s,"visits":%d,"visitors":%d,"views":%d,"events":%d,"users":%d,"entries":3,"exits":4,"bounce_rate":0.4438,"exit_rate":0.25,"time":79.3,"duration":223.3,"share":0.1,"was":{"visits":%d,"visitors":%d,"views":7,"bounce_rate":0.5,"duration":200}}`,
			value, 2000-i, 1000-i, 3000-i, 900-i, 800-i, 1900-i, 900-i))
	}
	return `"rows":[` + strings.Join(rows, ",") + fmt.Sprintf(`],"count":%d,"next":null`, 10*n)
}

// madeVisits is an answer of visits over 30 days that the overview can show whole.
func madeVisits(name func(i int) string) string {
	var series, before []string
	for i := range 30 {
		at := time.Date(2026, 10, 31+i, 0, 0, 0, 0, time.UTC)
		series = append(series, fmt.Sprintf(`{"time":%q,"visits":%d,"visitors":%d,"views":%d,"events":9,"bounces":3,"duration":99.5,"partial":%t}`, at.Format(time.RFC3339), 120+i, 100+i, 300+i, i == 29))
		before = append(before, fmt.Sprintf(`{"time":%q,"visits":%d,"visitors":%d,"views":%d,"events":9,"bounces":3,"duration":99.5,"partial":false}`, at.AddDate(0, 0, -30).Format(time.RFC3339), 110+i, 90+i, 290+i))
	}
	var hours []string
	for i := range 168 {
		hours = append(hours, fmt.Sprintf(`{"value":"%d-%02d","visits":%d}`, i/24+1, i%24, i))
	}
	by := fmt.Sprintf(`"channel":{%s},"country":{%s},"browser":{%s},"weekhour":{"rows":[%s],"count":168,"next":null}`,
		madeRows(10, name), madeRows(10, name), madeRows(10, name), strings.Join(hours, ","))
	const total = `"visits":1151814,"visitors":361227,"new_visits":361227,"views":4375745,"events":5000000,"bounces":511404,"bounce_rate":0.444,"views_per_visit":3.8,"duration":223.3`
	return `{"site":"shop","zone":"UTC","from":"2026-10-31T00:00:00.000Z","to":"2026-11-30T00:00:00.000Z","until":"2026-11-29T18:00:00.000Z","as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},` +
		`"total":{` + total + `},"interval":"day","series":[` + strings.Join(series, ",") + `],"by":{` + by + `},` +
		`"compare":{"from":"2026-10-01T00:00:00.000Z","to":"2026-10-30T18:00:00.000Z","total":{"visits":1100000,"visitors":350000,"views":4400000,"bounce_rate":0.45,"views_per_visit":4,"duration":218},"series":[` + strings.Join(before, ",") + `]}}`
}

// madeOverview has an answer for all that the overview asks.
func madeOverview(name func(i int) string) *made {
	frame := `{"as_of":{"time":"2026-11-29T18:00:00.000Z","seq":9},`
	return &made{answers: map[string]string{
		"visits": madeVisits(name), "pages": frame + madeRows(10, name) + `}`, "breakdown": frame + madeRows(10, name) + `,"total":{"events":9,"users":8}}`,
		"fields": frame + `"fields":[{"field":"prop.plan","kind":"property","examples":["free","pro"]}]}`, "live": `{"visitors":37}`, "saved": `{"saved":[]}`,
	}}
}

func plainName(i int) string { return fmt.Sprintf("name-%d", i) }

func TestOverviewShowsNumbers(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["visits"] = strings.Replace(m.answers["visits"], `"by":{`, `"by":{"source":{"rows":[{"value":null,"visits":5,"visitors":4},{"value":"Google","visits":3,"visitors":2}],"count":2,"next":null},`, 1)
	body := screenOn(t, m, "?_tab=source")
	for _, want := range []string{
		">361,227<", ">1,151,814<", ">44.4\u00a0%<", ">3\u00a0m 43\u00a0s<", "▲\u00a03.2\u00a0%", "<b>37</b> now",
		`href="/dashboard/site/shop?range=30d&amp;compare=previous&amp;bot=false&amp;_tab=source&amp;visit.source=Google"`,
		`visit.has%21=source`, "Direct", "name-9", "All 100", "Days of UTC", "18:00:00",
		`/api/v1/visits?range=30d&amp;compare=previous&amp;bot=false&amp;by=source&amp;interval=none&amp;sort=visitors&amp;metrics=visitors,visits,views,bounce_rate,duration&amp;format=csv`,
	} {
		if !strings.Contains(body, want) && !strings.Contains(body, strings.ReplaceAll(want, "%21", "!")) && !strings.Contains(body, strings.ReplaceAll(want, " ", "\u00a0")) {
			t.Errorf("the overview lacks %s", want)
		}
	}
	if !m.asks("visits", "by=channel", "by=country", "by=browser", "by=weekhour", "compare=previous", "max_age=10", "bot=false") {
		t.Errorf("the one question of the overview: %q", m.asked)
	}
}

// What events hold is text, whatever it looks like.
func TestOverviewOfHostileTexts(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202eevil\u202c", strings.Repeat("long", 256), "' onclick='alert(1)", "javascript:alert(1)", "{{.}}", "\u200b", "a&b=c#d?e", "%zz",
	} {
		body := screenOn(t, madeOverview(func(i int) string { return fmt.Sprint(text, i) }), "")
		for _, bad := range []string{"<script>alert", "<img src=x", " onclick='alert", `href="javascript`, "ZgotmplZ"} {
			if strings.Contains(body, bad) {
				t.Errorf("%.40q comes out as %q", text, bad)
			}
		}
	}
}

// The first view has a budget (in gzip), since people open it on telephones.
func TestSizesOfFirstView(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, most int
	}{
		{"style", len(style().packed), 9 << 10},
		{"script", len(script().packed), 14 << 10},
		{"overview", len(pack(nil, []byte(screenOn(t, madeOverview(func(i int) string { return fmt.Sprintf("/a/path/of/usual/length/%d", i*7919) }), "")), gzip.DefaultCompression)), 24 << 10},
	} {
		t.Logf("%s: %d bytes in gzip of at most %d", c.what, c.got, c.most)
		if c.got > c.most {
			t.Errorf("%s takes %d bytes in gzip, more than %d", c.what, c.got, c.most)
		}
	}
}

// A failed panel says what went wrong; the others go on.
func TestPanelErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{401, `{"error":"x"}`, `Your session has ended. <a href="/dashboard/login?next=`},
		{503, `{"error":"query_timeout","status":503}`, "This is too much for ten seconds."},
		{503, `{"error":"too many reports","status":503}`, `data-wait="1"`},
		{429, `{"error":"too many","status":429}`, "The server is busy."},
		{400, `{"error":"path: bad","field":"path","status":400}`, "The address asks for something that does not work: path: bad"},
		{500, `{"error":"internal error","status":500}`, "This could not be counted. (500)"},
		{500, `{"error":"corrupt","file":"data/000007.sst","status":500}`, "Data on the disk is damaged"},
		{502, `no JSON`, "This could not be counted. (502)"},
	} {
		m := madeOverview(plainName)
		m.answers["pages"] = fmt.Sprint(c.status, " ", c.body)
		body := screenOn(t, m, "")
		if !strings.Contains(body, c.want) {
			t.Errorf("%d %s: the page lacks %q", c.status, c.body, c.want)
		}
		if !strings.Contains(body, "361,227") {
			t.Errorf("%d %s: the other panels are gone", c.status, c.body)
		}
	}
}

// slow answers a call late.
type slow struct {
	Reports
	call  string
	until chan struct{}
}

func (s *slow) Ask(ctx context.Context, v *Viewer, site *dialect.Site, call, query string) Answer {
	if call == s.call {
		<-s.until
	}
	return s.Reports.Ask(ctx, v, site, call, query)
}

// A panel that is not ready is left for later, and comes as a fragment or with _wait.
func TestLatePanels(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["site"] = madeSite
	s := &slow{m, "pages", make(chan struct{})}
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	d := New(Options{Reports: s, Gate: openGate{&Viewer{Sites: []*dialect.Site{site}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	get := func(raw string) string {
		res := new(dialect.Response)
		d.siteScreen(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/site/shop", RawQuery: raw, Header: func(string) string { return "" }}, res)
		return string(res.Body)
	}
	body := get("")
	if !strings.Contains(body, `data-panel="pages" aria-labelledby="h-pages" aria-busy="true" data-load`) || !strings.Contains(body, "<noscript>") || !strings.Contains(body, "361,227") {
		t.Errorf("the page that waits for one panel: %s", body)
	}
	all := regexp.MustCompile(`<noscript><a href="/dashboard/site/shop\?([^"]*)"`).FindStringSubmatch(body)
	if all == nil || !strings.HasSuffix(all[1], "_wait=1") {
		t.Fatalf("without script, the link to all is %q", all)
	}
	close(s.until)
	for _, raw := range []string{"_panel=pages", "_wait=1", strings.ReplaceAll(all[1], "&amp;", "&")} {
		if body := get(raw); strings.Contains(body, "aria-busy") || !strings.Contains(body, "name-9") {
			t.Errorf("%s: %s", raw, body)
		}
	}
}

// What does not exist is 404, in the frame of the screen and however late the answer comes; a filter
// that was deleted is taken off by a link.
func TestWhatIsNotThere(t *testing.T) {
	m := madeOverview(plainName)
	const none = `404 {"error":"saved: no such saved filter","field":"saved","status":404}`
	for _, call := range []string{"visits", "pages", "breakdown", "fields"} {
		m.answers[call] = none
	}
	page := screenAs(t, 404, m, "?range=7d&saved=gone&country=DE")
	mustHave(t, page, textNoSaved, `<a href="/dashboard/site/shop?range=7d&amp;country=DE">Take it off</a>`, `aria-label="Screens"`)
	mustNotHave(t, page, "Try again")
	for call, path := range map[string]string{"users/ada": "/people/ada", "sessions/x": "/visit/x", "events/x": "/events/x"} {
		s := &slow{m, call, make(chan struct{})}
		site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
		d := New(Options{Reports: s, Gate: openGate{&Viewer{Sites: []*dialect.Site{site}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
		time.AfterFunc(2*waitShort, func() { close(s.until) })
		res := new(dialect.Response)
		d.siteScreen(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/site/shop" + path, Header: noHeader}, res)
		if res.Status != 404 || !strings.Contains(string(res.Body), `aria-label="Screens"`) {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
}

// The bar of a screen has all of its tables as CSV, those that are still counted too; and each table
// has its own link.
func TestTablesAsCSV(t *testing.T) {
	m := madeOverview(plainName)
	for from, answers := range map[*made][]string{eventsMade(): {"events", "values", "series"}, peopleMade(): {"users", "sessions"}} {
		for _, call := range answers {
			m.answers[call] = from.answers[call]
		}
	}
	for call, answer := range map[string]string{"funnel": madeFunnel, "retention": madeRetention, "paths": madePaths, "aggregate": madeNumbers, "site": madeSite} {
		m.answers[call] = answer
	}
	own := regexp.MustCompile(`<a href="([^"]*)" download>CSV</a>`)
	for screen, titles := range map[string][]string{
		"":                                     {"Visitors over time", "Channels", "Pages", "Countries", "Browsers", "Events", "Visits by weekday and hour"},
		"/pages":                               {"Pages"},
		"/page?_page=/a":                       {"Visitors over time", "Outlinks from it", "Searches from it", "Events on it", "Before it", "After it"},
		"/events":                              {"Events over time", "Events"},
		"/people":                              {"People"},
		"/people?_tab=visits":                  {"Visits"},
		"/funnels?step=name%3Da&step=name%3Db": {"Result"},
		"/retention":                           {"Cohorts"},
		"/paths":                               {"Where they went"},
		"/numbers?by=prop.plan":                {"By plan", "Sum over time"},
	} {
		page := strings.ReplaceAll(screenOn(t, m, screen), "Count over time", "Sum over time")
		_, menu, _ := strings.Cut(page, `<details class="menu" id="csv">`)
		menu, _, _ = strings.Cut(menu, "</details>")
		for _, title := range titles {
			if !strings.Contains(menu, ">"+title+"</a>") {
				t.Errorf("%s: the menu lacks %s: %s", screen, title, menu)
			}
		}
		links := own.FindAllStringSubmatch(page, -1)
		if len(links) == 0 || strings.Count(menu, "<li>") < len(links) {
			t.Errorf("%s: %d links, %s", screen, len(links), menu)
		}
		for _, l := range links {
			if !strings.Contains(menu, `"`+l[1]+`"`) || !strings.Contains(l[1], "format=csv") {
				t.Errorf("%s: the menu lacks %s", screen, l[1])
			}
		}
	}
	s := &slow{m, "pages", make(chan struct{})}
	defer close(s.until)
	site := &dialect.Site{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}
	d := New(Options{Reports: s, Gate: openGate{&Viewer{Sites: []*dialect.Site{site}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
	res := new(dialect.Response)
	d.siteScreen(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/site/shop", Header: noHeader}, res)
	mustHave(t, string(res.Body), `<li><a href="/api/v1/pages?range=30d&amp;compare=previous&amp;bot=false&amp;format=csv" download>Pages</a></li>`, "data-load")
}

// TestSources holds the rules of the page's safety: no markup but the templates', no other
// machine, no code in the page.
func TestSources(t *testing.T) {
	rules := []struct {
		files, bad, why string
	}{
		{"*.go", `template\.(HTML|JS|CSS|URL|HTMLAttr|Srcset)\b[^Q]`, "markup comes from templates alone"},
		{"assets/*.js", `innerHTML|outerHTML *=[^=]|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(['"]`, "text becomes nodes in one place alone"},
		{"assets/*.js", `https?://[^w]`, "the page asks its own server alone"},
		{"assets/*.css", `url\(|@import|https?://`, "the style loads nothing"},
		{"templates/*.html", ` style=| on[a-z]+=|<script[^s]*>|(src|href|action)="https?://`, "no code and no style in the page"},
	}
	for _, r := range rules {
		files, err := filepath.Glob(r.files)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", r.files, files, err)
		}
		bad := regexp.MustCompile(r.bad)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(text), "\n") {
				if found := bad.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: %s", file, i+1, found, r.why)
				}
			}
		}
	}
}

// A filter is changed in the form it was made with, and takes the place of the old one.
func TestFiltersAreEdited(t *testing.T) {
	m := madeOverview(plainName)
	body := screenOn(t, m, "?range=7d&country%21=DE&country%21=F%22R&_edit=country%21")
	mustHave(t, body, `id="filter" open`, `<option value="visit.country" selected>`, `<option value="event" selected>`, `<optgroup label="Property: of each event"><option value="prop.plan">plan</option>`, `<option value="not" selected>`, `name="_value" value="DE"`, `name="_value" value="F&#34;R"`, `name="_edit" value="country!"`)
	for _, c := range []struct{ form, want string }{
		{"range=7d&country!=DE&path~=/a*&_edit=country!&_field=country&_op=is&_value=US&_value=", "range=7d&path~=/a*&country=US"},
		{"range=7d&path~=/a*&_field=visit.source&_op=hasnot&_value=x", "range=7d&path~=/a*&visit.has!=source"},
		{"range=7d&path=/a&path=/b&_edit=path&_field=path&_op=is&_value=/b&_value=/c", "range=7d&path=/b&path=/c"},
		{"range=7d&compare=previous&_cfrom=2026-10-09&_cto=2026-10-01", "range=7d&compare=2026-10-01..2026-10-09"},
		{"range=7d&_from=2026-10-09&_to=2026-10-01", "from=2026-10-01&to=2026-10-09"},
		{"range=7d&_field=visit.country&_of=event&_op=is&_value=FR", "range=7d&country=FR"},
		{"range=7d&_field=prop.plan&_of=visit&_op=is&_value=pro", "range=7d&visit.prop.plan=pro"},
		{"range=7d&_field=visit.entry&_of=event&_op=is&_value=/a", "range=7d&visit.entry=/a"}, // events have none
		{"range=7d&_field=visit.source&_of=event&_op=hasnot", "range=7d&has!=source"},
		{"range=7d&country=DE&after=x&_field=country&_op=is&_value=FR", "range=7d&country=DE&country=FR"},
	} {
		p := &page{state: parseState(c.form), screen: screens[0]}
		if s, ok := p.fromForm(); !ok || s.String() != c.want {
			t.Errorf("%s: %q, %t", c.form, s, ok)
		}
	}
}

// The panel of a site without events is asked again, and says when the site has other panels.
func TestWaitingEnds(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["site"] = `{"name":"shop","zone":"UTC","first":null,"last":null,"events":0,"dialects":[]}`
	mustHave(t, screenOn(t, m, ""), "Waiting for the first event", `data-again="5"`)
	mustHave(t, screenOn(t, m, "?_panel=waiting"), "Waiting for the first event")
	m.answers["site"] = madeSite
	mustHave(t, screenOn(t, m, "?_panel=waiting"), `data-panel="waiting" data-gone`)
}

// The panels that docs/dashboard.md names for embeds are there.
func TestPanelsOfEmbeds(t *testing.T) {
	doc, err := os.ReadFile("../../docs/dashboard.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(doc), "_show=numbers,chart`. Other panels are ")
	list, _, _ = strings.Cut(list, ". `_theme")
	names := append(regexp.MustCompile("[a-z]+").FindAllString(strings.ReplaceAll(list, " and ", " "), -1), "numbers", "chart")
	if len(names) < 9 {
		t.Fatalf("the page names %q", names)
	}
	body := screenOn(t, madeOverview(plainName), "")
	for _, name := range names {
		if !strings.Contains(body, `data-panel="`+name+`"`) {
			t.Errorf("there is no panel %s", name)
		}
	}
}

// Notes stand on the chart however late they come, and whoever may save adds one below it.
func TestNotesOnTheChart(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["site"] = madeSite
	m.answers["saved"] = `{"saved":[{"id":"1","kind":"note","name":"","query":"","revision":1,"time":"2026-11-10T00:00:00.000Z","text":"New <b>shop</b>"}]}`
	see := func(address string, v *Viewer) string {
		s := &slow{m, "saved", make(chan struct{})}
		time.AfterFunc(waitShort/5, func() { close(s.until) })
		v.Sites = []*dialect.Site{{Site: query.Site{ID: 1, Name: "shop", Location: time.UTC}}}
		res := get(t, New(Options{Reports: s, Gate: openGate{v}, Addresses: atRoot{}, Now: func() time.Time { return shown }}), address)
		return string(res.Body)
	}
	page := see("?range=30d", &Viewer{Save: true})
	mustHave(t, page, `<title>New &lt;b&gt;shop&lt;/b&gt;</title>`, "◆ New &lt;b&gt;shop", `<form class="sheet" method="post" action="/dashboard/site/shop/saved"><input type="hidden" name="kind" value="note">`, `name="time" value="2026-11-29"`, `value="/dashboard/site/shop?range=30d"`)
	mustHave(t, see("?from=2026-11-01&to=2026-11-20", &Viewer{Save: true}), `name="time" value="2026-11-20"`)
	page = see("", &Viewer{})
	mustHave(t, page, "◆ New &lt;b&gt;shop")
	mustNotHave(t, page, "Add a note")
	page = see("", &Viewer{Save: true, Share: &Share{}})
	mustNotHave(t, page, "◆", "Add a note")
}

// Whose the locations are stands below every screen, and in an embed that shows places.
func TestCreditOfLocations(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["site"] = strings.Replace(madeSite, `"dialects"`, `"geo":"country","geo_credit":"Places by X (https://x.example), CC BY","dialects"`, 1)
	const link = `<a href="https://x.example" rel="noopener noreferrer nofollow" target="_blank">Places by X, CC BY</a>`
	mustHave(t, screenOn(t, m, ""), link)
	mustHave(t, screenOn(t, m, "/setup"), geoTexts["country"]+" "+link)
	embed := func(show string) string {
		d := New(Options{Reports: m, Gate: &sharing{share: Share{Embed: []string{"*"}}}, Addresses: atRoot{}, Now: func() time.Time { return shown }})
		return string(d.asks(t, "GET", "/dashboard/e/tok?_show="+show+"&_wait=1", "").Body)
	}
	mustHave(t, embed("places"), link)
	mustNotHave(t, embed("numbers"), "Places by X")
	m.answers["site"] = strings.Replace(madeSite, `"dialects"`, `"geo_credit":"Places by X (javascript:alert(1))","dialects"`, 1)
	mustNotHave(t, screenOn(t, m, ""), `href="javascript`)
	m.answers["site"] = madeSite
	mustNotHave(t, screenOn(t, m, ""), "credit")
}
