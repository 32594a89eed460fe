// The aggregator: it counts the rows of one row range into a partialAggregate.

package read

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
)

// aggregator counts the rows of one row range, in one goroutine.
type aggregator struct {
	*partialAggregate
	reader                       *rangeReader
	value                        *valueReader
	segment                      *valueReader      // nil when the query has no segment
	segmentProperty              string            // "" when the query has no segment
	segmentNames                 *pathColumn       // segments that each event names; nil = every event is split
	step                         func(row int) int // nil when the query is no series
	wantedValues, wantedSegments []int32           // those the query wants; nil = all
	persons, sessions            *rowInts          // nil when the query does not count them
	tooManyRows                  bool              // the answer has more than query.CounterRowsMax rows

	entries      []int32 // by code of value and segment, see unknown; nil = count row by row
	segmentCodes int
	slots        []int64 // scratch: indexes in entries
}

// aggregateRange counts the rows of a row range that satisfy the query. It returns nil when
// there are none. The caller releases the result.
func (r *rangeReader) aggregateRange(rr *rowRange, q *query.CounterQuery, s *steps, sp *spill) (*partialAggregate, error) {
	opened, err := r.open(rr)
	if opened == nil {
		return nil, err
	}
	part := r.metered(opened.Get())
	p := newPartialAggregate(part.First()+uint64(rr.from), isJoint(q), sp)
	a := &aggregator{partialAggregate: p, reader: r}
	if a.value, err = r.openValues(rr, part, q.Property, &p.names); err != nil {
		return nil, err
	}
	if a.value.allCountable == never {
		return nil, opened.Err()
	}
	if a.segmentProperty = segmentOf(q); a.segmentProperty != "" {
		if a.segment, err = r.openValues(rr, part, a.segmentProperty, &p.names); err != nil {
			return nil, err
		}
		if !slices.Contains(autoSegments, a.segmentProperty) {
			if a.segmentNames = openPathColumn(part, event.FieldSegments, "", &p.names); a.segmentNames == nil {
				return nil, opened.Err()
			}
		}
	}
	if s != nil {
		a.step = s.stepOf(part)
	}
	a.wantedValues, a.wantedSegments = p.idsOf(q.Values), p.idsOf(q.SegmentValues)
	if q.Metrics.Has(query.MetricUsers) {
		a.persons = newRowInts(part.Ints(event.IntPerson))
	}
	if q.Metrics.Has(query.MetricSessions) {
		a.sessions = newRowInts(part.Ints(event.IntSession))
	}
	a.prepare()
	if err := r.each(rr, a.count); err != nil {
		return nil, err
	}
	if err := opened.Err(); err != nil {
		return nil, err
	}
	if a.tooManyRows {
		return nil, tooManyValues()
	}
	p.removeDuplicates()
	return p, cmp.Or(p.persons.err, p.earlier.err, p.started.err)
}

// idsOf returns the numbers of values in names, nil for no values.
func (p *partialAggregate) idsOf(values []string) []int32 {
	var ids []int32
	for _, v := range values {
		ids = append(ids, p.names.idCloned(v))
	}
	return ids
}

// entriesMax is the greatest length of entries.
const entriesMax = 1 << 18

// An entry says what the rows with one code of the value and one of the segment count
// under.
const (
	unknown = iota // not computed yet
	nothing        // nothing that the query wants
	perRow         // it differs from row to row
	rowFrom        // rowFrom+n = row n of the partial aggregate
)

// prepare makes entries when codes alone determine what rows count under.
func (a *aggregator) prepare() {
	if a.step != nil || a.segmentNames != nil || a.value.allCountable != always || !a.value.byCode() || a.segment != nil && !a.segment.byCode() {
		return
	}
	a.segmentCodes = 1
	if a.segment != nil {
		a.segmentCodes = a.segment.soleColumn.col.Card() + 1
	}
	if n := (a.value.soleColumn.col.Card() + 1) * a.segmentCodes; n <= entriesMax {
		a.entries = make([]int32, n)
	}
}

// count counts the given rows, which are all in one page.
func (a *aggregator) count(rows []int32) {
	if a.entries == nil {
		for _, row := range rows {
			a.countRow(int(row))
		}
		return
	}
	slots := a.value.soleColumn.codes.of(rows)
	if a.segment != nil {
		a.slots = append(a.slots[:0], slots...)
		for i, code := range a.segment.soleColumn.codes.of(rows) {
			a.slots[i] = a.slots[i]*int64(a.segmentCodes) + code
		}
		slots = a.slots
	}
	var persons, sessions []int64
	if a.persons != nil {
		persons = a.persons.of(rows)
	}
	if a.sessions != nil {
		sessions = a.sessions.of(rows)
	}
	var person, session uint64
	for i, slot := range slots {
		if uint(slot) >= uint(len(a.entries)) {
			continue // the page is damaged
		}
		entry := a.entries[slot]
		if entry < rowFrom {
			if entry == unknown {
				entry = a.entryFor(slot)
				a.entries[slot] = entry
			}
			if entry == perRow {
				a.countRow(int(rows[i]))
			}
			if entry < rowFrom {
				continue
			}
		}
		row := int(entry - rowFrom)
		a.events[row]++
		if persons != nil {
			person = uint64(persons[i])
		}
		if sessions != nil {
			session = uint64(sessions[i])
		}
		if person|session != 0 {
			a.register(row, person, session)
		}
	}
}

// entryFor computes the entry at an index.
func (a *aggregator) entryFor(slot int64) int32 {
	if a.reader.timedOut() {
		return nothing
	}
	k := aggregateKey{value: a.value.valueOfCode(slot / int64(a.segmentCodes)), segment: noSegment}
	if a.segment != nil {
		switch k.segment = a.segment.valueOfCode(slot % int64(a.segmentCodes)); k.segment {
		case noValue:
			return nothing
		case askValues:
			return perRow
		}
	}
	switch {
	case k.value == askValues:
		return perRow
	case k.value == noValue || !a.isWanted(k):
		return nothing
	}
	row := a.row(k)
	if row < 0 {
		a.tooManyRows = true
		return nothing
	}
	return int32(row) + rowFrom
}

// isWanted reports whether the query wants a value and a segment.
func (a *aggregator) isWanted(k aggregateKey) bool {
	return (a.wantedValues == nil || slices.Contains(a.wantedValues, k.value)) &&
		(a.wantedSegments == nil || k.segment == noSegment || slices.Contains(a.wantedSegments, k.segment))
}

var unsplit = []int32{noSegment}

// countRow counts one row without entries.
func (a *aggregator) countRow(row int) {
	if a.reader.timedOut() || !a.value.isCountable(row) {
		return
	}
	ids := a.value.values(row)
	if len(ids) == 0 {
		return
	}
	segments := unsplit
	if a.segment != nil {
		if a.segmentNames != nil && !slices.Contains(a.segmentNames.at(row), a.names.idCloned(a.segmentProperty)) {
			return
		}
		if segments = a.segment.values(row); len(segments) == 0 {
			return
		}
	}
	k := aggregateKey{}
	if a.step != nil {
		if k.step = a.step(row); k.step < 0 {
			return
		}
	}
	by := a.value.amount(row)
	var person, session uint64
	if a.persons != nil {
		person = uint64(a.persons.at(row))
	}
	if a.sessions != nil {
		session = uint64(a.sessions.at(row))
	}
	for _, k.value = range ids {
		for _, k.segment = range segments {
			if !a.isWanted(k) {
				continue
			}
			if i := a.row(k); i >= 0 {
				a.partialAggregate.count(i, by, person, session)
			} else {
				a.tooManyRows = true
			}
		}
	}
}
