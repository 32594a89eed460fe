package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParserValue(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Value
	}{
		{"string", `"abc"`, Str("abc")},
		{"empty string", `""`, Str("")},
		{"white space around", " \t\r\n\"abc\" \n", Str("abc")},
		{"byte order mark", "\uFEFF1", Num("1")},
		{"escapes", `"\"\\\/\n\r\t\u0041"`, Str("\"\\/\n\r\tA")},
		{"control characters removed", `"a\u0000b\b\f\u001fc"`, Str("abc")},
		{"delete is a character", `"\u007f"`, Str("\u007f")},
		{"surrogate pair", `"\ud83d\ude00"`, Str("😀")},
		{"high surrogate alone", `"a\ud83dz"`, Str("a\uFFFDz")},
		{"low surrogate alone", `"\ude00"`, Str("\uFFFD")},
		{"two high surrogates", `"\ud83d\ud83d\ude00"`, Str("\uFFFD😀")},
		{"high surrogate and a letter", `"\ud83d\u0041"`, Str("\uFFFDA")},
		{"invalid UTF-8", "\"a\xffb\xc3\"", Str("a\uFFFDb\uFFFD")},
		{"surrogate as UTF-8", "\"\xed\xa0\x80\"", Str("\uFFFD\uFFFD\uFFFD")},
		{"overlong", "\"\xc0\x80\"", Str("\uFFFD\uFFFD")},
		{"literal kept", `1.50e+2`, Num("1.50e+2")},
		{"minus zero", `-0`, Num("-0")},
		{"largest", `1.7976931348623157e308`, Num("1.7976931348623157e308")},
		{"true", `true`, Boolean(true)},
		{"false", `false`, Boolean(false)},
		{"null", `null`, Value{Kind: Null}},
		{"compact", ` { "a" : [ 1 , 2.0 , { } , [ ] ] , "b" : null } `, Raw(`{"a":[1,2.0,{},[]],"b":null}`)},
		{"one form of strings", `["\u00e9\/\u003c\u0000","` + "\xff" + `"]`, Raw(`["é/<","` + "\uFFFD" + `"]`)},
		{"last of equal keys", `{"a":1,"b":2,"\u0061":3}`, Raw(`{"b":2,"a":3}`)},
		{"last of many equal keys", `{"a":1,"a":{"x":1},"a":[]}`, Raw(`{"a":[]}`)},
		{"equal keys further in", `[{"a":{"b":1,"b":2}},{"a":1}]`, Raw(`[{"a":{"b":2}},{"a":1}]`)},
		{"keys equal once cleaned", `{"a":1,"a\u0000":2}`, Raw(`{"a":2}`)},
		{"32 deep", strings.Repeat("[", 32) + strings.Repeat("]", 32), Raw(strings.Repeat("[", 32) + strings.Repeat("]", 32))},
	} {
		var p Parser
		v, err := p.Value([]byte(c.in), Limits{})
		if err != nil || v != c.want {
			t.Errorf("%s: %v %v, want %v", c.name, v, err, c.want)
		}
	}
}

func TestParserRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, "\uFEFF", `{`, `[`, `"`, `"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `[1`, `[1,`,
		`{"a":1}x`, `{"a":1}{}`, `1 2`, `[1]]`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `[1 2]`, `{"a" 1}`, `{"a":1 "b":2}`, `{a:1}`, `{'a':1}`, `{1:1}`, `[1}`, `{"a":1]`,
		`01`, `-01`, `+1`, `.5`, `1.`, `1.e1`, `1e`, `1e+`, `-`, `--1`, `0x10`, `1_000`, `NaN`, `Infinity`, `nan`, `-inf`,
		`1e400`, `-1e400`, `1e-400`, `1e999999999999999999999`, `1` + strings.Repeat("0", 309),
		`tru`, `True`, `nul`, `undefined`, `truee`,
		`"\x"`, `"\u12"`, `"\u12g4"`, `"\u 123"`, "\"a\nb\"", "\"\x00\"", "\"\x1f\"", "{\"a\nb\":1}", `"\`,
		strings.Repeat("[", 33) + strings.Repeat("]", 33),
		strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33),
		strings.Repeat("[", 100000),
		"[1]\x00", "/**/1", "1//",
	} {
		var p Parser
		v, err := p.Value([]byte(in), Limits{})
		if _, ok := err.(*FieldError); !ok {
			t.Errorf("%.40q: %v %v", in, v, err)
		}
		if _, err := p.Object([]byte(`{"in":`+in+`}`), Limits{}); err == nil && in != `{"a":1,` {
			t.Errorf("inside an object %.40q is accepted", in)
		}
		if json.Valid([]byte(in)) != (skipValue(in+" ", 0, 1) > 0 && skipSpace(in, skipValue(in+" ", 0, 1)) == len(in)) && len(in) < 1000 {
			t.Errorf("the grammar of %.40q", in)
		}
	}
}

