package dashboard

import (
	"math"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
)

// This file makes the chart of a number over time, and the grid of weekdays and hours.

// chartPanel is a chart with what stands below it.
type chartPanel struct {
	Chart     *ChartView
	Intervals []link
	CSV, JSON string
	Note      *noteForm // nil = nobody may add one
}

// noteForm adds a note to a chart.
type noteForm struct {
	Action, Next string
	Day          string // that it begins with
}

// noteForm is the form of a viewer who may add notes; nil for others. It begins with the last day of
// the range.
func (p *page) noteForm() *noteForm {
	if !p.viewer.Save || p.viewer.Share != nil {
		return nil
	}
	last := p.now.UnixMilli()
	if _, to, known := p.span(); known {
		last = min(last, to-1)
	}
	return &noteForm{p.d.path("site", p.site.Name, "saved"), p.href(p.state), p.day(last)}
}

// askNotes begins the question of the notes of the site; nil when the viewer sees none.
func (p *page) askNotes() *asked {
	if p.viewer.Share != nil {
		return nil
	}
	return p.ask("saved", nil)
}

// chart is the panel of the course of the number that is pressed.
func (p *page) chart(shared func() *asked) *panel {
	m := p.chartMetric(p.overviewMetrics())
	var notes *asked
	ask := func() *asked {
		q := shared()
		notes = p.askNotes()
		return q
	}
	csv := func(q *asked) string {
		return p.apiHref("visits", parseRaw(q.query).without("by", "sort").String(), "csv")
	}
	return &panel{name: "chart", title: m.title + " over time", wide: true, lines: 9, ask: ask, csv: csv, view: func(q *asked) (body, *failure) {
		a, f := q.shared()
		if f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		var before []step
		if a.Compare != nil {
			before = a.Compare.Series
		}
		c := p.courseOf(m, a.Interval, a.Series, before, p.notesOf(notes))
		if a.Compare != nil {
			c.BeforeName = p.spanText(a.Compare.From, a.Compare.To)
			c.Change = p.change(m, m.of(&a.Total), m.of(&a.Compare.Total))
		}
		v := &chartPanel{Chart: c.View(p.locale), Intervals: p.intervals(a.Interval)}
		if p.embedded() {
			v.Intervals, v.Chart.Zoom = nil, false
		}
		v.Note = p.noteForm()
		return body{Chart: v}, nil
	}}
}

// courseOf is the chart of a number. Means of steps are made from their sums.
func (p *page) courseOf(m *metric, interval string, now, before []step, notes []Note) *Chart {
	c := &Chart{Title: m.title, Unit: unitsOfCharts[m.unit], Interval: interval, Running: len(now), Notes: notes}
	from, to, known := p.span()
	for i := range now {
		c.Times = append(c.Times, now[i].Time)
		// The first step is partial, too, where the range begins within it.
		if now[i].Partial && i > 0 || calendar.Next(now[i].Time.UnixMilli(), interval, p.zone) > p.now.UnixMilli() {
			c.Running = min(c.Running, i)
		}
		if now[i].Time.After(p.now) {
			c.Now = append(c.Now, math.NaN())
			continue
		}
		c.Now = append(c.Now, stepNumber(m, &now[i].numbers))
	}
	if known {
		c.From, c.To = time.UnixMilli(from), time.UnixMilli(to)
	} else if len(now) > 0 {
		c.From, c.To = now[0].Time, p.now
	}
	for i := range before {
		c.BeforeTimes = append(c.BeforeTimes, before[i].Time)
		c.Before = append(c.Before, stepNumber(m, &before[i].numbers))
	}
	return c
}

// unitsOfCharts are the units of charts.
var unitsOfCharts = map[unit]Unit{unitCount: UnitCount, unitRate: UnitShare, unitSeconds: UnitDuration, unitMean: UnitNumber, unitMoney: UnitNumber, unitNumber: UnitNumber}

// stepNumber is a number of a step, NaN when it has none. The API gives steps the sums alone.
func stepNumber(m *metric, n *numbers) float64 {
	value := func(x *float64) float64 {
		if x == nil {
			return math.NaN()
		}
		return *x
	}
	switch m.key {
	case "bounce_rate":
		return value(n.Bounces) / value(n.Visits)
	case "views_per_visit":
		return value(n.Views) / value(n.Visits)
	}
	return value(m.of(n))
}

// notesOf are the notes of the site. They are few, so they are waited for.
func (p *page) notesOf(q *asked) (notes []Note) {
	if q == nil || !q.ready(p.late) {
		return nil
	}
	var a struct {
		Saved []savedThing `json:"saved"`
	}
	if q.into(&a) != nil {
		return nil
	}
	for _, s := range a.Saved {
		if s.Time == nil || s.Text == nil {
			continue
		}
		if at, err := time.Parse(time.RFC3339, *s.Time); err == nil {
			notes = append(notes, Note{At: at, Text: *s.Text})
		}
	}
	return notes
}

