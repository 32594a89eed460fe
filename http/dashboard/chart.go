package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
)

// This file draws series over time: a line, with a thinner dashed one for the range that it is
// compared with, or bars.
//
// A drawing scales without script. Its lines lie in an inner <svg> whose box is stretched to the
// width that there is; what must not be stretched, texts and marks, lies in the outer one and has
// its place in percent.

// Chart is the data of one chart. The slices belong to the caller and are not changed.
type Chart struct {
	Title    string // what the numbers are: "Visitors"
	Unit     Unit
	Interval string // of the steps: minute, hour, day, week, month
	Bars     bool   // bars instead of a line; Before is then not drawn

	From, To time.Time   // the range
	Times    []time.Time // when each step begins; the first may begin before From
	Now      []float64   // one for each step; NaN = none
	Running  int         // the first step that is not over yet; len(Now) when all are

	Before      []float64   // paired by position, and maybe shorter; nil = nothing to compare with
	BeforeTimes []time.Time // of Before
	BeforeName  string      // for the key: "2 – 31 Oct 2026"
	Change      Change      // of the whole range, for the sentence; the zero Change says nothing

	// Labels name the steps of a chart whose steps are no times, such as "1", "2"; Times is then
	// nil, and Interval a word such as "week".
	Labels []string

	Notes []Note
	Alt   string // the sentence for who does not see the chart; "" = one is made
}

// Note is a remark at a time.
type Note struct {
	At   time.Time
	Text string
}

// ChartView is a chart as the templates "chart" and "chart-table" take it.
type ChartView struct {
	Title, Alt   string
	BeforeName   string // "" = without a key
	Zoom         bool   // steps have addresses
	Grid         []gridLine
	Ticks        []chartTick
	Area         string // paths in a box of chartWide × chartHigh
	Before, Line string
	Run          string // steps that are not over
	Bars         []chartBar
	Dots         []chartDot // points that have no neighbour
	Notes        []chartNote
	Steps        []chartStep
	Step         string // heading of the table's first column: "Day"
	Rows         []chartRow
}

type gridLine struct {
	Y, Label string
	Base     bool // the line at 0
}

type chartTick struct {
	X, Label string
	Anchor   string // text-anchor
	Wide     bool   // shown where there is room
}

type chartBar struct {
	X, Width, Y, Height string
	Running             bool
}

type chartDot struct {
	X, Y   string
	Before bool
}

type chartNote struct{ X, Text string }

// chartStep is the part of a chart that belongs to one step.
type chartStep struct {
	X, Width string
	Point    string // places in percent: x, y of now, y of before; "" for a number that is not there
	From, To string // as the address has them
	Text     string // lines of the tooltip
}

type chartRow struct {
	Step        string
	Machine     string // for <time>; "" = no time
	Now, Before string
	Change      Change
	Running     bool
}

// The box of the paths. One unit is less than a pixel on any screen.
const (
	chartWide = 2000
	chartHigh = 400
)

// View returns the chart as l's viewer reads it.
func (c *Chart) View(l *Locale) *ChartView {
	axis := c.scale()
	v := &ChartView{
		Title: c.Title, BeforeName: c.BeforeName, Zoom: c.Labels == nil, Alt: c.Alt, Step: stepHeading(c.Interval),
	}
	switch {
	case c.Before == nil:
		v.BeforeName = ""
	case v.BeforeName == "":
		v.BeforeName = "Before"
	}
	if v.Alt == "" {
		v.Alt = c.sentence(l)
	}
	for _, x := range axis.ticks() {
		v.Grid = append(v.Grid, gridLine{Y: percent(axis.place(x)), Label: axis.label(l, x, c.Unit), Base: x == 0})
	}
	v.Ticks = c.ticks(l)
	if c.Bars {
		v.Bars = c.bars(axis)
	} else {
		running := min(max(c.Running, 0), len(c.Now))
		v.Line = c.path(c.Now[:running], axis)
		v.Area = c.area(c.Now[:running], axis)
		v.Run = c.path(c.running(running), axis)
		v.Before = c.path(c.before(), axis)
		v.Dots = append(c.dots(c.before(), axis, true), c.dots(c.Now, axis, false)...)
	}
	notes := c.notes()
	for i, texts := range notes {
		if len(texts) > 0 {
			v.Notes = append(v.Notes, chartNote{X: percent(c.x(i)), Text: strings.Join(texts, "; ")})
		}
	}
	for i := range c.Now {
		row := c.row(i, l)
		v.Rows = append(v.Rows, row)
		v.Steps = append(v.Steps, c.step(i, l, axis, row, notes[i]))
	}
	return v
}

