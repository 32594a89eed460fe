// The result cache: answers to recent queries, and those that are being computed.

package read

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/cache"
	"cairn/engine/query"
)

// answerCache keeps answers, bounded in bytes. It drops the least recently used ones first. It
// is safe for any number of goroutines.
type answerCache struct {
	mu      sync.Mutex
	answers cache.LRU[string, *keptAnswer]
	working map[string]*computing // the newest computing of a question
	max     int64                 // most bytes
	tags    uint64                // the number of the newest tag, from a random one on
}

// keptAnswer is an answer and what it is true of. Version and what is below it belong to the
// cache's lock.
type keptAnswer struct {
	as    query.AsOf
	value any   // never modified; nil of a listing
	until int64 // see Timed; guarded by answerCache.mu

	version dataVersion // up to which the answer has been found true
}

// dataVersion says which data there was.
type dataVersion struct {
	last  uint64 // seq of the newest row
	links uint64 // version of the site's links
	beats uint64 // number of heartbeats

	deletions uint64 // how often hidden rows have changed
}

// computing is an answer that somebody computes. Others wait for it.
type computing struct {
	answer *keptAnswer   // without its value until done is closed
	done   chan struct{} // closed at the end
	err    error         // set before done is closed
	alone  bool          // the error is that of the caller who computed, and of nobody else

	// started says that it waits for nothing but others that have started. Who has a turn
	// waits for no other: else two could wait for each other.
	started atomic.Bool
}

func newAnswerCache(bytes int64) *answerCache {
	c := &answerCache{max: bytes, working: make(map[string]*computing), tags: rand.Uint64()}
	c.answers.Resize(bytes)
	return c
}

// keep returns the answer to a question over v: a kept one if it is true or as new as the caller
// wants, one that another caller is computing, or what compute returns. size estimates the bytes
// of an answer. Callers must not modify it. keep sets fresh.AsOf; when AsOf.Same is set, the
// caller has the answer and keep returns the zero T. A nil fresh wants an answer that is true.
func keep[T any](c *answerCache, v *view, ask question, fresh *query.Fresh, size func(T) int, compute func() (T, error)) (T, error) {
	if fresh == nil {
		fresh = &query.Fresh{Now: time.Now().UnixMilli()}
	}
	give := func(a *keptAnswer) (value T, err error) {
		if fresh.AsOf = a.as; holdsTag(fresh.Tag, a.as.Tag) {
			fresh.AsOf.Same = true
			return value, nil
		}
		return a.value.(T), nil
	}
	for {
		now := v.version()
		kept, other := c.find(ask.key)
		found := kept
		if kept != nil {
			ok, err := c.serves(kept, v, &ask, fresh, now)
			if err != nil {
				var none T
				return none, err
			}
			switch {
			case !ok:
				kept = nil
			case !ask.listing || holdsTag(fresh.Tag, kept.as.Tag):
				c.used(ask.key)
				return give(kept)
			}
		}
		if other != nil && !ask.listing && (!ask.part || other.started.Load()) {
			if ok, err := c.serves(other.answer, v, &ask, fresh, now); err == nil && ok {
				if err := v.budget.wait(other.done); err != nil {
					var none T
					return none, err
				}
				switch {
				case other.err == nil:
					return give(other.answer)
				case !other.alone:
					var none T
					return none, other.err
				}
				continue // the caller who computed has gone
			}
		}
		// Links and heartbeats may come while compute runs. The answer may then be newer than
		// its version, but never older.
		work := &computing{done: make(chan struct{}), err: errAbandoned, alone: true,
			answer: &keptAnswer{as: query.AsOf{Time: fresh.Now, Seq: v.Last}, version: now}}
		if !c.begin(ask.key, work, found, other) {
			continue // another caller was faster
		}
		return compute1(c, v, ask, fresh, work, kept, size, compute)
	}
}

// compute1 computes an answer for all who wait for it. kept is what is known of a listing that
// is still true.
func compute1[T any](c *answerCache, v *view, ask question, fresh *query.Fresh, work *computing, kept *keptAnswer, size func(T) int, compute func() (T, error)) (value T, err error) {
	defer c.end(ask.key, work) // also after a panic
	value, err = func() (value T, err error) {
		done, err := ask.begin(v.budget)
		if err != nil {
			return value, err
		}
		defer done()
		work.started.Store(true)
		return compute()
	}()
	work.err, work.alone = err, err != nil && (v.budget.ctx != nil && v.budget.ctx.Err() != nil || errors.Is(err, query.ErrTooMany))
	if err != nil {
		return value, err
	}
	if kept != nil { // the same page as before
		fresh.AsOf = kept.as
		return value, nil
	}
	work.answer.value = value
	if ask.listing {
		c.put(ask.key, &keptAnswer{as: work.answer.as, version: work.answer.version}, 0)
	} else {
		c.put(ask.key, work.answer, size(value))
	}
	fresh.AsOf = work.answer.as
	return value, nil
}

// errAbandoned is the error of a computing that ended by a panic. Nobody sees it.
var errAbandoned = errors.New("the computing of an answer was abandoned")

// find returns the kept answer to a question, and the newest computing of one; nil if none.
func (c *answerCache) find(key string) (*keptAnswer, *computing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, _ := c.answers.Peek(key)
	return kept, c.working[key]
}

// used makes an answer the most recently used one. A void answer does not become that.
func (c *answerCache) used(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers.Get(key)
}

// begin gives an answer its tag and shows that it is being computed, unless what find has
// returned has changed meanwhile.
func (c *answerCache) begin(key string, work *computing, kept *keptAnswer, other *computing) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, _ := c.answers.Peek(key); now != kept || c.working[key] != other {
		return false
	}
	c.tags++
	work.answer.as.Tag = strconv.FormatUint(c.tags, 36)
	c.working[key] = work
	return true
}

func (c *answerCache) end(key string, work *computing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working[key] == work {
		delete(c.working, key)
	}
	close(work.done)
}

func (c *answerCache) put(key string, a *keptAnswer, size int) {
	bytes := int64(size+2*len(key)) + 384
	if bytes > c.max/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if timed, is := a.value.(Timed); is {
		a.until = timed.TrueUntil()
	}
	c.answers.Remove(key)
	c.answers.Add(key, a, bytes)
}

// has reports whether the cache has an answer to a question, true or not.
func (c *answerCache) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.answers.Peek(key)
	return ok
}

// len returns the number of entries.
func (c *answerCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers.Len()
}

// ask is the question of a Query. kind says what is asked.
func (rd *Reader) ask(q *query.Query, kind string, rules ...Rule) question {
	return newQuestion(q.Site, queryKey(q, kind), []query.Span{openSpan(q.From, q.To)}, q.Where, rules)
}

// openSpan is the span from one time to another, either of which may be 0: open.
func openSpan(from, to int64) query.Span {
	if to == 0 {
		to = openEnd
	}
	if from == 0 {
		from = -openEnd
	}
	return query.Span{From: from, To: to}
}

// openEnd is later than the time of any row.
const openEnd = int64(1) << 60

// queryKey contains everything that the answer to a query depends on, except the paging.
func queryKey(q *query.Query, kind string) string {
	return fmt.Sprintf("%s %d %q %q %d %d %d", kind, q.Site.ID, q.Site.Hosts, q.Where, q.From, q.To, q.Metrics)
}

// pagingKey is the paging of a query of a listing.
func pagingKey(q *query.Query) string {
	return fmt.Sprintf("%v %d %d %q %d %v %v", q.Ascending, q.Limit, q.Bytes, q.After, q.Skip, q.Shown, q.ByLast)
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
