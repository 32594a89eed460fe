// Aggregates: sums, means and percentiles of numbers.

package query

// AggregateQuery asks for the numbers that the rows of the log have under a field. Rows count
// when they satisfy all conditions and have the field. Numbers are terms that are decimal numbers
// (event.IsNumber). Each element of an array counts.
type AggregateQuery struct {
	Report
	Of      string // value, prop.PATH or extra.PATH
	By      string // see BreakdownQuery.By; "" = no rows
	NoRanks bool   // percentiles and distinct numbers are not asked for
	Rows    Rows
}

// Percentiles are the percentiles of Numbers.
var Percentiles = [...]uint64{50, 90, 95, 99}

// Numbers is what an aggregate says about some numbers. A number is a plain decimal, "" without
// one.
type Numbers struct {
	Events      uint64 // that have the field
	Count       uint64 // numbers
	NotNumbers  uint64 // other terms
	Sum         Sum
	Min, Max    string
	Percentiles [len(Percentiles)]string // by nearest rank
	Distinct    uint64                   // different numbers; only when AggregateAnswer.Error is 0
}

// AggregateRow is the numbers of one value of By.
type AggregateRow struct {
	Value Text
	In    []InValue
	Other bool // of a series: all rows that are not shown
	Numbers
	Was *Numbers // in the compared range; nil without one

	Steps    []Numbers // of Report.Steps; nil without a series
	WasSteps []Numbers // of Report.CompareSteps
}

// AggregateAnswer is an aggregate.
type AggregateAnswer struct {
	AsOf
	Total    Numbers
	Steps    []Numbers // without By
	Rows     []AggregateRow
	Other    *AggregateRow // the values that are not shown; nil when nothing is left or without a series
	Whole    bool          // the rows are all there are, in their own order
	Count    int           // rows that Search and AtLeast leave
	Compared *Numbers
	WasSteps []Numbers // of CompareSteps, without By

	// Error is by how much of its value a percentile may differ; 0 = all are exact. There were
	// too many different numbers otherwise, and Distinct is not known.
	Error float64
}