func (c *Chart) scale() scale {
	low, high := 0.0, 0.0
	for _, numbers := range [][]float64{c.Now, c.before()} {
		for _, x := range numbers {
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				low, high = math.Min(low, x), math.Max(high, x)
			}
		}
	}
	return niceScale(low, high, c.Unit)
}

// before is what is drawn and told of the compared range: a step of it without a partner is not.
func (c *Chart) before() []float64 { return c.Before[:min(len(c.Before), len(c.Now))] }

// x is where a step's point lies: points of a line reach from edge to edge, those of bars are
// their middles.
func (c *Chart) x(i int) float64 {
	n := len(c.Now)
	switch {
	case c.Bars:
		return (float64(i) + 0.5) / float64(n)
	case n == 1:
		return 0.5
	}
	return float64(i) / float64(n-1)
}

// band is the part of the width that belongs to a step.
func (c *Chart) band(i int) (from, to float64) {
	n := float64(len(c.Now))
	if c.Bars || n == 1 {
		return float64(i) / n, float64(i+1) / n
	}
	return max(0, (float64(i)-0.5)/(n-1)), min(1, (float64(i)+0.5)/(n-1))
}

// running leaves the steps that are not over, and the one before them, from which the line goes on.
func (c *Chart) running(first int) []float64 {
	if first == len(c.Now) {
		return nil
	}
	rest := make([]float64, len(c.Now))
	for i := range rest {
		rest[i] = math.NaN()
		if i >= first-1 {
			rest[i] = c.Now[i]
		}
	}
	return rest
}

// path draws a line through numbers. It has a gap where there is none.
func (c *Chart) path(numbers []float64, axis scale) string {
	var b strings.Builder
	eachStretch(numbers, func(from, to int) {
		if to-from > 1 {
			c.stretch(&b, numbers, from, to, axis)
		}
	})
	return b.String()
}

// area fills what lies between the line and 0.
func (c *Chart) area(numbers []float64, axis scale) string {
	var b strings.Builder
	zero := strconv.Itoa(boxed(axis.place(0), chartHigh))
	eachStretch(numbers, func(from, to int) {
		if to-from > 1 {
			c.stretch(&b, numbers, from, to, axis)
			b.WriteString("V" + zero + "H" + strconv.Itoa(boxed(c.x(from), chartWide)) + "Z")
		}
	})
	return b.String()
}

func (c *Chart) stretch(b *strings.Builder, numbers []float64, from, to int, axis scale) {
	for i := from; i < to; i++ {
		command := byte('L')
		if i == from {
			command = 'M'
		}
		b.WriteByte(command)
		b.WriteString(strconv.Itoa(boxed(c.x(i), chartWide)))
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(boxed(axis.place(numbers[i]), chartHigh)))
	}
}

func boxed(share float64, size int) int { return int(math.Round(share * float64(size))) }

// dots marks numbers between two gaps, of which a line shows nothing.
func (c *Chart) dots(numbers []float64, axis scale, before bool) (dots []chartDot) {
	eachStretch(numbers, func(from, to int) {
		if to-from == 1 {
			dots = append(dots, chartDot{X: percent(c.x(from)), Y: percent(axis.place(numbers[from])), Before: before})
		}
	})
	return dots
}

// eachStretch calls f with the bounds of every run of numbers that are there.
func eachStretch(numbers []float64, f func(from, to int)) {
	from := 0
	for i := 0; i <= len(numbers); i++ {
		if i == len(numbers) || math.IsNaN(numbers[i]) || math.IsInf(numbers[i], 0) {
			if from < i {
				f(from, i)
			}
			from = i + 1
		}
	}
}

func (c *Chart) bars(axis scale) (bars []chartBar) {
	gap := 0.15 / float64(len(c.Now))
	if len(c.Now) > 200 {
		gap = 0 // thinner than a pixel
	}
	for i, x := range c.Now {
		if math.IsNaN(x) || x == 0 {
			continue
		}
		from, to := c.band(i)
		top, bottom := axis.place(math.Max(x, 0)), axis.place(math.Min(x, 0))
		bars = append(bars, chartBar{
			X: percent(from + gap), Width: percent(to - from - 2*gap), Y: percent(top), Height: percent(bottom - top),
			Running: i >= c.Running,
		})
	}
	return bars
}

// notes returns the texts of each step's notes. A note outside the range is left out.
func (c *Chart) notes() [][]string {
	texts := make([][]string, len(c.Now))
	if len(c.Times) == 0 {
		return texts
	}
	for _, note := range c.Notes {
		if note.At.Before(c.start(0)) || !note.At.Before(c.To) {
			continue
		}
		for i := len(c.Times) - 1; i >= 0; i-- {
			if !note.At.Before(c.start(i)) {
				texts[i] = append(texts[i], note.Text)
				break
			}
		}
	}
	return texts
}

