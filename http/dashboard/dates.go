package dashboard

import (
	"strconv"
	"time"
)

// This file writes times: on the wall clock of the site, by English tables, day before month, 24
// hours. The year is left out where it is the viewer's own. Digits are Western, because they stand
// between English words.

// Date writes a day: Sun 8 Nov.
func (l *Locale) Date(t time.Time) string { return l.dated(t, "Mon 2 Jan") }

// LongDate writes a day to be read out: Sunday 8 November.
func (l *Locale) LongDate(t time.Time) string { return l.dated(t, "Monday 2 January") }

// DateYear writes a day with its year: Sun 8 Nov 2026.
func (l *Locale) DateYear(t time.Time) string { return t.In(l.zone).Format("Mon 2 Jan 2006") }

// Month writes a month: Nov 2026.
func (l *Locale) Month(t time.Time) string { return t.In(l.zone).Format("Jan 2006") }

// Clock writes a time of day: 14:00. Where the clock shows that time twice, its zone tells which:
// 02:00 CEST, 02:00 CET.
func (l *Locale) Clock(t time.Time) string { return l.clock(t, "15:04") }

// Seconds is Clock with seconds: 14:03:10.
func (l *Locale) Seconds(t time.Time) string { return l.clock(t, "15:04:05") }

// Time writes a day and a time: Sun 8 Nov, 14:00.
func (l *Locale) Time(t time.Time) string { return l.Date(t) + ", " + l.Clock(t) }

// FullTime writes all of a time, for titles: Sun 8 Nov 2026, 14:03:10 +01:00.
func (l *Locale) FullTime(t time.Time) string {
	return t.In(l.zone).Format("Mon 2 Jan 2006, 15:04:05 -07:00")
}

// Machine writes a time for the attribute datetime of <time>, and for addresses.
func (l *Locale) Machine(t time.Time) string { return t.In(l.zone).Format(time.RFC3339) }

func (l *Locale) clock(t time.Time, layout string) string {
	t = t.In(l.zone)
	if shownTwice(t) {
		layout += " MST"
	}
	return t.Format(layout)
}

func (l *Locale) dated(t time.Time, layout string) string {
	if t = t.In(l.zone); t.Year() != l.now.Year() {
		layout += " 2006"
	}
	return t.Format(layout)
}

// shownTwice reports whether the clock of t's zone shows the time of t at another instant, too.
func shownTwice(t time.Time) bool {
	start, end := t.ZoneBounds()
	_, offset := t.Zone()
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		if t.Sub(start) < time.Duration(before-offset)*time.Second {
			return true
		}
	}
	if !end.IsZero() {
		_, after := end.Zone()
		return end.Sub(t) <= time.Duration(offset-after)*time.Second
	}
	return false
}

// Range writes the times [from, to). Days: Sun 8 Nov 2026; 1 – 30 Nov 2026; 28 Oct – 3 Nov 2026;
// 28 Dec 2025 – 3 Jan 2026. Times of a day: Sun 8 Nov 2026, 14:00 – 16:00. Others: Sat 7 Nov 2026,
// 14:03 – Sun 8 Nov 2026, 14:03.
func (l *Locale) Range(from, to time.Time) string {
	from, to = from.In(l.zone), to.In(l.zone)
	last := to.Add(-time.Nanosecond)
	if !to.After(from) {
		return l.DateYear(from) + ", " + l.Clock(from)
	}
	sameDay := from.YearDay() == last.YearDay() && from.Year() == last.Year()
	switch {
	case !beginsDay(from) || !beginsDay(to):
		if sameDay {
			return l.DateYear(from) + ", " + l.Clock(from) + " – " + l.Clock(to)
		}
		return l.DateYear(from) + ", " + l.Clock(from) + " – " + l.DateYear(to) + ", " + l.Clock(to)
	case sameDay:
		return l.DateYear(from)
	case from.Year() != last.Year():
		return from.Format("2 Jan 2006") + " – " + last.Format("2 Jan 2006")
	case from.Month() != last.Month():
		return from.Format("2 Jan") + " – " + last.Format("2 Jan 2006")
	}
	return strconv.Itoa(from.Day()) + " – " + last.Format("2 Jan 2006")
}

// beginsDay reports whether the day before ended at t, whatever the clock shows then.
func beginsDay(t time.Time) bool {
	return t.Day() != t.Add(-time.Nanosecond).Day()
}

// Ago writes how long ago a time was, as seen from the request: just now, 12 s ago, 2 min ago,
// 3 h ago, yesterday, 5 days ago, and from a week on its date. A time to come is "just now" for the
// minute by which clocks differ, and then its day and time.
func (l *Locale) Ago(t time.Time) string {
	t = t.In(l.zone)
	age := l.now.Sub(t)
	days := dayNumber(l.now) - dayNumber(t)
	switch {
	case age < -time.Minute:
		return l.Time(t)
	case age < 5*time.Second:
		return "just now"
	case age < time.Minute:
		return l.Number(uint64(age/time.Second)) + space + "s ago"
	case age < time.Hour:
		return l.Number(uint64(age/time.Minute)) + space + "min ago"
	case days == 0 || age < 12*time.Hour:
		return l.Number(uint64(age/time.Hour)) + space + "h ago"
	case days == 1:
		return "yesterday"
	case days < 7:
		return l.Number(uint64(days)) + space + "days ago"
	}
	return l.Date(t)
}

// dayNumber counts the days of the wall clock of t's zone.
func dayNumber(t time.Time) int64 {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// Step writes the step of a series that begins at t, for a table or a tooltip: "Sun 8 Nov, 14:00",
// "Sun 8 Nov", "week from 2 Nov", "Nov 2026".
func (l *Locale) Step(t time.Time, interval string) string {
	switch interval {
	case "minute", "hour":
		return l.Time(t)
	case "week":
		return "week from " + l.dated(t, "2 Jan")
	case "month":
		return l.Month(t)
	}
	return l.Date(t)
}

// LongStep is Step to be read out: "Sunday 8 November", "November 2026".
func (l *Locale) LongStep(t time.Time, interval string) string {
	switch interval {
	case "minute", "hour":
		return l.LongDate(t) + ", " + l.Clock(t)
	case "week":
		return "the week from " + l.dated(t, "2 January")
	case "month":
		return t.In(l.zone).Format("January 2006")
	}
	return l.LongDate(t)
}

// Tick is Step in the little room below a chart: 14:00, or the day where one begins; 8 Nov; Nov,
// or the year where one begins.
func (l *Locale) Tick(t time.Time, interval string) string {
	t = t.In(l.zone)
	switch interval {
	case "minute", "hour":
		if !beginsDay(t) {
			return t.Format("15:04")
		}
	case "month":
		if t.Month() == time.January {
			return t.Format("2006")
		}
		return t.Format("Jan")
	}
	return t.Format("2 Jan")
}
