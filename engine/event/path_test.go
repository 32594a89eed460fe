package event

import "testing"

func TestGetPath(t *testing.T) {
	o := Object{
		{"a", Raw(`{"b":1,"c":{"d":"x","e.f":true,"\u0067":[1,{"h":2}],"n":null},"b.x":{"y":3}}`)},
		{"a.z", Str("literal")}, {"p.q", Raw(`{"r":4}`)}, {"s", Str("scalar")}, {"broken", Raw(`{"a":`)},
	}
	for path, want := range map[string]Value{
		"a.b":      Num("1"),
		"a.c.d":    Str("x"),
		"a.c.e.f":  Boolean(true),
		"a.c.g":    Raw(`[1,{"h":2}]`),
		"a.c.g.h":  {},
		"a.c.n":    {Kind: Null},
		"a.c":      Raw(`{"d":"x","e.f":true,"\u0067":[1,{"h":2}],"n":null}`),
		"a.b.x.y":  Num("3"),
		"a.z":      Str("literal"),
		"p.q.r":    Num("4"),
		"p":        {},
		"s":        Str("scalar"),
		"s.t":      {},
		"":         {},
		".":        {},
		"a.":       {},
		"a..b":     {},
		"broken.a": {},
	} {
		if got := GetPath(o, path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}
