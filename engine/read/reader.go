// The Reader: what it asks, and its bounds.

package read

import (
	"context"
	"math"
	"time"

	"cairn/engine/event"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are what a Reader asks, and its bounds.
type Options struct {
	Table  func(site uint32) *table.Table // the rows of a site
	DB     pebble.Reader                  // the store that they and their log are in
	Public *store.PublicIDs

	FS        vfs.FS
	Dir       string    // for temporary files; it exists
	Disk      *wal.Disk // where nothing is put aside when it is full
	QueryTime time.Duration
	HotEvents int   // a series with users keeps so many steps of them at most
	Pairs     int   // of a row of an answer and a user or session: so many are in memory for all queries together
	Answers   int64 // bytes of answers that are kept
	Partials  int64 // bytes of what slices add to answers, which are kept too
}

// Reader answers queries. It is safe for any number of goroutines.
type Reader struct {
	Options
	kept     *resultCache
	partials *resultCache
	pairs    *pairBudget
}

// New makes a Reader. All of its options are set.
func New(o Options) *Reader {
	return &Reader{Options: o, kept: newResultCache(o.Answers), partials: newResultCache(o.Partials), pairs: newPairBudget(&o)}
}

// Kept returns how many answers, and how many partial ones, are kept.
func (rd *Reader) Kept() (answers, partials int) { return rd.kept.len(), rd.partials.len() }

// Newest returns the newest event of a site that satisfies all clauses and whose time is
// not before from, nil when there is none. math.MinInt64 asks for any time.
func (rd *Reader) Newest(site uint32, from int64, clauses ...index.Clause) (newest *event.Event, err error) {
	pred := newPredicate(clauses...)
	if from != math.MinInt64 {
		pred.timeFrom = from
		pred.ranges = append(pred.ranges, index.Range{Col: event.IntTime, From: pred.timeFrom, To: pred.timeTo})
	}
	v := &view{rd.Table(site).View(), rd.budget(context.Background())} // no question's
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
