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

// valueOf returns the label of a number plus 1.
func valueOf(terms *read.Terms, id int32) query.Text {
	if id == 0 {
		return query.Text{Null: true}
	}
	return query.Text{Text: terms.Text(id - 1)}
}

// pagePlaces finds the rows of labels, for one goroutine.
type pagePlaces struct {
	*pageCount
	texts *read.Terms
	at    []int32 // by number of a text in texts plus 1: index in pages plus 1; 0 = not known
}

// of returns the index in pages of a label; id is its number plus 1.
func (p *pagePlaces) of(texts *read.Terms, id int32) (int, error) {
	if p.texts != texts {
		p.texts = texts
		clear(p.at)
	}
	if int(id) >= len(p.at) {
		p.at = grownTo(p.at, int(id))
	}
	if p.at[id] == 0 {
		p.known.Lock()
		i, err := p.place(valueOf(texts, id))
		p.known.Unlock()
		if err != nil {
			return 0, err
		}
		p.at[id] = int32(i + 1)
	}
	return int(p.at[id] - 1), nil
}

// pageRows reads the labels of page views, for one goroutine.
type pageRows struct {
	pagePlaces
	texts   *read.Terms
	part    any // that the readers are of
	reader  *labelReader
	columns [2]*read.Column // sessions and people

	views  []uint64 // by index in pages
	recent recentPairs
	ofRows [2]*read.PairSet
	ofAll  [2]*read.PairSet
}

// open prepares a slice.
func (r *pageRows) open(s *read.Slice) {
	if r.texts == nil || r.texts.Len() > textsMax || r.texts.Bytes() > textBytesMax {
		r.texts, r.part = new(read.Terms), nil
	}
	if key := s.PartKey(); r.part != key {
		r.part, r.reader = key, newLabelReader(s, r.q.Of, false, r.texts)
		r.columns = [2]*read.Column{s.Ints(event.IntSession), s.Ints(event.IntPerson)}
	}
}

// countViews counts the page views of each label.
func (c *pageCount) countViews() error {
	workers := make([]*pageRows, c.rows.Workers())
	for i := range workers {
		workers[i] = &pageRows{pagePlaces: pagePlaces{pageCount: c}}
	}
	err := read.EachSlice(c.views, workers, func(r *pageRows, s *read.Slice) error {
		r.open(s)
		w := work{rows: c.rows}
		err := s.Each(func(rows []int32) {
			for _, row := range rows {
				if w.failed() || s.TimedOut() {
					return
				}
				id, _ := r.reader.at(int(row))
				i, err := r.of(r.texts, id)
				if err != nil {
					w.set(err)
					return
				}
				if i >= len(r.views) {
					r.views = grownTo(r.views, i)
				}
				r.views[i]++
			}
		})
		return cmp.Or(err, w.err)
	})
	for _, r := range workers {
		for i, n := range r.views[:min(len(r.views), len(c.pages))] {
			c.pages[i].Views += n
			c.total.Views += n
		}
	}
	return err
}

// countVisits adds entries, exits, bounces and times.
func (c *pageCount) countVisits() error {
	p, err := newVisitPass(c.rows, c.q.Where, c.q.Span)
	if err != nil {
		return err
	}
	p.label, p.list, p.anyRow = c.q.Of, true, true
	entryLabel := slices.ContainsFunc(p.filter.dims, func(t dimTest) bool { return t.kind == dimEntry || t.kind == dimExit })
	if entryLabel && c.q.Of != "page" {
		// A condition compares pages and the report other labels: the visits come first.
		if p, err = newVisitPass(c.rows, nil, c.q.Span); err != nil {
			return err
		}
		p.label, p.list, p.anyRow = c.q.Of, true, true
		rows, visits := splitConds(c.q.Where)
		p.plain, p.only = rows, visits
	}
	var sums []*pageSum
	err = p.run(func() { sums = nil }, func() visitSink {
		s := &pageSum{pagePlaces: pagePlaces{pageCount: c}, to: p.span.To}
		sums = append(sums, s)
		return s.add
	})
	for _, s := range sums {
		c.total.AddVisits(&s.total)
		for i := range s.pages[:min(len(s.pages), len(c.pages))] {
			c.pages[i].AddVisits(&s.pages[i])
		}
	}
	return err
}

