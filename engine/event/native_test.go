package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNativeEvent(t *testing.T) {
	const noon = 1795521600000 // 2026-11-24T12:00:00Z
	for _, c := range []struct {
		in   string
		want Event
	}{
		{`{"name":"a"}`, Event{Type: Track, Name: "a"}},
		{`{"type":"page"}`, Event{Type: Page}},
		{`{"type":null,"name":"a","user":null,"groups":null,"properties":null,"context":null,"increments":null,"counted":null,"time":null,"value":null,"segments":null}`,
			Event{Type: Track, Name: "a"}},
		{`{"name":"a","time":"2026-11-24T12:00:00Z"}`, Event{Type: Track, Name: "a", Time: noon}},
		{`{"name":"a","time":1795521600000}`, Event{Type: Track, Name: "a", Time: noon}},
		{`{"name":"a","time":1795521600000.75}`, Event{Type: Track, Name: "a", Time: noon}},
		{`{"name":"a","user":"u","anonymous":"x","session":"s","message_id":"m","groups":["g","h"],"segments":["plan"],"value":"9.50"}`,
			Event{Type: Track, Name: "a", User: "u", Anonymous: "x", Session: "s", MessageID: "m", Groups: []string{"g", "h"}, Segments: []string{"plan"}, Value: Str("9.50")}},
		{`{"name":"a","value":9.50,"counted":false,"increments":{"gender":10,"b.c":-2.0,"d":1e1}}`,
			Event{Type: Track, Name: "a", Value: Num("9.50"), Uncounted: true, Increments: []Amount{{"gender", 10}, {"b.c", -2}, {"d", 10}}}},
		{`{"type":"identify","anonymous":"x"}`, Event{Type: Identify, Anonymous: "x"}},
		{`{"type":"alias","previous":"p","user":"u"}`, Event{Type: Alias, Previous: "p", User: "u"}},
		{`{"type":"identify","user":"u","properties":{"email":"a@b.c","address":{"city":"Delft"}}}`,
			Event{Type: Identify, User: "u", Properties: Object{{"email", Str("a@b.c")}, {"address", Raw(`{"city":"Delft"}`)}}}},
		{`{"id":"0123","seq":12,"site":"shop","dialect":"segment","received":"2026-11-24T12:00:00Z","name":"a"}`, Event{Type: Track, Name: "a"}},
		{`{"name":"a","name":"b","properties":{"x":1},"properties":{"y":2}}`, Event{Type: Track, Name: "b", Properties: Object{{"y", Num("2")}}}},
		{`{"n\u0061me":"caf\u00e9","properties":{},"context":{"country":"NL"},"extra":{"k":[1]}}`,
			Event{Type: Track, Name: "café", Context: Object{{"country", Str("NL")}}, Extra: Object{{"k", Raw("[1]")}}}},
	} {
		var p Parser
		e := Event{Name: "left over", User: "left over"}
		c.want.Dialect = Native
		if err := p.Event([]byte(c.in), &e); err != nil || !reflect.DeepEqual(e, c.want) {
			t.Errorf("%s\ngot  %+v %v\nwant %+v", c.in, e, err, c.want)
		}
		if err := Validate(&e); err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
	}
}

