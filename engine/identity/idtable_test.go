package identity

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A table has what a map has, whatever is put and removed. Its hashes have many keys in common
// here, so entries are often not at their own places.
func TestIDTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table idTable
		want := make(map[string]*idEntry)
		spread := rapid.SampledFrom([]uint64{1, 7, 1 << 40, 0x9e3779b97f4a7c15}).Draw(t, "spread")
		hash := func(n int) uint64 { return uint64(n/3) * spread } // three keys have each hash
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			n := rapid.IntRange(0, 200).Draw(t, "key")
			key := fmt.Sprint(n)
			switch {
			case rapid.IntRange(0, 2).Draw(t, "what") > 0 && want[key] == nil:
				want[key] = &idEntry{key: key}
				table.put(hash(n), want[key])
			default:
				table.remove(hash(n), key)
				delete(want, key)
			}
		}
		for n := range 201 {
			if key := fmt.Sprint(n); table.get(hash(n), key) != want[key] {
				t.Fatalf("key %s: %v, want %v", key, table.get(hash(n), key), want[key])
			}
		}
		for k := range table.all {
			if want[k.key] != k {
				t.Fatalf("the table has %q, which was removed or is there twice", k.key)
			}
			delete(want, k.key)
		}
		if len(want) > 0 {
			t.Fatalf("%d entries are not walked", len(want))
		}
	})
}
