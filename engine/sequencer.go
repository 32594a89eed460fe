// The sequencer is the first stage of the pipeline described in commit.go. It decides
// everything about an event: whether it is a duplicate, its person, its session, its seq,
// and which of its values are counted.

package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"
)

// A group closes when it reaches one of these sizes. A request is never split over two
// groups.
const (
	groupBytesMax  = 2 << 20
	groupEventsMax = 4096
)

// sequencer gives each event its seq, person and session. Its state is ahead of the
// published rows by at most two groups: the one being gathered and the one being committed.
type sequencer struct {
	e           *Engine
	ids         *identity.IDs
	recent      *recent
	filters     *heldFilters
	window      *dedupWindow
	unknown     []*submitted // events of a request whose message ids are not among the newest
	idHashes    []uint64     // filter hashes of their message ids
	maybe       []int32      // indexes into idHashes of the ids that a part may hold
	sought      []*submitted // those of them whose original is not found yet
	soughtIDs   []string     // and their message ids
	cardinality *cardinality
	job         *job                                       // done before the next group; nil = none
	held        *submission                                // begins the next group, because memory had no room for it in the last one
	next        map[*siteState]uint64                      // seq of each site's next event
	unflushed   int                                        // events since the table of ids was last written
	idsMissed   uint64                                     // what ids.Missed returned when seekMore decided last
	idsAsked    uint64                                     // the same
	imported    bool                                       // the store has the version that imported rows need
	asked       uint64                                     // number of calls of asks; a site with this number is already counted
	idle        bool                                       // the publisher has published all groups and waits for the next
	counts      []index.Total                              // of the event being placed
	yield       func(property, term string, by int64) bool // appends to counts
	over        []event.Term                               // the entries of counts that are over the cap
	capped      []event.Term                               // the same, grouped by property
	at          struct {                                   // the event that admit is asked about
		sg  *siteGroup
		day int32
		err error
	}
	admit     func(name string) bool // reports whether a name counts by itself; if not, it adds the name to left
	left      []string               // names that do not count by themselves; their text is in leftText
	leftText  []byte
	shares    map[string]overShare
	name      func(event.Dialect) string // names a new session
	scratch   []byte
	note      []byte
	sessions  [512]byte
	sessionAt int
}

// newSequencer makes a sequencer for an open store. The caller replays the log next.
func newSequencer(e *Engine, ids *identity.IDs, recent *recent) *sequencer {
	s := &sequencer{
		e:           e,
		ids:         ids,
		recent:      recent,
		filters:     newHeldFilters(e.pool.filtersMost.Load, e.memory.FilterPages, 2*e.opts.Rest, e.cache.Corrupt, e.countFilterBytes),
		cardinality: newCardinality(e.db, e.logUnreadable),
		next:        make(map[*siteState]uint64),
		window:      &dedupWindow{length: e.opts.Dedup.Milliseconds(), elapsed: e.opts.Elapsed}, // Open loads the stored one
	}
	s.cardinality.max, s.cardinality.namesMax = e.opts.ValuesPerDay, e.opts.NamesPerDay
	s.cardinality.bytesMax, s.cardinality.namesBytesMax = int(e.pool.valuesMost.Load()), int(e.memory.CountedNames)
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
		if j := s.job; j != nil {
			s.job = nil
			s.work(j)
			continue
		}
		if first == nil {
			s.commit(s.e.newGroup())
			continue
		}
		if room := s.asks(new(group), first).most(); s.e.sealer.behind(room) {
			// Memory is bounded. The sealer may wait for the table of ids, so the sequencer
			// writes that first and then waits for the sealer.
			s.e.idsWanted.Store(true)
			s.commit(s.e.newGroup())
			if err := s.e.sealer.catchUp(room); err != nil {
				s.refuse(first, err)
				continue
			}
		}
		s.filters.tend()
		s.seekMore()
		s.fit()
		g := s.e.newGroup()
		s.take(g, first)
		s.gather(g)
		s.commit(g)
	}
}

// refuse answers a submission that is not placed.
func (s *sequencer) refuse(sub *submission, err error) {
	s.e.queued.Add(-sub.bytes)
	s.e.queuedEvents.Add(-int64(len(sub.events)))
	sub.err = err
	sub.done <- struct{}{} // now the submitter owns sub
}

// first waits for the submission that begins the next group. It returns nil if the sealer
// wants the table of ids written instead. on is false when the queue is closed.
func (s *sequencer) first() (first *submission, on bool) {
	if first, s.held = s.held, nil; first != nil {
		return first, true
	}
	select { // under load, a job does not wait for an empty queue
	case s.job = <-s.e.jobs:
		return nil, true
	default:
	}
	var quiet <-chan time.Time // nil when there is nothing to give back
	if s.hasMore() {
		select {
		case first, on = <-s.e.queue:
			return first, on
		default:
			t := time.NewTicker(s.e.opts.Rest)
			defer t.Stop()
			quiet = t.C
		}
	}
	for {
		select {
		case first, on = <-s.e.queue:
			return first, on
		case <-s.e.wake:
			return nil, true
		case s.job = <-s.e.jobs:
			return nil, true
		case now := <-quiet:
			if s.rest(now); !s.hasMore() {
				quiet = nil
			}
		}
	}
}

// commit hands a group to the publisher.
func (s *sequencer) commit(g *group) {
	if err := s.seal(g); err != nil {
		s.e.fail(fmt.Errorf("write group: %w", err))
	}
	s.drain()
	s.idle = false
	s.e.asked.Add(g.asked.most()) // the publisher takes it back when the rows are in memory
	wroteIDs := g.ids
	s.e.groups <- g // now the publisher owns g
	if s.ids.Over() {
		if wroteIDs { // entries may leave memory only after Pebble has them
			s.drain()
		}
		s.ids.Evict()
	}
}

