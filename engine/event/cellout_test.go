package event

import (
	"strings"
	"testing"
)

// Texts that a spreadsheet would take for a formula, as cells of CSV.
func TestDefused(t *testing.T) {
	for text, cell := range map[string]string{
		"": "", "a": "a", "'": "'", "'a": "'a", "''": "''", "1": "1", " =1": " =1", "a=1": "a=1",
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@a": "'@a", "\t=1": "'\t=1", "\r1": "'\r1",
		"'=1": "''=1", "''=1": "'''=1", "'-": "''-",
	} {
		if got := Defused(text); got != cell {
			t.Errorf("%q: cell %q, want %q", text, got, cell)
		}
		if got := Fused(cell); got != text {
			t.Errorf("%q: text %q, want %q", cell, got, text)
		}
	}
}

// Every text comes back, and no cell begins a formula.
func FuzzDefused(f *testing.F) {
	for _, text := range []string{"", "'", "=1", "''@", "-", "'''", "\r\n", "'a=", "+'"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cell := Defused(text)
		if Fused(cell) != text {
			t.Fatalf("%q becomes %q and then %q", text, cell, Fused(cell))
		}
		if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
			t.Fatalf("%q is a formula: %q", text, cell)
		}
	})
}

// What a cell is as JSON and as text is what its value is.
func TestCellsWithoutValues(t *testing.T) {
	for _, v := range []Value{
		Str(""), Str("a<b"), Str("\u2028"), Str("0123456789abcdef0123456789abcdef"), Str("01234567-89ab-cdef-0123-456789abcdef"),
		Str("ajs-next-1795862399123-0b8e8c5e-0f0f-4b0a-9a36-dedd4bea2501"), Num("-1.50"), Boolean(true), Boolean(false), {Kind: Null},
		Raw(`{"a":"<"}`), Raw(`[1,"b"]`), {},
	} {
		cell := AppendCell(nil, v)
		if got, want := string(AppendCellJSON(nil, cell)), string(AppendValue(nil, v)); got != want {
			t.Errorf("%+v: JSON %s, want %s", v, got, want)
		}
		if got := string(AppendCellText(nil, cell)); got != v.Text {
			t.Errorf("%+v: text %q", v, got)
		}
		if got := CellKind(cell); got != v.Kind {
			t.Errorf("%+v: kind %d", v, got)
		}
	}
	shape := append([]byte{tagShape}, `{"a":`+"\x01}"...)
	if got := string(AppendCellJSON(nil, shape)); got != "null" {
		t.Errorf("a shape is %s", got)
	}
	if got := AppendCellText(nil, shape); len(got) != 0 || CellKind(shape) != Absent {
		t.Errorf("a shape is %q", got)
	}
	cell := AppendCell(nil, Raw(`{"a":{"b.c":1},"a.b":{"c":"x"},"d":[{"e":1}]}`))
	for path, want := range map[string]string{"a": `{"b.c":1}`, "a.b": `{"c":"x"}`, "a.b.c": "1", "d": `[{"e":1}]`, "d.e": "", "e": "", "a.b.c.d": ""} {
		got := AppendCellAt(nil, cell, path)
		if text := string(AppendCellJSON(nil, got)); len(got) > 0 && text != want || len(got) == 0 && want != "" {
			t.Errorf("%s: %s, want %s", path, text, want)
		}
	}
	if got := AppendCellAt(nil, AppendCell(nil, Str("a")), "a"); len(got) != 0 {
		t.Errorf("inside of a text is %q", got)
	}
}

// Shapes that AppendBody cannot have made are none.
func TestShapesDamaged(t *testing.T) {
	for _, text := range []string{"", "{", `{"a":` + "\x01", `{"a":` + "\x02}", `{"a":` + "\x02\x7f}", "[]", `{"a":1} `, `{"a"` + "\x01}"} {
		if s := ShapeOf("xa", append([]byte{tagShape}, text...)); s != nil {
			t.Errorf("%q is a shape: %+v", text, s)
		}
	}
	s := ShapeOf("xa", append([]byte{tagShape}, `{"<":`+"\x01"+`,"url":`+"\x02\x20"+`}`...))
	if s == nil || strings.Join(s.Fields(), " ") != "xa\x01< curl" {
		t.Fatalf("%+v", s)
	}
	got, ok := s.Append([]byte("="), func(dst []byte, i int) ([]byte, bool) { return append(dst, '0'+byte(i)), true })
	if want := `={"\u003c":0,"url":1}`; !ok || string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, ok := s.Append(nil, func(dst []byte, i int) ([]byte, bool) { return dst, i == 0 }); ok {
		t.Error("an object without one of its values is whole")
	}
}
