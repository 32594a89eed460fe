package native

import (
	"errors"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file reads filters: FIELD OP VALUE in a query string, and query strings of filters inside
// a parameter.

// filterFields are the fields of an event that a filter may name, besides the keys of the
// context, prop.PATH and extra.PATH.
var filterFields = slices.Concat(plainFilters[:slices.Index(plainFilters, paramDimensions)].names(), paramDimensions.names)

// visitFields are the dimensions of a visit that no event has. They may be named after visit.
var visitFields = []string{"entry", "exit", "new", "weekday", "hour", "weekhour", "length", "depth"}

// filterParams are the parameters that are filters on events. A name that ends in "." stands for
// every parameter that begins with it. The key timezone of the context is context.timezone
// alone: who writes timezone= mostly means the zone of the days.
var filterParams = plainFilters.names()

// operators are the ends of a parameter's name, the longest first.
var operators = []struct {
	end string
	op  query.Op
}{
	{"!~", query.OpNotMatch}, {"!", query.OpNot}, {"~", query.OpMatch}, {">", query.OpAtLeast}, {"<", query.OpAtMost},
}

// cutOperator splits the name of a parameter, as it stands before the =, into the name of a field
// and the operator.
func cutOperator(name string) (string, query.Op) {
	for _, o := range operators {
		if field, ok := strings.CutSuffix(name, o.end); ok {
			return field, o.op
		}
	}
	return name, ""
}

// filterOf reads one filter of a call that knows some parameters. An error is an answer to the
// caller.
func filterOf(known paramList, name, text string) (query.Cond, error) {
	field, op := cutOperator(name)
	c := query.Cond{Op: op, Values: []string{text}}
	if field, c.Visit = strings.CutPrefix(field, "visit."); c.Visit {
		if known.find("visit.") == nil {
			return c, badName(name, "no such parameter here")
		}
		known = plainFilters
	}
	p := known.find(field)
	switch {
	case p != nil && p.kind != filterKind:
		return c, badName(name, field+" is no filter and takes = alone")
	case field == "timezone" && !c.Visit && known.find("context.") != nil:
		return c, badName(name, "is no parameter; context.timezone= filters by the zone of a visitor's device, and the zone of the days is the site's setting timezone")
	case field == "has" && p != nil:
		return has(c, name, text)
	}
	if prefix, path, ok := strings.Cut(field, "."); ok && len(path) >= 2 && path[0] == '"' && path[len(path)-1] == '"' {
		field = prefix + "." + path[1:len(path)-1]
	}
	ok := p != nil && !strings.Contains(field, ".") || known.takesPath(field) || c.Visit && (field == "timezone" || slices.Contains(visitFields, field))
	if ok {
		c.Field, ok = canonical(field)
	}
	if !ok {
		return c, badName(name, "no such parameter here")
	}
	return c, checkFilter(name, &c)
}

// has reads the filter has, whose value is the name of a field.
func has(c query.Cond, name, text string) (query.Cond, error) {
	switch c.Op {
	case "":
		c.Op = query.OpHas
	case query.OpNot:
		c.Op = query.OpHasNot
	default:
		return c, badName(name, "has takes = and != alone")
	}
	known := with(filterParams, "timezone")
	if c.Visit {
		known = append(known, visitFields...)
	}
	var ok bool
	if c.Field, ok = fieldOf(without(known, "has"), text); !ok {
		return c, badName(name, "must name a field: "+strings.Join(filterFields, ", ")+", a key of the context, prop.PATH or extra.PATH")
	}
	c.Values = nil
	return c, nil
}

// fieldOf returns the field that a name means, if it is one of some names.
func fieldOf(names []string, name string) (field string, ok bool) {
	if !accepts(names, name) {
		return "", false
	}
	return canonical(name)
}

// canonical returns the field that a name means, without the context. that may stand before a key of it.
func canonical(name string) (field string, ok bool) {
	if key, ok := strings.CutPrefix(name, "context."); ok {
		return key, slices.Contains(event.ContextKeys, key)
	}
	return name, true
}

// checkFilter checks the value of a filter.
func checkFilter(name string, c *query.Cond) error {
	text := c.Values[0]
	if values := query.ClosedValues(c.Field); values != nil {
		return checkClosed(name, c, values)
	}
	if c.Op == query.OpAtLeast || c.Op == query.OpAtMost {
		return checkNumber(name, text)
	}
	// A property may hold an empty text. The other fields are absent when they are empty, so
	// they never equal it.
	if text == "" && !strings.Contains(c.Field, ".") && c.Field != "value" {
		return badName(name, "empty")
	}
	return nil
}

func checkNumber(name, text string) error {
	if _, ok := event.Decimal(text); !ok {
		return badName(name, "must be a number of "+event.DecimalLimit)
	}
	return nil
}

// checkClosed checks a filter on a field that has some values alone. One that none of them
// satisfies is refused: zero would look like an answer.
func checkClosed(name string, c *query.Cond, values []string) error {
	text, among := c.Values[0], "there are "+strings.Join(values, ", ")
	if len(values) > 24 {
		among = "there are " + values[0] + " to " + values[len(values)-1]
	}
	switch c.Op {
	case query.OpAtLeast, query.OpAtMost:
		if !query.IsNumbered(c.Field) {
			return badName(name, "its values are no numbers; "+among)
		}
		return checkNumber(name, text)
	case query.OpMatch, query.OpNotMatch:
		if pattern := query.NewPattern(text); !slices.ContainsFunc(values, pattern.Matches) {
			return badName(name, "matches none of its values; "+among)
		}
	default:
		if !slices.Contains(values, text) {
			return badName(name, "no such value; "+among)
		}
	}
	return nil
}

func joined[T ~string](values []T) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return strings.Join(texts, ", ")
}

// badName is badField for a name of any length.
func badName(name, msg string) error { return badField(shorten(name, 128), msg) }

// add adds a filter. A repeat of a field and operator is one more value of the same condition;
// of has each is a condition.
func (q *params) add(c query.Cond) {
	for i := range q.where {
		w := &q.where[i]
		if w.Field != c.Field || w.Op != c.Op || w.Visit != c.Visit {
			continue
		}
		for _, v := range c.Values {
			if !slices.Contains(w.Values, v) {
				w.Values = append(w.Values, v)
			}
		}
		return
	}
	q.where = append(q.where, c)
}

// cut takes the filter that a field has one of some values out of the query, and returns the
// values; nil when it is absent. The field takes no other operator.
func (q *params) cut(field string) (values []string, err error) {
	for _, c := range q.where {
		if c.Field == field && !c.Visit && c.Op != "" {
			return nil, badField(field, "is no filter here and takes = alone")
		}
	}
	q.where = slices.DeleteFunc(q.where, func(c query.Cond) bool {
		is := c.Field == field && !c.Visit
		if is {
			values = c.Values
		}
		return is
	})
	return values, nil
}

// filterIn reads a parameter that is itself a filter: a query string of plain filters. The
// conditions are a group of their own: whoever adds them to others appends them, since merging
// two conditions on a field would mean OR. An error names the parameter.
func filterIn(param, text string) ([]query.Cond, error) {
	q, err := parseQuery(text, plainFilters)
	var status *dialect.StatusError
	switch {
	case errors.As(err, &status):
		return nil, badField(param, status.Msg)
	case err != nil:
		return nil, err
	case len(q.where) == 0:
		return nil, badField(param, "must be a filter, such as name%3Dsignup%26prop.plan%3Dpro")
	}
	return q.where, nil
}
