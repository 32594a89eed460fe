// Sections: room for what later versions add to a header or a descriptor.

package index

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// sections is a list of sections. Each has a tag and bytes:
//
//	number of sections | for each, tags ascending: tag | length | bytes
//
// All numbers are uvarints. An odd tag must be understood: a reader that does not know it
// refuses the run, because it would answer wrongly. A reader skips an even tag that it
// does not know.
type sections struct {
	n    uint64
	data []byte
}

// add adds a section. Tags ascend.
func (s *sections) add(tag uint64, data []byte) {
	s.n++
	s.data = binary.AppendUvarint(s.data, tag)
	s.data = binary.AppendUvarint(s.data, uint64(len(data)))
	s.data = append(s.data, data...)
}

func (s *sections) append(dst []byte) []byte {
	return append(binary.AppendUvarint(dst, s.n), s.data...)
}

var errSections = errors.New("damaged sections")

// readSections calls fn with each section of b, which holds nothing else. fn returns
// whether it knows the tag.
func readSections(b []byte, fn func(tag uint64, data []byte) (known bool)) error {
	r := varints{b: b}
	last := uint64(0)
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		tag, length := r.uvarint(), r.uvarint()
		if r.bad || tag <= last || length > uint64(len(r.b)) {
			return errSections
		}
		last = tag
		if !fn(tag, r.b[:length]) && tag%2 == 1 {
			return fmt.Errorf("section %d is unknown: use a newer cairn", tag)
		}
		r.b = r.b[length:]
	}
	if r.bad || len(r.b) != 0 {
		return errSections
	}
	return nil
}
