// Steps: the people and sessions of each step of time. Slices are read side by side and taken
// newest first.

package read

import (
	"cmp"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
)

// stepSlice is what one slice has of each step.
type stepSlice struct {
	part            *table.Part
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
	s.part, s.first = rr.part, rr.part.First()+uint64(rr.from)
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
// what names the steps and the metrics; kept may be the zero keptRuns.
func (v *view) countSteps(pred *predicate, starts []int64, buckets []query.Bucket, metrics query.Metrics, what string, kept keptRuns) error {
	sp, room := v.budget.spill(), v.budget.reports.room()
	defer sp.close()
	defer room.Close()
	sum := stepSum{buckets: buckets, users: v.newStepOrds(sp, room, len(starts))}
	sum.inOrder = sessionSteps{rest: pairBag{spill: sp}, add: func(step int) { buckets[step].Sessions++ }}
	ranges := v.rowRanges()
	runs := keptSteps{keptRuns: kept, pred: pred, starts: starts, what: what, sum: &sum, spill: sp}
	if kept.store {
		sum.sessions = v.newStepOrds(sp, room, len(starts)) // slices of kept runs do not come in order
		sum.anyOrder = true
		var err error
		if ranges, err = runs.take(v); err != nil {
			return err
		}
	}
	var failed error
	err := readInOrder(v.budget, pred, ranges, func(r *rangeReader, rr *rowRange) (*stepSlice, error) {
		s, err := r.stepSlice(rr, starts, metrics)
		if err == nil && s != nil {
			err = room.Add(s.bytes())
		}
		return s, err
	}, func(s *stepSlice) bool {
		if failed = runs.next(s.part); failed != nil {
			return false
		}
		if !runs.add(s) {
			sum.add(s)
		}
		room.Sub(s.bytes())
		stepSlices.Put(s)
		return true
	})
	if err = cmp.Or(err, failed); err == nil {
		err = runs.next(nil)
	}
	if err != nil {
		return err
	}
	return sum.end(v)
}

// stepSum is the answer in the making.
type stepSum struct {
	buckets  []query.Bucket
	users    stepOrds
	anyOrder bool         // slices come in any order
	inOrder  sessionSteps // sessions of slices that come newest first
	sessions stepOrds     // those of others
}

// add adds a slice.
func (t *stepSum) add(s *stepSlice) {
	for i, n := range s.events {
		t.buckets[i].Events += n
	}
	t.users.addAll(s.users.pairs, 0)
	if t.anyOrder {
		t.sessions.addAll(s.sessions.pairs, 0)
	} else {
		t.inOrder.take(s.sessions.pairs, s.first)
	}
}

// end counts the users and sessions.
func (t *stepSum) end(v *view) error {
	if err := t.inOrder.end(); err != nil {
		return err
	}
	if err := t.sessions.each(func(step, n int) { t.buckets[step].Sessions += uint64(n) }); err != nil {
		return err
	}
	p, err := v.persons()
	if err != nil {
		return err
	}
	return t.users.eachPerson(p, func(step, n int) { t.buckets[step].Users += uint64(n) })
}

// stepOrds is the ordinals of each step: in sets if these have room for sure, otherwise in a bag.
type stepOrds struct {
	sets []identity.OrdSet // by step
	bag  pairBag
}

// stepSetsMax is how many sets there are at most. Each takes some KiB, however few ordinals it has.
const stepSetsMax = 128

func (v *view) newStepOrds(sp *spill, room *Room, steps int) stepOrds {
	const page, set = 8<<10 + 128, 5 << 10
	if steps <= stepSetsMax && room.Spare(int64(steps)*(set+page*int64(v.Last>>16+1))) {
		return stepOrds{sets: make([]identity.OrdSet, steps)}
	}
	return stepOrds{bag: pairBag{spill: sp}}
}

// addAll adds pairs of a step, counted from the step first, and an ordinal.
func (o *stepOrds) addAll(pairs []uint64, first int) {
	for _, pair := range pairs {
		step, ord := identity.SplitPair(pair)
		if o.sets != nil {
			o.sets[first+step].Add(ord)
		} else {
			o.bag.add(identity.PairOf(first+step, ord))
		}
	}
}

// each calls fn with the number of ordinals that a step has, once or several times for each step.
func (o *stepOrds) each(fn func(step, n int)) error {
	for step := range o.sets {
		fn(step, o.sets[step].Len())
	}
	return o.bag.eachPair(func(step int, _ uint64) { fn(step, 1) })
}

// eachPerson is each for persons.
func (o *stepOrds) eachPerson(p identity.Persons, fn func(step, n int)) error {
	for step := range o.sets {
		fn(step, o.sets[step].CountPersons(p))
	}
	return o.bag.eachPerson(p, func(step int) { fn(step, 1) })
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
