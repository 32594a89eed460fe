package dashboard

// This file chooses what stands below a chart: few steps, those that people count by.

const (
	ticksWide   = 8 // spaces between labels below a wide chart at most
	ticksNarrow = 4 // labels below a narrow one, or one more
)

// strides are how many steps may lie between two labels.
var strides = map[string][]int{
	"minute": {1, 5, 10, 15, 30, 60, 120, 180},
	"hour":   {1, 2, 3, 6, 12, 24, 48, 168},
	"day":    {1, 2, 7, 14, 28, 56, 112},
	"week":   {1, 2, 4, 8, 13, 26, 52},
	"month":  {1, 2, 3, 6, 12, 24, 60},
}

func (c *Chart) ticks(l *Locale) []chartTick {
	n := len(c.Now)
	stride := 1
	for _, stride = range append([]int{1}, strides[c.Interval]...) {
		if n <= stride*ticksWide+1 { // a day of 25 hours is one, too
			break
		}
	}
	for n > stride*ticksWide+1 {
		stride *= 2
	}
	var ticks []chartTick
	for i := range n {
		if !c.ticked(l, i, stride) {
			continue
		}
		x := c.x(i)
		tick := chartTick{X: percent(x), Anchor: "middle"}
		if x > 0.97 {
			tick.Anchor = "end"
		}
		if c.Labels != nil {
			tick.Label = c.Labels[i]
		} else {
			tick.Label = l.Tick(c.Times[i], c.Interval)
		}
		ticks = append(ticks, tick)
	}
	if len(ticks) > ticksNarrow {
		for i := range ticks {
			ticks[i].Wide = i%2 == 1
		}
	}
	return ticks
}

// ticked reports whether a step has a label. Labels fall on round times, such as 6 o'clock,
// Mondays and Januaries, also after the clock was changed.
func (c *Chart) ticked(l *Locale, i, stride int) bool {
	number := c.number(l, i)
	if i == 0 {
		return number%stride == 0
	}
	return number/stride > c.number(l, i-1)/stride
}

// number counts the steps of the wall clock.
func (c *Chart) number(l *Locale, i int) int {
	if c.Labels != nil {
		return i
	}
	t := c.Times[i].In(l.zone)
	const sinceMonday = 3 // 1970-01-01 was a Thursday
	day := int(dayNumber(t)) + sinceMonday
	switch c.Interval {
	case "minute":
		return (day*24+t.Hour())*60 + t.Minute()
	case "hour":
		return day*24 + t.Hour()
	case "week":
		return day / 7
	case "month":
		return t.Year()*12 + int(t.Month()) - 1
	}
	return day
}
