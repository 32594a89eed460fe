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
// one counts: the day goes on although the clock shows the date before once more. A date
// that the clock skips begins and ends where the next one begins.
func DayStart(date time.Time, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	year, month, day := date.Date()
	t := time.Date(year, month, day, 0, 0, 0, 0, loc)
	start, end := t.ZoneBounds()
	if (start.IsZero() || t.Sub(start) > clockAround) && (end.IsZero() || end.Sub(t) > clockAround) {
		return t
	}
	want := int32(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	around, _ := DaysOf(t.Add(-clockAround).UnixMilli(), t.Add(clockAround).UnixMilli(), loc)
	for i, p := range around.periods {
		at := p.from
		if p.first < want {
			at = int64(want)*DayMillis - p.offset
		}
		if i+1 == len(around.periods) || at < around.periods[i+1].from {
			return time.UnixMilli(at).In(loc)
		}
	}
	return t
}

// clockAround is longer than any change of a clock, a whole day included.
const clockAround = 49 * time.Hour

// Start returns the first instant of a day in loc, as DayStart does.
func Start(day int32, loc *time.Location) int64 { return startOf(day, loc).UnixMilli() }

func startOf(day int32, loc *time.Location) time.Time {
	return DayStart(Date(day), loc)
}

// Date returns the date of a day, at midnight UTC.
func Date(day int32) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

// Local returns the instant at which the clock of loc (nil = UTC) shows the date and time of t,
// whose own zone does not count. If the clock skips that time, it is the instant at which the
// clock moves on. If it shows the time twice, time.Date chooses one.
func Local(t time.Time, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	at := time.Date(year, month, day, hour, minute, second, t.Nanosecond(), loc)
	const wall = "2006-01-02 15:04:05"
	switch shown, want := at.Format(wall), t.Format(wall); {
	case shown < want:
		_, at = at.ZoneBounds()
	case shown > want:
		at, _ = at.ZoneBounds()
	}
	return at
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
		at := time.Unix(local-int64(offset), 0).In(loc)
		if changed, _ := t.ZoneBounds(); at.Before(changed) && changes(changed) { // within the hour
			return changed
		}
		return at
	}
	return startOf(bucketDay(Day(t.UnixMilli(), loc), interval), loc)
}

// changes reports whether the clock goes forward or back at t. Not every bound of a zone
// changes the clock.
func changes(t time.Time) bool {
	_, after := t.Zone()
	_, before := t.Add(-time.Nanosecond).Zone()
	return before != after
}

// bucketDay returns the first day of the bucket that contains a day.
func bucketDay(day int32, interval string) int32 {
	switch interval {
	case "week":
		monday := (day + 3) % 7 // days since Monday
		return day - (monday+7)%7
	case "month":
		return day - int32(Date(day).Day()) + 1
	}
	return day
}

// bucketNext returns the start of the bucket after the one that begins at start.
func bucketNext(start time.Time, interval string) time.Time {
	loc := start.Location()
	switch interval {
	case "minute":
		return start.Add(time.Minute)
	case "hour":
		next := start.Add(time.Hour)
		if _, end := start.ZoneBounds(); end.After(start) && end.Before(next) && changes(end) {
			return end
		}
		return bucketStart(next, interval)
	}
	day := bucketDay(Day(start.UnixMilli(), loc), interval)
	switch interval {
	case "week":
		return startOf(day+7, loc)
	case "month":
		return startOf(bucketDay(day+31, interval), loc)
	}
	return startOf(Day(start.UnixMilli(), loc)+1, loc)
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

// Day returns the day of a time in loc, counted from 1970-01-01. It is the day whose
// DayStart is the last one not after the time.
func Day(unixMilli int64, loc *time.Location) int32 {
	if loc == nil || loc == time.UTC {
		return dayAt(unixMilli)
	}
	t := time.UnixMilli(unixMilli).In(loc)
	_, offset := t.Zone()
	local := unixMilli + int64(offset)*1000
	day := dayAt(local)
	if mod(local) < lateEvening {
		return day
	}
	// The clock may have gone back over midnight: the day that had begun goes on.
	start, _ := t.ZoneBounds()
	if start.IsZero() || t.Sub(start) >= DayMillis*time.Millisecond-lateEvening*time.Millisecond {
		return day
	}
	before := start.Add(-time.Millisecond)
	_, offset = before.Zone()
	return max(day, dayAt(before.UnixMilli()+int64(offset)*1000))
}

// lateEvening is the least time of the day, in milliseconds, that a clock shows after it
// went back over midnight.
const lateEvening = 20 * 60 * 60 * 1000
