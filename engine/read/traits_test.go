package read

import (
	"fmt"
	"runtime"
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
			merged := newTraits(objectOf(t, c.below))
			merged.mergeDeep(objectOf(t, c.above))
			if got := string(merged.append(nil)); got != c.want {
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
		{"as many digits as may be", `{"n":1}`, "n", strings.Repeat("9", 64), `{"n":1` + strings.Repeat("0", 64) + `}`},
		{"more digits add nothing", `{"n":1}`, "n", strings.Repeat("9", 65), `{"n":1}`},
		{"and make nothing", `{"a":{}}`, "a.b", "0." + strings.Repeat("1", 64), `{"a":{}}`},
		{"nor does a larger exponent", `{}`, "n", "1e309", `{}`},
		{"too many digits stay", `{"n":0.` + strings.Repeat("9", 801) + `}`, "n", "1", `{"n":0.` + strings.Repeat("9", 801) + `}`},
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
			merged := newTraits(objectOf(t, c.below))
			merged.increment(c.path, c.by)
			if got := string(merged.append(nil)); got != c.want {
				t.Errorf("%s + %s at %q = %s, want %s", c.below, c.by, c.path, got, c.want)
			}
		})
	}
	var deep traits
	deep.increment(strings.Repeat("a.", 200)+"b", "1") // deeper than any event: nothing breaks
}

// What is told of a person costs in proportion to what was told, not to the square of it:
// each identify adds a key to a profile and one to an object in it, each increment adds to
// a number beside them.
func TestTraitsCostWhatIsTold(t *testing.T) {
	bytes := func(n int) uint64 {
		told := make([]event.Object, n)
		for i := range told {
			told[i] = objectOf(t, fmt.Sprintf(`{"key-%d":%d,"inner":{"key-%[1]d":%[1]d,"deep":{"key-%[1]d":true}}}`, i, i))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var all traits
		for _, o := range told {
			all.mergeDeep(o)
			all.increment("inner.deep.n", "1")
		}
		o := all.object()
		runtime.ReadMemStats(&after)
		inner := o.Get("inner").Text
		if len(o) != n+1 || strings.Count(inner, "key-") != 2*n || !strings.Contains(inner, fmt.Sprintf(`"n":%d`, n)) {
			t.Fatalf("of %d identifies %d keys are there, and %d inside", n, len(o), strings.Count(inner, "key-"))
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	bytes(10)
	if few, many := bytes(500), bytes(2000); many > 6*few {
		t.Errorf("500 identifies take %d bytes, 2000 take %d", few, many)
	}
}
