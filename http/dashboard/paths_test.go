package dashboard

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

const madePaths = `{"as_of":{"time":"2026-11-29T13:59:00.000Z"},"unit":"visits","anchored":1000,
"columns":[{"rows":[{"label":"/","count":500},{"label":"<script>alert(1)</script>","count":20}],"other":380,"stopped":100},
{"rows":[{"label":"/b","count":30}],"other":5,"stopped":15},
{"rows":[{"label":"/c","count":10},{"label":"","count":2}],"other":0,"stopped":18}],"links":[]}`

func TestPaths(t *testing.T) {
	r := &made{answers: map[string]string{"paths": madePaths}}
	// The way goes through a label that is not among those of the first column any more.
	_, _, page := look(t, r, "paths?start=name%3Dsignup&then=/rare&then=/b&country=DE")
	shows(t, page, "After", `<p class="way">`, "Event signup", "→", "then=/rare\"", "/rare", "then=/rare&amp;then=/b\" aria-current=\"step\"", "30 of 1,000 visits, 3 %", "Start over", "Make a funnel of it",
		"Just after", "then=/\"", "&lt;script&gt;alert(1)&lt;/script&gt;", "chosen", "/rare", "50", "Elsewhere", "330", "Left", "100",
		"Second after", "chosen", "Elsewhere", "Third after", "then=/rare&amp;then=/b&amp;then=/c")
	q := r.one(t, "paths")
	if !slices.Equal(q.all("then"), []string{"/rare", "/b"}) || q.get("depth") != "3" || q.get("start") != "name=signup" || q.get("country") != "DE" || q.has("anchor") || q.has("compare") {
		t.Errorf("asked %q", q)
	}
}

func TestPathsQuestion(t *testing.T) {
	way := strings.Repeat("&then=/a", 9)
	for _, c := range []struct{ query, want string }{
		{"", "depth=3"}, {"then=/a&then=/b&then=/a", "then=/a then=/b then=/a depth=4"}, {way[1:], strings.Repeat("then=/a ", 9) + "depth=8"},
		{"anchor=each", "depth=3"}, {"anchor=each&end=name%3Dx&of=both&fold=/b/*", "end=name=x of=both anchor=each fold=/b/* depth=3"},
	} {
		r := &made{answers: map[string]string{"paths": madePaths}}
		look(t, r, "paths?"+c.query)
		var got []string
		for _, p := range r.one(t, "paths").without("range", "bot", "limit", "max_age") {
			got = append(got, p.key+"="+p.value)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: asked %q", c.query, got)
		}
	}
}

// A way becomes the funnel of its steps, in the order in which they happen.
func TestFunnelOfAWay(t *testing.T) {
	page := func(path string) string { return "type=page&type=screen&page=" + path }
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"then=/a", nil},
		{"then=/a&then=/b&then=/a", []string{page("/a"), page("/b"), page("/a")}},
		{"start=name%3Dx&then=/a", []string{"name=x", page("/a")}},
		{"end=name%3Dx&then=/a&then=/b", []string{page("/b"), page("/a"), "name=x"}},
		{"of=both&then=/a&then=signup", []string{page("/a"), "name=signup"}},
		{"fold=/b/*&then=/b/*&then=/a", []string{"type=page&type=screen&page~=/b/*", page("/a")}},
	} {
		r := &made{answers: map[string]string{"paths": madePaths}}
		_, _, html := look(t, r, "paths?range=7d&"+c.query)
		var steps []string
		if _, rest, ok := strings.Cut(html, `<a href="/cairn/dashboard/site/shop/funnels?range=7d&amp;step=`); ok {
			query, _, _ := strings.Cut(rest, `"`)
			s := parseRaw("step=" + strings.ReplaceAll(query, "&amp;", "&"))
			if steps = s.all("step"); s.get("entity") != "visit" {
				t.Errorf("%s: of people", c.query)
			}
		}
		if !slices.Equal(steps, c.want) {
			t.Errorf("%s: %q", c.query, steps)
		}
	}
}

func TestPathsStates(t *testing.T) {
	for name, c := range map[string]struct{ query, answer, want string }{
		"nothing": {"", `{"unit":"visits","anchored":0,"columns":[{"rows":[],"other":0,"stopped":0}]}`, "in these days"},
		"rows":    {"end=name%3Dx&anchor=each", strings.Replace(madePaths, "visits", "rows", 1), "1,000 times"},
		"refused": {"then=a", `400 {"error":"then: at most 1024 bytes","field":"then"}`, "at most 1024 bytes"},
		"short":   {"then=/a&then=/b&then=/c&then=/d", `{"unit":"visits","anchored":5,"columns":[]}`, "0 of 5 visits"},
		"none":    {"", `{"unit":"visits","anchored":5,"columns":[]}`, "5 visits"},
	} {
		r := &made{answers: map[string]string{"paths": c.answer, "site": `{"name":"shop","first":"2026-01-01T00:00:00Z","events":5}`}}
		if status, _, page := look(t, r, "paths?"+c.query); status != 200 || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d, %q is not there:\n%s", name, status, c.want, page)
		}
	}
}

func TestPathsForm(t *testing.T) {
	form := url.Values{"range": {"7d"}, "start": {"name=old"}, "then": {"/old"}, "_k0": {"page"}, "_v0": {"/a"}, "_from_what": {"end"}, "of": {""}, "anchor": {"each"}, "fold": {" /b/*  /c/* "}}
	if got := redirected(t, &made{}, "paths", form).String(); got != "anchor=each&range=7d&end=type%3Dpage%26type%3Dscreen%26page%3D/a&fold=/b/*&fold=/c/*" {
		t.Error(got)
	}
	form.Set("_from_what", "begin")
	if got := redirected(t, &made{}, "paths", form).String(); got != "range=7d&fold=/b/*&fold=/c/*" {
		t.Error(got)
	}
}
