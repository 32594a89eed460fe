package tables

import (
	"slices"
	"strings"
)

// This file makes the reports of visits, pages and of events by their fields.

func (m *maker) visits() {
	compare := m.body.object("compare")
	m.numbers(m.body.object("total"), compare.object("total"))
	m.course(m.body.list("series"), compare.list("series"))
	by := m.body.object("by")
	order := []string{"visitors", "visits", "conversions", "conversion_rate", "goal_value", "views", "bounce_rate", "duration"}
	for _, field := range m.inOrder(by, "by") {
		t := m.table(Safe(field), tableTitle(field), by.object(field).list("rows"), []lead{value(field)}, order...)
		m.page(t, by.object(field))
	}
}

// inOrder are the keys of an object in the order in which a parameter asks for them, then others.
func (m *maker) inOrder(o object, param string) (keys []string) {
	left := make(map[string]bool)
	for key := range o {
		left[key] = true
	}
	for _, key := range m.query[param] {
		if left[key] {
			keys = append(keys, key)
			delete(left, key)
		}
	}
	return append(keys, sorted(left)...)
}

func (m *maker) pages() {
	m.numbers(m.body.object("total"), m.body.object("compare").object("total"), "views")
	of := m.query.Get("of")
	if of == "" {
		of = "page"
	}
	t := m.table(of, tableTitle(of), m.body.list("rows"), []lead{value(of)}, "views", "visitors", "visits", "entries", "exits", "bounce_rate", "exit_rate", "time")
	m.page(t, m.body)
}

func (m *maker) breakdown() {
	compare := m.body.object("compare")
	m.numbers(m.body.object("total"), compare.object("total"))
	by := m.query["by"]
	field := ""
	if len(by) > 0 {
		field = by[0]
	}
	leads := []lead{value(field)}
	if len(by) > 1 {
		with := value(by[1])
		leads = append(leads, lead{Column{"with", with.Title, KindText}, func(row object) Cell {
			return with.of(object{"value": row["with"], "other": row["other"]})
		}})
	}
	t := m.table(Safe(field), tableTitle(field), m.body.list("rows"), leads)
	m.page(t, m.body)
	m.sparks(t, "events")
}

// sparks gives the rows of a table their steps, of an answer whose series has an element for each
// row. That of all others becomes a row of its own: it is in no list of rows.
func (m *maker) sparks(t *Table, keys ...string) {
	for i, one := range m.body.list("series") {
		row := asObject(one)
		var spark []float64
		me := metric{}
		for _, key := range keys {
			if steps := metricsIn(row.list("steps"), []string{key}, nil); me.key == "" && len(steps) > 0 && steps[0].key == key {
				me = steps[0]
			}
		}
		for _, step := range row.list("steps") {
			x, _ := asObject(step).number(me.key)
			spark = append(spark, x)
		}
		if i < len(t.Rows) {
			t.Rows[i].Spark = spark
		}
		if me.key == "" {
			continue
		}
		name := "All others"
		if !row.isTrue("other") && i < len(t.Rows) {
			name = t.Rows[i].Cells[0].Text
		}
		s := m.series(me, m.body.text("interval"), row.list("steps"), nil)
		s.Key, s.Title = "", name
	}
}

// aggregateOrder is the order of the numbers of a field.
var aggregateOrder = []string{"count", "sum", "avg", "min", "p50", "p90", "p95", "p99", "max", "distinct", "not_numbers"}

func (m *maker) aggregate() {
	compare := m.body.object("compare")
	m.numbers(m.body.object("total"), compare.object("total"), aggregateOrder...)
	if exact := m.body.object("exact"); exact != nil {
		if at, ok := exact.number("error"); ok && !exact.isTrue("percentiles") {
			m.r.Tail = append(m.r.Tail, "Percentiles are within "+m.rate(at)+" of the exact ones.")
		}
		if _, has := exact["sum"]; has && !exact.isTrue("sum") {
			m.r.Tail = append(m.r.Tail, "Sums are rounded: some numbers have too many digits.")
		}
	}
	by := m.query.Get("by")
	if by == "" {
		m.course(m.body.list("series"), compare.list("series"), aggregateOrder...)
		return
	}
	t := m.table(Safe(by), tableTitle(by), m.body.list("rows"), []lead{value(by)}, aggregateOrder...)
	m.page(t, m.body)
	m.sparks(t, aggregateOrder...)
}

func (m *maker) fields() {
	leads := []lead{text("field", "Field"), text("kind", "Kind"), {Column{"numbers", "Numbers", KindText}, func(row object) Cell {
		if row.isTrue("numbers") {
			return Cell{Text: "yes", Has: true}
		}
		return Cell{}
	}}}
	rows := m.body.list("fields")
	t := m.table("fields", "Fields", rows, leads)
	t.noBars()
	t.Columns = append(t.Columns, Column{"examples", "Examples", KindText})
	for i := range t.Rows {
		t.Rows[i].Cells = append(t.Rows[i].Cells, textCell(texts(asObject(rows[i]).list("examples"))))
	}
	if m.body.isTrue("more") {
		m.r.Tail = append(m.r.Tail, "There are more fields than the list has.")
	}
}

// texts are a list of texts in one.
func texts(list []any) string {
	var parts []string
	for _, v := range list {
		if s, is := v.(string); is {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

func (m *maker) values() {
	field := m.query.Get("field")
	t := m.table(Safe(field), tableTitle(field), m.body.list("rows"), []lead{value(field)})
	m.page(t, m.body)
}

func (m *maker) totals() { m.numbers(m.body, nil) }

func (m *maker) buckets() {
	interval := m.body.text("interval")
	rows := m.body.list("buckets")
	m.course(rows, nil)
	m.stepTable(rows, interval)
}

// stepTable makes a table of steps.
func (m *maker) stepTable(rows []any, interval string) {
	m.table("steps", "By "+lower(fallback(interval, "step")), rows, []lead{{Column{"time", "Time", KindTime}, func(row object) Cell {
		t := row.time("time")
		c := Cell{Text: m.step(t, interval), Number: float64(t.UnixMilli()) / 1000, Has: true}
		if row.isTrue("partial") {
			c.Text += "*"
		}
		return c
	}}})
	if slices.ContainsFunc(rows, func(v any) bool { return asObject(v).isTrue("partial") }) {
		m.r.Tail = append(m.r.Tail, partialNote)
	}
}

// partialNote explains the star of a step.
const partialNote = "* is not over, or cut by the range."

func fallback(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (m *maker) counters() {
	m.numbers(m.body.object("total"), nil)
	property := m.query.Get("property")
	leads := []lead{value("prop." + property)}
	if property == "" {
		leads = []lead{value("")}
		leads[0].Title = "Property"
	}
	if m.query.Get("segment") != "" {
		leads = append(leads, text("segment", fieldName(m.query.Get("segment"))))
	}
	t := m.table("counters", "Counters", m.body.list("rows"), leads, "events")
	m.page(t, m.body)
	if known, has := m.body["known"].(bool); has && !known {
		m.r.Tail = append(m.r.Tail, "The site has never had this property.")
	}
}
