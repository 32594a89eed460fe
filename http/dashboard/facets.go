package dashboard

import (
	"slices"
	"strconv"

	"cairn/http/dialect"
)

// This file is the panel of the fields of events: each opens to its values, which can be chosen or
// left out, and each can be a column of the list.

// facetsView are the fields of events as their template takes them.
type facetsView struct {
	searchView
	Groups []facetGroup
	All    string // address of all of them; "" = these are
	Count  string
}

// facetGroup is a part of the fields.
type facetGroup struct {
	Title  string
	Facets []facetView
}

// facetView is a field.
type facetView struct {
	Title, Name string
	Toggle      string // address with it open or closed
	Open        bool
	Column      string // address with or without its column
	Shown       bool   // it is a column
	Values      []facetValue
	Error       string
	More        string // how many other values there are
	Search      string // what its values are searched for
	Keep        []pairView
	Action      string
}

// facetValue is a value of a field.
type facetValue struct {
	Text, Title string
	Count       string
	Bar         string
	Href        string // with or without the value
	Not         string // address without such events
	On          bool
}

// facetGroups are the fields in their order; those that are not named come under the last title,
// and properties have their own.
var facetGroups = []struct {
	title  string
	fields []string
}{
	{"Event", []string{"name", "type", "value"}},
	{"Page", []string{"path", "title", "url", "referrer_host", "referrer"}},
	{"Campaign", []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id"}},
	{"Place", []string{"country", "region", "city", "language", "timezone"}},
	{"Device", []string{"device", "browser", "browser_version", "os", "os_version", "brand", "model", "screen", "bot"}},
	{"Properties", nil},
	{"Others", nil},
}

// facetsDefault are the fields that are open without a choice.
var facetsDefault = []string{"name", "type"}

const (
	facetsOpenMax = 8   // fields that are open at once: each is a question
	facetsShort   = 40  // fields that are listed at first
	facetsMax     = 400 // fields that are listed at all
	facetValues   = 8   // values of an open field
)

// facets is the panel of the fields.
func (p *page) facets() *panel {
	open := p.state.all("_facet")
	if len(open) == 0 {
		open = facetsDefault
	}
	open = slices.DeleteFunc(slices.Clone(open), func(f string) bool { return f == "" })
	open = open[:min(len(open), facetsOpenMax)]
	n := &panel{name: "fields", title: "Fields", lines: 30}
	values := map[string]*asked{}
	n.ask = func() *asked {
		fields := p.ask("fields", state{{"limit", strconv.Itoa(facetsMax)}, {"search", p.state.get("_find")}})
		var others []*asked
		for _, f := range open {
			key := fieldKey(f)
			own := state{{"field", f}, {"limit", strconv.Itoa(facetValues)}, {key, ""}} // its own filter is left out, so that others can be chosen
			if p.state.get("_in") == f {
				own = append(own, pair{"search", p.state.get("_text")})
			}
			values[f] = p.ask("values", own)
			others = append(others, values[f])
		}
		return together(fields, others...)
	}
	n.view = func(q *asked) (body, *failure) {
		var a struct {
			Fields []fieldData `json:"fields"`
		}
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		return body{peopleBody: peopleBody{Facets: p.viewFacets(a.Fields, open, values)}}, nil
	}
	return n
}

// fieldData is a field of the call fields.
type fieldData struct {
	Field string `json:"field"`
	Kind  string `json:"kind"`
}

// viewFacets makes the view of the fields, of which some are open, with their values.
func (p *page) viewFacets(fields []fieldData, open []string, values map[string]*asked) *facetsView {
	v := &facetsView{searchView: p.search("_find"), Count: p.locale.Number(uint64(len(fields)))}
	all := p.state.get("_fields") != "" || v.Search != ""
	groups := make([]facetGroup, len(facetGroups))
	places := map[string][2]int{}
	for i, g := range facetGroups {
		groups[i].Title = g.title
		for j, f := range g.fields {
			places[f] = [2]int{i, j}
		}
	}
	slices.SortStableFunc(fields, func(x, y fieldData) int { return facetPlace(places, x) - facetPlace(places, y) })
	for i, f := range fields {
		if !all && i >= facetsShort && !slices.Contains(open, f.Field) {
			continue
		}
		g := &groups[facetPlace(places, f)/100]
		g.Facets = append(g.Facets, p.facet(f.Field, open, values[f.Field]))
	}
	v.Groups = slices.DeleteFunc(groups, func(g facetGroup) bool { return len(g.Facets) == 0 })
	if !all && len(fields) > facetsShort {
		v.All = p.href(p.state.with("_fields", "all"))
	}
	return v
}

// facetPlace is the place of a field: its group times 100, and where it stands in it.
func facetPlace(places map[string][2]int, f fieldData) int {
	if at, ok := places[f.Field]; ok {
		return at[0]*100 + at[1]
	}
	if f.Kind == "property" {
		return (len(facetGroups) - 2) * 100
	}
	return (len(facetGroups) - 1) * 100
}

// facet makes the view of a field. values is nil when it is closed.
func (p *page) facet(field string, open []string, values *asked) facetView {
	s := p.state.anew()
	v := facetView{Title: dialect.FieldTitle(field), Name: field, Open: values != nil,
		Column: p.href(p.toggled(p.state, field)), Shown: slices.Contains(p.columns(), field)}
	now := slices.Clone(open)
	if at := slices.Index(now, field); at >= 0 {
		now = slices.Delete(now, at, at+1)
	} else {
		now = append(now, field)
		now = now[max(0, len(now)-facetsOpenMax):]
	}
	v.Toggle = p.href(withFacets(s, now))
	if values == nil {
		return v
	}
	if p.state.get("_in") == field {
		v.Search = p.state.get("_text")
	}
	v.Action, v.Keep = p.href(nil), s.without("_in", "_text").inputs()
	var a struct {
		Rows []struct {
			Value  *string `json:"value"`
			Events float64 `json:"events"`
		} `json:"rows"`
		Count int `json:"count"`
	}
	if f := values.into(&a); f != nil {
		v.Error = f.Error
		return v
	}
	key := fieldKey(field)
	chosen := s.all(key)
	most := 0.0
	for _, r := range a.Rows {
		most = max(most, r.Events)
	}
	for _, r := range a.Rows {
		f := facetValue{Count: p.locale.Number(uint64(r.Events)), Bar: percent(r.Events / max(most, 1))}
		if r.Value == nil {
			f.Text, f.On, f.Href, f.Not = textNoValue, slices.Contains(s.all("has!"), field), p.href(s.flip("has!", field)), p.href(s.and("has", field))
		} else {
			f.Text, f.Title, f.On = dialect.ValueName(field, *r.Value), *r.Value, slices.Contains(chosen, *r.Value)
			f.Href, f.Not = p.href(s.flip(key, *r.Value)), p.href(s.but(key, *r.Value).and(key+"!", *r.Value))
		}
		v.Values = append(v.Values, f)
	}
	for _, c := range chosen { // what is chosen is there, whatever is searched for
		if !slices.ContainsFunc(v.Values, func(f facetValue) bool { return f.Title == c }) {
			v.Values = append(v.Values, facetValue{Text: dialect.ValueName(field, c), Title: c, On: true, Href: p.href(s.but(key, c)), Not: p.href(s.but(key, c).and(key+"!", c))})
		}
	}
	if more := a.Count - len(a.Rows); more > 0 {
		v.More = p.locale.Number(uint64(more)) + " more"
	}
	return v
}

// flip is the state with a value, or without it when it has it.
func (s state) flip(key, value string) state {
	if slices.Contains(s, pair{key, value}) {
		return s.but(key, value)
	}
	return s.and(key, value)
}

// withFacets is a state with other fields open.
func withFacets(s state, open []string) state {
	s = s.without("_facet")
	if slices.Equal(open, facetsDefault) {
		return s
	}
	if len(open) == 0 {
		return s.and("_facet", "")
	}
	for _, f := range open {
		s = s.and("_facet", f)
	}
	return s
}
