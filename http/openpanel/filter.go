package openpanel

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file reads filters: [{"name","operator","value":[…]}], all of which must hold. A path leads
// into objects, also those in arrays; an object is no value.
//
// The index answers is, isNot, contains, doesNotContain, isNull and isNotNull, as conditions of a
// query. The others are compared event by event, with what the index has under the same name,
// because no condition means the same: startsWith and endsWith look at case and patterns do not,
// there are no regular expressions, and gt and the like take texts such as 007 for numbers. Nor
// does a condition on the user, which follows the person, while these compare the event's own.

const (
	filtersMax      = 32
	filterValuesMax = 100
	patternBytesMax = 256
)

// filter compares one field of an event.
type filter struct {
	field    string // as conditions name it
	operator string
	values   []string
	numbers  []float64 // values that are numbers, for gt, lt, gte and lte
	patterns []*regexp.Regexp
}

// fieldNames are the names of fields that are no properties: OpenPanel's, and cairn's for
// each.
var fieldNames = map[string]string{
	"name": "name", "profileId": "user", "profile_id": "user", "deviceId": "anonymous", "device_id": "anonymous",
	"sessionId": "session_name", "session_id": "session_name", "groups": "group", "group": "group", "revenue": "value",
	"path": "path", "title": "title", "referrer": "referrer", "referrer_name": "extra.referrer_name", "referrerName": "extra.referrer_name",
	"referrer_type": "extra.referrer_type", "referrerType": "extra.referrer_type", "country": "country", "region": "region", "city": "city",
	"os": "os", "os_version": "os_version", "osVersion": "os_version", "browser": "browser", "browser_version": "browser_version",
	"browserVersion": "browser_version", "device": "device", "brand": "brand", "model": "model",
	"utm_source": "utm_source", "utm_medium": "utm_medium", "utm_campaign": "utm_campaign", "utm_term": "utm_term", "utm_content": "utm_content",
}

var operators = []string{
	"is", "isNot", "contains", "doesNotContain", "startsWith", "endsWith", "regex", "isNull", "isNotNull", "gt", "lt", "gte", "lte",
}

// filtersOf parses the parameter.
func filtersOf(text string) (conds []query.Cond, rest []filter, err error) {
	if text == "" {
		return nil, nil, nil
	}
	var p event.Parser
	list, perr := p.Value([]byte(text), event.Limits{})
	if perr != nil || !list.IsArray() {
		return nil, nil, dialect.Refuse("filters", "must be a JSON array")
	}
	all, perr := list.Array(&p)
	if perr != nil || len(all) > filtersMax {
		return nil, nil, dialect.Refuse("filters", "at most 32")
	}
	compiled := patterns{left: patternsSizeMax}
	for i, v := range all {
		at := "filters." + strconv.Itoa(i)
		o, perr := v.Object(&p)
		if perr != nil {
			return nil, nil, dialect.Refuse(at, "must be an object")
		}
		f := filter{operator: stringOf(o.Get("operator"))}
		if f.operator == "" {
			f.operator = "is"
		}
		name := stringOf(o.Get("name"))
		if f.field = fieldNames[name]; f.field == "" {
			path, ok := strings.CutPrefix(name, "properties.")
			if !ok || path == "" || len(path) > event.MaxPathBytes {
				return nil, nil, dialect.Refuse(at+".name", "must be a field of an event or properties.PATH")
			}
			f.field = "prop." + path
		}
		if !slices.Contains(operators, f.operator) {
			return nil, nil, dialect.Refuse(at+".operator", "must be one of "+strings.Join(operators, ", "))
		}
		values := []event.Value{o.Get("value")}
		if values[0].IsArray() {
			if values, perr = values[0].Array(&p); perr != nil || len(values) > filterValuesMax {
				return nil, nil, dialect.Refuse(at+".value", "at most 100")
			}
		}
		for _, v := range values {
			if v.Kind == event.String || v.Kind == event.Number || v.Kind == event.Bool {
				f.values = append(f.values, strings.Clone(v.Text))
			}
		}
		if len(f.values) == 0 && f.operator != "isNull" && f.operator != "isNotNull" {
			continue // as in the vendor's server: a filter without values matches everything
		}
		if c, ok := f.cond(); ok {
			conds = append(conds, c)
			continue
		}
		switch f.operator {
		case "regex":
			for _, v := range f.values {
				pattern, fit, err := compiled.compile(v)
				switch {
				case err != nil:
					return nil, nil, dialect.Refuse(at+".value", "must be a regular expression of at most 256 bytes")
				case !fit:
					return nil, nil, dialect.Refuse(at+".value", "the regular expressions of this request are too large together")
				}
				f.patterns = append(f.patterns, pattern)
			}
		case "contains", "doesNotContain":
			for i, v := range f.values {
				f.values[i] = strings.ToLower(v)
			}
		case "gt", "gte", "lt", "lte":
			for _, v := range f.values {
				if n, err := strconv.ParseFloat(v, 64); err == nil {
					f.numbers = append(f.numbers, n)
				}
			}
		}
		rest = append(rest, f)
	}
	return conds, rest, nil
}

