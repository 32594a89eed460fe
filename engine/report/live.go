// Live: who is there now, minute by minute, and where.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// liveSpan is a span that all times are in. The rows of an answer follow from its time.
var liveSpan = query.Span{From: 1, To: 1 << 52}

// Live answers what happens now.
func (r *Reports) Live(ctx context.Context, q *query.Live) (*query.LiveAnswer, error) {
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	report := q.Report
	report.Span, report.Steps, report.Compare, report.CompareSteps = liveSpan, nil, nil, nil
	answer, as, err := read.Kept(rows, &report, fmt.Sprintf("live %v", q.Where), liveBytes, func() (*query.LiveAnswer, error) {
		return countLive(rows, q)
	}, read.AnyRow, read.Clock)
	if err != nil || answer == nil {
		return &query.LiveAnswer{AsOf: as}, err
	}
	full := *answer
	full.AsOf = as
	return &full, nil
}

func liveBytes(a *query.LiveAnswer) int {
	n := 2048
	for _, table := range [][]query.LiveRow{a.Pages, a.Sources, a.Countries, a.Names} {
		for _, row := range table {
			n += 32 + len(row.Value)
		}
	}
	return n
}

// liveTables are the fields of the tables, in the order of LiveAnswer.
var liveTables = [...]string{"page", "source", "country", "name"}

const (
	livePages = iota
	liveSources
	liveCountries
	liveNames
)

// liveSlice is what the rows of a slice add.
type liveSlice struct {
	minutes [query.LiveMinutes]query.LiveNumbers
	people  [query.LiveMinutes + 1][]int64 // the last one: of the last 5 minutes
	tables  [len(liveTables)]liveTable
}

// liveTable has the people of each text of a field, by its number.
type liveTable struct {
	texts  read.Terms
	people [][]int64
	shown  []liveText // of a field that is compared without case
	sent   read.Terms
}

// liveText is the text of the earliest row, by time and seq.
type liveText struct {
	at   moment
	text string
}

func (t *liveText) take(at moment, text string) {
	if t.at.seq == 0 || at.before(t.at) {
		t.at, t.text = at, text
	}
}

// countLive computes an answer.
func countLive(rows *read.Rows, q *query.Live) (*query.LiveAnswer, error) {
	a := &query.LiveAnswer{Start: q.Now - q.Now%60_000 - (query.LiveMinutes-1)*60_000}
	sel, err := rows.Select(q.Where, query.Span{From: a.Start, To: q.Now + 1})
	if err != nil {
		return nil, err
	}
	sets := rows.PairSets()
	defer sets.Close()
	minutes, all := sets.New(), sets.New()
	var tables [len(liveTables)]liveSum
	for i := range tables {
		tables[i] = liveSum{at: make(map[string]int), people: sets.New()}
	}
	err = read.InOrder(sel, func(s *read.Slice) (*liveSlice, error) {
		return readLive(s, a.Start, q.Now+1-query.LiveLast)
	}, func(l *liveSlice) error {
		for i := range l.minutes {
			a.Minutes[i].Events += l.minutes[i].Events
			a.Minutes[i].Views += l.minutes[i].Views
		}
		for i, people := range l.people {
			for _, who := range people {
				if minutes.Add(i, uint64(who)); i < query.LiveMinutes {
					all.Add(0, uint64(who))
				}
			}
		}
		for i := range l.tables {
			if err := tables[i].add(&l.tables[i]); err != nil {
				return err
			}
		}
		return rows.Check()
	})
	if err != nil {
		return nil, err
	}
	persons, err := rows.Persons()
	if err == nil {
		err = minutes.EachPerson(persons, func(i int) {
			if i == query.LiveMinutes {
				a.Visitors++
			} else {
				a.Minutes[i].Visitors++
			}
		})
	}
	if err == nil {
		err = all.EachPerson(persons, func(int) { a.Total.Visitors++ })
	}
	for i, to := range []*[]query.LiveRow{&a.Pages, &a.Sources, &a.Countries, &a.Names} {
		t := &tables[i]
		if err == nil {
			err = t.people.EachPerson(persons, func(row int) { t.rows[row].Visitors++ })
		}
		*to = t.top()
	}
	for _, m := range a.Minutes {
		a.Total.Events += m.Events
		a.Total.Views += m.Views
	}
	return a, err
}

