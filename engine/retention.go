// Retention: what the sites no longer keep is deleted, once a night and when the store is too
// large.

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
	"cairn/index"
)

// When retention works: at the first look after three o'clock in the site's zone, each site some
// minutes later than the others. Until then the days of yesterday apply.
const (
	retentionHour   = 3 * time.Hour
	retentionSpread = 30 * time.Minute
	retentionLook   = time.Minute
	bytesLook       = time.Hour
)

// clockAhead is how far the clock may be ahead of the newest event before retention waits.
const clockAhead = 24 * time.Hour

// retainer deletes what sites no longer keep.
type retainer struct {
	e      *Engine
	spread map[uint32]time.Duration // by site
	did    map[uint32]int32         // the day up to which a site was looked at
	sized  time.Duration            // when the size was last looked at, by Options.Elapsed
	said   bool                     // that the clock is ahead
	full   string                   // why the store stays too large, as of the last look at its size; "" = it does not

	mu      sync.Mutex
	trouble string // why nothing is deleted; "" = nothing stands in the way
}

func newRetainer(e *Engine) *retainer {
	return &retainer{e: e, spread: make(map[uint32]time.Duration), did: make(map[uint32]int32), sized: -bytesLook}
}

// run works until the store closes.
func (r *retainer) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a look that is under way ends when the store closes
		select {
		case <-r.e.stopTick:
			cancel()
		case <-r.e.failed:
			cancel()
		case <-ctx.Done():
		}
	}()
	t := time.NewTicker(retentionLook)
	defer t.Stop()
	for {
		r.look(ctx)
		select {
		case <-r.e.stopTick:
			return
		case <-r.e.failed:
			return
		case <-t.C:
		}
	}
}

// look deletes what is due.
func (r *retainer) look(ctx context.Context) {
	sites, most, trouble := r.e.opts.Sites(), r.e.opts.RetentionBytes(), ""
	if most == 0 && !slices.ContainsFunc(sites, func(s *Site) bool { return s.RetentionDays != 0 }) {
		r.say("")
		return
	}
	ahead := r.clockIsAhead()
	for _, s := range sites {
		if s.RetentionDays == 0 {
			continue
		}
		now := r.e.now()
		night := r.night(s.ID, now)
		day := calendar.Day(night, s.Location)
		if done, ok := r.did[s.ID]; ok && done == day {
			continue
		}
		if ahead {
			trouble = "the clock is more than a day ahead of the newest event, so retention waits until the server has run for a day"
			continue
		}
		receipt, err := r.e.deleteBefore(ctx, &s.Site, s.KeepsFrom(night), "older than retention_days")
		switch {
		case err == nil:
			r.e.log.Info("retention: events deleted", "site", s.Name, "events", receipt.Rows, "deletion", receipt.ID)
		case errors.Is(err, query.ErrNotFound):
		case errors.Is(err, query.ErrStopping), errors.Is(err, query.ErrDiskFull), ctx.Err() != nil:
			continue // again in a minute
		default:
			trouble = fmt.Sprintf("retention of site %s failed: %v", s.Name, err)
			r.e.log.Error("retention failed; it is tried again in a minute", "site", s.Name, "error", err)
			continue
		}
		r.did[s.ID] = day
	}
	if most > 0 && !ahead && r.e.opts.Elapsed()-r.sized >= bytesLook {
		r.sized, r.full = r.e.opts.Elapsed(), ""
		if err := r.shrink(ctx, most); err != nil && !errors.Is(err, query.ErrStopping) {
			r.full = "retention_bytes failed: " + err.Error()
			r.e.log.Error("retention: the store could not be made smaller; it is tried again in an hour", "error", err)
		}
	}
	if most == 0 {
		r.full = ""
	}
	r.say(cmp.Or(trouble, r.full))
}

// say keeps why nothing is deleted.
func (r *retainer) say(trouble string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = trouble
}

// night returns the moment whose day decides what a site keeps at a time.
func (r *retainer) night(site uint32, now time.Time) int64 {
	if r.spread[site] == 0 {
		r.spread[site] = 1 + rand.N(retentionSpread)
	}
	return now.Add(-retentionHour - r.spread[site]).UnixMilli()
}

// troubleNow says why nothing is deleted.
func (r *retainer) troubleNow() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble
}

// retentionTrouble says why retention deletes nothing.
func (e *Engine) retentionTrouble() string {
	if e.retainer == nil {
		return "" // the store is only read
	}
	return e.retainer.troubleNow()
}

// clockIsAhead reports whether the clock may be wrong: it is more than a day ahead of the newest
// event, and the process has not run for a day.
func (r *retainer) clockIsAhead() bool {
	newest := r.e.newestReceived()
	ahead := newest != 0 && r.e.now().UnixMilli()-newest > clockAhead.Milliseconds() && r.e.opts.Elapsed()-r.e.openedAt < clockAhead
	if ahead && !r.said {
		r.e.log.Warn("retention: the clock is more than a day ahead of the newest event; nothing is deleted until the server has run for a day", "newest", time.UnixMilli(newest).UTC())
	}
	r.said = ahead
	return ahead
}

