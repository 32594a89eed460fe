// Finding an event by its message id in the parts of a site.

package engine

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/index"
)

// holdFilters keeps in memory the filters of the newest runs there are when the
// store is opened: of their message ids nothing else knows yet. At most about bytes
// of them, and of small runs none.
func (e *Engine) holdFilters(bytes int64) error {
	since := e.now().Add(-e.opts.Dedup).UnixMilli()
	var runs []*index.Run
	for _, s := range e.allSites() {
		for _, r := range s.sealed() {
			if r.ReceivedMax >= since && r.Rows >= uint64(e.opts.SealRows)/2 {
				runs = append(runs, r)
			}
		}
	}
	slices.SortFunc(runs, func(a, b *index.Run) int { return cmp.Compare(b.ReceivedMax, a.ReceivedMax) })
	for _, r := range runs {
		n, err := r.HoldFilter()
		if err != nil {
			return err
		}
		if bytes -= int64(n); bytes <= 0 {
			break
		}
	}
	return nil
}

// findIn looks for an event with e's message id in parts of the site's log, newest
// first, within the time message ids are remembered. It returns its seq, 0 when there
// is none.
func (e *Engine) findIn(site *siteState, ev *event.Event, spans []span) (uint64, error) {
	since := ev.Received - e.opts.Dedup.Milliseconds()
	// Parts in memory first: one that is sealed meanwhile is then seen twice, not never.
	for _, p := range site.unsealed(spans[0].to) {
		if !overlap(spans, p.First(), p.First()+uint64(p.Len())) {
			continue
		}
		if seq, err := findMessage(p, ev, since); seq != 0 || err != nil {
			return seq, err
		}
	}
	runs := site.sealed()
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		if r.ReceivedMax < since || !overlap(spans, r.First, r.Last()+1) {
			continue
		}
		if maybe, err := r.MayHold(ev.MessageID); err != nil {
			return 0, err
		} else if !maybe {
			continue
		}
		if seq, err := findMessage(r.View(), ev, since); seq != 0 || err != nil {
			return seq, err
		}
	}
	return 0, nil
}

// overlap says whether one of the spans has a seq of from, from+1, … before to.
func overlap(spans []span, from, to uint64) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.from < to && from < s.to })
}

// findMessage looks for the newest event of a part with e's message id, if that
// was received since.
func findMessage(p index.Part, ev *event.Event, since int64) (seq uint64, err error) {
	received := p.Ints(event.IntReceived)
	index.NewMatcher(p, []index.Clause{
		{Any: []index.Alt{{Field: event.FieldMessageID, Terms: []string{ev.MessageID}}}},
		{Any: []index.Alt{{Field: event.FieldDialect, Terms: []string{string(ev.Dialect)}}}},
	}, nil).Descend(p.Len()-1, func(row int) bool {
		if received.At(row) >= since {
			seq = p.First() + uint64(row)
		}
		return false
	})
	return seq, p.Err()
}
