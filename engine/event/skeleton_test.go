package event

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// vendorContext returns a context as SDKs send it, and the context of its event. rng makes
// the values, and form makes most of the keys.
func vendorContext(rng, form *rand.Rand) (text string, context Object) {
	one := func(list ...string) string { return list[rng.IntN(len(list))] }
	of := func(list ...string) string { return list[form.IntN(len(list))] }
	url := one(`https://a.example/`, `https://a.example/b?c=d`, `https://a.example/caf\u00e9`, `ü`)
	locale, name := one("de-DE", "en-US", `a\"b`, `\\`, ""), one("Firefox", "Linux", `\u0001`, "10")
	context = Object{{"url", Str(one(url, "https://b.example/"))}, {"language", Str(one("de-DE", "en-US"))}, {"os", Str("Linux")}, {"os_version", Str("10")}, {"utm_campaign", Str("Linux")}}
	version := of(`"10"`, `10`, `-1.5e3`, `null`, `"10.0"`, `true`)
	inner := of(`{"brands":[{"brand":"Chromium","version":"120"},{"brand":"x","version":99}],"mobile":false}`, `{"brands":[{"brand":"`+name+`","version":"9"}],"mobile":true}`, `{}`, `[]`, `[1,"`+locale+`",{"ip":"1.2.3.4"}]`, `{"a":{"b":{"c":{"d":"`+name+`","e":1}}}}`)
	text = `{"page":{"url":"` + url + `","tab":` + version + `},"locale":"` + locale + `","os":{"name":"` + name + `","version":` + version + `},"userAgentData":` + inner + `,"` + of("a.b", "", "k", "ip") + `":"` + name + `","padding":"` + strings.Repeat("p", 60+rng.IntN(60)) + `"}`
	return text, context
}

// What is known of the skeleton of an object changes nothing: neither what is read of a text
// nor what is stored of it.
func TestSkeletonsChangeNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 34))
	var warm Parser
	cutter, hits := &splitter{left: piecesMax}, 0
	for n := range 10_000 {
		if n%100 == 0 {
			warm.Reset()
		}
		text, context := vendorContext(rng, rand.New(rand.NewPCG(2, uint64(n/200))))
		if rng.IntN(10) == 0 { // damaged, or not compact
			at := rng.IntN(len(text))
			text = text[:at] + string(` "x1{[,:\`[rng.IntN(9)]) + text[at+rng.IntN(2):]
		}
		lim := Limits{Depth: 4 + rng.IntN(3), StringBytes: 80 + rng.IntN(40)}
		var cold Parser
		want, wantErr := cold.Value([]byte(text), lim)
		got, gotErr := warm.Value([]byte(text), lim)
		if got != want || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%s\n got %v, %v\nwant %v, %v", text, got, gotErr, want, wantErr)
		}
		if wantErr != nil || !want.IsObject() {
			continue
		}
		m := &Member{"context", want}
		left := piecesMax
		if rng.IntN(4) == 0 {
			left = rng.IntN(9)
		}
		used := rng.Uint32N(2) // whether url has a reference already
		fresh := &splitter{context: context, left: left, used: used}
		cutter.context, cutter.left, cutter.used = context, left, used
		body, fields := fresh.append(nil, m)
		if c, _, _ := cutter.skeletons.Find(want.Text, 0, nil); c != nil && c.layout != nil {
			hits++
		}
		again, n := cutter.append(nil, m)
		if n != fields || !bytes.Equal(again, body) || n > 0 && (cutter.left != fresh.left || cutter.used != fresh.used) {
			t.Fatalf("%s with %v, %d left:\n got %d fields %q\nwant %d fields %q", want.Text, context, left, n, again, fields, body)
		}
	}
	if hits < 500 || len(warm.skeletons.known) != skeletonsMax {
		t.Errorf("%d objects had a known skeleton, the parser knows %d: the test tests little", hits, len(warm.skeletons.known))
	}
}

func TestSkeletonsFindValues(t *testing.T) {
	var k Skeletons[int]
	pad := strings.Repeat("p", skeletonBytesMin)
	text := `{"a":"x","b":[1,"two",-3.5],"c":{"d":true,"e":""},"pad":"` + pad + `"}`
	k.Learn(text, func([]Span) int { return 7 })
	like := `..{"a":"` + "\u00fc" + `long","b":[10,"",0],"c":{"d":true,"e":"x"},"pad":""}` + pad
	about, end, values := k.Find(like, 2, nil)
	if about == nil || *about != 7 || like[end:] != pad {
		t.Fatalf("not found: %v %d", about, end)
	}
	var got []string
	for _, v := range values {
		got = append(got, like[v.Start:v.End])
	}
	if want := []string{"\u00fclong", "10", "", "0", "x", ""}; !slices.Equal(got, want) {
		t.Errorf("values %q, want %q", got, want)
	}
	for _, other := range []string{
		`{"a":1,"b":[1,"two",-3.5],"c":{"d":true,"e":""},"pad":""}`,                          // a number for a string
		`{"a":"x","b":["1","two",-3.5],"c":{"d":true,"e":""},"pad":""}`,                      // and the other way round
		`{"a":"x","b":[01,"two",-3.5],"c":{"d":true,"e":""},"pad":""}`,                       // no number
		`{"a":"x","b":[1e999,"two",-3.5],"c":{"d":true,"e":""},"pad":""}`,                    // out of range
		`{"a":"x\n","b":[1,"two",-3.5],"c":{"d":true,"e":""},"pad":""}`,                      // a control character
		`{"a":"x\\n","b":[1,"two",-3.5],"c":{"d":true,"e":""},"pad":""}`,                     // an escape
		"{\"a\":\"\xff\",\"b\":[1,\"two\",-3.5],\"c\":{\"d\":true,\"e\":\"\"},\"pad\":\"\"}", // not UTF-8
		`{"a":"x","b":[1,"two",-3.5],"c":{"d":false,"e":""},"pad":""}`,
		`{"a":"x","b":[1,"two",-3.5],"c":{"d":true,"e":""},"pad":"`,
		`{"a":"x","b":[1,"two",-3.5],"c":{"d":true,"e":""}`,
	} {
		if about, _, _ := k.Find(other+pad, 0, nil); about != nil {
			t.Errorf("%s is found", other)
		}
	}
}

// Clients whose objects all differ cannot fill the memory.
func TestSkeletonsAreBounded(t *testing.T) {
	var k Skeletons[int]
	for n := range 1000 {
		k.Learn(fmt.Sprintf(`{"key%d":"%s"}`, n, strings.Repeat("x", n)), func([]Span) int { return n })
	}
	if len(k.known) != skeletonsMax {
		t.Errorf("%d are known", len(k.known))
	}
	k = Skeletons[int]{}
	k.Learn(`{"a":"`+strings.Repeat("x", skeletonBytesMax)+`"}`, func([]Span) int { return 1 })
	if len(k.known) != 0 {
		t.Error("a large object is remembered")
	}
}
