package dashboard

import "strconv"

// This file draws bars in little room, without axes: those of the last thirty minutes. The script
// draws them anew, so their places are simple.

// barView is one bar. Places are in percent.
type barView struct {
	X, Y, Width, Height string
	Label, Text         string
}

// bars draws numbers as bars. label is asked for each.
func (p *page) bars(numbers []float64, label func(i int) string) []barView {
	most := 0.0
	for _, n := range numbers {
		most = max(most, n)
	}
	step := 100 / float64(max(1, len(numbers)))
	bars := make([]barView, len(numbers))
	for i, n := range numbers {
		high := 0.0
		if n > 0 {
			high = max(barLeast, 100*n/most)
		}
		bars[i] = barView{
			X: percents(float64(i)*step + step*.1), Width: percents(step * .8), Y: percents(100 - high), Height: percents(high),
			Label: label(i), Text: p.locale.Number(uint64(n)),
		}
	}
	return bars
}

// barLeast is how high a bar is at least, in percent: one is seen beside a million.
const barLeast = 2

// percents writes a place in percent.
func percents(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) + "%" }
