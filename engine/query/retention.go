// Retention: how many people come back, by the period in which they came first.

package query

// Retention asks how many people of a cohort come back in later periods. Where selects the rows
// that count at all. The periods are all that overlap the span, at most RetentionPeriodsMax.
type Retention struct {
	Report
	Start, Return []Cond // all must hold; nil = any row
	Period        string // "day", "week" (from Monday) or "month" of the site's zone
	Cohort        Cohort
	After         bool // a person counts in a period when it returned in that one or a later one
}

// RetentionPeriodsMax is the largest number of periods.
const RetentionPeriodsMax = 60

// Cohort says of which period a person is; "" = CohortFirst.
type Cohort string

// The cohorts.
const (
	// CohortFirst is the period of the first start event ever; who did it outside the span is in
	// none. Without conditions it is the period of the first event that was received.
	CohortFirst Cohort = "first"
	CohortRange Cohort = "range" // the period of the first start event in the span
	CohortEach  Cohort = "each"  // every period with a start event
)

// RetentionAnswer is the answer to a Retention.
type RetentionAnswer struct {
	Cohorts []RetentionCohort // one for each period
	// Average is the sum over the complete cells of a column, the first of which is that of
	// the period after the cohort's.
	Average []RetentionAverage
}

// RetentionCohort is the people of one period.
type RetentionCohort struct {
	Period int64 // its start, Unix milliseconds
	Size   uint64
	Cells  []RetentionCell // of each later period that began before now and the end of the span
}

// RetentionCell is how many people of a cohort returned in one period.
type RetentionCell struct {
	Users    uint64
	Complete bool // the period is over
}

// RetentionAverage is how many of the people of some cohorts returned.
type RetentionAverage struct{ Returned, Size uint64 }

// RetentionEntities asks for the people of a cell.
type RetentionEntities struct {
	Retention
	EntityPage
	At   int64 // the start of the cohort's period, Unix milliseconds
	Cell int   // 0 = all people of the cohort
}
