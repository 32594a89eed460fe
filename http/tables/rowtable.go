package tables

import (
	"slices"
	"strings"
)

// This file makes tables of the rows of an answer: the columns in front, then the numbers that the rows have.

// lead is a column in front of the numbers of a row.
type lead struct {
	Column
	of func(row object) Cell
}

// notNumbers are members of rows that may be null, or are numbers of another kind.
var notNumbers = []string{"value", "with", "segment", "name", "category", "other"}

// table makes a table of rows: the lead columns, and the numbers that the rows have, those of first
// before the others. The bar of a row is its first number, compared with the greatest one.
func (m *maker) table(name, title string, rows []any, leads []lead, first ...string) *Table {
	t := &Table{Name: name, Title: title, Empty: "Nothing in this range."}
	of := metricsIn(rows, first, notNumbers)
	if sort := m.query.Get("sort"); sort != "" { // what orders the rows comes first
		if i := slices.IndexFunc(of, func(me metric) bool { return me.key == sort }); i > 0 {
			of = slices.Insert(slices.Delete(slices.Clone(of), i, i+1), 0, of[i])
		}
	}
	for _, l := range leads {
		t.Columns = append(t.Columns, l.Column)
	}
	for _, me := range of {
		t.Columns = append(t.Columns, Column{me.key, me.title, me.kind})
	}
	for _, one := range rows {
		row := asObject(one)
		r := Row{Share: -1, Faint: row.isTrue("other")}
		for _, l := range leads {
			r.Cells = append(r.Cells, l.of(row))
		}
		was := row.object("was")
		for _, me := range of {
			r.Cells = append(r.Cells, m.cell(me, row, was))
		}
		t.Rows = append(t.Rows, r)
	}
	t.share(len(leads))
	m.r.Tables = append(m.r.Tables, *t)
	return &m.r.Tables[len(m.r.Tables)-1]
}

// share gives each row a bar: the number of a column, compared with the greatest one. A rate is a
// share already.
func (t *Table) share(column int) {
	if column >= len(t.Columns) {
		return
	}
	most := 0.0
	for i := range t.Rows {
		most = max(most, t.Rows[i].Cells[column].Number)
	}
	if t.Columns[column].Kind == KindRate {
		most = 1
	}
	for i := range t.Rows {
		if c := t.Rows[i].Cells[column]; most > 0 && c.Has {
			t.Rows[i].Share = min(1, max(0, c.Number/most))
		}
	}
}

// value is the column of the value of a field.
func value(field string) lead {
	none := noValue
	if strings.TrimPrefix(field, "visit.") == "source" {
		none = direct
	}
	return lead{Column{"value", fieldName(field), KindText}, func(row object) Cell {
		switch v := row["value"].(type) {
		case string:
			text := valueName(field, v)
			for _, in := range []string{"region", "country", "browser", "os"} {
				if outer, is := row.object("in")[in].(string); is && in != field {
					text += ", " + valueName(in, outer)
				}
			}
			return Cell{Text: text, Has: true}
		case nil:
			if row.isTrue("other") {
				return Cell{Text: "All others"}
			}
		}
		return Cell{Text: none}
	}}
}

// text is a column of a text.
func text(key, title string) lead {
	return lead{Column{key, title, KindText}, func(row object) Cell { return textCell(row.text(key)) }}
}

// when is a column of a time.
func (m *maker) when(key, title string) lead {
	return lead{Column{key, title, KindTime}, func(row object) Cell { return m.timeCell(row.time(key)) }}
}

// page notes how many rows of a table there are in all, and what asks for the next ones.
func (m *maker) page(t *Table, of object) {
	if count, ok := of.number("count"); ok {
		t.Count = int(count)
	}
	t.Later = m.query.Get("after") != ""
	t.Next = Safe(of.text("next"))
}

// Rest is how many rows follow the first ones of the table; 0 = none, or it is not known how many.
func (t *Table) Rest(shown int) int {
	switch {
	case t.Count >= len(t.Rows) && !t.Later:
		return t.Count - shown
	case t.Next != "":
		return 0
	}
	return len(t.Rows) - shown
}
