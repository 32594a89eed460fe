package index

import "testing"

// BenchmarkCacheGet reads pages that are all in the cache, in an order that is not that of
// their use.
func BenchmarkCacheGet(b *testing.B) {
	const pages = 1 << 14
	c := NewCache(1 << 30)
	page := make([]byte, 64)
	key := func(i int) pageKey {
		return pageKey{run: uint64(i % 7), col: uint16(i % 11), sec: secInts, page: uint32(i)}
	}
	for i := range pages {
		c.put(key(i), page)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if c.get(key(i*7919%pages)) == nil {
			b.Fatal("a page is gone")
		}
	}
}

// BenchmarkCachePut puts new pages into a full cache, which evicts as many.
func BenchmarkCachePut(b *testing.B) {
	c := NewCache(8 << 20)
	page := make([]byte, 1<<10)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.put(pageKey{run: 1, col: uint16(i % 11), sec: secInts, page: uint32(i)}, page)
	}
}
