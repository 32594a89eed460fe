// Lengths: how long the visits of each row lasted, for medians.
//
// Rows with many visits have an array of counts. The lengths of all others are counted in a small
// hash table; when it is full, they are sorted and packed into a run:
//
//	uvarint of the key less the one before it | uvarint of how often it was seen | …
//
// So a length of a row takes three or four bytes, and a report needs no second pass.

package report

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// lengthCounts counts visits by table, row and whole seconds. One goroutine uses it.
type lengthCounts struct {
	rows      [lengthTotal + 1][]lengthRow // by table and row
	heavy     int                          // rows with an array
	heavyMost int                          // of them, at most

	// In open addressing.
	keys   []uint64 // plus 1; 0 = free
	counts []uint32
	n      int

	runs  [][]byte
	bytes int  // of runs
	max   int  // bytes of runs at most
	over  bool // it had more: it counts nothing any more
}

// newLengths returns one of n lengthCounts of a report, whose runs have at most so many bytes. none says that it counts nothing.
func newLengths(bytes, n int, none bool) *lengthCounts {
	return &lengthCounts{max: bytes / n, heavyMost: heavyMax / n, over: none}
}

// lengthRow is a row of a table.
type lengthRow struct {
	none  uint32 // visits that lasted no second: about every other one
	n     uint32 // visits counted in the hash table
	heavy *heavyLengths
}

// heavyLengths counts the lengths of one row, by seconds.
type heavyLengths [1 << 11]uint32

const (
	heavyAfter = 512     // visits after which a row has an array
	heavyMax   = 256     // rows of a report with an array, at most: 2 MiB
	lengthKeys = 1 << 16 // keys of the hash table at most; a key takes 12 bytes, of slots that are at least a third full
	lengthRuns = 8       // runs, before they become one

	// lengthBytes is how many bytes the runs of one report have at most. While they become one,
	// they take twice as much.
	lengthBytes = 8 << 20
)

// lengthTotal is the table of the total among the lengths.
const lengthTotal = 15

const (
	lengthRowBits    = 24
	lengthSecondBits = 34 // 544 years
)

func lengthKey(table, row int, seconds int64) uint64 {
	return uint64(table)<<(lengthRowBits+lengthSecondBits) | uint64(row)<<lengthSecondBits | uint64(seconds)
}

