package event

import (
	"bytes"
	"strings"
	"sync"
)

// Bounds of counting: how much of one event counters see. What is beyond is
// stored, and filters find it, but it is not counted. So the names that a request
// brings are bounded by its own bytes, whatever its shape.

const (
	// CountedLeavesMax bounds the leaves of an event's properties that count: the
	// first, properties in order of key.
	CountedLeavesMax = 1000

	// CountedBytesMax bounds the text that counting makes of one event beyond what
	// stands in it: each path once, and the bytes a number gains when it is written
	// out. A small event may make less, see countedBytes.
	CountedBytesMax = 64 << 10
)

// countedBytes is how many bytes of names counting may make of properties of this many
// bytes, keys and values together. Otherwise a few deep paths would be a hundred times as
// long as the request.
func countedBytes(size int) int { return min(CountedBytesMax, 4<<10+4*size) }

// Cut is where counting ends in an event that exceeds the bounds: properties with
// a lower key count whole, those with a higher one not at all, and of the leaves of
// this one the first few. Leaves with a path of more than MaxPathBytes take a place
// among them and do not count.
type Cut struct {
	Key    string
	Leaves int
}

// AllLeaves is what Cut.Of says of a property that counts whole.
const AllLeaves = int(^uint(0) >> 1)

// Of is how many leaves of a property count, or take a place. A nil Cut leaves out
// nothing.
func (c *Cut) Of(key string) int {
	switch {
	case c == nil || key < c.Key:
		return AllLeaves
	case key == c.Key:
		return c.Leaves
	}
	return 0
}

// leavesOut says whether a path is too long to count.
func (c *Cut) leavesOut(path int) bool { return c != nil && path > MaxPathBytes }

// cutOf finds where counting of the event ends, nil when all of it counts.
func cutOf(e *Event) *Cut {
	if e.Uncounted || !Countable(e.Type) || small(e.Properties) {
		return nil
	}
	b := bounders.Get().(*bounder)
	defer bounders.Put(b)
	b.order = sortMembers(b.order[:0], e.Properties)
	if b.walk(e.Properties, nil); b.over {
		// The same path may have come again, with others in between.
		b.walk(e.Properties, make(map[string]struct{}))
	}
	cut := b.cut
	b.cut = Cut{} // its key is the request's
	if !b.over && !b.long {
		return nil
	}
	return &cut
}

// small says, of most events without a look into nested values, that they are
// within the bounds. A nested leaf takes two bytes beside its keys, so n leaves in
// T bytes under keys of K have paths of n·(K+T−2n) bytes at most, which is never
// more than (K+T)²/8.
func small(o Object) bool {
	size, longest, scalars, nested, names := 0, 0, 0, 0, 0
	for i := range o {
		key, v := o[i].Key, o[i].Value
		size += len(key) + len(v.Text)
		longest = max(longest, len(key))
		switch {
		case v.Kind == JSON:
			nested += len(v.Text)
			if mayGrow(v.Text) {
				return false
			}
		case v.Kind == Number && mayGrow(v.Text):
			return false
		default:
			scalars++
			names += len(key)
		}
	}
	most := longest + nested
	if nested == 0 {
		most = 0
	}
	return scalars+nested/2 <= CountedLeavesMax && most <= MaxPathBytes && names+most*most/8 <= countedBytes(size)
}

// mayGrow says whether there may be a number with an exponent in the text.
func mayGrow(text string) bool {
	for _, e := range [...]byte{'e', 'E'} {
		for at := 0; ; at++ {
			i := strings.IndexByte(text[at:], e)
			if i < 0 {
				break
			}
			if at += i; at > 0 && text[at-1] >= '0' && text[at-1] <= '9' {
				return true
			}
		}
	}
	return false
}

// bounder goes through the leaves of properties until the bounds are reached.
type bounder struct {
	order  []place
	leaves leafWalk
	last   []byte // the path of the leaf before
	term   []byte

	cut        Cut
	over, long bool // leaves beyond the bounds, too long a path among those before
}

var bounders = sync.Pool{New: func() any { return new(bounder) }}

// walk finds the cut. Without seen, a repeated path may count twice, so over may be set
// too early.
func (b *bounder) walk(o Object, seen map[string]struct{}) {
	size := 0
	for i := range o {
		size += len(o[i].Key) + len(o[i].Value.Text)
	}
	room, n := countedBytes(size), 0
	b.over, b.long, b.last = false, false, b.last[:0]
	leaf := func(path []byte, v Value) bool {
		if n == CountedLeavesMax {
			b.over = true
			return false
		}
		if len(path) > MaxPathBytes {
			b.long = true
		} else {
			if !bytes.Equal(path, b.last) || n == 0 {
				if _, again := seen[string(path)]; !again {
					room -= len(path)
				}
				if seen != nil && room >= 0 {
					seen[string(path)] = struct{}{}
				}
				b.last = append(b.last[:0], path...)
			}
			if v.Kind == Number && mayGrow(v.Text) {
				b.term, _ = appendDecimal(b.term[:0], v.Text)
				room -= max(0, len(b.term)-len(v.Text))
			}
			if room < 0 {
				b.over = true
				return false
			}
		}
		n++
		b.cut.Leaves++
		return true
	}
	for _, p := range b.order {
		m := &o[p.at]
		b.cut = Cut{Key: m.Key}
		b.leaves.of(m.Key, m.Value, leaf)
		if b.over {
			return
		}
	}
}
