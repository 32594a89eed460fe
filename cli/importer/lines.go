package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"cairn/engine/event"
)

// This file reads lines, and JSON: an object a line, or the elements of an array.

// lineBytesMax is the longest line, record of CSV, or element of JSON that is read.
const lineBytesMax = 4 << 20

var errLong = fmt.Errorf("the line is longer than %d MiB", lineBytesMax>>20)

// jsonLimits hold for one record. Its size bounds its strings.
var jsonLimits = event.Limits{Depth: 64, Members: 1024, KeyBytes: 1024, StringBytes: lineBytesMax}

// alias is b as a string, which changes when b does.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// lines reads lines of any length up to lineBytesMax.
type lines struct {
	in   *bufio.Reader
	long []byte
	n    int  // number of the last line, from 1
	cr   bool // the last line ended in CR LF
}

var utf8BOM = []byte("\xef\xbb\xbf")

// next is the next line without its end, valid until the next call. ended is false for a last
// line that has no end. At the end of the text err is io.EOF.
func (l *lines) next() (line []byte, ended bool, err error) {
	part, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = l.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if l.long = append(l.long, part...); len(l.long) > lineBytesMax {
				l.n++
				return nil, false, errLong
			}
			part, err = l.in.ReadSlice('\n')
		}
		l.long = append(l.long, part...)
		part = l.long
	}
	if err != nil && !errors.Is(err, io.EOF) {
		l.n++
		return nil, false, err // a cut line of a broken container is not a line
	}
	if len(part) == 0 {
		return nil, false, io.EOF
	}
	l.n++
	if l.n == 1 {
		part = bytes.TrimPrefix(part, utf8BOM)
	}
	if n := len(part); n > 0 && part[n-1] == '\n' {
		ended, part = true, part[:n-1]
	}
	line, l.cr = bytes.CutSuffix(part, []byte("\r"))
	return line, ended, nil
}

// elements reads the objects of a JSON text: of an array, or one after the other.
type elements struct {
	in   *bufio.Reader
	buf  []byte
	line int // of the last byte, from 1
	from int // where the last element begins
}

// next is the next object, valid until the next call. What it is made of is judged by who parses
// it: this counts brackets only.
func (e *elements) next() ([]byte, error) {
	for {
		c, err := e.in.ReadByte()
		if err != nil {
			return nil, err
		}
		switch c {
		case '\n':
			e.line++
		case ' ', '\t', '\r', ',', '[', ']', 0xEF, 0xBB, 0xBF:
		case '{':
			e.from = e.line
			return e.object()
		default:
			return nil, fmt.Errorf("an object is expected where %q stands", c)
		}
	}
}

func (e *elements) object() ([]byte, error) {
	e.buf = append(e.buf[:0], '{')
	for depth, text, escaped := 1, false, false; depth > 0; {
		c, err := e.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if len(e.buf) == lineBytesMax {
			return nil, fmt.Errorf("an object is longer than %d MiB", lineBytesMax>>20)
		}
		e.buf = append(e.buf, c)
		switch {
		case c == '\n':
			e.line++
		case text && escaped:
			escaped = false
		case text && c == '\\':
			escaped = true
		case c == '"':
			text = !text
		case text:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
	}
	return e.buf, nil
}

// jsonRecords reads records of JSON into builders.
type jsonRecords struct {
	lines    *lines
	elements *elements // instead of lines, for an array
	table    *table
}

// newJSON reads what begins with head: an array, objects over several lines, or an object a line.
func newJSON(m *member, head []byte, t *table) *jsonRecords {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), " \t\r\n")
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.HasPrefix(head, []byte("[")) || string(bytes.TrimRight(first, " \t\r")) == "{" {
		return &jsonRecords{elements: &elements{in: m.in, line: 1}, table: t}
	}
	return &jsonRecords{lines: &lines{in: m.in}, table: t}
}

// raw is the next record that is not blank.
func (j *jsonRecords) raw() (raw []byte, line int, err error) {
	if j.elements != nil {
		raw, err = j.elements.next()
		return raw, max(j.elements.from, 1), err
	}
	for {
		raw, _, err = j.lines.next()
		if raw = bytes.TrimSpace(raw); len(raw) > 0 || err != nil {
			return raw, j.lines.n, err
		}
	}
}

func (j *jsonRecords) next(b *builder) (raw []byte, line int, err error) {
	raw, line, err = j.raw()
	if err != nil {
		return nil, line, err
	}
	o, err := b.parser.Object(raw, jsonLimits)
	if err != nil {
		return raw, line, refusal{err.Error()}
	}
	b.object(j.table, o)
	return raw, line, nil
}
