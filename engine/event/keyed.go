package event

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// The keyed fields of a record: the members of an object, ordered by key.

// appendKeyed appends the members of o, ordered by key, and returns how many there
// were.
func appendKeyed(dst []byte, prefix byte, o Object) (out []byte, n int) {
	k := keyOrders.Get().(*keyOrder)
	defer keyOrders.Put(k)
	order := k.of(o)
	for _, i := range order {
		m := &o[i]
		dst = append(dst, byte(0x20+1+len(m.Key)), prefix)
		dst = append(append(dst, m.Key...), 0)
		at := len(dst)
		dst = sizeCell(AppendCell(dst, m.Value), at)
	}
	return dst, len(order)
}

// keyOrder orders members. It remembers some lists of keys: most events have the keys of one
// of those before.
type keyOrder struct {
	known  []*orderedKeys // those that were used lately come first
	misses int
	order  []uint16 // the places of the members, ordered by key
	places []place  // scratch
}

type orderedKeys struct {
	keys  []string
	order []uint16
}

const (
	keyOrdersMax   = 8
	keyOrderMax    = 64 // members of an object that is remembered
	keyOrderBytes  = 32 // of a key that is remembered
	keyOrdersEvery = 8  // of so many lists that are not known one is remembered
)

var keyOrders = sync.Pool{New: func() any { return new(keyOrder) }}

// of returns the places of the members of o, ordered by key. They are valid until the next
// call, and read only.
func (k *keyOrder) of(o Object) []uint16 {
	for n, b := range k.known {
		if b.are(o) {
			if n > 0 {
				k.known[n], k.known[n-1] = k.known[n-1], b
			}
			return b.order
		}
	}
	k.places, k.order = sortMembers(k.places[:0], o), k.order[:0]
	for _, p := range k.places {
		k.order = append(k.order, uint16(p.at)) // an object has at most MaxProperties members
	}
	if k.misses++; k.misses%keyOrdersEvery == 1 && len(k.order) == len(o) && len(o) > 1 && len(o) <= keyOrderMax {
		k.remember(o)
	}
	return k.order
}

// are reports whether the members of o have these keys, in this order, and values.
func (b *orderedKeys) are(o Object) bool {
	if len(b.keys) != len(o) {
		return false
	}
	for i := range o {
		if o[i].Key != b.keys[i] || o[i].Value.Kind == Absent {
			return false
		}
	}
	return true
}

func (k *keyOrder) remember(o Object) {
	b := &orderedKeys{order: slices.Clone(k.order)}
	for i := range o {
		if len(o[i].Key) > keyOrderBytes {
			return
		}
		b.keys = append(b.keys, strings.Clone(o[i].Key))
	}
	if len(k.known) == keyOrdersMax {
		k.known = k.known[:keyOrdersMax-1]
	}
	k.known = slices.Insert(k.known, 0, b)
}

// sortMembers appends the places of the members of o, ordered by key.
func sortMembers(order []place, o Object) []place {
	for i := range o {
		key := o[i].Key
		if o[i].Value.Kind == Absent || key == "" || len(key) > MaxKeyBytes {
			continue
		}
		p := place{start: keyStart(key), at: i}
		order = append(order, p)
		if j := len(order) - 1; j < 32 { // insertion sort while they are few
			for ; j > 0 && (p.start < order[j-1].start || p.start == order[j-1].start && key < o[order[j-1].at].Key); j-- {
				order[j] = order[j-1]
			}
			order[j] = p
		}
	}
	if len(order) > 32 {
		slices.SortFunc(order, func(a, b place) int { return a.compare(b, o) })
	}
	return order
}

// place is the index of a member in its object and the first bytes of its key, which
// mostly decide the order.
type place struct {
	start uint64
	at    int
}

func (p place) compare(q place, o Object) int {
	if p.start != q.start {
		return cmp.Compare(p.start, q.start)
	}
	return strings.Compare(o[p.at].Key, o[q.at].Key)
}

// keyStart returns the first eight bytes of a key as a number with the same order.
func keyStart(key string) (start uint64) {
	if len(key) >= 8 {
		return bits.ReverseBytes64(word(key, 0))
	}
	for i := range len(key) {
		start |= uint64(key[i]) << (56 - 8*i)
	}
	return start
}
