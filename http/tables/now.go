package tables

import (
	"strings"
)

// This file makes the reports of who is there now, and of sites.

func (m *maker) live() {
	m.numbers(m.body, nil, "visitors", "visitors_30", "views_30", "events_30")
	m.rename("visitors", "Visitors, 5 minutes")
	minutes := m.body.list("minutes")
	for _, me := range metricsIn(minutes, []string{"visitors", "views", "events"}, nil) {
		m.series(me, "minute", minutes, nil)
	}
	for _, of := range []struct{ key, field string }{{"pages", "page"}, {"sources", "source"}, {"countries", "country"}, {"names", "name"}} {
		m.table(of.key, tableTitle(of.field), m.body.list(of.key), []lead{value(of.field)}).Empty = "Nothing now."
	}
}

func (m *maker) site() {
	m.r.Site = Safe(m.body.text("name"))
	t := Table{Name: "site", Title: "Site", Columns: []Column{{"name", "What", KindText}, {"value", "Value", KindText}}}
	add := func(name string, c Cell) {
		if c.Has {
			t.Rows = append(t.Rows, Row{Share: -1, Cells: []Cell{{Text: name, Has: true}, c}})
		}
	}
	yes := func(is bool) Cell { return Cell{Text: map[bool]string{true: "yes", false: "no"}[is], Has: true} }
	add("Name", textCell(m.body.text("name")))
	add("Id", textCell(scalar(m.body["id"])))
	add("Zone", textCell(m.body.text("zone")))
	add("Hosts", textCell(texts(m.body.list("hosts"))))
	add("Events", m.cell(metricOf("events"), m.body, nil))
	m.zone = m.zoneOf(m.body)
	add("First event", m.timeCell(m.body.time("first")))
	add("Last event", m.timeCell(m.body.time("last")))
	add("Protocols", textCell(texts(m.body.list("dialects"))))
	add("Shop", yes(m.body.isTrue("shop")))
	add("Addresses are located by", textCell(m.body.text("geo")))
	add("Places", textCell(m.body.text("geo_credit")))
	add("Version", textCell(m.body.text("version")))
	add("write_key", textCell(m.body.object("public").text("write_key")))
	add("client_id", textCell(m.body.object("public").text("client_id")))
	add("Rights", textCell(texts(m.body.list("rights"))))
	add("Scope", textCell(m.body.text("scope")))
	m.r.Tables = append(m.r.Tables, t)
	m.refused()
}

func (m *maker) sites() {
	rows := m.body.list("sites")
	plain := make([]any, 0, len(rows))
	for _, one := range rows {
		row := asObject(one)
		today, before := row.object("today"), row.object("yesterday")
		flat := map[string]any{"name": row["name"], "visitors": today["visitors"], "visits": today["visits"], "now": row["now"], "events": row["events"],
			"was": map[string]any{"visitors": before["visitors"], "visits": before["visits"]}}
		plain = append(plain, flat)
	}
	t := m.table("sites", "Sites", plain, []lead{text("name", "Site")}, "visitors", "visits", "now", "events")
	t.retitle("visitors", "Visitors today", KindCount)
	t.retitle("visits", "Visits today", KindCount)
	t.retitle("now", "Now", KindCount)
	t.Columns = append(t.Columns, Column{"zone", "Zone", KindText}, Column{"last", "Last event", KindTime}, Column{"hosts", "Hosts", KindText})
	for i, one := range rows {
		row, r := asObject(one), &t.Rows[i]
		for _, day := range row.list("days") {
			x, _ := asObject(day).number("visitors")
			r.Spark = append(r.Spark, x)
		}
		f := newFormat(m.zoneOf(row)) // of the site
		last := Cell{}
		if at := row.time("last"); !at.IsZero() {
			last = Cell{Text: f.time(at), Number: float64(at.UnixMilli()) / 1000, Has: true}
		}
		r.Cells = append(r.Cells, textCell(row.text("zone")), last, textCell(texts(row.list("hosts"))))
	}
	m.page(t, m.body)
	m.r.Compared = true
	m.r.Head = []Line{{"Change", "against yesterday until this time of day"}}
	m.refused()
}

// refused is a table of what the server refused.
func (m *maker) refused() {
	refused := m.body.object("refused")
	if len(refused) == 0 {
		return
	}
	reasons := make(map[string]bool)
	for reason := range refused {
		reasons[reason] = true
	}
	var rows []any
	for _, reason := range sorted(reasons) {
		rows = append(rows, map[string]any{"reason": strings.ReplaceAll(reason, "_", " "), "events": refused[reason]})
	}
	m.table("refused", "Refused since the start", rows, []lead{text("reason", "Reason")})
}
