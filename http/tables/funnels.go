package tables

import (
	"fmt"
	"net/url"
	"strings"
)

// This file makes the reports of funnels, retention and paths.

// condition is a query string of filters as people write it.
func condition(query string) string {
	var parts []string
	for part := range strings.SplitSeq(query, "&") {
		if plain, err := url.QueryUnescape(part); err == nil {
			part = plain
		}
		parts = append(parts, part)
	}
	return Safe(strings.Join(parts, ", "))
}

// funnelOrder is the order of the numbers of a step.
var funnelOrder = []string{"count", "rate", "step_rate", "dropped", "median", "p90"}

func (m *maker) funnel() {
	who := "People"
	if m.body.text("entity") == "visit" {
		who = "Visits"
	}
	m.numbers(object{"entered": m.body["entered"], "converted": m.body["converted"], "rate": m.body["rate"]}, nil, "entered", "converted", "rate")
	m.rename("converted", "Converted")
	steps := m.body.list("steps")
	n := 0
	t := m.table("funnel", "Steps", steps, []lead{{Column{"step", "Step", KindText}, func(row object) Cell {
		n++
		return Cell{Text: fmt.Sprintf("%d. %s", n, condition(row.text("step"))), Has: true}
	}}}, funnelOrder...)
	t.retitle("count", who, KindCount)
	t.retitle("rate", "Of all", KindRate)
	t.retitle("p90", "90 % within", KindSeconds)
	for i := range t.Rows { // p90 of a step is a time
		for j, c := range t.Columns {
			if cell := &t.Rows[i].Cells[j]; c.Key == "p90" && cell.Has {
				cell.Text = m.seconds(cell.Number)
			}
		}
	}
	m.course(m.body.list("series"), nil, "rate", "entered", "converted")
	if split := m.body.list("split"); len(split) > 0 {
		field := m.query.Get("split")
		t := m.table("split", tableTitle(field), split, []lead{value(field)}, "entered", "converted", "rate")
		t.retitle("converted", "Converted", KindCount)
		for i := range steps {
			t.Columns = append(t.Columns, Column{fmt.Sprint("step_", i+1), fmt.Sprint("Step ", i+1), KindCount})
			for j := range t.Rows {
				row := asObject(nil)
				if list := asObject(split[j]).list("steps"); i < len(list) {
					row = asObject(list[i])
				}
				t.Rows[j].Cells = append(t.Rows[j].Cells, m.cell(metricOf("count"), row, nil))
			}
		}
	}
}

// rename gives a number of the report another title.
func (m *maker) rename(key, title string) {
	for i := range m.r.Numbers {
		if m.r.Numbers[i].Key == key {
			m.r.Numbers[i].Title = title
		}
	}
}

// retitle gives a column another title and kind.
func (t *Table) retitle(key, title string, kind Kind) {
	for i := range t.Columns {
		if t.Columns[i].Key == key {
			t.Columns[i].Title, t.Columns[i].Kind = title, kind
		}
	}
}

func (m *maker) entities() {
	t := Table{Name: "entities", Title: "Entities", Columns: []Column{{"entity", "Id", KindText}}, Empty: "Nobody."}
	for _, v := range m.body.list("entities") {
		id, _ := v.(string)
		t.Rows = append(t.Rows, Row{Cells: []Cell{textCell(id)}, Share: -1})
	}
	m.page(&t, m.body)
	m.r.Tables = append(m.r.Tables, t)
}

func (m *maker) retention() {
	period := fallback(m.body.text("period"), "period")
	t := Table{Name: "cohorts", Title: "Cohorts", Columns: []Column{{"period", title(Safe(period)), KindText}, {"size", "People", KindCount}}, Empty: "Nobody."}
	rate := metricOf("rate")
	widest, running := 0, false
	for _, one := range m.body.list("cohorts") {
		cohort := asObject(one)
		row := Row{Share: -1, Cells: []Cell{textCell(cohort.text("period")), m.cell(metric{key: "size", kind: KindCount}, cohort, nil)}}
		cells := cohort.list("cells")
		widest = max(widest, len(cells))
		for _, one := range cells {
			o := asObject(one)
			c := m.cell(rate, o, nil)
			if !o.isTrue("complete") {
				c.Text += "*"
				running = true
			}
			row.Cells = append(row.Cells, c)
		}
		t.Rows = append(t.Rows, row)
	}
	average := m.body.list("average")
	widest = max(widest, len(average))
	if len(average) > 0 && len(t.Rows) > 0 {
		row := Row{Share: -1, Faint: true, Cells: []Cell{{Text: "Average"}, {}}}
		for _, v := range average {
			row.Cells = append(row.Cells, m.cell(rate, object{"rate": v}, nil))
		}
		t.Rows = append(t.Rows, row)
	}
	for i := range widest { // the first cell is of the period after the cohort's
		t.Columns = append(t.Columns, Column{fmt.Sprint("cell_", i+1), fmt.Sprintf("%s %d", title(Safe(period)), i+1), KindRate})
	}
	for i := range t.Rows {
		for len(t.Rows[i].Cells) < len(t.Columns) {
			t.Rows[i].Cells = append(t.Rows[i].Cells, Cell{})
		}
	}
	m.r.Tables = append(m.r.Tables, t)
	if running {
		m.r.Tail = append(m.r.Tail, "* is not over.")
	}
}

func (m *maker) paths() {
	what := metric{"count", "Visits", KindCount, false}
	if m.body.text("unit") == "rows" {
		what.title = "Events"
	}
	if x, ok := m.body.number("anchored"); ok {
		m.r.Numbers = append(m.r.Numbers, Number{Key: "anchored", Title: what.title + " followed", Kind: KindCount, Cell: Cell{Text: m.format.number(KindCount, x), Number: x, Has: true}})
	}
	for i, one := range m.body.list("columns") {
		column := asObject(one)
		rows := append([]any(nil), column.list("rows")...)
		for _, rest := range []struct{ key, label string }{{"other", "(others)"}, {"stopped", "(nothing further)"}} {
			if x, ok := column.number(rest.key); ok && x > 0 {
				rows = append(rows, map[string]any{"label": rest.label, "count": column[rest.key], "faint": true})
			}
		}
		t := m.table(fmt.Sprint("column_", i+1), fmt.Sprint("Step ", i+1), rows, []lead{text("label", "Page")}, "count")
		t.retitle("count", what.title, KindCount)
		for j := range t.Rows {
			t.Rows[j].Faint = asObject(rows[j]).isTrue("faint")
		}
	}
	links := m.body.list("links")
	t := m.table("links", "Links", links, []lead{
		{Column{"column", "Step", KindCount}, func(row object) Cell {
			x, _ := row.number("column")
			return Cell{Text: m.format.number(KindCount, x+1), Number: x + 1, Has: true}
		}},
		{Column{"from", "From", KindText}, func(row object) Cell { return textCell(row.text("from")) }}, text("to", "To"),
	}, "count")
	t.retitle("count", what.title, KindCount)
	t.drop("column", 1)
}

// drop takes out a column that stands twice: from the n-th of this key on.
func (t *Table) drop(key string, n int) {
	for i := 0; i < len(t.Columns); i++ {
		if t.Columns[i].Key != key {
			continue
		}
		if n--; n >= 0 {
			continue
		}
		t.Columns = append(t.Columns[:i:i], t.Columns[i+1:]...)
		for j := range t.Rows {
			t.Rows[j].Cells = append(t.Rows[j].Cells[:i:i], t.Rows[j].Cells[i+1:]...)
		}
		i--
	}
}
