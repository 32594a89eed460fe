package dashboard

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"cairn/http/dialect"
)

// This file finds what a form suggests: pages, names and fields that the events of the range have.
// Suggestions are a comfort, so a form is shown without those that are not there in time.

// suggestionsMax is how many values of a field are suggested.
const suggestionsMax = 50

// suggestions are the questions behind the lists of a form.
type suggestions struct{ pages, names, fields *asked }

// suggest begins to ask. A fragment asks nothing unless it is the panel of the form, and a table asks nothing.
func (p *page) suggest(panel string) *suggestions {
	if only := p.state.get("_panel"); only != "" && only != panel || p.asTable() {
		return &suggestions{}
	}
	limit := pair{"limit", strconv.Itoa(suggestionsMax)}
	return &suggestions{
		pages:  p.ask("values", state{{"field", "page"}, {"type", "page"}, {"type", "screen"}, limit}),
		names:  p.ask("values", state{{"field", "name"}, {"type!", "page"}, {"type!", "screen"}, limit}),
		fields: p.ask("fields", state{{"limit", "200"}}),
	}
}

// suggestionsView are the lists of a form, as the template "suggestions" takes them.
type suggestionsView struct {
	Pages, Names []string
	Fields       []choice
	props        []string // paths of properties, "prop." included
	numbers      []string // of those that hold numbers
}

// lists waits a little for the answers.
func (s *suggestions) lists(p *page) (v suggestionsView) {
	late, cancel := context.WithTimeout(p.late, waitShort)
	defer cancel()
	values := func(q *asked) (list []string) {
		var a struct {
			Rows []struct {
				Value *string `json:"value"`
			} `json:"rows"`
		}
		if q == nil || !q.ready(late) || q.into(&a) != nil {
			return nil
		}
		for _, r := range a.Rows {
			if r.Value != nil && *r.Value != "" {
				list = append(list, *r.Value)
			}
		}
		return list
	}
	v.Pages, v.Names = values(s.pages), values(s.names)
	var a struct {
		Fields []struct {
			Field   string `json:"field"`
			Numbers bool   `json:"numbers"`
		} `json:"fields"`
	}
	if s.fields != nil && s.fields.ready(late) && s.fields.into(&a) == nil {
		for _, f := range a.Fields {
			if strings.HasPrefix(f.Field, "prop.") {
				v.props = append(v.props, f.Field)
			}
			if f.Numbers && (f.Field == "value" || strings.HasPrefix(f.Field, "prop.") || strings.HasPrefix(f.Field, "extra.")) {
				v.numbers = append(v.numbers, f.Field)
			}
		}
	}
	for _, f := range v.props {
		v.Fields = append(v.Fields, choice{Value: f, Text: dialect.FieldTitle(f)})
	}
	for _, g := range dialogFields {
		for _, f := range g.fields {
			if f != "entry" && f != "exit" && f != "new" { // of visits alone
				v.Fields = append(v.Fields, choice{Value: f, Text: dialect.FieldTitle(f)})
			}
		}
	}
	return v
}

// fieldChoices are the fields that a table or a split may tell apart by. of says whether they are
// fields of events or, where both make sense, of visits.
func (p *page) fieldChoices(current string, visits bool, props []string, none string) []choiceGroup {
	known := current == ""
	option := func(value, text string) choice {
		known = known || value == current
		return choice{value, text, value == current}
	}
	groups := []choiceGroup{{"", []choice{option("", none)}}}
	for _, g := range dialogFields {
		group := choiceGroup{Title: g.title}
		for _, f := range g.fields {
			name := f
			switch {
			case g.visit && visits:
				name = "visit." + f
			case slices.Contains([]string{"entry", "exit", "new"}, f): // of visits alone
				continue
			}
			group.Choices = append(group.Choices, option(name, dialect.FieldTitle(f)))
		}
		groups = append(groups, group)
	}
	group := choiceGroup{Title: "Property"}
	for _, f := range props {
		group.Choices = append(group.Choices, option(f, dialect.FieldTitle(f)))
	}
	if !known {
		group.Choices = append(group.Choices, choice{current, splitTitle(current), true})
	}
	if len(group.Choices) > 0 {
		groups = append(groups, group)
	}
	return groups
}
