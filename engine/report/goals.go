// Goals: how often each of some goals was reached.

package report

import (
	"context"
	"fmt"
	"strings"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// Goals answers a report of goals.
func (r *Reports) Goals(ctx context.Context, q query.GoalsQuery) (*query.GoalsAnswer, error) {
	var rules []read.Rule
	for _, g := range q.Goals {
		rules = append(rules, read.RulesOf(g.Where)...)
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	answer, as, err := read.Kept(rows, &q.Report, fmt.Sprintf("goals %v %v %v", q.Goals, q.Where, q.Rows), goalBytes, func() (*query.GoalsAnswer, error) {
		visits, numbers, err := countGoals(rows, &q.Report, q.Span, q.Goals)
		if err != nil {
			return nil, err
		}
		return goalPage(&q, visits, numbers), nil
	}, rules...)
	if err != nil || answer == nil {
		return &query.GoalsAnswer{AsOf: as}, err
	}
	full := *answer
	full.AsOf = as
	if q.Compare == nil {
		return &full, nil
	}
	was := q
	was.Span, was.Tag, was.Goals = *q.Compare, "", nil
	for _, row := range full.Rows {
		was.Goals = append(was.Goals, row.Goal)
	}
	type before struct {
		visits  uint64
		numbers []query.GoalNumbers
	}
	size := func(b *before) int { return 64 + 64*len(b.numbers) }
	then, _, err := read.Kept(rows, &was.Report, fmt.Sprintf("goals before %v %v", was.Goals, q.Where), size, func() (*before, error) {
		visits, numbers, err := countGoals(rows, &was.Report, was.Span, was.Goals)
		return &before{visits, numbers}, err
	}, rules...)
	if err != nil {
		return nil, err
	}
	full.WasVisits, full.Rows = then.visits, append([]query.GoalRow(nil), full.Rows...)
	for i := range full.Rows {
		full.Rows[i].Was = &then.numbers[i]
	}
	return &full, nil
}

func goalBytes(a *query.GoalsAnswer) int {
	n := 128
	for i := range a.Rows {
		g := &a.Rows[i].Goal
		n += 256 + len(g.ID) + len(g.Name) + 3*len(g.Query)
	}
	return n
}

// goalPage returns the answer with the rows that are asked for.
func goalPage(q *query.GoalsQuery, visits uint64, numbers []query.GoalNumbers) *query.GoalsAnswer {
	a := &query.GoalsAnswer{Visits: visits}
	search := query.NewSearch(q.Rows.Search)
	var all []query.GoalRow
	for i, g := range q.Goals {
		if numbers[i].Conversions >= q.Rows.AtLeast && (q.Rows.Search == "" || search.Matches(g.Name)) {
			all = append(all, query.GoalRow{Goal: copyGoal(g), GoalNumbers: numbers[i]})
		}
	}
	a.Rows, a.Count, _ = cutRows(all, &q.Rows)
	return a
}

// goalSlice is what a slice has of a goal: its rows, and what they are of. Ordinals may repeat.
type goalSlice struct {
	conversions    uint64
	value          query.Sum
	visits, people []uint64
}

// countGoals counts each goal in a span. Each goal reads its own rows alone: the index finds them.
func countGoals(rows *read.Rows, q *query.Report, span query.Span, goals []query.Goal) (visits uint64, numbers []query.GoalNumbers, err error) {
	counted, err := reportedVisits(rows, q.Where, span)
	if err != nil {
		return 0, nil, err
	}
	var where *read.Selection
	if len(q.Where) > 0 {
		if where, err = rows.Select(q.Where, span); err != nil {
			return 0, nil, err
		}
	}
	sets := rows.PairSets()
	defer sets.Close()
	converted, people := sets.New(), sets.New()
	numbers = make([]query.GoalNumbers, len(goals))
	for i, g := range goals {
		reached, err := rows.Select(g.Where, span)
		if err != nil {
			return 0, nil, err
		}
		err = read.InOrder(reached, func(s *read.Slice) (*goalSlice, error) {
			return readGoal(s, counted, where)
		}, func(g *goalSlice) error {
			numbers[i].Conversions += g.conversions
			numbers[i].Value.AddSum(g.value)
			for _, ord := range g.visits {
				converted.Add(i, ord)
			}
			for _, ord := range g.people {
				people.Add(i, ord)
			}
			return rows.Check()
		})
		if err != nil {
			return 0, nil, err
		}
	}
	persons, err := rows.Persons()
	if err == nil {
		err = converted.Each(func(row int, _ uint64) { numbers[row].Converted++ })
	}
	if err == nil {
		err = people.EachPerson(persons, func(row int) { numbers[row].Visitors++ })
	}
	return uint64(counted.Len()), numbers, err
}

// readGoal reads the rows of a goal in a slice. A visit is converted by any of them, while the
// other numbers are those of the rows that where has; nil = all.
func readGoal(s *read.Slice, counted *identity.OrdSet, where *read.Selection) (*goalSlice, error) {
	g := new(goalSlice)
	var texts read.Terms
	sessions, persons, values := s.Ints(event.IntSession), s.Ints(event.IntPerson), s.Field("value", &texts)
	satisfied := func(int) bool { return true }
	if where != nil {
		satisfied = s.Selects(where)
	}
	err := s.Each(func(rows []int32) {
		ords, who := sessions.Of(rows), persons.Of(rows)
		for i, row := range rows {
			if counted.Has(uint64(ords[i])) {
				g.visits = appendOrd(g.visits, uint64(ords[i]))
			}
			if !satisfied(int(row)) {
				continue
			}
			g.conversions++
			g.people = appendOrd(g.people, uint64(who[i]))
			for _, id := range values.Terms(int(row)) {
				if text := texts.Text(id); event.IsNumber(text) {
					g.value.Add(text)
				}
			}
		}
	})
	return g, err
}

// appendOrd appends an ordinal, unless it is nobody's or the same as the one before.
func appendOrd(list []uint64, ord uint64) []uint64 {
	if ord == 0 || len(list) > 0 && list[len(list)-1] == ord {
		return list
	}
	return append(list, ord)
}

// reportedVisits returns the visits that a report of visits with these conditions counts.
func reportedVisits(rows *read.Rows, where []query.Cond, span query.Span) (*identity.OrdSet, error) {
	if plain, about := splitConds(where); len(about) == 0 {
		return countedVisits(rows, plain, span)
	}
	return matchingVisits(rows, where, span)
}

// copyGoal returns a copy that an answer may keep.
func copyGoal(g query.Goal) query.Goal {
	g.ID, g.Name, g.Query = strings.Clone(g.ID), strings.Clone(g.Name), strings.Clone(g.Query)
	where := make([]query.Cond, len(g.Where))
	for i, c := range g.Where {
		where[i] = c
		where[i].Field, where[i].Values = strings.Clone(c.Field), make([]string, len(c.Values))
		for k, v := range c.Values {
			where[i].Values[k] = strings.Clone(v)
		}
	}
	g.Where = where
	return g
}
