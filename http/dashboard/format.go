package dashboard

import (
	"math"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// This file writes numbers, rates, changes and durations. dates.go writes times. A number has the
// digits and separators of the viewer's language; every word and unit is English, as the page is.
// A no-break space stands before a unit, so that "44.4 %" never becomes two lines.

// Locale is how one viewer reads numbers and times. It is made once a request, and belongs to
// that request: not safe for concurrent use.
type Locale struct {
	zone    *time.Location
	now     time.Time // in zone
	printer *message.Printer
}

// acceptLanguageMax is how many bytes of an Accept-Language are looked at. Browsers send fewer
// than 100.
const acceptLanguageMax = 256

// NewLocale returns the locale of a request: its Accept-Language, the zone of the site (nil =
// UTC), and the time of the request. A header that says nothing useful means English.
func NewLocale(acceptLanguage string, zone *time.Location, now time.Time) *Locale {
	if zone == nil {
		zone = time.UTC
	}
	return &Locale{zone: zone, now: now.In(zone), printer: message.NewPrinter(languageOf(acceptLanguage))}
}

// languageOf returns the language that a header prefers to all others.
func languageOf(header string) language.Tag {
	if len(header) > acceptLanguageMax {
		header = header[:acceptLanguageMax]
		header = header[:max(0, strings.LastIndexByte(header, ','))]
	}
	best, weight := language.English, float32(0)
	for entry := range strings.SplitSeq(header, ",") { // one by one: an unknown language spoils no other
		tags, weights, err := language.ParseAcceptLanguage(entry)
		if err != nil || len(tags) != 1 || weights[0] <= weight {
			continue
		}
		if base, sure := tags[0].Base(); sure > language.Low && base.String() != "mul" {
			best, weight = tags[0], weights[0]
		}
	}
	return best
}

const (
	space   = "\u00a0" // between a number and its unit
	minus   = "\u2212" // as wide as a plus
	nothing = "–"      // where there is no number
)

// Number writes a count: 361,227.
func (l *Locale) Number(n uint64) string { return l.printer.Sprint(number.Decimal(n)) }

// Float writes a number with at most so many digits after the point: 3.8. NaN is a dash.
func (l *Locale) Float(x float64, digits int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nothing
	}
	if unit := math.Pow10(digits); math.Abs(x) < 1e15 {
		x = math.Round(x*unit) / unit // halves away from zero, as people round
	}
	if x == 0 {
		x = 0 // not -0
	}
	text := l.printer.Sprint(number.Decimal(math.Abs(x), number.MaxFractionDigits(digits)))
	if x < 0 {
		return minus + text
	}
	return text
}

// Money writes a sum of money with two digits after the point: 9,453.50.
func (l *Locale) Money(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nothing
	}
	text := l.printer.Sprint(number.Decimal(math.Abs(x), number.MinFractionDigits(2), number.MaxFractionDigits(2)))
	if x < 0 {
		return minus + text
	}
	return text
}

// compactFrom is the least number that Compact shortens.
const compactFrom = 10_000

// Compact writes a number in little room, for axes: 9,999, then 12.5 k, 3.4 M, 2 B, 1 T.
func (l *Locale) Compact(x float64) string {
	if math.Abs(x) < compactFrom || math.IsNaN(x) || math.IsInf(x, 0) {
		return l.Float(x, 2)
	}
	return l.short(x)
}

// short writes a number of any size with at most three digits and its thousands as a letter.
func (l *Locale) short(x float64) string {
	unit, size := "", math.Abs(x)
	for _, next := range []string{"k", "M", "B", "T"} {
		if math.Round(size) < 1000 {
			break
		}
		unit, size, x = space+next, size/1000, x/1000
	}
	digits := 0
	switch {
	case size < 10:
		digits = 2
	case size < 100:
		digits = 1
	}
	return l.Float(x, digits) + unit
}

