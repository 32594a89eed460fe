// Steps: the people and sessions of each step of time. Slices are read side by side and taken
// newest first.

package read

import (
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
)

// stepSlice is what one slice has of each step.
type stepSlice struct {
	first           uint64   // seq of its first row
	events          []uint64 // by step
	users, sessions pairList
}

// bytes returns how many bytes the pairs have while the slice waits to be taken.
func (s *stepSlice) bytes() int64 { return 8 * int64(len(s.users.pairs)+len(s.sessions.pairs)) }

// stepSlices is the memory of slices, for use again.
var stepSlices = sync.Pool{New: func() any { return new(stepSlice) }}

func newStepSlice(rr *rowRange, steps int) *stepSlice {
	s := stepSlices.Get().(*stepSlice)
	s.first = rr.part.First() + uint64(rr.from)
	if cap(s.events) < steps {
		s.events = make([]uint64, steps)
	}
	s.events = s.events[:steps]
	clear(s.events)
	s.users.empty()
	s.sessions.empty()
	return s
}

// pairList is the pairs of a step and an ordinal in one slice.
type pairList struct {
	pairs  []uint64
	recent identity.RecentFilter
}

func (l *pairList) empty() {
	l.pairs = l.pairs[:0]
	clear(l.recent[:])
}

// add adds a pair. It does not add ordinal 0.
func (l *pairList) add(step int, ord uint64) {
	if pair := identity.PairOf(step, ord); ord != 0 && l.recent.New(pair) {
		l.pairs = append(l.pairs, pair)
	}
}

// sort sorts the pairs and removes duplicates.
func (l *pairList) sort() { l.pairs = sortPairs(l.pairs) }

// countSteps counts the events of each step, and its users and sessions when metrics has them.
func (v *view) countSteps(pred *predicate, starts []int64, buckets []query.Bucket, metrics query.Metrics) error {
	sp, room := v.budget.spill(), v.budget.reports.room()
	defer sp.close()
	defer room.Close()
	users := pairBag{spill: sp}
	sessions := sessionSteps{rest: pairBag{spill: sp}, add: func(step int) { buckets[step].Sessions++ }}
	err := readInOrder(v.budget, pred, v.rowRanges(), func(r *rangeReader, rr *rowRange) (*stepSlice, error) {
		s, err := r.stepSlice(rr, starts, metrics)
		if err == nil && s != nil {
			err = room.Add(s.bytes())
		}
		return s, err
	}, func(s *stepSlice) bool {
		for i, n := range s.events {
			buckets[i].Events += n
		}
		for _, pair := range s.users.pairs {
			users.add(pair)
		}
		sessions.take(s.sessions.pairs, s.first)
		room.Sub(s.bytes())
		stepSlices.Put(s)
		return true
	})
	if err != nil {
		return err
	}
	if err := sessions.end(); err != nil {
		return err
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	return users.eachPerson(p, func(step int) { buckets[step].Users++ })
}

// stepSlice reads a row range.
func (r *rangeReader) stepSlice(rr *rowRange, starts []int64, metrics query.Metrics) (*stepSlice, error) {
	opened, err := r.open(rr)
	if opened == nil {
		return nil, err
	}
	part, bucket, s := opened.Get(), bucketAt(starts), newStepSlice(rr, len(starts))
	times, person, session := newRowInts(part.Ints(event.IntTime)), newRowInts(part.Ints(event.IntPerson)), newRowInts(part.Ints(event.IntSession))
	wantUsers, wantSessions := metrics.Has(query.MetricUsers), metrics.Has(query.MetricSessions)
	var steps []int
	err = r.each(rr, func(rows []int32) {
		steps = steps[:0]
		for _, at := range times.of(rows) {
			step := bucket(at)
			if steps = append(steps, step); step >= 0 {
				s.events[step]++
			}
		}
		if wantUsers {
			s.users.addAll(steps, person.of(rows))
		}
		if wantSessions {
			s.sessions.addAll(steps, session.of(rows))
		}
	})
	if err == nil {
		err = opened.Err()
	}
	s.users.sort()
	s.sessions.sort()
	return s, err
}

// addAll adds the pairs of rows that are in a step.
func (l *pairList) addAll(steps []int, ords []int64) {
	for i, ord := range ords {
		if steps[i] >= 0 {
			l.add(steps[i], uint64(ord))
		}
	}
}

// sessionSteps counts pairs of a step and a session. It takes the pairs of slices, newest first.
// The ordinal of a session is the seq of its first row: no slice older than that row has the
// session. So only the pairs of sessions that began before the slices so far are in memory.
type sessionSteps struct {
	add   func(step int) // is called for each pair
	open  []uint64       // pairs of sessions that began before the slices so far, ascending
	spare []uint64       // memory of the next open
	rest  pairBag        // all further pairs, once open has had too many
	full  bool           // it has
}

// take adds the pairs of a slice, ascending and each once, whose first row has the seq first.
func (s *sessionSteps) take(pairs []uint64, first uint64) {
	if s.full {
		for _, pair := range pairs {
			s.rest.add(pair)
		}
		return
	}
	next, open := s.spare[:0], s.open
	for len(open) > 0 || len(pairs) > 0 {
		var pair uint64
		switch {
		case len(pairs) == 0 || len(open) > 0 && open[0] < pairs[0]:
			pair, open = open[0], open[1:]
		default:
			if pair = pairs[0]; len(open) > 0 && open[0] == pair {
				open = open[1:]
			}
			pairs = pairs[1:]
		}
		if step, ord := identity.SplitPair(pair); ord >= first {
			s.add(step)
		} else {
			next = append(next, pair)
		}
	}
	s.open, s.spare = next, s.open
	if len(s.open) > s.rest.spill.free() {
		// No pair that was counted comes again, so the others may begin anew in the bag.
		for _, pair := range s.open {
			s.rest.add(pair)
		}
		s.open, s.spare, s.full = nil, nil, true
	}
}

// end counts the pairs that are left.
func (s *sessionSteps) end() error {
	for _, pair := range s.open {
		step, _ := identity.SplitPair(pair)
		s.add(step)
	}
	return s.rest.eachPair(func(step int, _ uint64) { s.add(step) })
}