func TestParserLimits(t *testing.T) {
	keys := func(n int) string {
		b := &strings.Builder{}
		for i := range n {
			fmt.Fprintf(b, `,"k%d":%d`, i, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	lim := Limits{Depth: 3, Members: 40, KeyBytes: 10, StringBytes: 20}
	for _, c := range []struct{ name, in, field string }{
		{"members", keys(40), ""},
		{"too many members", keys(41), "!"},
		{"members further in", `{"a":` + keys(40) + `}`, ""},
		{"too many members further in", `{"a":` + keys(41) + `}`, "a"},
		{"depth", `{"a":[[1]]}`, ""},
		{"too deep", `{"a":{"b":[[1]]}}`, "a.b"},
		{"key", `{"` + x(10) + `":1}`, ""},
		{"key too long", `{"` + x(11) + `":1}`, "!"},
		{"key too long further in", `{"a":{"` + x(11) + `":1}}`, "a"},
		{"escaped key that is short", `{"` + strings.Repeat(`\u0041`, 10) + `":1}`, ""},
		{"string", `{"a":"` + x(20) + `"}`, ""},
		{"string too long", `{"a":"` + x(21) + `"}`, "a"},
		{"string too long further in", `{"a":[1,{"b":"` + x(21) + `"}]}`, "a.b"},
		{"number too long", `{"a":` + strings.Repeat("1", 21) + `}`, "a"},
		{"bytes, not characters", `{"a":"` + strings.Repeat("é", 11) + `"}`, "a"},
	} {
		var p Parser
		_, err := p.Object([]byte(c.in), lim)
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.field != "" && (err == nil || err.(*FieldError).Field != strings.Trim(c.field, "!")):
			t.Errorf("%s: %v, want the field %q", c.name, err, c.field)
		}
	}
}

func TestParserObject(t *testing.T) {
	var p Parser
	o, err := p.Object([]byte(`{"a":"x","b":{"c":[1,"\u0032"]},"a":"y","d":null}`), Limits{})
	want := Object{{"a", Str("y")}, {"b", Raw(`{"c":[1,"2"]}`)}, {"d", Value{Kind: Null}}}
	if err != nil || !reflect.DeepEqual(o, want) {
		t.Fatalf("%v %v", o, err)
	}
	inner, err := o.Get("b").Object(&p)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inner.Get("c").Array(&p)
	if err != nil || !reflect.DeepEqual(list, []Value{Num("1"), Str("2")}) {
		t.Fatalf("%v %v", list, err)
	}
	if !reflect.DeepEqual(o, want) {
		t.Fatalf("opening a nested value changed the object: %v", o)
	}
	for _, v := range []Value{{}, Str("{}"), Raw("[]"), Raw("{"), Raw("")} {
		if _, err := v.Object(&p); err == nil {
			t.Errorf("%v is an object", v)
		}
	}
	for _, v := range []Value{{}, Str("[]"), Raw("{}"), Raw("["), Raw("[1"), Raw("[]x"), Raw("[1]x")} {
		if _, err := v.Array(&p); err == nil {
			t.Errorf("%v is an array", v)
		}
	}
	if l, err := Raw("[]").Array(&p); err != nil || len(l) != 0 {
		t.Errorf("%v %v", l, err)
	}
}

// TestParserMany checks that many results stay valid until Reset, over many chunks of
// the Parser's memory.
func TestParserMany(t *testing.T) {
	var p Parser
	for range 2 {
		var all []Object
		var want []string
		for i := range 5000 {
			in := fmt.Sprintf(`{"n\u0061me":"v\u0061lue %d","list":[%d,"\n"],"k%d":%d}`, i, i, i, i)
			o, err := p.Object([]byte(in), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, o)
			want = append(want, fmt.Sprintf(`{"name":"value %d","list":[%d,"\n"],"k%d":%d}`, i, i, i, i))
		}
		for i := range all {
			if got := string(AppendObject(nil, all[i])); got != want[i] {
				t.Fatalf("%s, want %s", got, want[i])
			}
		}
		p.Reset()
	}
}

func TestParserEach(t *testing.T) {
	each := func(in string) (got []string, err error) {
		var p Parser
		err = p.Each([]byte(in), Limits{}, func(i int, raw []byte) error {
			if i != len(got) {
				t.Errorf("element %d comes at %d", i, len(got))
			}
			got = append(got, string(raw))
			_, _ = p.Value([]byte(`{"another":"text"}`), Limits{})
			return nil
		})
		return got, err
	}
	for _, c := range []struct {
		in   string
		want []string
	}{
		{`[]`, nil},
		{" [ ] ", nil},
		{`[1]`, []string{"1"}},
		{"\uFEFF[ {\"a\" : 1} ,\n\"x,]\\\"\" , [1,[2]] , null ] ", []string{`{"a" : 1}`, `"x,]\""`, `[1,[2]]`, `null`}},
	} {
		if got, err := each(c.in); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q %v", c.in, got, err)
		}
	}
	for _, in := range []string{``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[,]`, `[1 2]`, `[1]x`, `[{]`, `[{"a":1]`, `["a]`, `[01]`, `[nul]`, strings.Repeat("[", 1000)} {
		if got, err := each(in); err == nil {
			t.Errorf("%q is an array of %q", in, got)
		}
	}
	stop := fmt.Errorf("stop")
	n := 0
	if err := new(Parser).Each([]byte(`[1,2,3]`), Limits{}, func(int, []byte) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

// TestParserAgrees compares the Parser with encoding/json on drawn values.
func TestParserAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := value(3).Draw(t, "value")
		var p Parser
		for _, in := range [][]byte{appendForm(nil, v), AppendValue(nil, v)} {
			if !json.Valid(in) {
				t.Fatalf("%s is not JSON", in)
			}
			got, err := p.Value(in, Limits{})
			if err != nil || got != v {
				t.Fatalf("%s: %v %v, want %v", in, got, err, v)
			}
		}
	})
}
