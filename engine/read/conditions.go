// Conditions: view.clause turns one condition of a query into a clause of the index. An exact
// value is looked up in the dictionary of a column. A pattern and a number are tried on the
// whole dictionary. What depends on more than one column of a row is asked row by row.

package read

import (
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/referrer"
	"cairn/index"
)

// plainFields are the filters that compare the text of one core field.
var plainFields = map[string]string{
	"name": event.FieldName, "type": event.FieldType, "dialect": event.FieldDialect,
	"anonymous": event.FieldAnonymous, "session_name": event.FieldSession, "group": event.FieldGroups,
	"message_id": event.FieldMessageID, "previous": event.FieldPrevious,
}

// campaignFields are the dimensions that are the text of a key of the context, compared
// without case.
var campaignFields = map[string]string{"medium": "utm_medium", "campaign": "utm_campaign", "term": "utm_term", "content": "utm_content"}

// clause turns one condition into a clause that says whether the row has what the condition
// names. Where the operator is negated, the caller wants the other rows.
func (v *view) clause(c query.Cond) (index.Clause, error) {
	exact := c.Op == "" || c.Op == query.OpNot
	switch {
	case exact && c.Field == "user":
		return v.personClause(c.Values)
	case exact && c.Field == "session":
		return v.sessionClause(c.Values)
	case exact && c.Field == "bot" && slices.Equal(c.Values, []string{"false"}):
		return index.Clause{Any: withTerms(contextAlts("bot"), []string{"true"}), Not: true}, nil
	}
	alts, terms, known := fieldAlts(c.Field)
	if known && exact {
		if terms {
			return index.Clause{Any: withTerms(alts, queryTerms(c.Values))}, nil
		}
		return index.Clause{Any: withTerms(alts, c.Values)}, nil
	}
	test, err := testOf(c, withoutCase(c.Field))
	switch {
	case err != nil:
		return index.Clause{}, err
	case known && c.Field == "user" && findsPersons(c.Op):
		return v.personsWith(test)
	case known:
		return index.Clause{Any: v.withTest(alts, test)}, nil
	case campaignFields[c.Field] != "":
		return index.Clause{Any: v.withTest(contextAlts(campaignFields[c.Field]), test)}, nil
	case c.Field == "page":
		return index.Clause{Any: v.withTest(pageAlts(), test)}, nil
	case c.Field == "host":
		return index.Clause{Any: v.withTest(contextAlts("url"), func(url string) bool {
			host := referrer.HostOf(url)
			return host != "" && (test == nil || test(host))
		})}, nil
	case c.Field == "source" || c.Field == "channel":
		return v.textClause(c.Field, test), nil
	}
	return index.Clause{}, unknownField(c.Field)
}

func unknownField(name string) error {
	return query.Bad(name, "unknown field")
}

// fieldAlts returns the places where the terms of a field may be, without terms. known is false
// for a field that is not stored as such. terms says that the text of a query can mean several
// terms, such as those of a number.
func fieldAlts(name string) (alts []index.Alt, terms, known bool) {
	prefix, path, dotted := strings.Cut(name, ".")
	switch {
	case plainFields[name] != "":
		return []index.Alt{{Field: plainFields[name]}}, false, true
	case name == "user":
		return []index.Alt{{Field: event.FieldUser}}, false, true
	case name == "session":
		return []index.Alt{{Field: event.FieldSession}}, false, true
	case name == "value":
		return []index.Alt{{Field: event.FieldValue}}, true, true
	case dotted && path != "" && prefix == "prop":
		return pathAlts(event.PrefixProperty, path), true, true
	case dotted && path != "" && prefix == "extra":
		return extraAlts(path), true, true
	case dotted && path != "" && prefix == "counted":
		return countedAlts(path), true, true
	case slices.Contains(event.ContextKeys, name):
		return contextAlts(name), true, true
	}
	return nil, false, false
}

// withTerms makes the alternatives ask for one of some terms.
func withTerms(alts []index.Alt, terms []string) []index.Alt {
	for i := range alts {
		alts[i].Terms = terms
		if extra := alts[i].Field[0] == event.PrefixExtra[0]; extra && slices.ContainsFunc(terms, isReference) {
			alts[i].Terms = slices.DeleteFunc(slices.Clone(terms), isReference)
		}
	}
	return alts
}

// withTest makes the alternatives ask for a term that satisfies test; nil = any term.
func (v *view) withTest(alts []index.Alt, test func(term string) bool) []index.Alt {
	if extra := slices.ContainsFunc(alts, func(a index.Alt) bool { return a.Field[0] == event.PrefixExtra[0] }); extra {
		of := test
		test = func(term string) bool { return !isReference(term) && (of == nil || of(term)) }
	}
	match := &index.TermMatch{Func: test, Over: v.over}
	for i := range alts {
		alts[i].Match = match
	}
	return alts
}

// over reports whether the time of the query is over.
func (v *view) over() bool { return v.budget.check() != nil }

// isReference reports whether a term is a reference in the shape of an object that is stored in
// pieces. No stored text has control characters, but references begin with one.
func isReference(term string) bool {
	return term != "" && term[0] < ' ' && !strings.ContainsAny(term[:1], "\t\n\r")
}

// contextAlts finds a key of the context. In older parts with too many keys it may have no
// column of its own.
func contextAlts(key string) []index.Alt {
	return []index.Alt{{Field: event.PrefixContext + key}, {Field: event.PrefixContext, Path: key}}
}

// pageAlts finds the page of a row: the path in its context, or else the name of a page view.
func pageAlts() []index.Alt {
	return append(contextAlts("path"), index.Alt{Field: event.FieldName, Unless: event.PrefixContext + "path",
		With: &index.Alt{Field: event.FieldType, Terms: pageTypes}})
}

