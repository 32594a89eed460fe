// People: the persons of rows.

package report

import (
	"slices"
	"sync"

	"cairn/engine/identity"
	"cairn/engine/read"
)

// people finds the persons of rows. Several goroutines may use it.
type people struct {
	persons identity.Persons
	recent  sync.Pool // of *recentRoots
}

// recentRoots has the roots of ordinals that were looked up lately: rows of one visit are near
// each other.
type recentRoots [recentRootsLen]struct{ ord, root uint64 }

const recentRootsLen = 1 << 12

func peopleOf(rows *read.Rows) (*people, error) {
	persons, err := rows.Persons()
	p := &people{persons: persons}
	p.recent.New = func() any { return new(recentRoots) }
	return p, err
}

// unresolved marks an entry of recentRoots whose root is not known yet.
const unresolved = 1 << 63

// roots replaces ordinals by the lowest ordinals of their persons.
func (p *people) roots(ords []uint64) {
	recent := p.recent.Get().(*recentRoots)
	defer p.recent.Put(recent)
	var asked []uint64
	for i, ord := range ords {
		known := &recent[ord%recentRootsLen]
		if known.ord != ord {
			known.ord, known.root = ord, unresolved|uint64(len(asked))
			asked = append(asked, ord)
		}
		ords[i] = known.root
	}
	found := slices.Clone(asked)
	p.persons.Roots(found)
	for i, ord := range ords {
		if ord&unresolved != 0 {
			ords[i] = found[ord&^unresolved]
		}
	}
	for i, ord := range asked {
		if known := &recent[ord%recentRootsLen]; known.ord == ord {
			known.root = found[i]
		}
	}
}