// Percent writes a share of 1: 44.4 %. A share that is not 0 is never shown as 0 %, nor one
// below 1 as 100 %. NaN is a dash.
func (l *Locale) Percent(share float64) string {
	switch {
	case math.IsNaN(share) || math.IsInf(share, 0):
		return nothing
	case share > 0 && share < 0.0005:
		return "<" + space + l.Float(0.1, 1) + space + "%"
	case share > 0.9995 && share < 1:
		return l.Float(99.9, 1) + space + "%"
	}
	return l.Float(share*100, 1) + space + "%"
}

// Share is Percent of part/whole; a dash when the whole is 0.
func (l *Locale) Share(part, whole uint64) string {
	if whole == 0 {
		return nothing
	}
	return l.Percent(float64(part) / float64(whole))
}

// Duration writes a time in its two largest units: 0 s, 43 s, 3 m 43 s, 2 h 5 m, 3 d 4 h. A
// duration below 10 s that is no whole second has a digit after the point: 0.4 s.
func (l *Locale) Duration(d time.Duration) string {
	if d < 0 {
		return minus + l.Duration(-d)
	}
	if d < 9950*time.Millisecond {
		return l.Float(d.Seconds(), 1) + space + "s"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, unit := range units {
		least := unit // what is rounded to
		if i+1 < len(units) {
			least = units[i+1]
		}
		rounded := d.Round(least.size)
		if rounded < unit.size {
			continue
		}
		text := l.Number(uint64(rounded/unit.size)) + space + unit.name
		if rest := rounded % unit.size / least.size; rest > 0 && least != unit {
			text += space + l.Number(uint64(rest)) + space + least.name
		}
		return text
	}
	return l.Number(0) + space + "s"
}

// Change is how a number changed against the compared range. The zero Change says nothing: there
// is nothing to compare with.
type Change struct {
	Way  Way
	Text string // "▲ 4.1 %", "▼ 0.6 pt", "▲ 5 s", "= 0 %", "new"
	Word string // the same for readers: "up 4.1 %", "no change", "new"
}

// Way is where a number went, and a class of the style.
type Way string

// The ways.
const (
	Up   Way = "up"
	Down Way = "down"
	Same Way = "same"
)

// Ratio is the change of a count, or of any number whose size matters: in percent. From 0 there
// is no percentage, only "new"; from 0 to 0 no change. NaN before, or now, says nothing.
func (l *Locale) Ratio(now, before float64) Change {
	switch {
	case math.IsNaN(now) || math.IsNaN(before):
		return Change{}
	case before == 0 && now == 0:
		return same(l.Percent(0))
	case before == 0 && now < 0: // such as a sum of losses
		return Change{Way: Down, Text: "new", Word: "new"}
	case before == 0:
		return Change{Way: Up, Text: "new", Word: "new"}
	}
	by := (now - before) / math.Abs(before)
	size := math.Abs(by * 100)
	digits := 1
	if size >= 100 {
		digits = 0
	}
	return l.change(by, size, digits, "%")
}

// Points is the change of a share of 1: in points of percent. NaN says nothing.
func (l *Locale) Points(now, before float64) Change {
	if math.IsNaN(now) || math.IsNaN(before) {
		return Change{}
	}
	return l.change(now-before, math.Abs(now-before)*100, 1, "pt")
}

// Longer is the change of a duration. has is false when there is nothing before.
func (l *Locale) Longer(now, before time.Duration, has bool) Change {
	if !has {
		return Change{}
	}
	by := now.Round(time.Second) - before.Round(time.Second)
	if by == 0 {
		return same(l.Duration(0))
	}
	return wayOf(float64(by), l.Duration(by.Abs()))
}

func (l *Locale) change(by, size float64, digits int, unit string) Change {
	text := l.Float(size, digits) + space + unit
	if math.Round(size*math.Pow10(digits)) == 0 {
		return same(text)
	}
	return wayOf(by, text)
}

func wayOf(by float64, text string) Change {
	if by < 0 {
		return Change{Way: Down, Text: "▼" + space + text, Word: "down " + text}
	}
	return Change{Way: Up, Text: "▲" + space + text, Word: "up " + text}
}

func same(text string) Change { return Change{Way: Same, Text: "=" + space + text, Word: "no change"} }
