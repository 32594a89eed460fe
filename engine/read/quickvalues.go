// Quick values: the numbers of the values that many rows count under, by the codes of one column.
// All goroutines of a wide aggregate share the numbers, and what the codes of a part mean.

package read

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/engine/table"
)

// sharedTerms is terms for several goroutines.
type sharedTerms struct {
	mu sync.Mutex
	terms
	other  int32   // number of event.Other
	sorted []int32 // numbers of names, ascending by name: those of the dictionaries that were read as a whole
	codes  map[*table.Part]*partCodes
	bytes  int // of codes
}

// partCodes says what the codes of a part mean. Both slices are read and written by several
// goroutines: all of them write the same.
type partCodes struct {
	values []atomic.Int32 // by code of the sole column: what quickValue returns, plus 3; 0 = not read yet
	over   []atomic.Int32 // by code of a capped cell, see overNothing; nil when there are none
	single *atomic.Int32  // how many codes were read one by one
}

// codesBytesMax is how many bytes the codes of all parts take at most, but for those of one part.
const codesBytesMax = 8 << 20

func newSharedTerms() *sharedTerms {
	t := &sharedTerms{codes: make(map[*table.Part]*partCodes)}
	t.other = t.terms.id(event.Other)
	return t
}

// id returns the number of a name. It keeps a copy of a new one.
func (t *sharedTerms) id(name string) int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.idCloned(name)
}

// idOf is id for a name that is no string yet.
func (t *sharedTerms) idOf(name []byte) int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.idOfLocked(name)
}

func (t *sharedTerms) idOfLocked(name []byte) int32 {
	if id, ok := t.ids[string(name)]; ok {
		return id
	}
	return t.terms.id(string(name))
}

// name returns the name of a number.
func (t *sharedTerms) name(id int32) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names[id]
}

// ofPart returns the codes of a part, of which vr reads some rows.
func (t *sharedTerms) ofPart(p *table.Part, vr *valueReader) *partCodes {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.codes[p]
	if c == nil {
		c = &partCodes{single: new(atomic.Int32)}
		c.values = make([]atomic.Int32, vr.soleColumn.col.Card()+1)
		t.put(p, c, len(c.values))
	}
	if vr.capped != nil && c.over == nil {
		// Whoever has this part already goes on without.
		c = &partCodes{values: c.values, single: c.single, over: make([]atomic.Int32, vr.cappedCells.col.Card()+1)}
		t.put(p, c, len(c.over))
	}
	return c
}

func (t *sharedTerms) put(p *table.Part, c *partCodes, n int) {
	if t.bytes += 4 * n; t.bytes > codesBytesMax {
		clear(t.codes)
		t.bytes = 4 * (len(c.values) + len(c.over))
	}
	t.codes[p] = c
}

// quickValues reads values for one goroutine.
type quickValues struct {
	*sharedTerms
	own      terms   // of the rows that are read one by one
	sharedID []int32 // by number in own: that in sharedTerms plus 1; 0 = not asked yet

	reader *valueReader // of the rows of a range
	codes  *partCodes   // nil = all rows are read one by one
	ids    []int32
	text   []byte
}

// open prepares to read the rows of a range of a part.
func (q *quickValues) open(p *table.Part, vr *valueReader) {
	q.reader, q.codes = vr, nil
	if vr.soleColumn == nil || vr.notCounted != nil || vr.cut != nil || vr.leftOutCodes != nil || vr.otherCodes != nil || vr.increments != nil ||
		vr.capped != nil && table.IsOverflow(vr.soleColumn.field) {
		return
	}
	q.codes = q.ofPart(p, vr)
}

// of returns the number of the only value that each of rows counts under, noValue or askValues.
// Rows ascend and are in one page. of calls timedOut before it reads a cell; when that is true,
// the numbers mean nothing. The slice is valid until the next call.
func (q *quickValues) of(rows []int32, timedOut func() bool) []int32 {
	q.ids = slices.Grow(q.ids[:0], len(rows))[:len(rows)]
	if q.codes == nil {
		for i := range rows {
			q.ids[i] = askValues
		}
		return q.ids
	}
	known := q.codes.values
	for i, code := range q.reader.soleColumn.codes.of(rows) {
		value := int32(noValue)
		if uint(code) < uint(len(known)) {
			n := known[code].Load()
			if n == 0 && !timedOut() {
				n = q.read(code, timedOut)
			}
			value = n - 3
		}
		q.ids[i] = value
	}
	if q.reader.capped == nil {
		return q.ids
	}
	for i, code := range q.reader.cappedCells.codes.of(rows) {
		if id := &q.ids[i]; code > 0 && *id >= 0 {
			*id = q.cap(*id, code)
		}
	}
	return q.ids
}

