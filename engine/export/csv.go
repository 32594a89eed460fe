// CSV (RFC 4180): a line for each event, with the columns of query.ExportFixed and those that were
// asked for. A spreadsheet takes some texts for formulas; event.Defused has what becomes of them.

package export

import (
	"bytes"
	"strings"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/read"
)

// csv is an encoder.
type csv struct {
	s       *read.Stretches
	columns []string
}

func newCSV(s *read.Stretches, q *query.Export) *csv { return &csv{s, q.Columns} }

// head appends the first line.
func (e *csv) head(dst []byte) []byte {
	for i, name := range append(query.ExportFixed[:len(query.ExportFixed):len(query.ExportFixed)], e.columns...) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, event.Defused(name))
	}
	return append(dst, "\r\n"...)
}

// bind implements textEncoder.
func (e *csv) bind(p *part) func(dst []byte, b *block, i int) []byte {
	var fixed []int
	for _, name := range query.ExportFixed[3:] {
		fixed = append(fixed, p.add(fixedFields[name], appendCSV))
	}
	values := make([]value, len(e.columns))
	for i, name := range e.columns {
		values[i] = bindValue(p, placesOf(name), appendCSV)
	}
	return func(dst []byte, b *block, i int) []byte {
		dst = append(e.s.AppendID(dst, b.seq(i)), ',')
		dst = append(event.AppendTime(dst, b.ints[event.IntReceived][i]), ',')
		dst = event.AppendTime(dst, b.ints[event.IntTime][i])
		for _, column := range fixed {
			dst, _ = b.append(append(dst, ','), column, i)
		}
		for at := range values {
			dst = values[at].append(append(dst, ','), b, i, appendCSV)
		}
		return append(dst, "\r\n"...)
	}
}

// appendCSV appends a cell of an event as a cell of CSV. An empty text has quotes, to tell it from
// no value.
func appendCSV(dst, cell []byte) []byte {
	switch event.CellKind(cell) {
	case event.String:
		start := len(dst)
		dst = event.AppendCellText(dst, cell)
		text := dst[start:]
		if plainCSV(text) {
			return dst
		}
		return appendQuoted(dst[:start], event.Defused(string(text)))
	case event.JSON:
		return appendQuoted(dst, string(event.AppendCellJSON(nil, cell)))
	}
	return event.AppendCellText(dst, cell)
}

// plainCSV reports whether a text is a cell as it is.
func plainCSV(text []byte) bool {
	if len(text) == 0 || text[0] == '\'' || text[0] == ' ' || text[len(text)-1] == ' ' || strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		return false
	}
	return bytes.IndexByte(text, ',') < 0 && bytes.IndexByte(text, '"') < 0 && bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0
}

// appendQuoted appends a text as a cell, with quotes where it needs them.
func appendQuoted(dst []byte, text string) []byte {
	if text != "" && text[0] != ' ' && text[len(text)-1] != ' ' && !strings.ContainsAny(text, ",\"\r\n") {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for i := range len(text) {
		if text[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
}
