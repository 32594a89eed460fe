package event

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int) (o Object) {
		for i := range n {
			o = append(o, Member{fmt.Sprint("k", i), Num("1")})
		}
		return o
	}
	list := func(n int) []string { return strings.Fields(strings.Repeat("x ", n)) }
	deep := func(n int) Value { return Raw(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, c := range []struct {
		name  string
		set   func(e *Event)
		field string // "" = accepted
	}{
		{"least", func(e *Event) {}, ""},
		{"full", func(e *Event) { *e, _ = func() (Event, any) { f, h := fullEvent(); return *f, h }() }, ""},
		{"type", func(e *Event) { e.Type = "click" }, "type"},
		{"no type", func(e *Event) { e.Type = "" }, "type"},
		{"dialect", func(e *Event) { e.Dialect = "" }, "dialect"},
		{"earliest", func(e *Event) { e.Time = MinTime }, ""},
		{"too early", func(e *Event) { e.Time = MinTime - 1 }, "time"},
		{"latest", func(e *Event) { e.Time = MaxTime }, ""},
		{"too late", func(e *Event) { e.Time = MaxTime + 1 }, "time"},
		{"name", func(e *Event) { e.Name = x(1024) }, ""},
		{"long name", func(e *Event) { e.Name = x(1025) }, "name"},
		{"user", func(e *Event) { e.User = x(256) }, ""},
		{"long user", func(e *Event) { e.User = x(257) }, "user"},
		{"user of 128 letters", func(e *Event) { e.User = strings.Repeat("é", 128) }, ""},
		{"long anonymous", func(e *Event) { e.Anonymous = x(257) }, "anonymous"},
		{"long session", func(e *Event) { e.Session = x(257) }, "session"},
		{"long previous", func(e *Event) { e.Previous = x(257) }, "previous"},
		{"long message id", func(e *Event) { e.MessageID = x(257) }, "message_id"},
		{"groups", func(e *Event) { e.Groups = list(64) }, ""},
		{"many groups", func(e *Event) { e.Groups = list(65) }, "groups"},
		{"long group", func(e *Event) { e.Groups = []string{x(257)} }, "groups"},
		{"empty group", func(e *Event) { e.Groups = []string{"\x00"} }, "groups"},
		{"segments", func(e *Event) { e.Segments = list(32) }, ""},
		{"many segments", func(e *Event) { e.Segments = list(33) }, "segments"},
		{"value", func(e *Event) { e.Value = Boolean(true) }, "value"},
		{"value nested", func(e *Event) { e.Value = Raw("[]") }, "value"},
		{"value null", func(e *Event) { e.Value = Value{Kind: Null} }, "value"},
		{"value that is no number", func(e *Event) { e.Value = Num("01") }, "value"},
		{"value out of range", func(e *Event) { e.Value = Num("1e999") }, "value"},
		{"increment", func(e *Event) { e.Increments = []Amount{{"a", MaxAmount}, {"b", -MaxAmount}} }, ""},
		{"large increment", func(e *Event) { e.Increments = []Amount{{"a", MaxAmount + 1}} }, "increments.a"},
		{"increment of nothing", func(e *Event) { e.Increments = []Amount{{"", 1}} }, "increments"},
		{"many increments", func(e *Event) { e.Increments = make([]Amount, 257) }, "increments"},
		{"properties", func(e *Event) { e.Properties = many(256) }, ""},
		{"many properties", func(e *Event) { e.Properties = many(257) }, "properties"},
		{"key", func(e *Event) { e.Properties = Object{{x(MaxKeyBytes), Num("1")}} }, ""},
		{"long key", func(e *Event) { e.Properties = Object{{x(MaxKeyBytes + 1), Num("1")}} }, "properties"},
		{"empty key", func(e *Event) { e.Properties = Object{{"", Num("1")}} }, "properties"},
		{"key twice", func(e *Event) { e.Properties = append(many(40), Member{"k7", Num("1")}) }, "properties.k7"},
		{"key twice once clean", func(e *Event) { e.Properties = Object{{"a", Num("1")}, {"a\x00", Num("1")}} }, "properties.a"},
		{"depth", func(e *Event) { e.Properties = Object{{"a", deep(30)}} }, ""},
		{"too deep", func(e *Event) { e.Properties = Object{{"a", deep(31)}} }, "properties.a"},
		{"broken JSON", func(e *Event) { e.Extra = Object{{"a", Raw(`{"b":}`)}} }, "extra.a.b"},
		{"scalar as JSON", func(e *Event) { e.Extra = Object{{"a", Raw(`1`)}} }, "extra.a"},
		{"nested keys", func(e *Event) { e.Extra = Object{{"a", Raw(string(AppendObject(nil, many(257))))}} }, "extra.a"},
		{"odd bool", func(e *Event) { e.Extra = Object{{"a", Value{Bool, "<b>"}}} }, "extra.a"},
		{"odd kind", func(e *Event) { e.Extra = Object{{"a", Value{Kind(99), ""}}} }, "extra.a"},
		{"absent values are not there", func(e *Event) { e.Extra = Object{{"", Value{}}}; e.Context = Object{{"foo", Value{}}} }, ""},
		{"context", func(e *Event) {
			e.Context = Object{{"country", Str("NL")}, {"latitude", Num("1")}, {"bot", Boolean(true)}}
		}, ""},
		{"unknown context", func(e *Event) { e.Context = Object{{"foo", Str("x")}} }, "context.foo"},
		{"context of a wrong kind", func(e *Event) { e.Context = Object{{"country", Num("1")}} }, "context.country"},
		{"bot of a wrong kind", func(e *Event) { e.Context = Object{{"bot", Str("true")}} }, "context.bot"},
		{"latitude of a wrong kind", func(e *Event) { e.Context = Object{{"latitude", Str("1")}} }, "context.latitude"},
		{"size", func(e *Event) { e.Properties = Object{{"a", Str(x(MaxEventBytes - 1))}} }, ""},
		{"too large", func(e *Event) { e.Properties = Object{{"a", Str(x(MaxEventBytes))}} }, ""},
	} {
		e := &Event{Dialect: Segment, Type: Track}
		c.set(e)
		err := Validate(e)
		switch {
		case c.name == "too large":
			if err == nil {
				t.Errorf("%s: accepted", c.name)
			}
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.field != "" && (err == nil || err.Field != c.field || err.Index != -1):
			t.Errorf("%s: %v, want the field %q", c.name, err, c.field)
		}
	}
}

// TestValidateCleans checks that the text of any dialect ends up in one form.
func TestValidateCleans(t *testing.T) {
	e := &Event{
		Dialect: Matomo, Type: Page, Name: "a\x00b\xff", User: "u\x1b1\t", Groups: []string{"g\x7f\x01"}, Value: Str("\x02v"),
		Properties: Object{{"k\x00", Str("line\r\nline\x0b")}, {"j", Raw(` {"b" : "\u00e9\u0000" , "b" : 1.0 } `)}, {"n", Value{Null, "null"}}},
	}
	want := &Event{
		Dialect: Matomo, Type: Page, Name: "ab\uFFFD", User: "u1\t", Groups: []string{"g\x7f"}, Value: Str("v"),
		Properties: Object{{"k", Str("line\r\nline")}, {"j", Raw(`{"b":1.0}`)}, {"n", Value{Null, ""}}},
	}
	if err := Validate(e); err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("%+v %v", e, err)
	}
}

func TestContextKeys(t *testing.T) {
	for _, key := range ContextKeys {
		if contextKind(key) == Absent {
			t.Errorf("%s has no kind", key)
		}
	}
	for _, key := range []string{"", "foo", "URL"} {
		if contextKind(key) != Absent {
			t.Errorf("%q has a kind", key)
		}
	}
}

// A country is a code in capitals, whatever case a client sends.
func TestValidateCountry(t *testing.T) {
	for in, want := range map[string]string{"nl": "NL", "Nl": "NL", "NL": "NL", "Netherlands": "Netherlands", "": ""} {
		e := Event{Dialect: Native, Type: Page, Context: Object{{"country", Str(in)}, {"region", Str("nh")}}}
		if err := Validate(&e); err != nil || e.Context.Get("country").Text != want || e.Context.Get("region").Text != "nh" {
			t.Errorf("%q became %+v, %v", in, e.Context, err)
		}
	}
}
