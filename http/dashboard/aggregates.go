package dashboard

import (
	"math"
	"slices"
	"strings"

	"cairn/http/dialect"
)

// This file is the screen of numbers: what events carry as their value, or in a property that
// holds numbers, as sums, means and percentiles, over time, and by a field.

// aggregateKeys are the parameters of numbers in an address.
var aggregateKeys = []string{"of", "by"}

// aggregateMetrics are the numbers that the screen shows.
var aggregateMetrics = metricsOf("count", "sum", "avg", "min", "max", "p50", "p90", "p99")

// aggregateAnswer is the answer of the call aggregate.
type aggregateAnswer struct {
	overviewAnswer
	Total struct {
		numbers
		NotNumbers uint64 `json:"not_numbers"`
	} `json:"total"`
	Exact struct {
		Sum         bool    `json:"sum"`
		Percentiles bool    `json:"percentiles"`
		Error       float64 `json:"error"`
	} `json:"exact"`
}

// tileMax is from where on a tile has no room for digits after the point, and from a hundred
// times that for all digits. Its title has them.
const tileMax = 1e4

// aggregates are the panels of the screen.
func aggregates(p *page) [][]*panel {
	of := p.state.get("of")
	if of == "" {
		of = p.numberField()
	}
	by := p.state.get("by")
	shown := p.chartMetric(aggregateMetrics)
	course := func() *asked { return p.ask("aggregate", state{{"of", of}, {"interval", p.interval()}}) }
	rows := [][]*panel{
		{p.formPanel("Numbers", aggregateKeys, func(v *analysisForm) { p.aggregateForm(v, of, by) })},
		{p.aggregateTiles(of, course)},
		{p.aggregateChart(of, shown, course)},
	}
	if by != "" {
		rows = append(rows, []*panel{p.aggregateTable(of, by, shown)})
	}
	return rows
}

// numberField is the first field that holds numbers, the value before all others.
func (p *page) numberField() string {
	q := p.ask("fields", state{{"limit", "200"}})
	q.ready(p.late)
	numbers := (&suggestions{fields: q}).lists(p).numbers
	if len(numbers) == 0 || slices.Contains(numbers, "value") {
		return "value"
	}
	return numbers[0]
}

func (p *page) aggregateForm(v *analysisForm, of, by string) {
	v.Help = textNumbersHelp
	known := false
	option := func(field string) choice {
		known = known || field == of
		return choice{field, numberTitle(field), field == of}
	}
	hold := choiceGroup{Title: "Hold numbers", Choices: []choice{option("value")}}
	for _, f := range v.Lists.numbers {
		if f != "value" {
			hold.Choices = append(hold.Choices, option(f))
		}
	}
	other := choiceGroup{Title: "Other properties"}
	for _, f := range v.Lists.props {
		if !slices.Contains(v.Lists.numbers, f) {
			other.Choices = append(other.Choices, option(f))
		}
	}
	if !known {
		other.Choices = append(other.Choices, option(of))
	}
	groups := []choiceGroup{hold}
	if len(other.Choices) > 0 {
		groups = append(groups, other)
	}
	v.Choices = []choiceList{
		{"Numbers of", "of", "", groups},
		{"By", "by", "", p.fieldChoices(by, false, v.Lists.props, "nothing")},
	}
}

// aggregatesAsked is the state that the form asks for. The page of the table begins anew.
func aggregatesAsked(p *page) state { return p.state.anew().without("search", "sort", "order").plain() }

// numberTitle is the name of what numbers are of.
func numberTitle(field string) string {
	if path, ok := strings.CutPrefix(field, "extra."); ok {
		return path + " (extra)"
	}
	return dialect.FieldTitle(field)
}

