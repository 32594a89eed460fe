package dashboard

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestScales(t *testing.T) {
	l := NewLocale("en", nil, time.Now())
	for _, test := range []struct {
		min, max float64
		unit     Unit
		want     string
	}{
		{0, 44_000, UnitCount, "0, 10 k, 20 k, 30 k, 40 k, 50 k"},
		{0, 9_000, UnitCount, "0, 2 k, 4 k, 6 k, 8 k, 10 k"},
		{0, 36, UnitCount, "0, 10, 20, 30, 40"},
		{0, 3, UnitCount, "0, 1, 2, 3"},
		{0, 1, UnitCount, "0, 1"},
		{0, 0, UnitCount, "0, 1"},
		{0, 9, UnitCount, "0, 2, 4, 6, 8, 10"},
		{0, 1, UnitNumber, "0, 0.2, 0.4, 0.6, 0.8, 1"},
		{-25, 75, UnitNumber, "−25, 0, 25, 50, 75"},
		{0, 0.52, UnitShare, "0 %, 20 %, 40 %, 60 %"},
		{0, 1, UnitShare, "0 %, 20 %, 40 %, 60 %, 80 %, 100 %"},
		{0, 0.0042, UnitShare, "0 %, 0.1 %, 0.2 %, 0.3 %, 0.4 %, 0.5 %"},
		{0, 0, UnitDuration, "0, 15 s, 30 s, 45 s, 60 s"},
		{0, 43, UnitDuration, "0, 15 s, 30 s, 45 s"},
		{0, 240, UnitDuration, "0, 1 m, 2 m, 3 m, 4 m"},
		{0, 130, UnitDuration, "0, 0.5 m, 1 m, 1.5 m, 2 m, 2.5 m"},
		{0, 5400, UnitDuration, "0, 30 m, 60 m, 90 m"},
		{0, 90_000, UnitDuration, "0, 6 h, 12 h, 18 h, 24 h, 30 h"},
		{0, 1e6, UnitDuration, "0, 2.5 d, 5 d, 7.5 d, 10 d, 12.5 d"},
		{0, 0.3, UnitDuration, "0, 0.1 s, 0.2 s, 0.3 s"},
		{math.Inf(-1), 3, UnitNumber, "0, 0.2, 0.4, 0.6, 0.8, 1"},
	} {
		var labels []string
		s := niceScale(test.min, test.max, test.unit)
		for _, x := range s.ticks() {
			labels = append(labels, s.label(l, x, test.unit))
		}
		expect(t, string(test.unit), strings.Join(labels, ", "), test.want)
	}
}

// Whatever the numbers are, they lie inside of a scale of few lines, one of which is 0.
func TestScalesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64Range(-1e15, 1e15).Draw(t, "a"), rapid.Float64Range(-1e15, 1e15).Draw(t, "b")
		unit := rapid.SampledFrom([]Unit{UnitCount, UnitNumber, UnitShare, UnitDuration}).Draw(t, "unit")
		s := niceScale(min(a, b), max(a, b), unit)
		ticks := s.ticks()
		if len(ticks) < 2 || len(ticks) > ticksMax+2 {
			t.Fatalf("%d ticks: %v", len(ticks), ticks)
		}
		zero := false
		for i, x := range ticks {
			zero = zero || math.Abs(x) < s.step/1000
			if i > 0 && x <= ticks[i-1] {
				t.Fatalf("not ascending: %v", ticks)
			}
		}
		for _, x := range []float64{a, b} {
			if at := s.place(x); at < -1e-9 || at > 1+1e-9 {
				t.Fatalf("%g lies at %g of %v", x, at, ticks)
			}
		}
		if !zero {
			t.Fatalf("without 0: %v", ticks)
		}
	})
}

// Labels below a chart stand on round times, few enough to be read; half of them on a phone.
func TestTicksOfTimes(t *testing.T) {
	month := days(t, 30)
	l := viewer(month)
	year := &Chart{Interval: "month", Now: make([]float64, 14)}
	for i := range year.Now {
		year.Times = append(year.Times, time.Date(2025, 10, 1, 0, 0, 0, 0, l.zone).AddDate(0, i, 0))
	}
	spring := &Chart{Interval: "hour", Now: make([]float64, 47)} // the clock skips 02:00 on its first day
	for i := range spring.Now {
		spring.Times = append(spring.Times, time.Date(2026, 3, 29, 0, 0, 0, 0, l.zone).Add(time.Duration(i)*time.Hour))
	}
	for _, test := range []struct {
		name  string
		chart *Chart
		want  string // those in brackets are shown where there is room
	}{
		{"a month", month, "2 Nov, 9 Nov, 16 Nov, 23 Nov"},
		{"a week", days(t, 7), "31 Oct, (1 Nov), 2 Nov, (3 Nov), 4 Nov, (5 Nov), 6 Nov"},
		{"25 hours", gaps(t), "25 Oct, (03:00), 06:00, (09:00), 12:00, (15:00), 18:00, (21:00)"},
		{"an hour that is skipped", spring, "29 Mar, (06:00), 12:00, (18:00), 30 Mar, (06:00), 12:00, (18:00)"},
		{"14 months", year, "Nov, (2026), Mar, (May), Jul, (Sep), Nov"},
		{"minutes", minutes(t), "02:05, (02:10), 02:15, (02:20), 02:25, (02:30)"},
		{"a day", days(t, 1), "31 Oct"},
		{"weeks", Curve("week", make([]float64, 20)), "1, (5), 9, (13), 17"},
	} {
		var labels []string
		for _, tick := range test.chart.ticks(l) {
			if tick.Wide {
				tick.Label = "(" + tick.Label + ")"
			}
			labels = append(labels, tick.Label)
		}
		expect(t, test.name, strings.Join(labels, ", "), test.want)
	}
	for n := 1; n < 1000; n++ {
		for interval := range strides {
			c := &Chart{Interval: interval, Now: make([]float64, n), Labels: make([]string, n)}
			if ticks := c.ticks(l); len(ticks) == 0 || len(ticks) > ticksWide+1 {
				t.Fatalf("%d steps of a %s: %d labels", n, interval, len(ticks))
			}
		}
	}
}
