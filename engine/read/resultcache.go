// Answers: what was computed for the queries asked lately. Rows never change and
// never leave, so an answer holds until there are new rows or new links between
// persons.

package read

import (
	"container/list"
	"fmt"
	"sync"

	"cairn/engine/query"
)

// resultCache is a bounded cache, least recently asked out first.
type resultCache struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List // newest first
	bytes int64
	max   int64
}

type cachedResult struct {
	key   string
	at    moment
	value any // never changed
	bytes int64
}

// moment is what an answer is true of.
type moment struct {
	last  uint64 // newest row
	links uint64 // version of the site's links
}

func newResultCache(bytes int64) *resultCache {
	return &resultCache{byKey: make(map[string]*list.Element), max: bytes}
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
	e := a.byKey[key]
	if e == nil || e.Value.(*cachedResult).at != at {
		return nil, false
	}
	a.order.MoveToFront(e)
	return e.Value.(*cachedResult).value, true
}

// knows reports whether the query was asked lately, though its answer may be old.
func (a *resultCache) knows(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byKey[key] != nil
}

func (a *resultCache) put(key string, at moment, value any, size int) {
	bytes := int64(size+2*len(key)) + 256
	if bytes > a.max/4 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.byKey[key]; e != nil {
		a.drop(e)
	}
	a.byKey[key] = a.order.PushFront(&cachedResult{key, at, value, bytes})
	a.bytes += bytes
	for a.bytes > a.max {
		a.drop(a.order.Back())
	}
}

// len is how many answers are kept.
func (a *resultCache) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byKey)
}

func (a *resultCache) drop(e *list.Element) {
	old := a.order.Remove(e).(*cachedResult)
	delete(a.byKey, old.key)
	a.bytes -= old.bytes
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
