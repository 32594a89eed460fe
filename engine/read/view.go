// Views: the rows that one query sees, and ways to go through them.

package read

import (
	"context"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
)

// view is what one query sees, within its budget.
type view struct {
	*table.View
	budget budget
}

// view is what a question about the site sees. The caller closes it.
func (rd *Reader) view(ctx context.Context, site *query.Site) *view {
	return &view{rd.Table(site.ID).View(), rd.budget(ctx)}
}

// links returns the links between the site's persons, all that are stored among them.
func (v *view) links() (*identity.Links, error) {
	return v.Table.Links, v.Table.Links.Ready(v.budget.wait)
}

// persons returns who is one person by now.
func (v *view) persons() (identity.Persons, error) {
	l, err := v.links()
	if err != nil {
		return identity.Persons{}, err
	}
	return l.Persons(), nil
}

// walk visits the rows that satisfy pred in order, part by part, from just beyond
// after (0 = from the start). visit gets the rows of one part, at most want of
// all in one call, and says whether to go on. When time runs out, walk returns
// the seq it got to as spent.
func (v *view) walk(pred *predicate, ascending bool, after uint64, visit func(p *table.Part, rows []int) (bool, error), want int) (spent uint64, err error) {
	at := after
	for i := range v.Parts {
		p := &v.Parts[i]
		if !ascending {
			p = &v.Parts[len(v.Parts)-1-i]
		}
		first, last := p.First(), p.Last()
		if after != 0 && (ascending && last <= after || !ascending && first >= after) {
			continue
		}
		if err := v.budget.check(); err != nil {
			if err == query.ErrQueryTimeout && at != after {
				return at, nil
			}
			return 0, err
		}
		at = first
		if ascending {
			at = last
		}
		matched := pred.matcher(p)
		if err := p.Err(); err != nil {
			return 0, err
		}
		if matched == nil {
			continue
		}
		var rows []int
		take := func(row int) bool {
			rows = append(rows, row)
			return len(rows) < want
		}
		if ascending {
			from := 0
			if after >= first {
				from = int(after-first) + 1
			}
			matched.Ascend(from, take)
		} else {
			from := int(last - first)
			if after != 0 && after <= last {
				from = int(after-first) - 1
			}
			matched.Descend(from, take)
		}
		if err := p.Err(); err != nil {
			return 0, err
		}
		if len(rows) == 0 {
			continue
		}
		if on, err := visit(p, rows); err != nil || !on {
			return 0, err
		}
	}
	return 0, nil
}

// eachRow calls fn for every row that satisfies pred, part by part, oldest first.
func (v *view) eachRow(pred *predicate, part func(p *table.Part) (fn func(row int))) error {
	return v.eachRowUntil(pred, func(p *table.Part) func(int) error {
		fn := part(p)
		return func(row int) error {
			fn(row)
			return nil
		}
	})
}

// eachRowUntil is eachRow until fn returns an error, which it returns.
func (v *view) eachRowUntil(pred *predicate, part func(p *table.Part) (fn func(row int) error)) error {
	c := clock{budget: v.budget}
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.check(); err != nil {
			return err
		}
		matched := pred.matcher(p)
		if err := p.Err(); err != nil {
			return err
		}
		if matched == nil {
			continue
		}
		fn := part(p)
		var failed error
		matched.Ascend(0, func(row int) bool {
			if failed = c.countRow(0); failed == nil {
				failed = fn(row)
			}
			return failed == nil
		})
		if failed != nil {
			return failed
		}
		if err := p.Err(); err != nil {
			return err
		}
	}
	return nil
}
