package calendar

import (
	"testing"
	"time"
)

// Days follow the wall clock, even where it skips or repeats midnight.

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestDayStart(t *testing.T) {
	for _, c := range []struct{ name, zone, date, want string }{
		{"UTC", "UTC", "2026-11-21", "2026-11-21T00:00:00Z"},
		{"the day clocks go forward", "Europe/Amsterdam", "2026-03-29", "2026-03-29T00:00:00+01:00"},
		{"the day after", "Europe/Amsterdam", "2026-03-30", "2026-03-30T00:00:00+02:00"},
		{"midnight is skipped", "America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"},
		{"midnight is skipped, east", "Asia/Beirut", "2022-03-27", "2022-03-27T01:00:00+03:00"},
		{"midnight comes twice", "America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"},
		{"midnight comes twice, east", "Asia/Amman", "2021-10-29", "2021-10-29T00:00:00+03:00"},
		{"the day before midnight comes twice", "America/Havana", "2026-10-31", "2026-10-31T00:00:00-04:00"},
		{"23:00 comes twice the day before", "America/Sao_Paulo", "2018-02-18", "2018-02-18T00:00:00-03:00"},
		{"half an hour", "Australia/Lord_Howe", "2026-04-05", "2026-04-05T00:00:00+11:00"},
		{"a quarter", "Asia/Kathmandu", "2026-04-05", "2026-04-05T00:00:00+05:45"},
		{"a day that never was begins with the next", "Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00"},
	} {
		date, _ := time.Parse("2006-01-02", c.date)
		got := DayStart(date, zone(t, c.zone))
		if s := got.Format(time.RFC3339); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// Every instant lies in exactly one bucket: the last one that does not start after it.
// This holds through a year of every unusual zone.
func TestBuckets(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Amsterdam", "America/Havana", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"} {
		loc := zone(t, name)
		for _, year := range []int{2011, 2018, 2026} {
			from := time.Date(year, 1, 1, 5, 4, 3, 0, loc).UnixMilli()
			to := time.Date(year+1, 1, 1, 5, 4, 3, 0, loc).UnixMilli()
			for interval, step := range map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 31 * 24 * time.Hour} {
				times, ok := BucketTimes(from, to, interval, loc)
				if !ok || times[0] > from || times[len(times)-1] >= to {
					t.Fatalf("%s %d %s: %v", name, year, interval, ok)
				}
				for i := 1; i < len(times); i++ {
					d := time.Duration(times[i]-times[i-1]) * time.Millisecond
					if d <= 0 || d > step+time.Hour || interval != "month" && name != "Pacific/Apia" && d < step-time.Hour {
						t.Errorf("%s %s: a bucket of %v at %v", name, interval, d, time.UnixMilli(times[i-1]).In(loc))
					}
					if interval == "hour" {
						continue // across a change, local half hours are not whole half hours
					}
					last := time.UnixMilli(times[i] - 1).In(loc)
					if got := bucketStart(last, interval); got.UnixMilli() != times[i-1] {
						t.Errorf("%s %s: %v lies in %v", name, interval, last, got)
					}
				}
			}
		}
	}
}

func TestBucketStart(t *testing.T) {
	for _, c := range []struct{ zone, interval, at, want string }{
		{"UTC", "minute", "2026-11-21T12:34:56Z", "2026-11-21T12:34:00Z"},
		{"UTC", "hour", "2026-11-21T12:34:56Z", "2026-11-21T12:00:00Z"},
		{"Asia/Kathmandu", "hour", "2026-11-21T12:34:56+05:45", "2026-11-21T12:00:00+05:45"},
		{"Europe/Amsterdam", "hour", "2026-10-25T02:30:00+01:00", "2026-10-25T02:00:00+01:00"},
		{"Europe/Amsterdam", "day", "2026-11-21T00:30:00+01:00", "2026-11-21T00:00:00+01:00"},
		{"Europe/Amsterdam", "week", "2026-11-21T12:00:00+01:00", "2026-11-16T00:00:00+01:00"},
		{"Europe/Amsterdam", "week", "2026-11-22T23:59:59+01:00", "2026-11-16T00:00:00+01:00"},
		{"Europe/Amsterdam", "week", "2026-11-23T00:00:00+01:00", "2026-11-23T00:00:00+01:00"},
		{"Europe/Amsterdam", "week", "2026-11-01T12:00:00+01:00", "2026-10-26T00:00:00+01:00"},
		{"Europe/Amsterdam", "month", "2026-11-21T12:00:00+01:00", "2026-11-01T00:00:00+01:00"},
		{"Europe/Amsterdam", "month", "2026-10-31T12:00:00+01:00", "2026-10-01T00:00:00+02:00"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := bucketStart(at.In(zone(t, c.zone)), c.interval).Format(time.RFC3339); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.interval, c.at, got, c.want)
		}
	}
}

// A local time that the clock skips is the instant at which it moves on.
func TestLocal(t *testing.T) {
	for _, c := range []struct{ zone, local, want string }{
		{"America/Havana", "2026-03-08 00:00:00", "2026-03-08T01:00:00-04:00"},
		{"America/Havana", "2026-03-08 00:59:59", "2026-03-08T01:00:00-04:00"},
		{"America/Havana", "2026-03-08 01:00:00", "2026-03-08T01:00:00-04:00"},
		{"America/Havana", "2026-03-07 23:59:59", "2026-03-07T23:59:59-05:00"},
		{"Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-07-01 02:30:00", "2026-07-01T02:30:00+02:00"},
		{"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-31T00:00:00+14:00"}, // a day that Samoa did not have
		{"UTC", "2026-03-08 00:00:00", "2026-03-08T00:00:00Z"},
	} {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.DateTime, c.local)
		if err != nil {
			t.Fatal(err)
		}
		if got := Local(at, loc).Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.local, c.zone, got, c.want)
		}
	}
}
