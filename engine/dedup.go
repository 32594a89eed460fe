// Deduplication finds events whose message id was stored before. This file remembers the
// ids of the newest events. dedup_find.go finds those of older events in parts in memory
// and in runs.

package engine

import (
	"hash/maphash"

	"cairn/engine/event"
)

// recent remembers the message ids of the newest events exactly. It stores an id as a hash
// of 128 bits under seeds of this process, so no client can make two ids collide. It keeps
// two generations and drops the older one when the newer is full. The runs answer for older
// ids. It belongs to the sequencer.
//
// It does not use cache.TwoGenerations: it must hold every id from a seq on, and it stores
// an id in 24 bytes without a pointer.
type recent struct {
	seeds    [2]maphash.Seed
	new, old generation
	max      int
	buf      []byte
}

type generation struct {
	slots []slot // open addressing, the length is a power of two; identity.PairSet and cardinality.go have tables of other slots
	n     int
	from  map[uint32]uint64 // the oldest seq that the generation covers, for each site
}

type slot struct {
	hi, lo, seq uint64 // seq 0 = free
}

// newRecent returns a recent that takes about that many bytes of memory.
func newRecent(bytes int64) *recent {
	slots := 1024
	for int64(slots)*2*24*2 <= bytes {
		slots *= 2
	}
	r := &recent{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, max: slots * 3 / 4}
	r.new = generation{slots: make([]slot, 1024), from: make(map[uint32]uint64)}
	return r
}

// hash returns the two halves of the hash of a message id.
func (r *recent) hash(site uint32, d event.Dialect, id string) (hi, lo uint64) {
	r.buf = append(r.buf[:0], byte(site), byte(site>>8), byte(site>>16), byte(site>>24))
	r.buf = append(r.buf, d...)
	r.buf = append(r.buf, 0)
	r.buf = append(r.buf, id...)
	return maphash.Bytes(r.seeds[0], r.buf), maphash.Bytes(r.seeds[1], r.buf)
}

// find returns the seq of the event with the id, or 0 if the event is not among the newest.
func (r *recent) find(hi, lo uint64) uint64 {
	if seq := r.new.find(hi, lo); seq != 0 {
		return seq
	}
	return r.old.find(hi, lo)
}

// add remembers an id. Of an id that is remembered already, the newest event counts from then
// on.
func (r *recent) add(site uint32, hi, lo, seq uint64) {
	if r.new.n >= r.max {
		r.old = r.new
		r.new = generation{slots: make([]slot, len(r.old.slots)), from: make(map[uint32]uint64)}
	}
	r.new.add(hi, lo, seq)
	if _, ok := r.new.from[site]; !ok {
		r.new.from[site] = seq
	}
}

// covers returns the oldest seq of a site from which on every id is remembered. next is the
// seq of the site's next event.
func (r *recent) covers(site uint32, next uint64) uint64 {
	if s, ok := r.old.from[site]; ok {
		return s
	}
	if s, ok := r.new.from[site]; ok {
		return s
	}
	return next
}

func (g *generation) find(hi, lo uint64) uint64 {
	if len(g.slots) == 0 {
		return 0
	}
	mask := uint64(len(g.slots) - 1)
	for i := hi & mask; ; i = (i + 1) & mask {
		s := &g.slots[i]
		if s.seq == 0 || s.hi == hi && s.lo == lo {
			return s.seq
		}
	}
}

func (g *generation) add(hi, lo, seq uint64) {
	if (g.n+1)*4 > len(g.slots)*3 {
		old := g.slots
		g.slots = make([]slot, 2*len(old))
		for _, s := range old {
			if s.seq != 0 {
				g.put(s)
			}
		}
	}
	if g.put(slot{hi, lo, seq}) {
		g.n++
	}
}

// put reports whether the id is new.
func (g *generation) put(s slot) bool {
	mask := uint64(len(g.slots) - 1)
	i := s.hi & mask
	for g.slots[i].seq != 0 && (g.slots[i].hi != s.hi || g.slots[i].lo != s.lo) {
		i = (i + 1) & mask
	}
	fresh := g.slots[i].seq == 0
	g.slots[i] = s
	return fresh
}
