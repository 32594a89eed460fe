package cache

// LRU is a map that is bounded in bytes. When it exceeds its bound, it evicts the entry
// that was used longest ago, but never the only one. It is not safe for concurrent use.
//
// The common libraries bound the number of entries. hashicorp's simplelru with a count
// of bytes beside it took 18 % more time to add an entry.
type LRU[K comparable, V any] struct {
	max, bytes int64
	entries    map[K]*entry[K, V]
	ring       entry[K, V] // no entry: next is the newest, prev the oldest
}

type entry[K comparable, V any] struct {
	next, prev *entry[K, V]
	key        K
	value      V
	bytes      int64
}

// Get returns the value of a key and makes its entry the newest.
func (c *LRU[K, V]) Get(k K) (v V, ok bool) {
	e := c.entries[k]
	if e == nil {
		return v, false
	}
	if c.ring.next != e {
		e.unlink()
		c.pushFront(e)
	}
	return e.value, true
}

// Peek returns the value of a key and leaves the order as it is.
func (c *LRU[K, V]) Peek(k K) (v V, ok bool) {
	if e := c.entries[k]; e != nil {
		return e.value, true
	}
	return v, false
}

// Add adds an entry that takes that many bytes, unless there is one with the key. The
// LRU keeps k and v. It reports whether it added the entry.
func (c *LRU[K, V]) Add(k K, v V, bytes int64) bool {
	if c.entries[k] != nil {
		return false
	}
	if c.entries == nil {
		c.entries = make(map[K]*entry[K, V])
		c.ring.next, c.ring.prev = &c.ring, &c.ring
	}
	e := &entry[K, V]{key: k, value: v, bytes: bytes}
	c.entries[k] = e
	c.pushFront(e)
	c.bytes += bytes
	c.evict()
	return true
}

// Remove removes the entry with the key, if there is one.
func (c *LRU[K, V]) Remove(k K) {
	if e := c.entries[k]; e != nil {
		c.remove(e)
	}
}

// Resize sets the bound in bytes and evicts what exceeds it.
func (c *LRU[K, V]) Resize(max int64) {
	c.max = max
	c.evict()
}

// Len returns the number of entries.
func (c *LRU[K, V]) Len() int { return len(c.entries) }

// Bytes returns how many bytes the entries take, as Add was told.
func (c *LRU[K, V]) Bytes() int64 { return c.bytes }

func (c *LRU[K, V]) evict() {
	for c.bytes > c.max && len(c.entries) > 1 {
		c.remove(c.ring.prev)
	}
}

func (c *LRU[K, V]) remove(e *entry[K, V]) {
	e.unlink()
	delete(c.entries, e.key)
	c.bytes -= e.bytes
}

func (c *LRU[K, V]) pushFront(e *entry[K, V]) {
	first := c.ring.next
	e.prev, e.next = &c.ring, first
	first.prev, c.ring.next = e, e
}

func (e *entry[K, V]) unlink() {
	prev, next := e.prev, e.next
	prev.next, next.prev = next, prev
}
