// Conditions on visits: filters that speak of the whole visit that a row is in.

package read

import (
	"fmt"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
)

// VisitSet returns the session ordinals of the counted visits in a span, those of which the
// first row is in it, that satisfy all of the conditions. Each condition has Visit set. A
// dimension is compared with the value of the visit; of any other field some row of the visit in
// the span has to satisfy the condition, or none where its Op is negated. The span has the least
// and the greatest int64 where the question has no bound.
//
// It is called when a query is planned, with one of two kinds of lists: one with a condition
// whose Op is not negated, among any others; or a single condition that is not negated, to know
// the visits that a negated one leaves out. So the set never has to tell a row of no counted
// visit, which satisfies every negated condition and no other, from that of a visit. An error of
// a bad condition wraps query.ErrBadQuery. The set belongs to the caller, who does not change it.
type VisitSet func(rows *Rows, conds []query.Cond, span query.Span) (*identity.OrdSet, error)

// visitClauses turns conditions on visits into clauses on rows. A row of no visit, and one of a
// visit that began before the span, satisfies every negated condition and no other.
func (v *view) visitClauses(conds []query.Cond, span query.Span) (clauses []index.Clause, err error) {
	if v.reader.VisitSet == nil {
		return nil, fmt.Errorf("%w: conditions on visits are not answered yet", query.ErrBadQuery)
	}
	set := func(conds ...query.Cond) (*identity.OrdSet, error) {
		return v.reader.VisitSet(&Rows{view: v, reader: v.reader}, conds, span)
	}
	for _, c := range conds {
		if !c.Op.Negated() {
			ords, err := set(conds...)
			if err != nil {
				return nil, err
			}
			return []index.Clause{ordClause(event.IntSession, ords)}, nil
		}
	}
	// One set has the visits that some condition leaves out: a question may have hundreds of them,
	// and a set for each would take megabytes.
	var out identity.OrdSet
	for _, c := range conds {
		c.Op = opposite[c.Op]
		ords, err := set(c)
		if err != nil {
			return nil, err
		}
		out.Union(ords)
	}
	clause := ordClause(event.IntSession, &out)
	clause.Not = true
	return []index.Clause{clause}, nil
}

// opposite has, for each negated operator, the one that it is the opposite of.
var opposite = map[query.Op]query.Op{query.OpNot: "", query.OpNotMatch: query.OpMatch, query.OpHasNot: query.OpHas}
