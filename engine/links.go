// Links: which ordinals name one person.

package engine

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// links is a union-find of one site's person ordinals; the lowest ordinal of a
// set is its root. Only ordinals that were ever joined are in it. The publisher
// joins, queries ask.
type links struct {
	mu      sync.RWMutex
	root    map[uint64]uint64   // of every joined ordinal but the roots
	members map[uint64][]uint64 // of a root, the others
	joined  uint64              // how many times two sets became one
}

func newLinks() *links {
	return &links{root: make(map[uint64]uint64), members: make(map[uint64][]uint64)}
}

func (l *links) find(ord uint64) uint64 {
	if r, ok := l.root[ord]; ok {
		return r
	}
	return ord
}

func (l *links) join(a, b uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, b = l.find(a), l.find(b)
	if a == b {
		return
	}
	l.joined++
	low, high := min(a, b), max(a, b)
	moved := append(l.members[high], high)
	delete(l.members, high)
	for _, m := range moved {
		l.root[m] = low
	}
	l.members[low] = append(l.members[low], moved...)
}

// version tells what is linked now from what was before and will be.
func (l *links) version() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.joined
}

// apart takes from pairs those whose ordinal alone names its person, and calls linked
// with the others, their persons' roots in the place of the ordinals. What is left of
// pairs is good until they change.
func (l *links) apart(pairs []uint64, linked func(pair uint64)) (alone []uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.root) == 0 {
		return pairs
	}
	alone = pairs[:0]
	for _, p := range pairs {
		row, ord := splitPair(p)
		if root := l.find(ord); root != ord || l.members[ord] != nil {
			linked(pairOf(row, root))
		} else {
			alone = append(alone, p)
		}
	}
	return alone
}

// set returns the root and all members of an ordinal's set, ascending.
func (l *links) set(ord uint64) []uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	r := l.find(ord)
	s := append([]uint64{r}, l.members[r]...)
	slices.Sort(s)
	return s
}

// putLinks writes the links an event made beside its row.
func putLinks(w *pebble.Batch, site uint32, seq uint64, ls []link) error {
	var v []byte
	for _, l := range ls {
		v = binary.BigEndian.AppendUint64(v, l.a)
		v = binary.BigEndian.AppendUint64(v, l.b)
	}
	if err := w.Set(linkKey(site, seq), v, nil); err != nil {
		return fmt.Errorf("write link: %w", err)
	}
	return nil
}

// readLinks calls fn with every stored link of a site, in order.
func readLinks(r pebble.Reader, site uint32, fn func(seq uint64, l link)) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: siteKey(prefixLink, site), UpperBound: append(linkKey(site, 1<<64-1), 0)})
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v := it.Value()
		if len(v)%16 != 0 {
			_ = it.Close()
			return fmt.Errorf("read links: damaged value at %x", it.Key())
		}
		seq := binary.BigEndian.Uint64(it.Key()[5:])
		for ; len(v) > 0; v = v[16:] {
			fn(seq, link{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])})
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	return nil
}
