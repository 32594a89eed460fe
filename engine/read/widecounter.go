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

// wideCounter counts for one goroutine.
type wideCounter struct {
	*wideAggregate
	reader  *rangeReader
	corner  *wideCorner // nil = all pairs are counted in batches
	batches *wideBatches
	who     *[wideTables][wideBatch]int64 // the persons of batches; nil = they are not counted of each row
	numbers [wideBatch]int32              // scratch of put
	full    bool                          // there are too many rows

	pairs     pairBag // of a row, or of the index of a shown one, and a person
	visited   pairBag // of the index of a shown row and a session
	recent    [2]identity.RecentFilter
	everybody [2]ordBuffer // of the rows that count, for all

	part           *table.Part // of what follows
	value, segment quickValues
	names          terms       // of segmentNames
	segmentNames   *pathColumn // see aggregator
	ords           [2]*rowInts
}

// wideBatches are pairs that are not counted yet, by table.
type wideBatches struct {
	n    [wideTables]int16
	keys [wideTables][wideBatch]uint64
}

func newWideCounter(w *wideAggregate, r *rangeReader) *wideCounter {
	c := &wideCounter{wideAggregate: w, reader: r}
	c.pairs.spill, c.visited.spill = w.spill, w.spill
	c.value.sharedTerms, c.segment.sharedTerms = w.values, w.segments
	if w.shown == nil {
		c.batches = new(wideBatches)
	}
	switch {
	case w.shown != nil:
	case !w.rows.numbered:
		c.corner = new(wideCorner)
		if segmentOf(w.q) != "" {
			c.corner.shift = cornerSegmentBits
		}
	default:
		c.who = new([wideTables][wideBatch]int64)
	}
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
	if c.corner != nil {
		if c.corner.rows += rr.to - rr.from; c.corner.rows >= cornerRowsMax {
			c.corner.each(c.addMany)
		}
	}
	return cmp.Or(opened.Err(), c.failed())
}

// open prepares to read a row range. It reports false when none of its rows counts.
func (c *wideCounter) open(rr *rowRange, part index.Part) (ok bool, err error) {
	segment := segmentOf(c.q)
	if c.part != rr.part {
		c.part, c.ords, c.segmentNames = rr.part, [2]*rowInts{}, nil
		if c.q.Metrics.Has(query.MetricUsers) {
			c.ords[ofPersons] = newRowInts(part.Ints(event.IntPerson))
		}
		if c.q.Metrics.Has(query.MetricSessions) { // of all rows together, and of the shown ones
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
	done := 0 // rows that are counted, and whose ordinals are
	for i, row := range rows {
		value, segment := values[i], int32(noSegment)
		ask := slow || value == askValues
		if segments != nil && value != noValue {
			if segment = segments[i]; segment == noValue {
				value = noValue
			}
			ask = ask || segment == askValues
		}
		if ask || value == noValue {
			c.addToAll(&ords, done, i)
			if done = i + 1; value != noValue {
				c.countRow(int(row), i, &ords)
			}
			continue
		}
		key := wideKey(value, segment)
		if c.corner != nil && c.corner.add(key) {
			continue
		}
		c.add(key, 1, &ords, i)
	}
	c.addToAll(&ords, done, len(rows))
}

// countRow counts one row whose values are not known by code. Its ordinals are at i in ords.
func (c *wideCounter) countRow(row, i int, ords *[2][]int64) {
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
			c.add(wideKey(value, segment), by, ords, i)
		}
	}
	c.addToAll(ords, i, i+1)
}

// add counts an event under a pair of a value and a segment. Its ordinals are at i in ords; 0 is
// nobody, and no session.
func (c *wideCounter) add(key uint64, by int64, ords *[2][]int64, i int) {
	person := ordAt(ords, ofPersons, i)
	switch b := c.batches; {
	case b == nil:
		at := c.shown.find(key)
		if at < 0 {
			return
		}
		c.addPerson(at, person)
		c.addTo(&c.visited, ofSessions, at, ordAt(ords, ofSessions, i))
	case by == 1:
		t := tableOf(key)
		n := b.n[t]
		b.keys[t][n] = key
		if c.who != nil {
			c.who[t][n] = person
		}
		if b.n[t]++; b.n[t] == wideBatch {
			c.flush(t)
		}
	case c.who != nil:
		c.put([]uint64{key}, by, []int64{person})
	default:
		c.addMany(key, by)
	}
}

// ordAt returns the ordinal at i, 0 when there are none.
func ordAt(ords *[2][]int64, of, i int) int64 {
	if ords[of] == nil {
		return 0
	}
	return ords[of][i]
}

// addMany counts several events under a pair.
func (c *wideCounter) addMany(key uint64, by int64) { c.put([]uint64{key}, by, nil) }

// flush counts the pairs of a table that are not counted yet.
func (c *wideCounter) flush(t uint64) {
	n := c.batches.n[t]
	if c.batches.n[t] = 0; n == 0 {
		return
	}
	if c.who == nil {
		c.put(c.batches.keys[t][:n], 1, nil)
	} else {
		c.put(c.batches.keys[t][:n], 1, c.who[t][:n])
	}
}

// put adds events to pairs of one table, each of a person unless persons is nil.
func (c *wideCounter) put(keys []uint64, by int64, persons []int64) {
	if c.full {
		return
	}
	rows := &c.wideAggregate.rows
	numbers := c.numbers[:len(persons)]
	if persons == nil {
		numbers = nil
	}
	rows.count(keys, by, numbers)
	if c.full = rows.n.Load() > query.CounterRowsMax; c.full {
		return
	}
	for i, person := range persons {
		c.addPerson(numbers[i], person)
	}
}

// addPerson adds a person to a row.
func (c *wideCounter) addPerson(row int32, person int64) { c.addTo(&c.pairs, ofPersons, row, person) }

// addTo adds a pair of a row and a person or a session, unless it came just now.
func (c *wideCounter) addTo(pairs *pairBag, of int, row int32, ord int64) {
	if pair := identity.PairOf(int(row), uint64(ord)); ord != 0 && c.recent[of].New(pair) {
		pairs.add(pair)
	}
}

// failed returns why the goroutine need not go on.
func (c *wideCounter) failed() error {
	if c.full {
		return tooManyValues()
	}
	return cmp.Or(c.pairs.err, c.visited.err)
}

// end counts what is not counted yet.
func (c *wideCounter) end() error {
	if c.corner != nil {
		c.corner.each(c.addMany)
	}
	if c.batches != nil {
		for t := range uint64(wideTables) {
			c.flush(t)
		}
	}
	for k := range c.everybody {
		c.everybody[k].flush(&c.all[k])
	}
	return c.failed()
}

// addToAll adds the persons and the sessions of some rows that count.
func (c *wideCounter) addToAll(ords *[2][]int64, from, to int) {
	for k := range ords {
		if from < to && c.shown == nil && ords[k] != nil {
			c.everybody[k].addAll(ords[k][from:to], &c.all[k])
		}
	}
}
