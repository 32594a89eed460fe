// Packed entries of the table of ids: those that are in memory but were not used recently.

package identity

import (
	"encoding/binary"
	"math"

	"cairn/engine/event"
)

// idPack keeps the stored forms of entries that Pebble has, too, so it may forget any of
// them. When the new half is full, it becomes the old one, and the old one is forgotten.
//
// It is no cache.TwoGenerations, because it holds no pointer to an entry: a hundred
// thousand entries cost the garbage collector nothing.
type idPack struct {
	max      int // bytes of a half
	new, old idHalf
	key      []byte // scratch
	form     []byte // scratch
}

// idHalf is a half of an idPack.
//
//	entry: key length uvarint | key | value length uvarint | value
//
// Both are shorter than in Pebble: see shortKey and shortForm.
type idHalf struct {
	at    map[uint64]uint32 // by hash of a key, the offset of its newest entry in bytes
	bytes []byte
}

// idHalfMax bounds a half, whose offsets have 32 bits.
const idHalfMax = min(1<<31, math.MaxInt)

// newIDPack returns an empty pack of about that many bytes.
func newIDPack(bytes int) *idPack {
	return &idPack{max: min(bytes/2, idHalfMax), new: idHalf{at: make(map[uint64]uint32)}}
}

// put packs an entry, which replaces an older one with its key. hash is that of the key.
func (p *idPack) put(hash uint64, k *idEntry) {
	if len(p.new.bytes) >= p.max {
		p.old = p.new
		p.new = idHalf{at: make(map[uint64]uint32, len(p.old.at)), bytes: make([]byte, 0, cap(p.old.bytes))}
	}
	h := &p.new
	h.at[hash] = uint32(len(h.bytes))
	p.key = shortKey(p.key[:0], k.key)
	h.bytes = append(binary.AppendUvarint(h.bytes, uint64(len(p.key))), p.key...)
	p.form = k.append(p.form[:0])
	stored := len(p.form)
	p.form = shortForm(p.form, p.form[:stored])
	h.bytes = append(binary.AppendUvarint(h.bytes, uint64(len(p.form)-stored)), p.form[stored:]...)
}

// get returns the stored form of an entry, nil when the pack does not have it. hash is that of the
// key. The form is valid until the next put.
func (p *idPack) get(hash uint64, key []byte) []byte {
	p.key = p.key[:0]
	for _, h := range [...]*idHalf{&p.new, &p.old} {
		at, ok := h.at[hash]
		if !ok {
			continue
		}
		b := h.bytes[at:]
		n, w := binary.Uvarint(b)
		b = b[w:]
		if len(p.key) == 0 {
			p.key = shortKey(p.key, string(key))
		}
		if string(b[:n]) != string(p.key) {
			return nil // the old half may have an outdated entry of the key
		}
		b = b[n:]
		n, w = binary.Uvarint(b)
		p.form = longForm(p.form[:0], b[w:w+int(n)])
		return p.form
	}
	return nil
}

// drop lets the pack forget the entry of a key with that hash.
func (p *idPack) drop(hash uint64) {
	delete(p.new.at, hash)
	delete(p.old.at, hash)
}

// Most ids are UUIDs or 32 hexadecimal digits, which have a cell of shortCell bytes.
const (
	asIs      = 0 // the text follows
	short     = 1 // some text in it is a cell
	shortCell = 17
)

// cellOf appends the cell of a text that has a short one. ok is false for any other text.
func cellOf(dst []byte, text string) (out []byte, ok bool) {
	if len(text) != 36 && len(text) != 32 {
		return dst, false
	}
	out = event.AppendCell(dst, event.Str(text))
	return out, len(out)-len(dst) == shortCell
}

// shortKey appends a short text for the key of an entry. Different keys have different texts.
func shortKey(dst []byte, key string) []byte {
	for _, n := range [...]int{36, 32} {
		if at := len(key) - n; at >= 0 {
			if out, ok := cellOf(append(append(dst, short), key[:at]...), key[at:]); ok {
				return out
			}
		}
	}
	return append(append(dst, asIs), key...)
}

// shortForm appends a stored form with the id of its only session as a cell:
//
//	short | at 1 | the form before the length of the id, at bytes | cell 17 | the form after the id
//
// Any other form is kept as it is.
func shortForm(dst, form []byte) []byte {
	d := decoder{b: form}
	if version := d.byte(); version == entryVersion || version == tiedVersion {
		d.uvarint() // ord
		d.byte()    // linked
		if n := d.uvarint(); n == 1 {
			d.byte() // dialect
			at := d.at
			id := d.text()
			if !d.bad {
				if out, ok := cellOf(append(append(dst, short, byte(at)), form[:at]...), id); ok {
					return append(out, form[d.at:]...)
				}
			}
		}
	}
	return append(append(dst, asIs), form...)
}

// longForm appends the stored form that shortForm has made short.
func longForm(dst, b []byte) []byte {
	if b[0] == asIs {
		return append(dst, b[1:]...)
	}
	at := int(b[1])
	b = b[2:]
	id := event.CellValue(b[at : at+shortCell]).Text
	dst = append(append(dst, b[:at]...), byte(len(id)))
	return append(append(dst, id...), b[at+shortCell:]...)
}
