package read

import (
	"testing"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
)

// However many conditions on visits a question has, it holds one set of visits. A row satisfies
// negated ones unless its visit is in the set of one of them.
func TestOneSetOfVisits(t *testing.T) {
	var asked []query.Cond
	v := &view{reader: &Reader{Options: Options{VisitSet: func(_ *Rows, conds []query.Cond, _ query.Span) (*identity.OrdSet, error) {
		asked = append(asked, conds...)
		set := new(identity.OrdSet)
		set.Add(uint64(len(asked)))
		return set, nil
	}}}}
	no := func(field string) query.Cond {
		return query.Cond{Field: field, Op: query.OpNot, Values: []string{"x"}, Visit: true}
	}
	clauses, err := v.visitClauses([]query.Cond{no("a"), no("b"), no("c")}, query.Span{})
	if err != nil || len(clauses) != 1 || !clauses[0].Not || len(asked) != 3 || asked[2].Op != "" {
		t.Fatalf("%d clauses of %v, %v", len(clauses), asked, err)
	}
	var events []event.Event
	for ord := range uint64(4) {
		events = append(events, event.Event{SessionOrd: ord + 1})
	}
	part := partOf(t, events...)
	has := clauses[0].Rows(part)
	for row := range 4 { // of the sessions 1 to 4
		if has(row) != (row < 3) {
			t.Errorf("session %d is in the set: %v", row+1, has(row))
		}
	}
}
