package dashboard

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/http/dialect"
)

const madeFunnel = `{"from":"2026-10-31T00:00:00.000Z","to":"2026-11-30T00:00:00.000Z","as_of":{"time":"2026-11-29T13:59:00.000Z"},"entity":"user","window":1209600,
"entered":2000,"converted":101,"rate":0.0505,"steps":[{"count":2000,"rate":1,"dropped":1200},{"count":800,"rate":0.4,"step_rate":0.4,"dropped":699,"median":125.5},{"count":101,"step_rate":0.1263,"median":null}],
"split":[{"value":"DE","entered":1500,"converted":100,"steps":[{"count":1500},{"count":700,"step_rate":0.4667},{"count":100,"step_rate":0.1429}]},{"value":null,"entered":400,"converted":0,"steps":[{"count":400},{"count":90,"step_rate":0.225},{"count":0,"step_rate":0}]},{"other":true,"entered":100,"converted":1,"steps":[{"count":100},{"count":10,"step_rate":0.1},{"count":1,"step_rate":0.1}]}],
"interval":"week","series":[{"time":"2026-11-16T00:00:00.000Z","rate":0.05},{"time":"2026-11-23T00:00:00.000Z","rate":null,"partial":true}]}`

func TestFunnel(t *testing.T) {
	r := &made{answers: map[string]string{"funnel": madeFunnel, "saved": `{"saved":[{"id":"1","kind":"funnel","name":"Shop & co","query":"mode=strict&step=name%3Da&step=name%3Da&step=type%3Dorder&split=visit.country&bot=false"}]}`,
		"values": `{"rows":[{"value":"<script>alert(1)</script>"}]}`, "fields": `{"fields":[{"field":"prop.plan"},{"field":"name"}]}`}}
	address := "funnels?step=name%3Da&step=name%3Da&step=&step=type%3Dorder&split=visit.country&mode=strict"
	_, _, page := look(t, r, address)
	shows(t, page, "<h2 id=\"h-editor\">Shop &amp; co</h2>", `<option value="&lt;script&gt;alert(1)&lt;/script&gt;">`, "101 of 2,000 people went all the way", "Event a", "_at=1", "1,200 stopped here", "40", "2 m 6 s", "Order", "_state=reached", "Saved",
		"By Country", "visit.country=DE", "Germany", "1,500", "700", "46.7", "(none)", "All others", "Rate over time", textStillOpen)
	q := r.one(t, "funnel")
	if steps := q.all("step"); !slices.Equal(steps, []string{"name=a", "name=a", "type=order"}) {
		t.Errorf("steps %q: the same step twice is two steps, an empty one none", steps)
	}
	if q.get("split") != "visit.country" || q.get("mode") != "strict" || q.get("interval") != "day" || q.get("range") != "30d" || q.has("compare") {
		t.Errorf("asked %q", q)
	}
	// Another one is not called by the name of the saved one, and can be saved.
	_, _, page = look(t, r, strings.Replace(address, "strict", "any", 1))
	shows(t, page, ">Funnel</h2>", `<form method="post" action="/cairn/dashboard/site/shop/saved">`, `name="query" value="step=name%3Da&amp;step=name%3Da&amp;step=type%3Dorder&amp;mode=any&amp;split=visit.country&amp;bot=false"`)
}