// liveSum is a table.
type liveSum struct {
	at     map[string]int // index in rows by text
	rows   []query.LiveRow
	shown  []liveText
	people *read.PairSet
}

func (t *liveSum) add(l *liveTable) error {
	for id, people := range l.people {
		if len(people) == 0 {
			continue
		}
		text := l.texts.Text(int32(id))
		row, known := t.at[text]
		if !known {
			if row = len(t.rows); row == query.CounterRowsMax {
				return fmt.Errorf("%w: more than %d values in five minutes; add a filter", query.ErrBadQuery, query.CounterRowsMax)
			}
			t.at[text] = row
			t.rows = append(t.rows, query.LiveRow{Value: text})
			t.shown = append(t.shown, liveText{})
		}
		if id < len(l.shown) {
			t.shown[row].take(l.shown[id].at, l.shown[id].text)
		}
		for _, who := range people {
			t.people.Add(row, uint64(who))
		}
	}
	return nil
}

// top returns the rows that are shown.
func (t *liveSum) top() []query.LiveRow {
	for i := range t.rows {
		if t.shown[i].at.seq != 0 {
			t.rows[i].Value = t.shown[i].text
		}
	}
	slices.SortFunc(t.rows, func(a, b query.LiveRow) int {
		return cmp.Or(cmp.Compare(b.Visitors, a.Visitors), strings.Compare(a.Value, b.Value))
	})
	return slices.Clone(t.rows[:min(len(t.rows), query.LiveRowsMax)])
}

// readLive reads the rows of a slice. start is the first minute, last the beginning of the last 5
// minutes.
func readLive(s *read.Slice, start, last int64) (*liveSlice, error) {
	l := new(liveSlice)
	times, persons := s.Ints(event.IntTime), s.Ints(event.IntPerson)
	col, kinds := typeKinds(s.Part())
	if col == nil {
		return l, nil
	}
	types := s.Codes(col)
	var fields, sent [len(liveTables)]read.Field
	for i, name := range liveTables {
		fields[i] = s.Field(name, &l.tables[i].texts)
		if as, folded := s.AsSent(name, &l.tables[i].sent); folded {
			sent[i] = as
		}
	}
	err := s.Each(func(rows []int32) {
		at, who, codes := times.Of(rows), persons.Of(rows), types.Of(rows)
		for i, row := range rows {
			minute := int((at[i] - start) / 60_000)
			n := &l.minutes[minute]
			n.Events++
			view := kinds[codes[i]]&rowView != 0
			if view {
				n.Views++
			}
			l.people[minute] = addPerson(l.people[minute], who[i])
			if at[i] < last {
				continue
			}
			l.people[query.LiveMinutes] = addPerson(l.people[query.LiveMinutes], who[i])
			for k, f := range fields {
				if k == livePages && !view || k == liveNames && view {
					continue
				}
				t := &l.tables[k]
				for _, id := range f.Terms(int(row)) {
					for len(t.people) <= int(id) {
						t.people = append(t.people, nil)
					}
					t.people[id] = addPerson(t.people[id], who[i])
					if sent[k] == nil || who[i] == 0 {
						continue
					}
					for len(t.shown) <= int(id) {
						t.shown = append(t.shown, liveText{})
					}
					if text := firstTerm(sent[k], int(row)); text != 0 {
						t.shown[id].take(moment{at[i], s.Seq(int(row))}, t.sent.Text(text-1))
					}
				}
			}
			if s.TimedOut() {
				return
			}
		}
	})
	return l, err
}

// addPerson adds a person unless it is nobody, or the one before.
func addPerson(to []int64, who int64) []int64 {
	if who == 0 || len(to) > 0 && to[len(to)-1] == who {
		return to
	}
	return append(to, who)
}
