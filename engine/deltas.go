// Deltas are what a group of events adds to the sum of each value. This file also writes
// their stored form.

package engine

import (
	"encoding/binary"

	"cairn/engine/event"
	"cairn/index"
)

// delta holds what a group adds to the values of a property on one day.
type delta struct {
	values []string
	sums   []int64
	other  int // index of event.Other in values, plus 1; 0 = none
}

// add adds by to the sum of the slot's value. It reports whether the delta had no sum for
// that value yet; then it keeps a copy of the value in keep. The request that the value is
// from may be answered, and its memory used again, before the group is written: when the
// log waits for space.
func (d *delta) add(slot *capSlot, value string, by int64, keep *event.TermArena) (first bool) {
	if at := int(slot.at); at < len(d.values) && d.values[at] == value {
		d.sums[at] = index.AddSaturating(d.sums[at], by)
		return false
	}
	slot.at = uint32(len(d.values))
	d.push(keep.Keep(value), by)
	return true
}

func (d *delta) push(value string, by int64) {
	d.values = append(d.values, value)
	d.sums = append(d.sums, by)
}

func (c *cardinality) newDelta() *delta {
	for _, free := range []*[]*delta{&c.free, &c.small} {
		if n := len(*free) - 1; n >= 0 {
			d := (*free)[n]
			*free = (*free)[:n]
			return d
		}
	}
	return new(delta)
}

// appendDeltas appends what a group adds to the sets, as a note for index.ReadTotals. It
// also detaches the deltas from the sets, which are then ready for the next group.
func (c *cardinality) appendDeltas(dst []byte, counted []*daySet) []byte {
	n := 0
	for _, set := range counted {
		n += len(set.delta.values)
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for i, set := range counted {
		d := set.delta
		same := i > 0 && counted[i-1].key.property == set.key.property
		for j, v := range d.values {
			dst = index.AppendTotal(dst, &index.Total{Property: set.key.property, Day: set.key.day, Value: v, Sum: d.sums[j]}, same || j > 0)
		}
		set.delta = nil
		clear(d.values)
		d.values, d.sums, d.other = d.values[:0], d.sums[:0], 0
		if cap(d.values) <= smallDelta {
			if len(c.small) < smallDeltasKept {
				c.small = append(c.small, d)
			}
		} else if len(c.free) < deltasKept {
			c.free = append(c.free, d)
		}
	}
	return dst
}
