package dashboard

import (
	"testing"
	"time"
	_ "time/tzdata"
)

// viewed returns the locale of a site's zone at a time of its clock, and a function that reads
// such times.
func viewed(t *testing.T, zone, now string) (*Locale, func(string) time.Time) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		parsed, err := time.ParseInLocation("2006-01-02 15:04:05"[:len(text)], text, loc)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.UTC() // the locale has to know the zone
	}
	return NewLocale("en", loc, at(now)), at
}

func TestDates(t *testing.T) {
	l, at := viewed(t, "Europe/Berlin", "2026-11-29 14:03")
	day := at("2026-11-08 00:00")
	for _, test := range []struct{ name, got, want string }{
		{"date", l.Date(day), "Sun 8 Nov"},
		{"other year", l.Date(at("2025-11-08 00:00")), "Sat 8 Nov 2025"},
		{"to be read out", l.LongDate(day), "Sunday 8 November"},
		{"month", l.Month(day), "Nov 2026"},
		{"clock", l.Clock(at("2026-11-08 14:00")), "14:00"},
		{"seconds", l.Seconds(at("2026-11-08 14:03:10")), "14:03:10"},
		{"time", l.Time(at("2026-11-08 14:00")), "Sun 8 Nov, 14:00"},
		{"title", l.FullTime(at("2026-11-08 14:03:10")), "Sun 8 Nov 2026, 14:03:10 +01:00"},
		{"machine", l.Machine(at("2026-07-08 14:03:10")), "2026-07-08T14:03:10+02:00"},
		{"step of an hour", l.Step(at("2026-11-08 14:00"), "hour"), "Sun 8 Nov, 14:00"},
		{"step of a day", l.Step(day, "day"), "Sun 8 Nov"},
		{"step of a week", l.Step(at("2026-11-02 00:00"), "week"), "week from 2 Nov"},
		{"step of a month", l.Step(at("2026-11-01 00:00"), "month"), "Nov 2026"},
		{"week to be read out", l.LongStep(at("2026-11-02 00:00"), "week"), "the week from 2 November"},
		{"tick of an hour", l.Tick(at("2026-11-08 14:00"), "hour"), "14:00"},
		{"tick at midnight", l.Tick(day, "hour"), "8 Nov"},
		{"tick of a month", l.Tick(at("2026-11-01 00:00"), "month"), "Nov"},
		{"tick of a year", l.Tick(at("2026-01-01 00:00"), "month"), "2026"},
	} {
		expect(t, test.name, test.got, test.want)
	}
}

func TestRanges(t *testing.T) {
	l, at := viewed(t, "Europe/Berlin", "2026-11-29 14:03")
	for _, test := range []struct{ from, to, want string }{
		{"2026-11-08 00:00", "2026-11-09 00:00", "Sun 8 Nov 2026"},
		{"2026-11-01 00:00", "2026-12-01 00:00", "1 – 30 Nov 2026"},
		{"2026-10-28 00:00", "2026-11-04 00:00", "28 Oct – 3 Nov 2026"},
		{"2025-12-28 00:00", "2026-01-04 00:00", "28 Dec 2025 – 3 Jan 2026"},
		{"2026-11-08 14:00", "2026-11-08 16:00", "Sun 8 Nov 2026, 14:00 – 16:00"},
		{"2026-11-08 14:00", "2026-11-09 00:00", "Sun 8 Nov 2026, 14:00 – 00:00"},
		{"2026-11-07 14:03", "2026-11-08 14:03", "Sat 7 Nov 2026, 14:03 – Sun 8 Nov 2026, 14:03"},
		{"2026-11-08 14:00", "2026-11-08 14:00", "Sun 8 Nov 2026, 14:00"},
		{"2026-03-29 00:00", "2026-03-30 00:00", "Sun 29 Mar 2026"}, // 23 hours
		{"2026-10-25 00:00", "2026-10-26 00:00", "Sun 25 Oct 2026"}, // 25 hours
	} {
		expect(t, test.from, l.Range(at(test.from), at(test.to)), test.want)
	}
}

func TestClockThatIsPutBack(t *testing.T) {
	l, at := viewed(t, "Europe/Berlin", "2026-10-26 12:00")
	midnight := at("2026-10-25 00:00")
	for hours, want := range []string{"00:00", "01:00", "02:00 CEST", "02:00 CET", "03:00", "04:00"} {
		expect(t, want, l.Clock(midnight.Add(time.Duration(hours)*time.Hour)), want)
	}
	expect(t, "last of it", l.Clock(midnight.Add(4*time.Hour-time.Minute)), "02:59 CET")

	l, at = viewed(t, "Europe/Berlin", "2026-03-30 12:00")
	midnight = at("2026-03-29 00:00")
	for hours, want := range []string{"00:00", "01:00", "03:00", "04:00"} {
		expect(t, want, l.Clock(midnight.Add(time.Duration(hours)*time.Hour)), want)
	}
}

func TestDayWithoutMidnight(t *testing.T) {
	l, at := viewed(t, "America/Santiago", "2026-09-10 12:00")
	begin := at("2026-09-06 01:00") // the clock goes from 24:00 to 01:00
	expect(t, "day", l.Range(begin, at("2026-09-07 00:00")), "Sun 6 Sep 2026")
	expect(t, "days", l.Range(at("2026-09-05 00:00"), begin), "Sat 5 Sep 2026")
	expect(t, "tick", l.Tick(begin, "hour"), "6 Sep")
}

func TestAgo(t *testing.T) {
	l, at := viewed(t, "Europe/Berlin", "2026-11-29 14:03:00")
	for _, test := range []struct{ at, want string }{
		{"2026-11-29 14:02:57", "just now"},
		{"2026-11-29 14:03:40", "just now"}, // a clock that is ahead
		{"2026-11-29 14:02:48", "12 s ago"},
		{"2026-11-29 14:01:00", "2 min ago"},
		{"2026-11-29 11:02:00", "3 h ago"},
		{"2026-11-29 00:10:00", "13 h ago"},
		{"2026-11-28 23:10:00", "yesterday"},
		{"2026-11-28 01:10:00", "yesterday"},
		{"2026-11-24 14:00:00", "5 days ago"},
		{"2026-11-08 14:00:00", "Sun 8 Nov"},
		{"2026-11-29 18:00:00", "Sun 29 Nov, 18:00"},
	} {
		expect(t, test.at, l.Ago(at(test.at)), test.want)
	}
	l, at = viewed(t, "Europe/Berlin", "2026-11-29 02:00:00")
	expect(t, "last evening", l.Ago(at("2026-11-28 21:00:00")), "5 h ago")
}
