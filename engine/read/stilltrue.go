// Still true: whether a kept answer is what would be computed now.

package read

import (
	"math"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/index"
)

// newRowsMax is how many rows that came since are looked at. Beyond that an answer is computed
// again.
const newRowsMax = 65_536

// version returns which data there is now. Rows are those of the view. Links are those from
// before it: of a later one the view may lack the row.
func (v *view) version() dataVersion {
	return dataVersion{v.Last, v.joins, v.Table.Beats.Count(), v.Deletions}
}

// serves reports whether a kept answer will do: it is as new as the caller wants, or it is still
// true over v. If it is, it is known to be true of now from here on.
func (c *answerCache) serves(a *keptAnswer, v *view, ask *question, fresh *query.Fresh, now dataVersion) (bool, error) {
	c.mu.Lock()
	seen, until := a.version, a.until
	c.mu.Unlock()
	if seen.deletions != now.deletions { // whatever the age: nobody sees deleted rows again
		return false, nil
	}
	if fresh.MaxAge > 0 && a.as.Time > fresh.Now-fresh.MaxAge.Milliseconds() && a.as.Time <= fresh.Now {
		return true, nil
	}
	if until != 0 && fresh.Now >= until {
		return false, nil
	}
	if ask.rules&Clock != 0 && fresh.Now != a.as.Time {
		for _, s := range ask.spans {
			if a.as.Time < s.To {
				return false, nil
			}
		}
	}
	ok, err := stillTrue(v, ask, a.as.Seq, seen, &now)
	if !ok || err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a.version.last = max(a.version.last, now.last)
	a.version.links = max(a.version.links, now.links)
	a.version.beats = max(a.version.beats, now.beats)
	return true, nil
}

// stillTrue reports whether an answer that saw the rows up to seq, and has been true of seen, is
// true of the rows of v. It sets the links and heartbeats of now to those it has looked at.
func stillTrue(v *view, ask *question, seq uint64, seen dataVersion, now *dataVersion) (bool, error) {
	if *now == seen {
		return true, nil
	}
	if now.deletions != seen.deletions {
		return false, nil
	}
	if ask.rules&AnyRow != 0 {
		return false, nil // now differs from seen
	}
	var absorbed uint64
	if absorbed, now.links = v.Table.Links.Absorbed(seen.links); absorbed <= seq || absorbed != math.MaxUint64 && ask.rules&AnyJoin != 0 {
		return false, nil
	}
	var begun uint64
	if begun, now.beats = v.Table.Beats.Since(seen.beats); begun != math.MaxUint64 {
		for _, s := range ask.spans {
			if int64(begun) < s.To {
				return false, nil
			}
		}
	}
	return v.noneIn(ask, seen.last)
}

// noneIn reports whether no row after a seq has a time that matters to a question. It is false
// when that takes too long to find out.
func (v *view) noneIn(ask *question, after uint64) (bool, error) {
	looked := 0
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		first, last := p.First(), p.Last()
		if last <= after {
			break
		}
		if r := p.Run; r != nil {
			apart, whole := true, false
			for _, s := range ask.spans {
				s = ask.within(s)
				apart = apart && (r.TimeMax < s.From || r.TimeMin >= s.To)
				whole = whole || s.From <= r.TimeMin && r.TimeMax < s.To
			}
			if apart {
				continue
			}
			if whole && first > after {
				return false, nil
			}
		}
		from := 0
		if after >= first {
			from = int(after-first) + 1
		}
		part := p.Get()
		if looked += part.Len() - from; looked > newRowsMax {
			return false, p.Err()
		}
		times := part.Ints(event.IntTime)
		buf := make([]int64, index.PageRows)
		for page := from / index.PageRows; page*index.PageRows < part.Len(); page++ {
			for row, at := range times.Page(page, buf) {
				if page*index.PageRows+row < from {
					continue
				}
				for _, s := range ask.spans {
					if s = ask.within(s); s.Holds(at) {
						return false, p.Err()
					}
				}
			}
		}
		if err := p.Err(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// within is the span of the rows that matter to a question about s.
func (ask *question) within(s query.Span) query.Span {
	if ask.rules&BeforeTo != 0 {
		s.From = -openEnd
	}
	return s
}
