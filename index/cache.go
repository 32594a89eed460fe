// The page cache: pages of runs, bounded in bytes. A scan, which asks for each page once,
// evicts no pages that queries ask for again and again.

package index

import (
	"sync"

	"cairn/engine/cache"
)

const (
	cacheShards = 16

	// cachedBytes is about how many bytes of memory an entry takes beside its page.
	cachedBytes = 128
)

// Cache holds pages of all runs of a store. It is safe for concurrent use.
type Cache struct {
	// Corrupt, if set before use, is called with every damage that a reader meets.
	Corrupt func(*CorruptError)

	// Lookups, if set before use, says that readers look up single cells at random. The
	// cache then keeps only the first cells of dictionary pages, which are needed to
	// find a page. It does not keep the dictionary pages, because the next lookup
	// hardly ever needs the same one.
	Lookups bool

	// Matches have a budget of their own. A listing reads many pages for one row each;
	// with one budget it would evict matches, which save reading whole columns.
	pages, matches [cacheShards]cacheShard
}

type cacheShard struct {
	mu     sync.Mutex
	pages  cache.Segmented[pageKey, []byte]
	counts pageCounts
}

// NewCache returns a cache of at most bytes. Matches take a quarter of them.
func NewCache(bytes int64) *Cache {
	c := new(Cache)
	c.Resize(bytes)
	return c
}

// Resize sets the size of the cache in bytes. It evicts what exceeds the size.
func (c *Cache) Resize(bytes int64) {
	for i := range cacheShards {
		c.pages[i].resize(bytes * 3 / 4 / cacheShards)
		c.matches[i].resize(bytes / 4 / cacheShards)
	}
}

func (s *cacheShard) resize(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages.Resize(bytes)
}

func (c *Cache) shard(k pageKey) *cacheShard {
	shards := &c.pages
	if k.sec == secMatches {
		shards = &c.matches
	}
	return &shards[(k.run*31+uint64(k.col)*7+uint64(k.sec)*3+uint64(k.page))%cacheShards]
}

// keeps reports whether the cache keeps pages of this kind.
func (c *Cache) keeps(k pageKey) bool { return !c.Lookups || k.sec != secDict }

func (c *Cache) get(k pageKey) []byte {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.pages.Get(k)
	if ok {
		s.counts[k.kind()].hits++
	}
	return data
}

func (c *Cache) put(k pageKey, data []byte) {
	if !c.keeps(k) {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages.Add(k, data, int64(len(data))+cachedBytes)
}

// late reports whether a page that was read whole comes back too late to be put.
func (c *Cache) late(k pageKey) bool {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pages.Late(k)
}

// offer is told of a page that was read for a few of its values. The cache takes it, as page
// makes it, when there is space or when it was asked for before, not long ago.
func (c *Cache) offer(k pageKey, bytes int, page func() []byte) {
	if !c.keeps(k) {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	again := s.pages.Again(k, int64(bytes)+cachedBytes)
	s.mu.Unlock()
	if again {
		c.put(k, page())
	}
}