// cond returns the condition that means the same as the filter. ok is false when there is none.
func (f *filter) cond() (c query.Cond, ok bool) {
	c = query.Cond{Field: f.field, Values: f.values}
	switch f.operator {
	case "is":
		return c, true
	case "isNot":
		c.Op = query.OpNot
		return c, true
	}
	if f.field == "user" {
		return c, false
	}
	switch f.operator {
	case "isNull":
		c.Op, c.Values = query.OpHasNot, nil
		return c, true
	case "isNotNull":
		c.Op, c.Values = query.OpHas, nil
		return c, true
	case "contains", "doesNotContain":
		c.Op = map[string]query.Op{"contains": query.OpMatch, "doesNotContain": query.OpNotMatch}[f.operator]
		c.Values = nil
		for _, v := range f.values {
			if strings.HasSuffix(v, `\`) {
				return c, false // before the last star it would make that one a text
			}
			c.Values = append(c.Values, "*"+strings.ReplaceAll(v, "*", `\*`)+"*")
		}
		return c, true
	}
	return c, false
}

func matchesAll(filters []filter, e *event.Event) bool {
	for i := range filters {
		if !filters[i].matches(e) {
			return false
		}
	}
	return true
}

// matches says whether the event passes the filter. An array or object has many values: one
// that fits is enough. For doesNotContain, none may fit.
func (f *filter) matches(e *event.Event) bool {
	have := f.of(e)
	switch f.operator {
	case "isNull":
		return len(have) == 0
	case "isNotNull":
		return len(have) > 0
	case "doesNotContain":
		return !slices.ContainsFunc(have, f.fits)
	}
	return slices.ContainsFunc(have, f.fits)
}

// fits compares one value of an event with all values of the filter. The value may be a text
// of 256 KB and a filter may have 100 values, so the text is prepared once.
func (f *filter) fits(have string) bool {
	switch f.operator {
	case "contains", "doesNotContain":
		have = strings.ToLower(have)
		return slices.ContainsFunc(f.values, func(want string) bool { return strings.Contains(have, want) })
	case "startsWith":
		return slices.ContainsFunc(f.values, func(want string) bool { return strings.HasPrefix(have, want) })
	case "endsWith":
		return slices.ContainsFunc(f.values, func(want string) bool { return strings.HasSuffix(have, want) })
	case "regex":
		return slices.ContainsFunc(f.patterns, func(p *regexp.Regexp) bool { return p.MatchString(have) })
	}
	n, err := strconv.ParseFloat(have, 64)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(f.numbers, func(want float64) bool {
		return f.operator == "gt" && n > want || f.operator == "gte" && n >= want || f.operator == "lt" && n < want || f.operator == "lte" && n <= want
	})
}

// of is the values of the field in an event, as terms. An empty text in a property is a value,
// as it is for `is`; a field of the event that is empty has none.
func (f *filter) of(e *event.Event) []string {
	switch f.field {
	case "name":
		return unlessEmpty(e.Name)
	case "user":
		return unlessEmpty(profileID(e))
	case "anonymous":
		return unlessEmpty(e.Anonymous)
	case "session_name":
		return unlessEmpty(e.Session)
	case "group":
		return e.Groups
	case "value":
		return termsAt("", e.Value, nil)
	}
	if path, ok := strings.CutPrefix(f.field, "prop."); ok {
		return termsIn(e.Properties, path)
	}
	if path, ok := strings.CutPrefix(f.field, "extra."); ok {
		return termsIn(e.Extra, path)
	}
	return termsAt("", e.Context.Get(f.field), nil)
}

// unlessEmpty is the value of a field of an event. It may alias the event.
func unlessEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// termsIn returns what an object has under a dotted path: under the literal key, and inside the
// value of each key that the path begins with.
func termsIn(o event.Object, path string) (terms []string) {
	for i := range o {
		key, v := o[i].Key, o[i].Value
		if key == path {
			terms = termsAt("", v, terms)
		} else if inner, ok := strings.CutPrefix(path, key+"."); ok && key != "" {
			terms = termsAt(inner, v, terms)
		}
	}
	return terms
}

// termsAt appends the terms at a path inside a value.
func termsAt(path string, v event.Value, terms []string) []string {
	if v.Kind == event.Absent {
		return terms
	}
	event.CellLeaves(event.AppendCell(nil, v), func(at, term string) bool {
		if at == path {
			terms = append(terms, strings.Clone(term))
		}
		return true
	})
	return terms
}
