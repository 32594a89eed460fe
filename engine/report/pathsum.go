// Sums of paths: the columns, and the links between them.

package report

import (
	"cmp"
	"slices"

	"cairn/engine/query"
)

// pathsSum counts where visits went.
type pathsSum struct {
	q        *query.Paths
	labels   *splits
	then     []uint32
	anchored uint64
	counts   [][]uint32 // by column and label
	stopped  []uint64   // by column
	// links counts column u4 | from u24 | to u24. When they are too many, linksLost is set. A
	// second sum then counts those of the labels that are shown.
	links     tally
	linksLost bool
	shown     []map[uint32]bool // by column; nil = all
}

func newPathsSum(q *query.Paths, labels *splits, limit int) (*pathsSum, error) {
	s := &pathsSum{q: q, labels: labels, links: tally{limit: limit}, counts: make([][]uint32, q.Depth), stopped: make([]uint64, q.Depth)}
	for _, label := range q.Then {
		n, err := labels.number(label)
		if err != nil {
			return nil, err
		}
		s.then = append(s.then, n)
	}
	return s, nil
}

// again returns an empty sum for the links of the labels that this one shows.
func (s *pathsSum) again() *pathsSum {
	next := &pathsSum{q: s.q, labels: s.labels, links: tally{limit: s.links.limit, room: s.links.room}, then: s.then, counts: make([][]uint32, s.q.Depth), stopped: make([]uint64, s.q.Depth)}
	for i := range s.counts {
		shown := make(map[uint32]bool)
		for _, label := range s.top(i) {
			shown[label] = true
		}
		next.shown = append(next.shown, shown)
	}
	return next
}

// add counts one visit. label returns what comes i labels after the anchor, 0 when nothing does.
// from is the label or the name of the anchor.
func (s *pathsSum) add(from uint32, label func(i int) uint32) error {
	s.anchored++
	for i := range s.counts {
		to := label(i)
		if to == 0 {
			s.stopped[i]++
			return nil
		}
		s.counts[i] = grownTo(s.counts[i], int(to))
		s.counts[i][to]++
		if err := s.link(i, from, to); err != nil {
			return err
		}
		if i < len(s.then) && s.then[i] != to {
			return nil
		}
		from = to
	}
	return nil
}

func linkNumber(column int, from, to uint32) uint64 {
	return uint64(column)<<48 | uint64(from)<<24 | uint64(to)
}

func (s *pathsSum) link(column int, from, to uint32) error {
	if s.q.NoLinks || s.linksLost {
		return nil
	}
	if s.shown != nil && (!s.shown[column][to] || column > 0 && !s.shown[column-1][from]) {
		return nil
	}
	err := s.links.add(linkNumber(column, from, to))
	if err != nil && s.shown == nil {
		s.links.room.Reset()
		s.linksLost, s.links = true, tally{limit: s.links.limit, room: s.links.room}
		return nil
	}
	return err
}

// settle ends a first sum.
func (s *pathsSum) settle() {
	if err := s.links.settle(); err != nil {
		s.linksLost = true
	}
}

// top returns the labels that a column shows.
func (s *pathsSum) top(column int) []uint32 {
	counts := s.counts[column]
	var labels []uint32
	for label, n := range counts {
		if n > 0 {
			labels = append(labels, uint32(label))
		}
	}
	slices.SortFunc(labels, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), compareText(s.labels.group(a), s.labels.group(b), false))
	})
	return labels[:min(len(labels), s.q.Limit)]
}

func (s *pathsSum) answer() (*query.PathsAnswer, error) {
	a := &query.PathsAnswer{Anchored: s.anchored}
	shown := make([]map[uint32]bool, len(s.counts))
	for i := range s.counts {
		column := query.PathsColumn{Stopped: s.stopped[i]}
		for _, n := range s.counts[i] {
			column.Other += uint64(n)
		}
		shown[i] = make(map[uint32]bool)
		for _, label := range s.top(i) {
			n := uint64(s.counts[i][label])
			column.Rows = append(column.Rows, query.PathsRow{Label: s.labels.group(label).Text, Count: n})
			column.Other -= n
			shown[i][label] = true
		}
		a.Columns = append(a.Columns, column)
	}
	if err := s.links.settle(); err != nil {
		return nil, err
	}
	for i, key := range s.links.keys {
		column, from, to := int(key>>48), uint32(key>>24&valueMax), uint32(key&valueMax)
		if !shown[column][to] || column > 0 && !shown[column-1][from] {
			continue
		}
		if len(a.Links) == query.CounterRowsMax {
			return nil, query.Bad("limit", "more than %d links; ask with a lower one", query.CounterRowsMax)
		}
		a.Links = append(a.Links, query.PathsLink{Column: column, From: s.labels.group(from), To: s.labels.group(to).Text, Count: uint64(s.links.counts[i])})
	}
	slices.SortFunc(a.Links, func(a, b query.PathsLink) int {
		return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(b.Count, a.Count), compareText(a.From, b.From, false), cmp.Compare(a.To, b.To))
	})
	return a, nil
}
