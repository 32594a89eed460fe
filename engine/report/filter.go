// Conditions on visits: the filters that speak of a whole visit.

package report

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// visitFilter decides which visits satisfy all conditions on visits.
type visitFilter struct {
	dims  []dimTest
	flags []flagTest
}

// dimTest compares a dimension.
type dimTest struct {
	dim
	at    int // of kind dimField: index in the dimensions of the pass
	not   bool
	holds func(text string) bool // of a visit that has a value
	memo  map[[6]int32]bool      // of kind dimSource
	texts *read.Terms            // those of memo
}

// flagTest asks for a row that satisfies a condition, or that none does.
type flagTest struct {
	bit uint64
	not bool
}

// splitConds returns the conditions on rows and those on visits.
func splitConds(where []query.Cond) (rows, visits []query.Cond) {
	for _, c := range where {
		if c.Visit {
			visits = append(visits, c)
		} else {
			rows = append(rows, c)
		}
	}
	return rows, visits
}

// newVisitFilter prepares conditions on visits. What they need is added to the question of the
// pass.
func newVisitFilter(conds []query.Cond, q *passQuestion) (*visitFilter, error) {
	f := new(visitFilter)
	for _, c := range conds {
		if !isDim(c.Field) {
			if len(q.tests) == flagsMax {
				return nil, query.Bad("visit."+c.Field, "more than %d conditions on rows of a visit", flagsMax)
			}
			positive := c
			positive.Visit = false
			if c.Op.Negated() {
				positive.Op = map[query.Op]query.Op{query.OpNot: "", query.OpNotMatch: query.OpMatch, query.OpHasNot: query.OpHas}[c.Op]
			}
			f.flags = append(f.flags, flagTest{1 << len(q.tests), c.Op.Negated()})
			q.tests = append(q.tests, []query.Cond{positive})
			continue
		}
		d, _ := dimOf(c.Field)
		holds, err := textTest(&d, c)
		if err != nil {
			return nil, err
		}
		f.dims = append(f.dims, dimTest{dim: d, at: q.need(&d), not: c.Op.Negated(), holds: holds})
	}
	return f, nil
}

// need adds what a dimension needs to the question of the pass, and returns its index there.
func (q *passQuestion) need(d *dim) int {
	switch d.kind {
	case dimField:
		i := slices.IndexFunc(q.dims, func(have dim) bool { return have.name == d.name })
		if i < 0 {
			i = len(q.dims)
			q.dims = append(q.dims, *d)
		}
		return i
	case dimEntry, dimExit:
		q.label = "page"
	case dimHost:
		q.hosts = true
		if q.label == "" {
			q.label = "page"
		}
	case dimSource:
		q.source = true
	}
	return -1
}

// textTest returns the function that compares the value of a dimension.
func textTest(d *dim, c query.Cond) (func(string) bool, error) {
	switch c.Op {
	case query.OpHas, query.OpHasNot:
		return func(string) bool { return true }, nil
	case query.OpMatch, query.OpNotMatch:
		var patterns []query.Pattern
		for _, v := range c.Values {
			patterns = append(patterns, query.NewPattern(v))
		}
		return func(text string) bool {
			text = query.Fold(text)
			return slices.ContainsFunc(patterns, func(p query.Pattern) bool { return p.MatchesFolded(text) })
		}, nil
	case query.OpAtLeast, query.OpAtMost:
		for _, v := range c.Values {
			if !event.IsNumber(v) {
				return nil, query.Bad("visit."+c.Field, "%q is no number", v)
			}
		}
		return func(text string) bool {
			return event.IsNumber(text) && slices.ContainsFunc(c.Values, func(v string) bool {
				order := event.CompareNumbers(text, v)
				return c.Op == query.OpAtLeast && order >= 0 || c.Op == query.OpAtMost && order <= 0
			})
		}, nil
	}
	if !d.fold {
		return func(text string) bool { return slices.Contains(c.Values, text) }, nil
	}
	var values []string
	for _, v := range c.Values {
		values = append(values, query.Fold(v))
	}
	return func(text string) bool { return slices.Contains(values, query.Fold(text)) }, nil
}

// own returns the filter with a memory of its own, for one goroutine.
func (f *visitFilter) own() *visitFilter {
	own := *f
	own.dims = slices.Clone(f.dims)
	for i := range own.dims {
		own.dims[i].memo = nil
	}
	return &own
}

// keeps reports whether a visit satisfies all conditions.
func (f *visitFilter) keeps(texts *read.Terms, v *visitFacts) bool {
	for _, t := range f.flags {
		if (v.flags&t.bit != 0) == t.not {
			return false
		}
	}
	for i := range f.dims {
		t := &f.dims[i]
		if t.test(texts, v) == t.not {
			return false
		}
	}
	return true
}

// test reports whether a visit has a value that the condition is about.
func (t *dimTest) test(texts *read.Terms, v *visitFacts) bool {
	if t.kind == dimSource {
		if t.texts != texts {
			t.texts, t.memo = texts, nil
		}
		key := v.sourceKey(t.name)
		is, known := t.memo[key]
		if !known {
			text := sourceText(texts, t.name, v)
			is = text != "" && t.holds(text)
			if t.memo == nil {
				t.memo = make(map[[6]int32]bool)
			}
			t.memo[key] = is
		}
		return is
	}
	text, ok := t.text(texts, v)
	return ok && t.holds(text)
}

// text returns the value of a visit.
func (t *dimTest) text(texts *read.Terms, v *visitFacts) (text string, ok bool) {
	id := int32(0)
	switch t.kind {
	case dimField:
		id = v.dims[t.at].id
	case dimEntry:
		id = v.entry.label
	case dimExit:
		id = v.exit.label
	case dimHost:
		id = v.entry.host
	default:
		return t.order[wholeValue(t.name, v)], true
	}
	if id == 0 {
		return "", false
	}
	text = texts.Text(id - 1)
	return text[strings.LastIndexByte(text, dimSep[0])+1:], true
}

// VisitSet returns the session ordinals of the visits that began in a span and satisfy all
// conditions, each of which has Visit set. It is a read.VisitSet.
func (r *Reports) VisitSet(rows *read.Rows, conds []query.Cond, span query.Span) (*identity.OrdSet, error) {
	return matchingVisits(rows, conds, span)
}

// matchingVisits is VisitSet. It puts each visit together, to compare its dimensions; who needs the
// visits with some row alone takes countedVisits.
func matchingVisits(rows *read.Rows, conds []query.Cond, span query.Span) (*identity.OrdSet, error) {
	p, err := newVisitPass(rows, conds, span)
	if err != nil {
		return nil, err
	}
	var sets []*identity.OrdSet
	err = p.run(func() { sets = nil }, func() visitSink {
		set := new(identity.OrdSet)
		sets = append(sets, set)
		return func(_ *read.Terms, v *visitFacts) error {
			set.Add(v.ord)
			return nil
		}
	})
	all := new(identity.OrdSet)
	for _, set := range sets {
		all.Union(set)
	}
	return all, err
}
