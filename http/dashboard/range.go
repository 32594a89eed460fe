package dashboard

import (
	"strconv"
	"time"

	"cairn/engine/calendar"
)

// This file knows the range of a page: its bounds, the ranges beside it, and its steps of time.

// span is the range of the page. It is not known when the address names none that there is, and
// of all time, since the server tells that.
func (p *page) span() (from, to int64, known bool) {
	if name := p.state.get("range"); name != "" {
		if name == "all" {
			return 0, 0, false
		}
		return calendar.Named(name, p.now.UnixMilli(), 0, 0, p.zone)
	}
	from, _, ok1 := p.point(p.state.get("from"))
	_, to, ok2 := p.point(p.state.get("to"))
	if p.state.get("to") == "" {
		to, ok2 = p.now.UnixMilli(), true
	}
	return from, to, ok1 && ok2 && from < to
}

// point reads from or to: the instant itself, and that after its day when it is a date alone.
func (p *page) point(text string) (at, end int64, ok bool) {
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return calendar.DayStart(date, p.zone).UnixMilli(), calendar.DayStart(date.AddDate(0, 0, 1), p.zone).UnixMilli(), true
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UnixMilli(), t.UnixMilli(), true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 1e11 && n < 1e14 {
		return n, n, true
	}
	return 0, 0, false
}

// day is the date of an instant in the site's zone.
func (p *page) day(milli int64) string {
	return calendar.Date(calendar.Day(milli, p.zone)).Format(time.DateOnly)
}

// between is a state with the range [from, to): by days if it begins and ends with some.
func (p *page) between(s state, from, to int64) state {
	s = s.without("range", "from", "to")
	first, last := p.day(from), p.day(to-1)
	if a, _, _ := p.point(first); a == from {
		if _, b, _ := p.point(last); b == to {
			return append(state{{"from", first}, {"to", last}}, s...)
		}
	}
	return append(state{{"from", p.instant(from)}, {"to", p.instant(to)}}, s...)
}

// instant is a time as addresses have it.
func (p *page) instant(milli int64) string {
	return time.UnixMilli(milli).UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

// after is the range that follows: the calendar period, as many days after whole days, else the
// same length.
func (p *page) after(name string, from, to int64) (next, end int64) {
	b := time.UnixMilli(to).In(p.zone)
	switch name {
	case "month", "lastmonth":
		return to, calendar.DayStart(time.Date(b.Year(), b.Month()+1, 1, 0, 0, 0, 0, time.UTC), p.zone).UnixMilli()
	case "year", "lastyear":
		return to, calendar.DayStart(time.Date(b.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC), p.zone).UnixMilli()
	}
	first, last := calendar.Day(from, p.zone), calendar.Day(to, p.zone)
	if calendar.Start(first, p.zone) == from && calendar.Start(last, p.zone) == to {
		return to, calendar.Start(last+last-first, p.zone)
	}
	return to, to + to - from
}

// bounds are the range of the page, and of all time what the site has. They are not known of a
// site without events, nor of a range that there is not.
func (p *page) bounds() (from, to int64, known bool) {
	from, to, known = p.span()
	if !known && p.state.get("range") == "all" && p.info.First != nil {
		if first, err := time.Parse(time.RFC3339, *p.info.First); err == nil {
			return first.UnixMilli(), p.now.UnixMilli(), true
		}
	}
	return from, to, known
}

// stepLengths are the least lengths of the steps of time, in milliseconds.
var stepLengths = map[string]int64{"minute": 60_000, "hour": 3_600_000, "day": 23 * 3_600_000, "week": 6 * calendar.DayMillis, "month": 28 * calendar.DayMillis}

// stepsMost is how many steps of time a chart has; the API gives as many.
const stepsMost = 1000

// fits says whether the range has not too many steps of an interval.
func (p *page) fits(interval string) bool {
	from, to, known := p.bounds()
	return !known || stepLengths[interval] == 0 || (to-from)/stepLengths[interval] < stepsMost
}

// interval is the steps of time of a chart: those of the address, else those that fit the range.
func (p *page) interval() string {
	if i := p.state.get("interval"); calendar.IsInterval(i) {
		return i
	}
	return p.defaultInterval()
}

// defaultInterval are the steps of time that fit the range.
func (p *page) defaultInterval() string {
	if from, to, known := p.bounds(); known {
		return calendar.DefaultInterval(from, to, p.zone)
	}
	return "month"
}
