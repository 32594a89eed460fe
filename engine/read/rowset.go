// Row sets: which rows of a row range have something.

package read

import (
	"math/bits"

	"cairn/engine/event"
	"cairn/index"
)

// rowSet is a bitmap of the rows of a row range.
type rowSet []uint64

func newRowSet(rr *rowRange) rowSet { return make(rowSet, (rr.to-rr.from+63)/64) }

func (r rowSet) add(rr *rowRange, row int32) {
	at := int(row) - rr.from
	r[at/64] |= 1 << (at % 64)
}

// rowSet returns the rows of an open row range that satisfy the query.
func (r *rangeReader) rowSet(rr *rowRange) (rowSet, error) {
	rows := newRowSet(rr)
	err := r.each(rr, func(batch []int32) {
		for _, row := range batch {
			rows.add(rr, row)
		}
	})
	return rows, err
}

// distinct adds the persons and sessions of the rows to all.
func (r rowSet) distinct(rr *rowRange, part index.Part, all *distinct) {
	persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
	for k, w := range r {
		for ; w != 0; w &= w - 1 {
			row := rr.from + k*64 + bits.TrailingZeros64(w)
			all.users.Add(uint64(persons.at(row)))
			all.sessions.Add(uint64(sessions.at(row)))
		}
	}
}

// pairs adds the persons and sessions of the rows to the bags of a line.
func (r rowSet) pairs(rr *rowRange, part index.Part, line int, bags *propertyBags) {
	persons, sessions := newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
	for k, w := range r {
		for ; w != 0; w &= w - 1 {
			row := rr.from + k*64 + bits.TrailingZeros64(w)
			bags.pair(line, uint64(persons.at(row)), uint64(sessions.at(row)))
		}
	}
}
