// The result cache: answers to recent queries. Rows never change and are never removed,
// so an answer is valid until the site gets new rows or new links between persons. Then
// its dataVersion differs and the answer is computed again.

package read

import (
	"fmt"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/query"
)

// resultCache is a cache of bounded size. It drops the least recently used entries first.
// It is safe for any number of goroutines.
type resultCache struct {
	mu      sync.Mutex
	results cache.LRU[string, cachedResult]
	max     int64 // most bytes
}

type cachedResult struct {
	version dataVersion
	value   any // never modified
}

// dataVersion says which data an answer was computed from.
type dataVersion struct {
	last  uint64 // seq of the newest row
	links uint64 // version of the site's links
}

func newResultCache(bytes int64) *resultCache {
	c := &resultCache{max: bytes}
	c.results.Resize(bytes)
	return c
}

// cached returns the answer to the query that key names over v, from the cache or from
// compute. size estimates the bytes of an answer. Callers must not modify the answer.
func cached[T any](c *resultCache, v *view, key string, size func(T) int, compute func() (T, error)) (T, error) {
	// Links may be added while compute runs. The answer may then be newer than its
	// version, but never older.
	version := dataVersion{v.Last, v.Table.Links.Version()}
	if value, ok := c.get(key, version); ok {
		return value.(T), nil
	}
	value, err := compute()
	if err == nil {
		c.put(key, version, value, size(value))
	}
	return value, err
}

func (c *resultCache) get(key string, version dataVersion) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.results.Peek(key)
	if !ok || r.version != version {
		return nil, false
	}
	c.results.Get(key) // an entry of another version does not become the newest
	return r.value, true
}

// has reports whether the cache has an answer to the query, valid or not.
func (c *resultCache) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.results.Peek(key)
	return ok
}

func (c *resultCache) put(key string, version dataVersion, value any, size int) {
	bytes := int64(size+2*len(key)) + 256
	if bytes > c.max/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results.Remove(key)
	c.results.Add(key, cachedResult{version, value}, bytes)
}

// len returns the number of entries.
func (c *resultCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.results.Len()
}

// queryKey contains everything that the answer to a query depends on, except the paging.
func queryKey(q *query.Query, kind string) string {
	return fmt.Sprintf("%s %d %q %q %d %d %d", kind, q.Site.ID, q.Site.Hosts, q.Where, q.From, q.To, q.Metrics)
}

// counterKey contains everything that the answer to a query of counters depends on.
func counterKey(q *query.CounterQuery) string {
	zone, home := "", zoneName(q.Site.Location) // home is that of the days, and of the steps when there is no Zone
	if q.Zone != nil {
		zone = q.Zone.String()
	}
	return fmt.Sprintf("counters %d %q %q %q %q %q %q %d %d %d %d %q %d %d %q %q %q %d", q.Site.ID, q.Site.Hosts, q.Property, q.Values, q.Segment, q.SegmentValues, q.Where,
		q.From, q.To, q.FromDay, q.ToDay, q.Sort, q.Limit, q.Offset, q.Interval, zone, home, q.Metrics)
}

// pageBytes estimates the bytes of a page.
func pageBytes(p query.CounterPage) int {
	n := 0
	for i := range p.Rows {
		n += 88 + len(p.Rows[i].Value) + len(p.Rows[i].Segment)
	}
	return n
}
