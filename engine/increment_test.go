package engine

import (
	"cairn/engine/event"
	"strings"
	"testing"
)

func TestNumericAt(t *testing.T) {
	traits := `{"long":0.` + strings.Repeat("1", 900) + `,"n":1,"s":"x","e":"","null":null,"l":[1],"o":{"n":2.5,"s":"x","p":{"n":3}},"a.b":4,"a":{"b":"x"}}`
	for path, want := range map[string]string{
		"long": "none", "n": "a number", "s": "none", "e": "unknown", "null": "unknown", "l": "none", "o": "none", "absent": "unknown",
		"o.n": "a number", "o.s": "none", "o.x": "unknown", "o.p.n": "a number", "o.p.n.x": "none", "o.p": "none",
		"a.b": "a number", "n.x": "none", "s.x": "none", "null.x": "unknown", "o.": "unknown", ".": "unknown", "": "unknown",
	} {
		numeric, known := numericAt(parsed(t, traits), path, true)
		got := "unknown"
		if known {
			got = "none"
			if numeric {
				got = "a number"
			}
		}
		if got != want {
			t.Errorf("%q is %s, want %s", path, got, want)
		}
	}
}

func parsed(t *testing.T, text string) event.Object {
	t.Helper()
	o, err := new(event.Parser).Object([]byte(text), event.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}
