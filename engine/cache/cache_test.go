package cache

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// An LRU holds what a plain list of the same rules holds, in the same order.
func TestLRU(t *testing.T) {
	type held struct{ key, value, bytes int }
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var c LRU[int, int]
		var model []held // the oldest first
		max, evicted := int64(0), 0
		find := func(k int) int { return slices.IndexFunc(model, func(h held) bool { return h.key == k }) }
		evict := func() {
			for {
				sum := 0
				for _, h := range model {
					sum += h.bytes
				}
				if int64(sum) <= max || len(model) <= 1 {
					return
				}
				model = model[1:]
				evicted++
			}
		}
		for op := range 3000 {
			k := rng.IntN(30)
			at := find(k)
			switch rng.IntN(8) {
			case 0, 1, 2:
				v, bytes := rng.Int(), rng.IntN(20)
				if added := c.Add(k, v, int64(bytes)); added != (at < 0) {
					t.Fatalf("seed %d, op %d: added %v, known at %d", seed, op, added, at)
				}
				if at < 0 {
					model = append(model, held{k, v, bytes})
					evict()
				}
			case 3, 4:
				v, ok := c.Get(k)
				if ok != (at >= 0) || ok && v != model[at].value {
					t.Fatalf("seed %d, op %d: got %d %v", seed, op, v, ok)
				}
				if ok {
					h := model[at]
					model = append(slices.Delete(model, at, at+1), h)
				}
			case 5:
				v, ok := c.Peek(k)
				if ok != (at >= 0) || ok && v != model[at].value {
					t.Fatalf("seed %d, op %d: peeked at %d %v", seed, op, v, ok)
				}
			case 6:
				c.Remove(k)
				if at >= 0 {
					model = slices.Delete(model, at, at+1)
				}
			default:
				if rng.IntN(10) == 0 {
					max = rng.Int64N(200)
					c.Resize(max)
					evict()
				}
			}
			sum := 0
			for _, h := range model {
				sum += h.bytes
			}
			if c.Len() != len(model) || c.Bytes() != int64(sum) {
				t.Fatalf("seed %d, op %d: %d entries of %d bytes, want %d of %d", seed, op, c.Len(), c.Bytes(), len(model), sum)
			}
		}
		if evicted < 100 {
			t.Errorf("seed %d: %d entries were evicted", seed, evicted)
		}
	}
}

// An entry that is asked for stays, others go, and what is found was put last.
func TestTwoGenerations(t *testing.T) {
	const max = 100
	size := func(k string, v int) int { return len(k) }
	c := NewTwoGenerations(max, size, strings.Clone)
	want := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 1))
	found, lost := 0, 0
	for op := range 5000 {
		c.Put("in use", 7)
		k := strings.Repeat("k", 7+rng.IntN(20))
		if v, ok := c.Get(k); ok && v != want[k] {
			t.Fatalf("op %d: %s is %d, want %d", op, k, v, want[k])
		} else if ok {
			found++
		} else {
			lost++
		}
		if rng.IntN(2) == 0 {
			want[k] = op
			c.Put(k, op)
		}
		if v, ok := c.Get("in use"); !ok || v != 7 {
			t.Fatalf("op %d: forgotten", op)
		}
		for _, half := range []map[string]int{c.young, c.old} {
			sum := 0
			for k, v := range half {
				sum += size(k, v)
			}
			if sum >= max+27 {
				t.Fatalf("op %d: a generation of %d, want at most %d", op, sum, max)
			}
		}
	}
	if found < 500 || lost < 500 {
		t.Errorf("%d found, %d lost", found, lost)
	}
}

// A key may lie in a buffer that the caller uses again, when it is put and when it becomes
// young again.
func TestTwoGenerationsOwnsItsKeys(t *testing.T) {
	c := NewTwoGenerations(1, func(string, int) int { return 1 }, strings.Clone)
	buf := []byte("key")
	k := unsafe.String(&buf[0], len(buf))
	c.Put(k, 1)
	copy(buf, "###")
	c.Put("another", 2) // "key" is old now
	copy(buf, "key")
	if v, ok := c.Get(k); !ok || v != 1 {
		t.Fatalf("%d %v", v, ok)
	}
	copy(buf, "###")
	if v, ok := c.Get("key"); !ok || v != 1 {
		t.Errorf("young again, then %d %v", v, ok)
	}
}
