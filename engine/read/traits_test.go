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
		{"the empty string erases nothing", `{"a":1}`, `{"a":"","b":""}`, `{"a":1}`},
		{"objects are merged by key", `{"a":{"x":1,"y":{"p":1}}}`, `{"a":{"y":{"q":2},"z":3}}`, `{"a":{"x":1,"y":{"p":1,"q":2},"z":3}}`},
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
		{"a negative amount subtracts", `{"visits":1}`, "visits", "-3", `{"visits":-2}`},
		{"decimals are exact", `{"n":0.1}`, "n", "0.2", `{"n":0.3}`},
		{"large numbers are exact", `{"n":9007199254740993}`, "n", "1", `{"n":9007199254740994}`},
		{"the most digits", `{"n":1}`, "n", strings.Repeat("9", 64), `{"n":1` + strings.Repeat("0", 64) + `}`},
		{"more digits add nothing", `{"n":1}`, "n", strings.Repeat("9", 65), `{"n":1}`},
		{"more digits create no key", `{"a":{}}`, "a.b", "0." + strings.Repeat("1", 64), `{"a":{}}`},
		{"a large exponent adds nothing", `{}`, "n", "1e309", `{}`},
		{"a value with too many digits stays", `{"n":0.` + strings.Repeat("9", 801) + `}`, "n", "1", `{"n":0.` + strings.Repeat("9", 801) + `}`},
		{"a string stays", `{"n":"4"}`, "n", "1", `{"n":"4"}`},
		{"null stays", `{"n":null}`, "n", "1", `{"n":null}`},
		{"into an object", `{"a":{"b":1,"c":2}}`, "a.b", "1", `{"a":{"b":2,"c":2}}`},
		{"missing objects are created", `{}`, "a.b.c", "2", `{"a":{"b":{"c":2}}}`},
		{"not into a scalar", `{"a":1}`, "a.b", "1", `{"a":1}`},
		{"not into an array", `{"a":[1]}`, "a.0", "1", `{"a":[1]}`},
		{"a literal key first", `{"a.b":1,"a":{"b":5}}`, "a.b", "1", `{"a.b":2,"a":{"b":5}}`},
		{"a string inside stays", `{"a":{"b":"x"}}`, "a.b", "1", `{"a":{"b":"x"}}`},
		{"a leading dot belongs to the key", `{}`, ".a", "1", `{".a":1}`},
		{"a trailing dot belongs to the key", `{}`, "a.", "1", `{"a.":1}`},
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
	deep.increment(strings.Repeat("a.", 200)+"b", "1") // deeper than any event: must not fail
}

// The cost of a profile grows with the number of its events, not with the square of it. Each
// identify adds a key to the profile and one to a nested object; each increment adds to a
// number in the nested object.
func TestTraitsCostIsLinear(t *testing.T) {
	bytes := func(n int) uint64 {
		identifies := make([]event.Object, n)
		for i := range identifies {
			identifies[i] = objectOf(t, fmt.Sprintf(`{"key-%d":%d,"inner":{"key-%[1]d":%[1]d,"deep":{"key-%[1]d":true}}}`, i, i))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var all traits
		for _, o := range identifies {
			all.mergeDeep(o)
			all.increment("inner.deep.n", "1")
		}
		o := all.object()
		runtime.ReadMemStats(&after)
		inner := o.Get("inner").Text
		if len(o) != n+1 || strings.Count(inner, "key-") != 2*n || !strings.Contains(inner, fmt.Sprintf(`"n":%d`, n)) {
			t.Fatalf("%d identifies gave %d keys, and %d in the nested object", n, len(o), strings.Count(inner, "key-"))
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	bytes(10)
	if few, many := bytes(500), bytes(2000); many > 6*few {
		t.Errorf("500 identifies allocate %d bytes, 2000 allocate %d", few, many)
	}
}
