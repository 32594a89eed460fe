// Reports: what every report is asked, and what every answer says of itself.

package query

import (
	"fmt"
	"time"
)

// Report is what every report is asked. The texts belong to the caller, who does not change
// them during the call; an answer that the engine keeps holds copies.
type Report struct {
	Site  *Site
	Where []Cond // all must hold
	Span

	// Compare is the range that the answer is compared with; nil = none.
	Compare *Span

	// Steps are the starts of the steps of the series, in Unix milliseconds, ascending; at
	// most CounterStepsMax. Step i ends where the next one begins and the last one at To. The
	// first may begin before From, and counts what is in the range alone. Empty = no series.
	Steps []int64
	// CompareSteps are those of Compare. They are paired with Steps by position.
	CompareSteps []int64

	Now    int64         // Unix milliseconds; what lies in the future of it is not complete
	MaxAge time.Duration // an answer as old as this will do; 0 = one that is true now
	Tag    string        // the tags of answers that the caller has, separated by commas; "" = none
}

// Span is the event times [From, To), in Unix milliseconds. A report has both.
type Span struct{ From, To int64 }

// Holds reports whether a time is in the span.
func (s Span) Holds(at int64) bool { return s.From <= at && at < s.To }

// Rows says which rows of a table are shown, and in which order.
type Rows struct {
	Search        string // pattern of the rows' value, as of OpMatch, but a text without * is looked for anywhere in it; "" = all
	AtLeast       uint64 // rows with fewer visits, views or events are left out
	Sort          string // a number of a row, or "value"; "" = the default of the report
	Ascending     bool
	Limit, Offset int // All: at most CounterRowsMax rows
}

// String returns all of it. Different Rows have different texts.
func (r Rows) String() string {
	return fmt.Sprintf("%q %d %q %t %d %d", r.Search, r.AtLeast, r.Sort, r.Ascending, r.Limit, r.Offset)
}

// AsOf says what an answer is true of.
type AsOf struct {
	Time int64  // when it was computed, Unix milliseconds
	Seq  uint64 // the newest row that it saw; 0 = the site had none
	Tag  string // names this answer to this question. The same tag means the same answer
	Same bool   // the caller has it already (Report.Tag): the rest of the answer is empty
}

// Text is the value of a row of a table: a text, or nothing.
type Text struct {
	Text string
	Null bool // rows without the field
}
