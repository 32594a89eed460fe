package native

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file writes a table as CSV (RFC 4180). A row is the JSON object that the JSON answer has
// for it, so that both say the same; the columns name members of it.

// csvTable is an answer in CSV. It is written while it is sent, so it takes the memory of one
// row besides that of the answer.
type csvTable struct {
	file    string
	columns []string
	// next appends the JSON object of the next row. It returns io.EOF at the end. After any
	// other error the connection is cut.
	next func(dst []byte) ([]byte, error)
}

// csvRowsMax is how many rows a table has at most.
const csvRowsMax = query.CounterRowsMax

// csvBytes is about how much of a table is sent at once.
const csvBytes = 16 << 10

// sendCSV answers with a table of n rows. columns are members of the rows, in the order of the
// table; "was.visits" is the member visits of the member was, and its column is was_visits. row
// appends the JSON object of the row at i. A member that a row does not have is an empty cell,
// as null is. row is called after the call has returned.
func (c *reading) sendCSV(columns []string, n int, row func(dst []byte, i int) []byte) {
	i := 0
	c.streamCSV(columns, func(dst []byte) ([]byte, error) {
		if i == n {
			return dst, io.EOF
		}
		i++
		return row(dst, i-1), nil
	})
}

// streamCSV is sendCSV for a table whose rows come one after the other, see csvTable.next.
func (c *reading) streamCSV(columns []string, next func(dst []byte) ([]byte, error)) {
	call := c.req.Path[strings.LastIndexByte(c.req.Path, '/')+1:]
	day := time.UnixMilli(c.query.now).In(location(c.site)).Format(time.DateOnly)
	c.csv = &csvTable{file: fileName(c.site.Name+"-"+call+c.query.about()+"-"+day, "csv"), columns: columns, next: next}
}

// fileWordMax is how long a part of the name of a file is, in bytes.
const fileWordMax = 64

// about is what a table is of, for the name of its file: "-search-by-name". Several tables of one
// call and day have several names so.
func (p *params) about() (text string) {
	words := []string{p.single["of"]}
	for _, c := range p.where {
		if c.Field == "type" && c.Op == "" && len(c.Values) == 1 {
			words = append(words, c.Values[0])
		}
	}
	for i, by := range p.lists["by"] {
		if i == 0 {
			words = append(words, "by")
		}
		words = append(words, by)
	}
	for _, word := range words {
		if word != "" {
			text += "-" + shorten(word, fileWordMax)
		}
	}
	return text
}

// fileName is a text as the name of a file: letters, digits, dots and dashes. kind is its ending.
func fileName(text, kind string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '_'
	}, text) + "." + kind
}

// answer fills the response.
func (t *csvTable) answer(res *dialect.Response) {
	res.Status, res.ContentType = 200, "text/csv; charset=utf-8"
	res.Header = append(res.Header, [2]string{"Content-Disposition", `attachment; filename="` + t.file + `"`})
	res.Stream = t.write
}

// write writes the header and the rows.
func (t *csvTable) write(w io.Writer) error {
	out := make([]byte, 0, csvBytes+4096)
	for i, name := range t.columns {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendCell(out, strings.ReplaceAll(name, ".", "_"))
	}
	out = append(out, "\r\n"...)
	cells := make([][]byte, len(t.columns))
	var row []byte
	for {
		var err error
		row, err = t.next(row[:0])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		clear(cells)
		t.members(row, "", cells)
		for i, cell := range cells {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendMember(out, cell)
		}
		if out = append(out, "\r\n"...); len(out) >= csvBytes {
			if _, err := w.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	_, err := w.Write(out)
	return err
}

// members finds the values of the columns in a JSON object. The object is cairn's own.
func (t *csvTable) members(object []byte, prefix string, cells [][]byte) {
	i := 1 // after the brace
	for i < len(object) && object[i] != '}' {
		if object[i] == ',' {
			i++
		}
		key := object[i : i+valueEnd(object[i:])]
		i += len(key) + 1 // and the colon
		value := object[i : i+valueEnd(object[i:])]
		i += len(value)
		name := prefix + string(key[1:len(key)-1])
		for at, column := range t.columns {
			if column == name {
				cells[at] = value
			}
		}
		if value[0] == '{' && prefix == "" && (name == "was" || name == "in") {
			t.members(value, name+".", cells)
		}
	}
}

// valueEnd returns how long the JSON value is that b begins with. There is no white space.
func valueEnd(b []byte) int {
	depth, text := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			if text = !text; !text && depth == 0 {
				return i + 1
			}
		case text:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == ':'):
			return i
		}
	}
	return len(b)
}

// appendMember appends the cell of a JSON value: nothing for null and for what is no scalar.
func appendMember(dst, value []byte) []byte {
	switch {
	case len(value) == 0 || value[0] == 'n' || value[0] == '{' || value[0] == '[':
		return dst
	case value[0] != '"':
		return append(dst, value...)
	case bytes.IndexByte(value, '\\') < 0:
		return appendCell(dst, string(value[1:len(value)-1]))
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return dst
	}
	return appendCell(dst, text)
}

// appendCell appends a text as a cell. A spreadsheet takes a cell that begins with one of
// = + - @ as a formula, so such a text gets an apostrophe before it, unless it is a number. An
// empty text has quotes, to tell it from null.
func appendCell(dst []byte, text string) []byte {
	if text == "" {
		return append(dst, `""`...)
	}
	if strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		if plain, ok := event.Decimal(text); !ok || plain != text {
			text = "'" + text
		}
	}
	if !strings.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}
