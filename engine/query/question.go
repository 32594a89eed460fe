// Questions: what can be asked of a site's events.

package query

import (
	"time"
)

// Site is what a question needs to know of a site. It does not change while a question
// is answered.
type Site struct {
	ID       uint32 // from 1; Matomo's idsite
	Name     string
	Location *time.Location // days are counted in it; nil is UTC
}

// Cond asks that one field has one of the values; names as in the native API.
//
// The texts of a Cond, a Query and a CounterQuery are the caller's, who leaves them as
// they are during the call. An answer that the engine keeps holds copies.
type Cond struct {
	Field  string
	Values []string
}

// Metrics are the numbers that are asked for; none stands for all. What is not
// asked for may be 0 in the answer.
type Metrics uint8

// The metrics. Telling users and sessions apart is most of the work of a count.
const (
	MetricEvents Metrics = 1 << iota
	MetricUsers
	MetricSessions
)

// Has says whether a metric is asked for.
func (m Metrics) Has(metric Metrics) bool { return m == 0 || m&metric != 0 }

// Query selects events of one site.
type Query struct {
	Site      *Site
	Where     []Cond // all must hold
	From, To  int64  // event time, Unix milliseconds, To exclusive; 0 = open
	Ascending bool
	Limit     int    // 1..1000
	After     string // public id of the last event seen
	Skip      int    // events of a listing to pass over first; SkipMax at most
	Metrics   Metrics

	// Shown says that the events of a listing are to be shown: they come without what
	// is not, which is SessionOrd, PersonOrd and Day, and a sixth of the work.
	Shown bool
}

// CounterQuery selects counters of one site. Days are dates (days since
// 1970-01-01 in the site's zone), both inclusive; 0,0 = all time. A series whose
// FromDay is 0 begins with the first day there is.
type CounterQuery struct {
	Site           *Site
	Property       string   // "" = the list of properties
	Values         []string // empty = all
	Segment        string   // split by this property; "" = no split
	SegmentValues  []string // empty = all
	Where          []Cond
	From, To       int64 // event time, when not whole days; 0 = open
	FromDay, ToDay int32
	Sort           string // "events" (default), "users", "sessions", "value"
	Limit, Offset  int
	Metrics        Metrics // Sort has to be one of them

	// Interval makes a series of it: hour, day, week or month of Zone, at most
	// CounterStepsMax of them. The rows are the values of each step, those that
	// have nothing there with zeros, the earliest step first.
	Interval string
	Zone     *time.Location // nil = the site's
}

// LimitMax is the most events, users, sessions or rows of one page.
const LimitMax = 1000

// SkipMax is how many events a listing may pass over. They are found but not read;
// a cursor goes on without even that.
const SkipMax = 1_000_000

// CounterStepsMax is the most steps of a series of counters.
const CounterStepsMax = 1000

// CounterRowsMax bounds the rows one query of counters may build.
const CounterRowsMax = 1 << 20

// DigestKeysMax is the most properties of a Digest; those that appear first stay.
const DigestKeysMax = 4096

// VisitsMax is the most sessions one question may be about: they take some 50
// bytes each while it is answered.
const VisitsMax = 1 << 19
