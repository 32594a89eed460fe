// The sequencer: the first stage of the pipeline of commit.go. It gives every event its
// place: duplicate or new, person, session, seq, and which of its values count.

package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"unsafe"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"
)

// A group closes at these sizes; a request is never split over two.
const (
	groupBytesMax  = 2 << 20
	groupEventsMax = 4096
)

// sequencer gives events their place. Its state runs ahead of what is published
// by at most the group being gathered and the one being committed.
type sequencer struct {
	e           *Engine
	ids         *identity.IDs
	recent      *recent
	filters     *heldFilters
	unknown     []*submitted // events of a request whose message ids are not among the newest
	idHashes    []uint64     // of their ids
	maybe       []int32      // which of these a run may hold
	cardinality *cardinality
	held        *submission                                // for the next group: memory had no room for it in the one before
	next        map[*siteState]uint64                      // seq of the next event
	since       int                                        // events since the ids were written
	asked       uint64                                     // times that memory was asked for
	idle        bool                                       // the publisher waits for a group
	counts      []index.Total                              // of the event being placed
	yield       func(property, term string, by int64) bool // appends to counts
	over        []event.Term                               // of that: what is over the cap
	capped      []event.Term                               // the same by property
	at          struct {                                   // where admit is asked
		sg  *siteGroup
		day int32
		err error
	}
	admit     func(name string) bool // says whether a name counts by itself, else adds it to left
	left      []string               // names that do not; in leftText
	leftText  []byte
	shares    map[string]overShare
	name      func(event.Dialect) string // names a new session
	scratch   []byte
	note      []byte
	sessions  [512]byte
	sessionAt int
}

// newSequencer makes a sequencer for an open store whose log is replayed next.
func newSequencer(e *Engine, ids *identity.IDs, recent *recent) *sequencer {
	s := &sequencer{
		e:           e,
		ids:         ids,
		recent:      recent,
		filters:     newHeldFilters(e.memory.Filters, e.cache.Corrupt, e.countFilterBytes),
		cardinality: newCardinality(e.db, e.logUnreadable),
		next:        make(map[*siteState]uint64),
	}
	s.cardinality.max, s.cardinality.namesMax = e.opts.ValuesPerDay, e.opts.NamesPerDay
	s.yield = func(property, term string, by int64) bool {
		s.counts = append(s.counts, index.Total{Property: property, Value: term, Sum: by})
		return true
	}
	s.name = s.newSession
	s.admit = s.admits
	return s
}

// run gathers groups until the queue is closed.
func (s *sequencer) run() {
	defer close(s.e.groups)
	for {
		first, on := s.first()
		if !on {
			return
		}
		if first == nil {
			s.commit(s.e.newGroup())
			continue
		}
		if room := s.asks(new(group), first).most(); s.e.sealer.behind(room) {
			// Memory is bounded. What the sealer waits for from here is written first.
			s.e.idsWanted.Store(true)
			s.commit(s.e.newGroup())
			s.e.sealer.catchUp(room)
		}
		s.cardinality.trim()
		g := s.e.newGroup()
		s.take(g, first)
		s.gather(g)
		s.commit(g)
	}
}

// first waits for the submission that the next group begins with. It is nil when the sealer
// wants the table of ids written instead; on is false when the queue is closed.
func (s *sequencer) first() (first *submission, on bool) {
	if first, s.held = s.held, nil; first != nil {
		return first, true
	}
	select {
	case first, on = <-s.e.queue:
		return first, on
	case <-s.e.wake:
		return nil, true
	}
}

// commit hands a group to the publisher.
func (s *sequencer) commit(g *group) {
	if err := s.seal(g); err != nil {
		s.e.fail(fmt.Errorf("write group: %w", err))
	}
	s.drain()
	s.idle = false
	s.e.asked.Add(g.asked.most()) // until the rows are there
	wroteIDs := g.ids
	s.e.groups <- g // the publisher's from here on
	if wroteIDs && s.ids.Over() {
		// Entries may leave memory only when Pebble has them.
		s.drain()
		s.ids.Evict()
	}
}

