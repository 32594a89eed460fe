package dashboard

import (
	"math"
	"strconv"
	"strings"
)

// This file draws small lines without axes, such as those on cards.

// SparkView is a line without axes, as the template "spark" takes it.
type SparkView struct {
	Alt        string
	Line, Area string // in a box of sparkWide × sparkHigh
}

const (
	sparkWide = 300
	sparkHigh = 60
	sparkEdge = 3 // what the line keeps from the edges, so that its width is not cut
)

// Spark draws numbers; NaN is a gap. alt tells them.
func Spark(numbers []float64, alt string) *SparkView {
	v := &SparkView{Alt: alt}
	low, high := 0.0, 0.0
	for _, x := range numbers {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			low, high = math.Min(low, x), math.Max(high, x)
		}
	}
	if high == low {
		high = low + 1
	}
	x := func(i int) string {
		return strconv.Itoa(boxed(float64(i)/float64(max(len(numbers)-1, 1)), sparkWide))
	}
	y := func(number float64) string {
		return strconv.Itoa(sparkEdge + boxed((high-number)/(high-low), sparkHigh-2*sparkEdge))
	}
	var line, area strings.Builder
	eachStretch(numbers, func(from, to int) {
		var b strings.Builder
		b.WriteString("M" + x(from) + " " + y(numbers[from]))
		for i := from + 1; i < to; i++ {
			b.WriteString("L" + x(i) + " " + y(numbers[i]))
		}
		if to-from == 1 {
			b.WriteString("h0") // the round end of the line makes it a dot
		}
		line.WriteString(b.String())
		area.WriteString(b.String() + "V" + y(0) + "H" + x(from) + "Z")
	})
	v.Line, v.Area = line.String(), area.String()
	return v
}
