package native

import (
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
)

// This file turns the times of a query into milliseconds: what `from` and `to` may say, and
// where a day begins in a site's zone.

// timeUnixMilliMax is 9999-12-31. Times of a query lie between 1970-01-01 and that; zero
// means an open end.
const timeUnixMilliMax = 253_402_300_799_999

// dayLast is 9999-12-31 in days since 1970-01-01.
const dayLast = 2_932_896

// timePoint is one end of a range as it was written.
type timePoint struct {
	given bool
	bare  bool  // a date without a time
	milli int64 // of a bare date: its first instant in the site's zone
	day   int32 // of a bare date: days since 1970-01-01
	next  int64 // of a bare date: the first instant of the day after
}

// parsePoint reads RFC 3339, a date in loc, or a number, see event.UnixTime.
func parsePoint(text string, loc *time.Location) (timePoint, error) {
	const wrong = errText("must be a date (2026-11-21), an RFC 3339 time, or Unix time in seconds, milliseconds, microseconds or nanoseconds")
	p := timePoint{given: true}
	switch {
	case len(text) == len("2006-01-02") && text[4] == '-':
		date, err := time.Parse("2006-01-02", text)
		if err != nil {
			return p, wrong
		}
		p.bare = true
		p.milli = calendar.DayStart(date, loc).UnixMilli()
		p.next = min(calendar.DayStart(date.AddDate(0, 0, 1), loc).UnixMilli(), timeUnixMilliMax) // a time is written with four digits of a year
		p.day = int32(date.Unix() / 86400)
		if date.Year() < 1970 || p.day > dayLast {
			return p, errText("must lie between 1970 and 9999")
		}
		return p, nil
	case !strings.ContainsAny(text, "-:"):
		milli, ok := event.UnixTime(text)
		if !ok {
			return p, wrong
		}
		p.milli = milli
	default:
		// A "+" that was not encoded comes as a space.
		t, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "+", 1))
		if err != nil {
			return p, wrong
		}
		p.milli = t.UnixMilli()
		if t.Nanosecond()%int(time.Millisecond) != 0 {
			p.milli++ // events have whole milliseconds: the first one not before t
		}
	}
	if p.milli < 0 || p.milli > timeUnixMilliMax {
		return p, errText("must lie between 1970 and 9999")
	}
	return p, nil
}

// points reads from and to. A range that can hold nothing is refused, and so are times together
// with a range by name.
func (q *params) points(loc *time.Location) (from, to timePoint, err error) {
	if _, err := q.named(); err != nil {
		return from, to, err
	}
	if text := q.single["from"]; text != "" {
		if from, err = parsePoint(text, loc); err != nil {
			return from, to, badField("from", err.Error())
		}
	}
	if text := q.single["to"]; text != "" {
		if to, err = parsePoint(text, loc); err != nil {
			return from, to, badField("to", err.Error())
		}
		if to.end() <= max(from.milli, 0) {
			return from, to, badField("to", "must be later than from")
		}
	}
	return from, to, nil
}

// end is the first instant after a range that ends with p.
func (p timePoint) end() int64 {
	if p.bare {
		return p.next
	}
	return p.milli
}

// timeRange is range, or from and to, as Unix milliseconds, to exclusive, 0 when open. A bare
// `to` includes its day. range=all is open.
func (q *params) timeRange(loc *time.Location) (from, to int64, err error) {
	f, t, err := q.points(loc)
	if name := q.single["range"]; err == nil && name != "" && name != "all" {
		from, to, _ = calendar.Named(name, q.now, 0, 0, loc)
		return from, to, nil
	}
	return f.milli, t.end(), err
}

// days puts the range into c: as days when all given ends are bare dates, so that the answer
// comes from the counters kept by day, otherwise as times.
func (q *params) days(c *query.CounterQuery) error {
	f, t, err := q.points(c.Site.Location)
	if err != nil {
		return err
	}
	if name := q.single["range"]; name != "" {
		if name != "all" {
			c.From, c.To, _ = calendar.Named(name, q.now, 0, 0, c.Site.Location)
		}
		if c.From < c.To && name != "24h" && name != "30m" {
			c.FromDay, c.ToDay = calendar.Day(c.From, c.Site.Location), calendar.Day(c.To-1, c.Site.Location)
			c.From, c.To = 0, 0
		}
		return nil
	}
	switch {
	case !f.given && !t.given:
	case (!f.given || f.bare) && (!t.given || t.bare):
		c.FromDay, c.ToDay = f.day, dayLast
		if t.given {
			c.ToDay = t.day
		}
		if c.FromDay == 0 && c.ToDay == 0 {
			// 1970-01-01 alone would read as all time.
			c.From, c.To = f.milli, t.end()
		}
	default:
		c.From, c.To = f.milli, t.end()
	}
	return nil
}
