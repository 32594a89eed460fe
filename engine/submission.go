// Submission: the part of a request that goes into the log, and whose its memory
// is when.

package engine

import (
	"slices"

	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
)

// Memory is all that one request needs in the engine, from its records to their
// outcomes, to be used again for another. It belongs to the caller of Ingest, who
// leaves it alone during the call and reads from it until its request is answered.
// The zero Memory is ready.
type Memory struct {
	outcomes []event.Outcome
	ids      []byte // text of the outcomes' ids
	sub      submission
}

// submission is what Ingest queues for the sequencer. From then until done it is the
// pipeline's, with the events and outcomes it points to. A submitter that leaves
// before, because the store has failed, must leave all of it to the pipeline.
type submission struct {
	events []submitted
	bodies []byte       // of the events, one behind the other
	arena  enrich.Arena // what enrichment added to the events
	bytes  int64        // reserved in the queue
	cells  int          // of the events, at the most
	err    error
	done   chan struct{} // one is sent when it is durable or refused; see err
}

// submitted is one valid, encoded event.
type submitted struct {
	site       *siteState
	event      *event.Event
	question   identity.Question
	outcome    *event.Outcome
	start, end int    // of its body, in submission.bodies
	idHash     uint64 // of its message id, as filters of runs are asked
	hi, lo     uint64 // of its message id, as the newest are remembered; the sequencer's
	asks       bool   // its record asks who it is from, see event.Visit
	begins     bool   // it is the first event of its session; set when it is placed
	// original is the seq of the event in the log that has its message id, 0 = none.
	original uint64
}

// What is kept for the next request at most.
const (
	memoryEventsKept = 4096
	memoryBytesKept  = 1 << 20
)

// begin forgets the request before and makes room for n records and their outcomes.
func (m *Memory) begin(n int) *submission {
	m.Reset()
	m.outcomes = slices.Grow(m.outcomes, n)[:n]
	s := &m.sub
	s.events = slices.Grow(s.events, n)
	if s.done == nil {
		s.done = make(chan struct{}, 1)
	}
	return s
}

// Reset forgets the request, so that nothing of it is held, and keeps the memory
// unless it has grown large.
func (m *Memory) Reset() {
	s := &m.sub
	event.Poison(m.ids)
	event.Poison(s.bodies)
	m.outcomes, s.events = event.Emptied(m.outcomes, memoryEventsKept), event.Emptied(s.events, memoryEventsKept)
	m.ids, s.bodies = m.ids[:0], s.bodies[:0]
	if cap(m.ids) > memoryBytesKept {
		m.ids = nil
	}
	if cap(s.bodies) > memoryBytesKept {
		s.bodies = nil
	}
	s.arena.Reset()
	s.bytes, s.cells, s.err = 0, 0, nil
}

// add encodes an event that is ready.
func (s *submission) add(site *siteState, r *event.Record, q identity.Question, o *event.Outcome) {
	e, start := &r.Event, len(s.bodies)
	s.bodies = event.AppendBody(s.bodies, e)
	s.cells += coreCells + len(e.Properties) + len(e.Context) + len(e.Extra)
	s.events = append(s.events, submitted{
		site: site, event: e, question: q, asks: r.Visit.Ask, outcome: o, start: start, end: len(s.bodies), idHash: index.FilterHash(e.MessageID),
	})
}

// coreCells is how many cells an event has at most besides properties, context and extra.
const coreCells = 16

// body is an event's record but for its head.
func (s *submission) body(ev *submitted) []byte { return s.bodies[ev.start:ev.end] }
