// Breakdowns: rows of the log by the values of one or two fields.

package report

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"cairn/engine/query"
	"cairn/engine/read"
)

// Breakdown answers a report of rows by fields.
func (r *Reports) Breakdown(ctx context.Context, q query.BreakdownQuery) (*query.BreakdownAnswer, error) {
	if len(q.By) < 1 || len(q.By) > query.BreakdownByMax {
		return nil, query.Bad("by", "one or two fields")
	}
	for _, name := range q.By {
		if err := checkRowDim("by", name); err != nil {
			return nil, err
		}
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	type kept struct {
		query.BreakdownAnswer
		keys []groupKey // of the rows
	}
	size := func(a *kept) int { return breakdownBytes(a.Rows) }
	key := fmt.Sprintf("breakdown %q %v %d %v", q.By, q.Where, q.Metrics, q.Rows)
	answer, as, err := read.Kept(rows, &q.Report, key, size, func() (*kept, error) {
		b := breakdown{rows: rows, q: &q, span: q.Span, steps: q.Steps, visitsMax: 4 * r.tuples, room: rows.Room()}
		defer b.room.Close()
		if err := b.count(); err != nil {
			return nil, err
		}
		var a kept
		shown, err := b.page(&a.BreakdownAnswer)
		if err != nil {
			return nil, err
		}
		if q.Compare == nil {
			return &a, nil
		}
		for _, group := range shown {
			a.keys = append(a.keys, b.groups.key(group))
		}
		return &a, nil
	})
	if err != nil || answer == nil {
		return &query.BreakdownAnswer{AsOf: as}, err
	}
	full := answer.BreakdownAnswer
	full.AsOf = as
	if q.Compare == nil {
		return &full, nil
	}
	was := q
	was.Span, was.Steps, was.Tag = *q.Compare, q.CompareSteps, ""
	key = fmt.Sprintf("breakdown before %q %v %d %x", q.By, q.Where, q.Metrics, hashKeys(answer.keys))
	before, _, err := read.Kept(rows, &was.Report, key, size, func() (*kept, error) {
		b := breakdown{rows: rows, q: &was, span: was.Span, steps: was.Steps, visitsMax: 4 * r.tuples, room: rows.Room()}
		defer b.room.Close()
		if err := b.count(); err != nil {
			return nil, err
		}
		places := make([]int32, len(answer.keys))
		for i, key := range answer.keys {
			places[i] = b.groups.find(key)
		}
		var a kept
		return &a, b.fill(places, &a.BreakdownAnswer)
	})
	if err != nil {
		return nil, err
	}
	full.Compared, full.Rows = &before.Total, slices.Clone(full.Rows)
	for i := range full.Rows {
		full.Rows[i].Was, full.Rows[i].WasSteps = &before.Rows[i].Totals, before.Rows[i].Steps
	}
	if before.Other != nil {
		other := query.BreakdownRow{Other: true, Steps: make([]query.Totals, len(q.Steps))}
		if full.Other != nil {
			other = *full.Other
		}
		other.WasSteps = before.Other.Steps
		full.Other = &other
	} else if full.Other != nil {
		other := *full.Other
		other.WasSteps = make([]query.Totals, len(q.CompareSteps))
		full.Other = &other
	}
	return &full, nil
}

// hashKeys names some rows.
func hashKeys(keys []groupKey) []byte {
	h := sha256.New()
	for _, key := range keys {
		for _, t := range key {
			fmt.Fprintf(h, "%t %d ", t.Null, len(t.Text))
			h.Write([]byte(t.Text))
		}
	}
	return h.Sum(nil)
}

func breakdownBytes(rows []query.BreakdownRow) int {
	n := 256
	for i := range rows {
		r := &rows[i]
		n += 256 + len(r.Value.Text) + len(r.With.Text) + 24*len(r.Steps)
		for _, in := range r.In {
			n += 32 + len(in.Text)
		}
	}
	return n
}

// breakdown counts the rows of one range.
type breakdown struct {
	rows      *read.Rows
	q         *query.BreakdownQuery
	span      query.Span
	steps     []int64
	visitsMax int

	sel     *read.Selection
	room    *read.Room
	mu      sync.Mutex // of groups, while workers read
	groups  *rowGroups
	numbers []query.Totals // by group; events alone unless whole
	whole   bool           // people and sessions of all groups are known
	total   query.Totals
}

// dimsOf prepares the dimensions of a report.
func dimsOf(rows *read.Rows, by []string, where []query.Cond, span query.Span, visitsMax int) (dims []*rowDim, err error) {
	for _, name := range by {
		d, err := newRowDim(rows, "by", name, where, span, visitsMax)
		if err != nil {
			return nil, err
		}
		dims = append(dims, d)
	}
	return dims, nil
}

// work looks at the time of the report, in a loop in which one row may be much work.
type work struct {
	rows *read.Rows
	n    int
	err  error
}

const workUnit = 1 << 13

// did says that so many things were done.
func (w *work) did(n int) {
	if w.n += n + 1; w.n >= workUnit {
		w.n = 0
		w.set(w.rows.Check())
	}
}

func (w *work) set(err error) { w.err = cmp.Or(w.err, err) }

func (w *work) failed() bool { return w.err != nil }

// page sets the rows that are asked for, and returns their groups.
func (b *breakdown) page(to *query.BreakdownAnswer) (shown []int32, err error) {
	q := &b.q.Rows
	numbers := b.numbers
	sort := cmp.Or(q.Sort, "events")
	if !b.whole && (sort == "users" || sort == "sessions") {
		var all query.BreakdownAnswer
		every := make([]int32, len(numbers))
		for i := range every {
			every[i] = int32(i)
		}
		if err := b.distinct(every, nil, &all); err != nil {
			return nil, err
		}
		numbers = make([]query.Totals, len(all.Rows))
		for i := range all.Rows {
			numbers[i] = all.Rows[i].Totals
		}
	}
	number := map[string]func(i int32) ratio{
		"events":   func(i int32) ratio { return ratio{float64(numbers[i].Events), 1} },
		"share":    func(i int32) ratio { return ratio{float64(numbers[i].Events), 1} },
		"users":    func(i int32) ratio { return ratio{float64(numbers[i].Users), 1} },
		"sessions": func(i int32) ratio { return ratio{float64(numbers[i].Sessions), 1} },
	}[sort]
	page := pageGroups(b.groups, q, func(i int32) uint64 { return b.numbers[i].Events }, number)
	to.Count, to.Whole = page.count, page.whole
	if err := b.rows.Check(); err != nil {
		return nil, err
	}
	return page.shown, b.fill(page.shown, to)
}

// fill sets the numbers of some groups, -1 = one of which there is nothing, with their series.
func (b *breakdown) fill(shown []int32, to *query.BreakdownAnswer) error {
	if len(b.steps) > 0 && (len(shown)+1)*len(b.steps) > query.BreakdownStepsMax {
		return query.Bad("interval", "more than %d steps of all rows together; ask for a longer interval or fewer rows", query.BreakdownStepsMax)
	}
	return b.distinct(shown, b.steps, to)
}

// distinct counts the people and sessions of some groups, and their series. Other is what is in
// none of them, each row once.
func (b *breakdown) distinct(shown []int32, starts []int64, to *query.BreakdownAnswer) error {
	to.Rows = make([]query.BreakdownRow, len(shown))
	places := make([]int32, len(b.groups.groups)) // by group
	for i := range places {
		places[i] = int32(len(shown)) // other
	}
	for i, group := range shown {
		if group < 0 {
			continue
		}
		places[group] = int32(i)
		row := &to.Rows[i]
		text := b.groups.row(group)
		row.Value, row.With, row.In, row.Totals = text.value, text.with, text.in, b.numbers[group]
	}
	to.Total = b.total
	users, sessions := b.q.Metrics.Has(query.MetricUsers), b.q.Metrics.Has(query.MetricSessions)
	if len(starts) == 0 && (b.whole || !users && !sessions) {
		return nil
	}
	d := &placedRows{breakdown: b, shown: len(shown), places: places, starts: starts, sets: b.rows.PairSetsOf(b.rows.Workers())}
	defer d.sets.Close()
	if err := d.read(); err != nil {
		return err
	}
	other := query.BreakdownRow{Other: true}
	at := func(place int) *query.BreakdownRow {
		if place == len(shown) {
			return &other
		}
		return &to.Rows[place]
	}
	left := false
	if len(starts) > 0 {
		for place := range len(shown) + 1 {
			at(place).Steps = make([]query.Totals, len(starts))
			for i := range starts {
				at(place).Steps[i].Events = d.steps[place*len(starts)+i]
				left = left || place == len(shown) && d.steps[place*len(starts)+i] > 0
			}
		}
	}
	if left {
		to.Other = &other
	}
	persons, err := b.rows.Persons()
	if err != nil {
		return err
	}
	step := func(row int) *query.Totals { return &at(row / max(len(starts), 1)).Steps[row%max(len(starts), 1)] }
	if !b.whole {
		err = d.ofRows[0].EachPerson(persons, func(row int) { to.Rows[row].Users++ })
		if err == nil {
			err = d.ofRows[1].Each(func(row int, _ uint64) { to.Rows[row].Sessions++ })
		}
	}
	if err == nil {
		err = d.ofSteps[0].EachPerson(persons, func(row int) { step(row).Users++ })
	}
	if err == nil {
		err = d.ofSteps[1].Each(func(row int, _ uint64) { step(row).Sessions++ })
	}
	return err
}