func TestFunnelStates(t *testing.T) {
	empty := strings.NewReplacer("2000", "0", "800", "0", "101", "0").Replace(madeFunnel)
	for name, c := range map[string]struct{ address, answer, want string }{
		"one step":   {"funnels?step=name%3Da&step=", madeFunnel, textTwoSteps},
		"none stop":  {"funnels?step=name%3Da&step=name%3Db", strings.Replace(madeFunnel, `"count":800`, `"count":2000`, 1), `<p class="funnel-drop">0 stopped here`},
		"nobody":     {"funnels?step=name%3Da&step=name%3Db", empty, "in these days"},
		"refused":    {"funnels?step=name%3Da&step=foo", `400 {"error":"step: no such field","field":"step"}`, "no such field"},
		"hostile":    {"funnels?step=name%3D" + url.QueryEscape(url.QueryEscape(hostileText)) + "&step=name%3Db", madeFunnel, "&lt;script&gt;alert(1)&lt;/script&gt;"},
		"long":       {"funnels?step=name%3D" + strings.Repeat("x", 1000) + "&step=name%3Db", madeFunnel, strings.Repeat("x", 1000)},
		"eleven":     {"funnels?" + strings.Repeat("step=name%3Da&", 11), `400 {"error":"step: must be given 2 to 10 times","field":"step"}`, "2 to 10 times"},
		"nobody met": {"funnels?step=name%3Da&step=name%3Db&_at=2", "", textNobody},
	} {
		r := &made{answers: map[string]string{"funnel": c.answer, "funnel/entities": `{"entities":[],"next":null}`, "site": `{"name":"shop","first":"2026-01-01T00:00:00Z","events":5}`}}
		status, _, page := look(t, r, c.address)
		if status != 200 || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d, %q is not there:\n%s", name, status, c.want, page)
		}
	}
}

func TestFunnelList(t *testing.T) {
	var saved []string
	for _, name := range strings.Fields("a b c d e f g h i j k l m") {
		saved = append(saved, `{"id":"`+name+`","name":"Funnel `+name+`","query":"step=name%3D`+name+`&step=name%3Dz&entity=visit&country=DE"}`)
	}
	r := &made{answers: map[string]string{"funnel": madeFunnel, "saved": `{"saved":[` + strings.Join(saved, ",") + `]}`}}
	_, _, page := look(t, r, "funnels?country=US&range=7d")
	shows(t, page, "Funnel a", "step=name%3Da&amp;step=name%3Dz&amp;entity=visit&amp;country=DE&amp;range=7d", "5.1", "101 of 2,000", "Funnel l", "More funnels", "Funnel m", "New funnel")
	if n := len(r.all("funnel")); n != cardsMax {
		t.Errorf("%d funnels are counted", n)
	}
	for _, q := range r.all("funnel") {
		if !slices.Equal(q.all("country"), []string{"DE"}) || q.get("range") != "7d" {
			t.Errorf("asked %q: a saved funnel keeps its own filters", q)
		}
	}
}

// When it is not known which funnels are saved, a panel says why; when that comes late, it has links.
func TestSavedFunnelsFail(t *testing.T) {
	r := &made{answers: map[string]string{"saved": `503 {"error":"query_timeout","status":503}`}}
	_, _, page := look(t, r, "funnels?range=7d")
	shows(t, page, "Saved funnels", textTooMuch, "New funnel")
	r.answers["saved"] = `{"saved":[{"id":"a","kind":"funnel","name":"Funnel a","query":"step=name%3Da&step=name%3Dz"}]}`
	_, _, page = look(t, r, "funnels?range=7d&_panel="+savedPanel)
	shows(t, page, "Saved funnels", `href="/cairn/dashboard/site/shop/funnels?step=name%3Da&amp;step=name%3Dz&amp;range=7d`, "Funnel a")
	r.answers["saved"] = `{"saved":[]}`
	_, _, page = look(t, r, "funnels?range=7d&_panel="+savedPanel)
	shows(t, page, textNoFunnels)
	if _, _, page = look(t, r, "funnels?range=7d"); strings.Contains(page, "Saved funnels") {
		t.Error("no funnel is saved, and a panel says so")
	}
}

