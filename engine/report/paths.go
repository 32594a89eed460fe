// Paths: where visits go from a row, or where they came from.

package report

import (
	"cmp"
	"context"
	"fmt"
	"sort"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
)

// Paths returns where visits went, column by column.
func (r *Reports) Paths(ctx context.Context, q *query.Paths) (*query.PathsAnswer, query.AsOf, error) {
	if err := checkPaths(q); err != nil {
		return nil, query.AsOf{}, err
	}
	rows := r.reader.Rows(ctx, q.Site)
	defer rows.Close()
	key := fmt.Sprintf("paths%v %v %v %t %t %q %d %q %t %q %d %t", q.Where, q.Start, q.End, q.Start == nil, q.End == nil, q.Then, q.Depth, q.Of, q.Each, q.Fold, q.Limit, q.NoLinks)
	return read.Kept(rows, &q.Report, key, pathsBytes, func() (*query.PathsAnswer, error) {
		p, err := newPaths(q, rows, r.tuples)
		if err != nil {
			return nil, err
		}
		p.sum.links.room = rows.Room()
		defer p.sum.links.room.Close()
		if err := p.run(); err != nil {
			return nil, err
		}
		p.sum.settle()
		if p.sum.linksLost { // count those that are shown alone
			p.sum = p.sum.again()
			if err := p.run(); err != nil {
				return nil, err
			}
		}
		return p.sum.answer()
	}, read.RulesOf(q.Start, q.End)...)
}

func checkPaths(q *query.Paths) error {
	switch {
	case q.Depth < 1 || q.Depth > query.PathsDepthMax:
		return query.Bad("depth", "must be a number from 1 to %d", query.PathsDepthMax)
	case len(q.Then) > q.Depth:
		return query.Bad("then", "more labels than columns; raise depth")
	case q.Start != nil && q.End != nil:
		return query.Bad("end", "cannot be given together with start")
	}
	return nil
}

func pathsBytes(a *query.PathsAnswer) (n int) {
	for i := range a.Columns {
		for j := range a.Columns[i].Rows {
			n += 24 + len(a.Columns[i].Rows[j].Label)
		}
	}
	for i := range a.Links {
		n += 64 + len(a.Links[i].From.Text) + len(a.Links[i].To)
	}
	return n
}

// paths follows each visit. The value of a tuple is the number of the row's label.
type paths struct {
	q      *query.Paths
	rows   *read.Rows
	tuples int
	visits *identity.OrdSet
	anchor *read.Selection // nil = the begin of the visit
	labels splits
	fold   []query.Pattern
	folds  []uint32 // by the number of a label: that of the label that stands for it; 0 = not known yet
	sum    *pathsSum

	runs  []labelRun // of the visit
	taken []uint32
}

// labelRun is the rows of a visit that have one label, with no other label between them.
type labelRun struct {
	label       uint32
	first, last int // rows
}

// Bits of the tuples of paths.
const (
	isAnchor = 1 << iota
	isName   // the row has no label; the value is its name
)

func newPaths(q *query.Paths, rows *read.Rows, tuples int) (*paths, error) {
	p := &paths{q: q, rows: rows, tuples: tuples, labels: splits{param: "range"}}
	for _, f := range q.Fold {
		p.fold = append(p.fold, query.NewPattern(f))
	}
	var err error
	p.sum, err = newPathsSum(q, &p.labels, 2*tuples)
	return p, err
}

// folded returns the number of the label that stands for a label.
func (p *paths) folded(label uint32) (uint32, error) {
	if label == 0 || len(p.fold) == 0 {
		return label, nil
	}
	p.folds = grownTo(p.folds, int(label))
	if p.folds[label] != 0 {
		return p.folds[label], nil
	}
	to, text := label, p.labels.group(label).Text
	for i, f := range p.fold {
		if f.Matches(text) {
			var err error
			if to, err = p.labels.number(p.q.Fold[i]); err != nil {
				return 0, err
			}
			break
		}
	}
	p.folds[label] = to
	return to, nil
}

func (p *paths) run() (err error) {
	q := p.q
	if p.visits == nil {
		if p.visits, err = countedVisits(p.rows, q.Where, q.Span); err != nil {
			return err
		}
	}
	conds := q.Start
	if q.End != nil {
		conds = q.End
	}
	if conds != nil {
		if p.anchor, err = p.rows.Select(conds, query.Span{}); err != nil {
			return err
		}
	}
	all, err := p.rows.Select(nil, q.Span)
	if err != nil {
		return err
	}
	all = all.WithSession()
	views, err := typed(p.rows, event.Page, event.Screen)
	if err != nil {
		return err
	}
	events, err := typed(p.rows, event.Track, event.Download, event.Outlink, event.Search, event.Order, event.Goal, event.Cart)
	if err != nil {
		return err
	}
	read := func(s *read.Slice, in class) (*sliceTuples, error) { return p.read(s, in, views, events) }
	g := grouping{limit: p.tuples, sel: all, read: read, value: p.labels.ofSlice, take: p.take, crowded: p.crowded}
	return g.run()
}

