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
		c.pages[i] = cacheShard{pages: make(map[pageKey]*list.Element), max: bytes * 5 / 8 / cacheShards}
		c.matches[i] = cacheShard{pages: make(map[pageKey]*list.Element), max: bytes * 3 / 8 / cacheShards}
	}
	return c
}

func (c *Cache) shard(k pageKey) *cacheShard {
	shards := &c.pages
	if k.sec == secMatches {
		shards = &c.matches
	}
	return &shards[(k.run*31+uint64(k.col)*7+uint64(k.sec)*3+uint64(k.page))%cacheShards]
}

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
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pages[k] != nil {
		return
	}
	s.pages[k] = s.order.PushFront(&cached{k, data})
	s.bytes += int64(len(data)) + 128
	for s.bytes > s.max && s.order.Len() > 1 {
		e := s.order.Back()
		old := s.order.Remove(e).(*cached)
		delete(s.pages, old.key)
		s.bytes -= int64(len(old.data)) + 128
	}
}
