// Numbers: the type JSON of ClickHouse refuses a whole row for a number that neither fits in 64 bits nor is
// below 1.8e308, such as an id of 20 digits. Whoever may send events could so stop the sink. Such a number
// goes as a text.

package clickhouse

import (
	"bytes"
	"strconv"
)

// digitsMin is the length from which on a number may be too large: 9223372036854775808 has 19.
const digitsMin = 19

// quoteNumbers returns the lines with every number that is too large as a text. Without one it returns
// lines itself; else buf, grown.
func quoteNumbers(buf, lines []byte) []byte {
	from := 0
	buf = buf[:0]
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
				buf = append(buf, lines[from:i]...)
				buf = append(append(append(buf, '"'), number...), '"')
				from = end
			}
			i = end
		default:
			i++
		}
	}
	if from == 0 {
		return lines
	}
	return append(buf, lines[from:]...)
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
