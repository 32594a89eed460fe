package cache

import (
	"math/rand/v2"
	"testing"
)

// A Segmented returns what was added, keeps its bound, and counts what it holds.
func TestSegmented(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var c Segmented[int, int]
		values := map[int]int{} // what an entry must have, if it is there
		max, hits, gone, back, lates := int64(0), 0, 0, 0, 0
		for op := range 5000 {
			k := rng.IntN(60)
			held := func() bool { e := c.entries[k]; return e != nil && e.segment != ghosts }
			was, ghost := held(), c.entries[k] != nil && c.entries[k].segment == ghosts
			switch rng.IntN(10) {
			case 0, 1, 2, 3:
				v, bytes := rng.Int(), int64(rng.IntN(2000))
				soon := ghost && c.clock+bytes-c.entries[k].at <= c.protectedMax()
				if added := c.Add(k, v, bytes); added == was {
					t.Fatalf("seed %d, op %d: added %v, there %v", seed, op, added, was)
				} else if added {
					values[k] = v
				}
				if !held() {
					t.Fatalf("seed %d, op %d: what was added last is gone", seed, op)
				}
				if soon {
					back++
					if c.entries[k].segment != protected && c.segments[protected].n > 0 {
						t.Fatalf("seed %d, op %d: what came back is not protected", seed, op)
					}
				}
			case 4, 5, 6:
				v, ok := c.Get(k)
				if ok != was || ok && v != values[k] {
					t.Fatalf("seed %d, op %d: got %d %v, want %d %v", seed, op, v, ok, values[k], was)
				} else if ok {
					hits++
				} else {
					gone++
				}
			case 7:
				room := c.Bytes()+1000 <= max
				if again := c.Again(k, 1000); again != (was || ghost || room) {
					t.Fatalf("seed %d, op %d: again %v; there %v, evicted %v, space %v", seed, op, again, was, ghost, room)
				}
			case 8:
				e := c.entries[k]
				space := e != nil && c.Bytes()+e.bytes <= c.max
				far := ghost && !space && c.clock+e.bytes-e.at > c.protectedMax()
				left := (lateShare - 1 - c.late%lateShare) > 0
				if late := c.Late(k); late != (far && left) {
					t.Fatalf("seed %d, op %d: late %v; evicted long ago %v", seed, op, late, far)
				} else if late {
					lates++
					if c.segments[ghosts].ring.next != e || e.at != c.clock {
						t.Fatalf("seed %d, op %d: it is not remembered that it came back", seed, op)
					}
				}
			default:
				if rng.IntN(20) == 0 {
					max = rng.Int64N(20_000)
					c.Resize(max)
				}
			}
			var n int
			var bytes int64
			for _, e := range c.entries {
				if e.segment != ghosts {
					n++
					bytes += e.bytes
				} else {
					bytes += ghostBytes
					if e.value != 0 {
						t.Fatalf("seed %d, op %d: the value of an evicted entry is held", seed, op)
					}
				}
			}
			if c.Len() != n || c.Bytes() != bytes {
				t.Fatalf("seed %d, op %d: %d entries, %d bytes, want %d and %d", seed, op, c.Len(), c.Bytes(), n, bytes)
			}
			if bytes > max && n > 1 {
				t.Fatalf("seed %d, op %d: %d bytes of %d entries, want at most %d", seed, op, bytes, n, max)
			}
		}
		if hits < 100 || gone < 100 || back < 10 || lates < 3 {
			t.Errorf("seed %d: %d hits, %d misses, %d came back soon, %d late", seed, hits, gone, back, lates)
		}
	}
}

const pageBytes = 4000

// ask asks for the keys [from, to), and adds those that are not there, but none that comes back late
// when late is false. It returns how many were.
func ask(c *Segmented[int, int], from, to int, late bool) (hits int) {
	for k := from; k < to; k++ {
		if _, ok := c.Get(k); ok {
			hits++
		} else if late || !c.Late(k) {
			c.Add(k, k, pageBytes)
		}
	}
	return hits
}

// A scan evicts nothing that is asked for again and again, however long it is.
func TestSegmentedScan(t *testing.T) {
	for _, late := range []bool{true, false} {
		var c Segmented[int, int]
		c.Resize(1000 * pageBytes)
		ask(&c, 0, 700, late)
		ask(&c, 0, 700, late)
		for scan := range 3 {
			ask(&c, 10_000, 20_000, late)
			if hits := ask(&c, 0, 700, late); hits != 700 {
				t.Errorf("after scan %d only %d of 700 are left", scan, hits)
			}
		}
	}
}

// What is asked for now replaces what was asked for often once, when it fits, even where
// it is larger than the entries on probation, and whether that did fit or not.
func TestSegmentedChangesItsMind(t *testing.T) {
	for i, before := range []int{700, 700, 1300, 1300} {
		late := i%2 == 0
		var c Segmented[int, int]
		c.Resize(1000 * pageBytes)
		for range 30 {
			ask(&c, 0, before, late)
		}
		hits := 0
		for range 4 {
			hits = ask(&c, 10_000, 10_700, late)
		}
		if hits < 690 {
			t.Errorf("after %d others, the fourth time only %d of 700 are held", before, hits)
		}
	}
}

// Of a scan that is repeated and does not fit, most of what fits stays.
func TestSegmentedLargeScan(t *testing.T) {
	for i, pages := range []int{1000, 1000, 1300, 1300, 1700, 1700} {
		var c Segmented[int, int]
		c.Resize(1000 * pageBytes)
		hits := 0
		for range 30 {
			hits = ask(&c, 0, pages, i%2 == 0)
		}
		if hits < 500 {
			t.Errorf("of a scan of %d pages only %d of at most 800 are found", pages, hits)
		}
	}
}