// pageTypes are the types of page views.
var pageTypes = []string{string(event.Page), string(event.Screen)}

// countedAlts finds the events that count under a path: by a property, or by the detected value
// when no property of that name replaces it.
func countedAlts(path string) []index.Alt {
	alts := pathAlts(event.PrefixProperty, path)
	var detected []index.Alt
	switch {
	case path == "name":
		detected = []index.Alt{{Field: event.FieldName}}
	case event.Detected(path):
		detected = contextAlts(path)
	}
	for _, alt := range detected {
		alt.Unless = event.PrefixProperty + path
		alts = append(alts, alt)
	}
	return alts
}

// countedClause finds the events that count one of the terms under a path.
func countedClause(path string, terms []string) index.Clause {
	return index.Clause{Any: withTerms(countedAlts(path), terms)}
}

// queryTerms returns the terms that the texts of a query can mean.
func queryTerms(values []string) []string {
	var terms []string
	for _, v := range values {
		terms = append(terms, event.QueryTerms(v)...)
	}
	return terms
}

// extraAlts is pathAlts of Extra, where an object may also be stored in pieces.
func extraAlts(path string) []index.Alt {
	alts := pathAlts(event.PrefixExtra, path)
	event.PiecePaths(path, func(field, rest string) {
		alts = append(alts, index.Alt{Field: field, Path: rest})
	})
	event.RefPaths(path, func(shape, rest, term, field string) {
		alts = append(alts, index.Alt{Field: field, With: &index.Alt{Field: shape, Path: rest, Terms: []string{term}}})
	})
	return alts
}

// pathAlts finds a dotted path wherever it may be: under the literal key, inside the object
// under any key that the path begins with, or among the keys without a column.
func pathAlts(prefix, path string) []index.Alt {
	if path == "" {
		return nil
	}
	alts := []index.Alt{{Field: prefix + path}}
	for i := 0; i < len(path); i++ {
		if path[i] == '.' && i > 0 {
			alts = append(alts, index.Alt{Field: prefix + path[:i], Path: event.Inside(path[i+1:])})
		}
	}
	return append(alts, index.Alt{Field: prefix, Path: event.Inside(path)})
}

// testOf returns what a condition asks of a term, or of the text of a dimension; nil = nothing
// but that there is one. With fold the condition is-equal does not look at case. The function
// is safe for any number of goroutines.
func testOf(c query.Cond, fold bool) (func(term string) bool, error) {
	switch c.Op {
	case query.OpHas, query.OpHasNot:
		return nil, nil
	case "", query.OpNot:
		values := make(map[string]struct{}, len(c.Values))
		for _, v := range c.Values {
			if fold {
				v = query.Fold(v)
			}
			values[v] = struct{}{}
		}
		return func(term string) bool {
			if fold {
				term = query.Fold(term)
			}
			_, is := values[term]
			return is
		}, nil
	case query.OpMatch, query.OpNotMatch:
		patterns := make([]query.Pattern, len(c.Values))
		for i, v := range c.Values {
			patterns[i] = query.NewPattern(v)
		}
		return func(term string) bool {
			folded := query.Fold(term)
			return slices.ContainsFunc(patterns, func(p query.Pattern) bool { return p.MatchesFolded(folded) })
		}, nil
	case query.OpAtLeast, query.OpAtMost:
		return numberTest(c)
	}
	return nil, fmt.Errorf("%w: unknown operator %q", query.ErrBadQuery, c.Op)
}

// numberTest is testOf of OpAtLeast and OpAtMost. Of several bounds the widest counts.
func numberTest(c query.Cond) (func(term string) bool, error) {
	sign := 1 // what CompareNumbers says of a number that is beyond the bound, on the right side
	if c.Op == query.OpAtMost {
		sign = -1
	}
	bound := ""
	for _, v := range c.Values {
		n, ok := event.Decimal(v)
		if !ok {
			return nil, query.Bad(c.Field, "%q is not a number of %s", v, event.DecimalLimit)
		}
		if bound == "" || sign*event.CompareNumbers(n, bound) < 0 {
			bound = n
		}
	}
	return func(term string) bool {
		return bound != "" && event.IsNumber(term) && sign*event.CompareNumbers(term, bound) >= 0
	}, nil
}

// personsWith finds all events of the persons of whom some event has an id that satisfies
// test: its user, without one its anonymous id, or the previous id of an alias. So the condition
// follows the person, as that for an exact id does.
func (v *view) personsWith(test func(id string) bool) (index.Clause, error) {
	match := &index.TermMatch{Func: test, Over: v.over}
	pred := newPredicate(index.Clause{Any: []index.Alt{
		{Field: event.FieldUser, Match: match},
		{Field: event.FieldAnonymous, Match: match, Unless: event.FieldUser},
		{Field: event.FieldPrevious, Match: match, With: &index.Alt{Field: event.FieldType, Terms: []string{string(event.Alias)}}},
	}})
	found, err := v.ordinalsOf(pred, event.IntPerson)
	if err != nil {
		return index.Clause{}, err
	}
	persons, err := v.persons()
	if err != nil {
		return index.Clause{}, err
	}
	if err := found.AddPersons(persons, v.budget.check); err != nil {
		return index.Clause{}, err
	}
	return ordClause(event.IntPerson, found), nil
}

// ordClause finds the rows of which an integer column has one of some ordinals.
func ordClause(column int, ords *identity.OrdSet) index.Clause {
	return index.Clause{Rows: func(p index.Part) func(row int) bool {
		if ords.Len() == 0 {
			return nil
		}
		of := newRowInts(p.Ints(column))
		return func(row int) bool { return ords.Has(uint64(of.at(row))) }
	}}
}