func (c *lengthCounts) add(table, row int, seconds int64) {
	if c.over {
		return
	}
	seconds = min(max(seconds, 0), 1<<lengthSecondBits-1)
	rows := c.rows[table]
	if row >= len(rows) {
		rows = grownTo(rows, row)
		c.rows[table] = rows
	}
	r := &rows[row]
	if seconds == 0 {
		r.none++
		return
	}
	if r.heavy != nil && seconds < int64(len(r.heavy)) {
		r.heavy[seconds]++
		return
	}
	if r.n++; r.n == heavyAfter && c.heavy < c.heavyMost {
		c.heavy++
		r.heavy = new(heavyLengths)
	}
	if (c.n+1)*4 > len(c.keys)*3 {
		c.grow()
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

// grow makes room in the hash table.
func (c *lengthCounts) grow() {
	if c.n >= lengthKeys {
		if c.pack(); c.bytes > c.max {
			*c = lengthCounts{over: true}
			c.keys, c.counts = make([]uint64, 256), make([]uint32, 256) // of the length that is being added
		}
		return
	}
	keys, counts := c.keys, c.counts
	c.keys, c.counts = make([]uint64, max(256, 2*len(keys))), make([]uint32, max(256, 2*len(keys)))
	for i, key := range keys {
		if key != 0 {
			at := c.slot(key)
			c.keys[at], c.counts[at] = key, counts[i]
		}
	}
}

// pack makes a run of what the hash table has, and empties it.
func (c *lengthCounts) pack() {
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
	slices.SortFunc(all, func(a, b counted) int { return cmp.Compare(a.key, b.key) })
	run, last := make([]byte, 0, 4*len(all)), uint64(0)
	for _, one := range all {
		run = binary.AppendUvarint(binary.AppendUvarint(run, one.key-last), uint64(one.count))
		last = one.key
	}
	clear(c.keys)
	clear(c.counts)
	c.n, c.runs = 0, append(c.runs, run)
	if len(c.runs) == lengthRuns {
		c.runs = [][]byte{mergedLengths(c.runs)}
	}
	c.bytes = 0
	for _, run := range c.runs {
		c.bytes += len(run)
	}
}

// packNone makes a run of the visits that lasted no second.
func (c *lengthCounts) packNone() (run []byte) {
	last := uint64(0)
	for table, rows := range c.rows {
		for row := range rows {
			if n := rows[row].none; n > 0 {
				key := lengthKey(table, row, 0)
				run = binary.AppendUvarint(binary.AppendUvarint(run, key-last), uint64(n))
				last = key
			}
		}
	}
	return run
}

// lengthReader reads a run.
type lengthReader struct {
	packed []byte // after key
	key    uint64
	count  uint64 // 0 = the run is over
}

func (r *lengthReader) next() {
	if len(r.packed) == 0 {
		r.count = 0
		return
	}
	delta, n := binary.Uvarint(r.packed)
	count, m := binary.Uvarint(r.packed[n:])
	r.key, r.count, r.packed = r.key+delta, count, r.packed[n+m:]
}

// eachLength calls fn with each key of some runs, ascending, and how often it was seen.
func eachLength(runs [][]byte, fn func(key, count uint64)) {
	readers := make([]lengthReader, 0, len(runs))
	for _, run := range runs {
		r := lengthReader{packed: run}
		if r.next(); r.count > 0 {
			readers = append(readers, r)
		}
	}
	for len(readers) > 0 {
		key, count := readers[0].key, uint64(0)
		for i := range readers[1:] {
			key = min(key, readers[i+1].key)
		}
		for i := 0; i < len(readers); i++ {
			if r := &readers[i]; r.key == key {
				count += r.count
				if r.next(); r.count == 0 {
					readers = slices.Delete(readers, i, i+1)
					i--
				}
			}
		}
		fn(key, count)
	}
}

// mergedLengths makes one run of several.
func mergedLengths(runs [][]byte) (run []byte) {
	last := uint64(0)
	eachLength(runs, func(key, count uint64) {
		run = binary.AppendUvarint(binary.AppendUvarint(run, key-last), count)
		last = key
	})
	return run
}

// eachMedian calls fn with the median of each row of each table, over the visits that some
// lengthCounts have counted, none of which is over. These count nothing more afterwards.
func eachMedian(all []*lengthCounts, fn func(table, row int, seconds int64)) {
	var runs [][]byte
	for _, c := range all {
		c.pack()
		runs = append(append(runs, c.runs...), c.packNone())
		c.runs = nil
	}
	for len(runs) > lengthRuns {
		var fewer [][]byte
		for some := range slices.Chunk(runs, lengthRuns) {
			fewer = append(fewer, mergedLengths(some))
		}
		runs = fewer
	}
	var row uint64
	var lengths []counted // of the row; a heavy row has longer ones here
	median := func() {
		if len(lengths) > 0 {
			table, row := int(row>>lengthRowBits), int(row&(1<<lengthRowBits-1))
			fn(table, row, nearestRank(withHeavy(all, table, row, lengths), 50))
		}
		lengths = lengths[:0]
	}
	eachLength(runs, func(key, count uint64) {
		if of := key >> lengthSecondBits; of != row {
			median()
			row = of
		}
		lengths = append(lengths, counted{int64(key & (1<<lengthSecondBits - 1)), count})
	})
	median()
}

// withHeavy adds what arrays have of a row to other lengths of it, which ascend.
func withHeavy(all []*lengthCounts, table, row int, lengths []counted) []counted {
	var sum *[len(heavyLengths{})]uint64
	for _, c := range all {
		if row >= len(c.rows[table]) || c.rows[table][row].heavy == nil {
			continue
		}
		if sum == nil {
			sum = new([len(heavyLengths{})]uint64)
		}
		for i, n := range c.rows[table][row].heavy {
			sum[i] += uint64(n)
		}
	}
	if sum == nil {
		return lengths
	}
	longer := len(lengths)
	for i, one := range lengths {
		if one.value >= int64(len(sum)) {
			longer = i
			break
		}
		sum[one.value] += one.n
	}
	both := make([]counted, 0, len(sum)+len(lengths)-longer)
	for i, n := range sum {
		if n > 0 {
			both = append(both, counted{int64(i), n})
		}
	}
	return append(both, lengths[longer:]...)
}
