// The cache of partial aggregates: what a row range of a run adds to an aggregate. It also has what
// whole runs add to counts and series, see keptruns.go. When
// the same query comes again after new rows were added, only the new rows are read. Rows
// of a run change only when they are deleted, so a cached partial aggregate stays valid until
// something of the site is.

package read

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"cairn/engine/cache"
	"cairn/engine/identity"
	"cairn/engine/query"
)

// packedPartial is a partialAggregate in little memory. Most of it is pairs, packed by
// packPairs.
type packedPartial struct {
	joint                     bool
	names                     []string
	keys                      []aggregateKey
	events                    []int64
	persons, earlier, started []byte
}

func (p *partialAggregate) pack() *packedPartial {
	var started []uint64
	_ = p.eachStarted(func(row int, session uint64) { started = append(started, identity.PairOf(row, session)) })
	return &packedPartial{
		joint: p.joint,
		names: slices.Clone(p.names.names), keys: slices.Clone(p.keys), events: slices.Clone(p.events),
		persons: packPairs(p.persons.pairs), earlier: packPairs(p.earlier.pairs), started: packPairs(sortPairs(started)),
	}
}

// large reports whether some pairs of the partial aggregate are in a file.
func (p *partialAggregate) large() bool {
	return len(p.persons.runs)+len(p.earlier.runs)+len(p.started.runs) > 0
}

// unpack returns the partial aggregate that was packed. first is the seq of the first row
// of its row range.
func (k *packedPartial) unpack(first uint64) *partialAggregate {
	p := newPartialAggregate(first, k.joint, nil)
	p.names = terms{names: k.names}
	p.keys, p.events = append(p.keys, k.keys...), append(p.events, k.events...)
	p.persons.pairs = unpackPairs(p.persons.pairs, k.persons)
	p.earlier.pairs = unpackPairs(p.earlier.pairs, k.earlier)
	p.started.pairs = unpackPairs(p.started.pairs, k.started)
	return p
}

// size estimates its bytes.
func (k *packedPartial) size() int {
	n := 24*len(k.keys) + len(k.persons) + len(k.earlier) + len(k.started)
	for _, name := range k.names {
		n += 16 + len(name)
	}
	return n
}

// packPairs packs sorted pairs: each is stored as a uvarint of its difference from the one
// before.
func packPairs(pairs []uint64) []byte {
	b := make([]byte, 0, 3*len(pairs))
	last := uint64(0)
	for _, p := range pairs {
		b = binary.AppendUvarint(b, p-last)
		last = p
	}
	return slices.Clip(b)
}

func unpackPairs(dst []uint64, b []byte) []uint64 {
	eachPacked(b, make([]uint64, 0, 1024), func(pairs []uint64) { dst = append(dst, pairs...) })
	return dst
}

// eachPacked calls fn with packed pairs, some at a time, in buf.
func eachPacked(b []byte, buf []uint64, fn func(pairs []uint64)) {
	last := uint64(0)
	for len(b) > 0 {
		for buf = buf[:0]; len(b) > 0 && len(buf) < cap(buf); buf = append(buf, last) {
			if b[0] < 0x80 { // most differences are this small
				last, b = last+uint64(b[0]), b[1:]
				continue
			}
			d, n := binary.Uvarint(b)
			last, b = last+d, b[n:]
		}
		fn(buf)
	}
}

// partialResults keeps packed partial aggregates, and what whole runs add to counts and series,
// bounded in bytes. Deletions are in their keys. It is safe for any number of goroutines.
type partialResults struct {
	mu     sync.Mutex
	packed cache.LRU[string, any] // a *packedPartial is nil when the row range adds nothing
	max    int64                  // most bytes
}

func newPartialResults(bytes int64) *partialResults {
	c := &partialResults{max: bytes}
	c.packed.Resize(bytes)
	return c
}

func (c *partialResults) get(key string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.packed.Get(key)
}

// asked reports whether a question was asked before, and remembers it.
func (c *partialResults) asked(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := "asked " + what
	if _, ok := c.packed.Get(key); ok {
		return true
	}
	if bytes := int64(2*len(key)) + 256; bytes <= c.max/64 {
		c.packed.Add(key, nil, bytes)
	}
	return false
}

// put keeps p, which takes size bytes, unless it is too large.
func (c *partialResults) put(key string, p any, size int) bool {
	bytes := int64(size+2*len(key)) + 256
	if bytes > c.max/2 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packed.Remove(key)
	return c.packed.Add(key, p, bytes)
}

func (c *partialResults) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.packed.Len()
}

// partialCache caches the partial aggregates of one query. The zero partialCache caches
// none.
type partialCache struct {
	results  *partialResults
	query    string // everything that a partial aggregate depends on, except the row range
	repeated bool   // the query was asked before and may come again: results are stored
}

func (rd *Reader) partialCache(v *view, q *query.CounterQuery, repeated bool) partialCache {
	links := uint64(0)
	for _, c := range q.Where {
		if c.Visit || c.Field == "user" && findsPersons(c.Op) { // new rows change which visits or persons satisfy it
			return partialCache{}
		}
		if c.Field == "user" { // links decide which rows are those of a person
			links = v.joins
		}
	}
	return partialCache{rd.partials, fmt.Sprintf("%d %d %d %d %q %q %q %q %q %d %d %d %d %s %q", q.Site.ID, v.Deletions, q.Metrics, links, q.Property, q.Values, q.Segment, q.SegmentValues, q.Where,
		q.From, q.To, q.FromDay, q.ToDay, zoneName(q.Site.Location), q.Site.Hosts), repeated}
}

// get returns the partial aggregate of a row range, from the cache or from compute. It is
// nil when the range adds nothing.
func (c partialCache) get(rr *rowRange, compute func() (*partialAggregate, error)) (*partialAggregate, error) {
	if c.results == nil || rr.part.Run == nil {
		return compute()
	}
	first := rr.part.First() + uint64(rr.from)
	key := fmt.Sprintf("%d %d %s", first, rr.to-rr.from, c.query)
	if kept, ok := c.results.get(key); ok {
		if p := kept.(*packedPartial); p != nil {
			return p.unpack(first), nil
		}
		return nil, nil
	}
	p, err := compute()
	if err != nil || !c.repeated {
		return p, err
	}
	if p != nil && p.large() {
		return p, nil
	}
	if p == nil {
		c.results.put(key, (*packedPartial)(nil), 0)
		return nil, nil
	}
	packed := p.pack()
	c.results.put(key, packed, packed.size())
	return p, nil
}