func (p *paths) crowded([]tuple) error {
	return query.Bad("range", "one visit has more than %d events; ask about a shorter time, or leave the visit out by a filter", p.tuples)
}

// read returns the rows of a slice that have a label or are anchors.
func (p *paths) read(s *read.Slice, in class, views, events *read.Selection) (*sliceTuples, error) {
	out := newSliceTuples(s)
	out.texts = new(read.Terms)
	never := func(int) bool { return false }
	anchor, viewed, done := never, never, never
	if p.anchor != nil {
		anchor = s.Selects(p.anchor)
	}
	if p.q.Of != query.PathsEvents {
		viewed = s.Selects(views)
	}
	if p.q.Of == query.PathsEvents || p.q.Of == query.PathsBoth {
		done = s.Selects(events)
	}
	page, name := s.Field("page", out.texts), s.Field("name", out.texts)
	keys := keyReader{s: s, visits: p.visits}
	times := s.Ints(event.IntTime)
	var failed error
	err := s.Each(func(rows []int32) {
		if failed != nil {
			return
		}
		at := times.Of(rows)
		for i, key := range keys.of(rows) {
			if key == 0 || !in.has(key) || s.TimedOut() {
				continue
			}
			row, bits, label := int(rows[i]), uint16(0), uint32(0)
			if anchor(row) {
				bits = isAnchor
			}
			switch {
			case viewed(row):
				label = uint32(firstTerm(page, row))
			case done(row):
				label = uint32(firstTerm(name, row))
			case bits != 0:
				label = uint32(firstTerm(name, row))
				bits |= isName
			}
			if failed = tooManyTexts(p.labels.param, out.texts); failed != nil {
				return
			}
			if label != 0 || bits != 0 {
				out.add(newTuple(key, label, at[i], bits))
			}
		}
	})
	return out, cmp.Or(err, failed)
}

// take follows one visit.
func (p *paths) take(_ uint64, rows []tuple) error {
	p.runs = p.runs[:0]
	anchors, before := p.taken[:0], uint32(0) // rows; the label before a row
	for i, t := range rows {
		label := uint32(0)
		if t.bits()&isName == 0 {
			var err error
			if label, err = p.folded(t.value()); err != nil {
				return err
			}
			rows[i] = t.withValue(label)
		}
		if t.bits()&isAnchor != 0 && (!p.q.Each || label == 0 || label != before) {
			if p.q.Each || len(anchors) == 0 {
				anchors = append(anchors, uint32(i))
			} else if p.q.End != nil {
				anchors[0] = uint32(i)
			}
		}
		if label == 0 {
			continue
		}
		if n := len(p.runs); label != before && n <= query.PathsLabelsMax { // one more marks the cut
			p.runs = append(p.runs, labelRun{label, i, i})
		} else if n <= query.PathsLabelsMax {
			p.runs[n-1].last = i
		}
		before = label
	}
	p.taken = anchors
	p.runs = p.runs[:min(len(p.runs), query.PathsLabelsMax)]
	if p.anchor == nil {
		if len(p.runs) == 0 {
			return nil
		}
		return p.sum.add(0, func(i int) uint32 { return p.label(i) })
	}
	for _, at := range anchors {
		if err := p.follow(int(at), rows[at]); err != nil {
			return err
		}
	}
	return nil
}

// label returns the label of a run of the visit, 0 beyond its ends.
func (p *paths) label(run int) uint32 {
	if run < 0 || run >= len(p.runs) {
		return 0
	}
	return p.runs[run].label
}

// follow counts the labels that come after an anchor, or with End before it.
func (p *paths) follow(at int, anchor tuple) error {
	own := anchor.value()
	if anchor.bits()&isName != 0 {
		own = 0
	}
	if p.q.End == nil {
		run := sort.Search(len(p.runs), func(i int) bool { return p.runs[i].last > at })
		if own != 0 && p.label(run) == own {
			run++
		}
		return p.sum.add(anchor.value(), func(i int) uint32 { return p.label(run + i) })
	}
	run := sort.Search(len(p.runs), func(i int) bool { return p.runs[i].first >= at }) - 1
	if own != 0 && p.label(run) == own {
		run--
	}
	return p.sum.add(anchor.value(), func(i int) uint32 { return p.label(run - i) })
}
