package dashboard

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"cairn/http/dialect"
)

// This file makes tables: rows of the API with a bar behind each, whose click filters.

// table says how a call becomes a table.
type table struct {
	call    string
	by      string // field of the rows' value; "" = rows have none
	columns []*metric
	own     state // parameters of the call besides limit

	// filter is the condition that a click on a row asks for; "" = a click does nothing. tab is
	// what it opens besides.
	filter string
	tab    string
	none   string // how a row without a value is called
	code   bool   // values are shown as code: names and paths
	open   bool   // a click opens the page of the row
	head   string // of the first column; "" = the name of by
	short  int    // how many columns a panel shows of them; 0 = one
}

// sorts says whether the call sorts by a number: goals stand in their own order.
func (t *table) sorts(key string) bool {
	return t.call != "goals" && slices.ContainsFunc(t.columns, func(m *metric) bool { return m.key == key })
}

// tableAnswer are the rows of a table.
type tableAnswer struct {
	Rows  []row   `json:"rows"`
	Count int     `json:"count"`
	Next  *string `json:"next"`
	Total numbers `json:"total"`
}

// frameAnswer is what all reports say of themselves.
type frameAnswer struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Until string `json:"until"`
	AsOf  struct {
		Time string `json:"time"`
	} `json:"as_of"`
	Compare *struct {
		From  string  `json:"from"`
		To    string  `json:"to"`
		Total numbers `json:"total"`
	} `json:"compare"`
}

// rowsShort and rowsFull are how many rows a panel has, and a page of the whole table.
const (
	rowsShort = 10
	rowsFull  = 100
)

// tableView is a table as its template takes it.
type tableView struct {
	Caption string
	Head    string // of the first column
	Columns []columnView
	Rows    []rowView
	Count   string
	All     string // address of the whole table; "" = this is it, or it has no more
	AllText string
	CSV     string
	JSON    string // the call of the panel, as it was asked
	Note    string // below the rows
	Next    string // address of the next page
	First   string // address of the first page, when this is another
	Full    bool
	searchView
	Back string
}

// columnView is the head of a column.
type columnView struct {
	Title, Help string
	Sort        string // address sorted by it; "" = it does not sort
	Sorted      string // aria-sort
	Wide        bool   // not on small screens
}

// rowView is one row.
type rowView struct {
	Text, Title string
	Flag        string
	Href        string // what a click asks; "" = nothing
	Out         string // the value as a link to elsewhere; "" = it is none
	Bar         string // width of the bar, such as 44.4%
	None        bool
	Code        bool
	In          string // what the value lies in
	Cells       []cellView
}

// cellView is a number.
type cellView struct {
	Text   string
	Share  string // of all
	Change Change
	Wide   bool
}

// table begins the call of a table.
func (p *page) table(t *table, full bool) *asked {
	limit := rowsShort
	if full {
		limit = rowsFull
	}
	own := append(p.tableOwn(t, full), pair{"limit", strconv.Itoa(limit)})
	if full {
		own = append(own, pair{"after", p.state.get("after")})
	}
	return p.ask(t.call, own)
}

// fill makes a panel that of a table.
func (p *page) fill(n *panel, t *table, full bool) {
	n.ask = func() *asked { return p.table(t, full) }
	n.view = func(q *asked) (body, *failure) { return p.tableBody(n, t, q, full) }
	n.csv = func(*asked) string { return p.apiHref(t.call, p.question(t.call, p.tableOwn(t, full)), "csv") }
}

// tableOwn are the parameters that choose and order the rows of a table. The address of a whole one
// may hold the order of another tab, by a number that this one does not have.
func (p *page) tableOwn(t *table, full bool) state {
	own := slices.Clone(t.own)
	if !full {
		return own
	}
	if sort := p.state.get("sort"); t.sorts(sort) {
		own = own.with("sort", sort).with("order", p.state.get("order"))
	}
	return own.with("search", p.state.get("search"))
}

// viewTable makes the view of a table from its rows.
func (p *page) viewTable(n *panel, t *table, q *asked, a *tableAnswer, full bool) *tableView {
	title := n.title
	for _, tb := range n.tabs {
		if tb.name == n.tab {
			title = tb.title
		}
	}
	v := &tableView{Caption: title, Head: orWords(t.head, dialect.FieldTitle(t.by)), Count: p.locale.Number(uint64(a.Count)), Full: full}
	columns := t.columns
	if !full {
		columns = columns[:min(max(t.short, 1), len(columns))]
	}
	v.Columns = p.heads(t, columns, full)
	most := map[string]float64{} // by currency: sums of two of them are not compared
	for i := range a.Rows {
		if x := columns[0].of(&a.Rows[i].numbers); x != nil {
			most[a.Rows[i].money] = max(most[a.Rows[i].money], *x)
		}
	}
	for i := range a.Rows {
		v.Rows = append(v.Rows, p.viewRow(t, &a.Rows[i], columns, most[a.Rows[i].money], full))
	}
	if full {
		back := p.state.notFull()
		if p.screen.path != "page" { // whose table it is
			back = back.without("_page")
		}
		v.Back = p.href(back)
		v.searchView = p.search("search")
		if a.Next != nil {
			v.Next = p.href(p.state.with("after", *a.Next))
		}
		if p.state.get("after") != "" {
			v.First = p.href(p.state.anew())
		}
	} else if more := a.Count > len(a.Rows); more || len(columns) < len(t.columns) {
		v.All, v.AllText = p.href(p.state.anew().with("_full", n.name)), textColumns
		if more {
			v.AllText = textAll + v.Count
		}
	}
	if p.embedded() {
		v.All = ""
	}
	return v
}

