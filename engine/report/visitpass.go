// Visits of a question: the pass, the conditions, and what is known at the end alone.

package report

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// visitPass finds the counted visits that satisfy the conditions of a question.
type visitPass struct {
	passQuestion
	rows   *read.Rows
	filter *visitFilter
	people identity.Persons
	fresh  bool         // tell new visits from others
	anyRow bool         // a visit counts without a row that satisfies the conditions on rows
	only   []query.Cond // further conditions on visits; their set is made by another pass

	// Persons whose root row has no session, such as an identify just before the first page.
	// The first of their visits by ordinal is new when it begins soon after that row.
	bare    identity.OrdSet
	firsts  map[uint64]uint64     // by root: the lowest ordinal so far
	waiting map[uint64]*heldVisit // by root: that visit, while it may be new
	room    read.PairSets         // for visits that wait
}

// heldVisit is a visit of which only the end of the pass knows whether it is new.
type heldVisit struct {
	visit visit
	facts visitFacts
	texts *read.Terms
	ok    bool // it satisfies the conditions that do not ask for new
}

// newAfter is how much later than the root row of its visitor a new visit may begin.
const newAfter = 30 * 60 * 1000

// newVisitPass prepares a pass. Conditions on rows are those that one row of the visit satisfies
// together.
func newVisitPass(rows *read.Rows, where []query.Cond, span query.Span) (*visitPass, error) {
	p := &visitPass{rows: rows}
	p.span = span
	plain, visits := splitConds(where)
	p.plain = plain
	var err error
	if p.filter, err = newVisitFilter(visits, &p.passQuestion); err != nil {
		return nil, err
	}
	for i := range p.filter.dims {
		p.fresh = p.fresh || p.filter.dims[i].name == "new"
	}
	p.people, err = rows.Persons()
	return p, err
}

// visitSink is called with counted visits that satisfy the conditions, which are valid until it
// returns. texts are those that the numbers in the visit stand for, see passUse.sink.
type visitSink func(texts *read.Terms, v *visitFacts) error

// run calls sink some times, and the sinks that it returns with each counted visit that satisfies
// the conditions, once over all sinks. A sink is used by one goroutine at a time, while others use
// other sinks. restart is called when all that the sinks were told is to be forgotten; then sink is
// called again.
func (p *visitPass) run(restart func(), sink func() visitSink) error {
	if p.fresh {
		if err := p.findBare(); err != nil {
			return err
		}
	}
	p.firsts, p.waiting, p.room = make(map[uint64]uint64), make(map[uint64]*heldVisit), p.rows.PairSets()
	defer p.room.Close()
	zone := p.rows.Zone()
	var only *identity.OrdSet
	if len(p.only) > 0 {
		var err error
		if only, err = matchingVisits(p.rows, p.only, p.span); err != nil {
			return err
		}
	}
	var last visitSink // the one of visits that come in the order of slices
	use := passUse{
		judge: p.judge,
		after: func(first uint64) error { return p.release(first, last) },
		restart: func() {
			clear(p.firsts)
			clear(p.waiting)
			p.room.Reset()
			restart()
		},
	}
	use.sink = func() doneFunc {
		filter, to := p.filter.own(), sink()
		end := func(texts *read.Terms, v *visitFacts) error {
			if only != nil && !only.Has(v.ord) || !filter.keeps(texts, v) {
				return nil
			}
			return to(texts, v)
		}
		last = end
		f := new(visitFacts) // of one visit after the other: sinks copy what they keep
		return func(texts *read.Terms, v *visit, dims []dimValue) error {
			if v.actions == 0 || v.fresh != freshLate && !p.selects(v) {
				return nil
			}
			*f = visitFacts{visit: v, dims: dims, from: v.source(), zone: zone, isNew: v.fresh == freshNew}
			f.seconds = v.milliseconds(p.span.To) / 1000
			if v.fresh == freshLate {
				return p.hold(p.people.Find(v.person), texts, f, end)
			}
			return end(texts, f)
		}
	}
	if err := onePass(p.rows, &p.passQuestion, use); err != nil {
		return err
	}
	return p.release(0, last)
}

