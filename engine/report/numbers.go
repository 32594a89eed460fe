// Numbers: what an aggregate keeps of the numbers it has seen.

package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// number is a decimal number. Most are exactly one float64, which takes less memory than a text.
type number struct {
	key  uint64 // orders float64s; two different numbers may have the same one
	long string // the number itself, when no float64 has it as its shortest text
}

// numberDigits is how many digits a number may have of which the shortest text of its float64 is
// certainly the number.
const numberDigits = 15

// numberOf returns the number of a term that event.IsNumber accepts.
func numberOf(term string) number {
	f, err := strconv.ParseFloat(term, 64)
	n := number{key: floatKey(f)}
	digits := 0
	for i := range len(term) {
		if '0' <= term[i] && term[i] <= '9' {
			digits++
		}
	}
	if err != nil || digits > numberDigits {
		n.long = term
	}
	return n
}

// floatKey returns a number that orders float64s.
func floatKey(f float64) uint64 {
	if b := math.Float64bits(f); b>>63 == 0 {
		return b | 1<<63
	} else {
		return ^b
	}
}

func keyFloat(key uint64) float64 {
	if key>>63 != 0 {
		return math.Float64frombits(key &^ (1 << 63))
	}
	return math.Float64frombits(^key)
}

func (n number) text() string {
	if n.long != "" {
		return n.long
	}
	return strconv.FormatFloat(keyFloat(n.key), 'f', -1, 64)
}

func (n number) compare(o number) int {
	if c := cmp.Compare(n.key, o.key); c != 0 || n.long == "" && o.long == "" {
		return c
	}
	return event.CompareNumbers(n.text(), o.text())
}

// numberStats is the numbers of a cell of an answer, but for their ranks.
type numberStats struct {
	events, count, not uint64
	sum                query.Sum
	min, max           number // when count > 0
}

func (s *numberStats) add(n number, sum query.Sum, times uint64) {
	if s.count == 0 || n.compare(s.min) < 0 {
		s.min = n
	}
	if s.count == 0 || n.compare(s.max) > 0 {
		s.max = n
	}
	s.count += times
	s.sum.AddSum(sum.Times(times))
}

// numberTally counts the different numbers of each cell. It keeps a bounded number of them;
// beyond, numbers that are close to each other become one.
type numberTally struct {
	limit   int // different pairs of a cell and a number, at most
	pairs   []numberPair
	pending []numberPair // added since
	long    map[longPair]uint64
	bytes   int // of the texts in long
	bits    int // of the mantissa that are kept; mantissaBits = all
	err     error
	room    *read.Room // for pairs; nil = there is always some
	taken   int        // pairs for which there is room
}

// numberPair is a number of a cell, and how often it was seen. A number that was seen very often
// has several pairs.
type numberPair struct {
	key  uint64
	cell uint32
	n    uint32
}

type longPair struct {
	cell uint32
	text string
}

const (
	mantissaBits = 52
	// bucketBits is what is kept of the mantissa when there are too many numbers: buckets of less
	// than 0.5 %.
	bucketBits = 8
	longBytes  = 16 << 20
)

// numberBytes is what a pair takes.
const numberBytes = 16

func newNumberTally(limit int) *numberTally {
	return &numberTally{limit: max(limit, 64), long: make(map[longPair]uint64), bits: mantissaBits}
}

func compareNumberPairs(a, b numberPair) int {
	return cmp.Or(cmp.Compare(a.cell, b.cell), cmp.Compare(a.key, b.key))
}

// add counts a number of a cell.
func (t *numberTally) add(cell uint32, n number, times uint64) {
	if n.long != "" && t.bits == mantissaBits {
		p := longPair{cell, n.long}
		if t.long[p] == 0 {
			t.bytes += len(n.long)
		}
		t.long[p] += times
		if len(t.long) > t.limit/4 || t.bytes > longBytes {
			t.coarsen()
		}
		return
	}
	for times > 0 {
		some := min(times, math.MaxUint32)
		t.pending = append(t.pending, numberPair{t.bucket(n.key), cell, uint32(some)})
		times -= some
	}
	if len(t.pending) >= max(1<<12, len(t.pairs)/4) {
		t.settle()
	}
}

// bucket returns the key that stands for all numbers close to one.
func (t *numberTally) bucket(key uint64) uint64 {
	f := keyFloat(key)
	switch {
	case t.bits == mantissaBits || f == 0:
		return key
	case math.IsInf(f, 0):
		return floatKey(math.Copysign(math.MaxFloat64, f))
	}
	b := math.Float64bits(f)
	rest := uint64(1)<<(mantissaBits-t.bits) - 1
	return floatKey(math.Float64frombits(b&^rest | (rest+1)/2))
}

