// Reader: its dependencies, its limits, and the newest event of a site.

package read

import (
	"context"
	"math"
	"runtime"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are the dependencies and limits of a Reader. All are required, except that a
// cache may have 0 bytes (it then keeps nothing), Writing and VisitSet.
type Options struct {
	Table  func(site uint32) *table.Table // returns the rows of a site
	DB     pebble.Reader                  // the store with the log and the runs
	Public *store.PublicIDs               // encodes and decodes event ids and cursors

	FS           vfs.FS
	Dir          string        // the directory for temporary files; it exists
	Disk         *wal.Disk     // when it is full, no temporary files are written
	QueryTime    time.Duration // the most time one query may take
	Pairs        int           // pairs of a row of an answer and a user or session in memory, for all queries together
	ReportBytes  int64         // memory that all reports, and lists of properties, share
	Writing      func() bool   // whether events are being written; nil = never
	VisitSet     VisitSet      // answers conditions on visits; nil = they are query.ErrBadQuery
	ResultBytes  int64         // size of the cache of answers
	PartialBytes int64         // size of the cache of partial aggregates
}

// Reader answers queries. It is safe for any number of goroutines.
type Reader struct {
	Options
	results  *answerCache // answers of reports, Count, Series and Counters
	turns    *turns
	slices   *processors
	reports  *reportBytes
	partials *partialResults // of row ranges
	pairs    *pairBudget
	counted  countedRuns
	begun    begun
}

// New makes a Reader. The Reader owns nothing in o: the caller closes the store after the
// last query has ended.
func New(o Options) *Reader {
	return &Reader{Options: o, results: newAnswerCache(o.ResultBytes), turns: newTurns(runtime.GOMAXPROCS(0)), reports: newReportBytes(o.ReportBytes), slices: newProcessors(runtime.GOMAXPROCS(0), o.Writing), partials: newPartialResults(o.PartialBytes), pairs: newPairBudget(&o)}
}

// CachedCounts returns how many answers and how many partial aggregates are cached.
func (rd *Reader) CachedCounts() (answers, partials int) { return rd.results.len(), rd.partials.len() }

// NewestFirst calls fn with the events of a site that satisfy all clauses, newest first,
// until fn returns false. Of each part of the rows it looks at the newest limit alone.
func (rd *Reader) NewestFirst(site uint32, limit int, fn func(*event.Event) bool, clauses ...index.Clause) error {
	v := rd.view(context.Background(), &query.Site{ID: site})
	defer v.Close()
	_, err := v.walk(newPredicate(clauses...), false, 0, func(p *table.Part, rows []int) (bool, error) {
		r := table.NewRowReader(p.Get())
		for _, row := range rows {
			ev, err := r.Read(row)
			if err != nil || !fn(ev) {
				return false, err
			}
		}
		return true, nil
	}, limit)
	return err
}

// Newest returns the newest event of a site that satisfies all clauses and whose time, in
// Unix milliseconds, is from or later. It returns nil when there is none. Pass
// math.MinInt64 for any time.
func (rd *Reader) Newest(site uint32, from int64, clauses ...index.Clause) (newest *event.Event, err error) {
	pred := newPredicate(clauses...)
	if from != math.MinInt64 {
		pred.timeFrom = from
		pred.ranges = append(pred.ranges, index.Range{Col: event.IntTime, From: pred.timeFrom, To: pred.timeTo})
	}
	v := rd.view(context.Background(), &query.Site{ID: site})
	defer v.Close()
	_, err = v.walk(pred, false, 0, func(p *table.Part, rows []int) (bool, error) {
		var err error
		newest, err = table.NewRowReader(p.Get()).Read(rows[0])
		return false, err
	}, 1)
	if err != nil {
		return nil, err
	}
	return newest, nil
}
