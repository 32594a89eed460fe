// Retention: how many people of a period come back in later ones.

package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"sort"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// Retention returns how many people of each cohort came back.
func (r *Reports) Retention(ctx context.Context, q *query.Retention) (*query.RetentionAnswer, query.AsOf, error) {
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	p, err := newPeriods(rows, q)
	if err != nil {
		return nil, query.AsOf{}, err
	}
	rules := read.RulesOf(q.Start, q.Return)
	if q.Cohort == query.CohortFirst || q.Cohort == "" {
		rules = append(rules, read.BeforeTo)
	}
	return read.Kept(rows, &q.Report, "retention"+retentionKey(q, p), retentionBytes, func() (*query.RetentionAnswer, error) {
		s := newRetentionSum(p)
		t := &retention{q: q, rows: rows, periods: p, members: members{limit: r.tuples}, take: s.add}
		if err := t.run(); err != nil {
			return nil, err
		}
		return s.answer(), nil
	}, rules...)
}

// RetentionEntities returns the people of one cell.
func (r *Reports) RetentionEntities(ctx context.Context, q *query.RetentionEntities) (*query.Entities, query.AsOf, error) {
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	p, err := newPeriods(rows, &q.Retention)
	if err != nil {
		return nil, query.AsOf{}, err
	}
	at := p.at(q.At)
	if at < 0 || p.starts[at] != q.At {
		return nil, query.AsOf{}, query.Bad("at", "no cohort has this period")
	}
	if q.Cell < 0 || q.Cell > 0 && at+q.Cell >= p.begun {
		return nil, query.AsOf{}, query.Bad("cell", "the cohort has no such cell")
	}
	key := fmt.Sprintf("retention/entities%s %d %d %v", retentionKey(&q.Retention, p), q.At, q.Cell, q.EntityPage)
	return read.Kept(rows, &q.Report, key, entitiesBytes, func() (*query.Entities, error) {
		page, err := newEntityPage(rows, &q.EntityPage)
		if err != nil {
			return nil, err
		}
		t := &retention{q: &q.Retention, rows: rows, periods: p, members: members{limit: r.tuples}, take: func(m *member) {
			if m.starts&(1<<at) != 0 && (q.Cell == 0 || p.cells(m.returns, at)&(1<<q.Cell) != 0) {
				page.add(m.root)
			}
		}}
		if err := t.run(); err != nil {
			return nil, err
		}
		return page.users()
	}, read.AnyRow)
}

func retentionKey(q *query.Retention, p *periods) string {
	return fmt.Sprintf("%v %v %v %q %q %t %d %d", q.Where, q.Start, q.Return, q.Period, q.Cohort, q.After, p.begun, p.over)
}

func retentionBytes(a *query.RetentionAnswer) int {
	n := 64 + 16*len(a.Average)
	for i := range a.Cohorts {
		n += 48 + 16*len(a.Cohorts[i].Cells)
	}
	return n
}

// periods are the periods of a retention.
type periods struct {
	starts []int64
	begun  int // how many began before now and the end of the span
	over   int // how many ended by then
	after  bool
}

func newPeriods(rows *read.Rows, q *query.Retention) (*periods, error) {
	switch q.Period {
	case "day", "week", "month":
	default:
		return nil, query.Bad("period", "must be day, week or month")
	}
	starts, ok := calendar.BucketTimes(q.From, q.To, q.Period, rows.Zone())
	if !ok || len(starts) > query.RetentionPeriodsMax {
		return nil, query.Bad("period", "more than %d periods; ask for longer ones or a shorter range", query.RetentionPeriodsMax)
	}
	p := &periods{starts: starts, after: q.After}
	until := min(q.To, q.Now)
	for i, start := range starts {
		end := int64(math.MaxInt64)
		if i+1 < len(starts) {
			end = starts[i+1]
		} else if next, _ := calendar.BucketTimes(start, start+40*calendar.DayMillis, q.Period, rows.Zone()); len(next) > 1 {
			end = next[1]
		}
		if start < until {
			p.begun = i + 1
		}
		if end <= until {
			p.over = i + 1
		}
	}
	return p, nil
}

// at returns the period that holds a time of the span, -1 for one before the first period.
func (p *periods) at(time int64) int {
	return sort.Search(len(p.starts), func(i int) bool { return p.starts[i] > time }) - 1
}

// cells returns in which cells of a cohort a person with some returns counts: bit k is cell k.
func (p *periods) cells(returns uint64, cohort int) uint64 {
	returns = returns & (1<<p.begun - 1) >> cohort &^ 1
	if p.after {
		return 1<<bits.Len64(returns) - 1
	}
	return returns
}

