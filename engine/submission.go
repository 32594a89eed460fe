// A submission is the part of a request that goes into the log. This file also says who
// owns its memory at which time.

package engine

import (
	"slices"
	"sync/atomic"

	"cairn/engine/enrich"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/index"
)

// Memory holds everything that one request needs in the engine, from its records to their
// outcomes. It can be used again for another request. The caller of Ingest owns it, but
// does not touch it during the call. The caller may read from it until it calls Reset or
// passes it to Ingest again. The zero Memory is ready to use.
type Memory struct {
	outcomes []event.Outcome
	ids      []byte // text of the public ids in outcomes
	sub      *submission
}

// submission is what Ingest queues for the sequencer. From then until done the pipeline
// owns it, with the events and outcomes that it points to. If the store fails, the
// submitter may leave earlier. It must then not use any of this memory again. If the log
// waits for space, the submitter may leave as well. The pipeline then keeps the submission. It
// reads events of it only if the submitter left after the sequencer had taken them and before
// it had placed them.
type submission struct {
	state  atomic.Int32 // subQueued, subTaken, subPlaced or subLeft
	events []submitted
	bodies []byte       // encoded events, one after the other
	arena  enrich.Arena // text that enrichment added to the events
	bytes  int64        // reserved in the queue
	cells  int          // upper bound for all events together
	err    error
	done   chan struct{} // receives one value when the submission is durable or refused; see err
}

// States of a submission.
const (
	subQueued = iota
	subTaken  // the sequencer reads the events
	subPlaced // the sequencer has read them for the last time
	subLeft   // the submitter has left before they were taken
)

// submitted is one valid, encoded event.
type submitted struct {
	site       *siteState
	event      *event.Event
	question   identity.Question
	outcome    *event.Outcome
	start, end int    // position of its body in submission.bodies
	idHash     uint64 // of its message id, for the filters of runs
	hi, lo     uint64 // hash of its message id in recent; set by the sequencer
	asks       bool   // the client wants to know its device and session, see event.Visit
	begins     bool   // it is the first event of its session; set by the sequencer
	imported   *event.Import
	// original is the seq of an earlier event with the same message id; 0 = none.
	original uint64
	// stale is the seq of an earlier event with the same message id that is outside the window
	// of this event; 0 = none was found. Only imported events have it.
	stale uint64
}

// Upper bounds of the memory that Reset keeps for the next request.
const (
	memoryEventsKept = 4096
	memoryBytesKept  = 1 << 20
)

// begin forgets the previous request and makes room for n records and their outcomes.
func (m *Memory) begin(n int) *submission {
	m.Reset()
	m.outcomes = slices.Grow(m.outcomes, n)[:n]
	if m.sub == nil {
		m.sub = &submission{done: make(chan struct{}, 1)}
	}
	m.sub.events = slices.Grow(m.sub.events, n)
	return m.sub
}

// Reset drops all references to the request. It keeps the memory for the next one unless
// that has grown too large.
func (m *Memory) Reset() {
	event.Poison(m.ids)
	m.outcomes, m.ids = event.Emptied(m.outcomes, memoryEventsKept), m.ids[:0]
	if cap(m.ids) > memoryBytesKept {
		m.ids = nil
	}
	s := m.sub
	if s == nil {
		return
	}
	event.Poison(s.bodies)
	s.events, s.bodies = event.Emptied(s.events, memoryEventsKept), s.bodies[:0]
	if cap(s.bodies) > memoryBytesKept {
		s.bodies = nil
	}
	s.arena.Reset()
	s.bytes, s.cells, s.err = 0, 0, nil
	s.state.Store(subQueued)
}

// add encodes an event that has been prepared and appends it to the submission.
func (s *submission) add(site *siteState, r *event.Record, q identity.Question, o *event.Outcome) {
	e, start := &r.Event, len(s.bodies)
	s.bodies = event.AppendBody(s.bodies, e)
	s.cells += event.BodyCells(s.bodies[start:])
	s.events = append(s.events, submitted{
		site: site, event: e, question: q, asks: r.Visit.Ask, imported: r.Import, outcome: o, start: start, end: len(s.bodies), idHash: index.FilterHash(e.MessageID),
	})
}

// body returns an event's record without its head.
func (s *submission) body(ev *submitted) []byte { return s.bodies[ev.start:ev.end] }
