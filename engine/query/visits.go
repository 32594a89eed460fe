// Visits: what a report of visits is asked and answers.

package query

// VisitsQuery asks for visits: in total, step by step, and for each value of dimensions.
type VisitsQuery struct {
	Report
	By   []string // dimensions; at most VisitsByMax
	Goal []Cond   // what converts a visit; nil = nothing. No condition of it has Visit
	Rows Rows     // of each table
	// Lean leaves out the numbers that cost most. They are then 0.
	NoVisitors, NoMedian bool
}

// VisitsByMax is the most dimensions of one report of visits.
const VisitsByMax = 8

// VisitDimensions are the dimensions of visits, besides prop.PATH.
var VisitDimensions = []string{"entry", "exit", "host", "channel", "source", "medium", "campaign", "term", "content", "referrer", "referrer_host",
	"country", "region", "city", "language", "device", "browser", "browser_version", "os", "os_version", "brand", "model", "screen", "timezone",
	"dialect", "new", "weekday", "hour", "weekhour", "length", "depth", "group"}

// VisitNumbers are the numbers of some visits. Views and Events of a total or a step are those
// of all rows that the question selects, also of rows without a visit; Views of a row of a table
// are those of its visits, and Events is 0.
type VisitNumbers struct {
	Visits, Visitors, New uint64
	Views, Events         uint64
	VisitViews            uint64 // page views of the visits
	Bounces               uint64
	Milliseconds          int64  // of all visits together
	Timed                 uint64 // visits that lasted longer than nothing
	Median                int64  // of the visits' whole seconds, by nearest rank
	Converted             uint64 // visits with a row that satisfies Goal
	Conversions           uint64 // these rows
	GoalValue             Sum    // of their values
}

// Add adds the numbers of other visits, but for Visitors and Median, which do not add up.
func (n *VisitNumbers) Add(o *VisitNumbers) {
	n.Visits += o.Visits
	n.New += o.New
	n.Views += o.Views
	n.Events += o.Events
	n.VisitViews += o.VisitViews
	n.Bounces += o.Bounces
	n.Milliseconds += o.Milliseconds
	n.Timed += o.Timed
	n.Converted += o.Converted
	n.Conversions += o.Conversions
	n.GoalValue.AddSum(o.GoalValue)
}

// VisitRow is one row of a table of visits.
type VisitRow struct {
	Value Text
	In    []string // what the value lies in, outermost first; "" = nothing
	VisitNumbers
	Was *VisitNumbers // in the compared range; nil without one
}

// Inside has the fields that the values of a field lie in, outermost first. Nobody changes it.
var Inside = map[string][]string{
	"region": {"country"}, "city": {"country", "region"}, "browser_version": {"browser"}, "os_version": {"os"},
}

// VisitTable is the table of one dimension.
type VisitTable struct {
	Rows  []VisitRow
	Count int  // rows that Search and AtLeast leave
	More  bool // there are rows after these
}

// VisitsAnswer is a report of visits. Series and the compared ones have an element for each step.
type VisitsAnswer struct {
	AsOf
	Total         VisitNumbers
	Series        []VisitNumbers
	By            []VisitTable // one for each dimension of the question
	Compared      *VisitNumbers
	ComparedSteps []VisitNumbers
}