func TestFunnelForm(t *testing.T) {
	form := func(more ...string) url.Values {
		v := url.Values{"range": {"7d"}, "_k0": {"page"}, "_o0": {"match"}, "_v0": {"/a*"}, "_k1": {"event"}, "_v1": {"b"}, "_f1.0": {"prop.plan"}, "_p1.0": {"not"}, "_w1.0": {"pro"}, "_f1.1": {"user"}, "_p1.1": {"has"},
			"_k2": {"type:order"}, "_v2": {""}, "entity": {""}, "mode": {"any"}, "window": {""}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	a, b, c := "type=page&type=screen&page~=/a*", "name=b&prop.plan!=pro&has=user", "type=order"
	for _, tt := range []struct {
		form url.Values
		want []string
	}{
		{form(), []string{a, b, c}},
		{form("_do", "add"), []string{a, b, c, ""}},
		{form("_do", "up.1"), []string{b, a, c}},
		{form("_do", "up.0"), []string{a, b, c}},
		{form("_do", "down.1"), []string{a, c, b}},
		{form("_do", "down.2"), []string{a, b, c}},
		{form("_do", "remove.1"), []string{a, c}},
		{form("_do", "remove.9"), []string{a, b, c}},
		{form("_order", "2,0,1"), []string{c, a, b}},
		{form("_order", "2,0,1", "_do", "up.1"), []string{c, b, a}},
		{form("_order", "2,2,x,99,-1"), []string{c, a, b}},
		{form("_k1", "any", "_f1.0", "", "_f1.1", ""), []string{a, "", c}},
	} {
		s := redirected(t, &made{}, "funnels", tt.form)
		for i, step := range s.all("step") {
			if i >= len(tt.want) || step != tt.want[i] {
				t.Errorf("%v: steps %q, want %q", tt.form, s.all("step"), tt.want)
				break
			}
		}
		if len(s.all("step")) != len(tt.want) || s.get("mode") != "any" || s.has("entity") || s.get("range") != "7d" {
			t.Errorf("%v: %q", tt.form, s)
		}
	}
}

// A share of numbers has no link to people, and no form that saves.
func TestSharedAnalyses(t *testing.T) {
	for _, people := range []bool{false, true} {
		r := &made{answers: map[string]string{"funnel": madeFunnel, "retention": madeRetention}}
		d := New(Options{Reports: r, Gate: &sharing{share: Share{People: people}}, Addresses: below{}, Now: func() time.Time { return time.Date(2026, 11, 29, 14, 0, 0, 0, time.UTC) }})
		for _, address := range []string{"funnels?step=name%3Da&step=name%3Db&_wait=1", "retention?_wait=1"} {
			path, query, _ := strings.Cut(address, "?")
			var res dialect.Response
			d.shared(t.Context(), &dialect.Request{Method: "GET", Path: "/dashboard/s/tok/" + path, RawQuery: query, Header: noHeader}, &res)
			page := string(res.Body)
			if !strings.Contains(page, "1,200") && !strings.Contains(page, "100 of 200") {
				t.Fatalf("%s shows nothing:\n%s", address, page)
			}
			if got := strings.Contains(page, "_at="); got != people {
				t.Errorf("people %v: %s links to people: %v", people, address, got)
			}
			if strings.Contains(page, "/saved") {
				t.Errorf("%s saves", address)
			}
		}
	}
}

// A range has no more steps than the API gives, whatever the address says.
func TestFunnelInterval(t *testing.T) {
	for query, want := range map[string]string{
		"range=7d": "day", "range=7d&interval=hour": "hour", "range=12mo&interval=hour": "week", "range=12mo&interval=day": "day", "range=90d&interval=decade": "day",
		"range=all": "month", "range=all&interval=week": "week", "range=all&interval=day": "month",
	} {
		r := &made{answers: map[string]string{"funnel": madeFunnel, "site": `{"name":"shop","first":"2023-01-01T00:00:00Z","events":5}`}}
		look(t, r, "funnels?step=name%3Da&step=name%3Db&"+query)
		if got := r.one(t, "funnel").get("interval"); got != want {
			t.Errorf("%s: by %s", query, got)
		}
	}
}
