// Page rows: what goroutines count of page views, and of the visits that these are in.

package report

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

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