// spanText is a range of the API in words.
func (p *page) spanText(from, to string) string {
	a, err1 := time.Parse(time.RFC3339, from)
	b, err2 := time.Parse(time.RFC3339, to)
	if err1 != nil || err2 != nil {
		return ""
	}
	if b.Sub(a) > 48*time.Hour { // whole days: the compared range ends as far into its last day as now
		first, last := calendar.Day(a.UnixMilli(), p.zone), calendar.Day(b.UnixMilli()-1, p.zone)
		a, b = time.UnixMilli(calendar.Start(first, p.zone)), time.UnixMilli(calendar.Start(last+1, p.zone))
	}
	return p.locale.Range(a, b)
}

// intervals are the steps that the range can have, with the one that is shown.
func (p *page) intervals(shown string) (links []link) {
	from, to, _ := p.bounds()
	days := float64(to-from) / calendar.DayMillis
	for _, i := range []struct {
		name string
		ok   bool
	}{{"minute", days <= 0.2}, {"hour", days <= 15}, {"day", days > 1.5 && days <= 400}, {"week", days > 13}, {"month", days > 45}} {
		if i.ok && p.fits(i.name) || i.name == shown {
			links = append(links, link{Text: i.name, Href: p.href(p.state.with("interval", i.name)), On: i.name == shown})
		}
	}
	for i := range links {
		if links[i].On && len(links) > 1 {
			links[(i+1)%len(links)].Key = "i"
		}
	}
	return links
}

// eventChart is the chart of events, of a site without visits.
func (p *page) eventChart() *panel {
	own := state{{"metrics", "events"}, {"interval", p.interval()}}
	var notes *asked
	ask := func() *asked {
		q := p.ask("series", own)
		notes = p.askNotes()
		return q
	}
	return &panel{name: "chart", title: "Events over time", wide: true, lines: 9, ask: ask, csv: p.csvOf, view: func(q *asked) (body, *failure) {
		c, _, f := p.eventCourse(q)
		if f != nil {
			return body{}, f
		}
		c.Notes = p.notesOf(notes)
		return body{Chart: &chartPanel{Chart: c.View(p.locale), Intervals: p.intervals(c.Interval), Note: p.noteForm()}}, nil
	}}
}

// eventCourse is the answer of series as a chart, with the sum of its events.
func (p *page) eventCourse(q *asked) (c *Chart, sum float64, f *failure) {
	var a struct {
		Interval string `json:"interval"`
		Series   []step `json:"buckets"`
	}
	if f := q.into(&a); f != nil {
		return nil, 0, f
	}
	events := metricOf("events")
	for i := range a.Series {
		if n := a.Series[i].Events; n != nil {
			sum += *n
		}
	}
	return p.courseOf(events, a.Interval, a.Series, nil, nil), sum, nil
}

// grid is the panel of visits by weekday and hour.
func (p *page) grid(shared func() *asked) *panel {
	csv := func(*asked) string {
		return p.apiHref("visits", p.question("visits", state{{"by", "weekhour"}, {"interval", "none"}, only(metricsOf("visits"))}), "csv")
	}
	return &panel{name: "weekhour", title: "Visits by weekday and hour", wide: true, lines: rowsShort, ask: shared, csv: csv, view: func(q *asked) (body, *failure) {
		a, f := q.shared()
		if f != nil {
			return body{}, f
		}
		var numbers [7][24]uint64
		for _, r := range a.By["weekhour"].Rows {
			if r.value == nil || r.Visits == nil {
				continue
			}
			day, hour, _ := strings.Cut(*r.value, "-")
			d, err1 := strconv.Atoi(day)
			h, err2 := strconv.Atoi(hour)
			if err1 == nil && err2 == nil && d >= 1 && d <= 7 && h >= 0 && h < 24 {
				numbers[d-1][h] = uint64(*r.Visits)
			}
		}
		if len(a.By["weekhour"].Rows) == 0 {
			return body{Empty: p.empty()}, nil
		}
		if p.embedded() {
			return body{Grid: Hours(p.locale, "Visits", &numbers, nil)}, nil
		}
		return body{Grid: Hours(p.locale, "Visits", &numbers, func(day, hour int) string {
			two := strconv.Itoa(hour)
			if hour < 10 {
				two = "0" + two
			}
			return p.href(p.state.anew().and("visit.weekhour", strconv.Itoa(day+1)+"-"+two))
		})}, nil
	}}
}

// embedded says whether the page is shown inside one of somebody else.
func (p *page) embedded() bool { return p.viewer.Share != nil && p.viewer.Share.Embedded }