// workers returns how many sinks a pass has at most.
func (p *visitPass) workers() int { return p.rows.Workers() + 1 }

// selects reports whether a visit satisfies the conditions on rows.
func (p *visitPass) selects(v *visit) bool { return len(p.plain) == 0 || v.selected || p.anyRow }

// judge is that of passUse.
func (p *visitPass) judge(v *visit) freshness {
	if !p.fresh || v.actions == 0 || v.person == 0 {
		return freshNot
	}
	root := p.people.Find(v.person)
	switch {
	case root >= v.ord:
		return freshNew
	case p.bare.Has(root):
		return freshLate
	}
	return freshNot
}

// release lets the visits go that are kept for persons whose root row is first or later. No visit
// of them can come any more.
func (p *visitPass) release(first uint64, end visitSink) error {
	for root, held := range p.waiting {
		if root >= first {
			held.facts.isNew = true
			if err := p.letGo(root, held, end); err != nil {
				return err
			}
		}
	}
	for root := range p.firsts {
		if root >= first {
			delete(p.firsts, root)
		}
	}
	return nil
}

// letGo counts a visit that was kept.
func (p *visitPass) letGo(root uint64, held *heldVisit, end visitSink) error {
	delete(p.waiting, root)
	if len(p.waiting) >= heldFree {
		p.room.GiveBack(openPairs)
	}
	if !held.ok {
		return nil
	}
	return end(held.texts, &held.facts)
}

// hold counts a visit of a person whose root row has no session. It keeps the visit for a while if
// that may be new: it is the first one so far, and begins soon after the root row.
func (p *visitPass) hold(root uint64, texts *read.Terms, f *visitFacts, end visitSink) error {
	ok := p.selects(f.visit)
	first, known := p.firsts[root]
	if known && first < f.ord {
		if !ok {
			return nil
		}
		return end(texts, f)
	}
	if !known && len(p.firsts) == heldMax {
		return query.Bad("range", "too many people were seen before their first visit; ask for fewer days")
	}
	p.firsts[root] = f.ord
	if later := p.waiting[root]; later != nil { // it is not the first one
		if err := p.letGo(root, later, end); err != nil {
			return err
		}
	}
	at, err := p.rows.TimeOf(root)
	switch {
	case err != nil:
		return err
	case f.start-at > newAfter:
		if !ok {
			return nil
		}
		return end(texts, f)
	case len(p.waiting) >= heldFree && !p.room.Reserve(openPairs):
		return query.Bad("range", "too many people were seen before their first visit; ask for fewer days")
	}
	held := &heldVisit{visit: *f.visit, facts: *f, texts: texts, ok: ok}
	held.facts.visit = &held.visit
	if held.visit.list = slices.Clone(f.list); f.origin != nil {
		held.visit.origin = f.origin.clone()
	}
	held.facts.dims = append([]dimValue(nil), f.dims...)
	p.waiting[root] = held
	return nil
}

// heldFree is how many visits may be kept without taking room for pairs.
const heldFree = 256

// heldMax is the most persons without a session in their root row whose first visit is known at
// one time.
const heldMax = 1 << 20

// findBare finds the persons of the span whose root row has no session.
func (p *visitPass) findBare() error {
	from := p.span.From
	if from > math.MinInt64+newAfter {
		from -= newAfter
	}
	sel, err := p.rows.Select(nil, query.Span{From: from, To: p.span.To})
	if err != nil {
		return err
	}
	sums, err := read.Gather(sel.WithoutSession(), func(s *read.Slice, set *identity.OrdSet) error {
		persons := s.Ints(event.IntPerson)
		return s.Each(func(rows []int32) {
			for i, person := range persons.Of(rows) {
				if seq := s.Seq(int(rows[i])); uint64(person) == seq {
					set.Add(seq)
				}
			}
		})
	})
	p.bare = identity.OrdSet{}
	for i := range sums {
		p.bare.Union(&sums[i])
	}
	return err
}
