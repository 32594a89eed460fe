// The page cache: pages of runs, bounded in bytes, least recently used out first.

package index

import (
	"container/list"
	"sync"
)

const cacheShards = 16

// Cache holds pages of all runs of a store. It is safe for concurrent use.
type Cache struct {
	// Corrupt, when set before use, is told of every damaged page that is met.
	Corrupt func(*CorruptError)

	// Lookups, when set before use, says that single cells are looked for at random: of
	// dictionaries then only the first cells of their pages are kept, by which the page
	// is found, and not the page, which is hardly ever the one of the next.
	Lookups bool

	// Matches have room of their own: a listing reads many pages for one row each,
	// and would drive out what saves reading whole columns.
	pages, matches [cacheShards]cacheShard
}

type cacheShard struct {
	mu    sync.Mutex
	pages map[pageKey]*list.Element
	order list.List // newest first
	bytes int64
	max   int64
}

type cached struct {
	key  pageKey
	data []byte
}

// NewCache makes a cache of at most bytes, three eighths of them for matches.
func NewCache(bytes int64) *Cache {
	c := new(Cache)
	for i := range cacheShards {
		c.pages[i].pages = make(map[pageKey]*list.Element)
		c.matches[i].pages = make(map[pageKey]*list.Element)
	}
	c.Resize(bytes)
	return c
}

// Resize sets how many bytes the cache is of at most.
func (c *Cache) Resize(bytes int64) {
	for i := range cacheShards {
		c.pages[i].resize(bytes * 5 / 8 / cacheShards)
		c.matches[i].resize(bytes * 3 / 8 / cacheShards)
	}
}

func (s *cacheShard) resize(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = bytes
	s.evict()
}

// evict lets go of the oldest pages until the rest has room. The caller holds mu.
func (s *cacheShard) evict() {
	for s.bytes > s.max && s.order.Len() > 1 {
		e := s.order.Back()
		old := s.order.Remove(e).(*cached)
		delete(s.pages, old.key)
		s.bytes -= int64(len(old.data)) + 128
	}
}

func (c *Cache) shard(k pageKey) *cacheShard {
	shards := &c.pages
	if k.sec == secMatches {
		shards = &c.matches
	}
	return &shards[(k.run*31+uint64(k.col)*7+uint64(k.sec)*3+uint64(k.page))%cacheShards]
}

// keeps says whether the cache is for that kind of page.
func (c *Cache) keeps(k pageKey) bool { return !c.Lookups || k.sec != secDict }

func (c *Cache) get(k pageKey) []byte {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.pages[k]
	if e == nil {
		return nil
	}
	s.order.MoveToFront(e)
	return e.Value.(*cached).data
}

func (c *Cache) put(k pageKey, data []byte) {
	if !c.keeps(k) {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pages[k] != nil {
		return
	}
	s.pages[k] = s.order.PushFront(&cached{k, data})
	s.bytes += int64(len(data)) + 128
	s.evict()
}
