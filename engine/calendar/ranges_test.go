package calendar

import (
	"testing"
	"time"
)

// at reads a time of a zone's clock, or an instant when it ends in a zone of its own.
func at(t *testing.T, text string, loc *time.Location) int64 {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if when, err := time.ParseInLocation(layout, text, loc); err == nil {
			return when.UnixMilli()
		}
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when.UnixMilli()
}

func utc(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// A name means whole days of the zone, also where a day begins late or lasts 23, 24½ or 25 hours.
func TestNamed(t *testing.T) {
	for _, c := range []struct{ zone, now, name, from, to string }{
		{"UTC", "2026-11-25 10:20:30", "30m", "2026-11-25T09:50:00Z", "2026-11-25T10:20:00Z"},
		{"UTC", "2026-11-25 10:20:30", "24h", "2026-11-24T10:20:00Z", "2026-11-25T10:20:00Z"},
		{"UTC", "2026-11-25 10:20", "30m", "2026-11-25T09:50:00Z", "2026-11-25T10:20:00Z"},
		{"UTC", "2026-11-25 10:20", "today", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-25 00:00", "today", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "yesterday", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "7d", "2026-11-19T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "28d", "2026-10-29T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "30d", "2026-10-27T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "90d", "2026-08-28T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "week", "2026-11-23T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-11-23 00:00", "week", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{"UTC", "2026-11-22 23:59", "week", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "lastweek", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "month", "2026-11-01T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-01-31 10:20", "lastmonth", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"},
		{"UTC", "2026-03-31 10:20", "lastmonth", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "year", "2026-01-01T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2028-02-29 10:20", "lastyear", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"},
		{"UTC", "2026-11-25 10:20", "12mo", "2025-12-01T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"UTC", "2026-12-31 10:20", "12mo", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		// The clock goes back on 25 October in Berlin, and forward on 29 March.
		{"Europe/Berlin", "2026-10-25 12:00", "today", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"Europe/Berlin", "2026-03-29 12:00", "today", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"Europe/Berlin", "2026-10-26 12:00", "7d", "2026-10-19T22:00:00Z", "2026-10-26T23:00:00Z"},
		{"Europe/Berlin", "2026-10-25 12:00", "24h", "2026-10-24T11:00:00Z", "2026-10-25T11:00:00Z"},
		// Havana skips midnight: 8 March 2026 begins at 01:00.
		{"America/Havana", "2026-03-08 12:00", "today", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"America/Havana", "2026-03-09 12:00", "yesterday", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		// Lord Howe changes by half an hour.
		{"Australia/Lord_Howe", "2026-04-05 12:00", "today", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		// Samoa skipped 30 December 2011.
		{"Pacific/Apia", "2011-12-31 12:00", "today", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"Pacific/Apia", "2011-12-31 12:00", "yesterday", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"Pacific/Apia", "2011-12-31 12:00", "7d", "2011-12-25T10:00:00Z", "2011-12-31T10:00:00Z"},
	} {
		loc := zone(t, c.zone)
		from, to, ok := Named(c.name, at(t, c.now, loc), 0, 0, loc)
		if !ok || utc(from) != c.from || utc(to) != c.to {
			t.Errorf("%s at %s in %s: [%s, %s), want [%s, %s)", c.name, c.now, c.zone, utc(from), utc(to), c.from, c.to)
		}
	}
}

func TestNamedAll(t *testing.T) {
	now := at(t, "2026-11-25 10:20", time.UTC)
	for _, c := range []struct{ first, last, from, to string }{
		{"2026-03-03 05:00", "2026-11-25 10:19", "2026-03-03T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"2026-03-03 05:00", "2026-11-26 09:00", "2026-03-03T00:00:00Z", "2026-11-27T00:00:00Z"}, // a day ahead
		{"2026-11-26 05:00", "2026-11-26 09:00", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"},
		{"2026-11-26 05:00", "2026-11-25 09:00", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"}, // no data
	} {
		from, to, _ := Named("all", now, at(t, c.first, time.UTC), at(t, c.last, time.UTC), nil)
		if utc(from) != c.from || utc(to) != c.to {
			t.Errorf("%s…%s: [%s, %s), want [%s, %s)", c.first, c.last, utc(from), utc(to), c.from, c.to)
		}
	}
	for _, name := range RangeNames {
		if _, _, ok := Named(name, now, 0, 0, nil); !ok {
			t.Errorf("%s is not known", name)
		}
	}
	for _, name := range []string{"", "Today", "8d", "1h", "quarter"} {
		if _, _, ok := Named(name, now, 0, 0, nil); ok {
			t.Errorf("%q is known", name)
		}
	}
}

func TestDefaultInterval(t *testing.T) {
	for _, c := range []struct{ zone, from, to, want string }{
		{"UTC", "2026-11-25 10:00", "2026-11-25 12:00", "minute"},
		{"UTC", "2026-11-25 10:00", "2026-11-25 12:01", "hour"},
		{"UTC", "2026-11-25", "2026-11-27", "hour"},
		{"UTC", "2026-11-25", "2026-11-28", "day"},
		{"Europe/Berlin", "2026-10-24", "2026-10-26", "hour"}, // 49 hours, 48 on the clock
		{"Europe/Berlin", "2026-03-28 10:00", "2026-03-30 11:00", "day"},
		{"America/Havana", "2025-12-06", "2026-03-08", "day"}, // 92 days, the end shows 01:00
		{"UTC", "2026-08-01", "2026-11-01", "day"},            // 92 days
		{"UTC", "2026-08-01", "2026-11-02", "week"},
		{"UTC", "2025-01-01", "2026-02-05", "week"}, // 400 days
		{"UTC", "2025-01-01", "2026-02-06", "month"},
	} {
		loc := zone(t, c.zone)
		if got := DefaultInterval(at(t, c.from, loc), at(t, c.to, loc), loc); got != c.want {
			t.Errorf("%s: %s to %s: %s, want %s", c.zone, c.from, c.to, got, c.want)
		}
	}
}

// Each row is a range, when it is asked for, and what it is compared with.
func TestCompared(t *testing.T) {
	for _, c := range []struct{ name, zone, now, named, compare, from, to string }{
		{"today ends where now is", "UTC", "2026-11-25 10:20:30", "today", "previous", "2026-11-24T00:00:00Z", "2026-11-24T10:20:00Z"},
		{"yesterday is whole", "UTC", "2026-11-25 10:20:30", "yesterday", "previous", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
		{"days are cut to ten minutes", "UTC", "2026-11-25 10:29:59", "7d", "previous", "2026-11-12T00:00:00Z", "2026-11-18T10:20:00Z"},
		{"24h", "UTC", "2026-11-25 10:20:30", "24h", "previous", "2026-11-23T10:20:00Z", "2026-11-24T10:20:00Z"},
		{"30m", "UTC", "2026-11-25 10:20:30", "30m", "previous", "2026-11-25T09:20:00Z", "2026-11-25T09:50:00Z"},
		{"week", "UTC", "2026-11-25 10:29", "week", "previous", "2026-11-16T00:00:00Z", "2026-11-18T10:20:00Z"},
		{"lastweek", "UTC", "2026-11-25 10:29", "lastweek", "previous", "2026-11-09T00:00:00Z", "2026-11-16T00:00:00Z"},
		{"month", "UTC", "2026-11-25 10:29", "month", "previous", "2026-10-01T00:00:00Z", "2026-10-25T10:20:00Z"},
		{"a month before that is shorter", "UTC", "2026-03-30 10:29", "month", "previous", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"lastmonth", "UTC", "2026-03-30 10:29", "lastmonth", "previous", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"lastmonth after a long one", "UTC", "2026-12-02 10:29", "lastmonth", "previous", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"year", "UTC", "2026-11-25 10:29", "year", "previous", "2025-01-01T00:00:00Z", "2025-11-25T10:20:00Z"},
		{"lastyear", "UTC", "2026-11-25 10:29", "lastyear", "previous", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"},
		{"12mo", "UTC", "2026-11-25 10:29", "12mo", "previous", "2024-12-01T00:00:00Z", "2025-11-25T10:20:00Z"},
		{"the year before", "UTC", "2026-11-25 10:29", "7d", "year", "2025-11-19T00:00:00Z", "2025-11-25T10:20:00Z"},
		{"29 February", "UTC", "2028-02-29 10:20:30", "today", "year", "2027-02-28T00:00:00Z", "2027-02-28T10:20:00Z"},
		{"up to 29 February", "UTC", "2028-02-28 10:20:30", "month", "year", "2027-02-01T00:00:00Z", "2027-02-28T10:20:00Z"},
		{"February of a leap year", "UTC", "2028-03-05 10:20", "lastmonth", "year", "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z"},
		{"a day after 29 February", "UTC", "2028-03-01 10:20", "yesterday", "year", "2027-02-28T00:00:00Z", "2027-03-01T00:00:00Z"},
		{"a day before 29 February", "UTC", "2028-02-29 10:20", "yesterday", "year", "2027-02-28T00:00:00Z", "2027-03-01T00:00:00Z"},
		{"weekdays match", "UTC", "2026-11-25 10:29", "week", "year52", "2025-11-24T00:00:00Z", "2025-11-26T10:20:00Z"},
		{"midnight: nothing has passed", "UTC", "2026-11-25 00:00:10", "today", "previous", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"},
		{"the day before has 25 hours", "Europe/Berlin", "2026-10-26 10:20", "today", "previous", "2026-10-24T22:00:00Z", "2026-10-25T09:20:00Z"},
		{"the clock skips the time: it moves on", "Europe/Berlin", "2026-03-30 02:30", "today", "previous", "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z"},
		{"the clock shows the time twice: the first", "Europe/Berlin", "2026-10-26 02:30", "today", "previous", "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z"},
		{"midnight is skipped", "America/Havana", "2026-03-09 12:00", "today", "previous", "2026-03-08T05:00:00Z", "2026-03-08T16:00:00Z"},
		{"before the skipped midnight", "America/Havana", "2026-03-08 12:00", "today", "previous", "2026-03-07T05:00:00Z", "2026-03-07T17:00:00Z"},
		{"midnight is shown twice", "America/Havana", "2026-11-02 00:30", "today", "previous", "2026-11-01T04:00:00Z", "2026-11-01T04:30:00Z"},
		{"half an hour", "Australia/Lord_Howe", "2026-04-06 01:45", "today", "previous", "2026-04-04T13:00:00Z", "2026-04-04T14:45:00Z"},
		{"a day that was skipped", "Pacific/Apia", "2011-12-31 12:00", "today", "previous", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			loc := zone(t, c.zone)
			now := at(t, c.now, loc)
			from, to, _ := Named(c.named, now, 0, 0, loc)
			start, end := Compared(c.compare, c.named, from, to, now, loc)
			if utc(start) != c.from || utc(end) != c.to {
				t.Errorf("[%s, %s), want [%s, %s)", utc(start), utc(end), c.from, c.to)
			}
		})
	}
}

// Ranges that were given.
func TestComparedGiven(t *testing.T) {
	for _, c := range []struct{ name, now, from, to, compare, start, end string }{
		{"whole days", "2026-11-25 10:00", "2026-11-10", "2026-11-13", "previous", "2026-11-07T00:00:00Z", "2026-11-10T00:00:00Z"},
		{"whole days that go on", "2026-11-25 10:25", "2026-11-24", "2026-11-27", "previous", "2026-11-21T00:00:00Z", "2026-11-22T10:20:00Z"},
		{"hours", "2026-11-25 10:00", "2026-11-10 10:00", "2026-11-10 13:00", "previous", "2026-11-10T07:00:00Z", "2026-11-10T10:00:00Z"},
		{"hours that go on", "2026-11-25 10:30:30", "2026-11-25 10:00", "2026-11-25 12:00", "previous", "2026-11-25T08:00:00Z", "2026-11-25T08:30:00Z"},
		{"not begun", "2026-11-25 10:30", "2026-11-27", "2026-11-28", "previous", "2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z"},
		{"up to a time on 29 February", "2028-11-25 10:30", "2028-02-28 12:00", "2028-02-29 10:00", "year", "2027-02-28T12:00:00Z", "2027-03-01T10:00:00Z"},
	} {
		start, end := Compared(c.compare, "", at(t, c.from, time.UTC), at(t, c.to, time.UTC), at(t, c.now, time.UTC), nil)
		if utc(start) != c.start || utc(end) != c.end {
			t.Errorf("%s: [%s, %s), want [%s, %s)", c.name, utc(start), utc(end), c.start, c.end)
		}
	}
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct{ name, now, from, to, start, end, want string }{
		{"whole", "2026-11-25 10:00", "2026-11-10", "2026-11-13", "2026-01-01", "2026-02-01", "2026-01-31T23:00:00Z"},
		{"as far as now", "2026-11-25 10:25", "2026-11-24", "2026-11-27", "2026-01-01", "2026-02-01", "2026-01-02T09:20:00Z"},
		{"over a change of the clock", "2026-03-30 10:25", "2026-03-28", "2026-04-05", "2026-01-01", "2026-02-01", "2026-01-03T09:20:00Z"},
		{"never beyond its end", "2026-11-25 10:25", "2026-11-20", "2026-11-27", "2026-01-01", "2026-01-03", "2026-01-02T23:00:00Z"},
	} {
		_, end := ComparedTo(at(t, c.start, berlin), at(t, c.end, berlin), at(t, c.from, berlin), at(t, c.to, berlin), at(t, c.now, berlin), berlin)
		if utc(end) != c.want {
			t.Errorf("%s: ends %s, want %s", c.name, utc(end), c.want)
		}
	}
}

// Next leads from each step to the one after it, in every zone and for every interval.
func TestNext(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"} {
		loc := zone(t, name)
		for _, around := range []string{"2026-03-08", "2026-03-29", "2026-04-05", "2026-10-25", "2026-11-01", "2011-12-30"} {
			mid := at(t, around, loc)
			for _, interval := range Intervals {
				times, ok := BucketTimes(mid-3*DayMillis, mid+3*DayMillis, interval, loc)
				if !ok {
					t.Fatal("too many")
				}
				for i := range times[1:] {
					if next := Next(times[i], interval, loc); next != times[i+1] {
						t.Fatalf("%s, %s: %s is followed by %s, want %s", name, interval, utc(times[i]), utc(next), utc(times[i+1]))
					}
				}
			}
		}
	}
}
