package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"cairn/engine/enrich"
	"cairn/engine/event"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Why an Ingest or a read was not carried out. Whatever returns one of these has
// stored nothing.
var (
	ErrBusy         = errors.New("the queue is full, try again")             // 503
	ErrStopping     = errors.New("the server is stopping, try again")        // 503
	ErrFailed       = errors.New("the store has failed and takes no writes") // 503
	ErrDiskFull     = errors.New("the disk is nearly full")                  // 507
	ErrNotFound     = errors.New("not found")                                // 404
	ErrBadCursor    = errors.New("not a cursor of this site")                // 400
	ErrQueryTimeout = errors.New("the query took too long")                  // 503 query_timeout
	ErrBadQuery     = errors.New("bad query")                                // 400; wrapped with what is wrong
)

// Site is one site as the engine knows it. A *Site is immutable once given to
// Open.
type Site struct {
	ID        uint32 // from 1; Matomo's idsite
	Name      string
	Location  *time.Location // days are counted in it; nil = UTC
	Uncounted []string       // dotted property paths that counters leave out
	Privacy   enrich.Privacy // what is kept of addresses and urls
}

// Options configure an Engine. Zero fields take the values of Defaults.
type Options struct {
	Dir        string
	Sites      []*Site
	Memory     int64         // budget of the process in bytes; 0 = 256 MiB
	Dedup      time.Duration // how long a message id is remembered; 0 = 24 h
	Reserve    int64         // free bytes kept on the disk; 0 = by the disk's size, -1 = no check
	QueueBytes int64         // encoded events waiting for the committer; 0 = 8 MiB
	QueryTime  time.Duration // bound of one query; 0 = 10 s

	FS     vfs.FS           // nil = the real one
	Now    func() time.Time // nil = time.Now
	Log    *slog.Logger     // nil = discard
	Fatal  func(error)      // called once when the store can no longer take writes; nil = os.Exit(70)
	Enrich Enricher         // nil = none

	Visitors Visitors // names devices that name themselves not; nil = they have no id

	SealRows  int // events of one site in memory before they are sealed into a run; 0 = 65,536
	HotEvents int // events in memory over all sites; 0 = 524,288
	Pairs     int // of a value and a user or session that all queries together hold in memory; 0 = Memory / 256
	IDPart    int // bytes of changed ids that are written with one group; 0 = Memory / 64, at most 4 MiB
	// ValuesPerDay is how many values of a property counters tell apart on one day of
	// a site; 0 = ValuesPerDayMax.
	ValuesPerDay int

	// NamesPerDay is how many names of properties counters tell apart on one day of a
	// site; 0 = NamesPerDayMax.
	NamesPerDay int

	MergeRuns int // runs that are merged into one; 0 = 16
	MergeRows int // events of a run that is not merged any more; 0 = 80 × SealRows
}

// Enricher fills what can be known of an event from its source: geography,
// browser, bot. It is called in the request's goroutine; what it adds lies in the
// Room, which is the request's.
type Enricher interface {
	Enrich(*enrich.Privacy, *event.Event, *event.Source, *enrich.Arena)
}

// Record is one event on its way in. Site is resolved by the caller. The texts of
// Event and Source are the caller's: the engine copies what it keeps before Ingest
// returns.
type Record struct {
	Site   *Site
	Event  *event.Event
	Source *event.Source // nil = nothing known
}

// OutcomeStatus is what became of one Record.
type OutcomeStatus uint8

const (
	Stored OutcomeStatus = iota
	Duplicate
	Rejected
	Ignored // taken, and there is nothing to store: a ping, a goal the visit has reached
)

