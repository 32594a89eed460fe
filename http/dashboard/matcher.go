package dashboard

import (
	"slices"
	"strconv"
	"strings"

	"cairn/http/dialect"
)

// This file is about filters that are a parameter themselves: the steps of a funnel, what begins
// a retention, where paths start. The address has each as a query string of plain filters; a form
// has it as a kind, a value, and lines of further conditions.

// matcher is such a filter as a form has it. The zero matcher is an empty one.
type matcher struct {
	kind  string // kindPage, kindEvent, kindType with a type, kindAny, kindText
	match bool   // the value is a pattern
	value string // page, name, or with kindText the query string; "" = any
	lines []condition
}

// condition is a line of a form. op is a name of operatorChoices.
type condition struct{ field, op, value string }

// The kinds of a matcher. The form has room for linesMax further conditions; what does not fit is
// of kindText.
const (
	kindPage  = "page"
	kindEvent = "event"
	kindType  = "type:" // and the type
	kindAny   = "any"
	kindText  = "text"

	linesMax = 6
)

// kindTypes are the types that a form offers.
var kindTypes = []string{"order", "goal", "cart", "search", "download", "outlink", "content"}

// parseMatcher reads a query string of plain filters. What query then writes means the same.
func parseMatcher(text string) (m matcher) {
	pairs := parseRaw(text)
	if len(pairs) == 0 {
		return m
	}
	types, typed := pairs.all("type"), false
	field := "name"
	switch {
	case len(types) == 2 && slices.Contains(types, "page") && slices.Contains(types, "screen"):
		m.kind, field, typed = kindPage, "page", true
	case len(types) == 1:
		m.kind, typed = kindType+types[0], true
	case len(pairs.all("name"))+len(pairs.all("name~")) == 1:
		m.kind = kindEvent
	default:
		m.kind, field = kindAny, ""
	}
	one := field != "" && len(pairs.all(field))+len(pairs.all(field+"~")) == 1
	for _, p := range pairs {
		switch {
		case typed && p.key == "type":
		case one && p.key == field && p.value != "":
			m.value = p.value
		case one && p.key == field+"~" && p.value != "":
			m.value, m.match = p.value, true
		default:
			c, ok := conditionOf(p)
			if !ok {
				return matcher{kind: kindText, value: text}
			}
			m.lines = append(m.lines, c)
		}
	}
	if len(m.lines) > linesMax || m.kind == kindEvent && m.value == "" {
		return matcher{kind: kindText, value: text}
	}
	return m
}

// conditionOf is a parameter as a line; ok is false when a line cannot say it.
func conditionOf(p pair) (c condition, ok bool) {
	field, end := filter{key: p.key}.split()
	switch {
	case field == "" || p.value == "" || strings.TrimSpace(field) != field:
		return c, false
	case field == "has" && strings.TrimSpace(p.value) != p.value:
		return c, false
	case field == "has" && end == "":
		return condition{p.value, "has", ""}, true
	case field == "has" && end == "!":
		return condition{p.value, "hasnot", ""}, true
	case field == "has":
		return c, false
	}
	for _, o := range operatorChoices {
		if o.end == end {
			return condition{field, o.name, p.value}, true
		}
	}
	return c, false
}

// query is the query string; "" when the matcher is empty.
func (m matcher) query() string {
	var s state
	field := "name"
	switch t, typed := strings.CutPrefix(m.kind, kindType); {
	case m.kind == kindText:
		return m.value
	case m.kind == kindPage:
		s, field = state{{"type", "page"}, {"type", "screen"}}, "page"
	case typed:
		s = state{{"type", t}}
	case m.kind == kindAny:
		field = ""
	}
	if m.value != "" && field != "" {
		if m.match {
			field += "~"
		}
		s = s.and(field, m.value)
	}
	for _, c := range m.lines {
		key, values := filterKey(c.field, c.op, []string{c.value})
		for _, v := range values {
			s = s.and(key, v)
		}
	}
	return s.String()
}

// readMatcher reads the fields of a form whose names end in a number; ok is false when it has
// none.
func readMatcher(s state, number int) (m matcher, ok bool) {
	n := strconv.Itoa(number)
	if !s.has("_k" + n) {
		return m, false
	}
	m.kind, m.match, m.value = s.get("_k"+n), s.get("_o"+n) == "match", s.get("_v"+n)
	for i := range linesMax + 1 {
		k := n + "." + strconv.Itoa(i)
		c := condition{strings.TrimSpace(s.get("_f" + k)), s.get("_p" + k), s.get("_w" + k)}
		if c.field != "" && (c.value != "" || c.op == "has" || c.op == "hasnot") {
			m.lines = append(m.lines, c)
		}
	}
	return m, true
}

