// Tallier: the rows of a slice counted into a partial.

package read

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
)

// aggregator counts rows of one slice.
type aggregator struct {
	*partialAggregate
	reader            *rangeReader
	value             *valueReader
	segment           *valueReader // nil when nothing is split
	property          string       // of the segment
	named             *pathColumn
	step              func(row int) int // nil without a series
	values, segments  []int32           // those that are asked for; nil = all
	persons, sessions *rowInts          // nil when not asked for
	full              bool              // there are too many rows

	table        []int32 // what is known of each code of value and segment; nil = each row is looked at
	segmentCodes int
	places       []int64 // of rows in the table
}

// partial adds up the rows of a slice that satisfy the query, nil when there are none.
func (r *rangeReader) aggregateRange(rr *rowRange, q *query.CounterQuery, s *steps, sp *spill) (*partialAggregate, error) {
	vp, err := r.open(rr)
	if vp == nil {
		return nil, err
	}
	part := r.metered(vp.Get())
	p := newPartial(part.First()+uint64(rr.from), isJoint(q), sp)
	t := &aggregator{partialAggregate: p, reader: r}
	if t.value, err = r.openValues(rr, part, q.Property, &p.names); err != nil {
		return nil, err
	}
	if t.value.all == never {
		return nil, vp.Err()
	}
	if t.property = segmentOf(q); t.property != "" {
		if t.segment, err = r.openValues(rr, part, t.property, &p.names); err != nil {
			return nil, err
		}
		if !slices.Contains(autoSegments, t.property) {
			if t.named = openPath(part, event.FieldSegments, "", &p.names); t.named == nil {
				return nil, vp.Err()
			}
		}
	}
	if s != nil {
		t.step = s.of(part)
	}
	t.values, t.segments = p.wanted(q.Values), p.wanted(q.SegmentValues)
	if q.Metrics.Has(query.MetricUsers) {
		t.persons = newRowInts(part.Ints(event.IntPerson))
	}
	if q.Metrics.Has(query.MetricSessions) {
		t.sessions = newRowInts(part.Ints(event.IntSession))
	}
	t.prepare()
	if err := r.each(rr, t.count); err != nil {
		return nil, err
	}
	if err := vp.Err(); err != nil {
		return nil, err
	}
	if t.full {
		return nil, tooManyValues()
	}
	p.sorted()
	return p, cmp.Or(p.persons.err, p.older.err, p.own.err)
}

// wanted are the numbers of the values that are asked for, nil = all.
func (p *partialAggregate) wanted(values []string) []int32 {
	var ids []int32
	for _, v := range values {
		ids = append(ids, p.names.own(v))
	}
	return ids
}

// tableMax is the most entries of a table.
const tableMax = 1 << 18

// What an entry of the table says of the rows of its codes: not yet known; they
// count under nothing that is asked for; each is to be looked at; or, that much
// less, the number of their row in the partial.
const (
	unknown = iota
	nothing
	lookAt
	rowFrom
)

// prepare makes a table where codes tell what rows count under.
func (t *aggregator) prepare() {
	if t.step != nil || t.named != nil || t.value.all != always || !t.value.direct() || t.segment != nil && !t.segment.direct() {
		return
	}
	t.segmentCodes = 1
	if t.segment != nil {
		t.segmentCodes = t.segment.only.col.Card() + 1
	}
	if n := (t.value.only.col.Card() + 1) * t.segmentCodes; n <= tableMax {
		t.table = make([]int32, n)
	}
}

// count counts rows of one page.
func (t *aggregator) count(rows []int32) {
	if t.table == nil {
		for _, row := range rows {
			t.countRow(int(row))
		}
		return
	}
	places := t.value.only.codes.of(rows)
	if t.segment != nil {
		t.places = append(t.places[:0], places...)
		for i, code := range t.segment.only.codes.of(rows) {
			t.places[i] = t.places[i]*int64(t.segmentCodes) + code
		}
		places = t.places
	}
	var persons, sessions []int64
	if t.persons != nil {
		persons = t.persons.of(rows)
	}
	if t.sessions != nil {
		sessions = t.sessions.of(rows)
	}
	var person, session uint64
	for i, at := range places {
		if uint(at) >= uint(len(t.table)) {
			continue // of a damaged page
		}
		entry := t.table[at]
		if entry < rowFrom {
			if entry == unknown {
				entry = t.find(at)
				t.table[at] = entry
			}
			if entry == lookAt {
				t.countRow(int(rows[i]))
			}
			if entry < rowFrom {
				continue
			}
		}
		row := int(entry - rowFrom)
		t.events[row]++
		if persons != nil {
			person = uint64(persons[i])
		}
		if sessions != nil {
			session = uint64(sessions[i])
		}
		if person|session != 0 {
			t.meet(row, person, session)
		}
	}
}

// find is what the table says of a place.
func (t *aggregator) find(at int64) int32 {
	if t.reader.timedOut() {
		return nothing
	}
	k := aggregateKey{value: t.value.ofCode(at / int64(t.segmentCodes)), segment: noSegment}
	if t.segment != nil {
		switch k.segment = t.segment.ofCode(at % int64(t.segmentCodes)); k.segment {
		case noValue:
			return nothing
		case ask:
			return lookAt
		}
	}
	switch {
	case k.value == ask:
		return lookAt
	case k.value == noValue || !t.wants(k):
		return nothing
	}
	row := t.row(k)
	if row < 0 {
		t.full = true
		return nothing
	}
	return int32(row) + rowFrom
}

// wants says whether a value and a segment are asked for.
func (t *aggregator) wants(k aggregateKey) bool {
	return (t.values == nil || slices.Contains(t.values, k.value)) &&
		(t.segments == nil || k.segment == noSegment || slices.Contains(t.segments, k.segment))
}

var whole = []int32{noSegment}

// countRow counts one row, whatever it holds.
func (t *aggregator) countRow(row int) {
	if t.reader.timedOut() || !t.value.countable(row) {
		return
	}
	ids := t.value.values(row)
	if len(ids) == 0 {
		return
	}
	segments := whole
	if t.segment != nil {
		if t.named != nil && !slices.Contains(t.named.at(row), t.names.own(t.property)) {
			return
		}
		if segments = t.segment.values(row); len(segments) == 0 {
			return
		}
	}
	k := aggregateKey{}
	if t.step != nil {
		if k.step = t.step(row); k.step < 0 {
			return
		}
	}
	by := t.value.amount(row)
	var person, session uint64
	if t.persons != nil {
		person = uint64(t.persons.at(row))
	}
	if t.sessions != nil {
		session = uint64(t.sessions.at(row))
	}
	for _, k.value = range ids {
		for _, k.segment = range segments {
			if !t.wants(k) {
				continue
			}
			if i := t.row(k); i >= 0 {
				t.partialAggregate.count(i, by, person, session)
			} else {
				t.full = true
			}
		}
	}
}
