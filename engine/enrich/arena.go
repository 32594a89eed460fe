// Arena: the memory for what enrichment adds to the events of one request.

package enrich

import (
	"net/netip"
	"unsafe"

	"cairn/engine/event"
)

// Arena holds what enrichment adds to events until the request is answered: keys that
// do not fit into the event's own context, and texts made for them. One goroutine at a
// time may use it. The zero Arena is ready.
type Arena struct {
	members []event.Member
	text    []byte

	scratch []byte // a text being made
	keys    []string

	addressed event.Skeletons[bool] // whether objects may have an address key
	values    []event.Span          // scratch
}

const (
	contextSpare    = 16 // spare capacity of a context that grows, in keys
	arenaMembersMin = 128
	arenaMembersMax = 8 << 10 // of one piece of memory, unless one context needs more
	arenaTextMin    = 1 << 10
	arenaTextMax    = 64 << 10
)

// grow moves o to memory with capacity for n more members. trim returns what is not
// needed.
func (r *Arena) grow(o event.Object, n int) event.Object {
	n += len(o)
	if cap(r.members)-len(r.members) < n {
		// The contexts that lie in the old piece keep it.
		r.members = make([]event.Member, 0, max(arenaMembersMin, n, min(2*cap(r.members), arenaMembersMax)))
	}
	at := len(r.members)
	moved := append(r.members[at:at:at+n], o...)
	r.members = r.members[:at+n]
	return event.Object(moved)
}

// trim returns the unused capacity of the context that grew last.
func (r *Arena) trim(o event.Object) {
	at := len(r.members) - cap(o)
	if cap(o) == 0 || at < 0 || &r.members[at] != &o[:1][0] {
		return // it did not grow
	}
	r.members = r.members[:at+len(o)]
}

// hideIP returns what a site keeps of an address, as text.
func (r *Arena) hideIP(addr netip.Addr, policy string) string {
	addr, ok := hideIP(addr, policy)
	if !ok {
		return ""
	}
	var buf [64]byte
	return r.keep(addr.AppendTo(buf[:0]))
}

// keep copies a text.
func (r *Arena) keep(text []byte) string {
	if cap(r.text)-len(r.text) < len(text) {
		// The texts that lie in the old piece keep it.
		r.text = make([]byte, 0, max(arenaTextMin, len(text), min(2*cap(r.text), arenaTextMax)))
	}
	at := len(r.text)
	r.text = append(r.text, text...)
	return unsafe.String(unsafe.SliceData(r.text[at:]), len(text))
}

// Reset forgets everything and keeps the memory.
func (r *Arena) Reset() {
	event.Poison(r.text)
	r.members, r.text = event.Emptied(r.members, arenaMembersMax), r.text[:0]
	if cap(r.text) > arenaTextMax {
		r.text = nil
	}
	if cap(r.scratch) > arenaTextMax {
		r.scratch = nil
	}
}
