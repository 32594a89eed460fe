// The header of a run: what its columns are and where their pages begin.

package index

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const runVersion = 1

// rowsMax bounds the rows of a run, so that no damaged number asks for more
// memory than there is.
const rowsMax = 1 << 31

// header describes a run. It is written last of a run's keys:
//
//	version 1 byte | rows | integer columns | filter 0/1 | cell columns | for each: name, flags,
//	leaves, card, scalars, present rows, dictionary pages, cells of each page;
//	then the number of properties with totals, and their names
//
// All numbers are uvarints, the name is length-prefixed. Cell columns stand in
// order of name; their number in keys is integer columns + position.
type header struct {
	rows    int
	ints    int
	filter  bool // a filter is kept
	columns []columnHeader
	totals  []string // properties that have totals, sorted
}

type columnHeader struct {
	name    string
	sparse  bool // section 7 lists the rows that have it
	rows    bool // section 4 is kept
	leaves  int  // entries of sections 5 and 6
	card    int
	scalars int   // the first codes are scalars
	present int   // rows that have it
	dict    []int // first code-1 of each dictionary page
}

var errHeader = errors.New("damaged run header")

func (h *header) append(dst []byte) []byte {
	dst = append(dst, runVersion)
	dst = binary.AppendUvarint(dst, uint64(h.rows))
	dst = binary.AppendUvarint(dst, uint64(h.ints))
	filter := byte(0)
	if h.filter {
		filter = 1
	}
	dst = append(dst, filter)
	dst = binary.AppendUvarint(dst, uint64(len(h.columns)))
	for i := range h.columns {
		c := &h.columns[i]
		dst = binary.AppendUvarint(dst, uint64(len(c.name)))
		dst = append(dst, c.name...)
		var flags byte
		if c.sparse {
			flags |= 1
		}
		if c.rows {
			flags |= 2
		}
		dst = append(dst, flags)
		for _, v := range []int{c.leaves, c.card, c.scalars, c.present, len(c.dict)} {
			dst = binary.AppendUvarint(dst, uint64(v))
		}
		for j, first := range c.dict {
			n := c.card - first
			if j+1 < len(c.dict) {
				n = c.dict[j+1] - first
			}
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(h.totals)))
	for _, p := range h.totals {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

func parseHeader(b []byte) (*header, error) {
	if len(b) == 0 || b[0] != runVersion {
		return nil, fmt.Errorf("%w: unknown version", errHeader)
	}
	b = b[1:]
	bad := false
	number := func(most int) int {
		v, w := binary.Uvarint(b)
		if w <= 0 || v > uint64(most) {
			bad = true
			return 0
		}
		b = b[w:]
		return int(v)
	}
	h := &header{rows: number(rowsMax), ints: number(64), filter: number(1) == 1}
	n := number(ColumnsMax + 64)
	for i := 0; i < n && !bad; i++ {
		var c columnHeader
		l := number(len(b))
		if bad || l >= len(b) {
			return nil, errHeader
		}
		c.name = string(b[:l])
		if i > 0 && c.name <= h.columns[i-1].name {
			return nil, errHeader
		}
		c.sparse, c.rows = b[l]&1 != 0, b[l]&2 != 0
		b = b[l+1:]
		c.leaves = number(rowsMax)
		c.card = number(h.rows)
		c.scalars = number(c.card)
		c.present = number(h.rows)
		pages := number(c.card)
		first := 0
		for j := 0; j < pages && !bad; j++ {
			c.dict = append(c.dict, first)
			first += number(c.card - first)
		}
		if first != c.card {
			bad = true
		}
		h.columns = append(h.columns, c)
	}
	for n := number(len(b)); n > 0 && !bad; n-- {
		l := number(len(b))
		if l > len(b) {
			return nil, errHeader
		}
		if k := len(h.totals); k > 0 && string(b[:l]) <= h.totals[k-1] {
			return nil, errHeader
		}
		h.totals = append(h.totals, string(b[:l]))
		b = b[l:]
	}
	if bad || len(b) != 0 {
		return nil, errHeader
	}
	return h, nil
}