// gather adds to g what arrives until it is full, memory has no room for more or the
// publisher waits for it.
func (s *sequencer) gather(g *group) {
	for g.events < groupEventsMax && g.bytes < groupBytesMax && len(g.subs) < groupEventsMax {
		var sub *submission
		select {
		case sub = <-s.e.queue:
		default:
			if s.idle {
				return
			}
			select {
			case sub = <-s.e.queue:
			case <-s.e.ready:
				s.idle = true
				continue
			}
		}
		if sub == nil {
			return // the queue is closed
		}
		if s.e.crowded(s.asks(g, sub).most()) {
			s.held = sub
			return
		}
		s.take(g, sub)
	}
}

// drain waits until every group handed over is published.
func (s *sequencer) drain() {
	if !s.idle {
		<-s.e.ready
		s.idle = true
	}
}

// take places the events of one submission.
func (s *sequencer) take(g *group, sub *submission) {
	s.e.queued.Add(-sub.bytes)
	s.e.queuedEvents.Add(-int64(len(sub.events)))
	g.subs = append(g.subs, sub)
	g.asked = s.asks(g, sub)
	if sub.err = s.e.failure(); sub.err != nil {
		return
	}
	// What is read from sealed rows is read first: where they are damaged the request
	// is refused, nothing of it being placed, and all others go on.
	if sub.err = s.findOriginals(sub); sub.err != nil {
		return
	}
	for i := range sub.events {
		if err := s.place(g, sub, &sub.events[i]); err != nil {
			// Part of the request is placed: the group cannot go on without it.
			s.e.fail(fmt.Errorf("place event: %w", err))
			sub.err = query.ErrFailed
			return
		}
	}
}

// nextSeq is the seq that the site's next event gets.
func (s *sequencer) nextSeq(site *siteState) uint64 {
	return max(1, s.next[site])
}

func (s *sequencer) place(g *group, sub *submission, ev *submitted) error {
	e, site := ev.event, ev.site
	next := s.nextSeq(site)
	if e.MessageID != "" {
		seq := ev.original
		if seq == 0 {
			seq = s.recent.find(ev.hi, ev.lo) // of the same request
		}
		if seq != 0 {
			ev.outcome.Status, ev.outcome.Seq = event.Duplicate, seq
			s.e.stats.duplicates.Add(1)
			return nil
		}
	}
	dirty := s.ids.ChangedBytes()
	p, err := s.ids.Assign(site.ID, next, e, &ev.question, s.name)
	if err != nil {
		return err
	}
	if p.Refuse != nil || p.Skip {
		return s.answerHit(g, ev, next, &p)
	}
	g.bytes += max(0, s.ids.ChangedBytes()-dirty)
	if e.MessageID != "" {
		s.recent.add(site.ID, ev.hi, ev.lo, next)
	}
	sg := g.of(site, next)
	ev.begins = p.Session == next
	if len(p.Links) > 0 {
		sg.links = append(sg.links, seqLink{next, p.Links})
	}
	head := event.Head{SessionOrd: p.Session, PersonOrd: p.Person, Session: p.SessionID}
	if head.Session == "" {
		head.Session = e.Session
	}
	noted := s.cardinality.noted
	if err := s.count(sg, e, &head); err != nil {
		return err
	}
	g.bytes += s.cardinality.noted - noted
	record := g.record(&head, sub.body(ev))
	if len(record) > event.RecordBytesMax {
		// event.Validate bounds what is counted of an event, and by that its record: this
		// cannot be. Nothing of the group is written.
		return fmt.Errorf("the record of event %d of site %d has %d bytes", next, site.ID, len(record))
	}
	sg.records = append(sg.records, record)
	s.next[site] = next + 1
	ev.outcome.Status, ev.outcome.Seq, ev.outcome.Session = event.Stored, next, head.Session
	g.events++
	g.bytes += len(record)
	s.since++
	return nil
}

// count adds the event to the group's deltas, as it is stored: values over the
// cap as event.Other.
func (s *sequencer) count(sg *siteGroup, e *event.Event, head *event.Head) error {
	s.counts, s.left, s.leftText = s.counts[:0], s.left[:0], event.Emptied(s.leftText, leftTextKept)
	s.at.sg, s.at.day, s.at.err = sg, e.Day, nil
	sg.terms.Admit = s.admit
	e.CountsIn(&sg.terms, s.yield)
	if s.at.err != nil {
		return s.at.err
	}
	if len(s.left) > 0 {
		slices.Sort(s.left)
		s.left = slices.Compact(s.left)
		head.CappedNames = s.left
	}
	s.cardinality.nextEvent()
	s.over = s.over[:0]
	for i := range s.counts {
		c := &s.counts[i]
		over, err := s.cardinality.count(sg, c.Property, e.Day, c.Value, c.Sum, s.drain)
		if err != nil {
			return err
		}
		if over {
			s.over = append(s.over, event.Term{Property: c.Property, Value: c.Value})
		}
	}
	if len(s.over) > 0 {
		head.Capped, head.CappedByProperty = s.byProperty(), true
	}
	return nil
}

