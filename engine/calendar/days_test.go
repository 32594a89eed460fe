package calendar

import (
	"math/rand/v2"
	"testing"
	"time"
)

// unusualZones have clocks that skip or repeat midnight, skip a day, or change by less than an
// hour.
var unusualZones = []string{
	"UTC", "Europe/Amsterdam", "America/Havana", "America/Sao_Paulo", "America/Asuncion", "America/St_Johns", "America/Scoresbysund",
	"Atlantic/Azores", "Asia/Kathmandu", "Asia/Beirut", "Asia/Amman", "Asia/Gaza", "Asia/Tehran", "Asia/Pyongyang", "Africa/Cairo",
	"Africa/Casablanca", "Africa/Monrovia", "America/Caracas", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Pacific/Kiritimati",
	"Pacific/Chatham", "Antarctica/Casey", "Antarctica/Troll", "Europe/Dublin",
}

// Days are intervals of time that follow each other: the day of an instant is the one that
// began last. Day, DayStart, Days and the buckets of a series all agree about it, before, at and
// after each change of the clock.
func TestDaysAreIntervals(t *testing.T) {
	for _, name := range unusualZones {
		loc := zone(t, name)
		var instants []int64
		for at := time.Date(1989, 12, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2038; {
			_, end := at.In(loc).ZoneBounds()
			next := at.AddDate(0, 7, 0)
			if !end.IsZero() && end.Before(next) {
				for _, off := range []time.Duration{-25 * time.Hour, -time.Hour, -time.Minute, -time.Millisecond, 0, time.Millisecond, time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 25 * time.Hour} {
					instants = append(instants, end.Add(off).UnixMilli())
				}
				next = end
			}
			at = next
		}
		if len(instants) == 0 {
			instants = append(instants, 1, DayMillis-1, DayMillis)
		}
		all, ok := DaysOf(0, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), loc)
		if !ok {
			t.Fatalf("%s: no days", name)
		}
		for _, at := range instants {
			day := Day(at, loc)
			shown := time.UnixMilli(at).In(loc)
			start, next := Start(day, loc), Start(day+1, loc)
			for next <= start { // the clock skips the day after
				t.Errorf("%s: %v is on day %d, which is empty", name, shown, day)
				break
			}
			if at < start || at >= next {
				t.Errorf("%s: %v is on day %d, from %v to %v", name, shown, day, time.UnixMilli(start).In(loc), time.UnixMilli(next).In(loc))
			}
			if got := all.Day(at); got != day {
				t.Errorf("%s: Days says %d of %v, want %d", name, got, shown, day)
			}
			if got, want := all.Begins(at), at == start; got != want {
				t.Errorf("%s: a day begins at %v: %v, want %v", name, shown, got, want)
			}
			if wall := dayAt(time.Date(shown.Year(), shown.Month(), shown.Day(), 0, 0, 0, 0, time.UTC).UnixMilli()); day != wall && (day != wall+1 || shown.Hour() < 20) {
				t.Errorf("%s: %v is on day %d, the clock shows %d", name, shown, day, wall)
			}
			for _, interval := range []string{"hour", "day", "week", "month"} {
				times, _ := BucketTimes(at, at+1, interval, loc)
				if len(times) != 1 || times[0] > at {
					t.Errorf("%s: %v is in the buckets %d of a %s", name, shown, times, interval)
				}
			}
		}
	}
}

// Days of a part of time agree with those of a longer one, and can be stored.
func TestDaysAreStored(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, name := range unusualZones {
		loc := zone(t, name)
		for range 50 {
			from := int64(631152000000) + rng.Int64N(45*365*DayMillis)
			to := from + rng.Int64N(1<<uint(rng.IntN(39)))
			days, ok := DaysOf(from, to, loc)
			if !ok {
				t.Fatalf("%s: no days from %d to %d", name, from, to)
			}
			stored := days.Append(nil)
			read, err := ParseDays(stored)
			if err != nil || read.Zone != name || !read.Same(&days) {
				t.Fatalf("%s: %v reads as %+v, %v", name, days, read, err)
			}
			for range 20 {
				if at := from + rng.Int64N(to-from+1); read.Day(at) != Day(at, loc) {
					t.Errorf("%s: %d is on day %d, want %d", name, at, read.Day(at), Day(at, loc))
				}
			}
			for cut := range stored {
				if _, err := ParseDays(stored[:cut]); err == nil {
					t.Fatalf("%s: the first %d bytes of %x are accepted", name, cut, stored)
				}
			}
		}
	}
}

// The far future has days too.
func TestDaysOfTheFarFuture(t *testing.T) {
	loc := zone(t, "America/New_York")
	for year := 2030; year < 2120; year++ {
		at := time.Date(year, 12, 31, 12, 0, 0, 0, loc)
		for _, interval := range []string{"hour", "day", "month"} {
			times, ok := BucketTimes(at.UnixMilli(), at.Add(30*time.Hour).UnixMilli(), interval, loc)
			if want := map[string]int{"hour": 30, "day": 2, "month": 2}[interval]; !ok || len(times) != want {
				t.Errorf("%d: %d buckets of a %s, want %d", year, len(times), interval, want)
			}
		}
	}
}

func FuzzParseDays(f *testing.F) {
	for _, name := range []string{"UTC", "Pacific/Apia", "America/St_Johns"} {
		d, _ := DaysOf(1e12, 2e12, zone(f, name))
		f.Add(d.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDays(b)
		if err != nil {
			return
		}
		if again, err := ParseDays(d.Append(nil)); err != nil || !again.Same(&d) {
			t.Fatalf("%+v, then %+v, %v", d, again, err)
		}
		d.Day(0)
	})
}

func BenchmarkDay(b *testing.B) {
	loc := zone(b, "America/Havana")
	for name, step := range map[string]int64{"near": 10, "far": 86_461_000_00} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			at := int64(1_700_000_000_000)
			for b.Loop() {
				Day(at, loc)
				if at += step; at > 2_000_000_000_000 {
					at = 1_000_000_000_000
				}
			}
		})
	}
}
