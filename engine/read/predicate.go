// Predicates: plan turns the conditions of a query into clauses of the index.

package read

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// plainFields are the filters that compare the text of one core field.
var plainFields = map[string]string{
	"name": event.FieldName, "type": event.FieldType, "dialect": event.FieldDialect,
	"anonymous": event.FieldAnonymous, "session_name": event.FieldSession, "group": event.FieldGroups,
	"message_id": event.FieldMessageID, "previous": event.FieldPrevious,
}

// predicate selects the rows that satisfy all of its clauses and ranges. Goroutines may share
// it: it does not change once it is planned.
type predicate struct {
	clauses          []index.Clause
	ranges           []index.Range // of event time
	more             []index.Range // of other integers
	timeFrom, timeTo int64         // the bounds of event time, [from, to) in Unix milliseconds; parts outside are skipped
}

// newPredicate selects the rows that satisfy clauses, at any time.
func newPredicate(clauses ...index.Clause) *predicate {
	return &predicate{clauses: clauses, timeFrom: math.MinInt64, timeTo: math.MaxInt64}
}

// plan turns conditions and the event times [from, to) into a predicate on the rows of v. A
// time of 0 is no bound. The error of a bad condition wraps query.ErrBadQuery.
func plan(v *view, conds []query.Cond, from, to int64) (*predicate, error) {
	pred := newPredicate()
	for _, c := range conds {
		clause, err := v.clause(c)
		if err != nil {
			return nil, err
		}
		clause.Not = clause.Not != (c.Op == query.OpNot)
		pred.clauses = append(pred.clauses, clause)
	}
	if from != 0 {
		pred.timeFrom = from
	}
	if to != 0 {
		pred.timeTo = to
	}
	if from != 0 || to != 0 {
		pred.ranges = append(pred.ranges, index.Range{Col: event.IntTime, From: pred.timeFrom, To: pred.timeTo})
	}
	return pred, nil
}

// and returns pred with one more clause: the field has one of the terms.
func (pred *predicate) and(field string, terms ...string) *predicate {
	narrow := *pred
	narrow.clauses = append(pred.clauses[:len(pred.clauses):len(pred.clauses)], index.Clause{Any: []index.Alt{{Field: field, Terms: terms}}})
	return &narrow
}

// between returns pred with the event times [from, to) instead of its own.
func (pred *predicate) between(from, to int64) *predicate {
	narrow := *pred
	narrow.timeFrom, narrow.timeTo = from, to
	narrow.ranges = []index.Range{{Col: event.IntTime, From: from, To: to}}
	return &narrow
}

// matcher returns a matcher of the rows of a part, or nil when there are none. Often it
// knows that without opening the part. The caller checks p.Err.
func (pred *predicate) matcher(p *table.Part) *index.Matcher {
	ranges := pred.ranges
	if r := p.Run; r != nil {
		if r.TimeMax < pred.timeFrom || r.TimeMin >= pred.timeTo {
			return nil
		}
		if pred.timeFrom <= r.TimeMin && r.TimeMax < pred.timeTo {
			ranges = nil
		} else if known, ok := table.DaysOf(r); ok {
			if days, ok := wholeDays(r, &known, pred.timeFrom, pred.timeTo); ok { // days take fewer bytes than times
				ranges = []index.Range{{Col: event.IntDay, From: int64(days.from), To: int64(days.to) + 1}}
			}
		}
	}
	if len(pred.more) > 0 {
		ranges = slices.Concat(ranges, pred.more)
	}
	if m := index.NewMatcher(p.Get(), pred.clauses, ranges); !m.None() {
		return m
	}
	return nil
}

// clause turns one condition into a clause, without the condition's Op.
func (v *view) clause(c query.Cond) (index.Clause, error) {
	if field, ok := plainFields[c.Field]; ok {
		return index.Clause{Any: []index.Alt{{Field: field, Terms: c.Values}}}, nil
	}
	switch {
	case c.Field == "user":
		return v.personClause(c.Values)
	case c.Field == "session":
		return v.sessionClause(c.Values)
	case c.Field == "value":
		return index.Clause{Any: []index.Alt{{Field: event.FieldValue, Terms: queryTerms(c.Values)}}}, nil
	case c.Field == "bot" && len(c.Values) == 1 && c.Values[0] == "false":
		return index.Clause{Any: contextAlts("bot", []string{"true"}), Not: true}, nil
	case strings.HasPrefix(c.Field, "prop."):
		return index.Clause{Any: pathAlts(event.PrefixProperty, c.Field[len("prop."):], queryTerms(c.Values))}, nil
	case strings.HasPrefix(c.Field, "counted."):
		return countedClause(c.Field[len("counted."):], queryTerms(c.Values)), nil
	case strings.HasPrefix(c.Field, "extra."):
		return index.Clause{Any: extraAlts(c.Field[len("extra."):], queryTerms(c.Values))}, nil
	case slices.Contains(event.ContextKeys, c.Field):
		return index.Clause{Any: contextAlts(c.Field, queryTerms(c.Values))}, nil
	}
	return index.Clause{}, fmt.Errorf("%w: unknown field %q", query.ErrBadQuery, c.Field)
}

// contextAlts finds a key of the context. In older parts with too many keys it may have no
// column of its own.
func contextAlts(key string, terms []string) []index.Alt {
	return []index.Alt{
		{Field: event.PrefixContext + key, Terms: terms},
		{Field: event.PrefixContext, Path: key, Terms: terms},
	}
}

// countedClause finds the events that count one of the terms under a path: as a property, or
// as the detected value when no property of that name replaces it.
func countedClause(path string, terms []string) index.Clause {
	alts := pathAlts(event.PrefixProperty, path, terms)
	var detected []index.Alt
	switch {
	case path == "name":
		detected = []index.Alt{{Field: event.FieldName, Terms: terms}}
	case event.Detected(path):
		detected = contextAlts(path, terms)
	}
	for _, alt := range detected {
		alt.Unless = event.PrefixProperty + path
		alts = append(alts, alt)
	}
	return index.Clause{Any: alts}
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
func extraAlts(path string, terms []string) []index.Alt {
	// No stored text has control characters, but the references of shapes begin with one.
	terms = slices.DeleteFunc(terms, func(t string) bool { return t != "" && t[0] < ' ' && !strings.ContainsAny(t[:1], "\t\n\r") })
	alts := pathAlts(event.PrefixExtra, path, terms)
	event.PiecePaths(path, func(field, rest string) {
		alts = append(alts, index.Alt{Field: field, Path: rest, Terms: terms})
	})
	event.RefPaths(path, func(shape, rest, term, field string) {
		alts = append(alts, index.Alt{Field: field, Terms: terms, With: &index.Alt{Field: shape, Path: rest, Terms: []string{term}}})
	})
	return alts
}

// pathAlts finds a dotted path wherever it may be: under the literal key, inside the object
// under any key that the path begins with, or among the keys without a column.
func pathAlts(prefix, path string, terms []string) []index.Alt {
	alts := []index.Alt{{Field: prefix + path, Terms: terms}}
	for i := 0; i < len(path); i++ {
		if path[i] == '.' && i > 0 {
			alts = append(alts, index.Alt{Field: prefix + path[:i], Path: event.Inside(path[i+1:]), Terms: terms})
		}
	}
	if path == "" {
		return nil
	}
	return append(alts, index.Alt{Field: prefix, Path: event.Inside(path), Terms: terms})
}
