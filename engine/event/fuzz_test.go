package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParseEvent: an accepted event is valid. Its JSON form and its record both read
// back as the same event. Invalid JSON is never accepted.
func FuzzParseEvent(f *testing.F) {
	f.Add(benchInput)
	f.Add([]byte(`{"type":"alias","user":"u","previous":"p","time":1795521600000}`))
	f.Add([]byte("\uFEFF{\"name\":\"\\ud83d\\u0000<\",\"properties\":{\"a\":{\"b\":[1e2,{\"c\":null,\"c\":\"\xff\"}]},\"a.b\":-0.0},\"increments\":{\"a\":1e1},\"groups\":[\"g\"]}"))
	f.Add([]byte(`{"name":"a","value":"x","counted":false,"segments":["s"],"context":{"bot":true,"latitude":1},"extra":{"x":[[]]}}`))
	f.Add([]byte(`{"type":"goal","dialect":"matomo","received":"2026-11-20T00:00:00Z","session_of":"0123456789ABCDEF0123456789abcdef","heartbeat":1795435200,"uncounted":["a"],"source":{"ip":"::1","user_agent":null,"accept_language":"de"}}`))
	f.Add([]byte(`{"session_of":null,"dialect":"oppizi","time":1795521600000}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		fuzzImport(t, in)
		var p Parser
		var e Event
		err := p.Event(in, &e)
		if !bytes.Equal(in, before) {
			t.Fatal("the input has changed")
		}
		if err != nil {
			var f *FieldError
			if !errors.As(err, &f) || f.Msg == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !json.Valid(bytes.TrimPrefix(in, []byte("\uFEFF"))) {
			t.Fatalf("%q is not JSON", in)
		}
		if Validate(&e) != nil {
			return
		}
		text := AppendJSON(nil, &e)
		if !json.Valid(text) || !utf8.Valid(text) || bytes.ContainsAny(text, "<>&\u2028\u2029") {
			t.Fatalf("bad JSON %s", text)
		}
		e.Finish()
		if len(text) <= EventBytesMax { // escapes can make it longer than the input
			var again Event
			if err := p.Event(text, &again); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			again.Finish()
			if !reflect.DeepEqual(again, e) {
				t.Fatalf("%s\nread\n%+v\nwant\n%+v", text, again, e)
			}
		}
		size, leaves, names := 0, 0, make(map[string]bool)
		for _, m := range e.Properties {
			size += len(m.Key) + len(m.Value.Text)
		}
		e.Counts(func(property, term string, by int64) bool {
			names[property] = true
			leaves++
			return true
		})
		for property := range names {
			if len(property) > MaxPathBytes {
				t.Fatalf("a path of %d bytes is counted", len(property))
			}
		}
		if most := countedBytes(size) + 300; leaves > CountedLeavesMax+20 || len(strings.Join(slices.Collect(maps.Keys(names)), "")) > most {
			t.Fatalf("%d leaves are counted under %d names", leaves, len(names))
		}
		record := AppendRecord(nil, &Head{Session: e.Session}, AppendBody(nil, &e))
		read, err := DecodeRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*read, e) {
			t.Fatalf("record read\n%+v\nwant\n%+v", *read, e)
		}
		e.Counts(func(property, term string, by int64) bool { return true })
	})
}

// fuzzImport checks that an imported event has all that Import promises, and that its exported
// form is the same event.
func fuzzImport(t *testing.T, in []byte) {
	const now = 1795521600000
	var p Parser
	var r, again Record
	var im Import
	if err := p.Import(in, now, &r, &im); err != nil {
		var f *FieldError
		if !errors.As(err, &f) || f.Msg == "" {
			t.Fatalf("error %v", err)
		}
		return
	}
	e := &r.Event
	if e.Received < FirstTime || e.Received > now || !slices.Contains(Dialects, e.Dialect) ||
		e.SessionOf != "" && (!e.Imported || len(e.SessionOf) != 32) || im.Heartbeat != 0 && e.SessionOf == "" || p.importing != nil {
		t.Fatalf("%q: %+v %+v", in, e, im)
	}
	if Validate(e) != nil {
		return
	}
	text := bytes.TrimSuffix(AppendJSON(nil, e), []byte("}"))
	if e.Imported && e.SessionOf == "" {
		text = append(text, `,"session_of":null`...)
	} else if e.Imported {
		text = append(text, `,"session_of":"`+e.SessionOf+`"`...)
	}
	text = append(append(text, `,"uncounted":`...), append(AppendStrings(nil, e.NotCounted), '}')...)
	if err := p.Import(text, now, &again, new(Import)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	e.Finish()
	if again.Event.Finish(); !reflect.DeepEqual(again.Event, *e) {
		t.Fatalf("%s\nread\n%+v\nwant\n%+v", text, again.Event, *e)
	}
}

// FuzzParser compares the Parser with encoding/json.
func FuzzParser(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",{"b":null}]}`, `[1e400]`, `"\ud800"`, `01`, "\"\xff\"", `{"a":1,"a":2}`, `[[[[[]]]]]`, `-0.5e-3`, "[1] ", `{"":{"":""}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.HasPrefix(in, []byte("\uFEFF")) {
			return
		}
		var p Parser
		v, err := p.Value(in, storedLimits)
		if err == nil && !json.Valid(in) {
			t.Fatalf("%q is accepted", in)
		}
		if end := skipValue(string(in), skipSpace(string(in), 0), 1); json.Valid(in) && end < 0 && !bytes.Contains(in, []byte("[[[[[[[[[[")) && !bytes.Contains(in, []byte(`":{`)) {
			t.Fatalf("%q is not skipped", in)
		} else if err == nil && skipSpace(string(in), end) != len(in) {
			t.Fatalf("%q is skipped to %d", in, end)
		}
		if err != nil {
			return
		}
		if v.Kind == JSON {
			at := p.begin(string(in), storedLimits)
			copied, _, ferr := p.compact(nil, at, 1)
			if ferr != nil || string(copied) != v.Text {
				t.Fatalf("%q is %q, %v, by compact", v.Text, copied, ferr)
			}
		}
		form := appendForm(nil, v)
		again, err := p.Value(form, storedLimits)
		if err != nil || again != v || !json.Valid(form) || !utf8.Valid(form) {
			t.Fatalf("%s: %v %v, want %v", form, again, err, v)
		}
		if v.Kind == JSON {
			CellLeaves(AppendCell(nil, v), func(path, term string) bool { return true })
			GetPath(Object{{"a", v}}, "a.b.c")
			if o, err := v.Object(&p); err == nil && !json.Valid(AppendObject(nil, o)) {
				t.Fatalf("object of %s", form)
			}
			if list, err := v.Array(&p); err == nil {
				for _, e := range list {
					if e.Kind == Absent {
						t.Fatalf("array of %s", form)
					}
				}
			}
		}
		n := 0
		if err := p.Each(in, storedLimits, func(i int, raw []byte) error { n++; return nil }); err == nil && !v.IsArray() {
			t.Fatalf("%q has %d elements", in, n)
		}
	})
}

