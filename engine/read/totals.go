// Totals of runs: which of them answer a question about a range of time. A run keeps what
// its rows count on each day, so its totals answer for any range that begins and ends with
// a day of the run, and for any range in which the run lies as a whole, whatever its days
// are. Everything else is counted row by row, from event times. The answer is the same.

package read

import (
	"math"
	"sync"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/table"
	"cairn/index"
)

// dayRange is the days of a run's totals that a question wants, both inclusive.
type dayRange struct{ from, to int32 }

// allDays is the days of all totals.
var allDays = dayRange{math.MinInt32, math.MaxInt32}

// none reports that no total is wanted.
func (d dayRange) none() bool { return d.from > d.to }

// totalsOf returns the days whose totals in a run are exactly those of the event times of
// pred. ok is false when only the rows can tell.
func (v *view) totalsOf(r *index.Run, pred *predicate) (days dayRange, ok bool) {
	switch {
	case r.TimeMax < pred.timeFrom || r.TimeMin >= pred.timeTo:
		return dayRange{1, 0}, true
	case pred.timeFrom <= r.TimeMin && r.TimeMax < pred.timeTo:
		return allDays, true
	}
	known, ok := table.DaysOf(r)
	if !ok {
		known, ok = v.counted.daysOf(r, v.zone)
	}
	if !ok {
		return days, false
	}
	return wholeDays(r, &known, pred.timeFrom, pred.timeTo)
}

// wholeDays returns the days of a run that make up the event times [from, to). ok is false
// when these begin or end inside a day. The run has rows inside and outside of the range.
func wholeDays(r *index.Run, known *calendar.Days, from, to int64) (days dayRange, ok bool) {
	days = allDays
	if from > r.TimeMin {
		if !known.Begins(from) {
			return days, false
		}
		days.from = known.Day(from)
	}
	if to <= r.TimeMax {
		if !known.Begins(to) {
			return days, false
		}
		days.to = known.Day(to - 1)
	}
	return days, true
}

// zoneName returns the name of a zone; nil is UTC.
func zoneName(zone *time.Location) string {
	if zone == nil {
		return time.UTC.String()
	}
	return zone.String()
}

// countedRuns remembers of runs whose descriptor names no days whether all of their rows
// are counted on the days of a zone. Such runs were written by an older cairn, or their rows
// were counted in more than one zone. It is safe for any number of goroutines.
type countedRuns struct {
	mu   sync.Mutex
	runs map[uint64]countedRun // by id of the run
}

type countedRun struct {
	zone string
	days calendar.Days // not known when some rows are counted otherwise
}

// countedRunsMax is how many runs are remembered. A store has tens of runs for each site.
const countedRunsMax = 4096

// daysOf returns the days of a run in zone. ok is false when some rows of the run are
// counted otherwise. The first call for a run reads two columns of it.
func (c *countedRuns) daysOf(r *index.Run, zone *time.Location) (days calendar.Days, ok bool) {
	name := zoneName(zone)
	c.mu.Lock()
	known, there := c.runs[r.Run]
	c.mu.Unlock()
	if there && known.zone == name {
		return known.days, known.days.Known()
	}
	known = countedRun{zone: name}
	if days, ok = calendar.DaysOf(r.TimeMin, r.TimeMax, zone); ok {
		p := r.Part()
		if table.CountedOn(p, &days) {
			known.days = days
		}
		if p.Err() != nil {
			return days, false
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil || len(c.runs) >= countedRunsMax {
		c.runs = make(map[uint64]countedRun)
	}
	c.runs[r.Run] = known
	return known.days, known.days.Known()
}
