// Sets of ordinals, which count distinct users and sessions.

package identity

import (
	"maps"
	"slices"
)

// OrdSet is a set of ordinals, in pages of 65,536. It never contains ordinal 0, which is nobody.
// An ordinal takes at most about eleven bytes, and a page at most eight KiB. The zero OrdSet is
// empty. It is not safe for concurrent use, but several goroutines may call Has.
type OrdSet struct {
	pages map[uint64]*ordPage
	near  []nearPage // recently used pages, each at the index key%nearPages
}

type nearPage struct {
	key  uint64 // plus 1
	page *ordPage
}

const nearPages = 256 // a power of two

// Add adds an ordinal. It does not add 0.
func (s *OrdSet) Add(ord uint64) {
	if ord == 0 {
		return
	}
	if p := s.at(ord >> 16); p.bits != nil {
		p.bits[ord&0xffff>>6] |= 1 << (ord & 63)
	} else {
		p.add(uint16(ord))
	}
}

// AddAll adds ordinals, as the integer columns of rows have them. It does not add 0.
func (s *OrdSet) AddAll(ords []int64) {
	var page *ordPage // of the ordinal before: rows that follow each other often share it
	last := ^uint64(0)
	for _, o := range ords {
		ord := uint64(o)
		if ord == 0 {
			continue
		}
		if key := ord >> 16; key != last {
			page, last = s.at(key), key
		}
		if page.bits != nil {
			page.bits[ord&0xffff>>6] |= 1 << (ord & 63)
		} else {
			page.add(uint16(ord))
		}
	}
}

// at returns the page of a key. It makes the page if there is none.
func (s *OrdSet) at(key uint64) *ordPage {
	if len(s.near) != 0 {
		if n := &s.near[key%nearPages]; n.key == key+1 {
			return n.page
		}
	} else {
		s.pages, s.near = make(map[uint64]*ordPage), make([]nearPage, nearPages)
	}
	p := s.pages[key]
	if p == nil {
		p = new(ordPage)
		s.pages[key] = p
	}
	s.near[key%nearPages] = nearPage{key + 1, p}
	return p
}

// Union adds all ordinals of o.
func (s *OrdSet) Union(o *OrdSet) {
	for key, from := range o.pages {
		s.at(key).union(from)
	}
}

// Take adds all ordinals of o, and leaves o empty. It copies none of what o alone has.
func (s *OrdSet) Take(o *OrdSet) {
	if s.pages == nil {
		*s, *o = *o, OrdSet{}
		return
	}
	for key, from := range o.pages {
		if p := s.pages[key]; p != nil {
			p.union(from)
		} else {
			s.pages[key] = from
		}
	}
	*o = OrdSet{}
}

// Intersect removes all ordinals that o does not have.
func (s *OrdSet) Intersect(o *OrdSet) {
	for key, page := range s.pages {
		other := o.pages[key]
		if other == nil {
			other = new(ordPage)
		}
		page.intersect(other)
	}
}

// Has reports whether an ordinal is in the set.
func (s *OrdSet) Has(ord uint64) bool {
	key := ord >> 16
	if len(s.near) != 0 && s.near[key%nearPages].key == key+1 {
		return s.near[key%nearPages].page.has(uint16(ord))
	}
	p := s.pages[key]
	return p != nil && p.has(uint16(ord))
}

// Len returns the number of ordinals in the set.
func (s *OrdSet) Len() int {
	n := 0
	for _, p := range s.pages {
		n += p.len()
	}
	return n
}

// eachPage calls fn with the ordinals of each page, ascending. fn may change the slice, which is
// valid until it returns.
func (s *OrdSet) eachPage(fn func(ords []uint64)) {
	keys := slices.Sorted(maps.Keys(s.pages))
	var ords []uint64
	for _, key := range keys {
		ords = s.pages[key].appendTo(ords[:0], key<<16)
		fn(ords)
	}
}

// sorted returns the ordinals, ascending.
func (s *OrdSet) sorted() (all []uint64) {
	s.eachPage(func(ords []uint64) { all = append(all, ords...) })
	return all
}

// AddPersons adds all ordinals of the persons that the ordinals in the set name. It calls check
// after each few thousand, and returns its error.
func (s *OrdSet) AddPersons(p Persons, check func() error) error {
	var linked OrdSet
	s.eachPage(func(ords []uint64) { p.Apart(ords, linked.Add) })
	added := 0
	for _, one := range linked.sorted() {
		set := p.Set(one)
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
	alone := 0
	s.eachPage(func(ords []uint64) { alone += len(p.Apart(ords, linked.Add)) }) // as pairs of row 0
	return alone + linked.Len()
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
