// The counter of a wide aggregate: it counts the rows of many row ranges for one goroutine.

package read

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// Indexes of what a wideCounter has for persons and for sessions.
const (
	ofPersons = iota
	ofSessions
)

// wideCounter counts for one goroutine. Its numbers of values, segments and rows are its own.
type wideCounter struct {
	*wideAggregate
	reader           *rangeReader
	values, segments terms
	rows             wideRows
	places           []int32    // by row: that in all goroutines plus 1; 0 = not asked yet, -1 = none
	placeOf          [2][]int32 // the same of values and segments
	full             bool       // more than query.CounterRowsMax rows

	pairs  [2]pairBag // of a row of all goroutines and an ordinal
	recent [2]identity.RecentFilter
	all    [2]ordBuffer
	batch  [2][]int64 // ordinals of the rows of the range that count

	part           *table.Part // of what follows
	names          terms       // of segmentNames
	value, segment *valueReader
	segmentNames   *pathColumn // see aggregator
	ords           [2]*rowInts
	ids            [2][]int32 // scratch: values and segments of rows
}

func newWideCounter(w *wideAggregate, r *rangeReader) *wideCounter {
	c := &wideCounter{wideAggregate: w, reader: r}
	c.pairs[ofPersons].spill, c.pairs[ofSessions].spill = w.spill, w.spill
	c.rows.shift = w.rows.shift
	return c
}

// countRange counts the rows of a row range that satisfy the query.
func (c *wideCounter) countRange(rr *rowRange) error {
	opened, err := c.reader.open(rr)
	if opened == nil {
		return err
	}
	if ok, err := c.open(rr, c.reader.metered(opened.Get())); !ok {
		return cmp.Or(err, opened.Err())
	}
	if err := c.reader.each(rr, c.count); err != nil {
		return err
	}
	c.flush()
	if c.full {
		return tooManyValues()
	}
	return cmp.Or(opened.Err(), c.pairs[ofPersons].err, c.pairs[ofSessions].err)
}

// open prepares to read a row range. It reports false when none of its rows counts.
func (c *wideCounter) open(rr *rowRange, part index.Part) (ok bool, err error) {
	before := [2]*valueReader{c.value, c.segment}
	if c.part != rr.part {
		c.part, before = rr.part, [2]*valueReader{}
		c.ords, c.segmentNames = [2]*rowInts{}, nil
		if c.q.Metrics.Has(query.MetricUsers) {
			c.ords[ofPersons] = newRowInts(part.Ints(event.IntPerson))
		}
		if c.q.Metrics.Has(query.MetricSessions) {
			c.ords[ofSessions] = newRowInts(part.Ints(event.IntSession))
		}
	}
	if c.value, err = c.reader.openValues(rr, part, c.q.Property, &c.values); err != nil {
		return false, err
	}
	c.value.reuse(before[0])
	segment := segmentOf(c.q)
	if segment == "" {
		return c.value.allCountable != never, nil
	}
	if c.segment, err = c.reader.openValues(rr, part, segment, &c.segments); err != nil {
		return false, err
	}
	c.segment.reuse(before[1])
	if !slices.Contains(autoSegments, segment) {
		if c.segmentNames == nil {
			c.segmentNames = openPathColumn(part, event.FieldSegments, "", &c.names)
		}
		return c.segmentNames != nil && c.value.allCountable != never, nil
	}
	return c.value.allCountable != never, nil
}

// count counts rows, which are all in one page.
func (c *wideCounter) count(rows []int32) {
	c.ids[0] = c.value.quickValues(rows, c.ids[0][:0], c.reader.timedOut)
	if c.segment != nil {
		c.ids[1] = c.segment.quickValues(rows, c.ids[1][:0], c.reader.timedOut)
	}
	var ords [2][]int64
	for k, column := range c.ords {
		if column != nil {
			ords[k] = column.of(rows)
		}
	}
	everywhere := c.value.allCountable == always && c.segmentNames == nil
	for i, row := range rows {
		value, segment := c.ids[0][i], int32(noSegment)
		if value == noValue {
			continue
		}
		if c.segment != nil {
			if segment = c.ids[1][i]; segment == noValue {
				continue
			}
		}
		var of [2]int64
		for k := range ords {
			if ords[k] != nil {
				of[k] = ords[k][i]
			}
		}
		if everywhere && value >= 0 && (segment >= 0 || c.segment == nil) && c.value.increments == nil {
			c.add(wideKey(value, segment), 1, of)
			c.addToAll(of)
		} else {
			c.countRow(int(row), of)
		}
	}
}