// deleteBefore deletes the events of a site before a moment, as retention does: identify, alias and
// group events of a person stay as long as the person has a later event.
func (e *Engine) deleteBefore(ctx context.Context, site *query.Site, before int64, reason string) (query.Receipt, error) {
	r, err := e.delete(ctx, site, query.Deletion{Kind: query.DeleteRetention, To: before, By: "retention", Reason: reason})
	if err == nil {
		e.opts.Retained(site, r)
	}
	return r, err
}

// reasonBytes is the reason of a deletion that makes the store smaller. It waits for no sink.
const reasonBytes = "retention_bytes"

// keptDays is how many days of a site retention_bytes never deletes.
const keptDays = 2

// shrink deletes the oldest day of the largest site until the store has at most so many bytes.
// The bytes of events that are hidden already count as gone.
func (r *retainer) shrink(ctx context.Context, most int64) error {
	total, sites, err := r.e.siteSizes()
	if err != nil {
		return err
	}
	for total > most {
		if len(sites) == 0 {
			r.full = "the store is larger than retention_bytes, but of each site the newest two days stay"
			return nil
		}
		largest := slices.MaxFunc(sites, func(a, b *siteSize) int { return cmp.Compare(a.bytes, b.bytes) })
		gone, err := r.deleteOldestDay(ctx, largest)
		if err != nil {
			return err
		}
		if gone == 0 {
			sites = slices.DeleteFunc(sites, func(s *siteSize) bool { return s == largest })
		}
		total, largest.bytes = total-gone, largest.bytes-gone
	}
	return nil
}

// deleteOldestDay deletes the oldest day of a site, unless it is one of the newest two, and returns
// about how many bytes it had; 0 = nothing was deleted.
func (r *retainer) deleteOldestDay(ctx context.Context, s *siteSize) (bytes int64, err error) {
	first, last, err := r.e.Bounds(ctx, &s.site.Site)
	if err != nil || first > last {
		return 0, err
	}
	for oldest := max(s.from, calendar.Day(first, s.site.Location)); oldest <= calendar.Day(r.e.now().UnixMilli(), s.site.Location)-keptDays; {
		s.from = oldest + 1
		end := calendar.Start(s.from, s.site.zone())
		receipt, err := r.e.deleteBefore(ctx, &s.site.Site, end, reasonBytes)
		if err == nil {
			r.e.stats.retentionDays.Add(1)
			r.e.log.Info("retention_bytes: the oldest day of the largest site is deleted", "site", s.site.Name, "day", calendar.Date(oldest).Format(time.DateOnly), "events", receipt.Rows)
			return max(1, int64(float64(receipt.Rows)*s.perEvent)), nil
		}
		if !errors.Is(err, query.ErrNotFound) {
			return 0, err
		}
		// All that this day still has says who people are that have later events.
		later, err := r.e.Matching(ctx, &s.site.Site, nil, end, 0)
		if err != nil || later.Seqs.IsEmpty() {
			return 0, err
		}
		oldest = calendar.Day(later.First, s.site.Location)
	}
	return 0, nil
}

// siteSize is how much of the disk the events of a site take that are not hidden.
type siteSize struct {
	site     *Site
	bytes    int64
	perEvent float64
	from     int32 // day before which nothing more can go
}

// siteSizes returns how many bytes the store takes and each configured site of it, without hidden
// events. Only what the store still needs counts: a merge or a purge has the old runs on the disk
// for a while, and no event may go because of that. Events that are in no run yet count for nothing
// in their site.
func (e *Engine) siteSizes() (total int64, sites []*siteSize, err error) {
	total = int64(e.db.Metrics().WAL.Size)
	for _, span := range [][2]byte{{0, index.PrefixRun}, {index.PrefixRun + 1, 0xff}} {
		n, err := e.db.EstimateDiskUsage(span[:1], span[1:])
		if err != nil {
			return 0, nil, fmt.Errorf("size of the store: %w", err)
		}
		total += int64(n)
	}
	sizes := make(map[uint32]*siteSize)
	for _, t := range e.allSites() {
		size, err := e.siteSize(t)
		if err != nil {
			return 0, nil, err
		}
		sizes[t.ID], total = size, total+size.bytes
	}
	for _, s := range e.opts.Sites() {
		size := sizes[s.ID]
		if size == nil {
			continue // it is just being added
		}
		size.site = s
		sites = append(sites, size)
	}
	return total, sites, nil
}

func (e *Engine) siteSize(t *siteState) (*siteSize, error) {
	sealed := t.Sealed()
	defer sealed.Close()
	size, rows := new(siteSize), uint64(0)
	for _, r := range sealed.All {
		n, err := r.DiskUsage(e.db)
		if err != nil {
			return nil, err
		}
		rows, size.bytes = rows+r.Rows, size.bytes+int64(n)
	}
	if rows > 0 {
		size.perEvent = float64(size.bytes) / float64(rows)
		if hidden := t.Hidden(); hidden != nil {
			size.bytes -= int64(size.perEvent * float64(hidden.Rank(sealed.All[len(sealed.All)-1].Last())))
		}
	}
	return size, nil
}
