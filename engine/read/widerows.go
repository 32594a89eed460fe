// Rows of wide aggregates: how many events each pair of a value and a segment has.

package read

import (
	"sync"
	"sync/atomic"

	"cairn/index"
)

// wideRows are pairs of a value and a segment. Several goroutines count them. They are in many
// small tables, by a hash. A goroutine counts some pairs of a table at a time, so the table is in
// the processor's cache meanwhile, and goroutines seldom wait for each other. One table of all
// pairs would be read in random order.
type wideRows struct {
	tables   [wideTables]wideTable
	n        atomic.Int64 // rows of all tables
	numbered bool         // each has a number below n
}

const wideTables = 1 << 8

// wideBatch is how many pairs are counted at once.
const wideBatch = 1 << 8

// wideCorner is the events that one goroutine counts of pairs with a low number of the value and of
// the segment. Frequent values come early, so they have low numbers; the corner fits the processor's
// cache.
type wideCorner struct {
	shift  int // of the value in an index of events
	rows   int // that were counted
	events [1 << cornerBits]uint32
}

// cornerBits is the size of a corner, and cornerSegmentBits how many segments one has when there are
// any.
const (
	cornerBits        = 17
	cornerSegmentBits = 6
)

// cornerRowsMax is after how many rows a corner is emptied, so that no number of it overflows.
const cornerRowsMax = 1 << 30

// add counts an event of a pair. It reports false when the pair is not in the corner.
func (c *wideCorner) add(key uint64) bool {
	value, segment := key>>32, key&(1<<32-1)
	if value >= 1<<cornerBits>>c.shift || segment >= 1<<c.shift {
		return false
	}
	c.events[(value<<c.shift|segment)&(1<<cornerBits-1)]++
	return true
}

// each calls fn with the pairs of the corner that have events, and empties it.
func (c *wideCorner) each(fn func(key uint64, events int64)) {
	for i, n := range &c.events { // an array, which range would copy
		if n != 0 {
			fn(uint64(i>>c.shift)<<32|uint64(i)&(1<<c.shift-1), int64(n))
		}
	}
	clear(c.events[:])
	c.rows = 0
}

// wideRow is a pair and its events.
type wideRow struct {
	key    uint64
	events int64
}

// wideTable is some of the rows, with open addressing. The zero wideTable is empty.
type wideTable struct {
	mu      sync.Mutex
	list    []wideRow
	slots   []int32 // index in list plus 1; 0 = free
	numbers []int32 // by index in list, if rows are numbered
}

// wideKey packs a value and a segment.
func wideKey(value, segment int32) uint64 { return uint64(value)<<32 | uint64(uint32(segment+1)) }

func splitWideKey(key uint64) (value, segment int32) { return int32(key >> 32), int32(uint32(key)) - 1 }

// The hash of a pair has the table in its upper bits, and the slot in the next ones.
func wideHash(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 }

func tableOf(key uint64) uint64        { return wideHash(key) >> 56 }
func slotOf(key uint64, of int) uint64 { return wideHash(key) >> 32 & uint64(of-1) }

// count adds events to each of some pairs, at most wideBatch, and sets their indexes in list, unless
// at is nil.
func (t *wideTable) count(keys []uint64, by int64, at []int32) {
	for 2*(len(t.list)+len(keys)) > len(t.slots) {
		t.grow()
	}
	var first [wideBatch]int32 // what is in the slots of keys: read at once, the processor waits for all together
	slots, list := t.slots, t.list
	for i, key := range keys {
		first[i] = slots[slotOf(key, len(slots))]
	}
	for i, key := range keys {
		n := first[i]
		if n == 0 || list[n-1].key != key {
			slot := slotOf(key, len(slots))
			for slots[slot] != 0 && list[slots[slot]-1].key != key {
				slot = (slot + 1) & uint64(len(slots)-1)
			}
			if slots[slot] == 0 {
				list = append(list, wideRow{key: key})
				slots[slot] = int32(len(list))
			}
			n = slots[slot]
		}
		list[n-1].events = index.AddSaturating(list[n-1].events, by)
		if at != nil {
			at[i] = n - 1
		}
	}
	t.list = list
}

// find returns the index of a pair in list, -1 when there is none.
func (t *wideTable) find(key uint64) int32 {
	slot := slotOf(key, len(t.slots))
	for t.slots[slot] != 0 && t.list[t.slots[slot]-1].key != key {
		slot = (slot + 1) & uint64(len(t.slots)-1)
	}
	return t.slots[slot] - 1
}

// grow doubles the slots.
func (t *wideTable) grow() {
	t.slots = make([]int32, max(64, 2*len(t.slots)))
	for i := range t.list {
		slot := slotOf(t.list[i].key, len(t.slots))
		for t.slots[slot] != 0 {
			slot = (slot + 1) & uint64(len(t.slots)-1)
		}
		t.slots[slot] = int32(i + 1)
	}
}

// count adds events to pairs of one table. If rows are numbered, it sets the numbers of the pairs.
func (r *wideRows) count(keys []uint64, by int64, numbers []int32) {
	t := &r.tables[tableOf(keys[0])]
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.list)
	t.count(keys, by, numbers)
	grown := len(t.list) - before
	first := r.n.Add(int64(grown)) - int64(grown)
	if !r.numbered {
		return
	}
	for i := range grown {
		t.numbers = append(t.numbers, int32(first)+int32(i))
	}
	for i, at := range numbers {
		numbers[i] = t.numbers[at]
	}
}
