// The nightly check: has the sink what it was sent since the last one, each row once?
//
// It runs between ranges and takes a stretch of a million seqs at a time, so that rows wait for one count
// at most. Deletions are carried out by the same goroutine, so none comes between the two counts of a
// stretch. A difference is told when a second check finds one, too: a replica of the sink may lag.
// The check never stops the sink: one that fails is tried again later.

package sink

import (
	"context"
	"time"

	"cairn/engine/query"
	"cairn/engine/records"
)

const (
	nightHour  = 3 * time.Hour    // of the day in UTC. The store number says when within the hour
	checkAgain = 10 * time.Minute // after a difference, before the second check
	checkRetry = 6                // how many times as long it waits after an error
	checkMost  = 100 * countSpan  // seqs of a site in a night; more wait for the next one
)

// check is a nightly check of a site.
type check struct {
	due    bool
	second bool          // the first one has found a difference
	again  time.Duration // by Elapsed: not before

	// Of one that is under way.
	upTo    uint64 // 0 = it has not begun
	at      uint64 // the last seq that was compared
	right   uint64 // the last seq before the first difference
	allowed uint64 // rows that were passed over since the last check
	used    uint64 // of these, up to right
	Comparison
	found records.SinkWrong
}

// nightAfter returns when the next night's check begins for a cairn with a number.
func nightAfter(now time.Time, number uint64) time.Time {
	at := now.UTC().Truncate(24 * time.Hour).Add(nightHour + time.Duration(number%3600)*time.Second)
	if !at.After(now) {
		at = at.Add(24 * time.Hour)
	}
	return at
}

// night makes the checks of all sites due when the night has come. A night without a running server
// has none.
func (r *Runner) night() {
	if r.counter == nil {
		return
	}
	now := r.src.Now()
	switch {
	case r.nextNight.IsZero() || r.nextNight.Sub(now) > 24*time.Hour: // the start, or the clock was wrong
	case now.Before(r.nextNight):
		return
	default:
		for _, s := range r.sites {
			s.check = check{due: true}
		}
	}
	r.nextNight = nightAfter(now, r.src.Number)
}

// checking reports whether a stretch is to be compared now.
func (s *carried) checking(now time.Duration) bool { return s.check.due && now >= s.check.again }

// compare compares the next stretch of a site. more says that there is another one.
func (r *Runner) compare(ctx context.Context, s *carried) (more bool) {
	more, err := r.compareNext(ctx, s)
	if err == nil || ctx.Err() != nil {
		return more && err == nil
	}
	r.checkErrors.Add(1)
	r.log.Warn("sink: the nightly check failed; it is tried again", "site", s.Name, "code", FaultOf(err).Code)
	s.check = check{due: true, second: s.check.second, again: r.src.Elapsed() + checkRetry*r.cfg.CheckAgain}
	return false
}

func (r *Runner) compareNext(ctx context.Context, s *carried) (more bool, err error) {
	c := &s.check
	if c.upTo > s.at.Cursor { // the cursor moved back
		*c = check{due: true, second: c.second}
	}
	if c.upTo == 0 {
		c.upTo, c.at, c.right = min(s.at.Cursor, s.at.Checked+checkMost), s.at.Checked, s.at.Checked
		c.allowed = s.at.Skipped - min(s.at.Skipped, s.at.CheckedSkipped)
		c.Comparison = Comparison{Sink: r.counter, Site: s.Site, Skipped: c.allowed}
	}
	stretch, ok := stretchAfter(s.spans(), c.at, c.upTo)
	if !ok {
		return false, r.checked(s)
	}
	count := func(stretch Count) (Count, error) { return r.countStretch(ctx, s.Site, stretch) }
	if stretch, err = count(stretch); err != nil {
		return false, err
	}
	_, d, err := c.Compare(ctx, stretch, count)
	if err != nil {
		return false, err
	}
	c.at = stretch.Last
	if !d.None() {
		if c.found.Last == 0 {
			c.found.First = stretch.First
		}
		c.found.Last = stretch.Last
		c.found.Missing, c.found.Surplus = c.found.Missing+d.Missing, c.found.Surplus+d.Twice+d.Strange
	} else if c.found.Last == 0 {
		c.right, c.used = stretch.Last, c.allowed-c.Skipped
	}
	return true, nil
}

// countStretch counts the rows of the store in a stretch.
func (r *Runner) countStretch(ctx context.Context, site Site, c Count) (Count, error) {
	var err error
	c.Rows, c.Gone, err = r.src.Read.CarriedCount(ctx, &query.Site{ID: site.Number, Name: site.Name}, c.First, c.Last)
	return c, err
}

// checked ends a check. The cursor of checks moves up to the first difference.
func (r *Runner) checked(s *carried) error {
	c, to, now := &s.check, s.at, r.src.Now().UnixMilli()
	wrong := c.found.Last != 0
	if wrong && !c.second {
		r.log.Info("sink: the nightly check found a difference; it looks again before it tells", "site", s.Name, "from", c.found.First, "to", c.found.Last)
		*c = check{due: true, second: true, again: r.src.Elapsed() + r.cfg.CheckAgain}
		return nil
	}
	to.Checked, to.CheckedSkipped, to.Wrong = c.right, to.CheckedSkipped+c.used, records.SinkWrong{}
	if wrong {
		to.Wrong = c.found
		to.Wrong.At = now
	} else if to.CheckedAt = now; c.upTo == to.Cursor {
		to.CheckedSkipped = s.at.CheckedSkipped + c.allowed
	}
	if to.Checked != s.at.Checked || to.Wrong != s.at.Wrong {
		if err := r.move(s, to); err != nil {
			return err
		}
	}
	if wrong {
		r.log.Error("sink: it does not have each row once", "site", s.Name, "missing", c.found.Missing, "surplus", c.found.Surplus, "from", c.found.First, "to", c.found.Last)
	}
	*c = check{}
	return nil
}
