package dashboard

import (
	"math"
	"strconv"
	"time"
)

// This file makes scales: which numbers stand beside a chart, and where a number lies in it.

// Unit is what the numbers of a chart are.
type Unit string

// The units.
const (
	UnitCount    Unit = "count"    // whole numbers
	UnitNumber   Unit = "number"   // any numbers, such as values of orders
	UnitShare    Unit = "share"    // of 1, shown in percent
	UnitDuration Unit = "duration" // seconds
)

// ticksMin and ticksMax are how many grid lines are tried, the lowest one not counted.
const (
	ticksMin = 3
	ticksMax = 5
)

// scale is the axis of the numbers of a chart: from low to high, both of which are ticks.
type scale struct {
	low, high, step float64
}

// niceScale returns the scale of numbers between min and max. It holds 0, has one to ticksMax+1
// steps, and its ticks are round in the unit. Of several such scales it is the shortest one, so
// that little room is left above the line, and of these the one with the most ticks.
func niceScale(min, max float64, unit Unit) scale {
	min, max = math.Min(min, 0), math.Max(max, 0)
	if !(max-min > 0) || math.IsInf(max-min, 0) { // nothing but zeros; or nothing to draw at all
		min, max = 0, 1
		if unit == UnitDuration {
			max = 60
		}
	}
	var best scale
	for n := float64(ticksMin); n <= ticksMax; n++ {
		step := niceStep((max-min)/n, unit)
		s := scale{low: math.Floor(min/step) * step, high: math.Ceil(max/step) * step, step: step}
		if s.high == s.low { // too little for the digits of a float
			s.high = s.low + step
		}
		if best.step == 0 || s.high-s.low <= best.high-best.low {
			best = s
		}
	}
	return best
}

// durationSteps are round durations, in seconds. Above the last one days are counted as numbers.
var durationSteps = []float64{
	1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
}

// niceStep returns the least round number that is not below least.
func niceStep(least float64, unit Unit) float64 {
	switch unit {
	case UnitCount:
		if least <= 1 {
			return 1
		}
	case UnitDuration:
		if least > 1 {
			for _, step := range durationSteps {
				if step >= least {
					return step
				}
			}
			const day = 86400
			return niceStep(least/day, UnitNumber) * day
		}
	}
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m == 2.5 && unit == UnitCount && power < 10 {
			continue // no halves of people
		}
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// ticks returns the numbers of the grid lines, from low to high.
func (s scale) ticks() []float64 {
	n := int(math.Round((s.high - s.low) / s.step))
	ticks := make([]float64, 0, n+1)
	for i := range n + 1 {
		ticks = append(ticks, s.low+float64(i)*s.step)
	}
	return ticks
}

// place returns where x lies: 0 at the top, 1 at the bottom.
func (s scale) place(x float64) float64 { return (s.high - x) / (s.high - s.low) }

// label writes the tick x. All ticks of a scale have one unit: 0.5 m, 1 m, 1.5 m.
func (s scale) label(l *Locale, x float64, unit Unit) string {
	most := math.Max(math.Abs(s.low), math.Abs(s.high))
	switch {
	case unit == UnitShare:
		return l.Float(x*100, 3) + space + "%"
	case unit == UnitDuration && x == 0:
		return l.Float(0, 0)
	case unit == UnitDuration:
		for _, u := range []struct {
			seconds float64
			name    string
		}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
			if most >= 2*u.seconds {
				return l.Float(x/u.seconds, 2) + space + u.name
			}
		}
		return l.Float(x, 2) + space + "s"
	case x != 0 && most >= compactFrom:
		return l.short(x)
	}
	return l.Float(x, 3)
}

// value writes a number of a chart in full.
func (l *Locale) value(x float64, unit Unit) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return nothing
	case unit == UnitShare:
		return l.Percent(x)
	case unit == UnitDuration:
		return l.Duration(time.Duration(math.Round(x * float64(time.Second))))
	}
	return l.Float(x, 2)
}

// changed is the change of a number of a chart.
func (l *Locale) changed(now, before float64, unit Unit) Change {
	switch {
	case math.IsNaN(now-before) || math.IsInf(now-before, 0):
		return Change{}
	case unit == UnitShare:
		return l.Points(now, before)
	case unit == UnitDuration:
		second := float64(time.Second)
		return l.Longer(time.Duration(now*second), time.Duration(before*second), true)
	}
	return l.Ratio(now, before)
}

// percent writes a share of the width or height of a drawing as an SVG length: 12.5%.
func percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		share = 0
	}
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + "%"
}