// aggregateTiles is the panel of the numbers.
func (p *page) aggregateTiles(of string, ask func() *asked) *panel {
	return &panel{name: "numbers", title: numberTitle(of), wide: true, lines: 3, ask: ask, view: func(q *asked) (body, *failure) {
		var a aggregateAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		if a.Total.Count == nil || *a.Total.Count == 0 {
			return body{Empty: p.noNumbers(of, a.Total.NotNumbers)}, nil
		}
		var was *numbers
		if a.Compare != nil {
			was = &a.Compare.Total
		}
		v := p.pressedTiles(aggregateMetrics, &a.Total.numbers, was)
		for i, m := range aggregateMetrics {
			t := &v.Tiles[i]
			t.Good = "" // more of a number is neither good nor bad
			if x := m.of(&a.Total.numbers); x != nil && m.unit == unitNumber && math.Abs(*x) >= tileMax {
				t.Help = t.Text + ". " + t.Help
				if t.Text = p.locale.Float(*x, 0); math.Abs(*x) >= 100*tileMax {
					t.Text = p.locale.short(*x)
				}
			}
			switch m.key {
			case "sum", "avg":
				if !a.Exact.Sum {
					t.Text = "≈" + space + t.Text
				}
			case "p50", "p90", "p99":
				if !a.Exact.Percentiles {
					t.Text = "≈" + space + t.Text
				}
			}
		}
		b := body{Tiles: v}
		if text := p.inexact(&a); text != "" {
			b.Analysis = &analysisView{Note: text}
		}
		return b, nil
	}}
}

// inexact says what of an answer is not exact, and what it leaves out.
func (p *page) inexact(a *aggregateAnswer) string {
	var parts []string
	if !a.Exact.Sum {
		parts = append(parts, textSumInexact)
	}
	if !a.Exact.Percentiles {
		parts = append(parts, textRanksInexact+p.locale.Percent(a.Exact.Error)+".")
	}
	if n := a.Total.NotNumbers; n > 0 {
		parts = append(parts, p.locale.Number(n)+textNotNumbers)
	}
	return strings.Join(parts, " ")
}

// noNumbers is what the panel says of a field without numbers.
func (p *page) noNumbers(of string, others uint64) *emptyView {
	e := p.empty()
	if others > 0 {
		e.Text = "“" + numberTitle(of) + "” holds " + p.locale.Number(others) + " texts and no numbers in these days."
	} else if p.info.Events > 0 {
		e.Text = "No event has “" + numberTitle(of) + "” in these days."
	}
	return e
}

// aggregateChart is the panel of the number that is pressed over time.
func (p *page) aggregateChart(of string, m *metric, ask func() *asked) *panel {
	return &panel{name: "series", title: m.title + " over time", wide: true, lines: 9, ask: ask, csv: p.csvOf, view: func(q *asked) (body, *failure) {
		var a aggregateAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		if a.Total.Count == nil || *a.Total.Count == 0 {
			return body{Empty: &emptyView{Text: textNothing}}, nil
		}
		var before []step
		if a.Compare != nil {
			before = a.Compare.Series
		}
		c := p.courseOf(m, a.Interval, a.Series, before, nil)
		c.Title = m.title + " of " + numberTitle(of)
		if a.Compare != nil {
			c.BeforeName = p.spanText(a.Compare.From, a.Compare.To)
			c.Change = p.change(m, m.of(&a.Total.numbers), m.of(&a.Compare.Total))
		}
		return body{Chart: &chartPanel{Chart: c.View(p.locale), Intervals: p.intervals(a.Interval)}}, nil
	}}
}

// aggregateTable is the panel of the numbers of each value of a field. The pressed one comes first.
func (p *page) aggregateTable(of, by string, shown *metric) *panel {
	columns := append([]*metric{shown}, slices.DeleteFunc(slices.Clone(aggregateMetrics), func(m *metric) bool { return m == shown })...)
	t := &table{call: "aggregate", by: by, own: state{{"of", of}, {"by", by}, {"interval", ""}, {"sort", shown.key}}, columns: columns, filter: by, code: by == "page"}
	n := &panel{name: "by", title: "By " + dialect.FieldTitle(by), lines: 30, wide: true}
	p.fill(n, t, true)
	p.stays(n)
	return n
}
