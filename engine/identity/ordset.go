// Sets of ordinals, which count distinct users and sessions.

package identity

import (
	"math/bits"
	"slices"
)

// OrdSet is a set of ordinals: a bitmap in pages of 65,536. It never contains ordinal 0,
// which is nobody. The zero OrdSet is empty. It is not safe for concurrent use.
type OrdSet struct {
	pages map[uint64]*[1024]uint64
	near  []nearPage // recently used pages, each at the index key%nearPages
}

type nearPage struct {
	key  uint64 // plus 1
	page *[1024]uint64
}

const nearPages = 256 // a power of two

// Add adds an ordinal. It does not add 0.
func (s *OrdSet) Add(ord uint64) {
	if ord != 0 {
		s.at(ord >> 16)[ord&0xffff>>6] |= 1 << (ord & 63)
	}
}

// at returns the page of a key. It makes the page if there is none.
func (s *OrdSet) at(key uint64) *[1024]uint64 {
	if len(s.near) != 0 {
		if n := &s.near[key%nearPages]; n.key == key+1 {
			return n.page
		}
	} else {
		s.pages, s.near = make(map[uint64]*[1024]uint64), make([]nearPage, nearPages)
	}
	p := s.pages[key]
	if p == nil {
		p = new([1024]uint64)
		s.pages[key] = p
	}
	s.near[key%nearPages] = nearPage{key + 1, p}
	return p
}

// Union adds all ordinals of o.
func (s *OrdSet) Union(o *OrdSet) {
	for key, from := range o.pages {
		page := s.at(key)
		for i, w := range from {
			page[i] |= w
		}
	}
}

// Intersect removes all ordinals that o does not have.
func (s *OrdSet) Intersect(o *OrdSet) {
	for key, page := range s.pages {
		other := o.pages[key]
		for i := range page {
			if other == nil {
				page[i] = 0
			} else {
				page[i] &= other[i]
			}
		}
	}
}

// Has reports whether an ordinal is in the set.
func (s *OrdSet) Has(ord uint64) bool {
	key := ord >> 16
	if len(s.near) != 0 && s.near[key%nearPages].key == key+1 {
		return s.near[key%nearPages].page[ord&0xffff>>6]&(1<<(ord&63)) != 0
	}
	p := s.pages[key]
	return p != nil && p[ord&0xffff>>6]&(1<<(ord&63)) != 0
}

// Len returns the number of ordinals in the set.
func (s *OrdSet) Len() int {
	n := 0
	for _, p := range s.pages {
		for _, w := range p {
			n += bits.OnesCount64(w)
		}
	}
	return n
}

// sorted returns the ordinals, ascending.
func (s *OrdSet) sorted() []uint64 {
	keys := make([]uint64, 0, len(s.pages))
	for k := range s.pages {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var all []uint64
	for _, k := range keys {
		for i, w := range s.pages[k] {
			for ; w != 0; w &= w - 1 {
				all = append(all, k<<16|uint64(i)<<6|uint64(bits.TrailingZeros64(w)))
			}
		}
	}
	return all
}

// AddPersons adds all ordinals of the persons that the ordinals in the set name. It calls check
// after each few thousand, and returns its error.
func (s *OrdSet) AddPersons(l *Links, check func() error) error {
	var linked OrdSet
	l.Persons().Apart(s.sorted(), linked.Add)
	added := 0
	for _, one := range linked.sorted() {
		set := l.Set(one)
		for _, ord := range set {
			s.Add(ord)
		}
		if added += 1 + len(set); added >= LinksHeld {
			added = 0
			if err := check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// CountPersons returns the number of persons that the ordinals name.
func (s *OrdSet) CountPersons(p Persons) int {
	if p.at == 0 {
		return s.Len()
	}
	var linked OrdSet
	alone := p.Apart(s.sorted(), linked.Add) // as pairs of row 0
	return len(alone) + linked.Len()
}

// PairSet is a set of pairs of a row of an answer and an ordinal, as PairOf packs them. The
// zero PairSet is empty. It is not safe for concurrent use.
//
// Three other tables use open addressing: the one in linktable.go, and those in dedup.go and
// cardinality.go of package engine. They differ in their slots, in how they grow, and in how
// they count memory. One generic table for all of them was tried: the lookup of dedup.go then
// took 80 % more time.
type PairSet struct {
	slots []uint64 // open addressing; 0 = free
	N     int      // pairs in the set
}

// Add adds a pair and reports whether it is new. It does not add ordinal 0.
func (s *PairSet) Add(row int, ord uint64) bool {
	return ord != 0 && s.put(PairOf(row, ord))
}

func pairSlot(pair uint64) uint64 { return pair * 0x9e3779b97f4a7c15 >> 20 }

// pairsLarge is the number of slots from which the table grows by a factor of 2 instead of 4.
const pairsLarge = 1 << 16

// put is Add of a packed pair.
func (s *PairSet) put(pair uint64) bool {
	if (s.N+1)*4 > len(s.slots)*3 {
		old := s.slots
		factor := 4
		if len(old) >= pairsLarge {
			factor = 2
		}
		s.slots = make([]uint64, max(64, factor*len(old)))
		s.N = 0
		for _, p := range old {
			if p != 0 {
				s.put(p)
			}
		}
	}
	mask := uint64(len(s.slots) - 1)
	for i := pairSlot(pair) & mask; ; i = (i + 1) & mask {
		if s.slots[i] == pair {
			return false
		}
		if s.slots[i] == 0 {
			s.slots[i] = pair
			s.N++
			return true
		}
	}
}

// Each calls fn with every pair, in no order.
func (s *PairSet) Each(fn func(row int, ord uint64)) {
	for _, p := range s.slots {
		if p != 0 {
			fn(SplitPair(p))
		}
	}
}

// ToPersons replaces each ordinal by one that stands for its person. Pairs of one row and
// one person become one pair.
func (s *PairSet) ToPersons(p Persons) {
	if p.at == 0 {
		return
	}
	pairs := s.slots[:0]
	for _, pair := range s.slots {
		if pair != 0 {
			pairs = append(pairs, pair)
		}
	}
	s.slots, s.N = nil, 0
	put := func(pair uint64) { s.put(pair) }
	for _, pair := range p.Apart(pairs, put) {
		put(pair)
	}
}

// RecentFilter filters out pairs that were seen recently. A pair that comes many times in a row
// passes once or a few times.
type RecentFilter [1 << 12]uint64

// New reports whether the pair may be new, and remembers the pair.
func (l *RecentFilter) New(pair uint64) bool {
	slot := &l[pairSlot(pair)&(1<<12-1)]
	if *slot == pair {
		return false
	}
	*slot = pair
	return true
}
