package mail

import (
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strings"
	"sync"
	"unicode"

	"cairn/http/tables"
)

// This file makes the part of HTML. Mail programs know little of it: tables, inline styles, and sizes
// as attributes. Texts are escaped by html/template.

//go:embed mail.html
var pageText string

var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("mail").Parse(pageText)) })

// Sizes, in pixels.
const (
	chartHeight = 72
	barWidth    = 96
)

// Bounds of what is drawn.
const (
	stepsMax   = 92 // of the chart; a range with more has none
	columnsMax = 8  // of a table
	changesMax = 4  // of one whose numbers have changes
	numbersRow = 3  // numbers side by side
)

type pageView struct {
	Subject, Title, Site string
	Head                 []tables.Line
	Numbers              [][]numberView
	Chart                *chartView
	Tables               []tableView
	Tail                 []string
	Dashboard            string
}

type numberView struct {
	Title, Text, Change, Arrow, Color, Was string
}

// chartView is the course of a number as columns.
type chartView struct {
	Title, First, Last, Most string
	Height                   int
	Columns                  []columnView
}

type columnView struct {
	Height  int
	Title   string
	Partial bool
}

type tableView struct {
	Title string
	Heads []headView
	Rows  []rowView
	Bars  bool // rows have bars
	Note  string
}

type headView struct {
	Text    string
	Right   bool
	Changes bool // its numbers have a change, in a column of its own
	Wide    bool // it is the only one of texts
}

type rowView struct {
	Cells []cellView
	Bar   int // pixels
	Rest  int
	Faint bool
}

// cellView is a cell. A mail program that looks for addresses in texts finds none in pieces of one,
// and long ones break between them.
type cellView struct {
	Pieces               []string
	Right, Changes       bool
	Line                 bool // it stays on one line: a number or a time
	Change, Arrow, Color string
}

// html is the part of HTML.
func (m *Message) html(subject string) (string, error) {
	r := m.Report
	v := &pageView{Subject: subject, Title: r.Title, Site: tables.CutRunes(r.Site, textMax), Tail: r.Tail, Dashboard: m.Dashboard}
	for _, l := range r.Head {
		v.Head = append(v.Head, tables.Line{Name: l.Name, Text: tables.CutRunes(l.Text, 4*textMax)})
	}
	for i, n := range r.Numbers {
		if i%numbersRow == 0 {
			v.Numbers = append(v.Numbers, nil)
		}
		one := numberView{Title: n.Title, Text: n.Text, Was: n.Was}
		one.Change, one.Arrow, one.Color = changeOf(n.Change)
		v.Numbers[len(v.Numbers)-1] = append(v.Numbers[len(v.Numbers)-1], one)
	}
	if len(v.Numbers) > 1 { // the last row is as wide as the others
		last := &v.Numbers[len(v.Numbers)-1]
		for len(*last) < numbersRow {
			*last = append(*last, numberView{})
		}
	}
	if len(r.Series) > 0 {
		v.Chart = chartOf(&r.Series[0])
	}
	left := rowsMax
	for i := range r.Tables {
		v.Tables = append(v.Tables, tableOf(&r.Tables[i], &left))
	}
	var b strings.Builder
	err := pageTemplate().Execute(&b, v)
	return b.String(), err
}

// changeOf is a change with a sign that needs no colour.
func changeOf(c tables.Change) (text, arrow, color string) {
	if c.Text == "" {
		return "", "", ""
	}
	switch c.Way {
	case tables.Up:
		arrow = "▲"
	case tables.Down:
		arrow = "▼"
	}
	color = "#5b6470"
	switch c.Good {
	case 1:
		color = "#1a7f37"
	case -1:
		color = "#b42318"
	}
	return c.Text, arrow, color
}

