// Views: the rows that one query sees, and how to walk through them.

package read

import (
	"context"
	"sync"
	"time"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/store"
	"cairn/engine/table"
)

// view is the rows that one query sees, and the query's budget. It belongs to the query: new
// rows do not change it. Several goroutines may read it.
type view struct {
	*table.View
	budget  budget
	public  *store.PublicIDs
	counted *countedRuns
	zone    *time.Location // of the site's days; nil = UTC
	reader  *Reader
	site    *query.Site
	joins   uint64 // version of the site's links, all of whose rows the view has

	who struct { // see persons
		sync.Mutex
		persons identity.Persons
		known   bool
	}
	deleted struct { // see gone
		sync.Mutex
		rows  *goneRows
		known bool
	}
}

// view returns a view of the site's rows as they are now.
func (rd *Reader) view(ctx context.Context, site *query.Site) *view {
	return rd.viewOf(ctx, site, (*table.Table).View)
}

// retainedView is view with the rows that retention alone hides.
func (rd *Reader) retainedView(ctx context.Context, site *query.Site) *view {
	return rd.viewOf(ctx, site, (*table.Table).RetainedView)
}

func (rd *Reader) viewOf(ctx context.Context, site *query.Site, take func(*table.Table) *table.View) *view {
	t := rd.Table(site.ID)
	joins := t.Links.Version()
	return &view{View: take(t), budget: rd.budget(ctx), public: rd.Public, counted: &rd.counted, zone: site.Location, reader: rd, site: site, joins: joins}
}

// links returns the links between the site's persons. It waits until the stored ones are
// loaded.
func (v *view) links() (*identity.Links, error) {
	return v.Table.Links, v.Table.Links.Ready(v.budget.wait)
}

// persons returns which ordinals are the same person: those of the moment when the query first
// asked. So all passes of a query see the same persons, whatever links come meanwhile.
func (v *view) persons() (identity.Persons, error) {
	l, err := v.links()
	if err != nil {
		return identity.Persons{}, err
	}
	v.who.Lock()
	defer v.who.Unlock()
	if !v.who.known {
		v.who.persons, v.who.known = l.Persons(), true
	}
	return v.who.persons, nil
}

// walk visits the rows that satisfy pred in order, part by part, starting after the seq
// after; 0 means from the beginning. It passes visit the matching rows of one part, at most
// limit of them, and goes on while visit returns true. When the time is over, walk returns
// the seq up to which it got as reached; otherwise reached is 0.
func (v *view) walk(pred *predicate, ascending bool, after uint64, visit func(p *table.Part, rows []int) (bool, error), limit int) (reached uint64, err error) {
	seq := after
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
			if err == query.ErrQueryTimeout && seq != after {
				return seq, nil
			}
			return 0, err
		}
		before := seq
		seq = first
		if ascending {
			seq = last
		}
		matcher := pred.matcher(p)
		if err := p.Err(); err != nil {
			return 0, err
		}
		if matcher == nil && !pred.mayGiveUp {
			continue
		}
		var rows []int
		take := func(row int) bool {
			rows = append(rows, row)
			return len(rows) < limit
		}
		switch {
		case matcher == nil:
		case ascending:
			from := 0
			if after >= first {
				from = int(after-first) + 1
			}
			matcher.Ascend(from, take)
		default:
			from := int(last - first)
			if after != 0 && after <= last {
				from = int(after-first) - 1
			}
			matcher.Descend(from, take)
		}
		if err := p.Err(); err != nil {
			return 0, err
		}
		if err := pred.complete(v.budget); err != nil {
			if err == query.ErrQueryTimeout && before != after {
				return before, nil // the rows of this part may be wrong
			}
			return 0, err
		}
		if len(rows) == 0 {
			continue
		}
		if goOn, err := visit(p, rows); err != nil || !goOn {
			return 0, err
		}
	}
	return 0, nil
}

// eachRow calls fn for every row that satisfies pred, part by part, oldest first. It calls
// part once for each part to get fn.
func (v *view) eachRow(pred *predicate, part func(p *table.Part) (fn func(row int))) error {
	return v.eachRowUntil(pred, func(p *table.Part) func(int) error {
		fn := part(p)
		return func(row int) error {
			fn(row)
			return nil
		}
	})
}

// eachRowUntil is eachRow for an fn that may fail. It stops at the first error and returns
// it.
func (v *view) eachRowUntil(pred *predicate, part func(p *table.Part) (fn func(row int) error)) error {
	c := clock{budget: v.budget}
	for i := range v.Parts {
		p := &v.Parts[i]
		if err := v.budget.check(); err != nil {
			return err
		}
		matcher := pred.matcher(p)
		if err := p.Err(); err != nil {
			return err
		}
		if matcher == nil {
			continue
		}
		fn := part(p)
		var failed error
		matcher.Ascend(0, func(row int) bool {
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
	return pred.complete(v.budget)
}
