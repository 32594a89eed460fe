package tables

// This file makes the reports of what names people: events, sessions and persons.

// person is the column of who it was.
var person = lead{Column{"user", "Person", KindText}, func(row object) Cell {
	if user := row.text("user"); user != "" {
		return textCell(user)
	}
	return textCell(row.text("anonymous"))
}}

// packed is a column of a JSON object in one line.
func packed(key, title string) lead {
	return lead{Column{key, title, KindText}, func(row object) Cell { return textCell(compact(row.object(key))) }}
}

func (m *maker) events() {
	m.people("events", "Events", "seq", []lead{
		m.when("time", "Time"),
		{Column{"type", "Type", KindText}, func(row object) Cell { return textCell(valueName("type", row.text("type"))) }},
		text("name", "Name"), person,
		{Column{"page", "Page", KindText}, func(row object) Cell {
			context := row.object("context")
			return textCell(fallback(context.text("path"), context.text("url")))
		}},
		{Column{"value", "Value", KindText}, func(row object) Cell { return textCell(scalar(row["value"])) }},
		{Column{"country", "Country", KindText}, func(row object) Cell {
			code := row.object("context").text("country")
			if code == "" {
				return Cell{}
			}
			return textCell(valueName("country", code))
		}},
		packed("properties", "Properties"), text("session", "Session"), text("id", "Id"),
	})
}

// scalar is a JSON text or number.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case interface{ String() string }: // json.Number
		return v.String()
	}
	return ""
}

func (m *maker) sessions() {
	m.people("sessions", "Sessions", "", []lead{
		m.when("start", "Start"), person,
		{Column{"duration", "Duration", KindSeconds}, func(row object) Cell { return m.cell(metricOf("duration"), row, nil) }},
		{Column{"actions", "Actions", KindCount}, func(row object) Cell { return m.cell(metricOf("actions"), row, nil) }},
		{Column{"events", "Events", KindCount}, func(row object) Cell { return m.cell(metricOf("events"), row, nil) }},
		text("entry", "Entry"), text("exit", "Exit"),
		{Column{"referrer_type", "Channel", KindText}, func(row object) Cell {
			code := row.text("referrer_type")
			if code == "" {
				return Cell{}
			}
			return textCell(valueName("channel", code))
		}},
		text("referrer", "Referrer"), text("campaign", "Campaign"),
		{Column{"orders", "Orders", KindText}, func(row object) Cell { return textCell(texts(row.list("orders"))) }},
		{Column{"goals", "Goals", KindText}, func(row object) Cell { return textCell(texts(row.list("goals"))) }},
		text("dialect", "Protocol"), text("id", "Id"), text("key", "Key"),
	})
}

func (m *maker) users() {
	m.people("users", "People", "", []lead{
		text("id", "Id"), m.when("last_seen", "Last seen"),
		{Column{"events", "Events", KindCount}, func(row object) Cell { return m.cell(metricOf("events"), row, nil) }},
		{Column{"sessions", "Sessions", KindCount}, func(row object) Cell { return m.cell(metricOf("sessions"), row, nil) }},
		m.when("first_seen", "First seen"), packed("properties", "Properties"),
		{Column{"groups", "Groups", KindText}, func(row object) Cell { return textCell(texts(row.list("groups"))) }},
		{Column{"aliases", "Other ids", KindText}, func(row object) Cell {
			return textCell(texts(append(append([]any(nil), row.list("aliases")...), row.list("anonymous")...)))
		}},
	})
}

// people makes the one table of an answer that names people. Columns that no row fills are left out.
func (m *maker) people(key, title, skip string, leads []lead) {
	t := Table{Name: key, Title: title, Empty: "Nothing in this range."}
	rows := m.body.list(key)
	for range rows {
		t.Rows = append(t.Rows, Row{Share: -1})
	}
	for i, l := range leads {
		cells, filled := make([]Cell, len(rows)), i < 2
		for j, row := range rows {
			cells[j] = l.of(asObject(row))
			filled = filled || cells[j].Has
		}
		if !filled || l.Key == skip {
			continue
		}
		t.Columns = append(t.Columns, l.Column)
		for j := range cells {
			t.Rows[j].Cells = append(t.Rows[j].Cells, cells[j])
		}
	}
	m.page(&t, m.body)
	m.r.Tables = append(m.r.Tables, t)
}
