package engine

import (
	"context"
	"time"

	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/query"
)

// Site is one site as the engine knows it. A *Site never changes: a site with other
// settings is another *Site of the same ID. A record or a question carries the one that
// holds for it.
type Site struct {
	query.Site
	Uncounted []string       // dotted property paths that counters leave out
	Privacy   enrich.Privacy // what is kept of addresses and urls
}

// Enricher fills what can be known of an event from its source: geography,
// browser, bot. It is called in the request's goroutine; what it adds lies in the
// Arena, which is the request's.
type Enricher interface {
	Enrich(*enrich.Privacy, *event.Event, *event.Source, *enrich.Arena)
}

// Record is one event on its way to the site that its request names. The texts of the
// event.Record are the caller's: the engine copies what it keeps before Ingest returns.
type Record struct {
	Site *Site
	*event.Record
}

// API is what the server asks of the engine for itself and for its dialects; *Engine
// implements it. The native API asks more: it says what in an interface of its own.
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
	Ingest(ctx context.Context, records []Record, all bool, m *Memory) ([]event.Outcome, error)

	List(context.Context, query.Query) (query.Page, error)
	Event(ctx context.Context, site *query.Site, id string) (*event.Event, error)
	Count(context.Context, query.Query) (query.Totals, error)
	Counters(context.Context, query.CounterQuery) (query.CounterPage, error)
	Digest(context.Context, query.Query) (query.Digest, error)
	Users(context.Context, query.Query) (users []query.User, next string, err error)
	User(ctx context.Context, site *query.Site, id string) (query.User, error)
	Sessions(context.Context, query.Query) (sessions []query.Session, next string, err error)

	// Visits sums up the sessions of a query from From to To, which must be given.
	Visits(ctx context.Context, q query.Query, interval string, loc *time.Location) (total query.Visits, steps []query.Visits, err error)

	// Visit answers a record that asks and is not stored: it fills Device, Session and
	// Live of the outcome. It changes the event as Ingest does.
	Visit(Record, *event.Outcome)
	// Bot returns what a bot calls itself, "" when the source is none.
	Bot(*event.Source) string

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
	CommitSeconds, SyncSeconds, GroupEvents Buckets
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
	Pebble                                  []Metric // Pebble's own; none after a failure
}

// Metric is one sample for /metrics. Kind is counter or gauge.
type Metric struct {
	Name, Kind, Help string
	Value            float64
}

// Buckets are what a Histogram counted: Counts[i] observations were at most
// Bounds[i], not cumulated; the last count has no bound.
type Buckets struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}
