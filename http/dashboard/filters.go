package dashboard

import (
	"slices"
	"strings"

	"cairn/http/dialect"
)

// This file says filters in words, and makes them from what a form says.

// dialogFields are the fields of the form of filters in their groups. visit says that they are asked
// of the visit, not of each event.
var dialogFields = []struct {
	title  string
	visit  bool
	fields []string
}{
	{"Visit", true, []string{"channel", "source", "referrer", "medium", "campaign", "term", "content", "entry", "exit", "new"}},
	{"Page", false, []string{"page", "title", "host"}},
	{"Place", true, []string{"country", "region", "city", "language"}},
	{"Device", true, []string{"device", "browser", "os", "screen", "brand", "model"}},
	{"Event", false, []string{"name", "type", "value", "user", "group"}},
}

// ofVisits are the fields that visits alone have.
var ofVisits = []string{"entry", "exit", "new"}

// askedOf is a field asked of the visit, or of each event, as the form says: "visit", "event", "" = as
// the list of fields has it.
func askedOf(field, what string) string {
	bare := strings.TrimPrefix(field, "visit.")
	switch {
	case what == "visit":
		return "visit." + bare
	case what == "event" && !slices.Contains(ofVisits, bare):
		return bare
	}
	return field
}

// propertiesMost is how many properties the form of filters offers.
const propertiesMost = 50

// propertyGroup are the properties that a filter may name, if they are known by now.
func (p *page) propertyGroup(q *asked, shown string) (group fieldGroup) {
	var a struct {
		Fields []struct {
			Field string `json:"field"`
		} `json:"fields"`
	}
	group.Title, group.Of = "Property", textEachEvent
	if q == nil || q.into(&a) != nil {
		return group
	}
	for _, f := range a.Fields {
		if strings.HasPrefix(f.Field, "prop.") && len(group.Fields) < propertiesMost {
			group.Fields = append(group.Fields, link{Text: dialect.FieldTitle(f.Field), Href: f.Field, On: f.Field == strings.TrimPrefix(shown, "visit.")})
		}
	}
	return group
}

// fieldGroups are the fields that a filter may name. more are groups that depend on the site.
func (p *page) fieldGroups(shown string, more ...fieldGroup) (groups []fieldGroup) {
	shown = strings.TrimPrefix(shown, "visit.")
	known := shown == ""
	for _, g := range dialogFields {
		group := fieldGroup{Title: g.title, Of: textEachEvent}
		if g.visit {
			group.Of = textTheVisit
		}
		for _, f := range g.fields {
			name := f
			if g.visit {
				name = "visit." + f
			}
			group.Fields = append(group.Fields, link{Text: dialect.FieldTitle(f), Href: name, On: f == shown})
			known = known || f == shown
		}
		groups = append(groups, group)
	}
	for _, group := range more {
		if len(group.Fields) > 0 {
			groups = append(groups, group)
			known = known || slices.ContainsFunc(group.Fields, func(f link) bool { return f.On })
		}
	}
	if !known {
		groups = append(groups, fieldGroup{Title: "Others", Fields: []link{{Text: dialect.FieldTitle(shown), Href: shown, On: true}}})
	}
	return groups
}

// operatorChoices are the operators of the form.
var operatorChoices = []struct{ name, end, words string }{
	{"is", "", "is"}, {"not", "!", "is not"}, {"match", "~", "matches"}, {"nomatch", "!~", "does not match"},
	{"least", ">", "at least"}, {"most", "<", "at most"}, {"has", "", "is there"}, {"hasnot", "!", "is not there"},
}

// filterKey is the parameter of a filter that a form asks for, and its values.
func filterKey(field, operator string, values []string) (string, []string) {
	end := ""
	for _, o := range operatorChoices {
		if o.name == operator {
			end = o.end
		}
	}
	if operator == "has" || operator == "hasnot" {
		bare, visit := strings.CutPrefix(field, "visit.")
		key := "has" + end
		if visit {
			key = "visit." + key
		}
		return key, []string{bare}
	}
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	return field + end, values
}

// edited is what the form of filters begins with: the condition that _edit names, else nothing.
func (p *page) edited() (e filterForm) {
	key := p.state.get("_edit")
	for _, f := range p.state.filters() {
		if f.key != key || key == "" {
			continue
		}
		field, end := f.split()
		e = filterForm{Key: key, Field: field, Values: f.values}
		bare, visit := strings.CutPrefix(field, "visit.")
		if e.Of = "event"; visit {
			e.Of = "visit"
		}
		for _, o := range operatorChoices {
			if bare == "has" && strings.HasPrefix(o.name, "has") && o.end == end || bare != "has" && !strings.HasPrefix(o.name, "has") && o.end == end {
				e.Operator = o.name
			}
		}
		if bare == "has" {
			if e.Field, e.Values = f.values[0], nil; visit {
				e.Field = "visit." + e.Field
			}
		}
	}
	return e
}

// filterForm is what the form of filters begins with.
type filterForm struct {
	Key, Field, Operator string
	Of                   string // "visit" or "event" for a condition that is changed
	Values               []string
}

// chip is a filter in words.
func (p *page) chip(f filter) chipView {
	field, end := f.split()
	bare := strings.TrimPrefix(field, "visit.")
	c := chipView{Field: dialect.FieldTitle(bare), Edit: p.href(p.state.anew().with("_edit", f.key)), Remove: p.href(p.state.anew().without(f.key))}
	for _, o := range operators {
		if o.end == end {
			c.Words = o.words
		}
	}
	var words []string
	for _, v := range f.values {
		words = append(words, dialect.ValueName(bare, v))
	}
	join := " or "
	if strings.HasPrefix(end, "!") {
		join = " nor "
	}
	c.Values = strings.Join(words, join)
	switch {
	case bare == "has":
		var titles []string
		for _, v := range f.values {
			titles = append(titles, dialect.FieldTitle(v))
		}
		c.Field, c.Words, c.Values = strings.Join(titles, " and "), "is there", ""
		if end == "!" {
			c.Words = "is not there"
		}
		if end == "!" && field == "visit.has" && slices.Equal(f.values, []string{"source"}) {
			c.Field, c.Words, c.Values = "Source", "is", textDirect
		}
	case bare == "bot" && end == "" && slices.Equal(f.values, []string{"false"}):
		c.Field, c.Words, c.Values = "Bots", "are left out", ""
	case bare == "saved":
		c.Field, c.Edit, c.Values = "Saved filter", "", strings.Join(p.savedNames(f.values), " and ")
	}
	return c
}
