// Kept steps: what a run adds to the steps of a series, or to a count, which has one step. Steps are
// counted from the first one that the run can have, so they stay valid when the series begins
// elsewhere.

package read

import (
	"sort"

	"cairn/engine/identity"
	"cairn/engine/table"
)

// packedSteps is what a run adds, in little memory. It does not change.
type packedSteps struct {
	events          []uint64 // by step
	users, sessions []byte   // pairs of a step and an ordinal, see packPairs
}

func (k *packedSteps) size() int { return 8*len(k.events) + len(k.users) + len(k.sessions) }

// keptSteps adds kept runs to a sum, and keeps those that are read.
type keptSteps struct {
	keptRuns
	pred   *predicate
	starts []int64
	what   string
	sum    *stepSum
	spill  *spill

	large map[*table.Part]bool // runs that are known to be too large to be kept

	// The run that is being read; nil = none that will be kept. Its slices follow each other.
	part            *table.Part
	first           int  // its first step
	bad             bool // it has a row at a time that its descriptor does not have
	events          []uint64
	users, sessions pairBag
}

// take adds the runs that are kept. It returns the row ranges of all other parts.
func (k *keptSteps) take(v *view) (rest []rowRange, err error) {
	k.large = make(map[*table.Part]bool)
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		if p.Run != nil && k.pred.outside(p.Run) {
			continue
		}
		if p.Run == nil || !k.keeps(p.Run, k.pred) {
			rest = appendRowRanges(p, rest)
			continue
		}
		packed, ok := keptPart[*packedSteps](&k.keptRuns, k.cutKey(p, k.pred, k.what))
		if !ok || packed == nil {
			k.large[p] = ok
			rest = appendRowRanges(p, rest)
			continue
		}
		if err := v.budget.check(); err != nil {
			return nil, err
		}
		k.addPacked(packed, k.firstStep(p))
	}
	return rest, nil
}

// addPacked adds a kept run, whose steps are counted from first.
func (k *keptSteps) addPacked(packed *packedSteps, first int) {
	for i, n := range packed.events {
		k.sum.buckets[first+i].Events += n
	}
	buf := make([]uint64, 0, 1024)
	unpack := func(b []byte, to *stepOrds) {
		eachPacked(b, buf, func(pairs []uint64) { to.addAll(pairs, first) })
	}
	unpack(packed.users, &k.sum.users)
	unpack(packed.sessions, &k.sum.sessions)
}

// firstStep returns the first step that a row of a run can be in.
func (k *keptSteps) firstStep(p *table.Part) int {
	at := max(p.Run.TimeMin, k.pred.timeFrom)
	return max(0, sort.Search(len(k.starts), func(i int) bool { return k.starts[i] > at })-1)
}

// next ends the run that is being read, unless p is it, and begins p when it is to be kept.
func (k *keptSteps) next(p *table.Part) error {
	if k.part == p {
		return nil
	}
	if k.part != nil {
		if err := k.end(); err != nil {
			return err
		}
	}
	if p != nil && p.Run != nil && k.keeps(p.Run, k.pred) && !k.large[p] {
		k.part, k.first, k.bad = p, k.firstStep(p), false
		k.events = make([]uint64, len(k.starts)-k.first)
		k.users, k.sessions = pairBag{spill: k.spill}, pairBag{spill: k.spill}
	}
	return nil
}

// add adds a slice to the run that is being read. It returns false when the slice is none of it.
func (k *keptSteps) add(s *stepSlice) bool {
	if k.part == nil || s.part != k.part || k.bad {
		return false
	}
	for _, n := range s.events[:k.first] {
		if n > 0 {
			k.bad = true
			return false
		}
	}
	for i, n := range s.events[k.first:] {
		k.events[i] += n
	}
	add := func(pairs []uint64, to *pairBag) {
		for _, pair := range pairs {
			step, ord := identity.SplitPair(pair)
			to.add(identity.PairOf(step-k.first, ord))
		}
	}
	add(s.users.pairs, &k.users)
	add(s.sessions.pairs, &k.sessions)
	return true
}

// end adds the run that was read to the sum, and keeps it.
func (k *keptSteps) end() error {
	for i, n := range k.events {
		k.sum.buckets[k.first+i].Events += n
	}
	if err := k.users.each(func(pairs []uint64) { k.sum.users.addAll(pairs, k.first) }); err != nil {
		return err
	}
	if err := k.sessions.each(func(pairs []uint64) { k.sum.sessions.addAll(pairs, k.first) }); err != nil {
		return err
	}
	// Once the time is over, conditions may select wrong rows.
	if err := k.pred.complete(k.view.budget); err != nil {
		return err
	}
	if !k.bad {
		k.keep()
	}
	k.users.empty()
	k.sessions.empty()
	k.part = nil
	return nil
}

// keep keeps the run that was read, or that it is too large.
func (k *keptSteps) keep() {
	key := k.cutKey(k.part, k.pred, k.what)
	last := len(k.events)
	for last > 0 && k.events[last-1] == 0 {
		last--
	}
	var packed *packedSteps
	if len(k.users.runs)+len(k.sessions.runs) == 0 {
		packed = &packedSteps{append([]uint64(nil), k.events[:last]...), packPairs(k.users.pairs), packPairs(k.sessions.pairs)}
		if k.results.put(key, packed, packed.size()) {
			return
		}
	}
	k.results.put(key, (*packedSteps)(nil), 0)
}
