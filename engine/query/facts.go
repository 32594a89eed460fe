// Facts: what a site is, as far as its rows say.

package query

import "cairn/engine/event"

// Facts are what the rows of a site say of it.
type Facts struct {
	First, Last int64           // event times, Unix milliseconds; First > Last without rows
	Dialects    []event.Dialect // that it has rows of, in the order of event.Dialects
	Shop        bool            // it has orders or carts
}
