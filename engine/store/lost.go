// Lost: the events that a repair could not save.

package store

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Range is the seqs from First to Last, both included.
type Range struct{ First, Last uint64 }

// Lost has, by site, the ranges of seqs that no run and no row of the log has, because a repair
// could not save them. They are sorted and do not touch. Most stores have none.
type Lost map[uint32][]Range

// Next returns the seq of the event that follows the event at last.
func (l Lost) Next(site uint32, last uint64) uint64 {
	next := last + 1
	for _, r := range l[site] {
		if r.First <= next && next <= r.Last {
			next = r.Last + 1
		}
	}
	return next
}

// Count returns how many events of a site are lost.
func (l Lost) Count(site uint32) (n uint64) {
	for _, r := range l[site] {
		n += r.Last - r.First + 1
	}
	return n
}

// Append appends the stored form: version 1, then for each range its site u32, first u64 and
// last u64, little endian.
func (l Lost) Append(b []byte) []byte {
	b = append(b, 1)
	for site, ranges := range l {
		for _, r := range ranges {
			b = binary.LittleEndian.AppendUint32(b, site)
			b = binary.LittleEndian.AppendUint64(b, r.First)
			b = binary.LittleEndian.AppendUint64(b, r.Last)
		}
	}
	return b
}

// LostKey is the key under which a store has its Lost.
var LostKey = Key("lost")

// ReadLost reads what a repair has noted.
func ReadLost(r pebble.Reader) (Lost, error) {
	b, err := Get(r, LostKey)
	if err != nil {
		return nil, err
	}
	return ParseLost(b)
}

// ParseLost reads the stored form. nil stands for none.
func ParseLost(b []byte) (Lost, error) {
	if b == nil {
		return nil, nil
	}
	const n = 4 + 8 + 8
	if len(b) == 0 || b[0] != 1 || (len(b)-1)%n != 0 {
		return nil, DamagedFile("the list of lost events", errors.New("it cannot be read"))
	}
	l := make(Lost)
	for b = b[1:]; len(b) > 0; b = b[n:] {
		site := binary.LittleEndian.Uint32(b)
		l[site] = append(l[site], Range{binary.LittleEndian.Uint64(b[4:]), binary.LittleEndian.Uint64(b[12:])})
	}
	return l, nil
}
