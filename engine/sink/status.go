// What others see of a runner: the admin, metrics, /healthz, retention.

package sink

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Stats are a sink's metrics.
type Stats struct {
	Name        string
	State       State
	LagSeconds  float64
	Rows        uint64 // carried since the start
	Bytes       uint64 // of their lines
	Sends       uint64 // attempts
	SendSeconds float64
	Errors      uint64
	Missed      uint64
	Skipped     uint64
	Deletions   int // that wait
	Waiting     uint64

	// Of the nightly checks.
	CheckMissing uint64 // rows that the sink lacks, as of the last one
	CheckSurplus uint64
	CheckErrors  uint64
}

// tellFor is how long /healthz tells of what cannot be mended.
const tellFor = 7 * 24 * time.Hour

// state is the state, as others see it. r.mu is held. Fault and since are those of the worst error, site
// is where it is; nil = in all.
func (r *Runner) stateLocked() (state State, f *Fault, since int64, site *carried) {
	f, since = r.fault, r.since
	for _, s := range r.sitesLocked() {
		if s.fault != nil && (f == nil || f.Passes && !s.fault.Passes) {
			f, since, site = s.fault, s.since, s
		}
	}
	switch {
	case f == nil:
		return StateRunning, nil, 0, nil
	case f.Passes:
		return StateRetry, f, since, site
	}
	return StateStopped, f, since, site
}

func (r *Runner) sitesLocked() []*carried {
	all := make([]*carried, 0, len(r.public))
	for _, s := range r.public {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *carried) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// lag returns since how many seconds the first row waits that the sink lacks.
func (s *carried) lag(now int64) float64 {
	if s.waiting == 0 {
		return 0
	}
	return float64(max(0, now-s.waiting)) / 1000
}

// Stats returns the metrics.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := Stats{Name: r.name, Rows: uint64(r.rows.Load()), Bytes: uint64(r.bytes.Load()), Sends: uint64(r.sends.Load()), SendSeconds: float64(r.nanos.Load()) / 1e9, Errors: uint64(r.errors.Load())}
	st.State, _, _, _ = r.stateLocked()
	st.CheckErrors = uint64(r.checkErrors.Load())
	now := r.src.Now().UnixMilli()
	for _, s := range r.public {
		st.LagSeconds = max(st.LagSeconds, s.lag(now))
		st.Missed, st.Skipped, st.Deletions = st.Missed+s.at.Missed, st.Skipped+s.at.Skipped, st.Deletions+s.pending
		st.CheckMissing, st.CheckSurplus = st.CheckMissing+s.at.Wrong.Missing, st.CheckSurplus+s.at.Wrong.Surplus
		if last := r.src.Last(s.Number); last > s.at.Cursor {
			st.Waiting += last - s.at.Cursor
		}
	}
	return st
}

// Troubles returns reasons for /healthz. Anybody may read them, so they have codes and no server's
// sentence, which may quote a row.
func (r *Runner) Troubles() (reasons []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	say := func(format string, args ...any) {
		reasons = append(reasons, "sink "+r.name+": "+fmt.Sprintf(format, args...))
	}
	now := r.src.Now().UnixMilli()
	if state, f, _, at := r.stateLocked(); state == StateStopped {
		what := ""
		if at == nil {
			for _, s := range r.sitesLocked() {
				if s.at.Sending.Last != 0 {
					at = s
					break
				}
			}
		}
		if at != nil {
			what = fmt.Sprintf(" at site %s", at.Name)
			if span := at.at.Sending; span.Last != 0 {
				what += fmt.Sprintf(", events %d to %d", span.First, span.Last)
			}
		}
		say("stopped with code %s%s; it is tried again every minute", f.Code, what)
	}
	lag, missed, parted := 0.0, uint64(0), []string(nil)
	var lacking, surplus uint64
	var wrong []string
	for _, s := range r.sitesLocked() {
		lag = max(lag, s.lag(now))
		if w := &s.at.Wrong; w.Last != 0 {
			lacking, surplus, wrong = lacking+w.Missing, surplus+w.Surplus, append(wrong, s.Name)
		}
		if s.at.MissedAt > now-tellFor.Milliseconds() {
			missed += s.at.Missed
		}
		if s.at.Stores[len(s.at.Stores)-1].Begun > now-tellFor.Milliseconds() {
			parted = append(parted, s.Name)
		}
	}
	if lag >= r.cfg.LagWarn.Seconds() {
		say("it is %v behind", time.Duration(lag*float64(time.Second)).Round(time.Second))
	}
	if missed > 0 {
		say("%d events were deleted by retention before the sink took them", missed)
	}
	if len(wrong) > 0 {
		say("the nightly check found %d events missing and %d too many at %s", lacking, surplus, someOf(wrong, 3))
	}
	if n := len(parted); n > 0 {
		say("it has events that are not this store's, which was restored from an older snapshot, or is a copy; the events of %s go under a new number", someOf(parted, 3))
	}
	return reasons
}

