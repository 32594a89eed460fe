// Attempts: how deep one person or visit gets into a funnel.

package report

import "cairn/engine/query"

// attempts finds the deepest attempt in the rows of an entity. The bits of a tuple say which
// steps the row satisfies, from bit 0, and with blocks that it may not lie between two steps.
//
// All attempts are followed at the same time. Those with the same depth have served the same
// steps: an attempt serves what a later one serves at the same row, unless it did so before. So
// an attempt that began earlier is never behind a later one, and each depth has one list of
// attempts, which moves as a whole.
type attempts struct {
	steps  int
	mode   query.FunnelMode
	window int64 // milliseconds; 0 = none

	waiting [query.FunnelStepsMax + 1]waiting // by depth
	next    []int32                           // by row: the attempt of the same depth that begins next
}

// waiting is the attempts of one depth, by the rows in which they begin.
type waiting struct {
	first, last int32 // -1 = none
	served      uint16
}

const blocks = 1 << query.FunnelStepsMax

// serves returns the step that a row serves for attempts that have served some steps, as a bit;
// 0 = none.
func (a *attempts) serves(row uint16, depth int, served uint16) uint16 {
	if a.mode == query.FunnelAny {
		row &^= served | blocks
		return row & -row
	}
	return row & (1 << depth)
}

// begins returns the step that an attempt serves which begins at a row, as a bit; 0 = none.
func (a *attempts) begins(row uint16) uint16 { return a.serves(row, 0, 0) }

// best returns the depth of the deepest attempt, of equals the earliest, and the row in which it
// begins. depth is 0 when there is no attempt.
func (a *attempts) best(rows []tuple) (depth, begin int) {
	for len(a.next) < len(rows) {
		a.next = append(a.next, -1)
	}
	for d := range a.waiting {
		a.waiting[d] = waiting{first: -1, last: -1}
	}
	for i := range rows {
		row := rows[i].bits()
		for d := min(depth, a.steps-1); d >= 1; d-- {
			w := &a.waiting[d]
			if w.first < 0 {
				continue
			}
			if step := a.serves(row, d, w.served); step != 0 {
				a.drop(w, rows, rows[i].at())
				if w.first < 0 {
					continue
				}
				if d+1 > depth { // the first to get so far
					depth, begin = d+1, int(w.first)
					if depth == a.steps {
						return depth, begin
					}
				}
				a.join(&a.waiting[d+1], w, w.served|step)
			} else if a.mode == query.FunnelStrict && row&blocks != 0 {
				w.first, w.last = -1, -1
			}
		}
		if step := a.begins(row); step != 0 {
			if depth == 0 {
				depth, begin = 1, i
			}
			a.next[i] = -1
			a.join(&a.waiting[1], &waiting{int32(i), int32(i), 0}, step)
		}
	}
	return depth, begin
}

// drop removes the attempts whose window is over.
func (a *attempts) drop(w *waiting, rows []tuple, now int64) {
	if a.window == 0 {
		return
	}
	for w.first >= 0 && now-rows[w.first].at() > a.window {
		w.first = a.next[w.first]
	}
	if w.first < 0 {
		w.last = -1
	}
}

// join appends the attempts from, which have served some steps, to those of a depth.
func (a *attempts) join(to, from *waiting, served uint16) {
	if to.first < 0 {
		to.first = from.first
	} else {
		a.next[to.last] = from.first
	}
	to.last, to.served = from.last, served
	from.first, from.last = -1, -1
}

// follow returns the rows that an attempt takes, given its depth and the row in which it begins.
func (a *attempts) follow(rows []tuple, depth, begin int, taken []int) []int {
	taken = append(taken[:0], begin)
	served := a.begins(rows[begin].bits())
	for i := begin + 1; len(taken) < depth; i++ {
		if step := a.serves(rows[i].bits(), len(taken), served); step != 0 {
			served |= step
			taken = append(taken, i)
		}
	}
	return taken
}
