// Packed entries of the table of ids: those that are in memory but were not used recently.

package identity

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// idPack keeps the stored forms of entries that Pebble has, too, so it may forget any of
// them. When the new half is full, it becomes the old one, and the old one is forgotten.
//
// It is no cache.TwoGenerations, because it holds no pointer to an entry: a hundred
// thousand entries cost the garbage collector nothing.
type idPack struct {
	seed     maphash.Seed
	max      int // bytes of a half
	new, old idHalf
}

// idHalf is a half of an idPack.
//
//	entry: key length uvarint | key | value length uvarint | value
type idHalf struct {
	at    map[uint64]uint32 // by hash of a key, the offset of its newest entry in bytes
	bytes []byte
}

// idHalfMax bounds a half, whose offsets have 32 bits.
const idHalfMax = min(1<<31, math.MaxInt)

// newIDPack returns an empty pack of about that many bytes.
func newIDPack(bytes int) *idPack {
	return &idPack{seed: maphash.MakeSeed(), max: min(bytes/2, idHalfMax), new: idHalf{at: make(map[uint64]uint32)}}
}

// put packs an entry, which replaces an older one with its key.
func (p *idPack) put(key string, k *idEntry) {
	if len(p.new.bytes) >= p.max {
		p.old = p.new
		p.new = idHalf{at: make(map[uint64]uint32, len(p.old.at)), bytes: make([]byte, 0, cap(p.old.bytes))}
	}
	h := &p.new
	h.at[maphash.String(p.seed, key)] = uint32(len(h.bytes))
	h.bytes = append(binary.AppendUvarint(h.bytes, uint64(len(key))), key...)
	// The length of the value is known only after the value is appended. So it is appended,
	// too, and moved to the front.
	start := len(h.bytes)
	h.bytes = k.append(h.bytes)
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(h.bytes)-start))
	h.bytes = append(h.bytes, length[:n]...)
	copy(h.bytes[start+n:], h.bytes[start:])
	copy(h.bytes[start:], length[:n])
}

// get returns the stored form of an entry, nil when the pack does not have it. The form is
// valid until the next put.
func (p *idPack) get(key []byte) []byte {
	hash := maphash.Bytes(p.seed, key)
	for _, h := range [...]*idHalf{&p.new, &p.old} {
		at, ok := h.at[hash]
		if !ok {
			continue
		}
		b := h.bytes[at:]
		n, w := binary.Uvarint(b)
		b = b[w:]
		if string(b[:n]) != string(key) {
			return nil // the old half may have an outdated entry of the key
		}
		b = b[n:]
		n, w = binary.Uvarint(b)
		return b[w : w+int(n)]
	}
	return nil
}
