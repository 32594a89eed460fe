// Predicates: which rows of a view a query is about. conditions.go turns each condition of a
// query into a clause of the index.

package read

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// predicate selects the rows that satisfy all of its clauses and ranges. Goroutines may share
// it: it does not change once it is planned.
type predicate struct {
	clauses          []index.Clause
	ranges           []index.Range // of event time
	more             []index.Range // of other integers
	timeFrom, timeTo int64         // the bounds of event time, [from, to) in Unix milliseconds; parts outside are skipped

	// mayGiveUp says that a clause has a function that selects wrong rows once the time of the
	// query is over, see complete.
	mayGiveUp bool
}

// newPredicate selects the rows that satisfy clauses, at any time.
func newPredicate(clauses ...index.Clause) *predicate {
	return &predicate{clauses: clauses, timeFrom: math.MinInt64, timeTo: math.MaxInt64}
}

// plan turns conditions and the event times [from, to) into a predicate on the rows of v. A
// time of 0 is no bound. The error of a bad condition wraps query.ErrBadQuery.
func plan(v *view, conds []query.Cond, from, to int64) (*predicate, error) {
	span := query.Span{From: math.MinInt64, To: math.MaxInt64}
	if from != 0 {
		span.From = from
	}
	if to != 0 {
		span.To = to
	}
	return planIn(v, conds, span)
}

// planIn is plan for the event times of a span. The least and the greatest int64 are no bounds.
func planIn(v *view, conds []query.Cond, span query.Span) (*predicate, error) {
	pred := newPredicate()
	if pred.timeFrom, pred.timeTo = span.From, span.To; span.From != math.MinInt64 || span.To != math.MaxInt64 {
		pred.ranges = append(pred.ranges, index.Range{Col: event.IntTime, From: pred.timeFrom, To: pred.timeTo})
	}
	var visits []query.Cond
	for _, c := range conds {
		if c.Visit {
			visits = append(visits, c)
			continue
		}
		clause, err := v.clause(c)
		if err != nil {
			return nil, err
		}
		clause.Not = clause.Not != c.Op.Negated()
		pred.clauses = append(pred.clauses, clause)
		pred.mayGiveUp = pred.mayGiveUp || clause.Rows != nil || slices.ContainsFunc(clause.Any, func(a index.Alt) bool { return a.Match != nil })
	}
	if len(visits) == 0 {
		return pred, nil
	}
	clauses, err := v.visitClauses(visits, span)
	pred.clauses = append(pred.clauses, clauses...)
	return pred, err
}

// complete returns an error when the rows that were selected may be wrong, because the time of
// the query is over. Whoever used a matcher calls it before an answer is made of the rows.
func (pred *predicate) complete(b budget) error {
	if !pred.mayGiveUp {
		return nil
	}
	return b.check()
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
		} else if known, ok := table.DaysOf(r); ok && !timesDecided(p, pred.timeFrom, pred.timeTo) {
			if days, ok := wholeDays(r, &known, pred.timeFrom, pred.timeTo); ok { // days take fewer bytes than times
				ranges = []index.Range{{Col: event.IntDay, From: int64(days.from), To: int64(days.to) + 1}}
			}
		}
	}
	if len(pred.more) > 0 {
		ranges = slices.Concat(ranges, pred.more)
	}
	if m := index.NewMatcher(p.Get(), pred.clauses, ranges, p.Hidden()); !m.None() {
		return m
	}
	return nil
}

// undecidedShare is of how many pages one may be looked at for its times rather than for its days,
// of which a page takes a tenth of the bytes.
const undecidedShare = 16

// timesDecided reports whether the bounds of most pages of a run tell which of its rows have an event
// time in [from, to), without a look at the page.
func timesDecided(p *table.Part, from, to int64) bool {
	pages, undecided := index.PageBounds(p.Get(), event.IntTime), 0
	for _, b := range pages {
		if all, none := b.In(from, to); !all && !none {
			undecided++
		}
	}
	return pages != nil && undecided <= 1+len(pages)/undecidedShare
}
