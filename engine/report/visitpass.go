// Visits of a question: the pass, the conditions, and what is known at the end alone.

package report

import (
	"math"

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
	texts  read.Terms
	links  *identity.Links
	fresh  bool         // tell new visits from others
	anyRow bool         // a visit counts without a row that satisfies the conditions on rows
	only   []query.Cond // further conditions on visits; their set is made by another pass

	// Persons whose root row has no session, such as an identify just before the first page.
	// The first of their visits by ordinal is new when it begins soon after that row.
	bare    identity.OrdSet
	waiting map[uint64]*heldVisit // by root: the visit with the lowest ordinal so far
}

// heldVisit is a visit of which only the end of the pass knows whether it is new.
type heldVisit struct {
	visit visit
	facts visitFacts
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
	p.links, err = rows.Links()
	return p, err
}

// run calls done with each counted visit that satisfies the conditions, which is valid until done
// returns. restart is called when
// all that done was told is to be forgotten.
func (p *visitPass) run(restart func(), done func(*visitFacts) error) error {
	if p.fresh {
		if err := p.findBare(); err != nil {
			return err
		}
	}
	p.waiting = make(map[uint64]*heldVisit)
	zone := p.rows.Zone()
	var only *identity.OrdSet
	if len(p.only) > 0 {
		var err error
		if only, err = matchingVisits(p.rows, p.only, p.span); err != nil {
			return err
		}
	}
	end := func(v *visitFacts) error {
		if only != nil && !only.Has(v.ord) {
			return nil
		}
		if !p.filter.keeps(&p.texts, v) {
			return nil
		}
		return done(v)
	}
	var f visitFacts // of one visit after the other: done copies what it keeps
	err := onePass(p.rows, &p.passQuestion, &p.texts, func() {
		clear(p.waiting)
		restart()
	}, func(v *visit, dims []dimValue) error {
		if v.actions == 0 {
			return nil
		}
		f = visitFacts{visit: v, dims: dims, from: v.source(), zone: zone}
		f.seconds = v.milliseconds(p.span.To) / 1000
		if p.fresh && v.person != 0 {
			root := p.links.Find(v.person)
			if f.isNew = root >= v.ord; !f.isNew && p.bare.Has(root) {
				return p.hold(root, &f, end)
			}
		}
		if len(p.plain) > 0 && !v.selected && !p.anyRow {
			return nil
		}
		return end(&f)
	})
	if err != nil {
		return err
	}
	for root, held := range p.waiting {
		at, err := p.rows.TimeOf(root)
		if err != nil {
			return err
		}
		held.facts.isNew = held.visit.start-at <= newAfter
		if held.ok {
			if err := end(&held.facts); err != nil {
				return err
			}
		}
	}
	return nil
}

// hold keeps a visit of a person whose root row has no session, and lets the one go that was kept
// if this one began before it.
func (p *visitPass) hold(root uint64, f *visitFacts, end func(*visitFacts) error) error {
	ok := len(p.plain) == 0 || f.selected || p.anyRow
	first := p.waiting[root]
	if first != nil && first.visit.ord < f.ord {
		if !ok {
			return nil
		}
		return end(f)
	}
	held := &heldVisit{visit: *f.visit, facts: *f, ok: ok}
	held.facts.visit = &held.visit
	held.facts.dims = append([]dimValue(nil), f.dims...)
	p.waiting[root] = held
	if first != nil && first.ok {
		return end(&first.facts)
	}
	return nil
}

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
