// Packed partials: what a slice of a run adds to a tally, kept for when the same is
// asked again after new rows have come. Rows of a run never change, so it stays
// true for ever.

package read

import (
	"encoding/binary"
	"fmt"
	"slices"

	"cairn/engine/identity"
	"cairn/engine/query"
)

// packed is a partial in little memory: most of it is pairs, sorted, each as its
// distance from the one before.
type packedPartial struct {
	joint               bool
	names               []string
	keys                []aggregateKey
	events              []int64
	persons, older, own []byte
}

func (p *partialAggregate) pack() *packedPartial {
	var own []uint64
	_ = p.eachOwn(func(row int, session uint64) { own = append(own, identity.PairOf(row, session)) })
	return &packedPartial{
		joint: p.joint,
		names: slices.Clone(p.names.names), keys: slices.Clone(p.keys), events: slices.Clone(p.events),
		persons: packPairs(p.persons.pairs), older: packPairs(p.older.pairs), own: packPairs(sortPairs(own)),
	}
}

// large says whether some of the partial is in a file.
func (p *partialAggregate) large() bool {
	return len(p.persons.runs)+len(p.older.runs)+len(p.own.runs) > 0
}

// unpack makes the partial that was packed, of the slice that begins at first.
func (k *packedPartial) unpack(first uint64) *partialAggregate {
	p := newPartial(first, k.joint, nil)
	p.names = terms{names: k.names}
	p.keys, p.events = append(p.keys, k.keys...), append(p.events, k.events...)
	p.persons.pairs = unpackPairs(p.persons.pairs, k.persons)
	p.older.pairs = unpackPairs(p.older.pairs, k.older)
	p.own.pairs = unpackPairs(p.own.pairs, k.own)
	return p
}

// size is about how many bytes it takes.
func (k *packedPartial) size() int {
	n := 24*len(k.keys) + len(k.persons) + len(k.older) + len(k.own)
	for _, name := range k.names {
		n += 16 + len(name)
	}
	return n
}

// packPairs packs sorted pairs.
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
	last := uint64(0)
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		last += d
		dst = append(dst, last)
		b = b[n:]
	}
	return dst
}

// keeper keeps the partials of one query. The zero keeper keeps none.
type partialCache struct {
	results  *resultCache
	query    string // all that decides a partial, but for the slice
	repeated bool   // the query has come before, and may once more
}

func (rd *Reader) partialCache(v *view, q *query.CounterQuery, repeated bool) partialCache {
	links := uint64(0)
	for _, c := range q.Where {
		if c.Field == "user" { // which rows those are depends on who is one person
			links = v.Table.Links.Version()
		}
	}
	return partialCache{rd.partials, fmt.Sprintf("%d %d %d %q %q %q %q %q %d %d %d %d", q.Site.ID, q.Metrics, links, q.Property, q.Values, q.Segment, q.SegmentValues, q.Where,
		q.From, q.To, q.FromDay, q.ToDay), repeated}
}

// partial is that of a slice, nil when it adds nothing: the kept one, or what
// compute finds.
func (k partialCache) get(rr *rowRange, compute func() (*partialAggregate, error)) (*partialAggregate, error) {
	if k.results == nil || rr.part.Run == nil {
		return compute()
	}
	first := rr.part.First() + uint64(rr.from)
	key := fmt.Sprintf("%d %d %s", first, rr.to-rr.from, k.query)
	if value, ok := k.results.get(key, dataVersion{}); ok {
		if p := value.(*packedPartial); p != nil {
			return p.unpack(first), nil
		}
		return nil, nil
	}
	p, err := compute()
	if err != nil || !k.repeated {
		return p, err
	}
	if p != nil && p.large() {
		return p, nil
	}
	if p == nil {
		k.results.put(key, dataVersion{}, (*packedPartial)(nil), 0)
		return nil, nil
	}
	packed := p.pack()
	k.results.put(key, dataVersion{}, packed, packed.size())
	return p, nil
}
