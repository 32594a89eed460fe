package importer

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// This file has the table of formats, and recognises them.

// shape is what a format looks like.
type shape uint8

const (
	shapeCSV  shape = 1 << iota // CSV or TSV with a header
	shapeJSON                   // an object a line, or an array
	shapeLog                    // an access log
	shapeRaw                    // events of the native API, which are sent as they are
)

// preset is one format: a map of its columns, and what a map cannot say.
type preset struct {
	name, about string
	shapes      shape
	columns     map[string]string // column → target, see table.go
	// needs are the columns by which a file of this format is known, and without which it cannot
	// be read. "a|b" is one of two.
	needs []string
	// finish decides what the record is, after its columns have been put. It returns a skip or
	// a refusal; other errors are refusals too. nil = the map is all.
	finish func(*builder) error
	// many emits the events of a record that has several; finish is not called then.
	many func(b *builder, emit func() error) error
	own  bool // the words are cairn's
	// beside prepares what lies in a file beside the one that is read. It returns a finish.
	beside func(path string) (func(*builder) error, error)
}

// presets are all formats. The first one whose needs a file satisfies is taken, so those with the
// rarest columns stand first.
func presets() []*preset {
	return []*preset{
		goatcounter, umami, plausible, matomo, matomoLive, openpanel, posthog, mixpanel, amplitude, ga4, segmentRaw, cairnLines, cairnCSV, accessLog,
	}
}

// Format is a format that can be read, for a list of them.
type Format struct{ Name, About string }

// Formats lists the formats.
func Formats() []Format {
	var list []Format
	for _, p := range presets() {
		if len(list) == 0 || list[len(list)-1].Name != p.name {
			list = append(list, Format{p.name, p.about})
		}
	}
	return list
}

// byName are the presets of a name: Matomo has two.
func byName(name string) []*preset {
	var list []*preset
	for _, p := range presets() {
		if p.name == name {
			list = append(list, p)
		}
	}
	return list
}

func formatNames() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// has reports whether the columns, in lower case, have one that is needed.
func has(columns []string, need string) bool {
	for _, one := range strings.Split(need, "|") {
		if slices.Contains(columns, one) {
			return true
		}
	}
	return false
}

// missing are the needs that the columns do not satisfy.
func (p *preset) missing(columns []string) []string {
	var list []string
	for _, need := range p.needs {
		if !has(columns, need) {
			list = append(list, strings.ReplaceAll(need, "|", " or "))
		}
	}
	return list
}

// refusal is why a record is not taken, and skip why it is left out on purpose.
type (
	refusal struct{ why string }
	skip    string
)

func (r refusal) Error() string { return r.why }
func (s skip) Error() string    { return string(s) }

// records reads the records of one member into builders. At the end err is io.EOF; a refusal or a
// skip concerns the record alone; with any other error nothing more can be read.
type records interface {
	next(b *builder) (raw []byte, line int, err error)
}

// look is what the beginning of a text says of it.
type look struct {
	head    []byte // the first bytes
	columns []string
	lower   []string // the columns in lower case
	comma   byte
	json    bool
	log     func(line []byte, h *hit) error // nil = it is no access log
}

// headBytes is how much of a text is looked at.
const headBytes = 64 << 10

// lookAt finds out what a text is. It reads nothing of it away.
func lookAt(m *member) (*look, error) {
	head, err := m.head, error(nil)
	if head == nil {
		head, err = m.in.Peek(headBytes)
	}
	if len(head) == 0 {
		return nil, err // io.EOF: it is empty
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	l := &look{head: head}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), " \t\r\n")
	if len(text) == 0 {
		return nil, io.EOF
	}
	if bytes.IndexByte(text[:min(len(text), 4096)], 0) >= 0 {
		return nil, fmt.Errorf("is neither text nor a container that cairn knows (it begins with %q); UTF-16 must be made UTF-8", text[:min(len(text), 8)])
	}
	if text[0] == '{' || text[0] == '[' {
		l.json = true
		l.columns = keysOf(text)
		if slices.Contains(l.columns, "request") && slices.Contains(l.columns, "ts") {
			l.json, l.log = false, parseCaddy()
		}
	} else if l.log = sniffLog(text); l.log == nil {
		line, _, _ := bytes.Cut(text, []byte("\n"))
		l.columns, l.comma = headerOf(line)
	}
	for _, c := range l.columns {
		l.lower = append(l.lower, strings.ToLower(c))
	}
	return l, nil
}

