// Rows of wide aggregates: numbers for pairs of a value and a segment.

package read

// wideRows are pairs of a value and a segment, numbered in the order in which they came. The zero
// wideRows is empty. One goroutine uses it.
//
// Frequent values come early, so they have low numbers: corner has the rows of those, and fits the
// processor's cache. All others are in a table with open addressing.
type wideRows struct {
	list   []wideRow
	corner []int32 // number plus 1, by value and segment
	shift  int     // of the value in an index of corner: cornerSegmentBits or, without segments, 0
	slots  []int32 // number plus 1; 0 = free
	used   int     // slots
}

// wideRow is a pair and its events.
type wideRow struct {
	key    uint64
	events int64
}

// cornerBits is the size of a corner, and cornerSegmentBits how many segments one has when there
// are any.
const (
	cornerBits        = 17
	cornerSegmentBits = 6
)

// wideKey packs a value and a segment.
func wideKey(value, segment int32) uint64 { return uint64(value)<<32 | uint64(uint32(segment+1)) }

func splitWideKey(key uint64) (value, segment int32) { return int32(key >> 32), int32(uint32(key)) - 1 }

// add returns the number of a pair, a new one when the pair is new.
func (r *wideRows) add(key uint64) int32 {
	value, segment := key>>32, key&(1<<32-1)
	if value < 1<<(cornerBits-r.shift) && segment < 1<<r.shift {
		if r.corner == nil {
			r.corner = make([]int32, 1<<cornerBits)
		}
		at := &r.corner[value<<r.shift|segment]
		if *at == 0 {
			*at = r.append(key)
		}
		return *at - 1
	}
	if 2*(r.used+1) > len(r.slots) {
		r.grow()
	}
	at := r.slot(key)
	if r.slots[at] == 0 {
		r.slots[at] = r.append(key)
		r.used++
	}
	return r.slots[at] - 1
}

func (r *wideRows) append(key uint64) int32 {
	r.list = append(r.list, wideRow{key: key})
	return int32(len(r.list))
}

// slot returns the slot of a pair, or the free one where it belongs.
func (r *wideRows) slot(key uint64) uint64 {
	mask := uint64(len(r.slots) - 1)
	for i := key * 0x9e3779b97f4a7c15 >> 32 & mask; ; i = (i + 1) & mask {
		if n := r.slots[i]; n == 0 || r.list[n-1].key == key {
			return i
		}
	}
}

// find returns the number of a pair, -1 when there is none.
func (r *wideRows) find(key uint64) int32 {
	value, segment := key>>32, key&(1<<32-1)
	switch {
	case value < 1<<(cornerBits-r.shift) && segment < 1<<r.shift:
		if r.corner == nil {
			return -1
		}
		return r.corner[value<<r.shift|segment] - 1
	case len(r.slots) == 0:
		return -1
	}
	return r.slots[r.slot(key)] - 1
}

// grow doubles the slots.
func (r *wideRows) grow() {
	old := r.slots
	r.slots = make([]int32, max(1<<10, 2*len(old)))
	for _, n := range old {
		if n != 0 {
			r.slots[r.slot(r.list[n-1].key)] = n
		}
	}
}
