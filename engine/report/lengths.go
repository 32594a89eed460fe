// Lengths: how long the visits of each row lasted, for medians.

package report

import (
	"math/bits"
	"slices"
)

// lengthCounts counts visits by table, row and whole seconds, in open addressing.
type lengthCounts struct {
	keys   []uint64 // plus 1; 0 = free
	counts []uint32
	n      int
	max    int  // keys at most
	over   bool // it had more: it counts nothing any more
}

// lengthKeys is how many keys the lengths of one report have at most. A key takes 12 bytes, of
// slots that are at least half full.
const lengthKeys = 1 << 19

const (
	lengthRowBits    = 24
	lengthSecondBits = 34 // 544 years
)

func lengthKey(table, row int, seconds int64) uint64 {
	seconds = min(max(seconds, 0), 1<<lengthSecondBits-1)
	return uint64(table)<<(lengthRowBits+lengthSecondBits) | uint64(row)<<lengthSecondBits | uint64(seconds)
}

func (c *lengthCounts) add(table, row int, seconds int64) {
	if c.over {
		return
	}
	if (c.n+1)*4 > len(c.keys)*3 && !c.grow() {
		return
	}
	key := lengthKey(table, row, seconds) + 1
	i := c.slot(key)
	if c.keys[i] == 0 {
		c.keys[i] = key
		c.n++
	}
	c.counts[i]++
}

// home returns where a key is looked for first. Only the highest bits of the product depend on
// the table and the row: lower ones would lay the lengths of all rows over each other.
func (c *lengthCounts) home(key uint64) int {
	return int(key * 0x9e3779b97f4a7c15 >> (bits.LeadingZeros64(uint64(len(c.keys))) + 1))
}

func (c *lengthCounts) slot(key uint64) int {
	mask, i := len(c.keys)-1, c.home(key)
	for c.keys[i] != 0 && c.keys[i] != key {
		i = (i + 1) & mask
	}
	return i
}

// grow makes room. It reports false when there may be no more.
func (c *lengthCounts) grow() bool {
	if c.n >= c.max {
		*c = lengthCounts{over: true}
		return false
	}
	keys, counts := c.keys, c.counts
	c.keys, c.counts = make([]uint64, max(256, 2*len(keys))), make([]uint32, max(256, 2*len(keys)))
	for i, key := range keys {
		if key != 0 {
			at := c.slot(key)
			c.keys[at], c.counts[at] = key, counts[i]
		}
	}
	return true
}

// eachMedian calls fn with the median of each row of each table.
func (c *lengthCounts) eachMedian(fn func(table, row int, seconds int64)) {
	type counted struct {
		key   uint64
		count uint32
	}
	all := make([]counted, 0, c.n)
	for i, key := range c.keys {
		if key != 0 {
			all = append(all, counted{key - 1, c.counts[i]})
		}
	}
	slices.SortFunc(all, func(a, b counted) int {
		if a.key < b.key {
			return -1
		}
		return 1
	})
	for len(all) > 0 {
		row := all[0].key >> lengthSecondBits
		n, end := uint64(0), 0
		for ; end < len(all) && all[end].key>>lengthSecondBits == row; end++ {
			n += uint64(all[end].count)
		}
		rank := (n + 1) / 2 // the least number that half of all are not above
		for _, c := range all[:end] {
			if uint64(c.count) >= rank {
				fn(int(row>>lengthRowBits), int(row&(1<<lengthRowBits-1)), int64(c.key&(1<<lengthSecondBits-1)))
				break
			}
			rank -= uint64(c.count)
		}
		all = all[end:]
	}
}
