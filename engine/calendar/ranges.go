// Ranges: the spans of time that people ask for by name, on the wall clock of a site.

package calendar

import (
	"slices"
	"time"
)

// RangeNames are the names that Named knows.
var RangeNames = []string{"30m", "24h", "today", "yesterday", "7d", "28d", "30d", "90d",
	"week", "lastweek", "month", "lastmonth", "year", "lastyear", "12mo", "all"}

// Named returns the range [from, to) of a name at an instant, in Unix milliseconds. Weeks begin
// on Monday. 30m and 24h end at the whole minute; all others end with a day, most of them with
// the day of now, so that the range stays the same until midnight. The range "all" begins with
// the day of first and ends with the day of now or with that of last, whichever is later; first
// and last are the least and the greatest time of the data, and first > last means that there is
// none. ok is false for any other name.
func Named(name string, now, first, last int64, loc *time.Location) (from, to int64, ok bool) {
	today := Day(now, loc)
	date := Date(today)
	begin, end := today, today+1
	switch name {
	case "30m", "24h":
		to = cutDown(now, 1, loc)
		if name == "30m" {
			return to - 30*60_000, to, true
		}
		return to - DayMillis, to, true
	case "today":
	case "yesterday":
		begin, end = today-1, today
	case "7d":
		begin = today - 6
	case "28d": // four whole weeks
		begin = today - 27
	case "30d":
		begin = today - 29
	case "90d":
		begin = today - 89
	case "week":
		begin = bucketDay(today, "week")
	case "lastweek":
		end = bucketDay(today, "week")
		begin = end - 7
	case "month":
		begin = firstOfMonth(date, 0)
	case "lastmonth":
		begin, end = firstOfMonth(date, -1), firstOfMonth(date, 0)
	case "year":
		begin = firstOfYear(date, 0)
	case "lastyear":
		begin, end = firstOfYear(date, -1), firstOfYear(date, 0)
	case "12mo":
		begin = firstOfMonth(date, -11)
	case "all":
		if first <= last {
			begin = Day(first, loc)
			end = max(end, Day(last, loc)+1)
			begin = min(begin, end-1)
		}
	default:
		return 0, 0, false
	}
	return Start(begin, loc), Start(end, loc), true
}

func firstOfMonth(date time.Time, months int) int32 {
	return dayOf(time.Date(date.Year(), date.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC))
}

func firstOfYear(date time.Time, years int) int32 {
	return dayOf(time.Date(date.Year()+years, 1, 1, 0, 0, 0, 0, time.UTC))
}

// dayOf is the inverse of Date.
func dayOf(date time.Time) int32 { return int32(date.Unix() / 86400) }

// DefaultInterval returns the interval of a series over [from, to) by its length on the wall
// clock: minutes up to 2 hours, hours up to 48, days up to 92 days, weeks up to 400, else months.
func DefaultInterval(from, to int64, loc *time.Location) string {
	const hour = 60 * 60 * 1000
	switch length := WallLength(from, to, loc); {
	case length <= 2*hour:
		return "minute"
	case length <= 48*hour:
		return "hour"
	case length <= 92*DayMillis:
		return "day"
	case length <= 400*DayMillis:
		return "week"
	}
	return "month"
}

// WallLength returns how many milliseconds the wall clock of loc goes on from one instant to
// another. A day is one of 24 hours, whatever the clock skips or repeats in it.
func WallLength(from, to int64, loc *time.Location) int64 { return wall(to, loc) - wall(from, loc) }

// wall returns what the clock of loc shows, in milliseconds since 1970 on that clock. The first
// instant of a day shows midnight, also where the clock skips it.
func wall(at int64, loc *time.Location) int64 {
	if day := Day(at, loc); Start(day, loc) == at {
		return int64(day) * DayMillis
	}
	return shown(at, loc)
}

// shown returns what the clock of loc shows, in milliseconds since 1970 on that clock.
func shown(at int64, loc *time.Location) int64 {
	_, offset := in(at, loc).Zone()
	return at + int64(offset)*1000
}

func in(at int64, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	return time.UnixMilli(at).In(loc)
}

// atWall returns the first instant at which the clock of loc shows wall, in milliseconds since
// 1970 on that clock. If the clock skips that time, it is the instant at which the clock moves
// on.
func atWall(wall int64, loc *time.Location) int64 {
	near, ok := DaysOf(wall-int64(clockAround/time.Millisecond), wall+int64(clockAround/time.Millisecond), loc)
	if !ok {
		return wall
	}
	for i, p := range near.periods {
		at := wall - p.offset
		if i > 0 {
			at = max(at, p.from)
		}
		if i+1 == len(near.periods) || at < near.periods[i+1].from {
			return at
		}
	}
	return wall
}

// cutDown returns the last instant not after at whose minute on the clock of loc is a multiple
// of minutes.
func cutDown(at int64, minutes int64, loc *time.Location) int64 {
	over := shown(at, loc) % (minutes * 60_000)
	if over < 0 {
		over += minutes * 60_000
	}
	return at - over
}

// Next returns the start of the step after the one that begins at start, which BucketTimes has
// returned. All in Unix milliseconds.
func Next(start int64, interval string, loc *time.Location) int64 {
	return bucketNext(in(start, loc), interval).UnixMilli()
}

// Intervals are the names of the steps of a series, the shortest first.
var Intervals = []string{"minute", "hour", "day", "week", "month"}

// IsInterval reports whether a name is one of Intervals.
func IsInterval(name string) bool { return slices.Contains(Intervals, name) }