// member is what a retention keeps of a person: in which periods it has start and return events.
type member struct{ root, starts, returns uint64 }

// before is the bit of starts for one before the span.
const before = 1 << 63

// retention finds the periods of each person.
type retention struct {
	q       *query.Retention
	rows    *read.Rows
	periods *periods
	people  *people
	begins  read.PersonBegins
	start   *read.Selection // nil = any row
	returns *read.Selection // nil = any row
	members members
	take    func(*member) // starts are those of its cohorts alone
}

// byRoot reports whether the cohort is the period of the first event that was received.
func (t *retention) byRoot() bool {
	return t.cohort() == query.CohortFirst && len(t.q.Where) == 0 && t.q.Start == nil
}

func (t *retention) cohort() query.Cohort {
	if t.q.Cohort == "" {
		return query.CohortFirst
	}
	return t.q.Cohort
}

func (t *retention) run() (err error) {
	if t.people, err = peopleOf(t.rows); err != nil {
		return err
	}
	if t.begins, err = t.rows.PersonBegins(); err != nil {
		return err
	}
	all, err := t.rows.Select(t.q.Where, t.q.Span)
	if err != nil {
		return err
	}
	if t.q.Start != nil {
		if t.start, err = t.rows.Select(t.q.Start, query.Span{}); err != nil {
			return err
		}
	}
	if t.q.Return != nil {
		if t.returns, err = t.rows.Select(t.q.Return, query.Span{}); err != nil {
			return err
		}
	}
	t.members.room = t.rows.Room()
	defer t.members.room.Close()
	for left := []class{allKeys}; len(left) > 0; {
		in := left[len(left)-1]
		left = left[:len(left)-1]
		t.members.reset()
		first := in // in becomes smaller while slices are read
		err := read.InOrder(all, func(s *read.Slice) (*[]uint64, error) { return t.read(s, first) }, func(seen *[]uint64) error {
			defer putNumbers(seen)
			for _, n := range *seen {
				root := n >> seenBits
				if !in.has(root) {
					continue
				}
				for t.members.full() && t.members.find(root) == nil {
					if in.mod > 1<<32 {
						return query.Bad("range", "too many people; ask about a shorter time")
					}
					left = append(left, in.split(in.below))
					t.members.keep(in)
					if err := t.rows.Check(); err != nil {
						return err
					}
				}
				if !in.has(root) {
					continue
				}
				m := t.members.add(root)
				period := n & seenPeriod
				m.starts |= n >> 6 & 1 << period
				m.returns |= n >> 7 & 1 << period
			}
			return nil
		})
		if err != nil {
			return err
		}
		if t.cohort() == query.CohortFirst && !t.byRoot() {
			if err := t.lookBack(); err != nil {
				return err
			}
		}
		if err := t.members.each(t.finish); err != nil {
			return err
		}
	}
	return nil
}

// finish passes a person on with its cohorts.
func (t *retention) finish(m *member) error {
	if m.starts == 0 || m.starts&before != 0 {
		return nil
	}
	if t.cohort() != query.CohortEach {
		m.starts &= -m.starts
	}
	t.take(m)
	return nil
}

// What is seen of a row is packed: root u40 | return u1 | start u1 | period u6.
const (
	seenBits   = 8
	seenReturn = 1 << 7
	seenStart  = 1 << 6
	seenPeriod = 1<<6 - 1
)

// read returns what is seen in a slice, mostly once.
func (t *retention) read(s *read.Slice, in class) (*[]uint64, error) {
	persons, times := s.Ints(event.IntPerson), s.Ints(event.IntTime)
	always := func(int) bool { return true }
	starts, returns := always, always
	if t.start != nil {
		starts = s.Selects(t.start)
	}
	if t.returns != nil {
		returns = s.Selects(t.returns)
	}
	byRoot, begin := t.byRoot(), t.begins.In(s)
	seen := getNumbers()
	recent := recentNumbers.Get().(*[1 << 12]uint64)
	defer recentNumbers.Put(recent)
	clear(recent[:])
	period, from, to := 0, int64(0), int64(0) // of the last row
	err := s.Each(func(rows []int32) {
		at := times.Of(rows)
		for i, ord := range persons.Of(rows) {
			if ord == 0 {
				continue
			}
			if at[i] < from || at[i] >= to {
				period = t.periods.at(at[i])
				from, to = t.periods.starts[period], math.MaxInt64
				if period+1 < len(t.periods.starts) {
					to = t.periods.starts[period+1]
				}
			}
			row := int(rows[i])
			n := uint64(ord)<<seenBits | uint64(period)
			if returns(row) {
				n |= seenReturn
			}
			if seq := s.Seq(row); byRoot && (seq == uint64(ord) || begin.Is(seq, uint64(ord))) || !byRoot && starts(row) {
				n |= seenStart
			}
			if n&(seenReturn|seenStart) == 0 {
				continue
			}
			if slot := &recent[hashKey(n)%uint64(len(recent))]; *slot != n {
				*slot = n
				*seen = append(*seen, n)
			}
		}
	})
	return seen, cmp.Or(err, t.toRoots(*seen, in, seen))
}