// Outcome answers one Record, index for index.
type Outcome struct {
	Status  OutcomeStatus
	ID      string // public id; for a duplicate the original's
	Seq     uint64
	Session string
	Err     *event.FieldError // with Rejected
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

// Page is one page of events. Next is "" when there is nothing more.
type Page struct {
	Events []*event.Event
	Next   string
}

// Totals are exact counts.
type Totals struct {
	Events   uint64 `json:"events"`
	Users    uint64 `json:"users"`
	Sessions uint64 `json:"sessions"`
}

// Bucket is one step of a series. Time is its start, Unix milliseconds.
type Bucket struct {
	Time int64
	Totals
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

// CounterRow is one value's totals; in the list of properties Value is the
// property and Values how many it has.
type CounterRow struct {
	Value    string
	Segment  string
	Time     int64 // start of the step in a series, Unix milliseconds
	Values   uint64
	Events   int64
	Sessions uint64
	Users    uint64
}

// CounterPage is one page of counters. Total is over all rows; its users and
// sessions are distinct, not sums.
type CounterPage struct {
	Rows  []CounterRow
	Total CounterRow
	More  bool
	Count int // rows before Limit and Offset
}

// Digest is what a set of events says together. Of each property and of each key
// of the context it holds the newest value by event time.
type Digest struct {
	Totals
	First, Last         int64  // event times; 0 without events
	Name                string // newest there is
	Properties, Context event.Object
}

// User is one person.
type User struct {
	ID                  string
	Properties          event.Object
	Aliases             []string // other user ids of the same person
	Anonymous           []string
	Groups              []string
	FirstSeen, LastSeen int64
	Events, Sessions    uint64
	Cursor              string // public id of the person's first event: pages /users
}

// Session is one session, computed from its events.
type Session struct {
	ID, User, Anonymous              string
	Dialect                          event.Dialect
	Start, End                       int64 // Unix milliseconds
	Events, Actions                  uint64
	Entry, Exit                      string // url, path or name of the first and last page or screen
	Beyond                           int64  // milliseconds it is known to have gone on after End
	Bounce                           bool
	Referrer, ReferrerType, Campaign string
	Goals, Orders                    []string
	Cart                             string
	Properties                       event.Object // of a visit of Matomo's: the newest of its dimensions, and of its variables in _cvar
	Groups                           []string     // of its events
	Cursor                           string       // public id of the session's first event: pages /sessions
}

// GroupInfo is one group.
type GroupInfo struct {
	ID, Type, Name string
	Properties     event.Object
	Members        []string // user ids
}

// SnapshotInfo describes a finished snapshot.
type SnapshotInfo struct {
	Path   string `json:"path"`
	Events uint64 `json:"events"`
	Bytes  int64  `json:"bytes"`
}

// API is all that http asks of the engine; *Engine implements it.
type API interface {
	// Ingest stores the good records of one request in one atomic batch and
	// returns when it is durable. With all set, one rejected record rejects
	// every one: nothing is stored, and the others' Err is nil. An order that the
	// site has (event.Hit) is found when it is placed and rejected by itself: with
	// all it comes alone.
	//
	// What is returned, and what is added to the events, lies in m until m is used
	// again; nil is a Memory for this call alone. After ErrFailed neither m nor
	// records nor what they point to may be used again: the store, which was taking
	// them in, may still look at them.
	Ingest(ctx context.Context, records []Record, all bool, m *Memory) ([]Outcome, error)

	List(context.Context, Query) (Page, error)
	Event(ctx context.Context, site *Site, id string) (*event.Event, error)
	Count(context.Context, Query) (Totals, error)
	Series(ctx context.Context, q Query, interval string, loc *time.Location) ([]Bucket, error)
	Counters(context.Context, CounterQuery) (CounterPage, error)
	Digest(context.Context, Query) (Digest, error)
	Users(context.Context, Query) (users []User, next string, err error)
	User(ctx context.Context, site *Site, id string) (User, error)
	Sessions(context.Context, Query) (sessions []Session, next string, err error)
	Session(ctx context.Context, site *Site, id string) (Session, error)
	Group(ctx context.Context, site *Site, id string) (GroupInfo, error)

	// Visits sums up the sessions of a query from From to To, which must be given.
	Visits(ctx context.Context, q Query, interval string, loc *time.Location) (total Visits, steps []Visits, err error)

	// Visit answers e.Visit for an event that is not stored.
	Visit(site *Site, e *event.Event, src *event.Source)
	// Bot returns what a bot calls itself, "" when the source is none.
	Bot(*event.Source) string

	// Snapshot writes a restorable copy to dir, which must not exist.
	Snapshot(ctx context.Context, dir string) (SnapshotInfo, error)

	// Admit says whether a write would be taken now: nil, ErrDiskFull, ErrBusy,
	// ErrStopping or ErrFailed. It is cheap; the server asks before it reads a
	// body.
	Admit() error
	// Ready is Admit for people: nil when reads and writes work.
	Ready() error
	Stats() Stats
}

// Stats are the engine's gauges and running totals for /metrics.
type Stats struct {
	Accepted, Duplicates                    uint64
	Rejected                                map[string]uint64 // by reason
	Commits                                 uint64
	CommitSeconds, SyncSeconds, GroupEvents Histogram
	QueueEvents, QueueBytes                 int64
	HotEvents, Runs                         int64
	LinkBytes                               int64 // memory of the links between persons
	LinkBytesMax                            int64 // beyond it they take memory that is not in the plan
	Seals                                   uint64
	SealSeconds                             float64
	Merges                                  uint64 // runs made of others
	MergedEvents                            uint64 // in them
	MergeSeconds                            float64
	DedupWindowSeconds                      float64
	DiskFreeBytes, DiskReserveBytes         int64
	Corruptions                             uint64   // times damaged data was met
	Damaged                                 []string // where: the first few places
	Pebble                                  string   // Pebble's own metrics as Prometheus text
}

// Histogram is a snapshot of a histogram: Counts[i] observations were at most
// Bounds[i], not cumulated; the last count has no bound.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}
