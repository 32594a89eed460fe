// Sets of visits: the sessions that count as visits in a span.

package report

import (
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// countedVisits returns the visits that began in the span, those with a row that satisfies where. It
// looks at types, sessions and the conditions on rows alone, and puts no visit together. Conditions on
// visits in where become sets of matchingVisits.
func countedVisits(rows *read.Rows, where []query.Cond, span query.Span) (*identity.OrdSet, error) {
	all, err := rows.Select(nil, span)
	if err != nil {
		return nil, err
	}
	all = all.WithSession()
	actions, err := typed(rows, identity.Actions...)
	if err != nil {
		return nil, err
	}
	begins, err := rows.SessionBegins()
	if err != nil {
		return nil, err
	}
	type sets struct{ began, acted identity.OrdSet }
	found, err := read.Gather(all, func(s *read.Slice, into *sets) error {
		sessions, acts, begin := s.Ints(event.IntSession), s.Selects(actions), begins.In(s)
		return s.Each(func(rows []int32) {
			for i, ord := range sessions.Of(rows) {
				if ord == 0 {
					continue
				}
				if seq := s.Seq(int(rows[i])); uint64(ord) == seq || begin.Is(seq, uint64(ord)) {
					into.began.Add(uint64(ord))
				}
				if acts(int(rows[i])) {
					into.acted.Add(uint64(ord))
				}
			}
		})
	})
	if err != nil {
		return nil, err
	}
	var began, acted identity.OrdSet
	for i := range found {
		began.Union(&found[i].began)
		acted.Union(&found[i].acted)
	}
	began.Intersect(&acted)
	if len(where) == 0 {
		return &began, nil
	}
	some, err := rows.Select(where, span)
	if err != nil {
		return nil, err
	}
	matched, err := read.Gather(some, func(s *read.Slice, into *identity.OrdSet) error {
		sessions := s.Ints(event.IntSession)
		return s.Each(func(rows []int32) {
			for _, ord := range sessions.Of(rows) {
				into.Add(uint64(ord))
			}
		})
	})
	if err != nil {
		return nil, err
	}
	var any identity.OrdSet
	for i := range matched {
		any.Union(&matched[i])
	}
	began.Intersect(&any)
	return &began, nil
}

// typed selects the rows of some types, at any time.
func typed(rows *read.Rows, types ...event.Type) (*read.Selection, error) {
	c := query.Cond{Field: "type"}
	for _, t := range types {
		c.Values = append(c.Values, string(t))
	}
	return rows.Select([]query.Cond{c}, query.Span{})
}
