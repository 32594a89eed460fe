// Touch: the entries that events need are loaded before the events are assigned.

package identity

import (
	"hash/maphash"

	"cairn/engine/event"
)

// TouchMax is how many events are touched at a time. What they need stays in the processor's
// caches until they are assigned.
const TouchMax = 32

// toucher is the memory of Touch: one element for each id of the events.
type toucher struct {
	hashes  []uint64
	entries []*idEntry
	sum     uint64 // what was loaded, so that no load is left out
}

// Touch loads the entries of an event's ids into the processor's caches when Touched is called. It
// changes nothing.
func (t *IDs) Touch(site uint32, e *event.Event) {
	for i, id := range [...]string{e.User, e.Anonymous} {
		if id == "" {
			continue
		}
		kind := byte(KindUser)
		if i == 1 {
			kind = KindAnonymous
		}
		t.key = appendKey(t.key[:0], site, kind, 0, id)
		t.touch.hashes = append(t.touch.hashes, maphash.Bytes(t.seed, t.key))
	}
}

// Touched loads what the calls of Touch have asked for. An id leads to the name of its session, and
// the name to the session: Assign would wait for the memory at each step. Here a step is taken for
// all ids, none of which needs what is loaded for another, so the processor waits for several at a
// time.
func (t *IDs) Touched() {
	if t.hot.n == 0 {
		t.touch.hashes = t.touch.hashes[:0]
		return
	}
	x := &t.touch
	x.entries = x.entries[:0]
	slots, mask := t.hot.slots, uint64(len(t.hot.slots)-1)
	for _, hash := range x.hashes {
		i := hash & mask
		for slots[i].entry != nil && slots[i].hash != hash {
			i = (i + 1) & mask
		}
		if k := slots[i].entry; k != nil {
			x.entries = append(x.entries, k)
		}
	}
	for range 3 { // the id, the name, the session
		n := 0
		for _, k := range x.entries {
			x.sum += k.ord + uint64(k.key[len(k.key)-1])
			if len(k.sessions) > 0 {
				x.sum += k.sessions[0].ord
			}
			if k.session != nil {
				x.sum += uint64(k.session.last())
			}
			if k.recent != nil {
				x.entries[n] = k.recent
				n++
			}
		}
		x.entries = x.entries[:n]
	}
	clear(x.entries[:cap(x.entries)])
	x.hashes = x.hashes[:0]
}
