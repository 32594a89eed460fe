package engine

import (
	"context"
	"math"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/sink"
)

// Site is one site as the engine knows it. A *Site never changes: new settings make a new
// *Site with the same ID. Each record or query carries the *Site that applies to it.
type Site struct {
	query.Site
	Uncounted []string       // dotted property paths that counters leave out
	Privacy   enrich.Privacy // what is kept of addresses and URLs

	// RetentionDays is how many days the site keeps events: today in its zone and those before;
	// 0 = for ever. At least 2 else.
	RetentionDays int
}

// KeepsFrom returns the event time from which the site keeps events, math.MinInt64 when it keeps
// all. now is in Unix milliseconds.
func (s *Site) KeepsFrom(now int64) int64 {
	if s.RetentionDays == 0 {
		return math.MinInt64
	}
	return calendar.Start(calendar.Day(now, s.Location)-int32(s.RetentionDays)+1, s.zone())
}

func (s *Site) zone() *time.Location {
	if s.Location == nil {
		return time.UTC
	}
	return s.Location
}

// Enricher adds to an event what its source tells: geography, browser, bot. The engine
// calls it in the request's goroutine. Text that it adds lies in the Arena, which belongs
// to the request.
type Enricher interface {
	Enrich(*enrich.Privacy, *event.Event, *event.Source, *enrich.Arena)
}

// Record is one event on its way to the site that its request names. The caller owns the
// texts of the event.Record: the engine copies what it keeps before Ingest returns.
type Record struct {
	Site *Site
	*event.Record
}

// API is what the server needs from the engine, for itself and for its dialects. *Engine
// implements it. The native API needs more and declares that in an interface of its own.
type API interface {
	// Ingest stores the valid records of one request in one atomic batch and returns when
	// the batch is durable. If all is set, one rejected record rejects every record:
	// nothing is stored, and the Err of the others is nil. There is one exception: an order
	// that the site already has (event.Hit) is found later and rejected by itself, so with
	// all set it must be the only record.
	//
	// The outcomes, and the text added to the events, lie in m until m is used again. A nil
	// m stands for a new Memory. After ErrFailed and ErrHeld the caller must not use m, the
	// records or what they point to again, because the store may still read them.
	Ingest(ctx context.Context, records []Record, all bool, m *Memory) ([]event.Outcome, error)

	List(context.Context, query.Query) (query.Page, error)
	Event(ctx context.Context, site *query.Site, id string) (*event.Event, error)
	Count(context.Context, query.Query) (query.Totals, error)
	Counters(context.Context, query.CounterQuery) (query.CounterPage, error)
	Digest(context.Context, query.Query) (query.Digest, error)
	Users(context.Context, query.Query) (users []query.User, next string, err error)
	User(ctx context.Context, site *query.Site, id string) (query.User, error)
	Sessions(context.Context, query.Query) (sessions []query.Session, next string, err error)

	// Visits sums up the sessions of a query from From to To. Both must be given.
	Visits(ctx context.Context, q query.Query, interval string, loc *time.Location) (total query.Visits, steps []query.Visits, err error)

	// Visit answers a record that asks for its device and is not stored. It fills Device,
	// Session and Live of the outcome. It changes the event as Ingest does.
	Visit(Record, *event.Outcome)
	// Bot returns the name a bot gives itself, or "" if the source is not a bot.
	Bot(*event.Source) string

	// Admit reports whether the store would take a write now: nil, ErrDiskFull, ErrBusy,
	// ErrStopping or ErrFailed. It is cheap. The server calls it before it reads a body.
	Admit() error
	// Ready reports whether the store works: nil if reads and writes work. Unlike Admit it
	// ignores ErrBusy, and its error says what failed.
	Ready() error
	// Stats returns what the engine counts. It waits for no lock of the store, so that it answers
	// whatever state the disk is in.
	Stats() Stats
	// StoreMetrics returns metrics of the store below. They are those of an earlier call while the
	// store does not answer.
	StoreMetrics() []Metric
}

// Stats has the engine's gauges and running totals for /metrics.
type Stats struct {
	Accepted, Duplicates                    uint64
	Rejected                                map[string]uint64 // by the field at fault
	Commits                                 uint64
	CommitSeconds, SyncSeconds, GroupEvents Buckets
	QueueEvents, QueueBytes                 int64
	HotEvents, Runs                         int64
	LinkBytes                               int64 // memory of the links between persons
	LinkBytesMax                            int64 // beyond it the links exceed the memory plan
	Seals                                   uint64
	SealSeconds                             float64
	Merges                                  uint64 // merged runs written
	MergedEvents                            uint64 // events in them
	MergeSeconds                            float64
	Rewrites                                uint64 // runs written again without deleted events
	RewrittenEvents                         uint64 // events in them, the deleted ones as well
	RewriteSeconds                          float64
	ForgetSeconds                           float64                        // time spent finding out which ids to forget
	HiddenEvents                            uint64                         // deleted events that runs or the log still have
	Deletions                               map[query.DeletionState]uint64 // by state
	DedupWindowSeconds                      float64
	RetentionDays                           uint64 // days that retention_bytes has deleted
	Retention                               string // why retention deletes nothing; "" = it works
	DiskFreeBytes, DiskReserveBytes         int64
	Sinks                                   []sink.Stats
	Corruptions                             uint64   // how often damaged data was found
	Damaged                                 []string // files where it was found; the first few only
}

// Metric is one sample for /metrics. Kind is "counter" or "gauge".
type Metric struct {
	Name, Kind, Help string
	Value            float64
}

// Buckets holds the counts of a Histogram. Counts[i] is the number of observations above
// Bounds[i-1] and at most Bounds[i]. The last count has no upper bound.
type Buckets struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}