// start and end are the part of a step that lies in the range.
func (c *Chart) start(i int) time.Time {
	if i == 0 && c.Times[0].Before(c.From) {
		return c.From
	}
	return c.Times[i]
}

func (c *Chart) end(i int) time.Time {
	if i+1 < len(c.Times) {
		return c.Times[i+1]
	}
	return c.To
}

func (c *Chart) row(i int, l *Locale) chartRow {
	r := chartRow{Now: l.value(c.Now[i], c.Unit), Running: i >= c.Running}
	if c.Labels != nil {
		r.Step = c.Labels[i]
	} else {
		r.Step, r.Machine = l.Step(c.Times[i], c.Interval), l.Machine(c.Times[i])
	}
	if i < len(c.Before) && !math.IsNaN(c.Before[i]) {
		r.Before = l.value(c.Before[i], c.Unit)
		if !r.Running {
			r.Change = l.changed(c.Now[i], c.Before[i], c.Unit)
		}
	}
	return r
}

func (c *Chart) step(i int, l *Locale, axis scale, row chartRow, notes []string) chartStep {
	from, to := c.band(i)
	s := chartStep{X: percent(from), Width: percent(to - from)}
	head := row.Step
	if c.Labels != nil {
		head = stepHeading(c.Interval) + " " + head
	}
	lines := []string{head, c.Title + ": " + row.Now}
	if row.Running {
		lines[1] += " so far"
	}
	if row.Change.Text != "" {
		lines[1] += " " + row.Change.Text
	}
	if row.Before != "" {
		before := "Before: " + row.Before
		if i < len(c.BeforeTimes) {
			before += " · " + l.Step(c.BeforeTimes[i], c.Interval)
		}
		lines = append(lines, before)
	}
	for _, note := range notes {
		lines = append(lines, "◆ "+strings.Join(strings.Fields(note), " "))
	}
	s.Text = strings.Join(lines, "\n")
	s.Point = place(c.x(i)) + "," + c.height(c.Now, i, axis) + "," + c.height(c.Before, i, axis)
	if c.Labels == nil {
		s.From, s.To = c.address(i, l)
	}
	return s
}

func place(share float64) string { return strings.TrimSuffix(percent(share), "%") }

func (c *Chart) height(numbers []float64, i int, axis scale) string {
	if i >= len(numbers) || math.IsNaN(numbers[i]) || math.IsInf(numbers[i], 0) {
		return ""
	}
	return place(axis.place(numbers[i]))
}

// address returns the parameters from and to of a range that is this step: days as dates, of
// which the last one is included, and times of a day as times.
func (c *Chart) address(i int, l *Locale) (from, to string) {
	start, end := c.start(i), c.end(i)
	if c.Interval == "minute" || c.Interval == "hour" {
		return l.Machine(start), l.Machine(end)
	}
	first := calendar.Date(calendar.Day(start.UnixMilli(), l.zone))
	last := calendar.Date(calendar.Day(end.UnixMilli()-1, l.zone))
	return first.Format(time.DateOnly), last.Format(time.DateOnly)
}

// sentence tells a chart: Visitors by day over 30 days: first 36,285, last 36,137, highest 41,020
// on Sunday 8 November; against before: up 4.1 %.
func (c *Chart) sentence(l *Locale) string {
	first, last, highest := -1, -1, -1
	for i, x := range c.Now {
		if math.IsNaN(x) {
			continue
		}
		if first < 0 {
			first, highest = i, i
		}
		if last = i; x > c.Now[highest] {
			highest = i
		}
	}
	n, unit := len(c.Now), c.Interval
	if n != 1 {
		unit += "s"
	}
	text := fmt.Sprintf("%s by %s over %s %s: ", c.Title, c.Interval, l.Number(uint64(n)), unit)
	if first < 0 {
		return text + "no numbers"
	}
	text += "first " + l.value(c.Now[first], c.Unit) + ", last " + l.value(c.Now[last], c.Unit)
	if last >= c.Running {
		text += " so far"
	}
	text += ", highest " + l.value(c.Now[highest], c.Unit)
	switch {
	case c.Labels != nil:
		text += " in " + c.Interval + " " + c.Labels[highest]
	case c.Interval == "day":
		text += " on " + l.LongStep(c.Times[highest], c.Interval)
	case c.Interval == "hour" || c.Interval == "minute":
		text += " at " + l.Clock(c.Times[highest]) + " on " + l.LongDate(c.Times[highest])
	default:
		text += " in " + l.LongStep(c.Times[highest], c.Interval)
	}
	if c.Change.Word != "" {
		text += "; against before: " + c.Change.Word
	}
	return text
}

// stepHeading is the interval as a heading.
func stepHeading(interval string) string {
	if interval == "" {
		return ""
	}
	return strings.ToUpper(interval[:1]) + interval[1:]
}
