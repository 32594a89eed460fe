package cache

// TwoGenerations is a bounded map that costs little more than a map. When the young
// generation is full, it becomes the old one, and the old one is forgotten. An entry that
// is asked for becomes young again, so entries in use stay. It is not safe for concurrent
// use.
type TwoGenerations[K comparable, V any] struct {
	max        int
	size       func(K, V) int
	own        func(K) K
	young, old map[K]V
	taken      int // sizes of the young entries
}

// NewTwoGenerations returns an empty map of two generations, which take about max each.
// size returns how much of max an entry takes. own returns a copy of a key that shares no
// memory with the caller.
func NewTwoGenerations[K comparable, V any](max int, size func(K, V) int, own func(K) K) *TwoGenerations[K, V] {
	return &TwoGenerations[K, V]{max: max, size: size, own: own, young: make(map[K]V)}
}

// Get returns the value of a key. It keeps no reference to k.
func (c *TwoGenerations[K, V]) Get(k K) (v V, ok bool) {
	if v, ok = c.young[k]; ok {
		return v, true
	}
	if v, ok = c.old[k]; ok {
		c.Put(k, v)
	}
	return v, ok
}

// Put sets the value of a key. It keeps v, but no reference to k.
func (c *TwoGenerations[K, V]) Put(k K, v V) {
	if c.taken >= c.max {
		// The hint is bounded, so that a large map is not allocated at one moment.
		c.old, c.young, c.taken = c.young, make(map[K]V, min(len(c.young), 1024)), 0
	}
	k = c.own(k)
	before := len(c.young)
	c.young[k] = v
	if len(c.young) > before {
		c.taken += c.size(k, v)
	}
}

// Clear forgets all entries.
func (c *TwoGenerations[K, V]) Clear() { c.old, c.young, c.taken = nil, make(map[K]V), 0 }

// Len returns the number of entries in both generations. An entry that became young again
// counts twice.
func (c *TwoGenerations[K, V]) Len() int { return len(c.young) + len(c.old) }
