package event

import (
	"testing"

	"github.com/valyala/fastjson"
)

// benchInput is a native event of the usual size: 377 bytes, 5 properties.
var benchInput = []byte(`{"type":"track","name":"Product Viewed","time":"2026-11-20T12:00:00.123Z","user":"user-184467","anonymous":"507f191e810c19729de860ea507f191e",` +
	`"session":"8f14e45fceea167a5a36dedd4bea2543","message_id":"022bb90c-bbac-11e4-8dfc-aa07a5b093db",` +
	`"properties":{"sku":"G-32-XL","price":18.99,"quantity":3,"category":"games","in_stock":true},"context":{"url":"https://shop.example/p/32?a=b"}}`)

// benchEvent is the same event as the engine stores it, after enrichment.
func benchEvent() *Event {
	var p Parser
	e := new(Event)
	if err := p.Event(benchInput, e); err != nil {
		panic(err)
	}
	e.Received, e.Day = e.Time+250, 20777
	for _, m := range []Member{
		{"path", Str("/p/32")}, {"referrer_host", Str("www.example.org")}, {"browser", Str("Firefox")}, {"browser_version", Str("145.0")},
		{"os", Str("Linux")}, {"platform", Str("Linux")}, {"device", Str("desktop")}, {"language", Str("en-GB")},
		{"country", Str("NL")}, {"city", Str("Utrecht")},
	} {
		e.Context = append(e.Context, m)
	}
	return e
}

func BenchmarkParseEvent(b *testing.B) {
	var p Parser
	var e Event
	b.ReportAllocs()
	b.SetBytes(int64(len(benchInput)))
	for n := 0; b.Loop(); n++ {
		if n%64 == 0 {
			p.Reset()
		}
		if err := p.Event(benchInput, &e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseEscapes parses an event with an escape or a non-ASCII letter in every
// string.
func BenchmarkParseEscapes(b *testing.B) {
	input := []byte(`{"name":"caf\u00e9 \"x\"","user":"zoë","properties":{"a":"line\nline","b":"tab\ttab","c":"日本語テキスト","d":{"e":["f\/g",{"h":1.50}]}}}`)
	var p Parser
	var e Event
	b.ReportAllocs()
	b.SetBytes(int64(len(input)))
	for n := 0; b.Loop(); n++ {
		if n%64 == 0 {
			p.Reset()
		}
		if err := p.Event(input, &e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseObject and BenchmarkFastjson are the reason for a parser of our own.
// fastjson checks less (it accepts 01, raw control characters and 1e999) and keeps both
// of two equal keys, and the event still has to be made from its result.
func BenchmarkParseObject(b *testing.B) {
	var p Parser
	b.ReportAllocs()
	b.SetBytes(int64(len(benchInput)))
	for b.Loop() {
		p.Reset()
		if _, err := p.Object(benchInput, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFastjson(b *testing.B) {
	var p fastjson.Parser
	b.ReportAllocs()
	b.SetBytes(int64(len(benchInput)))
	for b.Loop() {
		v, err := p.ParseBytes(benchInput)
		if err != nil {
			b.Fatal(err)
		}
		o, err := v.Object()
		if err != nil {
			b.Fatal(err)
		}
		o.Visit(func(key []byte, v *fastjson.Value) {
			if v.Type() == fastjson.TypeObject {
				v.GetObject().Visit(func(key []byte, v *fastjson.Value) {})
			}
		})
	}
}

func BenchmarkValidate(b *testing.B) {
	e := benchEvent()
	b.ReportAllocs()
	for b.Loop() {
		if err := Validate(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBody(b *testing.B) {
	e := benchEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendBody(buf[:0], e)
	}
	b.ReportMetric(float64(len(buf)), "B/event")
}

func BenchmarkScanRecord(b *testing.B) {
	e := benchEvent()
	record := AppendRecord(nil, &Head{SessionOrd: 1000, PersonOrd: 900, Session: e.Session}, AppendBody(nil, e))
	var ints Ints
	cells := 0
	b.ReportAllocs()
	b.SetBytes(int64(len(record)))
	for b.Loop() {
		if err := ScanRecord(record, &ints, func(field, cell []byte) error { cells++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeRecord(b *testing.B) {
	e := benchEvent()
	record := AppendRecord(nil, &Head{SessionOrd: 1000, PersonOrd: 900, Session: e.Session}, AppendBody(nil, e))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRecord(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCounts(b *testing.B) {
	e := benchEvent()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		e.Counts(func(property, term string, by int64) bool { n++; return true })
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := benchEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendJSON(buf[:0], e)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkTerm(b *testing.B) {
	for _, literal := range []string{"42", "18.99", "1.50e3"} {
		b.Run(literal, func(b *testing.B) {
			v := Num(literal)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := v.Term(); !ok {
					b.Fatal("no term")
				}
			}
		})
	}
}

func BenchmarkCellLeaves(b *testing.B) {
	cell := AppendCell(nil, Raw(`{"colour":"red","size":{"eu":43,"us":9.5},"tags":["new","sale"]}`))
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		CellLeaves(cell, func(path, term string) bool { n++; return true })
	}
}

func BenchmarkCompareCells(b *testing.B) {
	x, y := AppendCell(nil, Num("18.990")), AppendCell(nil, Str("18.99"))
	b.ReportAllocs()
	for b.Loop() {
		if CompareCells(x, y) == 0 {
			b.Fatal("equal")
		}
	}
}
