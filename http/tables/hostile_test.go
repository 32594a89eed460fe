package tables

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"cairn/http/native"
)

// This file tries answers whose texts come from somebody who wants to do harm.

// hostile are texts that somebody may send in any field of an event.
var hostile = []string{
	"\x1b[2J\x1b[H\x1b]0;gone\x07", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "\u009b31m", "a\r\nb\x00\x08\x08\x08c\td",
	"\u202egnp.exe\u202c", "\u200b\u200d\ufeff", "日本語" + strings.Repeat("漢", 400), strings.Repeat("x", 5000), "e" + strings.Repeat("\u0301", 300),
	"👨‍👩‍👧‍👦", "│ 100 % │ ████ │", "<script>alert(1)</script>", "=cmd()|' /C calc'!A0", `"quoted", with, commas`, "\ufffd\ufffd", "\u2028\u2029", "\U000e0041\U000e0042",
}

// structural are members whose texts the server makes itself.
var structural = map[string]bool{
	"time": true, "start": true, "end": true, "from": true, "to": true, "until": true, "first": true, "last": true, "first_seen": true, "last_seen": true,
	"received": true, "zone": true, "interval": true, "period": true, "dialect": true, "dialects": true, "unit": true, "entity": true, "mode": true,
}

// poison puts a text into every member of an answer that may have one.
func poison(text []byte, with string) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	var walk func(v any, key string) any
	walk = func(v any, key string) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k], k)
			}
			if key == "properties" || key == "extra" {
				v[with] = with
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i], key)
			}
		case string:
			if !structural[key] || (key == "from" || key == "to") && !strings.HasSuffix(v, "Z") {
				return with
			}
		}
		return v
	}
	out, err := json.Marshal(walk(v, ""))
	if err != nil {
		panic(err)
	}
	return out
}

var colours = regexp.MustCompile(`\x1b\[[0-9]{1,2}m`)

// No text of an event moves the cursor, changes a colour, breaks a line or hides anything, and the
// table has the lines that it has with harmless texts.
func TestHostileTexts(t *testing.T) {
	harmless := make(map[string]int) // lines
	for name, r := range reports(t, func(_ string, text []byte) []byte { return poison(text, "x") }) {
		for _, s := range styles {
			harmless[name+s.name] = strings.Count(r.Text(s.Style), "\n")
		}
	}
	for _, with := range hostile {
		for name, r := range reports(t, func(_ string, text []byte) []byte { return poison(text, with) }) {
			for _, s := range styles {
				text := r.Text(s.Style)
				plain := text
				if s.Color {
					plain = colours.ReplaceAllString(text, "")
				}
				lines := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
				for _, l := range lines {
					checkSafe(t, l)
					if s.Width > 0 && width(l) > s.Width {
						t.Errorf("%s, %s: a line takes %d columns: %q", name, s.name, width(l), l)
					}
				}
				// On a terminal the title of a column may need a second line, and what is left out a sentence.
				if s.BytesMax == 0 {
					want, slack := harmless[name+s.name], 0
					if s.Width > 0 {
						slack = len(r.Tables) + 6
					}
					if off := len(lines) - want; off > slack || -off > slack {
						t.Errorf("%s, %s: %d lines with %.40q, %d with a harmless text:\n%s", name, s.name, len(lines), with, want, plain)
					}
				}
				if t.Failed() {
					return
				}
			}
		}
	}
}

// At any width, narrow and wide, lines are whole: none is wider than the terminal.
func TestEveryWidth(t *testing.T) {
	for name, r := range reports(t, same) {
		for wide := 1; wide <= 200; wide += 1 + wide/12 {
			for l := range strings.Lines(r.Text(Style{Width: wide, Draw: true})) {
				if w := width(strings.TrimSuffix(l, "\n")); w > wide {
					t.Fatalf("%s: a line takes %d columns of %d: %q", name, w, wide, l)
				}
			}
		}
	}
}

// Colours add nothing to what is read: without them the text is the same.
func TestColoursTellNothing(t *testing.T) {
	for name, r := range reports(t, same) {
		for _, wide := range []int{0, 40, 80, 120} {
			s := Style{Width: wide, Draw: true}
			plain := r.Text(s)
			s.Color = true
			if got := colours.ReplaceAllString(r.Text(s), ""); got != plain {
				t.Errorf("%s at %d:\n%s\nwithout colours:\n%s", name, wide, got, plain)
			}
		}
	}
}

// Read takes any bytes: what is no answer is an error, or a report that can be written.
func FuzzRead(f *testing.F) {
	for i, a := range answers {
		f.Add(uint8(i), answer(f, a.name))
	}
	f.Add(uint8(0), []byte(`{"by":{"x":{"rows":[1,null,{"value":7}]}},"series":[null,{"time":3}],"total":[]}`))
	questions := native.Questions()
	f.Fuzz(func(t *testing.T, at uint8, text []byte) {
		q := &questions[int(at)%len(questions)]
		r, err := Read(q, nil, text, Options{})
		if err != nil {
			return
		}
		for _, s := range styles {
			for l := range strings.Lines(r.Text(s.Style)) {
				if l = colours.ReplaceAllString(strings.TrimSuffix(l, "\n"), ""); s.Width > 0 && width(l) > s.Width {
					t.Errorf("%s: %q", s.name, l)
				}
				checkSafe(t, l)
			}
		}
	})
}
