// Splits by a dimension of visits: the value of the visit that a row is in.

package report

import (
	"slices"
	"sync/atomic"

	"cairn/engine/query"
	"cairn/engine/read"
)

// visitSplit has the values of a dimension of visits. Number 0 is that of rows that are in no
// counted visit.
type visitSplit struct {
	table  *table
	visits []uint64 // session ordinal u40 | number u24, ascending
}

// splitVisits is how many visits room is taken for at once: for the list of a goroutine, and of all.
const splitVisits = 1 << 12

// newVisitSplit finds the values of the visits that have a row which satisfies where. param is the
// parameter that names the dimension. It keeps 8 bytes for each of at most visitsMax visits.
func newVisitSplit(rows *read.Rows, param, name string, where []query.Cond, span query.Span, visitsMax int) (*visitSplit, error) {
	d, ok := dimOf(name)
	if !ok {
		return nil, query.Bad(param, "%q is no dimension of visits", name)
	}
	pass, err := newVisitPass(rows, where, span)
	if err != nil {
		return nil, err
	}
	pass.fresh = pass.fresh || name == "new"
	at := pass.need(&d)
	room := rows.Room() // as long as the rows
	type part struct {
		*tablePart
		visits []uint64
	}
	var all *table
	var parts []*part
	var n atomic.Int64 // visits
	restart := func() {
		room.Reset()
		all, parts = newTable(&d, room), nil
		n.Store(0)
	}
	restart()
	err = pass.run(restart, func() visitSink {
		p := &part{tablePart: all.part()}
		parts = append(parts, p)
		return func(texts *read.Terms, v *visitFacts) error {
			row := p.row(texts, v, at)
			if p.err != nil {
				return p.err
			}
			if len(p.visits)%splitVisits == 0 {
				if err := room.Add(2 * 8 * splitVisits); err != nil {
					return err
				}
			}
			if all.len() > query.CounterRowsMax || n.Add(1) > int64(visitsMax) {
				return query.Bad(param, "more than %d values, or %d visits; ask for fewer days", query.CounterRowsMax, visitsMax)
			}
			p.visits = append(p.visits, v.ord<<valueBits|uint64(row+1))
			return nil
		}
	})
	s := &visitSplit{table: all}
	for _, p := range parts {
		all.take(p.tablePart)
		s.visits = append(s.visits, p.visits...)
	}
	slices.Sort(s.visits)
	return s, err
}

// number returns the number of the value of a session.
func (s *visitSplit) number(ord uint64) uint32 {
	i, _ := slices.BinarySearch(s.visits, ord<<valueBits)
	if i == len(s.visits) || s.visits[i]>>valueBits != ord {
		return 0
	}
	return uint32(s.visits[i] & valueMax)
}

func (s *visitSplit) len() int { return len(s.table.rows) + 1 }

func (s *visitSplit) text(n uint32) (query.Text, []query.InValue) {
	if group := s.group(n); !group.Null {
		return cutText(group.Text, s.table.in)
	}
	return query.Text{Null: true}, nil
}

func (s *visitSplit) group(n uint32) query.Text {
	if n == 0 || s.table.rows[n-1].null {
		return query.Text{Null: true}
	}
	return query.Text{Text: s.table.rows[n-1].text}
}

func (s *visitSplit) earlier(_, _ uint32) bool { return false }
