package httpd

import (
	"strconv"
	"strings"
	"time"

	"cairn/engine"
)

// This file turns the times of a query into milliseconds: what `from` and `to`
// may say, where a day begins in a site's zone, and the steps of a series.

// Times of a query lie from 1970-01-01 to 9999-12-31; zero is left to mean
// "open".
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

// parsePoint reads RFC 3339, a date in loc, or Unix milliseconds.
func parsePoint(text string, loc *time.Location) (timePoint, error) {
	const wrong = errText("must be a date (2026-11-21), an RFC 3339 time or Unix milliseconds")
	p := timePoint{given: true}
	switch {
	case len(text) == len("2006-01-02") && text[4] == '-':
		date, err := time.Parse("2006-01-02", text)
		if err != nil {
			return p, wrong
		}
		p.bare = true
		p.milli = dayStart(date, loc).UnixMilli()
		p.next = dayStart(date.AddDate(0, 0, 1), loc).UnixMilli()
		p.day = int32(date.Unix() / 86400)
		if date.Year() < 1970 || p.day > dayLast {
			return p, errText("must lie between 1970 and 9999")
		}
		return p, nil
	case isDigits(text):
		milli, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return p, errText("must lie between 1970 and 9999")
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

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// points reads from and to. A range that can hold nothing is refused.
func (q *nativeQuery) points(loc *time.Location) (from, to timePoint, err error) {
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

// timeRange is from and to as Unix milliseconds, to exclusive, 0 when open. The
// day of a bare `to` is within.
func (q *nativeQuery) timeRange(loc *time.Location) (from, to int64, err error) {
	f, t, err := q.points(loc)
	return f.milli, t.end(), err
}

// days puts the range into c: as days when every end given is a bare date, so
// that the answer comes from the counters kept by day, else as times.
func (q *nativeQuery) days(c *engine.CounterQuery) error {
	f, t, err := q.points(c.Site.Location)
	if err != nil {
		return err
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

// dayStart is the first instant of date's day in loc (nil = UTC). Midnight may
// be skipped (the day then begins later) or happen twice (the first counts).
func dayStart(date time.Time, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	year, month, day := date.Date()
	t := time.Date(year, month, day, 0, 0, 0, 0, loc)
	if y, m, d := t.Date(); d != day || m != month || y != year {
		if _, end := t.ZoneBounds(); !end.IsZero() {
			return end
		}
		return t
	}
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, offset := start.Add(-time.Nanosecond).Zone()
		early := time.Date(year, month, day, 0, 0, 0, 0, time.FixedZone("", offset))
		if early.Before(start) {
			return early.In(loc)
		}
	}
	return t
}

// bucketStart is the first instant of the bucket t lies in. Weeks begin on
// Monday; all follow the wall clock of loc.
func bucketStart(t time.Time, interval string) time.Time {
	loc := t.Location()
	switch interval {
	case "minute", "hour":
		step := int64(60)
		if interval == "hour" {
			step = 3600
		}
		_, offset := t.Zone()
		local := t.Unix() + int64(offset)
		local -= ((local % step) + step) % step
		return time.Unix(local-int64(offset), 0).In(loc)
	case "week":
		return dayStart(t.AddDate(0, 0, -(int(t.Weekday())+6)%7), loc)
	case "month":
		year, month, _ := t.Date()
		return dayStart(time.Date(year, month, 1, 12, 0, 0, 0, loc), loc)
	}
	return dayStart(t, loc)
}

// bucketNext is the start of the bucket after the one that starts at start.
func bucketNext(start time.Time, interval string) time.Time {
	loc := start.Location()
	switch interval {
	case "minute":
		return start.Add(time.Minute)
	case "hour":
		if next := bucketStart(start.Add(time.Hour), interval); next.After(start) {
			return next
		}
		return start.Add(time.Hour)
	}
	// From noon on, so that no shift of the clock reaches another day.
	year, month, day := start.Date()
	noon := time.Date(year, month, day, 12, 0, 0, 0, loc)
	switch interval {
	case "week":
		return dayStart(noon.AddDate(0, 0, 7), loc)
	case "month":
		return dayStart(time.Date(year, month+1, 1, 12, 0, 0, 0, loc), loc)
	}
	return dayStart(noon.AddDate(0, 0, 1), loc)
}

// bucketTimes are the starts of all buckets that touch [from, to), or false when
// there are more than bucketsMax.
func bucketTimes(from, to int64, interval string, loc *time.Location) ([]int64, bool) {
	if loc == nil {
		loc = time.UTC
	}
	if from >= to {
		return nil, true
	}
	if shortest := map[string]int64{"minute": 60, "hour": 3600}[interval]; shortest > 0 && (to-from)/(shortest*1000) > bucketsMax {
		return nil, false
	}
	var times []int64
	for t := bucketStart(time.UnixMilli(from).In(loc), interval); t.UnixMilli() < to; t = bucketNext(t, interval) {
		if len(times) == bucketsMax {
			return nil, false
		}
		times = append(times, t.UnixMilli())
	}
	return times, true
}

// fillBuckets puts an empty bucket wherever found has none: over [from, to) where
// an end is given, else from the first and to the last that was found.
func fillBuckets(found []engine.Bucket, from, to int64, interval string, loc *time.Location) ([]engine.Bucket, bool) {
	if len(found) == 0 && (from == 0 || to == 0) {
		return nil, true
	}
	if from == 0 {
		from = found[0].Time
	}
	if to == 0 {
		to = found[len(found)-1].Time + 1
	}
	times, ok := bucketTimes(from, to, interval, loc)
	if !ok {
		return nil, false
	}
	filled := make([]engine.Bucket, 0, len(times))
	for _, t := range times {
		for len(found) > 0 && found[0].Time < t {
			filled, found = append(filled, found[0]), found[1:]
		}
		if len(found) > 0 && found[0].Time == t {
			filled, found = append(filled, found[0]), found[1:]
			continue
		}
		filled = append(filled, engine.Bucket{Time: t})
	}
	return append(filled, found...), true
}
