// Pages: page views by page, url, title or host.

package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// PageLabels are what page views may be told apart by.
var PageLabels = []string{"page", "url", "title", "host"}

// Pages answers a report of pages.
func (r *Reports) Pages(ctx context.Context, q query.PagesQuery) (*query.PagesAnswer, error) {
	if !slices.Contains(PageLabels, q.Of) {
		return nil, query.Bad("of", "must be one of %s", strings.Join(PageLabels, ", "))
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	key := fmt.Sprintf("pages %s %v %v", q.Of, q.Where, q.Rows)
	answer, as, err := read.Kept(rows, &q.Report, key, pageBytes, func() (*query.PagesAnswer, error) {
		return countPages(rows, &q, nil)
	})
	if err != nil || answer == nil {
		return &query.PagesAnswer{AsOf: as}, err
	}
	full := *answer
	full.AsOf = as
	if q.Compare == nil {
		return &full, nil
	}
	was := q
	was.Span, was.Tag, was.Rows = *q.Compare, "", query.Rows{Limit: query.CounterRowsMax}
	shown := make(map[query.Text]bool)
	var names []string
	for _, row := range full.Rows {
		shown[row.Value] = true
		names = append(names, fmt.Sprint(row.Value.Null, row.Value.Text))
	}
	key = fmt.Sprintf("pages before %s %v %x", q.Of, q.Where, hashTexts(names))
	before, _, err := read.Kept(rows, &was.Report, key, pageBytes, func() (*query.PagesAnswer, error) {
		return countPages(rows, &was, shown)
	})
	if err != nil {
		return nil, err
	}
	full.Compared, full.Rows = &before.Total, slices.Clone(full.Rows)
	known := make(map[query.Text]*query.PageNumbers)
	for i := range before.Rows {
		known[before.Rows[i].Value] = &before.Rows[i].PageNumbers
	}
	for i := range full.Rows {
		if full.Rows[i].Was = known[full.Rows[i].Value]; full.Rows[i].Was == nil {
			full.Rows[i].Was = new(query.PageNumbers)
		}
	}
	return &full, nil
}

func pageBytes(a *query.PagesAnswer) int {
	n := 256
	for i := range a.Rows {
		n += 128 + len(a.Rows[i].Value.Text)
	}
	return n
}

// pageCount counts the page views of one range.
type pageCount struct {
	rows  *read.Rows
	q     *query.PagesQuery
	views *read.Selection // the page views that count
	total query.PageNumbers
	pages []query.PageRow
	room  *read.Room
	known sync.Mutex     // of pages, at and none, while goroutines read
	at    map[string]int // index in pages by text
	none  int            // index of views without a label plus 1
}

// countPages answers a report of one range. only are the rows that are shown; nil = those that
// the question asks for.
func countPages(rows *read.Rows, q *query.PagesQuery, only map[query.Text]bool) (*query.PagesAnswer, error) {
	sel, err := rows.Select(q.Where, q.Span)
	if err != nil {
		return nil, err
	}
	c := &pageCount{rows: rows, q: q, views: sel.And(event.FieldType, string(event.Page), string(event.Screen)), at: make(map[string]int), room: rows.Room()}
	defer c.room.Close()
	if err := c.countViews(); err != nil {
		return nil, err
	}
	if err := c.countVisits(); err != nil {
		return nil, err
	}
	answer := new(query.PagesAnswer)
	sort := cmp.Or(q.Rows.Sort, "views")
	distinct := sort == "visits" || sort == "visitors" || sort == "exit_rate"
	if distinct {
		if err := c.countDistinct(nil); err != nil {
			return nil, err
		}
	}
	if only != nil {
		for _, row := range c.pages {
			if only[row.Value] {
				answer.Rows = append(answer.Rows, row)
			}
		}
	} else {
		c.page(answer)
	}
	if !distinct {
		shown := make(map[query.Text]bool)
		for _, row := range answer.Rows {
			shown[row.Value] = true
		}
		if err := c.countDistinct(shown); err != nil {
			return nil, err
		}
		for i := range answer.Rows {
			answer.Rows[i] = c.pages[c.index(answer.Rows[i].Value)]
		}
	}
	answer.Total = c.total
	return answer, nil
}

// pageRowBytes is about what a row takes in memory: with its copies in three goroutines, and in
// the answer.
const pageRowBytes = 1 << 9

// place returns the index in pages of a label, which may be new.
func (c *pageCount) place(value query.Text) (int, error) {
	if i := c.index(value); i >= 0 {
		return i, nil
	}
	if len(c.pages) == query.CounterRowsMax {
		return 0, query.Bad("range", "more than %d pages; ask for fewer days or add a filter", query.CounterRowsMax)
	}
	if err := c.room.Add(pageRowBytes + int64(len(value.Text))); err != nil {
		return 0, err
	}
	c.pages = append(c.pages, query.PageRow{Value: value})
	if value.Null {
		c.none = len(c.pages)
	} else {
		c.at[value.Text] = len(c.pages) - 1
	}
	return len(c.pages) - 1, nil
}

// index returns the index of a label in pages, -1 when it is new.
func (c *pageCount) index(value query.Text) int {
	if value.Null {
		return c.none - 1
	}
	if i, known := c.at[value.Text]; known {
		return i
	}
	return -1
}

// page sets the rows that are asked for.
func (c *pageCount) page(to *query.PagesAnswer) {
	q, search := &c.q.Rows, query.NewSearch(c.q.Rows.Search)
	var all []query.PageRow
	for _, row := range c.pages {
		if row.Views >= max(q.AtLeast, 1) && (q.Search == "" || !row.Value.Null && search.Matches(row.Value.Text)) {
			all = append(all, row)
		}
	}
	number := pageNumber(cmp.Or(q.Sort, "views"))
	sortRows(all, q.Ascending, func(r *query.PageRow) (query.Text, []string) { return r.Value, nil }, number)
	to.Rows, to.Count, to.More = cutRows(all, q)
}

// PageNumberNames are the numbers of a row of pages, by which a table may be sorted.
var PageNumberNames = []string{"views", "visits", "visitors", "entries", "exits", "bounces", "bounce_rate", "exit_rate", "time"}

// pageNumber returns how to read a number of a row by its name, nil for "value".
func pageNumber(name string) func(*query.PageRow) ratio {
	whole := func(of func(*query.PageNumbers) uint64) func(*query.PageRow) ratio {
		return func(r *query.PageRow) ratio { return ratio{float64(of(&r.PageNumbers)), 1} }
	}
	switch name {
	case "visits":
		return whole(func(n *query.PageNumbers) uint64 { return n.Visits })
	case "visitors":
		return whole(func(n *query.PageNumbers) uint64 { return n.Visitors })
	case "entries":
		return whole(func(n *query.PageNumbers) uint64 { return n.Entries })
	case "exits":
		return whole(func(n *query.PageNumbers) uint64 { return n.Exits })
	case "bounces":
		return whole(func(n *query.PageNumbers) uint64 { return n.Bounces })
	case "bounce_rate":
		return func(r *query.PageRow) ratio { return ratio{float64(r.Bounces), float64(r.Entries)} }
	case "exit_rate":
		return func(r *query.PageRow) ratio { return ratio{float64(r.Exits), float64(r.Visits)} }
	case "time":
		return func(r *query.PageRow) ratio { return ratio{float64(r.Milliseconds), float64(r.Timed)} }
	case "value":
		return nil
	}
	return whole(func(n *query.PageNumbers) uint64 { return n.Views })
}
