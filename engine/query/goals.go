// Goals: what a report of goals is asked and answers.

package query

import "fmt"

// SiteGoal is a goal of the configuration. Events of type goal that have its id reach it.
type SiteGoal struct {
	ID   int
	Name string
}

// GoalKind says where a goal comes from.
type GoalKind string

// The kinds. A saved goal counts all events that satisfy its filters, also older ones.
const (
	GoalOfSite  GoalKind = "site"
	GoalIsSaved GoalKind = "saved"
)

// Goal is what converts visits.
type Goal struct {
	ID    string
	Kind  GoalKind
	Query string // Where as a query string of the native API
	Name  string
	Where []Cond // of which none has Visit
}

// String returns all of the goal. Different goals have different texts.
func (g Goal) String() string {
	return fmt.Sprintf("%q %q %q %q %v", g.Kind, g.ID, g.Name, g.Query, g.Where)
}

// GoalsQuery asks how often each of some goals was reached. An event counts when it satisfies all
// conditions of the goal and those of the report.
type GoalsQuery struct {
	Report
	Goals []Goal
	Rows  Rows // without an order: goals stay in theirs
}

// GoalNumbers are the numbers of one goal.
type GoalNumbers struct {
	Conversions uint64 // events
	Converted   uint64 // visits with an event that satisfies the goal, of those that VisitsQuery counts
	Visitors    uint64 // people of the events
	Value       Sum    // of the events' values
}

// GoalRow is one goal.
type GoalRow struct {
	Goal
	GoalNumbers
	Was *GoalNumbers // in the compared range; nil without one
}

// GoalsAnswer is a report of goals.
type GoalsAnswer struct {
	AsOf
	Visits uint64 // that VisitsQuery counts
	Rows   []GoalRow
	Count  int // goals that Search and AtLeast leave

	WasVisits uint64 // in the compared range
}
