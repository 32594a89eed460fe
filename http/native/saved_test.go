package native

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// change sends a body to be saved.
func change(t *testing.T, n *nativetest.Engine, method, target, body string) *dialect.Response {
	t.Helper()
	api := New(Options{Engine: n, Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay) }})
	path, raw, _ := strings.Cut(target, "?")
	req := &dialect.Request{Method: method, Path: path, RawQuery: raw, Body: []byte(body), Site: &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}, Header: func(string) string { return "" }}
	res := &dialect.Response{}
	if err := api.Act(t.Context(), req, res); err != nil {
		api.Reply(req, res, failureOf(err))
	}
	return res
}

// Each row is a body and what the engine is to save.
func TestSave(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	const put = "/api/v1/saved/" + nativetest.SavedID
	for _, c := range []struct{ name, target, body, asked string }{
		{"a filter", "/api/v1/saved", `{"kind":"filter","name":"de","query":"country=DE&range=7d&visit.entry~=/blog/*&by=entry"}`, `save shop "" filter "de" "country=DE&range=7d&visit.entry~=/blog/*&by=entry" 0`},
		{"of a site by name", "/api/v1/saved?site=shop", `{"kind":"filter","name":"de","query":"country=DE"}`, `save shop "" filter "de" "country=DE" 0`},
		{"a goal", "/api/v1/saved", `{"kind":"goal","name":"sign-up","query":"name=signup&prop.plan=pro"}`, `save shop "" goal "sign-up" "name=signup&prop.plan=pro" 0`},
		{"a funnel", "/api/v1/saved", `{"kind":"funnel","name":"f","query":"step=name%3Da%26prop.b%3Dc&step=type%3Dorder&window=7d"}`, `save shop "" funnel "f" "step=name%3Da%26prop.b%3Dc&step=type%3Dorder&window=7d" 0`},
		{"a note", "/api/v1/saved", `{"kind":"note","time":"2026-11-21","text":"release"}`, fmt.Sprintf(`save shop "" note "" "" 0 %d "release"`, nativetest.SomeDay)},
		{"a change of a note", put, `{"id":"0123456789abcdef","kind":"note","name":"","query":"","revision":2,"time":1795219200001,"text":"release"}`, fmt.Sprintf(`save shop "0123456789abcdef" note "" "" 2 %d "release"`, nativetest.SomeDay+1)},
		{"a change of a share", put, `{"kind":"share","name":"s","query":"range=7d","revision":1,"scope":"people","filter":null,"props":[],"embed":["HTTPS://A.example:443/","http://a.example:80","https://a.example","http://[::1]:8080"],"expires":null}`,
			`save shop "0123456789abcdef" share "s" "range=7d" 1 people "" [] ["https://a.example" "http://a.example" "http://[::1]:8080"] 0 ` + strings.Repeat("0", 64)},
		{"until a day's end", put, `{"kind":"share","name":"s","revision":1,"scope":"numbers","filter":"0123456789abcdef","props":["plan","a.b"],"embed":["*"],"expires":"2026-11-21"}`,
			`save shop "0123456789abcdef" share "s" "" 1 numbers "0123456789abcdef" ["plan" "a.b"] ["*"] ` + fmt.Sprint(nativetest.SomeDay+86_400_000) + " " + strings.Repeat("0", 64)},
	} {
		n := nativetest.Full()
		method := "POST"
		if strings.HasPrefix(c.target, put) {
			method = "PUT"
		}
		res := change(t, n, method, c.target, c.body)
		if res.Status != 200 || n.Asked != c.asked {
			t.Errorf("%s: %d %s\nasked %s\nwant  %s", c.name, res.Status, res.Body, n.Asked, c.asked)
			continue
		}
		nativetest.ValidateAnswer(t, doc, ops[method+" "+strings.ReplaceAll(strings.TrimSuffix(c.target, "?site=shop"), nativetest.SavedID, "*")], res, c.name)
		if strings.Contains(string(res.Body), "token") {
			t.Errorf("%s: a token: %s", c.name, res.Body)
		}
	}
}

