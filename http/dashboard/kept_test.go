package dashboard

import (
	"net/url"
	"strings"
	"testing"
)

const madeKept = `{"saved":[{"id":"f1","kind":"filter","name":"Germans <b>","query":"visit.country=DE&type=page","revision":1},{"id":"g1","kind":"goal","name":"Signup","query":"name=signup","revision":1}]}`

func mayDo(v *Viewer) { v.Save = true }

// A saved filter is offered on every screen that has filters, takes the place of what it holds, and
// has its name as a chip.
func TestSavedFiltersAreOffered(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["saved"] = madeKept
	page := screenOn(t, m, "?range=7d&type=page&visit.country=DE&device=tablet", mayDo)
	mustHave(t, page, `<a href="/dashboard/site/shop?range=7d&amp;device=tablet&amp;saved=f1"><bdi>Germans &lt;b&gt;</bdi></a>`, "<summary>Save</summary>")
	mustNotHave(t, page, "saved=g1", "Saved as")
	mustHave(t, screenOn(t, m, "?range=7d&type=page&visit.country=DE", mayDo), "Saved as <bdi>Germans &lt;b&gt;</bdi>")
	page = screenOn(t, m, "?range=7d&saved=f1&saved=gone", mayDo)
	mustHave(t, page, "<bdi>Saved filter</bdi> is <b><bdi>Germans &lt;b&gt; and gone</bdi></b>", `saved=f1&amp;saved=gone" aria-current="true"`)
	if page := screenOn(t, m, "?range=7d", func(v *Viewer) { v.Share = &Share{Base: "/dashboard/s/token"} }); strings.Contains(page, "Germans") {
		t.Error("a share names the saved filters of the site")
	}
}

// Share leads to the form, which begins with the saved filter or says to save it first.
func TestShareOfFilters(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["saved"] = madeKept
	mustHave(t, screenOn(t, m, "?range=7d&visit.country=DE", mayDo), `href="/dashboard/site/shop/setup?_new=share&amp;visit.country=DE#new-share"`)
	for query, c := range map[string]struct{ have, not string }{
		"visit.country=FR":           {`id="new-share" open`, `value="f1" selected`},
		"type=page&visit.country=DE": {`value="f1" selected`, textSaveFirst},
		"saved=f1":                   {`value="f1" selected`, textSaveFirst},
		"bot=false":                  {`id="new-share" open`, textSaveFirst},
	} {
		page := screenOn(t, m, "/setup?_new=share&"+query, mayDo)
		mustHave(t, page, c.have)
		mustNotHave(t, page, c.not)
	}
	mustHave(t, screenOn(t, m, "/setup?_new=share&visit.country=FR", mayDo), textSaveFirst, `href="/dashboard/site/shop?range=30d&amp;visit.country=FR">Back to the filters`)
	m.answers["saved"] = `{"saved":[]}`
	mustHave(t, screenOn(t, m, "/setup", mayDo), "To show a part, save a filter first.")
	mustNotHave(t, screenOn(t, m, "/setup", mayDo), `id="new-share" open`, `id="new-goal" open`)
}

// A goal is made with the picker of the steps of a funnel, or with a filter.
func TestGoalForm(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["saved"] = madeKept
	mustHave(t, screenOn(t, m, "/setup?_new=goal", mayDo), `id="new-goal" open`, `name="_k0"`, `<option value="page">Page view</option><option value="event" selected>Event</option>`)
	for _, c := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"_k0": {"event"}, "_o0": {"is"}, "_v0": {"signup"}}, "name=signup"},
		{url.Values{"_k0": {"page"}, "_o0": {"match"}, "_v0": {"/thanks*"}}, "type=page&type=screen&page~=/thanks*"},
		{url.Values{"_k0": {"text"}, "_o0": {"is"}, "_v0": {"name=a&prop.plan=pro"}}, "name=a&prop.plan=pro"},
		{url.Values{"query": {"name=old"}}, "name=old"},
	} {
		c.form.Set("kind", "goal")
		c.form.Set("name", "New")
		_, _, body, err := savedCall(c.form.Encode(), shown)
		if want := `"query":` + quoted(c.want); err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%v: %s, want %s, %v", c.form, body, want, err)
		}
	}
}
