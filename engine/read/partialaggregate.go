// Partial aggregates: what the rows of one row range add to an aggregate.

package read

import (
	"math/bits"
	"sync"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
)

// aggregateKey identifies one row of an answer.
type aggregateKey struct {
	value, segment int32 // numbers in terms
	step           int   // of a series, otherwise 0
}

// noSegment is the segment of rows when the query has none.
const noSegment = -1

// partialAggregate is what one row range adds to an aggregate. Most rows of a range repeat
// persons and sessions of earlier rows. These repetitions are removed here, in sets that
// fit the processor's cache, while other goroutines do the same with other row ranges. Its
// rows are those of an answer, numbered from 0 in the order in which their keys came.
type partialAggregate struct {
	first       uint64 // seq of the first row of the range
	joint       bool   // all persons and sessions are recorded under row 0
	names       terms
	keys        []aggregateKey // by row; numbers in names
	events      []int64        // by row
	persons     pairBag        // (row, ordinal)
	earlier     pairBag        // (row, ordinal) of sessions that started before the range
	startedSets []*startedSet  // sessions that started in the range, by row, for the first startedSetsMax rows
	started     pairBag        // (row, ordinal) of those of all other rows

	recentPersons, recentSessions identity.RecentFilter

	plain []int32                // row plus 1 by value, for keys without segment and step
	grid  [][]int32              // row plus 1 by value and segment, for small numbers of both
	rest  map[aggregateKey]int32 // row of all other keys
}

// A grid holds values and segments below these numbers.
const (
	gridValues   = 4096
	gridSegments = 256
)

// row finds or makes the row of k. It returns -1 when there are too many rows.
func (p *partialAggregate) row(k aggregateKey) int {
	slot := p.slot(k)
	if slot == nil {
		row, ok := p.rest[k]
		if !ok {
			if row = p.add(k); row < 0 {
				return -1
			}
			if p.rest == nil {
				p.rest = make(map[aggregateKey]int32)
			}
			p.rest[k] = row
		}
		return int(row)
	}
	if *slot == 0 {
		*slot = p.add(k) + 1
	}
	return int(*slot) - 1
}

// slot returns where the row of k plus 1 is stored, or nil when k belongs in rest.
func (p *partialAggregate) slot(k aggregateKey) *int32 {
	switch {
	case k.step != 0:
		return nil
	case k.segment == noSegment:
		for int(k.value) >= len(p.plain) {
			p.plain = append(p.plain, 0)
		}
		return &p.plain[k.value]
	case k.value >= gridValues || k.segment >= gridSegments:
		return nil
	}
	for int(k.value) >= len(p.grid) {
		p.grid = append(p.grid, nil)
	}
	line := &p.grid[k.value]
	for int(k.segment) >= len(*line) {
		*line = append(*line, 0)
	}
	return &(*line)[k.segment]
}

func (p *partialAggregate) add(k aggregateKey) int32 {
	if len(p.keys) >= query.CounterRowsMax {
		return -1
	}
	p.keys = append(p.keys, k)
	p.events = append(p.events, 0)
	return int32(len(p.keys) - 1)
}

// count adds an event to a row. by is 1, or the amount of an increment.
func (p *partialAggregate) count(row int, by int64, person, session uint64) {
	p.events[row] = index.AddSaturating(p.events[row], by)
	p.register(row, person, session)
}

// register records the person and the session of an event that counts under row. 0 means
// none.
func (p *partialAggregate) register(row int, person, session uint64) {
	if p.joint {
		row = 0
	}
	if pair := identity.PairOf(row, person); person != 0 && p.recentPersons.New(pair) {
		p.persons.add(pair)
	}
	pair := identity.PairOf(row, session)
	switch {
	case session == 0 || !p.recentSessions.New(pair):
	case session < p.first:
		p.earlier.add(pair)
	case row < startedSetsMax:
		for len(p.startedSets) <= row {
			p.startedSets = append(p.startedSets, nil)
		}
		if p.startedSets[row] == nil {
			p.startedSets[row] = new(startedSet)
		}
		at := session - p.first
		p.startedSets[row][at/64%uint64(len(startedSet{}))] |= 1 << (at % 64)
	default:
		p.started.add(pair)
	}
}

// eachStarted calls fn with every row and session that started in the range.
func (p *partialAggregate) eachStarted(fn func(row int, session uint64)) error {
	for row, set := range p.startedSets {
		if set == nil {
			continue
		}
		for i, w := range set {
			for ; w != 0; w &= w - 1 {
				fn(row, p.first+uint64(i*64+bits.TrailingZeros64(w)))
			}
		}
	}
	return p.started.eachPair(fn)
}

// startedSet is a bitmap of the rows of a range whose event started a session.
type startedSet [rangeRowsMax / 64]uint64

// startedSetsMax is how many rows of an answer have a startedSet.
const startedSetsMax = 64

// partialPool recycles the memory of partial aggregates.
var partialPool = sync.Pool{New: func() any { return new(partialAggregate) }}

// newPartialAggregate returns an empty one for a row range whose first row has seq first.
func newPartialAggregate(first uint64, joint bool, sp *spill) *partialAggregate {
	p := partialPool.Get().(*partialAggregate)
	p.first, p.joint = first, joint
	p.persons.spill, p.earlier.spill, p.started.spill = sp, sp, sp
	return p
}

// removeDuplicates removes duplicate pairs from the bags.
func (p *partialAggregate) removeDuplicates() *partialAggregate {
	p.persons.sort()
	p.earlier.sort()
	p.started.sort()
	return p
}

// release returns p to partialPool, without anything that may have grown large. p must not
// be used afterwards.
func (p *partialAggregate) release() {
	emptied := partialAggregate{keys: p.keys[:0], events: p.events[:0], persons: p.persons, earlier: p.earlier, started: p.started, startedSets: p.startedSets}
	emptied.persons.empty()
	emptied.earlier.empty()
	emptied.started.empty()
	for _, b := range emptied.startedSets {
		if b != nil {
			clear(b[:])
		}
	}
	if cap(p.keys) <= gridValues {
		*p = emptied
		partialPool.Put(p)
	}
}
