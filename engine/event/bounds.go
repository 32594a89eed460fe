package event

import (
	"bytes"
	"strings"
	"sync"
)

// Bounds of counting: how much of one event the counters see. What is beyond is stored
// and searchable, but not counted. So a request cannot make more names than its own
// bytes allow, whatever its shape.

const (
	// CountedLeavesMax bounds how many leaves of an event's properties count: the first
	// ones, with properties ordered by key.
	CountedLeavesMax = 1000

	// CountedBytesMax bounds the text that counting makes of one event beyond the text
	// in the event itself: each path once, and the bytes that a number gains when it is
	// written in plain form. A small event may make less, see countedBytes.
	CountedBytesMax = 64 << 10
)

// countedBytes returns how many bytes of names counting may make of properties with
// size bytes of keys and values. Without it, a few deep paths would be a hundred times
// as long as the request.
func countedBytes(size int) int { return min(CountedBytesMax, 4<<10+4*size) }

// Cut says where counting ends in an event that exceeds the bounds. Properties with a
// lower key count whole, those with a higher key do not count, and of the property with
// this key only the first leaves count. A leaf with a path of more than MaxPathBytes is
// one of these leaves but does not count.
type Cut struct {
	Key    string
	Leaves int
}

// AllLeaves is the result of Cut.Of for a property that counts whole.
const AllLeaves = int(^uint(0) >> 1)

// Of returns how many leaves of a property are within the cut. A nil Cut leaves out
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

// leavesOut reports whether a path is too long to count.
func (c *Cut) leavesOut(path int) bool { return c != nil && path > MaxPathBytes }

// cutOf finds where counting of the event ends. It returns nil when all of the event
// counts.
func cutOf(e *Event) *Cut {
	if e.Uncounted || !Countable(e.Type) || small(e.Properties) {
		return nil
	}
	b := bounders.Get().(*bounder)
	defer bounders.Put(b)
	b.order = sortMembers(b.order[:0], e.Properties)
	if b.walk(e.Properties, nil); b.over {
		// The same path may have occurred before, with others in between.
		b.walk(e.Properties, make(map[string]struct{}))
	}
	cut := b.cut
	b.cut = Cut{} // drop the old key, which is the request's memory
	if !b.over && !b.long {
		return nil
	}
	return &cut
}

// small reports that properties are within the bounds. It recognises most events
// without a look at nested values. A nested leaf takes at least two bytes beside its
// keys, so n leaves in T bytes under keys of K bytes have paths of at most n·(K+T−2n)
// bytes, which is never more than (K+T)²/8.
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

// mayGrow reports whether the text may hold a number with an exponent.
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

// bounder walks the leaves of properties until the bounds are reached.
type bounder struct {
	order  []place
	leaves leafWalk
	last   []byte // path of the previous leaf
	term   []byte

	cut        Cut
	over, long bool // there are leaves beyond the bounds; a path before them is too long
}

var bounders = sync.Pool{New: func() any { return new(bounder) }}

// walk finds the cut. Without seen, a path that repeats may be measured twice, so over
// may be set too early.
func (b *bounder) walk(o Object, seen map[string]struct{}) {
	size := 0
	for i := range o {
		size += len(o[i].Key) + len(o[i].Value.Text)
	}
	budget, n := countedBytes(size), 0
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
					budget -= len(path)
				}
				if seen != nil && budget >= 0 {
					seen[string(path)] = struct{}{}
				}
				b.last = append(b.last[:0], path...)
			}
			if v.Kind == Number && mayGrow(v.Text) {
				b.term, _ = appendDecimal(b.term[:0], v.Text)
				budget -= max(0, len(b.term)-len(v.Text))
			}
			if budget < 0 {
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
