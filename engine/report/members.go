// Members: what is known of each person of a report, in one table.

package report

import (
	"sync"

	"cairn/engine/read"
)

// members is a table of people, in open addressing.
type members struct {
	limit int      // slots, at most; a power of two. Seven eighths of them are used
	slots []member // of 24 bytes; root 0 = free
	n     int
	room  *read.Room // nil = there is always some
	taken int        // slots for which there is room
}

// A slot takes memberBytes, and memberLeast of them need no room.
const (
	memberBytes = 24
	memberLeast = 1 << 12
)

// full reports whether nobody new can be added.
func (t *members) full() bool {
	if t.n >= t.limit/8*7 {
		return true
	}
	size := len(t.slots)
	if (t.n+1)*8 <= size*7 {
		return false
	}
	if size = max(64, 2*size); size > max(memberLeast, t.taken) {
		if !t.room.Try(memberBytes * int64(size-t.taken)) {
			return true
		}
		t.taken = size
	}
	return false
}

func (t *members) reset() {
	clear(t.slots)
	t.n = 0
}

// slot returns the slot of a root, or the free one where it belongs.
func (t *members) slot(root uint64) *member {
	mask := uint64(len(t.slots) - 1)
	for i := hashMember(root) & mask; ; i = (i + 1) & mask {
		if m := &t.slots[i]; m.root == root || m.root == 0 {
			return m
		}
	}
}

// hashMember differs from the hash of classes: the keys of a class share bits of that one.
func hashMember(root uint64) uint64 { return root * 0xd6e8feb86659fd93 >> 22 }

// find returns a person, nil when it is not in the table.
func (t *members) find(root uint64) *member {
	if len(t.slots) == 0 {
		return nil
	}
	if m := t.slot(root); m.root != 0 {
		return m
	}
	return nil
}

// add returns a person, which it adds if it is new. The table must not be full then. The person
// is valid until the next call.
func (t *members) add(root uint64) *member {
	if (t.n+1)*8 > len(t.slots)*7 {
		t.rebuild(max(64, 2*len(t.slots)), func(*member) bool { return true })
	}
	m := t.slot(root)
	if m.root == 0 {
		m.root = root
		t.n++
	}
	return m
}

// keep removes the people that are not in a class.
func (t *members) keep(in class) {
	t.rebuild(len(t.slots), func(m *member) bool { return in.has(m.root) })
}

func (t *members) rebuild(size int, keep func(*member) bool) {
	old := t.slots
	t.slots, t.n = make([]member, size), 0
	for i := range old {
		if m := &old[i]; m.root != 0 && keep(m) {
			*t.slot(m.root) = *m
			t.n++
		}
	}
}

// each calls fn with every person, in no order.
func (t *members) each(fn func(*member) error) error {
	for i := range t.slots {
		if t.slots[i].root != 0 {
			if err := fn(&t.slots[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Lists of numbers, one for each slice, are used again. So are the tables by which a slice tells
// what it has seen.
var (
	numberLists   = sync.Pool{New: func() any { return new([]uint64) }}
	recentNumbers = sync.Pool{New: func() any { return new([1 << 12]uint64) }}
)

func getNumbers() *[]uint64 {
	list := numberLists.Get().(*[]uint64)
	*list = (*list)[:0]
	return list
}

func putNumbers(list *[]uint64) { numberLists.Put(list) }
