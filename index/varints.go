// Reading the numbers of variable length of which headers, sections and counts are made.

package index

import "encoding/binary"

// varints reads what b begins with, and takes it off. After damage, bad is set, and it reads zeros.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) uvarint() uint64 {
	v, w := binary.Uvarint(r.b) // 0 after damage, as binary.Varint
	r.skip(w)
	return v
}

func (r *varints) varint() int64 {
	v, w := binary.Varint(r.b)
	r.skip(w)
	return v
}

// skip takes w bytes off. w is not positive after damage.
func (r *varints) skip(w int) {
	if w <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[w:]
}

// number reads a number of at most most.
func (r *varints) number(most int) int {
	v := r.uvarint()
	if most < 0 || v > uint64(most) {
		r.bad = true
		return 0
	}
	return int(v)
}

// bytes returns the next n bytes. They alias what is read.
func (r *varints) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
