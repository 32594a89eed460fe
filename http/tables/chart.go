package tables

import (
	"math"
	"strings"
)

// This file draws with characters: bars, small lines and a graph of columns.

var (
	eighths = []rune(" ▏▎▍▌▋▊▉█") // of a bar to the right
	levels  = []rune(" ▁▂▃▄▅▆▇█") // of a column
)

// bar draws a share of wide columns. A share above 0 is seen.
func bar(share float64, wide int) string {
	if share < 0 || wide <= 0 || math.IsNaN(share) {
		return ""
	}
	n := int(math.Round(min(share, 1) * float64(wide*8)))
	if n == 0 && share > 0 {
		n = 1
	}
	text := strings.Repeat("█", n/8)
	if n%8 > 0 {
		text += string(eighths[n%8])
	}
	return text
}

// spark draws numbers in at most wide columns. Where there are more numbers than columns, a column
// is the mean of those next to each other. Below 0 is 0.
func spark(numbers []float64, wide int) string {
	numbers = squeeze(numbers, wide)
	most := 0.0
	for _, x := range numbers {
		most = max(most, x)
	}
	var b strings.Builder
	for _, x := range numbers {
		level := 1
		if most > 0 && x > 0 {
			level = 1 + int(math.Round(x/most*7))
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

// squeeze makes at most n numbers of some: means of those next to each other.
func squeeze(numbers []float64, n int) []float64 {
	if n <= 0 || len(numbers) <= n {
		return numbers
	}
	out := make([]float64, n)
	for i := range out {
		from, to := i*len(numbers)/n, (i+1)*len(numbers)/n
		for _, x := range numbers[from:to] {
			out[i] += x / float64(to-from)
		}
	}
	return out
}

// graphHigh is how many lines a graph has.
const graphHigh = 8

// graph draws a series as columns over an axis with the first, middle and last step.
func (f *format) graph(s *Series, wide int) (lines []line) {
	numbers := make([]float64, len(s.Steps))
	for i, step := range s.Steps {
		numbers[i] = max(0, step.Cell.Number)
	}
	most := 0.0
	for _, x := range numbers {
		most = max(most, x)
	}
	top := most
	if s.Kind == KindCount || s.Kind == KindMoney {
		top = nice(most)
	}
	labels := []string{f.number(s.Kind, top), f.number(s.Kind, top/2), f.number(s.Kind, 0)}
	if s.Kind == KindCount && top/2 != math.Trunc(top/2) {
		labels[1] = ""
	}
	margin := 0
	for _, label := range labels {
		margin = max(margin, width(label))
	}
	room := wide - margin - 2
	if room < 4 || len(numbers) == 0 {
		return nil
	}
	numbers = squeeze(numbers, room)
	each := min(room/len(numbers), 12) // columns of a step
	filled := each
	if each > 1 {
		filled = each - 1
	}
	for n := range graphHigh {
		label := ""
		switch n {
		case 0:
			label = labels[0]
		case graphHigh / 2:
			label = labels[1]
		}
		var b strings.Builder
		for _, x := range numbers {
			part := 0
			if top > 0 {
				part = int(math.Round(x/top*graphHigh*8)) - (graphHigh-1-n)*8
				if x > 0 && n == graphHigh-1 {
					part = max(part, 1) // it is seen
				}
			}
			b.WriteString(strings.Repeat(string(levels[max(0, min(8, part))]), filled) + strings.Repeat(" ", each-filled))
		}
		lines = append(lines, line{{pad(label, margin, true) + " │", inkFaint}, {b.String(), inkDrawn}})
	}
	lines = append(lines, line{{pad(labels[2], margin, true) + " └" + strings.Repeat("─", each*len(numbers)), inkFaint}})
	return append(lines, line{{axis(s, margin+2, each*len(numbers)), inkFaint}})
}

// nice is a round number that is not below x.
func nice(x float64) float64 {
	if x <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	for _, step := range []float64{1, 2, 3, 4, 5, 6, 8} {
		if x <= step*unit {
			return max(1, step*unit)
		}
	}
	return 10 * unit
}

// axis names the first, the middle and the last step, as there is room.
func axis(s *Series, margin, wide int) string {
	first, last := s.Steps[0].Label, s.Steps[len(s.Steps)-1].Label
	text := strings.Repeat(" ", margin) + first
	end := margin + wide
	if len(s.Steps) == 1 || end < width(text)+1+width(last) {
		return text
	}
	middle := s.Steps[len(s.Steps)/2].Label
	at := margin + wide*(len(s.Steps)/2)/len(s.Steps)
	if at > width(text)+2 && at+width(middle)+2 < end-width(last) {
		text += strings.Repeat(" ", at-width(text)) + middle
	}
	return text + strings.Repeat(" ", end-width(last)-width(text)) + last
}
