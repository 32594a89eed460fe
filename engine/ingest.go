// Ingest handles events in the request's own goroutine, before and after the commit
// pipeline.

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"cairn/engine/calendar"
	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/store"
)

// Ingest implements API. It waits for the commit even if ctx ends, because the outcomes are
// known only then.
func (e *Engine) Ingest(_ context.Context, records []Record, all bool, m *Memory) ([]event.Outcome, error) {
	if err := e.Admit(); err != nil {
		return nil, err
	}
	e.inflight.Add(1)
	defer e.inflight.Done()
	if e.stopping.Load() {
		return nil, query.ErrStopping
	}
	// Under overload most requests end here, before any work is spent on them.
	guess := guessBytes(records)
	if err := e.reserve(guess); err != nil {
		return nil, err
	}
	if m == nil {
		m = new(Memory)
	}
	sub := m.begin(len(records))
	refused := e.fill(sub, records, m.outcomes, all)
	if len(sub.events) == 0 || refused && all {
		e.queued.Add(-guess)
		return m.outcomes, nil
	}
	sub.bytes = int64(len(sub.bodies))
	e.queued.Add(sub.bytes - guess)
	if err := e.submit(sub); err != nil {
		if errors.Is(err, errLogFull) { // the pipeline still has the submission, and outcomes
			*m = Memory{}
		}
		return nil, err
	}
	m.ids = e.complete(sub, m.ids[:0])
	return m.outcomes, nil
}

// fill prepares and encodes the valid records and notes errors of the others in their
// outcomes. If all is set, it stops at the first rejected record and rejects every record.
func (e *Engine) fill(sub *submission, records []Record, outcomes []event.Outcome, all bool) (refused bool) {
	now := e.now().UnixMilli()
	for i := range records {
		r, out := &records[i], &outcomes[i]
		out.Received = now
		var q identity.Question
		if r.Import == nil { // whose an imported event is has been decided
			e.resolveVisitor(r)
			e.resolveDevice(r, now, &q, out)
			e.fingerprintHit(r, now, &q)
		}
		ferr := e.prepare(r, now, &sub.arena)
		if ferr == nil && r.Import == nil {
			ferr = e.checkIncrement(&r.Site.Site, &r.Event)
		}
		if ferr == nil {
			if r.Import != nil {
				e.findExported(r)
			}
			sub.add(e.state(r.Site.ID), r.Record, q, out)
			continue
		}
		refused = true
		e.stats.reject(ferr.Field)
		out.Status, out.Err = event.Rejected, ferr
		if all {
			for j := range outcomes {
				outcomes[j].Status = event.Rejected
			}
			return true
		}
	}
	return refused
}

// complete fills in the parts of the outcomes that are known only after the commit. It
// appends the text of their public ids to ids.
func (e *Engine) complete(sub *submission, ids []byte) []byte {
	ids = slices.Grow(ids, store.PublicIDLen*len(sub.events)) // outcomes point into ids, so it must not be moved
	for i := range sub.events {
		ev := &sub.events[i]
		o := ev.outcome
		if o.Seq == 0 {
			continue // it is not in the log
		}
		e.recall(ev)
		if o.Status == event.Stored {
			e.latestEvents.Published(ev.site.ID, ev.event, o.Seq, o.Session, ev.imported != nil)
		}
		if ev.asks {
			e.answerVisit(ev.site, ev.event.Dialect, o)
		}
		at := len(ids)
		ids = e.public.Append(ids, ev.site.ID, o.Seq)
		o.ID = unsafe.String(&ids[at], store.PublicIDLen)
	}
	return ids
}

