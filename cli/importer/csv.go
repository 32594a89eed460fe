package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cairn/engine/event"
)

// This file reads CSV and TSV with a header. CSV is RFC 4180 with any of , ; and a tab between the
// cells; a quote inside a cell that does not begin with one is a quote. TSV is what databases
// write: no quotes, and \t \n \r \\ \N for a tab, a line end, a backslash and nothing.

// columnsMax is how many columns a file may have.
const columnsMax = 2000

// csvRecords reads records of CSV into builders.
type csvRecords struct {
	lines   *lines
	comma   byte
	escapes bool // TSV of a database
	columns []string
	targets []target
	own     bool // cairn has written it: see event.Fused, and an empty text stands in quotes

	record []byte
	cells  []string // of the record
	quoted []bool   // of each cell, whether it stood in quotes
	arena  []byte   // cells that are not in the record as they are
	at     int      // how far the record is read
	open   int      // where the open cell begins in arena
}

// headerOf splits the first line of a text into its columns.
func headerOf(line []byte) (columns []string, comma byte) {
	line = bytes.TrimSuffix(bytes.TrimPrefix(line, utf8BOM), []byte("\r"))
	comma, most := byte(','), 0
	for _, c := range []byte{'\t', ',', ';'} {
		if n := bytes.Count(line, []byte{c}); n > most {
			comma, most = c, n
		}
	}
	r := csvRecords{comma: comma}
	r.record = append(r.record, line...)
	if !r.split() {
		return nil, comma
	}
	for _, cell := range r.cells {
		columns = append(columns, strings.Clone(strings.TrimSpace(cell)))
	}
	return columns, comma
}

// newCSV reads a text whose header has these columns.
func newCSV(m *member, columns []string, comma byte, t *table) (*csvRecords, error) {
	if len(columns) > columnsMax {
		return nil, fmt.Errorf("has %d columns; at most %d are read", len(columns), columnsMax)
	}
	r := &csvRecords{lines: &lines{in: m.in}, comma: comma, escapes: comma == '\t', columns: columns}
	for i, name := range columns {
		if name != "" && slices.ContainsFunc(columns[:i], func(other string) bool { return strings.EqualFold(other, name) }) {
			return nil, fmt.Errorf("has the column %q twice", name)
		}
		r.targets = append(r.targets, t.find(name))
	}
	_, _, err := r.lines.next() // the header
	return r, err
}

func (r *csvRecords) next(b *builder) (raw []byte, line int, err error) {
	var text []byte
	for len(text) == 0 {
		if text, _, err = r.lines.next(); err != nil {
			return nil, r.lines.n, err
		}
	}
	line = r.lines.n
	r.record = append(r.record[:0], text...)
	if r.escapes {
		r.splitEscaped()
	} else if !r.split() {
		if err := r.more(); err != nil {
			return nil, line, err
		}
	}
	if len(r.cells) != len(r.targets) {
		return r.record, line, refusal{fmt.Sprintf("has %d cells and the header has %d", len(r.cells), len(r.targets))}
	}
	for i, cell := range r.cells {
		if r.own {
			cell = event.Fused(cell)
		}
		if cell != "" || r.own && r.quoted[i] {
			b.put(r.targets[i], r.columns[i], event.Str(cell))
		}
	}
	return r.record, line, nil
}

// more adds lines to a record until its last cell is closed.
func (r *csvRecords) more() error {
	for {
		if r.lines.cr {
			r.record = append(r.record, '\r')
		}
		text, _, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			return errors.New("a quote is opened here and never closed")
		}
		if err != nil {
			return err
		}
		if len(r.record)+len(text) > lineBytesMax {
			return fmt.Errorf("the record is longer than %d MiB; is a quote missing?", lineBytesMax>>20)
		}
		r.record = append(append(r.record, '\n'), text...)
		if r.inQuotes() && r.plain() {
			return nil
		}
	}
}

// split splits the record into cells. It is false if the last cell is not closed: inQuotes then
// goes on where it stopped, when the record has grown.
func (r *csvRecords) split() bool {
	r.cells, r.quoted, r.arena, r.at = r.cells[:0], r.quoted[:0], slices.Grow(r.arena[:0], len(r.record)), 0
	return r.plain()
}

// plain reads cells from r.at, where a cell begins, to the end of the record.
func (r *csvRecords) plain() bool {
	for r.at <= len(r.record) {
		rest := r.record[r.at:]
		if len(rest) > 0 && rest[0] == '"' {
			r.at++
			r.open = len(r.arena)
			if !r.inQuotes() {
				return false
			}
			continue
		}
		cell, _, _ := bytes.Cut(rest, []byte{r.comma})
		r.cells, r.quoted = append(r.cells, alias(cell)), append(r.quoted, false)
		r.at += len(cell) + 1
	}
	return true
}

// inQuotes reads the rest of a quoted cell from r.at, and the comma after it.
func (r *csvRecords) inQuotes() bool {
	for {
		rest := r.record[r.at:]
		end := bytes.IndexByte(rest, '"')
		if end < 0 {
			r.arena = append(r.arena, rest...)
			r.at = len(r.record)
			return false
		}
		r.arena = append(r.arena, rest[:end]...)
		r.at += end + 1
		if rest = rest[end+1:]; len(rest) > 0 && rest[0] == '"' {
			r.arena = append(r.arena, '"')
			r.at++
			continue
		}
		// What stands between the quote and the comma should not be there; it is kept.
		tail, _, _ := bytes.Cut(rest, []byte{r.comma})
		r.arena = append(r.arena, tail...)
		r.at += len(tail) + 1
		r.cells, r.quoted = append(r.cells, alias(r.arena[r.open:])), append(r.quoted, true)
		return true
	}
}

// splitEscaped splits a record of TSV.
func (r *csvRecords) splitEscaped() {
	r.cells, r.arena = r.cells[:0], slices.Grow(r.arena[:0], len(r.record))
	for rest, more := r.record, true; more; {
		var cell []byte
		cell, rest, more = bytes.Cut(rest, []byte{'\t'})
		switch {
		case string(cell) == `\N`, string(cell) == "NULL":
			r.cells = append(r.cells, "")
			continue
		case bytes.IndexByte(cell, '\\') < 0:
			r.cells = append(r.cells, alias(cell))
			continue
		}
		at := len(r.arena)
		for i := 0; i < len(cell); i++ {
			c := cell[i]
			if c == '\\' && i+1 < len(cell) {
				i++
				switch c = cell[i]; c {
				case 't':
					c = '\t'
				case 'n':
					c = '\n'
				case 'r':
					c = '\r'
				case '0':
					c = 0
				}
			}
			r.arena = append(r.arena, c)
		}
		r.cells = append(r.cells, alias(r.arena[at:]))
	}
}
