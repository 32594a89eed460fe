package engine

import (
	"strings"
	"testing"

	"cairn/engine/event"
)

func objectOf(t *testing.T, text string) event.Object {
	t.Helper()
	o, err := new(event.Parser).Object([]byte(text), event.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

func TestMergeDeep(t *testing.T) {
	for _, c := range []struct{ name, below, above, want string }{
		{"new keys", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{"scalars are replaced", `{"a":1}`, `{"a":"x"}`, `{"a":"x"}`},
		{"null erases nothing", `{"a":1}`, `{"a":null,"b":null}`, `{"a":1}`},
		{"the empty string neither", `{"a":1}`, `{"a":"","b":""}`, `{"a":1}`},
		{"objects by key", `{"a":{"x":1,"y":{"p":1}}}`, `{"a":{"y":{"q":2},"z":3}}`, `{"a":{"x":1,"y":{"p":1,"q":2},"z":3}}`},
		{"null inside", `{"a":{"x":1}}`, `{"a":{"x":null,"y":""}}`, `{"a":{"x":1}}`},
		{"null inside a new object", `{}`, `{"a":{"x":null,"y":1}}`, `{"a":{"y":1}}`},
		{"arrays are replaced", `{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{"an object over a scalar", `{"a":1}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		{"a scalar over an object", `{"a":{"x":1}}`, `{"a":2}`, `{"a":2}`},
		{"false and 0 are values", `{"a":1,"b":true}`, `{"a":0,"b":false}`, `{"a":0,"b":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := objectOf(t, c.below)
			mergeDeep(&o, objectOf(t, c.above))
			if got := string(event.AppendObject(nil, o)); got != c.want {
				t.Errorf("%s over %s = %s, want %s", c.above, c.below, got, c.want)
			}
		})
	}
}

func TestIncrement(t *testing.T) {
	for _, c := range []struct{ name, below, path, by, want string }{
		{"missing is 0", `{}`, "visits", "1", `{"visits":1}`},
		{"adds", `{"visits":41}`, "visits", "1", `{"visits":42}`},
		{"takes away", `{"visits":1}`, "visits", "-3", `{"visits":-2}`},
		{"decimals are exact", `{"n":0.1}`, "n", "0.2", `{"n":0.3}`},
		{"large numbers too", `{"n":9007199254740993}`, "n", "1", `{"n":9007199254740994}`},
		{"a string stays", `{"n":"4"}`, "n", "1", `{"n":"4"}`},
		{"null stays", `{"n":null}`, "n", "1", `{"n":null}`},
		{"into an object", `{"a":{"b":1,"c":2}}`, "a.b", "1", `{"a":{"b":2,"c":2}}`},
		{"makes the objects", `{}`, "a.b.c", "2", `{"a":{"b":{"c":2}}}`},
		{"not into a scalar", `{"a":1}`, "a.b", "1", `{"a":1}`},
		{"not into an array", `{"a":[1]}`, "a.0", "1", `{"a":[1]}`},
		{"a literal key first", `{"a.b":1,"a":{"b":5}}`, "a.b", "1", `{"a.b":2,"a":{"b":5}}`},
		{"a string inside stays", `{"a":{"b":"x"}}`, "a.b", "1", `{"a":{"b":"x"}}`},
		{"odd dots are a key", `{}`, ".a", "1", `{".a":1}`},
		{"and so at the end", `{}`, "a.", "1", `{"a.":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := objectOf(t, c.below)
			increment(&o, c.path, c.by)
			if got := string(event.AppendObject(nil, o)); got != c.want {
				t.Errorf("%s + %s at %q = %s, want %s", c.below, c.by, c.path, got, c.want)
			}
		})
	}
	deep := event.Object{}
	increment(&deep, strings.Repeat("a.", 200)+"b", "1") // deeper than any event: nothing breaks
}

func TestNumericAt(t *testing.T) {
	const traits = `{"n":1,"s":"x","e":"","null":null,"l":[1],"o":{"n":2.5,"s":"x","p":{"n":3}},"a.b":4,"a":{"b":"x"}}`
	for path, want := range map[string]string{
		"n": "a number", "s": "none", "e": "unknown", "null": "unknown", "l": "none", "o": "none", "absent": "unknown",
		"o.n": "a number", "o.s": "none", "o.x": "unknown", "o.p.n": "a number", "o.p.n.x": "none", "o.p": "none",
		"a.b": "a number", "n.x": "none", "s.x": "none", "null.x": "unknown", "o.": "unknown", ".": "unknown", "": "unknown",
	} {
		numeric, known := numericAt(objectOf(t, traits), path)
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