func TestNativeEventRefused(t *testing.T) {
	for _, c := range []struct{ in, field string }{
		{``, ""}, {`{`, ""}, {`[]`, ""}, {`null`, ""}, {`"x"`, ""}, {`{"name":"a"} x`, ""}, {`{"name":"a",}`, ""},
		{`{}`, "name"}, {`{"name":""}`, "name"}, {`{"type":"track"}`, "name"}, {"{\"name\":\"\\u0000\"}", "name"},
		{`{"type":"identify","properties":{"a":1}}`, "user"}, {`{"type":"alias","previous":"p"}`, "user"}, {`{"type":"alias","user":"u"}`, "previous"},
		{`{"type":"group","user":"u"}`, "groups"}, {`{"type":"group","groups":[],"user":"u"}`, "groups"},
		{`{"name":1}`, "name"}, {`{"name":{}}`, "name"}, {`{"user":1,"name":"a"}`, "user"},
		{`{"type":"click","name":"a"}`, "type"}, {`{"type":"Track","name":"a"}`, "type"},
		{`{"name":"a","usr":"x"}`, "usr"},
		{`{"name":"a","Name":"x"}`, "Name"},
		{`{"name":"a","time":"yesterday"}`, "time"}, {`{"name":"a","time":true}`, "time"}, {`{"name":"a","time":1e300}`, "time"}, {`{"name":"a","time":"2026-13-01T00:00:00Z"}`, "time"},
		{`{"name":"a","value":true}`, "value"}, {`{"name":"a","value":[1]}`, "value"}, {`{"name":"a","value":1e400}`, "value"},
		{`{"name":"a","counted":"no"}`, "counted"},
		{`{"name":"a","groups":"g"}`, "groups"}, {`{"name":"a","groups":[1]}`, "groups"}, {`{"name":"a","groups":["g",]}`, "groups"},
		{`{"name":"a","groups":["` + strings.Repeat(`g","`, 64) + `g"]}`, "groups"},
		{`{"name":"a","properties":[]}`, "properties"}, {`{"name":"a","properties":{"x":01}}`, "properties.x"}, {`{"name":"a","properties":{"x":{"y":[1e999]}}}`, "properties.x.y"},
		{`{"name":"a","context":1}`, "context"},
		{`{"name":"a","increments":{"x":1.5}}`, "increments.x"}, {`{"name":"a","increments":{"x":"1"}}`, "increments.x"},
		{`{"name":"a","increments":{"x":9007199254740992}}`, "increments.x"}, {`{"name":"a","increments":[1]}`, "increments"},
		{`{"name":"a","properties":{"x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}}`, "properties.x"},
		{`{"name":"a","properties":{"` + strings.Repeat("k", 129) + `":1}}`, "properties"},
		{`{"name":"` + strings.Repeat("x", EventBytesMax) + `"}`, ""},
	} {
		var p Parser
		var e Event
		err := p.Event([]byte(c.in), &e)
		if f, ok := err.(*FieldError); !ok || f.Field != c.field || f.Msg == "" || f.Index != -1 {
			t.Errorf("%.60s: %v, want the field %q", c.in, err, c.field)
		}
	}
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-11-24T12:00:00Z":                "2026-11-24T12:00:00.000Z",
		"2026-11-24t12:00:00z":                "2026-11-24T12:00:00.000Z",
		"2026-11-24 12:00:00Z":                "2026-11-24T12:00:00.000Z",
		"2026-11-24T12:00:00.1Z":              "2026-11-24T12:00:00.100Z",
		"2026-11-24T12:00:00.12Z":             "2026-11-24T12:00:00.120Z",
		"2026-11-24T12:00:00.123456789Z":      "2026-11-24T12:00:00.123Z",
		"2026-11-24T12:00:00.9999999+01:00":   "2026-11-24T11:00:00.999Z",
		"2026-11-24T00:30:00+05:45":           "2026-11-23T18:45:00.000Z",
		"2026-11-24T23:30:00-08:00":           "2026-11-25T07:30:00.000Z",
		"2024-02-29T00:00:00Z":                "2024-02-29T00:00:00.000Z",
		"2016-12-31T23:59:60Z":                "2017-01-01T00:00:00.000Z",
		"1969-12-31T23:59:59.999Z":            "1969-12-31T23:59:59.999Z",
		"0001-01-01T00:00:00Z":                "0001-01-01T00:00:00.000Z",
		"9999-12-31T23:59:59.999Z":            "9999-12-31T23:59:59.999Z",
		"2026-11-24":                          "",
		"2026-11-24T12:00Z":                   "",
		"2026-11-24T12:00:00":                 "",
		"2026-11-24T12:00:00.Z":               "",
		"2026-11-24T12:00:00+0100":            "",
		"2026-11-24T12:00:00+24:00":           "",
		"2026-11-24T24:00:00Z":                "",
		"2026-11-24T12:60:00Z":                "",
		"2026-11-24T12:00:61Z":                "",
		"2026-02-29T00:00:00Z":                "",
		"1900-02-29T00:00:00Z":                "",
		"2026-00-10T00:00:00Z":                "",
		"2026-04-31T00:00:00Z":                "",
		"2026-11-24T12:00:00Zx":               "",
		"-026-11-24T12:00:00Z":                "",
		"2026-11-24T12:00:00.123456789123456": "",
		"":                                    "",
	} {
		ms, ok := parseTime(in)
		if ok != (want != "") {
			t.Errorf("%q: %v", in, ok)
		} else if got := string(appendTime(nil, ms)); ok && got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestJSONForm checks the whole JSON form of an event, and that Event reads it back.
func TestJSONForm(t *testing.T) {
	e, _ := fullEvent()
	e.ID, e.Seq, e.Site = "0123456789abcdef0123456789abcdef", 7, "shop"
	e.Extra = e.Extra[:1]
	const want = `{"id":"0123456789abcdef0123456789abcdef","seq":7,"site":"shop","dialect":"openpanel","type":"order","name":"Order \u003c1\u003e",` +
		`"time":"2026-11-23T12:00:00.123Z","received":"2026-11-23T12:00:01.000Z","user":"user-1","anonymous":"022bb90c-bbac-11e4-8dfc-aa07a5b093db",` +
		`"session":"507f191e810c19729de860ea507f191e","previous":"user-0","groups":["staff","né"],"message_id":"507f191e810c19729de860ea507f191f","value":18.990,` +
		`"properties":{"amount":1e2,"first":true,"gone":null,"items":[{"sku":"a\"b","n":2}]},"context":{"bot":false,"country":"NL","latitude":52.09},` +
		`"increments":{"amount":10,"items.n":-2},"segments":["age-group"],"counted":false,"extra":{"integrations":{"All":true}}}`
	if got := string(AppendJSON([]byte("x"), e)); got != "x"+want {
		t.Errorf("got\n%s\nwant\n%s", got[1:], want)
	}
	if got := string(AppendJSON(nil, new(Event))); got != `{}` {
		t.Errorf("the zero event: %s", got)
	}
}

func TestJSONStrings(t *testing.T) {
	for in, want := range map[string]string{
		"":                           `""`,
		"plain":                      `"plain"`,
		"a\"b\\c/d":                  `"a\"b\\c/d"`,
		"\n\r\t\b\x00\x1f":           `"\n\r\t\u0008\u0000\u001f"`,
		"<script>&amp;</script>":     `"\u003cscript\u003e\u0026amp;\u003c/script\u003e"`,
		"a\u2028b\u2029c\u202a":      "\"a\\u2028b\\u2029c\u202a\"",
		"caf\xe9 é":                  "\"caf\uFFFD é\"",
		"\xed\xa0\x80":               "\"\uFFFD\uFFFD\uFFFD\"",
		"\uFFFD":                     "\"\uFFFD\"",
		"eight888<eight888":          `"eight888\u003ceight888"`,
		strings.Repeat("é", 9):       `"` + strings.Repeat("é", 9) + `"`,
		"long enough for a word\x01": `"long enough for a word\u0001"`,
	} {
		got := AppendString(nil, in)
		if string(got) != want || !json.Valid(got) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	nested := Raw(`{"<":"</script>&` + "\u2028" + `","é":["` + "\u2029" + `"]}`)
	if got := string(AppendValue(nil, nested)); got != `{"\u003c":"\u003c/script\u003e\u0026\u2028","é":["\u2029"]}` {
		t.Errorf("nested: %s", got)
	}
	if got := string(AppendObject(nil, Object{{"a", Value{}}, {"b<", Num("1")}, {"c", Value{Kind: Null}}})); got != `{"b\u003c":1,"c":null}` {
		t.Errorf("object: %s", got)
	}
}

// TestJSONRoundTrip reads the JSON form of any event as native input.
func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := stored().Draw(t, "event")
		if err := Validate(e); err != nil {
			t.Skip(err)
		}
		switch { // fields that only other dialects may omit
		case e.Type == Track && e.Name == "":
			e.Name = "name"
		case e.Type == Group && len(e.Groups) == 0:
			e.Groups = []string{"group"}
		case e.Type == Identify && e.User+e.Anonymous == "":
			e.Anonymous = "visitor"
		case e.Type == Alias:
			e.User, e.Previous = "new", "old"
		}
		// What native input does not carry, or carries in another form.
		e.Dialect, e.Received, e.SessionOrd, e.PersonOrd, e.Day, e.Late, e.NotCounted, e.Capped = Native, 0, 0, 0, 0, false, nil, nil
		if e.Time != 0 { // other dialects and older versions have had other years
			e.Time = min(max(e.Time, FirstTime), LastTime)
		}
		e.Cut, e.CappedByProperty, e.CappedNames = nil, false, nil
		e.Increments = slicesCompact(e.Increments)
		text := AppendJSON(nil, e)
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		var p Parser
		var read Event
		if err := p.Event(text, &read); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		read.Finish()
		if fmt.Sprintf("%+v", read) != fmt.Sprintf("%+v", *e) {
			t.Fatalf("%s\nread\n%+v\nwant\n%+v", text, read, *e)
		}
	})
}