// leftTextKept is how many bytes are kept for the names that the next events leave out.
const leftTextKept = 1 << 16

// admits says whether a name of the event at hand counts by itself. One that does not is
// one of left.
func (s *sequencer) admits(name string) bool {
	yes, err := s.cardinality.name(s.at.sg.site, s.at.day, name, s.drain)
	if err != nil {
		s.at.err = err
		return true
	}
	if n := len(s.left); !yes && (n == 0 || s.left[n-1] != name) {
		at := len(s.leftText)
		s.leftText = append(s.leftText, name...)
		s.left = append(s.left, unsafe.String(unsafe.SliceData(s.leftText[at:]), len(name)))
	}
	return yes
}

// overShare is how many values of a property the event at hand counts, how many of
// these are over the cap, and where the next of them stands.
type overShare struct {
	counted, over int
	next          int // plus 1
}

// byProperty is what of the event at hand is over the cap, each property once. If all
// values of a property are over, one entry says so: a property with only new values ends
// this way.
func (s *sequencer) byProperty() []event.Term {
	if s.shares == nil {
		s.shares = make(map[string]overShare)
	}
	defer clear(s.shares)
	for _, t := range s.over {
		share := s.shares[t.Property]
		share.over++
		s.shares[t.Property] = share
	}
	for i := range s.counts {
		if share, some := s.shares[s.counts[i].Property]; some {
			share.counted++
			s.shares[s.counts[i].Property] = share
		}
	}
	n := 0
	s.capped = append(s.capped[:0], s.over...) // as long as it can be
	for _, t := range s.over {
		share := s.shares[t.Property]
		all := share.over == share.counted
		switch {
		case share.next > 0 && all:
			continue
		case share.next == 0 && all:
			t.Value = event.Other
			share.next = n + 1
			n++
		case share.next == 0:
			share.next = n + 1
			n += share.over
		}
		s.capped[share.next-1] = t
		share.next++
		s.shares[t.Property] = share
	}
	return s.capped[:n]
}

// newSession makes a random session id in the form of the dialect's.
func (s *sequencer) newSession(d event.Dialect) string {
	if s.sessionAt == 0 {
		_, _ = rand.Read(s.sessions[:])
	}
	id := hex.EncodeToString(s.sessions[s.sessionAt : s.sessionAt+16])
	s.sessionAt = (s.sessionAt + 16) % len(s.sessions)
	return sessionName(d, id)
}

// seal writes the group into its batch, keys ascending.
func (s *sequencer) seal(g *group) (err error) {
	slices.SortFunc(g.order, func(a, b *siteGroup) int { return cmp.Compare(a.site.ID, b.site.ID) })
	for _, sg := range g.order {
		if s.scratch, err = wal.Append(g.batch, sg.site.ID, sg.first, sg.records, s.scratch); err != nil {
			return err
		}
	}
	for _, sg := range g.order {
		s.note = s.cardinality.appendDeltas(s.note[:0], sg.counted)
		if s.scratch, err = wal.AppendNote(g.batch, sg.site.ID, sg.first, s.note, s.scratch); err != nil {
			return err
		}
	}
	if cap(s.note) > groupArenaKept {
		s.note = nil
	}
	if cap(s.scratch) > groupArenaKept {
		s.scratch = nil
	}
	if s.since >= s.e.opts.SealRows || s.ids.Due() || s.e.idsWanted.Load() {
		s.e.idsWanted.Store(false)
		s.since = 0
		g.ids = true
		if err := s.ids.Flush(g.batch); err != nil {
			return err
		}
	}
	for _, sg := range g.order {
		for _, l := range sg.links {
			if err := identity.PutLinks(g.batch, sg.site.ID, l.seq, l.links); err != nil {
				return err
			}
		}
	}
	return nil
}