// read returns what values has of a code that was not read yet. When an eighth of the codes of a
// column were read one by one, the others are read as a whole.
func (q *quickValues) read(code int64, timedOut func() bool) int32 {
	n := q.valueOf(code) + 3
	q.codes.values[code].Store(n)
	if col := q.reader.soleColumn; col.path == "" && int(q.codes.single.Add(1)) == max(wholeFrom, col.col.Scalars()/8) {
		q.readAll(timedOut)
	}
	return n
}

const (
	// wholeFrom is how many codes are read one by one at least.
	wholeFrom = 64

	// wholeBytesMax bounds the names that are made for codes of which nobody knows whether a row
	// counts under them. Each takes about wholeNameBytes besides its text.
	wholeBytesMax  = 16 << 20
	wholeNameBytes = 80
)

// readAll reads the values of all scalars of a column. Where they ascend, as in a run, and so do
// those that it has read before, it finds most of their numbers without a look at the map. When names
// take much memory, it leaves out those that have no number yet.
func (q *quickValues) readAll(timedOut func() bool) {
	t, col := q.sharedTerms, q.reader.soleColumn.col
	scalars := min(col.Scalars(), len(q.codes.values)-1)
	if scalars == 0 { // as in memory
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sorted := make([]int32, 0, len(t.sorted)+scalars)
	before := t.sorted
	for code := 1; code <= scalars; code++ {
		cell := col.Cell(uint32(code))
		if timedOut() || !event.CellScalar(cell) {
			return
		}
		q.text = event.AppendCellTerm(q.text[:0], cell)
		for len(before) > 0 && t.names[before[0]] < string(q.text) {
			sorted, before = append(sorted, before[0]), before[1:]
		}
		var id int32
		if len(before) > 0 && t.names[before[0]] == string(q.text) {
			id = before[0]
		} else {
			if t.terms.bytes+len(t.names)*wholeNameBytes >= wholeBytesMax {
				if _, known := t.ids[string(q.text)]; !known {
					continue
				}
			}
			if id = t.idOfLocked(q.text); len(sorted) == 0 || sorted[len(sorted)-1] != id {
				sorted = append(sorted, id)
			}
		}
		q.codes.values[code].Store(id + 3)
	}
	t.sorted = append(sorted, before...)
}

// valueOf reads the only value in the cell of a code.
func (q *quickValues) valueOf(code int64) int32 {
	col := q.reader.soleColumn
	if code <= 0 || code > int64(col.col.Card()) {
		return noValue
	}
	cell := col.col.Cell(uint32(code))
	if col.path == "" && event.CellScalar(cell) {
		q.text = event.AppendCellTerm(q.text[:0], cell)
		return q.idOf(q.text)
	}
	value := int32(noValue)
	event.CellTerms(cell, col.path, func(term string) {
		switch id := q.id(term); value {
		case noValue, id:
			value = id
		default:
			value = askValues
		}
	})
	return value
}

// What a capped cell says of a property. A number from overID on is that of the only value over
// the cap plus overID.
const (
	overUnknown = iota
	overNothing
	overAll
	overSome // several values
	overID
)

// cap returns what a row with a value counts under when its capped cell has a code.
func (q *quickValues) cap(value int32, code int64) int32 {
	if code >= int64(len(q.codes.over)) {
		return askValues
	}
	over := q.codes.over[code].Load()
	if over == overUnknown {
		over = q.readOver(uint32(code))
		q.codes.over[code].Store(over)
	}
	switch {
	case over == overNothing:
		return value
	case over == overAll || over == value+overID:
		return q.other
	case over == overSome:
		if values, _ := q.reader.capped.ofCode(uint32(code)); values.has(q.name(value)) {
			return q.other
		}
	}
	return value
}

// readOver reads which values are over the cap in a capped cell.
func (q *quickValues) readOver(code uint32) int32 {
	values, some := q.reader.capped.ofCode(code)
	switch {
	case !some || !values.all && len(values.values) == 0:
		return overNothing
	case values.all:
		return overAll
	case len(values.values) > 1:
		return overSome
	}
	for value := range values.values {
		return q.id(strings.Clone(value)) + overID
	}
	return overNothing
}

// shared returns the number in sharedTerms for one in own.
func (q *quickValues) shared(id int32) int32 {
	for int(id) >= len(q.sharedID) {
		q.sharedID = append(q.sharedID, 0)
	}
	at := &q.sharedID[id]
	if *at == 0 {
		*at = q.id(q.own.names[id]) + 1
	}
	return *at - 1
}
