// Tail: the events that have come since, for whoever follows a site.

package query

import "cairn/engine/event"

// Tail asks for the events of a site that came after a place, in the order of receipt.
type Tail struct {
	Site  *Site
	Where []Cond // all must hold
	After uint64 // seq of the last row that was seen; 0 = there was none
	Limit int    // events to return; 0 = none

	// Skip leaves out the events beyond Limit and counts them. Otherwise the answer ends with
	// its last event, and More says that there is more.
	Skip bool
	// RowsMax is how many rows are looked at: older ones are left out, and counted whether they
	// satisfy Where or not. 0 = all.
	RowsMax uint64
}

// TailPage is the answer to a Tail.
type TailPage struct {
	Events  []*event.Event
	Skipped uint64
	Next    uint64 // where the next question goes on
	ID      string // the public id of that row; "" when there is none
	More    bool   // there are rows after Next
}