// gather adds submissions to g until g is full, memory has no room for more, or the queue
// is empty while the publisher waits for g.
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

// drain waits until every group that was handed over is published.
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
	if !sub.state.CompareAndSwap(subQueued, subTaken) {
		return
	}
	defer sub.state.Store(subPlaced)
	g.subs = append(g.subs, sub)
	g.asked = s.asks(g, sub)
	if sub.err = s.e.failure(); sub.err != nil {
		return
	}
	if len(sub.events) > 0 && sub.events[0].imported == nil {
		s.window.note(sub.events[0].event.Received) // all events of a request are received together
	}
	// findOriginals reads sealed rows, so it runs before any event is placed. If those rows
	// are damaged, this request is refused as a whole and all others go on.
	if sub.err = s.findOriginals(g, sub); sub.err != nil {
		return
	}
	for i := range sub.events {
		if !s.ids.Probes(len(sub.events)) {
			break
		}
		ev := &sub.events[i]
		if sub.err = s.ids.Probe(ev.site.ID, ev.event, &ev.question); sub.err != nil {
			return
		}
	}
	for i := range sub.events {
		if i%identity.TouchMax == 0 && len(sub.events) > 1 {
			for k := i; k < min(i+identity.TouchMax, len(sub.events)); k++ {
				s.ids.Touch(sub.events[k].site.ID, sub.events[k].event)
			}
			s.ids.Touched()
		}
		if err := s.place(g, sub, &sub.events[i]); err != nil {
			// Part of the request is placed. The group can no longer be written without it.
			s.e.fail(fmt.Errorf("place event: %w", err))
			sub.err = query.ErrFailed
			return
		}
	}
}

// nextSeq returns the seq of the site's next event.
func (s *sequencer) nextSeq(site *siteState) uint64 {
	return max(1, s.next[site])
}

// place gives an event its seq, person and session, or finds that it is a duplicate. It
// adds the event's record to the group. After an error part of the request may be in the
// group.
func (s *sequencer) place(g *group, sub *submission, ev *submitted) error {
	e, site := ev.event, ev.site
	next := s.nextSeq(site)
	if ev.imported != nil && ev.imported.Row != 0 {
		ev.outcome.Status, ev.outcome.Seq = event.Duplicate, ev.imported.Row
		s.e.stats.duplicates.Add(1)
		return nil
	}
	if e.MessageID != "" {
		seq := ev.original
		if seq == 0 {
			seq = s.recent.find(ev.hi, ev.lo) // the original may be in the same request
			if seq != 0 && ev.imported != nil && (seq == ev.stale || s.placedBefore(g, ev, seq)) {
				seq = 0
			}
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
	if ev.begins {
		head.SessionOf = e.SessionOf
	}
	noted := s.cardinality.noted
	if err := s.count(sg, e, &head); err != nil {
		return err
	}
	g.bytes += s.cardinality.noted - noted
	record := g.record(&head, sub.body(ev))
	if len(record) > event.RecordBytesMax {
		// event.Validate bounds what is counted of an event, and so the length of its
		// record. A longer record is a bug. Nothing of the group is written.
		return fmt.Errorf("the record of event %d of site %d has %d bytes", next, site.ID, len(record))
	}
	sg.records = append(sg.records, record)
	if e.Imported {
		if err := s.noteImported(); err != nil {
			return err
		}
	}
	if err := s.importHeartbeat(g, ev, &p); err != nil {
		return err
	}
	s.next[site] = next + 1
	ev.outcome.Status, ev.outcome.Seq, ev.outcome.Session = event.Stored, next, head.Session
	g.events++
	g.bytes += len(record)
	s.unflushed++
	return nil
}

// count adds the event to the group's deltas and notes in head what was over the cap.
// Values over the cap count as event.Other.
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

// leftTextKept is how many bytes of leftText are kept for later events.
const leftTextKept = 1 << 16

// admits reports whether a name of the current event counts by itself. If not, it adds the
// name to left.
func (s *sequencer) admits(name string) bool {
	yes, err := s.cardinality.name(s.at.sg, s.at.day, name, s.drain)
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

// overShare says how many values of a property the current event counts, how many of these
// are over the cap, and where the next of them goes in capped.
type overShare struct {
	counted, over int
	next          int // index in capped plus 1; 0 = none yet
}

// byProperty returns the current event's values that are over the cap, grouped by property.
// If all values of a property are over, a single entry event.Other stands for them.
// Properties that have only new values usually end this way.
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
	s.capped = append(s.capped[:0], s.over...) // the result is never longer
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

// newSession returns a random session id in the form of the dialect's session ids.
func (s *sequencer) newSession(d event.Dialect) string {
	if s.sessionAt == 0 {
		_, _ = rand.Read(s.sessions[:])
	}
	id := hex.EncodeToString(s.sessions[s.sessionAt : s.sessionAt+16])
	s.sessionAt = (s.sessionAt + 16) % len(s.sessions)
	return sessionName(d, id)
}

// seal writes the group into its batch, with keys in ascending order.
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
	if s.window.due() && len(g.order) > 0 {
		if err := s.window.save(g.batch); err != nil {
			return err
		}
	}
	if s.unflushed >= s.e.opts.SealRows || s.ids.Due() || s.e.idsWanted.Load() {
		s.e.idsWanted.Store(false)
		s.unflushed = 0
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
