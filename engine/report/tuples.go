// Tuples: the rows that a report looks at one person or one visit at a time. They are collected
// from all slices and told apart by their key. A bounded number of them is in memory.

package report

import (
	"cmp"
	"slices"
	"sync"

	"cairn/engine/query"
	"cairn/engine/read"
)

// tuple is what such a report keeps of a row, in 16 bytes:
//
//	who   key u40 | value u24    the key is a root ordinal of a person or a session ordinal
//	when  time u52 | bits u12    the time is Unix milliseconds plus timeBias
type tuple struct{ who, when uint64 }

const (
	valueBits = 24
	valueMax  = 1<<valueBits - 1
	timeBias  = 1 << 51 // event times are much closer to 1970
	flagBits  = 12
)

func newTuple(key uint64, value uint32, at int64, bits uint16) tuple {
	return tuple{key<<valueBits | uint64(value), uint64(at+timeBias)<<flagBits | uint64(bits)}
}

func (t tuple) key() uint64   { return t.who >> valueBits }
func (t tuple) value() uint32 { return uint32(t.who & valueMax) }
func (t tuple) at() int64     { return int64(t.when>>flagBits) - timeBias }
func (t tuple) bits() uint16  { return uint16(t.when & (1<<flagBits - 1)) }

func (t tuple) withValue(value uint32) tuple {
	t.who = t.who&^valueMax | uint64(value)
	return t
}

// class is a share of the keys: those below a bound whose hash is rest modulo mod, a power of
// two.
type class struct{ mod, rest, below uint64 }

var allKeys = class{mod: 1, below: 1<<64 - 1}

func (c class) has(key uint64) bool { return key < c.below && hashKey(key)&(c.mod-1) == c.rest }

func hashKey(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> 24 }

// split halves a class. What of the other half is not done lies below a key.
func (c *class) split(below uint64) (other class) {
	c.mod *= 2
	return class{mod: c.mod, rest: c.rest + c.mod/2, below: below}
}

// sliceTuples is the tuples of a slice, in the order of its rows.
type sliceTuples struct {
	end    uint64 // seq after the slice's last row
	tuples []tuple
	texts  *read.Terms // numbers the values of the tuples, from 1; nil = the values stay
	least  []moment    // by value, the earliest row that has it; only where somebody asks for it
}

var tupleBuffers = sync.Pool{New: func() any { return new([]tuple) }}

// grouping collects tuples and passes them on, one key at a time.
//
// The slices come newest first. A person or a session has no row before the seq that is its
// key, so its tuples are complete when the slice with that seq was taken. When memory is full of
// incomplete ones, half of the keys are left out and read again afterwards.
type grouping struct {
	sel *read.Selection
	// read returns the tuples of a slice whose keys are in the class. Several goroutines call it.
	read func(s *read.Slice, in class) (*sliceTuples, error)
	// value returns the number that stands in all slices for a value of a slice.
	value func(s *sliceTuples, value uint32) (uint32, error)
	// take is called with the tuples of one key, by time and seq. They are valid until it
	// returns.
	take func(key uint64, rows []tuple) error
	// crowded returns the error for a key with too many tuples; some of them are passed.
	crowded func(rows []tuple) error

	in     class
	left   []class // to be read after in
	done   uint64  // keys from this one on were taken
	limit  int     // tuples in memory, at most; a power of two
	room   *read.Room
	max    int // the same now: few at first
	chunks [][]tuple
	n      int // tuples in chunks
	sorted []uint64
	rows   []tuple
}

const chunkTuples = 1 << 14

// A tuple takes tupleBytes, with its place in sorted. tuplesLeast of them need no room.
const (
	tupleBytes  = 24
	tuplesLeast = 1 << 12
)

// run reads all slices, more than once when it has to.
func (g *grouping) run() error {
	g.room = g.sel.Room()
	defer g.room.Close()
	for g.max = max(1, g.limit/8); g.max > tuplesLeast && !g.room.Try(tupleBytes*int64(g.max)); {
		g.max /= 2
	}
	g.left = []class{allKeys}
	for len(g.left) > 0 {
		g.in, g.left = g.left[len(g.left)-1], g.left[:len(g.left)-1]
		g.done = g.in.below
		in := g.in // which becomes smaller while slices are read
		if err := read.InOrder(g.sel, func(s *read.Slice) (*sliceTuples, error) { return g.read(s, in) }, g.add); err != nil {
			return err
		}
		if err := g.takeFrom(0); err != nil {
			return err
		}
	}
	return nil
}

