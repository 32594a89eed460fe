// Sums of funnels: the results of all entities, in total, by split and by time.

package report

import (
	"cmp"
	"slices"
	"sort"

	"cairn/engine/query"
)

// funnelSum adds up the results of a funnel. It counts numbers of three kinds:
//
//	value of the split u24 | kind u4 | u36
//
//	kindDepth        how many steps
//	kindDepth + i    tenths of a second before step i, from 1
//	kindSeries       the step of the series u32 | how many steps u4; without a split
type funnelSum struct {
	q     *query.Funnel
	tally tally
}

const (
	kindDepth  = 0
	kindSeries = 15
	numberBits = 36
	numberMax  = 1<<numberBits - 1
)

func funnelNumber(split uint32, kind int, number int64) uint64 {
	return uint64(split)<<(numberBits+4) | uint64(kind)<<numberBits | uint64(min(number, numberMax))
}

func (s *funnelSum) add(_ uint64, depth int, rows []tuple, taken []int) error {
	begin := rows[taken[0]]
	split := begin.value()
	if err := s.tally.add(funnelNumber(split, kindDepth, int64(depth))); err != nil {
		return err
	}
	if steps := s.q.Report.Steps; len(steps) > 0 {
		at := sort.Search(len(steps), func(i int) bool { return steps[i] > begin.at() }) - 1
		if err := s.tally.add(funnelNumber(0, kindSeries, int64(max(at, 0))<<4|int64(depth))); err != nil {
			return err
		}
	}
	if s.q.Mode == query.FunnelAny {
		return nil
	}
	for i := 1; i < depth; i++ {
		tenths := (rows[taken[i]].at() - rows[taken[i-1]].at()) / 100
		if err := s.tally.add(funnelNumber(split, kindDepth+i, tenths)); err != nil {
			return err
		}
	}
	return nil
}

// numbers returns what was counted of one kind for the splits in a range.
func (s *funnelSum) numbers(kind int, splits []uint32) []counted {
	var out []counted
	for _, split := range splits {
		from := funnelNumber(split, kind, 0)
		keys, counts := s.tally.between(from, from+1<<numberBits)
		for i, key := range keys {
			out = append(out, counted{int64(key & numberMax), uint64(counts[i])})
		}
	}
	if len(splits) > 1 {
		slices.SortFunc(out, func(a, b counted) int { return cmp.Compare(a.value, b.value) })
	}
	return out
}

// row returns the steps of the entities with one of some values of the split.
func (s *funnelSum) row(splits []uint32) query.FunnelRow {
	r := query.FunnelRow{Steps: make([]query.FunnelStep, len(s.q.Step))}
	for _, c := range s.numbers(kindDepth, splits) {
		for i := range c.value {
			r.Steps[i].Count += c.n
		}
	}
	if s.q.Mode == query.FunnelAny {
		return r
	}
	for i := 1; i < len(r.Steps); i++ {
		if times := s.numbers(kindDepth+i, splits); len(times) > 0 {
			r.Steps[i].Timed = true
			r.Steps[i].Median, r.Steps[i].P90 = nearestRank(times, 50), nearestRank(times, 90)
		}
	}
	return r
}

func (s *funnelSum) answer(splits splitValues) (*query.FunnelAnswer, error) {
	if err := s.tally.settle(); err != nil {
		return nil, err
	}
	all := make([]uint32, splits.len())
	for i := range all {
		all[i] = uint32(i)
	}
	a := &query.FunnelAnswer{FunnelRow: s.row(all), Series: make([]query.FunnelTime, len(s.q.Report.Steps))}
	for i, at := range s.q.Report.Steps {
		a.Series[i].Time = at
	}
	from := funnelNumber(0, kindSeries, 0)
	if keys, counts := s.tally.between(from, from+1<<numberBits); len(a.Series) > 0 {
		for i, key := range keys {
			step, depth := key&numberMax>>4, int(key&15)
			a.Series[step].Entered += uint64(counts[i])
			if depth == len(s.q.Step) {
				a.Series[step].Converted += uint64(counts[i])
			}
		}
	}
	if s.q.Split != "" {
		a.Split = s.bySplit(splits, all)
	}
	return a, nil
}

// splitGroup is the numbers that are one value of a split.
type splitGroup struct {
	numbers []uint32
	shown   uint32 // the number whose text is shown
	value   query.Text
	in      []query.InValue
	entered uint64
}

// bySplit returns the rows of the values with the most entities, and one of the others.
func (s *funnelSum) bySplit(splits splitValues, all []uint32) (rows []query.FunnelRow) {
	places := make(map[query.Text]int)
	var groups []*splitGroup
	for _, n := range all {
		entered := uint64(0)
		for _, c := range s.numbers(kindDepth, all[n:n+1]) {
			entered += c.n
		}
		key := splits.group(n)
		i, known := places[key]
		if !known {
			i = len(groups)
			places[key] = i
			groups = append(groups, &splitGroup{shown: n})
		}
		g := groups[i]
		g.numbers, g.entered = append(g.numbers, n), g.entered+entered
		if splits.earlier(n, g.shown) {
			g.shown = n
		}
	}
	groups = slices.DeleteFunc(groups, func(g *splitGroup) bool { return g.entered == 0 })
	for _, g := range groups {
		g.value, g.in = splits.text(g.shown)
	}
	slices.SortFunc(groups, func(a, b *splitGroup) int {
		return cmp.Or(cmp.Compare(b.entered, a.entered), compareText(a.value, b.value, false), compareIn(a.in, b.in))
	})
	var others []uint32
	for i, g := range groups {
		if i >= s.q.Limit {
			others = append(others, g.numbers...)
			continue
		}
		row := s.row(g.numbers)
		row.Value, row.In = g.value, g.in
		rows = append(rows, row)
	}
	if others != nil {
		row := s.row(others)
		row.Other = true
		rows = append(rows, row)
	}
	return rows
}
