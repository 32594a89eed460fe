package tables

// This file makes the reports of goals and of what a shop sold.

func (m *maker) goals() {
	m.numbers(m.body.object("total"), m.body.object("compare").object("total"))
	rows := make([]any, 0, len(m.body.list("goals")))
	for _, one := range m.body.list("goals") { // the value of a goal is a sum, that of other rows a text
		rows = append(rows, valued(asObject(one)))
	}
	t := m.table("goals", "Goals", rows, []lead{text("name", "Goal")}, "conversions", "converted", "visitors", "conversion_rate", "goal_value")
	t.Empty = "This site has no goals yet: what visits should lead to, such as a sign-up."
	m.page(t, m.body)
	m.exact()
}

// valued is a row whose value is under another name.
func valued(row object) map[string]any {
	other := make(map[string]any, len(row))
	for key, v := range row {
		switch key {
		case "value":
			key = "goal_value"
		case "was":
			v = valued(asObject(v))
		}
		other[key] = v
	}
	return other
}

// exact notes sums that are rounded.
func (m *maker) exact() {
	if exact := m.body.object("exact"); exact != nil && !exact.isTrue("sum") {
		m.r.Tail = append(m.r.Tail, "Sums are rounded: some numbers have too many digits.")
	}
}

// shopOrder is the order of the numbers of a currency.
var shopOrder = []string{"revenue", "orders", "average_order", "customers", "conversion_rate", "refunds", "carts_abandoned", "carts_value"}

// currency is the column of a currency.
var currency = lead{Column{"currency", "Currency", KindText}, func(row object) Cell {
	return textCell(fallback(row.text("currency"), noValue))
}}

func (m *maker) shop() {
	totals, compare := m.body.list("totals"), m.body.object("compare")
	before := make(map[string]object)
	for _, one := range compare.list("totals") {
		before[asObject(one).text("currency")] = asObject(one)
	}
	if len(totals) == 1 {
		total := asObject(totals[0])
		m.numbers(total, before[total.text("currency")], shopOrder...)
		m.r.Head = append(m.r.Head, Line{"Currency", Safe(fallback(total.text("currency"), noValue))})
	} else {
		rows := make([]any, 0, len(totals))
		for _, one := range totals { // sums of two currencies are not compared: there is no bar
			row := map[string]any(asObject(one))
			if was := before[asObject(one).text("currency")]; was != nil {
				row["was"] = map[string]any(was)
			}
			rows = append(rows, row)
		}
		m.table("totals", "Totals", rows, []lead{currency}, shopOrder...).noBars()
	}
	for _, one := range totals {
		name := asObject(one).text("currency")
		own := func(steps []any) (list []any) {
			for _, step := range steps {
				if asObject(step).text("currency") == name {
					list = append(list, step)
				}
			}
			return list
		}
		steps, was := own(m.body.list("series")), own(compare.list("series"))
		for _, me := range metricsIn(steps, shopOrder, notNumbers) {
			if s := m.series(me, m.body.text("interval"), steps, was); len(totals) > 1 {
				s.Key, s.Title = "", s.Title+", "+Safe(fallback(name, noValue))
			}
		}
	}
	if products := m.body.object("products"); products != nil {
		by := m.query.Get("by")
		if p := m.q.Param("by"); by == "" && p != nil {
			by = p.Default
		}
		title := map[string]string{"sku": "Product", "name": "Name", "category": "Category"}[by]
		of := value("")
		of.Title = fallback(title, Safe(by))
		leads := []lead{of}
		if by == "sku" {
			leads = append(leads, text("name", "Name"))
		}
		t := m.table("products", "Products", products.list("rows"), append(leads, currency), "revenue", "orders", "quantity", "average_price")
		m.page(t, products)
		if len(totals) > 1 {
			t.noBars()
		}
	}
	m.exact()
}

func (t *Table) noBars() {
	for i := range t.Rows {
		t.Rows[i].Share = -1
	}
}
