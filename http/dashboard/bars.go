package dashboard

import "strconv"

// This file draws bars by time in little room: those of the list of events, whose click zooms, and
// those of the last thirty minutes.

// barsView is a row of bars as its template takes it.
type barsView struct {
	Alt         string // the sentence for who does not see the bars
	Bars        []barView
	First, Last string // labels of the ends
	Total       string
	Head        string // of the table's first column
	CSV         string
}

// barView is one bar, and a line of the table. Places are in percent.
type barView struct {
	X, Width, Y, Height string
	Label, Text         string
	Href                string // "" = it does nothing
}

// bars draws numbers as bars. label and href are asked for each.
func (p *page) bars(numbers []float64, label func(i int) string, href func(i int) string) []barView {
	most := 0.0
	for _, n := range numbers {
		most = max(most, n)
	}
	step := 100 / float64(max(1, len(numbers)))
	bars := make([]barView, len(numbers))
	for i, n := range numbers {
		high := 0.0
		if n > 0 {
			high = max(2, 100*n/most) // one event is seen beside a million
		}
		bars[i] = barView{
			X: percents(float64(i)*step + step*.1), Width: percents(step * .8), Y: percents(100 - high), Height: percents(high),
			Label: label(i), Text: p.locale.Number(uint64(n)), Href: href(i),
		}
	}
	return bars
}

// percents writes a place in percent.
func percents(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) + "%" }