// countRow counts one row whose values are not known by code.
func (c *wideCounter) countRow(row int, ords [2]int64) {
	if c.reader.timedOut() || !c.value.isCountable(row) {
		return
	}
	values := c.value.values(row)
	if len(values) == 0 {
		return
	}
	segments := unsplit
	if c.segment != nil {
		if c.segmentNames != nil && !slices.Contains(c.segmentNames.at(row), c.names.idCloned(segmentOf(c.q))) {
			return
		}
		if segments = c.segment.values(row); len(segments) == 0 {
			return
		}
	}
	by := c.value.amount(row)
	for _, value := range values {
		for _, segment := range segments {
			c.add(wideKey(value, segment), by, ords)
		}
	}
	c.addToAll(ords)
}

// add counts an event under a pair of a value and a segment.
func (c *wideCounter) add(key uint64, by int64, ords [2]int64) {
	row := c.rows.add(key)
	r := &c.rows.list[row]
	r.events = index.AddSaturating(r.events, by)
	if c.joint {
		return
	}
	for k, ord := range ords {
		if ord == 0 {
			continue
		}
		place := c.place(int(row))
		if place < 0 {
			return
		}
		if pair := identity.PairOf(int(place), uint64(ord)); c.recent[k].New(pair) {
			c.pairs[k].add(pair)
		}
	}
}

// addToAll adds the person and the session of a row that counts.
func (c *wideCounter) addToAll(ords [2]int64) {
	if c.known {
		return
	}
	for k, ord := range ords {
		if ord != 0 {
			c.batch[k] = append(c.batch[k], ord)
		}
	}
}

// flush ends a row range.
func (c *wideCounter) flush() {
	for k, to := range []*sharedOrds{&c.wideAggregate.persons, &c.wideAggregate.visit} {
		if len(c.batch[k]) > 0 {
			c.all[k].set.AddAll(c.batch[k])
			c.all[k].flush(to)
			c.batch[k] = c.batch[k][:0]
		}
	}
	c.full = c.full || !c.known && len(c.rows.list) > query.CounterRowsMax
}

// place returns the number that a row has in all goroutines. It is -1 when it has none.
func (c *wideCounter) place(row int) int32 {
	if row < len(c.places) && c.places[row] != 0 {
		return max(c.places[row]-1, -1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placeLocked(row)
}

// placeLocked is place while nobody else uses the rows of all goroutines.
func (c *wideCounter) placeLocked(row int) int32 {
	if row >= len(c.places) {
		c.places = append(c.places, make([]int32, len(c.rows.list)-len(c.places))...)
	}
	at := &c.places[row]
	if *at == 0 {
		*at = -1
		value, segment := splitWideKey(c.rows.list[row].key)
		value = c.numberOf(0, &c.values, &c.wideAggregate.values, value)
		if segment != noSegment && value >= 0 {
			if segment = c.numberOf(1, &c.segments, &c.wideAggregate.segments, segment); segment < 0 {
				value = -1
			}
		}
		all := &c.wideAggregate.rows
		switch key := wideKey(value, segment); {
		case value < 0:
		case c.known || len(all.list) >= query.CounterRowsMax:
			if n := all.find(key); n >= 0 {
				*at = n + 1
			}
		default:
			*at = all.add(key) + 1
		}
	}
	return max(*at-1, -1)
}

// numberOf returns the number of a name in all goroutines. It is -1 when it has none.
func (c *wideCounter) numberOf(kind int, own, all *terms, id int32) int32 {
	known := &c.placeOf[kind]
	if int(id) >= len(*known) {
		*known = append(*known, make([]int32, len(own.names)-len(*known))...)
	}
	at := &(*known)[id]
	if *at == 0 {
		*at = -1
		if !c.known {
			*at = all.id(own.names[id]) + 1
		} else if n, found := all.ids[own.names[id]]; found {
			*at = n + 1
		}
	}
	return max(*at-1, -1)
}