// prepare makes the event ready for the log: it sets times, enriches the event, checks
// limits and applies the site's settings. Text that it adds to the event lies in room.
func (e *Engine) prepare(r *Record, now int64, room *enrich.Arena) *event.FieldError {
	ev := &r.Event
	if r.Import == nil {
		ev.Received, ev.Imported, ev.SessionOf = now, false, ""
	} else if ev.Received == 0 || ev.Received > now {
		ev.Received = now
	}
	if ev.Time == 0 || ev.Time > ev.Received+calendar.DayMillis {
		ev.Time = ev.Received
	}
	if ev.Time < r.Site.KeepsFrom(now) {
		return &event.FieldError{Field: "time", Msg: fmt.Sprintf("is older than the site keeps events: retention_days = %d", r.Site.RetentionDays)}
	}
	ev.Seq, ev.SessionOrd, ev.PersonOrd, ev.Capped, ev.CappedByProperty, ev.CappedNames = 0, 0, 0, nil, false, nil
	ev.SessionSent = ev.Session != "" && !ev.Imported
	if e.opts.Enrich != nil {
		e.opts.Enrich.Enrich(&r.Site.Privacy, ev, &r.Source, room)
	}
	if err := event.Validate(ev); err != nil {
		return err
	}
	ev.Day, ev.Late = calendar.Day(ev.Time, r.Site.Location), false
	if len(r.Site.Uncounted) > 0 && (r.Import == nil || !r.Import.Uncounted) {
		ev.NotCounted = slices.Clip(ev.NotCounted) // the array may belong to the dialect
		ev.Counts(func(property, _ string, _ int64) bool {
			if slices.Contains(r.Site.Uncounted, property) && !slices.Contains(ev.NotCounted, property) {
				ev.NotCounted = append(ev.NotCounted, property)
			}
			return true
		})
	}
	return nil
}

// guessBytes estimates the length of the encoded records in bytes.
func guessBytes(records []Record) (n int64) {
	for i := range records {
		e := &records[i].Event
		n += int64(64 + len(e.Name) + len(e.User) + len(e.Anonymous) + len(e.MessageID))
		for _, o := range [...]event.Object{e.Properties, e.Context, e.Extra} {
			for k := range o {
				n += int64(4 + len(o[k].Key) + len(o[k].Value.Text))
			}
		}
	}
	return n
}

// reserve reserves bytes in the queue or returns ErrBusy. If the queue is empty, it accepts
// a request of any size.
func (e *Engine) reserve(bytes int64) error {
	if queued := e.queued.Add(bytes); queued > e.opts.QueueBytes && queued > bytes {
		e.queued.Add(-bytes)
		return query.ErrBusy
	}
	return nil
}

// submit queues the submission and waits until it is durable. The caller has reserved its
// bytes.
func (e *Engine) submit(sub *submission) error {
	e.queuedEvents.Add(int64(len(sub.events)))
	select {
	case e.queue <- sub:
	default:
		e.queued.Add(-sub.bytes)
		e.queuedEvents.Add(-int64(len(sub.events)))
		return query.ErrBusy
	}
	return e.wait(sub)
}

// counters are the running totals behind Stats. Several goroutines update them.
type counters struct {
	accepted, duplicates, commits, seals atomic.Uint64
	sealNanos                            atomic.Int64
	merges, mergedEvents                 atomic.Uint64
	rewrites, rewrittenEvents            atomic.Uint64 // because of deletions
	rewriteNanos, forgetNanos            atomic.Int64
	jobs                                 atomic.Uint64 // commits that had no event, see job
	mergeNanos                           atomic.Int64
	retentionDays                        atomic.Uint64
	commit, sync, group                  *Histogram

	mu       sync.Mutex
	rejected map[string]uint64
}

// reject counts a rejected event by the field at fault. Clients choose field names, so
// unknown names count as "other".
func (c *counters) reject(field string) {
	switch field {
	case "type", "name", "time", "user", "anonymous", "session", "groups", "message_id", "value", "properties", "context", "increments", "segments", "previous", "extra", "ec_id":
	default:
		field = "other"
	}
	c.mu.Lock()
	if c.rejected == nil {
		c.rejected = make(map[string]uint64)
	}
	c.rejected[field]++
	c.mu.Unlock()
}
