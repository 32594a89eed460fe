// Funnels: how many people or visits go through a list of steps.

package query

// Funnel asks how many entities go through steps, one after the other. An entity is a person,
// or with Visits a visit. Where selects the rows that count at all.
//
// An attempt begins at a row that satisfies the first step. Each further step takes the first
// later row, by time and seq, that satisfies it. The result of an entity is its deepest attempt,
// of equals the earliest.
type Funnel struct {
	Report
	Step   [][]Cond // FunnelStepsMin to FunnelStepsMax; the conditions of one step must all hold
	Visits bool     // entities are visits, not persons
	Mode   FunnelMode
	Window int64 // milliseconds that the last row may lie after the first; 0 = any

	// Split is what a BreakdownQuery may name in By, by whose value, in the row that begins the
	// attempt, the entities are told apart; "" = none. Limit is how many values are shown, 1 to LimitMax; the others are
	// one row.
	Split string
	Limit int
}

// The bounds of the steps of a funnel.
const (
	FunnelStepsMin = 2
	FunnelStepsMax = 10
)

// FunnelMode says which rows an attempt takes; "" = FunnelOrdered.
type FunnelMode string

// The modes of a funnel.
const (
	FunnelOrdered FunnelMode = "ordered"
	// FunnelStrict ends an attempt at an action, order, goal or cart that is not its next step.
	FunnelStrict FunnelMode = "strict"
	// FunnelAny lets steps come in any order. An attempt begins at a row that satisfies some
	// step. Each later row serves the first step of the list that it satisfies and that was
	// not served yet.
	FunnelAny FunnelMode = "any"
)

// FunnelAnswer is the answer to a Funnel.
type FunnelAnswer struct {
	FunnelRow             // of all entities
	Split     []FunnelRow // most entered first, then by value, null last; the last may be Other
	Series    []FunnelTime
}

// FunnelRow is the steps of the entities with one value of Split.
type FunnelRow struct {
	Value Text
	In    []InValue // what the value lies in, such as the country of a region
	Other bool      // all values that are not shown
	Steps []FunnelStep
}

// Entered returns how many entities did the first step.
func (r *FunnelRow) Entered() uint64 { return r.Steps[0].Count }

// Converted returns how many entities did the last step.
func (r *FunnelRow) Converted() uint64 { return r.Steps[len(r.Steps)-1].Count }

// FunnelStep is one step of a funnel. Median and P90 are the time from the row of the step
// before, in tenths of a second, cut; nearest rank. They are 0 unless Timed.
type FunnelStep struct {
	Count       uint64 // entities that got so far
	Timed       bool
	Median, P90 int64
}

// FunnelTime is the entities whose attempt began in a step of time.
type FunnelTime struct {
	Time               int64 // start of the step, Unix milliseconds
	Entered, Converted uint64
}

// EntityPage asks for one page of the entities behind a number of a report. The newest person or
// visit, by its first event, comes first.
type EntityPage struct {
	Limit int    // 1 to LimitMax
	After string // Entities.Next of the page before
}

// FunnelEntities asks which entities of a funnel got to a step: those that did it, or with
// Dropped those that did it and not the next one. Split and Steps are not used.
type FunnelEntities struct {
	Funnel
	EntityPage
	At      int // from 1
	Dropped bool
}

// Entities are the user ids of persons, as Users lists them, or the keys of sessions.
type Entities struct {
	IDs  []string
	Next string // "" on the last page
}
