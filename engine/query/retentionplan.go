// Plans of retention: what a site will delete next, before it does.

package query

// RetentionPlan says what retention will delete of a site. Times are Unix milliseconds.
type RetentionPlan struct {
	Days      int   // how many days the site keeps; 0 = all, and the rest is zero
	KeepsFrom int64 // events before it are deleted next
	NextAt    int64 // about when
	Events    uint64
	Bytes     int64 // about, of their runs
	First     int64 // least event time of those that go; 0 = none goes
	Left      int64 // least event time of those that stay; 0 = none stays
	Runs      []PlannedRun
}

// PlannedRun is a run that has events which go.
type PlannedRun struct {
	Rows uint64 // events in it
	Gone uint64 // that will be deleted, or are already
	Now  bool   // it is written again at once; else within seven days, or with more events that go
}
