// Breakdowns: what a report of rows by fields is asked and answers.

package query

// BreakdownByMax is how many fields a breakdown takes at most.
const BreakdownByMax = 2

// BreakdownStepsMax is how many steps the series of all rows of a breakdown have together.
const BreakdownStepsMax = 1 << 15

// BreakdownQuery asks how many rows of the log satisfy all conditions, by the values of one or
// two fields. A field is one that a Cond may name, with visit. before it a dimension of the
// visit that the row is in, or weekday, hour or weekhour of the row's time. A row with several
// values counts once under each.
type BreakdownQuery struct {
	Report
	By      []string
	Metrics Metrics
	Rows    Rows
}

// InValue is a field that a value lies in, such as the country of a region.
type InValue struct{ Field, Text string } // Text "" = the row has no such field

// BreakdownRow is one row of a breakdown.
type BreakdownRow struct {
	Value, With Text // of the first and the second field
	In          []InValue
	Other       bool // of a series: all rows that are not shown
	Totals
	Was *Totals // in the compared range; nil without one

	Steps    []Totals // of Report.Steps; nil without a series
	WasSteps []Totals // of Report.CompareSteps
}

// BreakdownAnswer is a breakdown.
type BreakdownAnswer struct {
	AsOf
	Total    Totals
	Rows     []BreakdownRow
	Other    *BreakdownRow // the values that are not shown; nil when nothing is left or without a series
	Whole    bool          // the rows are all there are, in their own order
	Count    int           // rows that Search and AtLeast leave
	Compared *Totals
}
