package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// text draws strings as clients send them: words, numbers as text, ids, and difficult
// characters.
func text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z ]{0,20}`),
		rapid.StringMatching(`-?[0-9]{1,6}(\.[0-9]{1,3})?`),
		rapid.StringMatching(`[0-9a-f]{32}`),
		rapid.StringMatching(`[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
		rapid.SampledFrom([]string{"", "true", "null", "é", "日本語", "😀", "a\tb\nc", `"\`, "<&>\u2028", "(other)", strings.Repeat("x", 300)}),
	)
}

func number() *rapid.Generator[string] {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,10})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`)
}

// value draws any value that may be stored. Nested values are in the canonical form.
func value(depth int) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		most := 5
		if depth == 0 {
			most = 3
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			return Str(text().Draw(t, "text"))
		case 1:
			return Num(number().Draw(t, "number"))
		case 2:
			return Boolean(rapid.Bool().Draw(t, "bool"))
		case 3:
			return Value{Kind: Null}
		case 4:
			b := []byte{'['}
			for i, v := range rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "elements") {
				if i > 0 {
					b = append(b, ',')
				}
				b = appendForm(b, v)
			}
			return Raw(string(append(b, ']')))
		}
		b := []byte{'{'}
		for i, m := range object(depth-1, 4).Draw(t, "members") {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendForm(append(appendQuoted(b, m.Key, false), ':'), m.Value)
		}
		return Raw(string(append(b, '}')))
	})
}

// appendForm is AppendValue in the form of cells.
func appendForm(dst []byte, v Value) []byte {
	switch v.Kind {
	case String:
		return appendQuoted(dst, v.Text, false)
	case JSON:
		return append(dst, v.Text...)
	}
	return AppendValue(dst, v)
}

func object(depth, most int) *rapid.Generator[Object] {
	return rapid.Custom(func(t *rapid.T) Object {
		var o Object
		for range rapid.IntRange(0, most).Draw(t, "members") {
			key := rapid.OneOf(rapid.StringMatching(`[a-c]{1,3}(\.[a-c]{1,2})?`), rapid.SampledFrom([]string{"caf\u00e9", `a"b`, "a b", strings.Repeat("k", 128)})).Draw(t, "key")
			o.Set(key, value(depth).Draw(t, "value"))
		}
		return o
	})
}

func TestCell(t *testing.T) {
	for _, c := range []struct {
		v    Value
		cell string
	}{
		{Str(""), "s"},
		{Str("café"), "scafé"},
		{Str("507f191e810c19729de860ea507f191e"), "h\x50\x7f\x19\x1e\x81\x0c\x19\x72\x9d\xe8\x60\xea\x50\x7f\x19\x1e"},
		{Str("507F191e810c19729de860ea507f191e"), "s507F191e810c19729de860ea507f191e"},
		{Str("022bb90c-bbac-11e4-8dfc-aa07a5b093db"), "u\x02\x2b\xb9\x0c\xbb\xac\x11\xe4\x8d\xfc\xaa\x07\xa5\xb0\x93\xdb"},
		{Str("022BB90C-bbac-11e4-8dfc-aa07a5b093db"), "s022BB90C-bbac-11e4-8dfc-aa07a5b093db"},
		{Str("022bb90cabbac-11e4-8dfc-aa07a5b093db"), "s022bb90cabbac-11e4-8dfc-aa07a5b093db"},
		{Num("1.50"), "d1.50"},
		{Boolean(true), "t"},
		{Boolean(false), "f"},
		{Value{Kind: Null}, "n"},
		{Raw(`{"a":[1]}`), `j{"a":[1]}`},
		{Value{}, ""},
	} {
		cell := AppendCell([]byte("-"), c.v)[1:]
		if string(cell) != c.cell {
			t.Errorf("cell of %v: %q, want %q", c.v, cell, c.cell)
		}
		if v := CellValue(cell); v != c.v {
			t.Errorf("value of %q: %v, want %v", cell, v, c.v)
		}
		if ok := validCell(cell); ok != (c.v.Kind != Absent) {
			t.Errorf("validCell(%q) = %v", cell, ok)
		}
	}
	for _, cell := range []string{"", "?", "h123", "u", "tt", "n ", "d", "d01", "d1 ", "j", "j1", "j[", "j{}x", "s\xff", "s\x00",
		"s507f191e810c19729de860ea507f191e", "s022bb90c-bbac-11e4-8dfc-aa07a5b093db"} {
		if validCell([]byte(cell)) {
			t.Errorf("%q is a cell", cell)
		}
	}
}

func TestCellRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := value(2).Draw(t, "a"), value(2).Draw(t, "b")
		ca, cb := AppendCell(nil, a), AppendCell(nil, b)
		if v := CellValue(ca); v != a {
			t.Fatalf("%v became %v", a, v)
		}
		if v := aliasValue(ca); v != a {
			t.Fatalf("%v became %v", a, v)
		}
		if !validCell(ca) {
			t.Fatalf("%q is not a cell", ca)
		}
		if bytes.Equal(ca, cb) != (a == b) {
			t.Fatalf("%v and %v have cells %q and %q", a, b, ca, cb)
		}
	})
}

func TestCellLeaves(t *testing.T) {
	for _, c := range []struct{ json, leaves string }{
		{`"x"`, "=x"},
		{`1.0`, "=1"},
		{`null`, ""},
		{`[]`, ""},
		{`{}`, ""},
		{`[1,1.0,"1",2]`, "=1 =1 =1 =2"},
		{`[[1],[true,null]]`, "=1 =true"},
		{`{"a":1,"b":{"c":"x","d":[1,2]}}`, "a=1 b.c=x b.d=1 b.d=2"},
		{`{"a.b":1,"a":{"b":1,"c":2}}`, "a.b=1 a.b=1 a.c=2"},
		{`[{"a":1},{"a":2},{"a":1}]`, "a=1 a=2 a=1"},
		{`{"\u0061\n":"\u0062"}`, "a\n=b"},
		{`{"a":{"b":{"c":null}}}`, ""},
	} {
		var p Parser
		v, err := p.Value([]byte(c.json), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		CellLeaves(AppendCell(nil, v), func(path, term string) bool {
			got = append(got, path+"="+term)
			return true
		})
		if strings.Join(got, " ") != c.leaves {
			t.Errorf("leaves of %s: %q, want %q", c.json, got, c.leaves)
		}
	}
}

func TestCellLeavesStop(t *testing.T) {
	n := 0
	CellLeaves(AppendCell(nil, Raw("[1,[2,3],4,5]")), func(string, string) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("yield was called after false: %d", n)
	}
}

// eachInside calls yield with the leaves of a cell under the paths that Inside gives, and with the
// paths under which the index has them.
func eachInside(cell []byte, yield func(path, term, hashed string)) {
	var hashed []string
	CellLeaves(cell, func(path, _ string) bool {
		hashed = append(hashed, strings.Clone(path))
		return true
	})
	var w leafWalk
	n := 0
	w.of("k", CellValue(cell), func(path []byte, v Value) bool {
		inside := ""
		if keys, ok := strings.CutPrefix(string(path), "k."); ok {
			inside = Inside(keys)
		}
		yield(inside, strings.Clone(w.termOf(v)), hashed[n])
		n++
		return true
	})
}

// An empty key in an object is a key: what it has is neither the object's nor its other keys'. The
// index finds it by the hashes that older cairns have stored.
func TestEmptyKeys(t *testing.T) {
	for _, text := range []string{
		`{"":1}`, `{"":{"":2}}`, `{"":{"b":3}}`, `{"b":{"":4}}`, `{"":{"":{"b":5}}}`, `{".":6}`, `{".b":7}`, `{"b":{"":{"c":8}}}`, `[{"":9},{"":{"b":[10]}}]`,
		`{"":{".b":11}}`, `{"..":12}`,
	} {
		cell := AppendCell(nil, Raw(text))
		eachInside(cell, func(path, term, hashed string) {
			found := 0
			CellTerms(cell, path, func(string) { found++ })
			if found == 0 || path == "" {
				t.Errorf("%s: nothing at %q", text, path)
			}
			if !slices.Contains(HashedPaths(path), hashed) {
				t.Errorf("%s: the index has %q at %q, not at one of %q", text, path, hashed, HashedPaths(path))
			}
		})
		for _, path := range []string{"", "c"} {
			CellTerms(cell, path, func(term string) { t.Errorf("%s: %q at %q", text, term, path) })
		}
	}
}

// The terms at one path are those that the walk of all leaves finds there.
func TestCellTerms(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, cell []byte, path string) {
		want := make([]string, 0, 8)
		eachInside(cell, func(at, term, _ string) {
			if at == path {
				want = append(want, term)
			}
		})
		got := make([]string, 0, 8)
		CellTerms(cell, path, func(term string) { got = append(got, strings.Clone(term)) })
		if !slices.Equal(got, want) {
			t.Fatalf("%s at %q: %q, want %q", cell, path, got, want)
		}
	}
	for _, text := range []string{
		`{"a":{"b":1,"c":[2,{"d":3}]},"a.b":4,"":{"b":5,"":6}}`, `[[1e2],{"b":[[7]]},"x",null]`, `{"a":{"":{"b":1}}}`, `{"\u0061":{"b":"\n"}}`, `{"a":{"b`, `{"a":{"b":1}`, `[1,`, `{"a":[`,
	} {
		for _, path := range []string{"", "a", "b", "a.b", "a.c", "a.c.d", "a..b", "..b", ".", "..", "a.b.c", "x"} {
			check(t, AppendCell(nil, Raw(text)), path)
		}
	}
	for _, v := range []Value{{}, {Null, ""}, Str("x"), Num("1e2"), Boolean(true)} {
		check(t, AppendCell(nil, v), "")
		check(t, AppendCell(nil, v), "a")
	}
	rapid.Check(t, func(t *rapid.T) {
		cell := AppendCell(nil, value(3).Draw(t, "value"))
		check(t, cell, "")
		eachInside(cell, func(path, _, _ string) { check(t, cell, path) })
	})
}

