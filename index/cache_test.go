package index

import "testing"

// A scan of many pages leaves those in the cache that were asked for more than once, of
// matches as well.
func TestCacheScan(t *testing.T) {
	const size = 4 << 20
	for _, sec := range []section{secInts, secMatches} {
		c := NewCache(size)
		ask := func(run uint64, pages int) (hits int) {
			for i := range pages {
				k := pageKey{run: run, col: 3, sec: sec, page: uint32(i)}
				if c.get(k) != nil {
					hits++
				} else {
					c.put(k, make([]byte, 4<<10))
				}
			}
			return hits
		}
		const often = 150 // of about 380
		ask(1, often)
		ask(1, often)
		ask(2, 10_000)
		if hits := ask(1, often); hits != often {
			t.Errorf("section %d: a scan has left %d of %d pages", sec, hits, often)
		}
	}
}
