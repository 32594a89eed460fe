// Packed entries of the table of ids. These entries were not used recently.

package identity

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// idPack keeps the stored forms of entries of the ids table that Pebble has, too: so
// it may forget any, and does so a half at a time, the older one. It holds no pointer
// to an entry; a hundred thousand of them cost the garbage collector nothing.
type idPack struct {
	seed     maphash.Seed
	max      int // bytes of a half
	new, old idHalf
}

// idHalf is a half of an idPack.
//
//	entry: key length uvarint | key | value length uvarint | value
type idHalf struct {
	at    map[uint64]uint32 // where in bytes the newest entry with the key's hash is
	bytes []byte
}

// idHalfMax bounds a half, in which places are 32 bits, whatever memory there is.
const idHalfMax = min(1<<31, math.MaxInt)

func newIDPack(bytes int) *idPack {
	return &idPack{seed: maphash.MakeSeed(), max: min(bytes/2, idHalfMax), new: idHalf{at: make(map[uint64]uint32)}}
}

// put keeps an entry, in place of any of the same key.
func (p *idPack) put(key string, k *idEntry) {
	if len(p.new.bytes) >= p.max {
		p.old = p.new
		p.new = idHalf{at: make(map[uint64]uint32, len(p.old.at)), bytes: make([]byte, 0, cap(p.old.bytes))}
	}
	h := &p.new
	h.at[maphash.String(p.seed, key)] = uint32(len(h.bytes))
	h.bytes = append(binary.AppendUvarint(h.bytes, uint64(len(key))), key...)
	// The length of the value is known behind it: it is put in front of it then.
	start := len(h.bytes)
	h.bytes = k.append(h.bytes)
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(h.bytes)-start))
	h.bytes = append(h.bytes, length[:n]...)
	copy(h.bytes[start+n:], h.bytes[start:])
	copy(h.bytes[start:], length[:n])
}

// get returns the stored form of an entry, nil when it is not kept.
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
			return nil // what the older half has may not be the newest of its key
		}
		b = b[n:]
		n, w = binary.Uvarint(b)
		return b[w : w+int(n)]
	}
	return nil
}
