package tables

import (
	"fmt"
	"slices"
)

// This file writes the tables of a report as text, and the overview's tiles and tables side by side.

// table makes the lines of a table within so many columns, 0 = as wide as it is.
func (p *page) table(t *Table, shown, limit int) (lines []line) {
	title := line{{t.Title, inkBold}}
	if t.Count > len(t.Rows) {
		title = append(title, span{fmt.Sprintf("  %s of %s", p.number(KindCount, float64(shown)), p.number(KindCount, float64(t.Count))), inkFaint})
	}
	if limit > 0 {
		title = title.cut(limit)
	}
	lines = append(lines, title)
	if len(t.Rows) == 0 {
		return append(lines, line{{Cut(fallback(t.Empty, "Nothing."), limit), inkFaint}})
	}
	head := headFit
	if limit == 0 || limit < p.Width { // tables side by side begin at the same line
		head = headLine
	}
	body, left := layout(p.columns(t, shown), shown, limit, head)
	for _, name := range left {
		if !slices.Contains(p.left, name) {
			p.left = append(p.left, name)
		}
	}
	lines = append(lines, body...)
	if text := p.more(t, shown); text != "" {
		lines = append(lines, line{{Cut(text, limit), inkFaint}})
	}
	return lines
}

// Which columns are left out first for want of room, see column.rank: changes but the first, numbers
// after the fifth, small lines, the bar, then the others from the right.
const (
	rankChanges = 3000
	rankLater   = 2000
	rankDrawn   = 1000
	rankNumbers = 100
	rankFirst   = 50
)

// columns are the columns of a table as they are laid out: each number with its change beside it, the
// bar and the small line at the end.
func (p *page) columns(t *Table, shown int) (cols []column) {
	numbers := 0
	for i, c := range t.Columns {
		col := column{head: c.Title, right: c.Kind.Right(), named: true}
		change := column{right: true}
		changed := false
		for _, row := range t.Rows[:shown] {
			cell := row.Cells[i]
			look := inkPlain
			if row.Faint {
				look = inkFaint
			}
			col.cells = append(col.cells, span{CutRunes(cell.Text, p.TextMax), look})
			change.cells = append(change.cells, span{cell.Change.Text, inkOf(cell.Change)})
			changed = changed || cell.Change.Text != ""
		}
		switch {
		case c.Kind == KindText && i == 0:
			col.least = 4
		case c.Kind == KindText:
			col.least, col.rank = 6, rankNumbers+i
		case numbers == 0:
			if numbers++; i > 0 {
				col.rank = 0
			}
			change.rank = rankFirst
		default:
			numbers++
			col.rank, change.rank = rankNumbers+i, rankChanges+i
			if numbers > 5 {
				col.rank = rankLater + i
			}
		}
		cols = append(cols, col)
		if changed {
			cols = append(cols, change)
		}
	}
	if !p.Draw {
		return cols
	}
	barred, sparked := false, 0
	for _, row := range t.Rows[:shown] {
		barred, sparked = barred || row.Share >= 0, max(sparked, len(row.Spark))
	}
	if sparked > 0 {
		cols = append(cols, column{rank: rankDrawn, wide: 7, most: min(sparkMost, sparked), draw: func(row, wide int) string { return spark(t.Rows[row].Spark, wide) }})
	}
	if barred {
		cols = append(cols, column{rank: rankDrawn - 1, wide: 8, most: barMost, draw: func(row, wide int) string { return bar(t.Rows[row].Share, wide) }})
	}
	return cols
}

const (
	tilesLeast = 60 // columns of a terminal whose overview has tiles
	blockLeast = 36 // columns of a table of the overview
	blockGap   = 3
)

// tiles are the numbers of the overview side by side.
func (p *page) tiles() {
	var blocks [][]line
	wide := 0
	for _, n := range p.report.Numbers {
		block := []line{{{n.Title, inkFaint}}, {{n.Text, inkBold}}}
		if n.Change.Text != "" {
			block = append(block, line{{n.Change.Text, inkOf(n.Change)}})
		}
		for _, l := range block {
			wide = max(wide, l.width())
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		return
	}
	p.add()
	p.lines = append(p.lines, beside(blocks, wide, max(1, (p.Width+blockGap)/(wide+blockGap)), blockGap)...)
}

// beside are the tables of the overview, as many side by side as fit.
func (p *page) beside(shown []int) {
	if len(p.tables) == 0 {
		return
	}
	each := max(1, (p.Width+blockGap)/(blockLeast+blockGap))
	each = min(each, len(p.tables))
	wide := (p.Width - blockGap*(each-1)) / each
	var blocks [][]line
	for i := range p.tables {
		blocks = append(blocks, p.table(&p.tables[i], shown[i], wide))
	}
	p.add()
	p.lines = append(p.lines, beside(blocks, wide, each, blockGap)...)
}
