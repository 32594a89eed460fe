package tables

import (
	"fmt"
	"slices"
	"strings"
)

// This file writes a report as text. grid.go lays out columns.

// Style is how a report is written as text. The zero Style is plain and as wide as it has to be.
type Style struct {
	Width    int    // columns of the terminal; 0 = no limit
	Color    bool   // ANSI colours
	Draw     bool   // bars, small lines and graphs
	RowsMax  int    // of all tables together; 0 = no limit
	BytesMax int    // of the text; 0 = no limit
	TextMax  int    // characters of a cell, and a quarter of those of a line of the head; 0 = no limit
	Param    string // what stands before the name of a parameter, such as "-"
}

// Text writes the report: lines that end with \n. Where a limit leaves out rows, a line says how
// many there are more and, where the answer has pages, what asks for the next one. A text over
// BytesMax has fewer rows; when that is not enough, it ends after a whole line.
func (r *Report) Text(s Style) string {
	rows := s.RowsMax
	for {
		p := &page{Style: s, report: r, format: newFormat(r.Zone)}
		p.all(rows)
		text := p.text()
		if s.BytesMax == 0 || len(text) <= s.BytesMax {
			return text
		}
		if rows == 0 {
			for i := range p.tables {
				rows += len(p.tables[i].Rows)
			}
		}
		if rows = min(rows-1, rows*s.BytesMax/len(text)); rows <= 0 {
			whole := strings.LastIndexByte(text[:s.BytesMax], '\n')
			return text[:whole+1]
		}
	}
}

// page is a report that becomes text.
type page struct {
	Style
	*format
	report *Report
	tables []Table
	lines  []line
	notes  []string // more sentences for the tail
	left   []string // columns that are left out for want of room
}

func (p *page) text() string {
	var b strings.Builder
	for _, l := range p.lines {
		if p.Width > 0 {
			l = l.cut(p.Width)
		}
		l.write(&b, p.Color)
	}
	return b.String()
}

func (p *page) add(spans ...span) { p.lines = append(p.lines, spans) }

// all makes all lines, with at most so many rows, 0 = all.
func (p *page) all(rows int) {
	r := p.report
	p.tables = r.Tables
	overview := r.Name == overviewName && p.Draw && p.Width > 0
	if steps := stepsOf(r); steps != nil && (!p.Draw || r.Stepwise) {
		p.tables = slices.Insert(slices.Clone(p.tables), 0, *steps)
		partial := func(s Step) bool { return s.Partial }
		if slices.ContainsFunc(r.Series[0].Steps, partial) {
			p.notes = append(p.notes, partialNote)
		}
	}
	p.head()
	if overview && p.Width >= tilesLeast {
		p.tiles()
	} else {
		p.numbers()
	}
	if overview && len(r.Series) > 0 {
		p.add()
		p.add(span{fmt.Sprintf("%s by %s", r.Series[0].Title, r.Series[0].Interval), inkBold})
		p.lines = append(p.lines, p.graph(&r.Series[0], p.Width)...)
	}
	shown := allot(p.tables, rows)
	if overview {
		p.beside(shown)
	} else {
		for i := range p.tables {
			p.add()
			p.lines = append(p.lines, p.table(&p.tables[i], shown[i], p.Width)...)
		}
	}
	p.tail()
}

// head is the title and the lines that say what was asked.
func (p *page) head() {
	r := p.report
	title := line{{r.Title, inkBold}}
	if r.Site != "" {
		title = append(title, span{text: " · " + r.Site})
	}
	p.lines = append(p.lines, title)
	wide := 0
	for _, l := range r.Head {
		wide = max(wide, width(l.Name))
	}
	for _, l := range r.Head {
		p.add(span{pad(l.Name, wide, false) + "  ", inkFaint}, span{text: CutRunes(l.Text, 4*p.TextMax)})
	}
}

// tail are the sentences below.
func (p *page) tail() {
	r := p.report
	notes := slices.Concat(p.notes, r.Tail)
	if len(r.Numbers)+len(r.Series)+len(r.Tables) == 0 && len(notes) == 0 {
		notes = append(notes, "The answer is empty.")
	}
	if p.Width > 0 && len(p.left) > 0 {
		notes = append(notes, fmt.Sprintf("No room in %d columns: %s.", p.Width, strings.Join(p.left, ", ")))
	}
	if len(notes) > 0 {
		p.add()
	}
	for _, note := range notes {
		for _, text := range wrap(note, p.Width) {
			p.add(span{text, inkFaint})
		}
	}
}

// wrap breaks a sentence at spaces into lines of at most n columns.
func wrap(text string, n int) (lines []string) {
	if n <= 0 || width(text) <= n {
		return []string{text}
	}
	now := ""
	for word := range strings.FieldsSeq(text) {
		if now != "" && width(now)+1+width(word) > n {
			lines, now = append(lines, now), ""
		}
		if now != "" {
			now += " "
		}
		now += word
	}
	return append(lines, now)
}

// inkOf is how a change looks.
func inkOf(c Change) ink {
	switch c.Good {
	case 1:
		return inkBetter
	case -1:
		return inkWorse
	}
	return inkFaint
}