// matcherText says a matcher in words: "Page /pricing", "Event signup, plan is pro".
func (p *page) matcherText(m matcher) string {
	text := "Any event"
	join := " "
	if m.match {
		join = " matches "
	}
	switch t, typed := strings.CutPrefix(m.kind, kindType); {
	case m.kind == kindText:
		return m.value
	case m.kind == "":
		return textEmptyStep
	case m.kind == kindPage && m.value == "":
		text = "Any page"
	case m.kind == kindPage:
		text = "Page" + join + m.value
	case typed && m.value == "":
		text = dialect.TypeName(t)
	case typed:
		text = dialect.TypeName(t) + join + m.value
	case m.kind == kindEvent:
		text = "Event" + join + m.value
	}
	for i, c := range m.lines {
		text += ", "
		if i > 0 && alike(m.lines[i-1], c) {
			text += "or "
		}
		text += dialect.FieldTitle(c.field) + " " + operatorWords(c.op)
		if c.op != "has" && c.op != "hasnot" {
			text += " " + dialect.ValueName(c.field, c.value)
		}
	}
	return text
}

// alike says whether two lines are alternatives: the API takes a repeat of field and operator so.
func alike(a, b condition) bool {
	return a.field == b.field && a.op == b.op && (a.op == "is" || a.op == "match" || a.op == "least" || a.op == "most")
}

// operatorWords says an operator of a form.
func operatorWords(name string) string {
	for _, o := range operatorChoices {
		if o.name == name {
			return o.words
		}
	}
	return operatorChoices[0].words
}

// matcherView is a matcher as the template "matcher" takes it. Number ends the names of its
// fields.
type matcherView struct {
	Number  string
	Label   string // what it is, for readers
	Kinds   []choiceGroup
	Match   bool
	Value   string
	List    string // id of the suggestions
	Lines   []lineView
	More    string // summary of the lines
	Open    bool
	Compact bool // without lines
}

// lineView is a further condition.
type lineView struct {
	Key          string // ends the names of its fields
	Word         string // before it: "and", "or"
	Field, Value string
	Operators    []choice
}

// choice is an option of a list.
type choice struct {
	Value, Text string
	On          bool
}

// choiceGroup is a part of a list; without a title its options stand alone.
type choiceGroup struct {
	Title   string
	Choices []choice
}

// viewMatcher makes the view. anything says that "any event" is a choice without conditions.
func viewMatcher(m matcher, number int, label string, anything bool) matcherView {
	v := matcherView{Number: strconv.Itoa(number), Label: label, Match: m.match, Value: m.value, List: "s-page"}
	if m.kind == "" {
		if m.kind = kindPage; anything {
			m.kind = kindAny
		}
	}
	option := func(value, text string) choice { return choice{value, text, value == m.kind} }
	first := []choice{option(kindPage, "Page view"), option(kindEvent, "Event"), option(kindAny, "Any event")}
	if anything {
		first = []choice{first[2], first[0], first[1]}
	}
	var typed []choice
	for _, t := range kindTypes {
		typed = append(typed, option(kindType+t, dialect.TypeName(t)))
	}
	if t, is := strings.CutPrefix(m.kind, kindType); is && !slices.Contains(kindTypes, t) {
		typed = append(typed, option(m.kind, dialect.TypeName(t)))
	}
	v.Kinds = []choiceGroup{{"", first}, {"Of a type", typed}, {"As text", []choice{option(kindText, "Filter")}}}
	if m.kind == kindEvent || strings.HasPrefix(m.kind, kindType) {
		v.List = "s-name"
	}
	v.Open = len(m.lines) > 0
	v.More = "Only with …"
	for i, c := range append(slices.Clone(m.lines), condition{op: "is"}) {
		line := lineView{Key: v.Number + "." + strconv.Itoa(i), Word: "and", Field: c.field, Value: c.value}
		if i == 0 {
			line.Word = "with"
		} else if alike(m.lines[i-1], c) {
			line.Word = "or"
		}
		for _, o := range operatorChoices {
			line.Operators = append(line.Operators, choice{o.name, o.words, o.name == c.op})
		}
		v.Lines = append(v.Lines, line)
	}
	return v
}