// add takes the tuples of a slice, newest first.
func (g *grouping) add(s *sliceTuples) error {
	var known []uint32 // by the value in the slice; 0 = not known yet
	if s.texts != nil {
		known = make([]uint32, s.texts.Len()+1)
	}
	for i := len(s.tuples) - 1; i >= 0; i-- {
		t := s.tuples[i]
		if v := t.value(); v != 0 && known != nil {
			if known[v] == 0 {
				var err error
				if known[v], err = g.value(s, v); err != nil {
					return err
				}
			}
			t = t.withValue(known[v])
		}
		if g.n == g.max {
			if err := g.makeSpace(s.end); err != nil {
				return err
			}
		}
		if g.in.has(t.key()) { // the class may have become smaller since the slice was read
			g.push(t)
		}
	}
	all := s.tuples[:0]
	tupleBuffers.Put(&all)
	return nil
}

func (g *grouping) push(t tuple) {
	if g.n == len(g.chunks)*chunkTuples {
		g.chunks = append(g.chunks, make([]tuple, chunkTuples))
	}
	g.chunks[g.n/chunkTuples][g.n%chunkTuples] = t
	g.n++
}

func (g *grouping) at(i int) tuple { return g.chunks[i/chunkTuples][i%chunkTuples] }

// makeSpace is called while the slice that ends before the seq end comes in. Keys from there on are
// complete.
func (g *grouping) makeSpace(end uint64) error {
	if err := g.takeFrom(end); err != nil {
		return err
	}
	for g.n > g.max/2 && g.max < g.limit && g.room.Try(tupleBytes*int64(g.max)) {
		g.max *= 2
	}
	for g.n == g.max {
		key := g.at(0).key()
		if one := g.keep(func(t tuple) bool { return t.key() == key }, false); one == g.n || g.in.mod > 1<<32 {
			if g.max < g.limit {
				return query.ErrReportsBusy // others have the room
			}
			return g.crowded(g.rowsOf(0, min(g.n, chunkTuples)))
		}
		g.left = append(g.left, g.in.split(min(g.done, g.in.below)))
		g.keep(func(t tuple) bool { return g.in.has(t.key()) }, true)
		if err := g.sel.Check(); err != nil {
			return err
		}
	}
	return nil
}

// keep counts the tuples that satisfy a condition, and with drop removes the others.
func (g *grouping) keep(keep func(tuple) bool, drop bool) (n int) {
	for i := range g.n {
		t := g.at(i)
		if !keep(t) {
			continue
		}
		if drop {
			g.chunks[n/chunkTuples][n%chunkTuples] = t
		}
		n++
	}
	if drop {
		g.n = n
	}
	return n
}

func (g *grouping) rowsOf(from, to int) []tuple {
	g.rows = g.rows[:0]
	for i := from; i < to; i++ {
		g.rows = append(g.rows, g.at(i))
	}
	return g.rows
}

// Keys and the places of their tuples are sorted together. A key has 40 bits.
const placeBits = 24

// takeFrom takes the keys that are at least from, and forgets their tuples.
func (g *grouping) takeFrom(from uint64) error {
	if from >= g.done {
		return nil // no key in memory is so high
	}
	g.sorted = g.sorted[:0]
	for i := range g.n {
		if key := g.at(i).key(); key >= from {
			g.sorted = append(g.sorted, key<<placeBits|uint64(g.n-1-i)) // the oldest row first
		}
	}
	slices.Sort(g.sorted)
	for i, keys := 0, 0; i < len(g.sorted); keys++ {
		key := g.sorted[i] >> placeBits
		g.rows = g.rows[:0]
		inOrder := true
		for ; i < len(g.sorted) && g.sorted[i]>>placeBits == key; i++ {
			t := g.at(g.n - 1 - int(g.sorted[i]&(1<<placeBits-1)))
			if len(g.rows) > 0 && t.at() < g.rows[len(g.rows)-1].at() {
				inOrder = false
			}
			g.rows = append(g.rows, t)
		}
		if !inOrder {
			slices.SortStableFunc(g.rows, func(a, b tuple) int { return cmp.Compare(a.at(), b.at()) })
		}
		if err := g.take(key, g.rows); err != nil {
			return err
		}
		if keys%1024 == 0 {
			if err := g.sel.Check(); err != nil {
				return err
			}
		}
	}
	g.keep(func(t tuple) bool { return t.key() < from }, true)
	g.done = from
	return nil
}