// toRoots replaces ordinals by roots and leaves out those that are not in a class.
func (t *retention) toRoots(numbers []uint64, in class, out *[]uint64) error {
	byRoot := t.byRoot()
	roots := getNumbers()
	defer putNumbers(roots)
	for _, n := range numbers {
		*roots = append(*roots, n>>seenBits)
	}
	t.people.roots(*roots)
	kept := numbers[:0]
	for i, root := range *roots {
		n := numbers[i]
		if !in.has(root) {
			continue
		}
		if byRoot && n&seenStart != 0 {
			if is, err := t.begin(n>>seenBits, root); err != nil {
				return err
			} else if !is {
				n &^= seenStart // the first event of another id of the person
			}
		}
		if n&(seenReturn|seenStart) == 0 {
			continue
		}
		kept = append(kept, root<<seenBits|n&(1<<seenBits-1))
	}
	*out = kept
	return nil
}

// begin reports whether the oldest row of an ordinal that is not deleted is the oldest one of the
// person with that root.
func (t *retention) begin(ord, root uint64) (bool, error) {
	if !t.begins.Gone(root) {
		return ord == root, nil
	}
	oldest, err := t.rows.PersonBegin(root)
	return oldest == t.begins.First(ord), err
}

// lookBack marks the people who have a start event before the span.
func (t *retention) lookBack() error {
	if t.members.n == 0 {
		return nil
	}
	earlier, err := t.rows.Select(t.q.Where, query.Span{From: math.MinInt64, To: t.q.From})
	if err != nil {
		return err
	}
	return read.InOrder(earlier, func(s *read.Slice) (*[]uint64, error) {
		persons := s.Ints(event.IntPerson)
		starts := func(int) bool { return true }
		if t.start != nil {
			starts = s.Selects(t.start)
		}
		found := getNumbers()
		err := s.Each(func(rows []int32) {
			last := int64(0)
			for i, ord := range persons.Of(rows) {
				if ord != 0 && ord != last && starts(int(rows[i])) {
					*found = append(*found, uint64(ord))
					last = ord
				}
			}
		})
		t.people.roots(*found)
		return found, err
	}, func(found *[]uint64) error {
		defer putNumbers(found)
		for _, root := range *found {
			if m := t.members.find(root); m != nil {
				m.starts |= before
			}
		}
		return nil
	})
}

// retentionSum adds up the cells.
type retentionSum struct {
	periods *periods
	sizes   []uint64
	users   [][]uint64 // by cohort and cell
}

func newRetentionSum(p *periods) *retentionSum {
	s := &retentionSum{periods: p, sizes: make([]uint64, len(p.starts)), users: make([][]uint64, len(p.starts))}
	for i := range s.users {
		s.users[i] = make([]uint64, max(1, p.begun-i))
	}
	return s
}

func (s *retentionSum) add(m *member) {
	for starts := m.starts; starts != 0; starts &= starts - 1 {
		cohort := bits.TrailingZeros64(starts)
		s.sizes[cohort]++
		for cells := s.periods.cells(m.returns, cohort) &^ 1; cells != 0; cells &= cells - 1 {
			s.users[cohort][bits.TrailingZeros64(cells)]++
		}
	}
}

func (s *retentionSum) answer() *query.RetentionAnswer {
	p := s.periods
	a := &query.RetentionAnswer{Cohorts: make([]query.RetentionCohort, len(p.starts)), Average: make([]query.RetentionAverage, max(1, p.begun)-1)}
	for i := range a.Cohorts {
		c := query.RetentionCohort{Period: p.starts[i], Size: s.sizes[i]}
		for k := 1; i+k < p.begun; k++ {
			cell := query.RetentionCell{Users: s.users[i][k], Complete: i+k < p.over}
			c.Cells = append(c.Cells, cell)
			if cell.Complete {
				a.Average[k-1].Returned += cell.Users
				a.Average[k-1].Size += c.Size
			}
		}
		a.Cohorts[i] = c
	}
	return a
}