// chartOf is the chart of a series; nil when it has none.
func chartOf(s *tables.Series) *chartView {
	most, at := 0.0, -1
	for i, step := range s.Steps {
		if step.Cell.Has && step.Cell.Number > most {
			most, at = step.Cell.Number, i
		}
	}
	if at < 0 || len(s.Steps) < 2 || len(s.Steps) > stepsMax {
		return nil
	}
	v := &chartView{
		Title: s.Title + " by " + s.Interval, First: s.Steps[0].Label, Last: s.Steps[len(s.Steps)-1].Label,
		Most:   "at most " + s.Steps[at].Cell.Text + " (" + s.Steps[at].Label + ")",
		Height: chartHeight,
	}
	for _, step := range s.Steps {
		height := 0
		if step.Cell.Has && step.Cell.Number > 0 {
			height = max(1, int(math.Round(step.Cell.Number/most*chartHeight)))
		}
		v.Columns = append(v.Columns, columnView{Height: height, Title: step.Label + ": " + step.Cell.Text, Partial: step.Partial})
	}
	return v
}

// tableOf is a table with at most *left rows, which it takes off.
func tableOf(t *tables.Table, left *int) tableView {
	columns := columnsOf(t)
	v := tableView{Title: t.Title}
	for _, c := range columns {
		v.Heads = append(v.Heads, headView{Text: c.Title, Right: c.Kind.Right()})
	}
	if len(columns) > 1 && columns[1].Kind.Right() {
		v.Heads[0].Wide = !v.Heads[0].Right
	}
	rows := t.Rows[:min(len(t.Rows), *left)]
	*left -= len(rows)
	for i := range rows {
		v.Bars = v.Bars || rows[i].Share >= 0
		for k, c := range rows[i].Cells[:min(len(rows[i].Cells), len(columns))] {
			v.Heads[k].Changes = v.Heads[k].Changes || c.Change.Text != ""
		}
	}
	for i := range rows {
		row := rowView{Faint: rows[i].Faint}
		if share := rows[i].Share; share > 0 {
			row.Bar = max(1, int(math.Round(min(share, 1)*barWidth)))
		}
		row.Rest = barWidth - row.Bar
		for k, c := range rows[i].Cells[:min(len(rows[i].Cells), len(columns))] {
			cell := cellView{Pieces: []string{c.Text}, Right: columns[k].Kind.Right(), Changes: v.Heads[k].Changes, Line: columns[k].Kind != tables.KindText}
			if !cell.Line {
				cell.Pieces = pieces(tables.CutRunes(c.Text, textMax))
			}
			cell.Change, cell.Arrow, cell.Color = changeOf(c.Change)
			row.Cells = append(row.Cells, cell)
		}
		v.Rows = append(v.Rows, row)
	}
	var notes []string
	switch rest := t.Rest(len(rows)); {
	case len(t.Rows) == 0:
		notes = append(notes, t.Empty)
	case rest > 0:
		notes = append(notes, fmt.Sprintf("and %d more", rest))
	case t.Next != "":
		notes = append(notes, "and more")
	}
	if more := len(t.Columns) - len(columns); more > 0 {
		notes = append(notes, fmt.Sprintf("%d more columns are in the text of this mail", more))
	}
	v.Note = strings.Join(notes, "; ")
	return v
}

// columnsOf are the columns of a table that have room.
func columnsOf(t *tables.Table) []tables.Column {
	most := columnsMax
	for i := range t.Rows {
		for _, c := range t.Rows[i].Cells {
			if c.Change.Text != "" {
				most = changesMax
			}
		}
	}
	return t.Columns[:min(len(t.Columns), most)]
}

// pieceMax is how many characters of a text stand together, so that no word is wider than its column.
const pieceMax = 20

// pieces is a text in pieces that end where an address could begin or go on, and where a word is long.
func pieces(text string) (list []string) {
	begin, run := 0, 0
	for i, r := range text {
		if run >= pieceMax && !unicode.Is(unicode.M, r) {
			list, begin, run = append(list, text[begin:i]), i, 0
		}
		run++
		switch {
		case r == ' ':
			run = 0
		case strings.ContainsRune("./:@?&=", r) && i+1 < len(text):
			list, begin, run = append(list, text[begin:i+1]), i+1, 0
		}
	}
	if begin < len(text) {
		list = append(list, text[begin:])
	}
	return list
}