// someOf lists some names, and says how many others there are.
func someOf(names []string, n int) string {
	text := ""
	for i, name := range names {
		if i == n {
			return fmt.Sprintf("%s and %d more sites", text, len(names)-n)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// Cursor returns the last seq of a site that the sink has, or need not have. ok is false for a site that the
// sink has not met.
func (r *Runner) Cursor(site uint32) (seq uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.public[site]
	if s == nil {
		return 0, false
	}
	return s.at.Cursor, true
}

// Status returns what the admin sees. With counts it says how many rows the sink must have, which
// takes as long as counting them.
func (r *Runner) Status(ctx context.Context, counts bool) (Status, error) {
	st := r.status()
	if !counts {
		return st, nil
	}
	for i := range st.Sites {
		s := &st.Sites[i]
		for c, ok := stretchAfter(s.Stores, 0, s.Cursor); ok; c, ok = stretchAfter(s.Stores, c.Last, s.Cursor) {
			c, err := r.countStretch(ctx, Site{s.Number, s.Site}, c)
			if err != nil {
				return st, err
			}
			s.Counts = append(s.Counts, c)
		}
	}
	return st, nil
}

func (r *Runner) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := Status{Name: r.name, Sites: []SiteStatus{}}
	state, f, since, at := r.stateLocked()
	if st.State, st.Since = state, since; f != nil {
		st.Code = f.Code
		if f.Err != nil {
			st.Error = f.Err.Error()
		}
		if at != nil {
			st.Error = "site " + at.Name + ": " + st.Error
		}
	}
	now := r.src.Now().UnixMilli()
	for _, s := range r.sitesLocked() {
		one := SiteStatus{Site: s.Name, Number: s.Number, Cursor: s.at.Cursor, Last: r.src.Last(s.Number), LagSeconds: s.lag(now), Missed: s.at.Missed, Skipped: s.at.Skipped, Checked: s.at.Checked, CheckedAt: s.at.CheckedAt}
		if span := s.at.Sending; span.Last != 0 {
			one.Sending = &StatusSpan{span.First, span.Last}
		}
		if w := &s.at.Wrong; w.Last != 0 {
			one.Wrong = &CheckWrong{w.First, w.Last, w.Missing, w.Surplus, w.At}
		}
		one.Stores = s.spans()
		one.Store = one.Stores[len(one.Stores)-1].Store
		st.LagSeconds, st.Deletions = max(st.LagSeconds, one.LagSeconds), st.Deletions+s.pending
		st.Sites = append(st.Sites, one)
	}
	return st
}

// spans returns the numbers that the rows of a site were sent with, and which seqs each stands for.
func (s *carried) spans() []StoreSpan {
	spans := make([]StoreSpan, 0, len(s.at.Stores))
	for i, st := range s.at.Stores {
		span := StoreSpan{st.Number, st.First, s.at.Cursor}
		if i+1 < len(s.at.Stores) {
			span.Last = min(span.Last, s.at.Stores[i+1].First-1)
		}
		spans = append(spans, span)
	}
	return spans
}