// pageSum is what one goroutine counts of visits.
type pageSum struct {
	pagePlaces
	to    int64 // end of the span
	total query.PageNumbers
	pages []query.PageNumbers // by index in pageCount.pages
}

// of returns the numbers of a label; id is its number plus 1.
func (s *pageSum) of(texts *read.Terms, id int32) (*query.PageNumbers, error) {
	i, err := s.pagePlaces.of(texts, id)
	if err != nil {
		return nil, err
	}
	if i >= len(s.pages) {
		s.pages = grownTo(s.pages, i)
	}
	return &s.pages[i], nil
}

// add adds the page views of one visit.
func (s *pageSum) add(texts *read.Terms, v *visitFacts) error {
	if v.views == 0 {
		return nil
	}
	slices.SortFunc(v.list, func(a, b pageView) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq))
	})
	end := v.last.time
	if v.rule.HeartBeats {
		end = max(end, min(v.beat, s.to))
	}
	for i, view := range v.list {
		if !view.mine {
			continue
		}
		n, err := s.of(texts, view.label)
		if err != nil {
			return err
		}
		until := end
		if i+1 < len(v.list) {
			until = v.list[i+1].time
		}
		if on := until - view.time; on > 0 {
			n.Milliseconds += on
			n.Timed++
		}
		if i == 0 {
			n.Entries++
			s.total.Entries++
			if v.bounced() {
				n.Bounces++
				s.total.Bounces++
			}
		}
		if i+1 == len(v.list) {
			n.Exits++
			s.total.Exits++
		}
	}
	return nil
}

// countDistinct counts the sessions and people of some labels, nil = all, and in total.
func (c *pageCount) countDistinct(only map[query.Text]bool) error {
	shown := make([]bool, len(c.pages))
	for i := range shown {
		shown[i] = only == nil || only[c.pages[i].Value]
	}
	workers := make([]*pageRows, c.rows.Workers())
	sets := c.rows.PairSetsOf(len(workers))
	defer sets.Close()
	for i := range workers {
		r := &pageRows{pagePlaces: pagePlaces{pageCount: c}}
		for k := range r.ofRows {
			r.ofRows[k], r.ofAll[k] = sets.New(), sets.New()
		}
		workers[i] = r
	}
	err := read.EachSlice(c.views, workers, func(r *pageRows, s *read.Slice) error {
		r.open(s)
		w := work{rows: c.rows}
		err := s.Each(func(rows []int32) {
			ords := [2][]int64{r.columns[0].Of(rows), r.columns[1].Of(rows)}
			for i, row := range rows {
				if w.failed() || s.TimedOut() {
					return
				}
				id, _ := r.reader.at(int(row))
				page, err := r.pagePlaces.of(r.texts, id)
				if err != nil {
					w.set(err)
					return
				}
				for k := range ords {
					ord := ords[k][i]
					if ord == 0 {
						continue
					}
					if r.recent.fresh(k, placedPair{-1, 0, ord}) {
						r.ofAll[k].Add(0, uint64(ord))
					}
					if shown[page] && r.recent.fresh(k, placedPair{int32(page), 0, ord}) {
						r.ofRows[k].Add(page, uint64(ord))
					}
				}
			}
		})
		return cmp.Or(err, w.err)
	})
	if err != nil {
		return err
	}
	all := workers[0]
	for _, r := range workers[1:] {
		for k := range r.ofRows {
			all.ofRows[k].Take(r.ofRows[k])
			all.ofAll[k].Take(r.ofAll[k])
		}
	}
	persons, err := c.rows.Persons()
	if err == nil {
		err = all.ofRows[0].Each(func(row int, _ uint64) { c.pages[row].Visits++ })
	}
	if err == nil {
		err = all.ofRows[1].EachPerson(persons, func(row int) { c.pages[row].Visitors++ })
	}
	if err == nil {
		err = all.ofAll[0].Each(func(int, uint64) { c.total.Visits++ })
	}
	if err == nil {
		err = all.ofAll[1].EachPerson(persons, func(int) { c.total.Visitors++ })
	}
	return err
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
