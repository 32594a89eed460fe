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

// Indexes of what is there for persons and for sessions.
const (
	ofPersons = iota
	ofSessions
)

// wideCounter counts for one goroutine. Its numbers of rows are its own.
type wideCounter struct {
	*wideAggregate
	reader *rangeReader
	rows   wideRows
	places []int32 // by row: that in the rows of all goroutines plus 1; 0 = not asked yet, -1 = there are too many

	pairs  pairBag // of a row of all goroutines, or of the shown ones, and a person
	recent identity.RecentFilter
	all    [2]ordBuffer
	batch  [2][]int64 // ordinals of the rows of the range that count

	part           *table.Part // of what follows
	value, segment quickValues
	names          terms       // of segmentNames
	segmentNames   *pathColumn // see aggregator
	ords           [2]*rowInts
}

func newWideCounter(w *wideAggregate, r *rangeReader) *wideCounter {
	c := &wideCounter{wideAggregate: w, reader: r}
	c.pairs.spill = w.spill
	c.value.sharedTerms, c.segment.sharedTerms = w.values, w.segments
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
	for k, to := range []*sharedOrds{&c.persons, &c.visits} {
		if len(c.batch[k]) > 0 {
			c.all[k].set.AddAll(c.batch[k])
			c.all[k].flush(to)
			c.batch[k] = c.batch[k][:0]
		}
	}
	if len(c.rows.list) > query.CounterRowsMax {
		return tooManyValues()
	}
	return cmp.Or(opened.Err(), c.pairs.err)
}

// open prepares to read a row range. It reports false when none of its rows counts.
func (c *wideCounter) open(rr *rowRange, part index.Part) (ok bool, err error) {
	segment := segmentOf(c.q)
	if c.part != rr.part {
		c.part, c.ords, c.segmentNames = rr.part, [2]*rowInts{}, nil
		if c.q.Metrics.Has(query.MetricUsers) {
			c.ords[ofPersons] = newRowInts(part.Ints(event.IntPerson))
		}
		if c.q.Metrics.Has(query.MetricSessions) { // of all rows together
			c.ords[ofSessions] = newRowInts(part.Ints(event.IntSession))
		}
		if segment != "" && !slices.Contains(autoSegments, segment) {
			c.segmentNames = openPathColumn(part, event.FieldSegments, "", &c.names)
		}
	}
	if segment != "" && !slices.Contains(autoSegments, segment) && c.segmentNames == nil {
		return false, nil
	}
	value, err := c.reader.openValues(rr, part, c.q.Property, &c.value.own)
	if err != nil || value.allCountable == never {
		return false, err
	}
	c.value.open(rr.part, value)
	if segment == "" {
		return true, nil
	}
	of, err := c.reader.openValues(rr, part, segment, &c.segment.own)
	if err != nil {
		return false, err
	}
	c.segment.open(rr.part, of)
	return true, nil
}

// count counts rows, which are all in one page.
func (c *wideCounter) count(rows []int32) {
	values := c.value.of(rows, c.reader.timedOut)
	var segments []int32
	if c.segment.reader != nil {
		segments = c.segment.of(rows, c.reader.timedOut)
	}
	var ords [2][]int64
	for k, column := range c.ords {
		if column != nil {
			ords[k] = column.of(rows)
		}
	}
	slow := c.value.reader.allCountable != always || c.segmentNames != nil
	for i, row := range rows {
		value, segment := values[i], int32(noSegment)
		if value == noValue {
			continue
		}
		ask := slow || value == askValues
		if segments != nil {
			if segment = segments[i]; segment == noValue {
				continue
			}
			ask = ask || segment == askValues
		}
		var of [2]int64
		if ords[ofPersons] != nil {
			of[ofPersons] = ords[ofPersons][i]
		}
		if ords[ofSessions] != nil {
			of[ofSessions] = ords[ofSessions][i]
		}
		if ask {
			c.countRow(int(row), of)
			continue
		}
		c.add(wideKey(value, segment), 1, of[ofPersons])
		c.addToAll(of)
	}
}

// countRow counts one row whose values are not known by code.
func (c *wideCounter) countRow(row int, ords [2]int64) {
	vr := c.value.reader
	if c.reader.timedOut() || !vr.isCountable(row) {
		return
	}
	values := vr.values(row)
	if len(values) == 0 {
		return
	}
	segments := unsplit
	if c.segment.reader != nil {
		if c.segmentNames != nil && !slices.Contains(c.segmentNames.at(row), c.names.idCloned(segmentOf(c.q))) {
			return
		}
		if segments = c.segment.reader.values(row); len(segments) == 0 {
			return
		}
	}
	by := vr.amount(row)
	for _, value := range values {
		value = c.value.shared(value)
		for _, segment := range segments {
			if segment != noSegment {
				segment = c.segment.shared(segment)
			}
			c.add(wideKey(value, segment), by, ords[ofPersons])
		}
	}
	c.addToAll(ords)
}

// add counts an event under a pair of a value and a segment. person 0 is nobody.
func (c *wideCounter) add(key uint64, by, person int64) {
	place := int32(-1)
	if c.shown != nil {
		if place = c.shown.find(key); place < 0 {
			return
		}
	} else {
		row := c.rows.add(key)
		r := &c.rows.list[row]
		r.events = index.AddSaturating(r.events, by)
		if c.joint || person == 0 {
			return
		}
		if place = c.place(int(row)); place < 0 {
			return // merge will see it as well
		}
	}
	if pair := identity.PairOf(int(place), uint64(person)); person != 0 && c.recent.New(pair) {
		c.pairs.add(pair)
	}
}

// addToAll adds the person and the session of a row that counts.
func (c *wideCounter) addToAll(ords [2]int64) {
	if c.shown != nil {
		return
	}
	for k, ord := range ords {
		if ord != 0 {
			c.batch[k] = append(c.batch[k], ord)
		}
	}
}

// place returns the number of a row among those of all goroutines, -1 when there are too many.
func (c *wideCounter) place(row int) int32 {
	if row < len(c.places) && c.places[row] != 0 {
		return max(c.places[row]-1, -1)
	}
	if row >= len(c.places) {
		c.places = append(c.places, make([]int32, len(c.rows.list)-len(c.places))...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int32(-1)
	if all := &c.wideAggregate.rows; len(all.list) < query.CounterRowsMax {
		n = all.add(c.rows.list[row].key)
	} else {
		n = all.find(c.rows.list[row].key)
	}
	if c.places[row] = n + 1; n < 0 {
		c.places[row] = -1
	}
	return n
}
