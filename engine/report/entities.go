// Entities: the people or visits behind a number of a report, page by page.

package report

import (
	"slices"

	"cairn/engine/query"
	"cairn/engine/read"
)

// entityPage collects one page of entities: those with the highest ordinals below a cursor.
type entityPage struct {
	rows   *read.Rows
	limit  int
	before uint64
	ords   []uint64 // some may be too low
}

func newEntityPage(rows *read.Rows, q *query.EntityPage) (*entityPage, error) {
	if q.Limit < 1 || q.Limit > query.LimitMax {
		return nil, query.Bad("limit", "a page has 1 to %d rows", query.LimitMax)
	}
	p := &entityPage{rows: rows, limit: q.Limit, before: 1<<64 - 1}
	if q.After != "" {
		var ok bool
		if p.before, ok = rows.Position(q.After); !ok {
			return nil, query.ErrBadCursor
		}
	}
	return p, nil
}

// add adds an entity, once.
func (p *entityPage) add(ord uint64) {
	if ord >= p.before {
		return
	}
	if p.ords = append(p.ords, ord); len(p.ords) >= 8*query.LimitMax {
		p.cut()
	}
}

// cut keeps the entities of the page, and one more that tells that there are others.
func (p *entityPage) cut() {
	slices.SortFunc(p.ords, func(a, b uint64) int {
		if a > b {
			return -1
		}
		return 1
	})
	p.ords = p.ords[:min(len(p.ords), p.limit+1)]
}

// sessions returns the page as keys of sessions.
func (p *entityPage) sessions() (*query.Entities, error) {
	return p.page(func(ord uint64) (string, error) { return p.rows.Key(ord), nil })
}

// users returns the page as ids of users.
func (p *entityPage) users() (*query.Entities, error) { return p.page(p.rows.UserID) }

func (p *entityPage) page(id func(ord uint64) (string, error)) (*query.Entities, error) {
	p.cut()
	page := &query.Entities{IDs: make([]string, 0, len(p.ords))}
	for i, ord := range p.ords {
		if i == p.limit {
			page.Next = p.rows.Key(p.ords[i-1])
			break
		}
		text, err := id(ord)
		if err == query.ErrQueryTimeout && i > 0 {
			page.Next = p.rows.Key(p.ords[i-1]) // a shorter page
			break
		}
		if err != nil {
			return nil, err
		}
		page.IDs = append(page.IDs, text)
	}
	return page, nil
}

func entitiesBytes(e *query.Entities) (n int) {
	for _, id := range e.IDs {
		n += 16 + len(id)
	}
	return n
}
