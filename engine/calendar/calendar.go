// Package calendar says when a day, a week or any other step of a series begins on the
// wall clock of a site. It handles clocks that skip midnight or show it twice.
//
// It imports nothing of cairn and must not learn what is counted. Days are counted from
// 1970-01-01; instants are Unix milliseconds. A nil zone is UTC.
package calendar

import "time"

// DayMillis is a day of 24 hours, in milliseconds.
const DayMillis = 24 * 60 * 60 * 1000

// BucketsMax is the largest number of buckets in a series.
const BucketsMax = 10_000

// DayStart returns the first instant of date's day in loc (nil = UTC). A clock may skip
// midnight, and the day then begins later. It may show midnight twice, and the first
// one counts.
func DayStart(date time.Time, loc *time.Location) time.Time {
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

// bucketStart returns the first instant of the bucket that contains t. Weeks begin on
// Monday. All buckets follow the wall clock of loc.
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
		return DayStart(t.AddDate(0, 0, -(int(t.Weekday())+6)%7), loc)
	case "month":
		year, month, _ := t.Date()
		return DayStart(time.Date(year, month, 1, 12, 0, 0, 0, loc), loc)
	}
	return DayStart(t, loc)
}

// bucketNext returns the start of the bucket after the one that begins at start.
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
	// Count from noon, so that no change of the clock reaches another day.
	year, month, day := start.Date()
	noon := time.Date(year, month, day, 12, 0, 0, 0, loc)
	switch interval {
	case "week":
		return DayStart(noon.AddDate(0, 0, 7), loc)
	case "month":
		return DayStart(time.Date(year, month+1, 1, 12, 0, 0, 0, loc), loc)
	}
	return DayStart(noon.AddDate(0, 0, 1), loc)
}

// BucketTimes returns the starts, in Unix milliseconds, of all buckets that overlap
// [from, to). It returns false when there are more than BucketsMax.
func BucketTimes(from, to int64, interval string, loc *time.Location) ([]int64, bool) {
	if loc == nil {
		loc = time.UTC
	}
	if from >= to {
		return nil, true
	}
	if shortest := map[string]int64{"minute": 60, "hour": 3600}[interval]; shortest > 0 && (to-from)/(shortest*1000) > BucketsMax {
		return nil, false
	}
	var times []int64
	for t := bucketStart(time.UnixMilli(from).In(loc), interval); t.UnixMilli() < to; t = bucketNext(t, interval) {
		if len(times) == BucketsMax {
			return nil, false
		}
		times = append(times, t.UnixMilli())
	}
	return times, true
}

// Day returns the day of a time in loc, counted from 1970-01-01.
func Day(unixMilli int64, loc *time.Location) int32 {
	if loc == nil || loc == time.UTC {
		d := unixMilli / DayMillis
		if unixMilli%DayMillis < 0 {
			d--
		}
		return int32(d)
	}
	t := time.UnixMilli(unixMilli).In(loc)
	y, m, d := t.Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}