// The token of a new share is in one answer, and the engine gets its SHA-256.
func TestShareToken(t *testing.T) {
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	n := nativetest.Full()
	tokens := map[string]bool{}
	for range 2 {
		res := change(t, n, "POST", "/api/v1/saved", `{"kind":"share","name":"s","scope":"numbers"}`)
		nativetest.ValidateAnswer(t, doc, ops["POST /api/v1/saved"], res, "a share")
		_, after, _ := strings.Cut(string(res.Body), `"token":"`)
		token, _, _ := strings.Cut(after, `"`)
		if len(token) != 32 || tokens[token] || strings.HasSuffix(n.Asked, strings.Repeat("0", 64)) || strings.Contains(n.Asked, token) {
			t.Errorf("token %q, asked %s", token, n.Asked)
		}
		tokens[token] = true
	}
	if res := call(t, n, "UTC", "GET", "/api/v1/saved?kind=share"); strings.Contains(string(res.Body), "token") || strings.Count(string(res.Body), `"id"`) != 2 {
		t.Errorf("%s", res.Body)
	}
	if res := call(t, n, "UTC", "GET", "/api/v1/saved?kind=thing"); res.Status != 400 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Each row is a body that is refused, and the member that is named.
func TestSaveRefused(t *testing.T) {
	share := func(members string) string { return `{"kind":"share","name":"s","scope":"numbers",` + members + `}` }
	for _, c := range []struct{ body, field string }{
		{``, ""}, {`[]`, ""}, {`{"kind":"filter","name":"a"}{}`, ""}, {`{"kind":"filter","name":"a","colour":"b"}`, ""}, {"{\"kind\":\"filter\",\"name\":\"\xff\"}", ""},
		{`{"kind":"thing","name":"a"}`, "kind"}, {`{"name":"a"}`, "kind"},
		{`{"kind":"filter"}`, "name"}, {`{"kind":"filter","name":"` + strings.Repeat("a", savedNameBytesMax+1) + `"}`, "name"},
		{`{"kind":"filter","name":"a","id":"0123456789abcdef"}`, "id"}, {`{"kind":"filter","name":"a","revision":1}`, "revision"},
		{`{"kind":"filter","name":"a","query":"saved=0123456789abcdef"}`, "query"}, {`{"kind":"filter","name":"a","query":"site=shop"}`, "query"},
		{`{"kind":"filter","name":"a","query":"contry=DE"}`, "query"}, {`{"kind":"filter","name":"a","query":"type=clicked"}`, "query"}, {`{"kind":"filter","name":"a","query":"range=7d&range=7d"}`, "query"},
		{`{"kind":"filter","name":"a","query":"step=saved%3D0123456789abcdef"}`, "query"}, {`{"kind":"funnel","name":"a","query":"step=visit.entry%3Da"}`, "query"}, {`{"kind":"filter","name":"a","query":"goal=x"}`, "query"},
		{`{"kind":"goal","name":"a"}`, "query"}, {`{"kind":"goal","name":"a","query":"name=a&range=7d"}`, "query"}, {`{"kind":"goal","name":"a","query":"name=a&visit.entry=b"}`, "query"}, {`{"kind":"goal","name":"a","query":"saved=0123456789abcdef"}`, "query"},
		{`{"kind":"filter","name":"a","query":"country=DE","scope":"numbers"}`, ""}, {`{"kind":"filter","name":"a","query":"country=DE","text":"b"}`, ""},
		{`{"kind":"filter","name":"a"}`, "query"}, {`{"kind":"filter","name":"a","query":"range=7d"}`, "query"}, {"{\"kind\":\"filter\",\"name\":\" \u200b\",\"query\":\"country=DE\"}", "name"}, {`{"kind":"goal","name":"a\nb","query":"name=a"}`, "name"},
		{`{"kind":"funnel","name":"a"}`, "query"}, {`{"kind":"funnel","name":"a","query":"step=name%3Da"}`, "query"}, {`{"kind":"funnel","name":"a","query":"step=name%3Da&step=name%3Db&window=zz"}`, "query"}, {`{"kind":"funnel","name":"a","query":"step=name%3Da&step=name%3Db&split=nothing"}`, "query"},
		{`{"kind":"share","name":"s"}`, "scope"}, {`{"kind":"share","name":"s","scope":"all"}`, "scope"}, {share(`"filter":""`), "filter"},
		{share(`"props":[""]`), "props"}, {share(`"props":[` + strings.Repeat(`"a",`, sharePropsMax) + `"a"]`), "props"}, {share(`"expires":"soon"`), "expires"}, {share(`"expires":true`), "expires"},
		{share(`"embed":["*","https://a.example"]`), "embed"}, {share(`"embed":["a.example"]`), "embed"}, {share(`"embed":["ftp://a.example"]`), "embed"}, {share(`"embed":["https://a.example/path"]`), "embed"},
		{share(`"embed":["https://a.example?x"]`), "embed"}, {share(`"embed":["https://a.example; script-src"]`), "embed"}, {share(`"embed":["https://*.example"]`), "embed"}, {share(`"embed":["https://u@a.example"]`), "embed"},
		{share(`"embed":["https://a.example:"]`), "embed"}, {share(`"embed":["https://a.example:0"]`), "embed"}, {share(`"embed":["https://a.example:65536"]`), "embed"}, {share(`"embed":["https://[fe80::1%25a]"]`), "embed"}, {share(`"embed":["https://"]`), "embed"},
		{`{"kind":"note","text":"a"}`, "time"}, {`{"kind":"note","time":"2026-11-21"}`, "text"}, {`{"kind":"note","time":"x","text":"a"}`, "time"}, {`{"kind":"note","time":1795219200,"text":"a","query":"name=a"}`, "query"},
	} {
		n := nativetest.Full()
		res := change(t, n, "POST", "/api/v1/saved", c.body)
		want := ""
		if c.field != "" {
			want = `"field":"` + c.field + `"`
		}
		if res.Status != 400 || !strings.Contains(string(res.Body), want) || want == "" && strings.Contains(string(res.Body), `"field"`) || n.Asked != "" {
			t.Errorf("%s: %d %s, asked %q", c.body, res.Status, res.Body, n.Asked)
		}
	}
	for _, body := range []string{`{"kind":"filter","name":"a"}`, `{"kind":"filter","name":"a","revision":0}`, `{"kind":"filter","name":"a","revision":1,"id":"fedcba9876543210"}`} {
		if res := change(t, nativetest.Full(), "PUT", "/api/v1/saved/"+nativetest.SavedID, body); res.Status != 400 {
			t.Errorf("PUT %s: %d %s", body, res.Status, res.Body)
		}
	}
	doc := nativetest.Contract(t, OpenAPI())
	ops := nativetest.Operations(t, doc)
	for _, err := range []error{nil, query.ErrNotFound, query.ErrDiskFull, query.ErrFailed, fmt.Errorf("%w: changed", query.ErrConflict)} {
		n := nativetest.Full()
		n.Err = err
		res := change(t, n, "PUT", "/api/v1/saved/"+nativetest.SavedID, `{"kind":"filter","name":"a","revision":1}`)
		nativetest.ValidateAnswer(t, doc, ops["PUT /api/v1/saved/*"], res, fmt.Sprint(err))
		res = change(t, n, "DELETE", "/api/v1/saved/"+nativetest.SavedID, "")
		nativetest.ValidateAnswer(t, doc, ops["DELETE /api/v1/saved/*"], res, fmt.Sprint(err))
	}
}

// The filters of a saved filter are added to those of the call, and never merged with them.
func TestSavedParameter(t *testing.T) {
	const plain = "0123456789abcdeb"
	for _, c := range []struct{ target, asked string }{
		{"/api/v1/count?saved=" + nativetest.SavedID, `count shop country=["DE"] visit.source=["Google"]`},
		{"/api/v1/count?country=FR&saved=" + nativetest.SavedID, `count shop country=["FR"] country=["DE"] visit.source=["Google"]`},
		{"/api/v1/events?country=NL&saved=" + nativetest.SavedID + "&saved=" + plain, `list shop country=["NL"] country=["DE"] visit.source=["Google"] name=["a" "b"] country=["NL"] limit 100`},
		{"/api/v1/users/u-1/events?saved=" + plain, `list shop name=["a" "b"] country=["NL"] user=["u-1"] limit 100`},
		{"/api/v1/count?saved=", `count shop`},
	} {
		n := nativetest.Full()
		if res := call(t, n, "UTC", "GET", c.target); res.Status != 200 || n.Asked != c.asked {
			t.Errorf("%s: %d, asked %s, want %s", c.target, res.Status, n.Asked, c.asked)
		}
	}
	n := nativetest.Full()
	if res := call(t, n, "UTC", "GET", "/api/v1/counters?property=plan&value=a&saved="+plain); res.Status != 200 || !strings.HasSuffix(n.Asked, `name=["a" "b"] country=["NL"]`) {
		t.Errorf("counters: %d %s", res.Status, n.Asked)
	}
	for target, status := range map[string]int{
		"/api/v1/count?saved=fedcba9876543210":                                 404,
		"/api/v1/count?saved=x":                                                404,
		"/api/v1/count?saved=0123456789abcdec":                                 400, // a note
		"/api/v1/count?" + strings.Repeat("saved="+plain+"&", savedNamesMax+1): 400,
		"/api/v1/count?saved!=" + plain:                                        400,
		"/api/v1/saved?saved=" + plain:                                         400,
		"/api/v1/users/u-1?saved=" + plain:                                     400,
		"/api/v1/count?goal=" + url.QueryEscape("saved="+plain):                400,
	} {
		if res := call(t, nativetest.Full(), "UTC", "GET", target); res.Status != status || status == 404 && !strings.Contains(string(res.Body), `"field":"saved"`) {
			t.Errorf("%s: %d %s, want %d", target, res.Status, res.Body, status)
		}
	}
	// The tag of an answer and a cursor depend on what the filter says.
	hash := func(saved string) uint64 {
		c := &reading{site: &query.Site{Name: "shop"}, req: &dialect.Request{Path: "/api/v1/count"}, query: params{lists: map[string][]string{"saved": {plain}}}}
		s := query.Saved{Query: saved}
		c.query.saved, _ = savedFilters(&s)
		return c.hash()
	}
	one, again := hash("name=a"), hash("name=a")
	if one == hash("name=b") || one != again {
		t.Error("the hash of a call does not depend on its saved filter")
	}
}

// Every call that filters takes saved, and no other.
func TestSavedEverywhere(t *testing.T) {
	for _, r := range table {
		filters := r.params.has("country")
		if r.params.has("saved") != filters {
			t.Errorf("%s %s", r.method, r.path)
		}
	}
}

// Who writes a name in place of a filter is told what to write.
func TestSavedGoalOfAName(t *testing.T) {
	for text, want := range map[string]string{"signup": "query: is no filter: write name=signup", "colour=red": "query: colour: no such parameter here"} {
		err := checkSavedQuery(query.SavedGoal, text)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if err := checkSavedQuery(query.SavedGoal, "name=signup"); err != nil {
		t.Error(err)
	}
}
