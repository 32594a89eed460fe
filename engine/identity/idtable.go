// The hash table of the entries that are in memory as they are.

package identity

// idTable finds entries by their keys. A Go map would hash a key that the pack and the filter
// need the hash of as well, and eviction would take several times as long to walk it.
type idTable struct {
	slots []idSlot // open addressing; the length is a power of two, or 0
	n     int      // entries
}

type idSlot struct {
	hash  uint64   // of the entry's key
	entry *idEntry // nil = free
}

// idSlotsLeast is the least number of slots that a table with an entry has.
const idSlotsLeast = 64

// get returns the entry of a key, nil when the table has none. hash is that of the key.
func (t *idTable) get(hash uint64, key string) *idEntry {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.entry == nil || s.hash == hash && s.entry.key == key {
			return s.entry
		}
	}
}

// put adds an entry, whose key the table does not have.
func (t *idTable) put(hash uint64, k *idEntry) {
	if (t.n+1)*4 > len(t.slots)*3 {
		old := t.slots
		t.slots = make([]idSlot, max(idSlotsLeast, 2*len(old)))
		for _, s := range old {
			if s.entry != nil {
				t.place(s)
			}
		}
	}
	t.place(idSlot{hash, k})
	t.n++
}

// place writes a slot to the first free place for its hash.
func (t *idTable) place(s idSlot) {
	mask := uint64(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].entry != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// remove takes out the entry of a key, if there is one.
func (t *idTable) remove(hash uint64, key string) {
	if t.n == 0 {
		return
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; t.slots[i].entry != nil; i = (i + 1) & mask {
		if s := &t.slots[i]; s.hash == hash && s.entry.key == key {
			t.removeAt(int(i))
			return
		}
	}
}

// removeAt takes out the entry of a slot. Entries of later slots move forward where they could
// not be found otherwise, so the slot may have another entry then.
func (t *idTable) removeAt(at int) {
	mask := uint64(len(t.slots) - 1)
	gap := uint64(at)
	for i := (gap + 1) & mask; t.slots[i].entry != nil; i = (i + 1) & mask {
		if home := t.slots[i].hash & mask; (i-home)&mask >= (i-gap)&mask {
			t.slots[gap] = t.slots[i]
			gap = i
		}
	}
	t.slots[gap] = idSlot{}
	t.n--
}

// all calls yield with every entry, in no order, until yield returns false. yield does not change
// the table.
func (t *idTable) all(yield func(k *idEntry) bool) {
	for i := range t.slots {
		if k := t.slots[i].entry; k != nil && !yield(k) {
			return
		}
	}
}