// settle counts what was added.
func (t *numberTally) settle() {
	slices.SortFunc(t.pending, compareNumberPairs)
	merged := make([]numberPair, 0, len(t.pairs)+len(t.pending))
	old := t.pairs
	for len(old) > 0 || len(t.pending) > 0 {
		var p numberPair
		if len(t.pending) == 0 || len(old) > 0 && compareNumberPairs(old[0], t.pending[0]) <= 0 {
			p, old = old[0], old[1:]
		} else {
			p, t.pending = t.pending[0], t.pending[1:]
		}
		merged = appendPair(merged, p)
	}
	t.pairs, t.pending = merged, nil
	if more := len(merged) - t.taken; more > 0 {
		if err := t.room.Add(numberBytes * int64(more)); err != nil {
			t.err, t.pairs = err, nil
			return
		}
		t.taken = len(merged)
	}
	if len(t.pairs)+len(t.long) > t.limit {
		t.coarsen()
	}
}

// appendPair appends a pair that is not less than the last one.
func appendPair(pairs []numberPair, p numberPair) []numberPair {
	if last := len(pairs) - 1; last >= 0 && compareNumberPairs(pairs[last], p) == 0 && uint64(pairs[last].n)+uint64(p.n) <= math.MaxUint32 {
		pairs[last].n += p.n
		return pairs
	}
	return append(pairs, p)
}

// coarsen makes numbers that are close to each other one, until there is space again.
func (t *numberTally) coarsen() {
	for p, times := range t.long {
		key := numberOf(p.text).key
		for times > 0 {
			some := min(times, math.MaxUint32)
			t.pairs = append(t.pairs, numberPair{key, p.cell, uint32(some)})
			times -= some
		}
	}
	t.pairs = append(t.pairs, t.pending...)
	t.pending, t.long, t.bytes = nil, make(map[longPair]uint64), 0
	for t.bits = max(1, min(t.bits-1, bucketBits)); ; t.bits-- {
		for i := range t.pairs {
			t.pairs[i].key = t.bucket(t.pairs[i].key)
		}
		slices.SortFunc(t.pairs, compareNumberPairs)
		merged := t.pairs[:0]
		for _, p := range t.pairs {
			merged = appendPair(merged, p)
		}
		if t.pairs = merged; len(t.pairs) <= t.limit/2 {
			return
		}
		if t.bits == 1 { // no cell has more than some thousands now
			t.err = tooManyNumbers(t.limit)
			t.pairs = t.pairs[:0]
			return
		}
	}
}

// relativeError returns by how much of its value a percentile may differ.
func (t *numberTally) relativeError() float64 {
	switch {
	case t.bits == mantissaBits:
		return 0
	case t.bits >= bucketBits-1:
		return 0.005
	}
	return 1 / float64(uint64(2)<<t.bits)
}

// ranks sets the percentiles and the count of different numbers of each cell.
func (t *numberTally) ranks(to func(cell int) *query.Numbers) {
	t.settle()
	long := make(map[uint32][]rankedNumber)
	for p, times := range t.long {
		long[p.cell] = append(long[p.cell], rankedNumber{numberOf(p.text), times})
	}
	for i := 0; i < len(t.pairs); {
		cell, from := t.pairs[i].cell, i
		for i < len(t.pairs) && t.pairs[i].cell == cell {
			i++
		}
		t.rank(t.pairs[from:i], long[cell], to(int(cell)))
		delete(long, cell)
	}
	for cell := range long {
		t.rank(nil, long[cell], to(int(cell)))
	}
}

type rankedNumber struct {
	number
	n uint64
}

// rank sets the percentiles of one cell.
func (t *numberTally) rank(pairs []numberPair, long []rankedNumber, to *query.Numbers) {
	slices.SortFunc(long, func(a, b rankedNumber) int { return a.compare(b.number) })
	total := uint64(0)
	for _, p := range pairs {
		total += uint64(p.n)
	}
	for _, r := range long {
		total += r.n
	}
	next, seen, distinct := 0, uint64(0), uint64(0)
	var last number
	take := func(n number, times uint64) {
		if distinct == 0 || n != last {
			distinct++
		}
		last = n
		for seen += times; next < len(query.Percentiles) && seen >= rankOf(query.Percentiles[next], total); next++ {
			to.Percentiles[next] = t.shown(n)
		}
	}
	for len(pairs) > 0 || len(long) > 0 {
		if len(long) == 0 || len(pairs) > 0 && (number{key: pairs[0].key}).compare(long[0].number) < 0 {
			take(number{key: pairs[0].key}, uint64(pairs[0].n))
			pairs = pairs[1:]
		} else {
			take(long[0].number, long[0].n)
			long = long[1:]
		}
	}
	if to.Distinct = distinct; t.bits != mantissaBits {
		to.Distinct = 0
	}
}

// rankOf returns the place of the percentile p among n numbers, from 1.
func rankOf(p, n uint64) uint64 { return n/100*p + (n%100*p+99)/100 }

// shown returns the text of a percentile: a number, or about one.
func (t *numberTally) shown(n number) string {
	if t.bits == mantissaBits {
		return n.text()
	}
	f, _ := strconv.ParseFloat(strconv.FormatFloat(keyFloat(n.key), 'g', 6, 64), 64)
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func tooManyNumbers(limit int) error {
	return query.Bad("limit", "more than %d different numbers of all rows, even when those close to each other are one; ask for fewer rows or steps", limit)
}