// A path costs nothing for each leaf under it: walking twenty times as many leaves
// under the longest path makes hardly more allocations.
func TestLeavesShareTheirPath(t *testing.T) {
	deep := func(leaves int) []byte {
		var text strings.Builder
		for i := range 20 {
			fmt.Fprintf(&text, `{"%s%d":`, strings.Repeat("k", 150), i)
		}
		text.WriteByte('{')
		for i := range leaves {
			fmt.Fprintf(&text, `"%d":%d,`, i, i)
		}
		text.WriteString(`"end":1}` + strings.Repeat("}", 20))
		return AppendCell(nil, Raw(text.String()))
	}
	allocated := func(cell []byte) float64 {
		return testing.AllocsPerRun(20, func() {
			CellLeaves(cell, func(string, string) bool { return true })
			CellTerms(cell, "x", func(string) {})
		})
	}
	if few, many := allocated(deep(100)), allocated(deep(2000)); many > few+20 {
		t.Errorf("%v allocations of 100 leaves, %v of 2000", few, many)
	}
}

func TestCompareCells(t *testing.T) {
	ordered := []Value{
		Str(""), Num("-1"), Num("0"), Num("1"), Str("1"), Num("1.0"), Num("10"), Num("2"), Num("2.5"), Str("a"), Boolean(false),
		Str("zz"), Raw("[1]"), Raw(`{"a":1}`), Value{Kind: Null},
	}
	slices.SortFunc(ordered, func(a, b Value) int { return CompareCells(AppendCell(nil, a), AppendCell(nil, b)) })
	const want = `[{1 } {2 -1} {2 0} {2 1} {2 1.0} {1 1} {2 10} {2 2} {2 2.5} {1 a} {3 false} {1 zz} {5 [1]} {5 {"a":1}} {4 }]`
	if got := fmt.Sprint(ordered); got != want {
		t.Errorf("order\n%s\nwant\n%s", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := value(1).Draw(t, "a"), value(1).Draw(t, "b")
		ca, cb := AppendCell(nil, a), AppendCell(nil, b)
		got := CompareCells(ca, cb)
		if got != -CompareCells(cb, ca) || (got == 0) != (a == b) {
			t.Fatalf("order of %v and %v: %d", a, b, got)
		}
		ta, oka := a.Term()
		tb, okb := b.Term()
		if oka && okb && ta != tb && got != strings.Compare(ta, tb) || oka != okb && (got < 0) != oka {
			t.Fatalf("order of %v and %v: %d", a, b, got)
		}
	})
}

// The key of a cell is eight bytes of its term, whatever the form of the cell.
func TestCellKey(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, v Value, skip int) {
		term, ok := v.Term()
		if !ok {
			return
		}
		want := append([]byte(term[min(skip, len(term)):]), make([]byte, 8)...)
		if got := CellKey(AppendCell(nil, v), skip); got != binary.BigEndian.Uint64(want) {
			t.Fatalf("key of %v from %d: %016x, want %x", v, skip, got, want[:8])
		}
	}
	for _, v := range []Value{
		Str(""), Str("a"), Str("eight by"), Str("nine byte"), Num("1e3"), Num("-0.5"), Boolean(true),
		Str("0b9ac3f2-7e1d-4c58-8a6b-d2f90e317a44"), Str("0b9ac3f27e1d4c588a6bd2f90e317a44"),
	} {
		for skip := range 40 {
			check(t, v, skip)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, value(1).Draw(t, "value"), rapid.IntRange(0, 20).Draw(t, "skip")) })
}
