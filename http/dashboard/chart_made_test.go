package dashboard

import (
	"math"
	"testing"
	"time"
)

// This file makes up the data of the drawings that tests look at.

func days(t testing.TB, n int) *Chart {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 10, 31, 0, 0, 0, 0, loc)
	c := &Chart{
		Title: "Visitors", Unit: UnitCount, Interval: "day", From: first, To: first.AddDate(0, 0, n), Running: n - 1,
		BeforeName: "1 – 30 Oct 2026", Change: Change{Way: Up, Text: "▲ 4.1 %", Word: "up 4.1 %"},
		Notes: []Note{{At: first.AddDate(0, 0, 12).Add(9 * time.Hour), Text: "Release 2.0"}},
	}
	for i := range n {
		week := 1 + 0.12*math.Cos(float64(i-1)*2*math.Pi/7) + 0.03*math.Sin(float64(i)*1.7)
		c.Times = append(c.Times, first.AddDate(0, 0, i))
		c.BeforeTimes = append(c.BeforeTimes, first.AddDate(0, 0, i-n))
		c.Now = append(c.Now, math.Round(36_000*week*(1+float64(i)/200)))
		c.Before = append(c.Before, math.Round(35_200*(week+0.04*math.Sin(float64(i)*2.3))))
	}
	if n > 1 {
		c.Now[n-1] = 14_120
	}
	return c
}

func viewer(c *Chart) *Locale { return NewLocale("en", c.To.Location(), c.To.Add(-9*time.Hour)) }

// busy is the week of an office.
func busy() *[7][24]uint64 {
	var numbers [7][24]uint64
	for day := range numbers {
		for hour := range numbers[day] {
			x := math.Exp(-math.Pow(float64(hour)-13.5, 2)/28) + 0.5*math.Exp(-math.Pow(float64(hour)-20, 2)/6)
			if day > 4 {
				x *= 0.55
			}
			if hour != 3 {
				numbers[day][hour] = uint64(9_000 * x)
			}
		}
	}
	return &numbers
}

func weeks(t testing.TB) ([]Cohort, []float64) {
	t.Helper()
	first := time.Date(2026, 9, 28, 0, 0, 0, 0, time.UTC)
	var cohorts []Cohort
	for i := range 9 {
		c := Cohort{Start: first.AddDate(0, 0, 7*i), Size: uint64(12_000 - 700*i + i*i*31)}
		for j := range 8 - i {
			share := 0.46/math.Pow(float64(j+1), 0.62) + 0.01*float64(i%3)
			c.Cells = append(c.Cells, CohortCell{
				Users: uint64(share * float64(c.Size)), Open: j == 7-i, Href: "?at=" + c.Start.Format(time.DateOnly),
			})
		}
		cohorts = append(cohorts, c)
	}
	return cohorts, []float64{0.47, 0.31, 0.24, 0.2, 0.17, 0.15, 0.14, math.NaN()}
}

func steps() []FunnelBar {
	return []FunnelBar{
		{Name: "/pricing", Count: 361_227},
		{Name: "sign_up, plan is pro", Count: 130_572, Median: 223 * time.Second, Timed: true, Href: "?stopped=1"},
		{Name: "/checkout/address/which-is-a-name-of-some-length", Count: 54_842, Median: 26 * time.Hour, Timed: true},
		{Name: "order", Count: 40_911, Median: 43 * time.Second, Timed: true},
	}
}

func ways() []PathColumn {
	return []PathColumn{
		{Title: "Began with", Rows: []PathRow{
			{Label: "/", Count: 182_002, Href: "?then=/", Chosen: true}, {Label: "/blog/how-we-made-it-with-a-title-that-goes-on", Count: 60_100, Href: "?then=/blog"},
			{Label: "/pricing", Count: 41_000, Href: "?then=/pricing"}}, Other: 22_031},
		{Title: "Then", Rows: []PathRow{
			{Label: "/pricing", Count: 61_002, Href: "?then=/pricing"}, {Label: "/docs", Count: 30_100, Href: "?then=/docs"},
			{Label: "/about", Count: 4_000}}, Other: 2_031, Stopped: 84_869},
	}
}

// gaps is the day on which the clock is put back: 25 hours, of which 15 have begun.
func gaps(t testing.TB) *Chart {
	t.Helper()
	day := days(t, 1).From.AddDate(0, 0, -6)
	c := &Chart{Title: "Bounce rate", Unit: UnitShare, Interval: "hour", From: day, To: day.AddDate(0, 0, 1), Running: 14}
	for i := range 25 {
		x := 0.42 + 0.1*math.Sin(float64(i)/3)
		if i > 14 || i == 5 || i == 7 {
			x = math.NaN()
		}
		c.Times = append(c.Times, day.Add(time.Duration(i)*time.Hour))
		c.Now = append(c.Now, x)
		c.Before = append(c.Before, 0.45+0.06*math.Cos(float64(i)/4))
	}
	return c
}

// losses is values below and above 0.
func losses(t testing.TB) *Chart {
	t.Helper()
	c := days(t, 14)
	c.Title, c.Unit = "Value", UnitNumber
	for i := range c.Now {
		c.Now[i], c.Before[i] = (c.Now[i]-36_000)/300, (c.Before[i]-36_000)/300
	}
	return c
}

// minutes is half an hour of people, now.
func minutes(t testing.TB) *Chart {
	t.Helper()
	from := gaps(t).From.Add(2*time.Hour + 3*time.Minute)
	c := &Chart{Title: "People", Unit: UnitCount, Interval: "minute", Bars: true, Running: 29, From: from, To: from.Add(30 * time.Minute)}
	for i := range 30 {
		c.Times = append(c.Times, from.Add(time.Duration(i)*time.Minute))
		c.Now = append(c.Now, math.Round(20+12*math.Sin(float64(i)/4)+float64(i*7%5)))
	}
	c.Now[29] = 9
	return c
}