// keysOf are the keys of the first object of a JSON text, as far as they are there.
func keysOf(text []byte) []string {
	if at := bytes.IndexByte(text, '{'); at >= 0 {
		text = text[at:]
	}
	var keys []string
	eachKey(text, func(key string, _ int) bool {
		if len(keys) < columnsMax {
			keys = append(keys, strings.Clone(key))
		}
		return true
	})
	return keys
}

// eachKey calls yield with the keys of the object at the beginning of a text, and with where their
// values begin, until it returns false. Bad JSON gives some of the keys.
func eachKey(text []byte, yield func(key string, at int) bool) {
	depth, from := 0, -1 // from: where the last string of the object itself begins
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return
			}
		case '"':
			start := i + 1
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return
			}
			if from = -1; depth == 1 {
				from = start
			}
			next := i + 1
			for next < len(text) && (text[next] == ' ' || text[next] == '\t' || text[next] == '\n' || text[next] == '\r') {
				next++
			}
			if from >= 0 && next < len(text) && text[next] == ':' && !yield(alias(text[from:i]), next+1) {
				return
			}
		}
	}
}

// kind says in words what a text looks like.
func (l *look) kind() string {
	switch {
	case l.log != nil:
		return "an access log"
	case l.json:
		return fmt.Sprintf("JSON whose first object has the keys %s", list(l.columns))
	case len(l.columns) > 1:
		return fmt.Sprintf("a table with the columns %s", list(l.columns))
	}
	line, _, _ := bytes.Cut(l.head, []byte("\n"))
	return fmt.Sprintf("text whose first line is %.120q", bytes.TrimSpace(line))
}

// printable is a text of a file as a terminal may have it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// list joins names, at most 40 of them.
func list(names []string) string {
	if len(names) == 0 {
		return "(none)"
	}
	more := ""
	if len(names) > 40 {
		more = fmt.Sprintf(" and %d more", len(names)-40)
		names = names[:40]
	}
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = n[:min(len(n), 60)]
	}
	return strings.Join(short, ", ") + more
}

// fits reports whether a text is of the shape of a preset.
func (p *preset) fits(l *look) bool {
	switch {
	case l.log != nil:
		return p.shapes&shapeLog != 0
	case l.json:
		return p.shapes&(shapeJSON|shapeRaw) != 0
	}
	return p.shapes&shapeCSV != 0 && len(l.columns) > 0
}

// recognise chooses the preset of a text. name is what the caller says it is, "" = nothing.
func recognise(l *look, name string, mapped *userMap) (*preset, error) {
	if name == "" && mapped != nil {
		p := &preset{name: "map", shapes: shapeCSV | shapeJSON, needs: mapped.columns()}
		if !p.fits(l) {
			return nil, fmt.Errorf("has no columns, so -map cannot be used. It is %s", l.kind())
		}
		if missing := p.missing(l.lower); len(missing) > 0 {
			return nil, fmt.Errorf("lacks %s, which -map names. It is %s", strings.Join(missing, ", "), l.kind())
		}
		return p, nil
	}
	if name == "" {
		for _, p := range presets() {
			if p.fits(l) && (l.log != nil || len(p.missing(l.lower)) == 0) {
				return p, nil
			}
		}
		if has(l.lower, "website_event_id") && has(l.lower, "data_key") {
			return nil, errBesideAlone
		}
		return nil, fmt.Errorf("is of no known format. It is %s. cairn knows %s; for any other table or JSON, say with -map which column is what", l.kind(), formatNames())
	}
	var first error
	for _, p := range byName(name) {
		missing := p.missing(l.lower)
		if p.fits(l) && len(missing) == 0 || l.log != nil && p.shapes&shapeLog != 0 {
			return p, nil
		}
		if first == nil || p.fits(l) {
			first = fmt.Errorf("is not of the format %s. It is %s", name, l.kind())
			if p.fits(l) {
				first = fmt.Errorf("is not of the format %s: it lacks %s. It is %s", name, strings.Join(missing, ", "), l.kind())
			}
		}
	}
	if first == nil {
		return nil, fmt.Errorf("cairn has no format %q; it knows %s", name, formatNames())
	}
	return nil, first
}
