package tables

import "strings"

// This file lays out columns in the room that there is: it cuts texts, and where that is not enough
// leaves out columns, the least needed first.

// ink is how a part of a line looks. What it tells is in the text, too.
type ink uint8

const (
	inkPlain ink = iota
	inkBold
	inkFaint
	inkBetter
	inkWorse
	inkDrawn // bars and lines
)

var ansi = [...]string{inkBold: "\x1b[1m", inkFaint: "\x1b[2m", inkBetter: "\x1b[32m", inkWorse: "\x1b[31m", inkDrawn: "\x1b[36m"}

const ansiOff = "\x1b[0m"

// span is a part of a line.
type span struct {
	text string
	ink  ink
}

type line []span

func (l line) width() (n int) {
	for _, s := range l {
		n += width(s.text)
	}
	return n
}

// cut shortens a line to n columns.
func (l line) cut(n int) line {
	if l.width() <= n {
		return l
	}
	for i, s := range l {
		w := width(s.text)
		if w > n || w == n && i+1 < len(l) {
			return append(l[:i:i], span{cut(s.text+"…", n), s.ink})
		}
		n -= w
	}
	return l
}

// write appends a line to a text, without blanks at its end.
func (l line) write(b *strings.Builder, color bool) {
	last := len(l)
	for last > 0 && strings.Trim(l[last-1].text, " ") == "" {
		last--
	}
	for i, s := range l[:last] {
		if i == last-1 {
			s.text = strings.TrimRight(s.text, " ")
		}
		if !color || s.ink == inkPlain || strings.Trim(s.text, " ") == "" {
			b.WriteString(s.text)
			continue
		}
		b.WriteString(ansi[s.ink] + s.text + ansiOff)
	}
	b.WriteByte('\n')
}

// column is a column of a grid.
type column struct {
	head  string
	right bool
	cells []span
	least int  // it may be cut to so many columns; 0 = it is not cut
	rank  int  // the greatest is left out first; 0 = it stays
	named bool // a note says when it is left out
	draw  func(row, wide int) string
	wide  int // of what is drawn: at least
	most  int // and at most
	heads []string
	width int
}

const (
	gap       = 2  // between columns
	fairMost  = 24 // texts are cut to a third of the terminal, between these two, before columns are left out
	fairLeast = 10
	barMost   = 24 // columns of a bar
	sparkMost = 60 // and of a small line
)

// natural is how wide a column wants to be.
func (c *column) natural(fit bool) int {
	n := c.wide
	for _, cell := range c.cells {
		n = max(n, width(cell.text))
	}
	c.heads = []string{c.head}
	if fit && width(c.head) > n { // in two lines it takes less
		best := width(c.head)
		for i, r := range c.head {
			if r != ' ' {
				continue
			}
			if w := max(width(c.head[:i]), width(c.head[i+1:])); w < best {
				best, c.heads = w, []string{c.head[:i], c.head[i+1:]}
			}
		}
	}
	for _, head := range c.heads {
		n = max(n, width(head))
	}
	return n
}

// heading is how titles stand above columns.
type heading uint8

const (
	headNone heading = iota
	headLine         // in one line
	headFit          // in two lines where that saves room
)

// layout makes the lines of columns within so many columns of the terminal, 0 = as wide as they are.
// left are the titles of those left out.
func layout(cols []column, rows, limit int, head heading) (lines []line, left []string) {
	for limit > 0 {
		over := measure(cols, limit, head == headFit)
		if over -= shrink(cols, over, min(fairMost, max(fairLeast, limit/3))); over <= 0 {
			break
		}
		worst := -1
		for i := range cols {
			if cols[i].rank > 0 && (worst < 0 || cols[i].rank > cols[worst].rank) {
				worst = i
			}
		}
		if worst < 0 {
			shrink(cols, over, 0)
			break
		}
		if cols[worst].named {
			left = append([]string{cols[worst].head}, left...)
		}
		cols = append(cols[:worst:worst], cols[worst+1:]...)
	}
	if limit == 0 {
		measure(cols, 0, false)
	}
	room := limit - total(cols)
	for i := range cols {
		if c := &cols[i]; c.draw != nil && room > 0 {
			more := min(room, max(0, c.most-c.width))
			c.width += more
			room -= more
		}
	}
	if head != headNone {
		lines = heads(cols, limit)
	}
	for row := range rows {
		var l line
		for i := range cols {
			c := &cols[i]
			s := span{ink: inkDrawn}
			if c.draw != nil {
				s.text = c.draw(row, c.width)
			} else {
				s = c.cells[row]
				s.text = cut(s.text, c.width)
			}
			if i > 0 {
				l = append(l, span{text: strings.Repeat(" ", gap)})
			}
			s.text = pad(s.text, c.width, c.right)
			l = append(l, s)
		}
		if limit > 0 {
			l = l.cut(limit)
		}
		lines = append(lines, l)
	}
	return lines, left
}

// measure gives columns their width and returns by how much they are too wide.
func measure(cols []column, limit int, fit bool) int {
	for i := range cols {
		cols[i].width = cols[i].natural(fit)
	}
	return total(cols) - limit
}

func total(cols []column) int {
	n := gap * (len(cols) - 1)
	for i := range cols {
		n += cols[i].width
	}
	return n
}

// shrink cuts the widest columns by so much in all, but none below floor or its least width. It returns
// how much that is.
func shrink(cols []column, over, floor int) (by int) {
	for ; by < over; by++ {
		widest := -1
		for i := range cols {
			c := &cols[i]
			if c.least > 0 && c.width > max(c.least, floor) && (widest < 0 || c.width > cols[widest].width) {
				widest = i
			}
		}
		if widest < 0 {
			return by
		}
		cols[widest].width--
	}
	return by
}

// heads are the one or two lines above the rows.
func heads(cols []column, limit int) (lines []line) {
	most := 1
	for i := range cols {
		most = max(most, len(cols[i].heads))
	}
	for n := range most {
		var l line
		for i := range cols {
			c := &cols[i]
			text := ""
			if at := n - (most - len(c.heads)); at >= 0 {
				text = c.heads[at]
			}
			if i > 0 {
				l = append(l, span{text: strings.Repeat(" ", gap)})
			}
			l = append(l, span{pad(cut(text, c.width), c.width, c.right), inkFaint})
		}
		if limit > 0 {
			l = l.cut(limit)
		}
		lines = append(lines, l)
	}
	return lines
}

// beside puts blocks of lines side by side, each of them wide columns wide and so many in a row.
func beside(blocks [][]line, wide, perRow, between int) (lines []line) {
	for len(blocks) > 0 {
		row := blocks[:min(perRow, len(blocks))]
		blocks = blocks[len(row):]
		high := 0
		for _, block := range row {
			high = max(high, len(block))
		}
		if len(lines) > 0 {
			lines = append(lines, nil)
		}
		for n := range high {
			var l line
			for i, block := range row {
				if i > 0 {
					l = append(l, span{text: strings.Repeat(" ", between)})
				}
				var cell line
				if n < len(block) {
					cell = block[n]
				}
				l = append(l, cell...)
				l = append(l, span{text: strings.Repeat(" ", max(0, wide-cell.width()))})
			}
			lines = append(lines, l)
		}
	}
	return lines
}
