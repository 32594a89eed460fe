// Answers: what was computed for the queries asked lately. Rows never change and
// never leave, so an answer holds until there are new rows or new links between
// persons.

package read

import (
	"fmt"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/query"
)

// resultCache is a bounded cache, least recently asked out first.
type resultCache struct {
	mu      sync.Mutex
	results cache.LRU[string, cachedResult]
	max     int64
}

type cachedResult struct {
	at    moment
	value any // never changed
}

// moment is what an answer is true of.
type moment struct {
	last  uint64 // newest row
	links uint64 // version of the site's links
}

func newResultCache(bytes int64) *resultCache {
	a := &resultCache{max: bytes}
	a.results.Resize(bytes)
	return a
}

// cached returns the answer to the query named key over v: a kept one, or what
// compute finds. size is about how many bytes the answer takes. Who gets it must
// not change it.
func cached[T any](a *resultCache, v *view, key string, size func(T) int, compute func() (T, error)) (T, error) {
	// Links that come while compute is at work make the answer newer than it says,
	// never older.
	at := moment{v.Last, v.Table.Links.Version()}
	if value, ok := a.get(key, at); ok {
		return value.(T), nil
	}
	value, err := compute()
	if err == nil {
		a.put(key, at, value, size(value))
	}
	return value, err
}

func (a *resultCache) get(key string, at moment) (any, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.results.Peek(key)
	if !ok || r.at != at {
		return nil, false
	}
	a.results.Get(key) // a result that is too old does not become the newest
	return r.value, true
}

// knows reports whether the query was asked lately, though its answer may be old.
func (a *resultCache) knows(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.results.Peek(key)
	return ok
}

func (a *resultCache) put(key string, at moment, value any, size int) {
	bytes := int64(size+2*len(key)) + 256
	if bytes > a.max/4 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.results.Remove(key)
	a.results.Add(key, cachedResult{at, value}, bytes)
}

// len is how many answers are kept.
func (a *resultCache) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.results.Len()
}

// key names all that decides the answer to a query, but for the paging.
func queryKey(q *query.Query, kind string) string {
	return fmt.Sprintf("%s %d %q %d %d %d", kind, q.Site.ID, q.Where, q.From, q.To, q.Metrics)
}

// key names all that decides the answer to a query of counters.
func counterKey(q *query.CounterQuery) string {
	zone := ""
	if q.Zone != nil {
		zone = q.Zone.String()
	}
	return fmt.Sprintf("counters %d %q %q %q %q %q %d %d %d %d %q %d %d %q %q %d", q.Site.ID, q.Property, q.Values, q.Segment, q.SegmentValues, q.Where,
		q.From, q.To, q.FromDay, q.ToDay, q.Sort, q.Limit, q.Offset, q.Interval, zone, q.Metrics)
}

// size is about how many bytes the page takes.
func pageBytes(p query.CounterPage) int {
	n := 0
	for i := range p.Rows {
		n += 88 + len(p.Rows[i].Value) + len(p.Rows[i].Segment)
	}
	return n
}