// FuzzRecord: any bytes are either refused as corrupt, or make an event whose record
// reads back as the same event.
func FuzzRecord(f *testing.F) {
	e, head := fullEvent()
	f.Add(AppendRecord(nil, head, AppendBody(nil, e)))
	f.Add(AppendRecord(nil, &Head{}, AppendBody(nil, &Event{Dialect: Native, Type: Page})))
	cut, cutHead := cutEvent()
	f.Add(AppendRecord(nil, cutHead, AppendBody(nil, cut)))
	imported, importedHead := importedEvent()
	f.Add(AppendRecord(nil, importedHead, AppendBody(nil, imported)))
	b := benchEvent()
	f.Add(AppendRecord(nil, &Head{SessionOrd: 1, PersonOrd: 1}, AppendBody(nil, b)))
	f.Add(AppendRecord(nil, &Head{}, AppendBody(nil, browserEvent())))
	f.Fuzz(func(t *testing.T, record []byte) {
		before := bytes.Clone(record)
		e, err := DecodeRecord(record)
		if !bytes.Equal(record, before) {
			t.Fatal("the record has changed")
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		again := AppendRecord(nil, HeadOf(e), AppendBody(nil, e))
		read, err := DecodeRecord(again)
		if err == nil && reflect.DeepEqual(read.Cut, e.Cut) {
			read.Cut = e.Cut // so that they compare equal
		}
		if err != nil || fmt.Sprintf("%+v", read) != fmt.Sprintf("%+v", e) {
			t.Fatalf("%v\nread\n%+v\nwant\n%+v", err, read, e)
		}
		if text := AppendJSON(nil, e); !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		e.Counts(func(property, term string, by int64) bool { return true })
	})
}

// FuzzCell: every function for cells is safe with any bytes. A valid cell is the cell
// of its value.
func FuzzCell(f *testing.F) {
	for _, s := range []string{"", "s", "sx", "d1.0", "t", "f", "n", `j{"a":[1,{"b":"x"}]}`, "o{\"a\":\x01,\"url\":\x02 }", "i\x00\x01\xa2\x1d\xb8\x23\x000123456789abcdef", "h0123456789abcdef", "u0123456789abcdef", "j[", "j{\"a\":", "q"} {
		f.Add([]byte(s), []byte("d1"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		before := bytes.Clone(a)
		v := CellValue(a)
		if validCell(a) {
			if got := AppendCell(nil, v); !bytes.Equal(got, a) {
				t.Fatalf("%q became %q", a, got)
			}
			if _, ok := v.Term(); ok != CellScalar(a) {
				t.Fatalf("%q: term %v", a, ok)
			}
		}
		paths := make(map[string]int)
		eachInside(a, func(path, _, _ string) {
			if paths[path] > 0 || len(paths) < 20 {
				paths[path]++
			}
		})
		for path, n := range paths {
			found := 0
			if CellTerms(a, path, func(string) { found++ }); found < n && !IsShape(a) {
				t.Fatalf("%q has %d leaves at %q, %d are found", a, n, path, found)
			}
		}
		AppendCellTerm(nil, a)
		c := CompareCells(a, b)
		if c != -CompareCells(b, a) || (c == 0) != bytes.Equal(a, b) || CompareCells(a, a) != 0 {
			t.Fatalf("order of %q and %q: %d", a, b, c)
		}
		if !bytes.Equal(a, before) {
			t.Fatal("the cell has changed")
		}
	})
}

// FuzzTerm: a query finds the string with its text, and the number that it is.
func FuzzTerm(f *testing.F) {
	for _, s := range []string{"0100", "100", "1e2", "-0.0", "1e308", "1e309", "x", "", "0.000", "1.", "9007199254740993"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		terms := QueryTerms(q)
		if len(terms) < 1 || len(terms) > 2 || terms[0] != q || len(terms) == 2 && terms[1] == q {
			t.Fatalf("%q asks for %q", q, terms)
		}
		if term, ok := Str(q).Term(); !ok || term != q {
			t.Fatalf("string %q has the term %q", q, term)
		}
		if numberEnd(q, 0) == len(q) && q != "" {
			term, ok := Num(q).Term()
			if !ok || !slices.Contains(terms, term) {
				t.Fatalf("number %q has the term %q, the query asks for %q", q, term, terms)
			}
			if len(term) > 1+2+decimalExponentMax+decimalDigitsMax && term != q {
				t.Fatalf("term of %d bytes", len(term))
			}
		}
		if len(terms) == 2 && len(terms[1]) <= decimalDigitsMax {
			if again := QueryTerms(terms[1]); len(again) != 1 {
				t.Fatalf("%q is not canonical: %q", terms[1], again)
			}
		}
	})
}
