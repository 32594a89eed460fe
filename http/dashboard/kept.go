package dashboard

import (
	"net/url"
	"slices"
)

// This file knows the saved filters of the site: what they are called, which one has just the
// filters of the address, and the way to the forms that make saved things.

// savedFilters are those of the site; a share sees none. They are read once a page.
func (p *page) savedFilters() []savedThing {
	if p.kept == nil {
		list := []savedThing{}
		var a struct {
			Saved []savedThing `json:"saved"`
		}
		if p.viewer.Share == nil {
			if q := p.ask("saved", nil); q.ready(p.late) && q.into(&a) == nil {
				list = slices.DeleteFunc(a.Saved, func(s savedThing) bool { return s.Kind != "filter" })
			}
		}
		p.kept = &list
	}
	return *p.kept
}

// savedHereHref is the address of the screen with a saved filter, which takes the place of the
// filters that it holds itself.
func (p *page) savedHereHref(s *savedThing) string {
	held := parseRaw(s.Query)
	rest := slices.DeleteFunc(p.state.anew().without("_edit"), func(x pair) bool { return slices.Contains(held, x) && p.state.onlyFilters().has(x.key) })
	return p.href(rest.and("saved", s.ID))
}

// savedNames are the names of saved filters; one that is gone keeps its id.
func (p *page) savedNames(ids []string) (names []string) {
	for _, id := range ids {
		name := id
		for _, s := range p.savedFilters() {
			if s.ID == id {
				name = s.Name
			}
		}
		names = append(names, name)
	}
	return names
}

// savedAs is the saved filter that has the filters of the address, in whatever order; nil = none.
func (p *page) savedAs() *savedThing {
	sorted := func(s state) string {
		q, _ := url.ParseQuery(s.String())
		return q.Encode()
	}
	now := sorted(p.state.onlyFilters())
	for i := range p.savedFilters() {
		if s := &(*p.kept)[i]; sorted(parseRaw(s.Query)) == now {
			return s
		}
	}
	return nil
}

// savedPair are the saved filters that the address names.
func (p *page) savedPair() (s state) {
	for _, id := range p.state.all("saved") {
		s = append(s, pair{"saved", id})
	}
	return s
}

// newHref is the address of the form that makes a saved thing of a kind, with what else it is told.
func (p *page) newHref(kind string, told state) string {
	return p.screenHref("setup", append(state{{"_new", kind}}, told...)) + "#new-" + kind
}

// newShare says which saved filter a new share begins with, and what to do about filters that are
// not saved.
func (p *page) newShare(v *setUpView) {
	chosen := p.state.get("saved")
	filters := p.state.onlyFilters()
	if chosen == "" && len(filters) > 0 {
		if s := p.savedAs(); s != nil {
			chosen = s.ID
		} else if filters.String() != "bot=false" { // screens begin with it
			v.Unsaved, v.UnsavedHref = textSaveFirst, p.screenHref("", append(parseState("").without("compare", "bot"), filters...))
		}
	}
	for i := range v.Filters {
		v.Filters[i].On = v.Filters[i].Href == chosen
	}
}
