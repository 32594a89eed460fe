// Funnels: how many people or visits go through steps.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// Funnel returns how many entities get to each step.
func (r *Reports) Funnel(ctx context.Context, q *query.Funnel) (*query.FunnelAnswer, query.AsOf, error) {
	if err := checkFunnel(q); err != nil {
		return nil, query.AsOf{}, err
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	return read.Kept(rows, &q.Report, "funnel"+funnelKey(q), funnelBytes, func() (*query.FunnelAnswer, error) {
		s := &funnelSum{q: q, tally: tally{limit: 2 * r.tuples, room: rows.Room()}}
		defer s.tally.room.Close()
		f := &funnel{q: q, rows: rows, tuples: r.tuples, take: s.add}
		if err := f.run(); err != nil {
			return nil, err
		}
		return s.answer(f.values())
	}, read.RulesOf(q.Step...)...)
}

// FunnelEntities returns the entities that got to a step, or no further.
func (r *Reports) FunnelEntities(ctx context.Context, q *query.FunnelEntities) (*query.Entities, query.AsOf, error) {
	if err := checkFunnel(&q.Funnel); err != nil {
		return nil, query.AsOf{}, err
	}
	if q.At < 1 || q.At > len(q.Step) {
		return nil, query.AsOf{}, query.Bad("at", "the funnel has no such step")
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	key := fmt.Sprintf("funnel/entities%s %d %t %v", funnelKey(&q.Funnel), q.At, q.Dropped, q.EntityPage)
	return read.Kept(rows, &q.Report, key, entitiesBytes, func() (*query.Entities, error) {
		page, err := newEntityPage(rows, &q.EntityPage)
		if err != nil {
			return nil, err
		}
		plain := q.Funnel
		plain.Split = ""
		f := &funnel{q: &plain, rows: rows, tuples: r.tuples, take: func(key uint64, depth int, _ []tuple, _ []int) error {
			if depth >= q.At && (!q.Dropped || depth == q.At && depth < len(q.Step)) { // nobody drops out after the last step
				page.add(key)
			}
			return nil
		}}
		if err := f.run(); err != nil {
			return nil, err
		}
		if q.Visits {
			return page.sessions()
		}
		return page.users()
	}, read.AnyRow) // any row may change the id under which a person is listed
}

func checkFunnel(q *query.Funnel) error {
	if n := len(q.Step); n < query.FunnelStepsMin || n > query.FunnelStepsMax {
		return query.Bad("step", "must be given %d to %d times", query.FunnelStepsMin, query.FunnelStepsMax)
	}
	if q.Split != "" {
		return checkRowDim("split", q.Split)
	}
	return nil
}

// funnelKey is everything that the answer depends on but the site and the span.
func funnelKey(q *query.Funnel) string {
	return fmt.Sprintf("%v %q %t %q %d %q %d %v", q.Where, q.Step, q.Visits, q.Mode, q.Window, q.Split, q.Limit, q.Report.Steps)
}

func funnelBytes(a *query.FunnelAnswer) int {
	n := 24 * len(a.Series)
	for i := range a.Split {
		n += 64 + len(a.Split[i].Value.Text) + 32*len(a.Split[i].Steps)
	}
	return n
}

// funnel finds the result of each entity.
type funnel struct {
	q      *query.Funnel
	rows   *read.Rows
	tuples int
	people *people
	visits *identity.OrdSet // the entities; nil = they are people
	steps  []*read.Selection
	blocks *read.Selection // nil = rows that satisfy no step do not count
	split  *rowDim         // nil = none
	splits splits          // the values of a split, but for a dimension of visits
	// take is called with each entity that has an attempt: the deepest one, and the rows
	// that it takes.
	take func(key uint64, depth int, rows []tuple, taken []int) error
}

func (f *funnel) run() (err error) {
	q := f.q
	if q.Visits {
		f.visits, err = countedVisits(f.rows, nil, q.Span)
	} else {
		f.people, err = peopleOf(f.rows)
	}
	if err != nil {
		return err
	}
	if q.Split != "" {
		where := slices.Clone(q.Where)
		if q.Mode != query.FunnelAny {
			where = append(where, q.Step[0]...)
		}
		if f.split, err = newRowDim(f.rows, "split", q.Split, where, q.Span, 4*f.tuples); err != nil {
			return err
		}
		f.splits = splits{param: "split", in: f.split.in}
	}
	sel, err := f.rows.Select(q.Where, q.Span)
	if err != nil {
		return err
	}
	for _, conds := range q.Step {
		step, err := f.rows.Select(conds, query.Span{})
		if err != nil {
			return err
		}
		f.steps = append(f.steps, step)
	}
	if q.Mode == query.FunnelStrict {
		types := append([]event.Type{event.Order, event.Goal, event.Cart}, identity.Actions...)
		if f.blocks, err = typed(f.rows, types...); err != nil {
			return err
		}
	}
	var taken []int
	a := attempts{steps: len(q.Step), mode: q.Mode, window: q.Window}
	g := grouping{limit: f.tuples, sel: sel, read: f.read, value: f.splits.ofSlice, crowded: f.crowded, take: func(key uint64, rows []tuple) error {
		depth, begin := a.best(rows)
		if depth == 0 {
			return nil
		}
		taken = a.follow(rows, depth, begin, taken)
		return f.take(key, depth, rows, taken)
	}}
	return g.run()
}

// read returns the tuples of a slice: the rows that satisfy a step, or end a strict attempt. The
// value of those that begin an attempt is that of the split.
func (f *funnel) read(s *read.Slice, in class) (*sliceTuples, error) {
	has := make([]func(int) bool, len(f.steps))
	for i, step := range f.steps {
		has[i] = s.Selects(step)
	}
	blocking := func(int) bool { return false }
	if f.blocks != nil {
		blocking = s.Selects(f.blocks)
	}
	out := newSliceTuples(s)
	split := f.splitReader(s, out)
	keys := keyReader{s: s, people: f.people, visits: f.visits}
	times := s.Ints(event.IntTime)
	begins := attempts{mode: f.q.Mode}
	var some []int32
	var bits []uint16
	var failed error
	err := s.Each(func(rows []int32) {
		some, bits = some[:0], bits[:0]
		if failed != nil {
			return
		}
		for _, row := range rows {
			var b uint16
			for i := range has {
				if has[i](int(row)) {
					b |= 1 << i
				}
			}
			if blocking(int(row)) {
				b |= blocks
			}
			if b != 0 {
				some, bits = append(some, row), append(bits, b)
			}
		}
		if len(some) == 0 {
			return
		}
		at := times.Of(some)
		for i, key := range keys.of(some) {
			if key == 0 || !in.has(key) {
				continue
			}
			value := uint32(0)
			if split != nil && begins.begins(bits[i]) != 0 && !s.TimedOut() {
				value = split(int(some[i]), at[i])
				if failed = tooManyTexts(f.splits.param, out.texts); failed != nil {
					return
				}
			}
			out.add(newTuple(key, value, at[i], bits[i]))
		}
	})
	return out, cmp.Or(err, failed)
}

// splitReader returns a function that returns the value of the split at a row, nil when there is
// no split. Rows ascend.
func (f *funnel) splitReader(s *read.Slice, out *sliceTuples) func(row int, at int64) uint32 {
	switch {
	case f.split == nil:
		return nil
	case f.split.visit != nil:
		sessions := s.Ints(event.IntSession)
		return func(row int, _ int64) uint32 { return f.split.visit.number(uint64(sessions.At(row))) }
	}
	out.texts = new(read.Terms)
	values := f.split.reader(s, f.rows.Zone(), out.texts)
	return func(row int, at int64) uint32 {
		value := uint32(values.at(row)[0])
		if value != 0 && f.split.fold {
			out.least = grownTo(out.least, int(value))
			if m := (moment{at, s.Seq(row)}); out.least[value].seq == 0 || m.before(out.least[value]) {
				out.least[value] = m
			}
		}
		return value
	}
}

// splitValues are the values of a split, by number.
type splitValues interface {
	len() int
	text(n uint32) (query.Text, []query.InValue) // as it is shown, and what it lies in
	group(n uint32) query.Text                   // the same for numbers that are one value
	earlier(a, b uint32) bool                    // of one value: the text of a is shown rather than that of b
}

func (f *funnel) values() splitValues {
	if f.split != nil && f.split.visit != nil {
		return f.split.visit
	}
	return &f.splits
}

func newSliceTuples(s *read.Slice) *sliceTuples {
	return &sliceTuples{end: s.Seq(s.First()+s.Len()-1) + 1}
}

func (s *sliceTuples) add(t tuple) {
	if s.tuples == nil {
		s.tuples = (*tupleBuffers.Get().(*[]tuple))[:0]
	}
	s.tuples = append(s.tuples, t)
}

// crowded says which step most of the rows of one entity satisfy.
func (f *funnel) crowded(rows []tuple) error {
	most, at := -1, 0
	for i := range f.q.Step {
		n := 0
		for _, t := range rows {
			if t.bits()&(1<<i) != 0 {
				n++
			}
		}
		if n > most {
			most, at = n, i+1
		}
	}
	return query.Bad("step", "one person or visit has more than %d events; let step %d select fewer", f.tuples, at)
}

// keyReader reads the keys of rows: the persons, or the sessions of a set.
type keyReader struct {
	s      *read.Slice
	people *people
	visits *identity.OrdSet
	col    *read.Column
	keys   []uint64
}

// of returns the keys of rows of one page, 0 for rows that have none.
func (k *keyReader) of(rows []int32) []uint64 {
	if k.col == nil {
		col := event.IntPerson
		if k.visits != nil {
			col = event.IntSession
		}
		k.col = k.s.Ints(col)
	}
	k.keys = k.keys[:0]
	for _, ord := range k.col.Of(rows) {
		key := uint64(ord)
		if k.visits != nil && !k.visits.Has(key) {
			key = 0
		}
		k.keys = append(k.keys, key)
	}
	if k.visits == nil {
		k.people.roots(k.keys)
	}
	return k.keys
}
