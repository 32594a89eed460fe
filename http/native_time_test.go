package httpd

import (
	"testing"
	"time"
)

// Days follow the wall clock, also where it skips or repeats midnight.

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
		got := dayStart(date, zone(t, c.zone))
		if s := got.Format(time.RFC3339); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}
