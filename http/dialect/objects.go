package dialect

import "cairn/engine/event"

// Objects is memory for the objects that a decoder makes of one request, used again for
// the next one. It belongs in a Batch's Scratch.
type Objects struct {
	Kept    int // Reset keeps memory for at most so many members; 0 = none
	members []event.Member
}

// Make is an empty object with room for n members.
func (o *Objects) Make(n int) event.Object {
	if cap(o.members)-len(o.members) < n {
		o.members = make([]event.Member, 0, max(n, 256, min(2*cap(o.members), o.Kept)))
	}
	at := len(o.members)
	o.members = o.members[:at+n]
	return event.Object(o.members[at : at : at+n])
}

// Trim gives back the memory that the object made last does not need, and leaves it room
// for some more members. An empty object becomes nil.
func (o *Objects) Trim(last event.Object, room int) event.Object {
	at := len(o.members) - cap(last)
	if len(last) == 0 {
		o.members = o.members[:at]
		return nil
	}
	end := min(at+len(last)+room, len(o.members))
	o.members = o.members[:end]
	return last[: len(last) : end-at]
}

// Reset lets go of the request. Objects that were made are overwritten by later ones.
func (o *Objects) Reset() {
	if cap(o.members) > o.Kept {
		o.members = nil
	}
	clear(o.members)
	o.members = o.members[:0]
}
