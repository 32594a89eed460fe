// The model's paths: each visit is written down as a list of labels.

package engine_test

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
)

// modelLabel returns the label of an event, "" when it has none.
func modelLabel(q *query.Paths, e *event.Event) string {
	label := ""
	switch e.Type {
	case event.Page, event.Screen:
		if q.Of != query.PathsEvents {
			label = cmp.Or(e.Context.Get("path").Text, e.Name)
		}
	case event.Track, event.Download, event.Outlink, event.Search, event.Order, event.Goal, event.Cart:
		if q.Of == query.PathsEvents || q.Of == query.PathsBoth {
			label = e.Name
		}
	}
	for _, f := range q.Fold {
		// The patterns and labels of these tests mean the same as names of files.
		if ok, _ := path.Match(strings.ToLower(f), strings.ToLower(label)); ok && label != "" {
			return f
		}
	}
	return label
}

// modelPath is what follows one anchor.
type modelPath struct {
	from   query.Text
	labels []string
}

// pathsOf returns the paths of one visit.
func (s *modelSite) pathsOf(q *query.Paths, events []*event.Event) (all []modelPath) {
	labels := make([]string, len(events)) // those that are followed
	last, n := "", 0
	for i, e := range events {
		label := modelLabel(q, e)
		if label != "" && label != last {
			last = label
			n++
		}
		if n <= query.PathsLabelsMax {
			labels[i] = label
		}
	}
	follow := func(from query.Text, own string, rest []string) {
		p := modelPath{from: from}
		for _, label := range rest {
			if label != "" && label != own {
				p.labels = append(p.labels, label)
				own = label
			}
		}
		all = append(all, p)
	}
	if q.Start == nil && q.End == nil {
		if follow(query.Text{Null: true}, "", labels); len(all[0].labels) == 0 {
			return nil
		}
		return all
	}
	var anchors []int
	before := ""
	for i, e := range events {
		label := modelLabel(q, e)
		if s.matches(e, slices.Concat(q.Start, q.End), 0, 0) && (!q.Each || label == "" || label != before) {
			anchors = append(anchors, i)
		}
		if label != "" {
			before = label
		}
	}
	if !q.Each && len(anchors) > 1 {
		if q.End != nil {
			anchors = anchors[len(anchors)-1:]
		}
		anchors = anchors[:1]
	}
	for _, i := range anchors {
		own := modelLabel(q, events[i])
		from := query.Text{Text: cmp.Or(own, events[i].Name)}
		from.Null = from.Text == ""
		if q.End == nil {
			follow(from, own, labels[i+1:])
		} else {
			back := slices.Clone(labels[:i])
			slices.Reverse(back)
			follow(from, own, back)
		}
	}
	return all
}

func (m *model) Paths(q *query.Paths) *query.PathsAnswer {
	s := m.of(q.Site)
	visits := s.visitsOf(q.Span)
	if len(q.Where) > 0 {
		some := map[uint64]bool{}
		for _, e := range s.satisfying(&q.Report) {
			some[e.SessionOrd] = visits[e.SessionOrd]
		}
		visits = some
	}
	a := &query.PathsAnswer{Columns: make([]query.PathsColumn, q.Depth)}
	counts := make([]map[string]uint64, q.Depth)
	links := map[query.PathsLink]uint64{}
	for _, one := range s.entities(s.selected(query.Query{From: q.From, To: q.To}), visits) {
		for _, p := range s.pathsOf(q, one.events) {
			a.Anchored++
			from := p.from
			for i := range a.Columns {
				if i >= len(p.labels) {
					a.Columns[i].Stopped++
					break
				}
				if counts[i] == nil {
					counts[i] = map[string]uint64{}
				}
				counts[i][p.labels[i]]++
				links[query.PathsLink{Column: i, From: from, To: p.labels[i]}]++
				if i < len(q.Then) && p.labels[i] != q.Then[i] {
					break
				}
				from = query.Text{Text: p.labels[i]}
			}
		}
	}
	shown := func(i int, label string) bool {
		return slices.ContainsFunc(a.Columns[i].Rows, func(r query.PathsRow) bool { return r.Label == label })
	}
	for i := range a.Columns {
		var rows []query.PathsRow
		for label, n := range counts[i] {
			rows = append(rows, query.PathsRow{Label: label, Count: n})
		}
		slices.SortFunc(rows, func(a, b query.PathsRow) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Label, b.Label))
		})
		for _, r := range rows[min(len(rows), q.Limit):] {
			a.Columns[i].Other += r.Count
		}
		a.Columns[i].Rows = rows[:min(len(rows), q.Limit)]
	}
	for l, n := range links {
		if !q.NoLinks && shown(l.Column, l.To) && (l.Column == 0 || shown(l.Column-1, l.From.Text)) {
			l.Count = n
			a.Links = append(a.Links, l)
		}
	}
	slices.SortFunc(a.Links, func(a, b query.PathsLink) int {
		null := func(t query.Text) int { return map[bool]int{true: 1}[t.Null] }
		return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(b.Count, a.Count), cmp.Compare(null(a.From), null(b.From)), cmp.Compare(a.From.Text, b.From.Text), cmp.Compare(a.To, b.To))
	})
	return a
}
