// Questions: what a caller can ask about a site's events.

package query

import (
	"fmt"
	"time"
)

// Site is what a question needs to know about a site. It does not change during the
// call.
type Site struct {
	ID       uint32 // from 1; Matomo's idsite
	Name     string
	Location *time.Location // zone of its days; nil = UTC
	Hosts    []string       // its own hosts, as configured
	Goals    []SiteGoal     // as configured
	Currency string         // of amounts that name none; "" = unknown
}

// Cond asks something of one field, by Op. Field is a name of the native API's filters: name,
// user, anonymous, session, group, type, dialect, value, message_id, a context key, page, host,
// channel, source, medium, campaign, term, content, prop.PATH or extra.PATH. A value of session
// is the key of a session or a name, which several sessions may have. A value of session_name is
// a name, whatever it looks like.
//
// The texts of a Cond, a Query and a CounterQuery belong to the caller, who does not
// change them during the call. An answer that the engine caches holds copies.
type Cond struct {
	Field  string
	Values []string // one of them is enough; of a negated Op none may hold
	Op     Op

	// Visit says that the condition speaks of the whole visit that an event is in. A dimension
	// of visits is compared with that of the visit; of any other field some event of the visit
	// within the range has to satisfy it, and none when Op is negated.
	Visit bool
}

// String returns all of the condition. Different conditions have different texts.
func (c Cond) String() string {
	visit := ""
	if c.Visit {
		visit = "visit."
	}
	return fmt.Sprintf("%s%q %q %q", visit, c.Field, string(c.Op), c.Values)
}

// Op is how a Cond compares; "" = the field has one of the values.
type Op string

// The operators. A field that is absent satisfies the negated ones and no other.
const (
	OpNot      Op = "not"      // has none of the values
	OpMatch    Op = "match"    // matches a pattern: * is any text, \* a star; case does not count
	OpNotMatch Op = "notmatch" // matches none of the patterns
	OpAtLeast  Op = "atleast"  // is a number of at least the value
	OpAtMost   Op = "atmost"   // is a number of at most the value
	OpHas      Op = "has"      // is there; no values
	OpHasNot   Op = "hasnot"   // is not there; no values
)

// Negated reports whether the operator is satisfied by absent fields.
func (o Op) Negated() bool { return o == OpNot || o == OpNotMatch || o == OpHasNot }

// Metrics is the set of numbers that are asked for; 0 = all. A number that is not asked
// for may be 0 in the answer.
type Metrics uint8

// The metrics. Counting distinct users and sessions is most of the work of a count.
const (
	MetricEvents Metrics = 1 << iota
	MetricUsers
	MetricSessions
)

// Has reports whether a metric is asked for.
func (m Metrics) Has(metric Metrics) bool { return m == 0 || m&metric != 0 }

// Query selects events of one site.
type Query struct {
	Site      *Site
	Where     []Cond // all must hold
	From, To  int64  // event time, Unix milliseconds, To exclusive; 0 = open
	Ascending bool
	Limit     int    // 1..1000
	Bytes     int    // a page ends early, with a cursor, when what it has read takes so much; 0 = no bound
	After     string // public id of the last event seen
	Skip      int    // events of a listing to skip first; at most SkipMax
	Metrics   Metrics
	ByLast    bool // of persons: order them by the time of their latest selected event, the latest first, without a cursor

	// Shown says that the events of a listing will be shown to someone. They then come
	// without what is not shown: SessionOrd, PersonOrd and Day. This saves a sixth of
	// the work.
	Shown bool

	Fresh *Fresh // nil = an answer that is true now
}

// CounterQuery selects counters of one site. Days are dates (days since 1970-01-01 in
// the site's zone), both inclusive; 0,0 = all time. A series whose FromDay is 0 begins
// with the first day that has events.
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
	Metrics        Metrics // Sort must be one of them

	// Interval divides the answer into a series: hour, day, week or month in Zone, at
	// most CounterStepsMax steps. The rows are the values of each step, the earliest
	// step first. A value without events in a step has a row of zeros.
	Interval string
	Zone     *time.Location // nil = the zone of the site

	Fresh *Fresh // nil = an answer that is true now
}

// PageBytes is the Query.Bytes of what a client asks for: a thousand of the largest events
// would take 256 MB.
const PageBytes = 1 << 20

// LimitMax is the largest number of events, users, sessions or rows in one page.
const LimitMax = 1000

// SkipMax is the largest number of events that a listing may skip. Skipped events are
// found but not read; with a cursor they are not even found.
const SkipMax = 1_000_000

// CounterStepsMax is the largest number of steps in a series of counters.
const CounterStepsMax = 1000

// CounterRowsMax bounds the rows one query of counters may build.
const CounterRowsMax = 1 << 20

// DigestKeysMax is the largest number of properties in a Digest. The first ones stay.
const DigestKeysMax = 4096
