package dashboard

import (
	"testing"

	"cairn/http/native"
)

// What a panel asks for of its own holds beside the filters of the viewer, which are alternatives.
func TestOwnFiltersHoldBesideTheViewers(t *testing.T) {
	for _, c := range []struct {
		screen, own state
		want        string
	}{
		{nil, state{{"type", "search"}}, "type=search"},
		{state{{"type", "search"}}, state{{"type", "search"}}, "type=search"},
		{state{{"type", "page"}, {"type", "search"}, {"country", "DE"}}, state{{"type", "search"}}, "country=DE&type=search"},
		{state{{"type", "page"}}, state{{"type", "search"}}, "type=search&type!=search"},
		{state{{"type", "search"}}, state{{"type", "page"}, {"type", "screen"}}, "type=page&type!=page"},
		{state{{"type", "screen"}}, state{{"type", "page"}, {"type", "screen"}}, "type=screen"},
		{state{{"type!", "search"}}, state{{"type", "search"}}, "type!=search&type=search"},
		{state{{"type!", "order"}}, state{{"type!", "page"}}, "type!=order&type!=page"},
		{state{{"prop.count", "5"}}, state{{"type", "search"}, {"prop.count", "0"}}, "type=search&prop.count=0&prop.count!=0"},
		{state{{"name", "a"}}, state{{"field", "name"}, {"name", ""}}, "field=name"}, // the values of a facet, its own filter aside
		{state{{"limit", "7"}}, state{{"limit", "10"}}, "limit=10"},
	} {
		got := parseRaw(c.screen.question(&made{}, "breakdown", c.own)).without("max_age")
		want := parseRaw(c.want)
		if len(got) != len(want) {
			t.Errorf("%q and of its own %q: %q", c.screen, c.own, got)
			continue
		}
		for _, p := range want {
			if got.and(p.key, p.value).String() != got.String() {
				t.Errorf("%q and of its own %q: %q lacks %q", c.screen, c.own, got, p)
			}
		}
	}
}

// A panel of which a filter leaves nothing says which one, and takes it off.
func TestPanelThatAFilterEmpties(t *testing.T) {
	m := madeOverview(plainName)
	m.answers["breakdown"] = `{"rows":[],"count":0,"next":null}`
	page := screenOn(t, m, "?range=7d&_tab=search&country=DE&type=page")
	mustHave(t, page, "The filter of the field “Type” leaves nothing of this.", `<a href="/dashboard/site/shop?range=7d&amp;_tab=search&amp;country=DE">Take it off</a>`)
	if !m.asks("breakdown", "type=search&type!=search") {
		t.Errorf("asked %q", m.asked)
	}
}

// Every parameter of the API that is no filter is known as one, or a screen would take it for a filter; and
// no filter is.
func TestKeptParametersAreThoseOfTheAPI(t *testing.T) {
	known := map[string]bool{}
	for _, q := range native.Questions() {
		for _, p := range q.Params {
			known[p.Name] = true
			if p.Name != "saved" && (keeps[p.Name] == "") != p.Filter { // a saved filter goes with the filters
				t.Errorf("%s of %s is kept as %q", p.Name, q.Name, keeps[p.Name])
			}
		}
	}
	for name := range keeps {
		if takes, _ := native.Takes("saved", name); !known[name] && !takes {
			t.Errorf("the API has no parameter %s", name)
		}
	}
}