// heads are the heads of the columns of a table. Those of a whole one sort it.
func (p *page) heads(t *table, columns []*metric, full bool) (heads []columnView) {
	sorted, ascending := t.columns[0].key, false
	if t.sorts(p.state.get("sort")) {
		sorted, ascending = p.state.get("sort"), p.state.get("order") == "asc"
	}
	for i, m := range columns {
		c := columnView{Title: m.title, Help: m.help, Wide: i > 1}
		if full && t.sorts(m.key) {
			order := "desc"
			switch c.Sorted = "none"; {
			case m.key == sorted && ascending:
				c.Sorted = "ascending"
			case m.key == sorted:
				c.Sorted, order = "descending", "asc"
			}
			c.Sort = p.href(p.state.anew().with("sort", m.key).with("order", order))
		}
		heads = append(heads, c)
	}
	return heads
}

// notFull is the state without what belongs to a whole table.
func (s state) notFull() state { return s.anew().without("_full", "search", "sort", "order") }

// viewRow makes the view of a row. most is the greatest number of the first column that it is compared with.
func (p *page) viewRow(t *table, r *row, columns []*metric, most float64, full bool) rowView {
	v := rowView{Code: t.code}
	if r.value == nil {
		v.Text, v.None = t.none, true
		if v.Text == "" {
			v.Text = textNoValue
		}
	} else {
		v.Text = dialect.ValueName(t.by, *r.value)
		if v.Title = *r.value; v.Text == "" {
			v.Text = "“”"
		}
		if t.by == "country" {
			v.Flag = Flag(*r.value)
		}
	}
	v.In = p.inText(t.by, r, &v)
	switch {
	case r.goal != "":
		v.Href = p.href(p.state.notFull().with("_goal", r.goal))
	case t.open && r.value != nil:
		v.Href = p.screenHref("page", p.state.common().with("_page", *r.value))
	case t.filter != "":
		v.Href = p.href(p.filtered(t, r))
	}
	if x := columns[0].of(&r.numbers); x != nil && most > 0 {
		v.Bar = percent(*x / most)
	}
	for i, m := range columns {
		c := cellView{Text: p.number(m.unit, m.of(&r.numbers)), Wide: i > 1}
		if full && r.was != nil {
			c.Change = p.change(m, m.of(&r.numbers), m.of(r.was))
		}
		v.Cells = append(v.Cells, c)
	}
	return v
}

// inText says what a value lies in, such as a region in its country, or what it is called.
func (p *page) inText(by string, r *row, v *rowView) string {
	parts := r.about
	for _, field := range []string{"region", "country", "browser", "os"} {
		if in := r.in[field]; in != nil && field != by {
			if field == "country" {
				v.Flag = Flag(*in)
			}
			parts = append(parts, dialect.ValueName(field, *in))
		}
	}
	return strings.Join(parts, ", ")
}

// filtered is the state that a click on a row asks for.
func (p *page) filtered(t *table, r *row) state {
	s := p.state.notFull().without("_page")
	prefix, field := "", t.filter
	if bare, visit := strings.CutPrefix(field, "visit."); visit {
		prefix, field = "visit.", bare
	}
	if r.value == nil {
		return s.and(prefix+"has!", field)
	}
	s = s.and(prefix+fieldKey(field), *r.value)
	for _, in := range []string{"country", "region", "browser", "os"} {
		if value := r.in[in]; value != nil {
			s = s.and(prefix+in, *value)
		}
	}
	if t.tab != "" {
		s = s.and("_tab", t.tab)
	}
	return s
}

// number writes a number of a unit.
func (p *page) number(u unit, x *float64) string {
	if x == nil {
		return nothing
	}
	switch u {
	case unitRate:
		return p.locale.Percent(*x)
	case unitSeconds:
		return p.locale.Duration(seconds(*x))
	case unitMean:
		return p.locale.Float(*x, 1)
	case unitMoney:
		return p.locale.Money(*x)
	case unitNumber:
		if math.Abs(*x) < 1 {
			return p.locale.Float(*x, 4)
		}
		return p.locale.Float(*x, 2)
	}
	return p.locale.Float(*x, 0)
}

// change is how a number has changed.
func (p *page) change(m *metric, now, before *float64) Change {
	if now == nil || before == nil {
		return Change{}
	}
	switch m.unit {
	case unitRate:
		return p.locale.Points(*now, *before)
	case unitSeconds:
		return p.locale.Longer(seconds(*now), seconds(*before), true)
	}
	return p.locale.Ratio(*now, *before)
}
