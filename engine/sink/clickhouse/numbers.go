// Numbers: the type JSON of ClickHouse refuses a whole row for a number that neither fits in 64 bits nor is
// below 1.8e308, such as an id of 20 digits. Whoever may send events could so stop the sink. Such a number
// goes as a text.

package clickhouse

import (
	"bytes"
	"io"
	"strconv"
)

// digitsMin is the length from which on a number may be too large: 9223372036854775808 has 19.
const digitsMin = 19

// quoteNumbers writes lines with every number that is too large as a text.
func quoteNumbers(w io.Writer, lines []byte) error {
	from := 0
	for i := 0; i < len(lines); {
		switch c := lines[i]; {
		case c == '"':
			i = endOfText(lines, i)
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(lines) && isNumeric(lines[end]) {
				end++
			}
			if number := lines[i:end]; !fitsJSON(number) {
				if err := writeAll(w, lines[from:i], quote, number, quote); err != nil {
					return err
				}
				from = end
			}
			i = end
		default:
			i++
		}
	}
	return writeAll(w, lines[from:])
}

var quote = []byte{'"'}

func writeAll(w io.Writer, texts ...[]byte) error {
	for _, text := range texts {
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// endOfText returns the place behind a text that begins at i.
func endOfText(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n + 1
		escapes := 0
		for at := i - 2; b[at] == '\\'; at-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return i
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// fitsJSON reports whether ClickHouse takes a number in a value of type JSON.
func fitsJSON(number []byte) bool {
	if len(number) < digitsMin && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return true
	}
	if bytes.ContainsAny(number, ".eE") {
		_, err := strconv.ParseFloat(string(number), 64)
		return err == nil
	}
	if number[0] == '-' {
		_, err := strconv.ParseInt(string(number), 10, 64)
		return err == nil
	}
	_, err := strconv.ParseUint(string(number), 10, 64)
	return err == nil
}
