// Compared ranges: the range that another one is compared with, such as the week before.

package calendar

import "time"

// Comparisons are the names that Compared knows.
var Comparisons = []string{"previous", "year", "year52"}

// Compared returns the range [start, end) that [from, to) is compared with. name is one of
// Comparisons; the range has the name named, "" = none. It says what the range before is: the
// calendar period before a week, month or year, as many days before whole days, else the same
// length before.
//
// While the range goes on at now, the compared range ends as far into its period as now is into
// the range, by the wall clock, cut down to the whole minute (of ranges of at most 48 hours) or to
// ten minutes. It is empty, start == end, when nothing of the range has passed yet.
func Compared(name, named string, from, to, now int64, loc *time.Location) (start, end int64) {
	move := mover(name, named, from, to, loc)
	start, end = move(from, false), move(to, true)
	if end <= start { // from the 28th to the 29th of February
		end = start + to - from
	}
	if now < to {
		// An end that its month does not have is the end of that month, so the end of the
		// period bounds how far the compared range goes.
		end = min(end, cutDown(move(max(now, from), false), cut(from, to, loc), loc))
	}
	return start, max(start, end)
}

// ComparedTo is Compared with a range that was given: [start, end).
func ComparedTo(start, end, from, to, now int64, loc *time.Location) (int64, int64) {
	if now < to {
		now = max(now, from)
		at := atWall(wall(start, loc)+WallLength(from, now, loc), loc)
		end = min(end, cutDown(at, cut(from, to, loc), loc))
	}
	return start, max(start, end)
}

// cut returns to how many minutes the end of a compared range is cut down.
func cut(from, to int64, loc *time.Location) int64 {
	if WallLength(from, to, loc) <= 2*DayMillis {
		return 1
	}
	return 10
}

// mover returns the function that takes an instant to its partner in the compared range. end
// says that the instant is the end of a range.
func mover(name, named string, from, to int64, loc *time.Location) func(at int64, end bool) int64 {
	days := func(n int64) func(int64, bool) int64 {
		return func(at int64, _ bool) int64 { return atWall(wall(at, loc)-n*DayMillis, loc) }
	}
	switch name {
	case "year52":
		return days(364)
	case "year":
		return years(loc)
	}
	switch named {
	case "week", "lastweek":
		return days(7)
	case "month", "lastmonth":
		return monthBefore(loc)
	case "year", "lastyear", "12mo":
		return years(loc)
	}
	first, last := Day(from, loc), Day(to, loc)
	if Start(first, loc) == from && Start(last, loc) == to {
		return days(int64(last - first))
	}
	return func(at int64, _ bool) int64 { return at - (to - from) }
}

// years moves instants to the same date and time of the year before. 29 February becomes the
// 28th; a range that ends with the beginning of it ends with the 28th.
func years(loc *time.Location) func(int64, bool) int64 {
	return func(at int64, end bool) int64 {
		w := wall(at, loc)
		day := dayAt(w)
		date := Date(day)
		moved := time.Date(date.Year()-1, date.Month(), date.Day(), 0, 0, 0, 0, time.UTC)
		target := dayOf(moved) // 29 February becomes 1 March
		if moved.Month() != date.Month() && (!end || mod(w) != 0) {
			target--
		}
		return atWall(int64(target)*DayMillis+mod(w), loc)
	}
}

// monthBefore moves instants to the same day of the month before, and a day that this month does
// not have to its end.
func monthBefore(loc *time.Location) func(int64, bool) int64 {
	return func(at int64, _ bool) int64 {
		w := wall(at, loc)
		date := Date(dayAt(w))
		first := firstOfMonth(date, -1)
		moved := int64(first)*DayMillis + int64(date.Day()-1)*DayMillis + mod(w)
		return atWall(min(moved, int64(firstOfMonth(date, 0))*DayMillis), loc)
	}
}
