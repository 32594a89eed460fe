// Ingest: what happens to events in the request's own goroutine, before and after
// the commit pipeline.

package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
)

// Event times outside [received − lateMax, received + earlyMax] count on the day
// of receipt; both in milliseconds.
const (
	lateMax  = 30 * dayMillis
	earlyMax = dayMillis
)

const dayMillis = 24 * 60 * 60 * 1000

var bodies = sync.Pool{New: func() any { return new([]byte) }}

// Ingest implements API. It waits for the commit even when ctx ends: what became
// of the events is known only then.
func (e *Engine) Ingest(_ context.Context, records []Record, all bool) ([]Outcome, error) {
	if err := e.Admit(); err != nil {
		return nil, err
	}
	e.inflight.Add(1)
	defer e.inflight.Done()
	if e.stopping.Load() {
		return nil, ErrStopping
	}
	// Under too much load most requests end here, before work is put into them.
	guess := guessBytes(records)
	if err := e.reserve(guess); err != nil {
		return nil, err
	}
	reserved := guess
	defer func() { e.queued.Add(-reserved) }()
	outcomes := make([]Outcome, len(records))
	now := e.now().UnixMilli()
	arena := bodies.Get().(*[]byte)
	defer bodies.Put(arena)
	buf := (*arena)[:0]
	sub := &submission{events: make([]submitted, 0, len(records)), done: make(chan struct{})}
	ends := make([]int, 0, len(records))
	for i := range records {
		r := &records[i]
		e.identify(r)
		e.recognise(r, now)
		e.show(r, now)
		ferr := e.prepare(r, now)
		if ferr == nil {
			ferr = e.checkIncrement(r.Site, r.Event)
		}
		if ferr != nil {
			e.stats.reject(ferr.Field)
			outcomes[i] = Outcome{Status: Rejected, Err: ferr}
			if all {
				for j := range outcomes {
					outcomes[j].Status = Rejected
				}
				return outcomes, nil
			}
			continue
		}
		buf = event.AppendBody(buf, r.Event)
		ends = append(ends, len(buf))
		sub.events = append(sub.events, submitted{site: e.state(r.Site.ID), event: r.Event, outcome: &outcomes[i]})
	}
	*arena = buf
	if len(sub.events) == 0 {
		return outcomes, nil
	}
	start := 0
	for i, end := range ends {
		sub.events[i].body = buf[start:end:end]
		start = end
	}
	sub.bytes, reserved = int64(len(buf)), 0
	e.queued.Add(sub.bytes - guess)
	if err := e.submit(sub); err != nil {
		return nil, err
	}
	ids := make([]byte, 0, publicIDLen*len(sub.events))
	for i := range sub.events {
		o := sub.events[i].outcome
		if o.Seq == 0 {
			continue // it is not in the log
		}
		e.recall(&sub.events[i])
		if o.Status == Stored {
			e.sightings.published(sub.events[i].site.id, sub.events[i].event, o.Seq, o.Session)
		}
		e.answerVisit(sub.events[i].site, sub.events[i].event, o.Session)
		ids = e.public.append(ids, sub.events[i].site.id, o.Seq)
	}
	text := string(ids) // one piece of memory for all
	for i := range sub.events {
		if o := sub.events[i].outcome; o.Seq != 0 {
			o.ID, text = text[:publicIDLen], text[publicIDLen:]
		}
	}
	return outcomes, nil
}

// prepare makes the event ready for the log: times, enrichment, limits, and what
// the site's settings decide.
func (e *Engine) prepare(r *Record, now int64) *event.FieldError {
	ev := r.Event
	ev.Received = now
	if ev.Time == 0 || ev.Time > now+dayMillis {
		ev.Time = now
	}
	ev.Seq, ev.SessionOrd, ev.PersonOrd, ev.Capped = 0, 0, 0, nil
	ev.SessionSent = ev.Session != ""
	if e.opts.Enrich != nil && r.Source != nil {
		e.opts.Enrich.Enrich(r.Site, ev, r.Source)
	}
	if err := event.Validate(ev); err != nil {
		return err
	}
	counted := ev.Time
	if ev.Late = ev.Time < now-lateMax || ev.Time > now+earlyMax; ev.Late {
		counted = now
	}
	ev.Day = dayOf(counted, r.Site.Location)
	if len(r.Site.Uncounted) > 0 {
		ev.NotCounted = slices.Clip(ev.NotCounted) // it may be the dialect's
		ev.Counts(func(property, _ string, _ int64) bool {
			if slices.Contains(r.Site.Uncounted, property) && !slices.Contains(ev.NotCounted, property) {
				ev.NotCounted = append(ev.NotCounted, property)
			}
			return true
		})
	}
	return nil
}

// guessBytes is about how long the records will be when they are encoded.
func guessBytes(records []Record) (n int64) {
	for i := range records {
		e := records[i].Event
		n += int64(64 + len(e.Name) + len(e.User) + len(e.Anonymous) + len(e.MessageID))
		for _, o := range [...]event.Object{e.Properties, e.Context, e.Extra} {
			for k := range o {
				n += int64(4 + len(o[k].Key) + len(o[k].Value.Text))
			}
		}
	}
	return n
}

// reserve takes room in the queue: for one request alone any, however large.
func (e *Engine) reserve(bytes int64) error {
	if queued := e.queued.Add(bytes); queued > e.opts.QueueBytes && queued > bytes {
		e.queued.Add(-bytes)
		return ErrBusy
	}
	return nil
}

// submit queues the submission, whose room is reserved, and waits until it is
// durable.
func (e *Engine) submit(sub *submission) error {
	e.queuedEvents.Add(int64(len(sub.events)))
	select {
	case e.queue <- sub:
	default:
		e.queued.Add(-sub.bytes)
		e.queuedEvents.Add(-int64(len(sub.events)))
		return ErrBusy
	}
	select {
	case <-sub.done:
		return sub.err
	case <-e.failed:
		// The sequencer may still read what is the submitter's again from here on,
		// but nothing of it is written any more (I5).
		return ErrFailed
	}
}

// counters of Stats that several goroutines move.
type counters struct {
	accepted, duplicates, commits, seals atomic.Uint64
	sealNanos                            atomic.Int64
	merges, mergedEvents                 atomic.Uint64
	mergeNanos                           atomic.Int64
	commit, sync, group                  histogram

	mu       sync.Mutex
	rejected map[string]uint64
}

// reject counts a refused event by the field at fault; clients choose field
// names, so only known ones keep theirs.
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