// slicesCompact keeps one amount for each property.
func slicesCompact(list []Amount) []Amount {
	var out []Amount
	seen := map[string]bool{}
	for _, a := range list {
		if !seen[a.Property] {
			out = append(out, a)
		}
		seen[a.Property] = true
	}
	return out
}

// leastAllocs returns how many allocations fn needs when its pools have what it needs. The race
// detector makes a pool forget some things.
func leastAllocs(fn func()) float64 {
	least := testing.AllocsPerRun(1, fn)
	for range 50 {
		least = min(least, testing.AllocsPerRun(1, fn))
	}
	return least
}

// TestNoAllocations checks that reading an event and taking its record apart allocate
// nothing once the buffers have grown.
func TestNoAllocations(t *testing.T) {
	var p Parser
	var e Event
	if n := leastAllocs(func() {
		p.Reset()
		if err := p.Event(benchInput, &e); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Event: %v allocations", n)
	}
	full := benchEvent()
	var body []byte
	if n := leastAllocs(func() { body = AppendBody(body[:0], full) }); n != 0 {
		t.Errorf("AppendBody: %v allocations", n)
	}
	if n := leastAllocs(func() {
		if err := Validate(full); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Validate: %v allocations", n)
	}
	record := AppendRecord(nil, &Head{Session: "s"}, body)
	var ints Ints
	cell := func(field, cell []byte) error { return nil }
	if n := leastAllocs(func() {
		if err := ScanRecord(record, &ints, cell); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("ScanRecord: %v allocations", n)
	}
}
