package dashboard

// This file makes the chart of a number over time.

// chartPanel is a chart with what stands beside it.
type chartPanel struct {
	Title     string
	Intervals []link
	Chart     any
}

// chart is the panel of the course of the number that is pressed.
func (p *page) chart(shared func() *asked) *panel {
	return &panel{name: "chart", title: "Over time", wide: true, lines: 9, ask: shared, view: func(q *asked) (body, *failure) {
		var a overviewAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		return body{Chart: &chartPanel{Title: p.chartMetric(tileMetrics).title}}, nil
	}}
}

func (p *page) eventChart() *panel {
	return &panel{name: "chart", title: "Events over time", wide: true, lines: 9, ask: func() *asked { return p.ask("series", nil) }, view: func(q *asked) (body, *failure) {
		return body{Chart: &chartPanel{Title: "Events"}}, nil
	}}
}

// gridView is weekdays by hours.
type gridView struct{ Grid any }

func (p *page) grid(shared func() *asked) *panel {
	return &panel{name: "weekhour", title: "Weekday and hour", lines: rowsShort, ask: shared, view: func(q *asked) (body, *failure) {
		return body{Grid: &gridView{}}, nil
	}}
}
