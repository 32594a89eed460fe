package tables

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// This file writes numbers, rates, changes, durations and times: with the separators of English,
// as all words around them are English.

// format writes numbers. Not safe for concurrent use.
type format struct {
	printer *message.Printer
	zone    *time.Location
}

func newFormat(zone *time.Location) *format {
	if zone == nil {
		zone = time.UTC
	}
	return &format{message.NewPrinter(language.English), zone}
}

// float writes a number with at most so many digits after the point: 3.8.
func (f *format) float(x float64, least, most int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nothing
	}
	if unit := math.Pow10(most); math.Abs(x) < 1e15 {
		x = math.Round(x*unit) / unit // halves away from zero, as people round
	}
	if x == 0 {
		x = 0 // not -0
	}
	text := f.printer.Sprint(number.Decimal(math.Abs(x), number.MinFractionDigits(least), number.MaxFractionDigits(most)))
	if x < 0 {
		return "-" + text
	}
	return text
}

// number writes a number of a kind.
func (f *format) number(kind Kind, x float64) string {
	switch kind {
	case KindRate:
		return f.rate(x)
	case KindSeconds:
		return f.seconds(x)
	case KindMoney:
		return f.float(x, 2, 2)
	case KindNumber:
		if math.Abs(x) < 1 {
			return f.float(x, 0, 4)
		}
		return f.float(x, 0, 2)
	case KindTime:
		return f.time(time.Unix(0, int64(x*1e9)))
	}
	return f.float(x, 0, 0)
}

// rate writes a share of 1: 44.4 %. One that is not 0 is never shown as 0 %, nor one below 1 as
// 100 %.
func (f *format) rate(share float64) string {
	switch {
	case share > 0 && share < 0.0005:
		return "<0.1 %"
	case share > 0.9995 && share < 1:
		return "99.9 %"
	}
	return f.float(share*100, 0, 1) + " %"
}

// seconds writes a time in its two largest units: 0s, 43s, 3m43s, 2h5m, 3d4h. One below 10 s that
// is no whole second has a digit after the point: 0.4s.
func (f *format) seconds(x float64) string {
	if math.IsNaN(x) || math.Abs(x) > 1e11 {
		return nothing
	}
	if x < 0 {
		return "-" + f.seconds(-x)
	}
	if x < 9.95 {
		return f.float(x, 0, 1) + "s"
	}
	units := []struct {
		size int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}
	for i, unit := range units {
		least := units[min(i+1, len(units)-1)] // what is rounded to
		rounded := int64(math.Round(x/float64(least.size))) * least.size
		if rounded < unit.size {
			continue
		}
		text := f.float(float64(rounded/unit.size), 0, 0) + unit.name
		if rest := rounded % unit.size / least.size; rest > 0 && least != unit {
			text += strconv.FormatInt(rest, 10) + least.name
		}
		return text
	}
	return "0s"
}

// change says how a number went. From 0 there is no percentage.
func (f *format) change(m metric, now, before float64) Change {
	if math.IsNaN(now) || math.IsNaN(before) {
		return Change{}
	}
	by, text := now-before, ""
	switch m.kind {
	case KindRate:
		text = f.float(math.Abs(by)*100, 0, 1) + " pt"
		if math.Round(by*1000) == 0 {
			by = 0
		}
	case KindSeconds:
		by = math.Round(now) - math.Round(before)
		text = f.seconds(math.Abs(by))
	default:
		switch {
		case before == 0 && now > 0:
			return f.went(m, Up, "new")
		case before == 0 && now < 0: // such as a sum of losses
			return f.went(m, Down, "new")
		}
		size, digits := 0.0, 1
		if before != 0 {
			size = math.Abs(by/before) * 100
		}
		if size >= 100 {
			digits = 0
		}
		text = f.float(size, 0, digits) + " %"
		if math.Round(size*math.Pow10(digits)) == 0 {
			by = 0
		}
	}
	switch {
	case by > 0:
		return f.went(m, 1, "+"+text)
	case by < 0:
		return f.went(m, -1, "-"+text)
	}
	return Change{Text: text}
}

func (f *format) went(m metric, way Way, text string) Change {
	good := int8(way)
	if m.less {
		good = -good
	}
	return Change{Text: text, Way: way, Good: good}
}

// time writes a time: 2026-11-30 09:41:03. Where the clock shows it twice, its zone tells which.
func (f *format) time(t time.Time) string { return f.clock(t, "2006-01-02 15:04:05") }

func (f *format) clock(t time.Time, layout string) string {
	t = t.In(f.zone)
	text := t.Format(layout)
	if t.Add(time.Hour).Format(layout) == text || t.Add(-time.Hour).Format(layout) == text {
		text += t.Format(" MST")
	}
	return text
}

// step writes the step of a series that begins at t.
func (f *format) step(t time.Time, interval string) string {
	t = t.In(f.zone)
	switch interval {
	case "minute", "hour":
		return f.clock(t, "2006-01-02 15:04")
	case "month":
		return t.Format("2006-01")
	}
	return t.Format(time.DateOnly)
}

// span writes the times [from, to). Days: 30 Nov 2026; 1 – 30 Nov 2026; 28 Oct – 3 Nov 2026. Others:
// 29 Nov 2026, 14:03 – 30 Nov 2026, 14:03.
func (f *format) span(from, to time.Time) string {
	const day = "2 Jan 2006"
	from, to = from.In(f.zone), to.In(f.zone)
	last := to.Add(-time.Nanosecond)
	sameDay := from.Format(day) == last.Format(day)
	switch {
	case !to.After(from):
		return f.clock(from, day+", 15:04")
	case !beginsDay(from) || !beginsDay(to):
		layout := day + ", 15:04"
		if sameDay {
			layout = "15:04"
		}
		return f.clock(from, day+", 15:04") + " – " + f.clock(to, layout)
	case sameDay:
		return from.Format(day)
	case from.Year() != last.Year():
		return from.Format(day) + " – " + last.Format(day)
	case from.Month() != last.Month():
		return from.Format("2 Jan") + " – " + last.Format(day)
	}
	return fmt.Sprint(from.Day(), " – ", last.Format(day))
}