// numbers are the numbers of the whole range, one a line, each with its small line.
func (p *page) numbers() {
	r := p.report
	if len(r.Numbers)+len(r.Series) == 0 {
		return
	}
	titles, values := column{least: 6}, column{right: true}
	changes, was := column{right: true, rank: 20}, column{rank: 40}
	var series []*Series
	add := func(title, value span, change Change, before string, s *Series) {
		titles.cells, values.cells = append(titles.cells, title), append(values.cells, value)
		changes.cells = append(changes.cells, span{change.Text, inkOf(change)})
		if before != "" {
			before = "from " + before
		}
		was.cells, series = append(was.cells, span{before, inkFaint}), append(series, s)
	}
	drawn, longest := make(map[*Series]bool), 0
	for i := range r.Series {
		longest = max(longest, len(r.Series[i].Steps))
	}
	for i := range r.Numbers {
		n := &r.Numbers[i]
		var own *Series
		for j := range r.Series {
			if s := &r.Series[j]; p.Draw && s.Key == n.Key && own == nil {
				own, drawn[s] = s, true
			}
		}
		add(span{text: n.Title}, span{n.Text, inkBold}, n.Change, n.Was, own)
	}
	for i := range r.Series {
		if s := &r.Series[i]; p.Draw && !drawn[s] && s.Key == "" == (r.Series[0].Key == "") && !p.inRows(s) {
			add(span{text: s.Title}, span{}, Change{}, "", s)
		}
	}
	if len(titles.cells) == 0 {
		return
	}
	cols := []column{titles, values}
	if r.Compared {
		cols = append(cols, changes, was)
	}
	if len(r.Series) > 0 && p.Draw {
		cols = append(cols, column{rank: 30, wide: 7, most: min(sparkMost, longest), draw: func(row, wide int) string {
			if series[row] == nil {
				return ""
			}
			return spark(series[row].floats(), wide)
		}})
	}
	lines, _ := layout(cols, len(titles.cells), p.Width, headNone)
	p.add()
	p.lines = append(p.lines, lines...)
}

// inRows says whether rows of a table draw the series: it is one of theirs.
func (p *page) inRows(s *Series) bool {
	if s.Key != "" {
		return false
	}
	for i := range p.tables {
		for j := range p.tables[i].Rows {
			if p.tables[i].Rows[j].Spark != nil {
				return true
			}
		}
	}
	return false
}

func (s *Series) floats() []float64 {
	list := make([]float64, len(s.Steps))
	for i := range s.Steps {
		list[i] = s.Steps[i].Cell.Number
	}
	return list
}

// stepsOf is the table of the steps of all series; nil where there are none, or where the report has
// them as a table already.
func stepsOf(r *Report) *Table {
	if len(r.Series) == 0 || slices.ContainsFunc(r.Tables, func(t Table) bool { return t.Name == stepsName }) {
		return nil
	}
	t := &Table{Name: stepsName, Title: "By " + lower(fallback(r.Series[0].Interval, "step")), Columns: []Column{{"time", "Time", KindTime}}}
	for _, step := range r.Series[0].Steps {
		label := step.Label
		if step.Partial {
			label += "*"
		}
		t.Rows = append(t.Rows, Row{Share: -1, Cells: []Cell{{Text: label, Has: true, Number: float64(step.Time.Unix())}}})
	}
	for _, s := range r.Series {
		t.Columns = append(t.Columns, Column{s.Key, s.Title, s.Kind})
		for i := range t.Rows {
			c := Cell{Text: nothing}
			if i < len(s.Steps) {
				c = s.Steps[i].Cell
			}
			t.Rows[i].Cells = append(t.Rows[i].Cells, c)
		}
	}
	t.share(1)
	return t
}

const stepsName = "steps"

// allot says how many rows each table shows when all may have so many, 0 = all: small tables are
// whole, large ones share what is left.
func allot(tables []Table, rows int) []int {
	shown := make([]int, len(tables))
	for i := range tables {
		shown[i] = len(tables[i].Rows)
	}
	if rows == 0 {
		return shown
	}
	for n := len(tables); n > 0; {
		sum, most := 0, 0
		for i, s := range shown {
			if sum += s; s > shown[most] {
				most = i
			}
		}
		if sum <= rows {
			break
		}
		shown[most]--
	}
	return shown
}

// more is the line below rows that are not all.
func (p *page) more(t *Table, shown int) string {
	rest, text := t.Rest(shown), "and more"
	if rest > 0 {
		text = "and " + p.number(KindCount, float64(rest)) + " more"
	}
	param := func(name, value string) string {
		if p.Param != "" {
			return p.Param + name + " " + value
		}
		return name + "=" + value
	}
	switch {
	case shown < len(t.Rows) && t.Next != "":
		return text + ": ask with " + param("limit", fmt.Sprint(max(shown, 1)))
	case t.Next != "":
		return text + ": ask with " + param("after", t.Next)
	case rest > 0:
		return text
	}
	return ""
}
