// The header of a run: its columns and where their pages begin.

package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
)

// RunVersion is the newest format version of a run, the one that sealing and merging
// write. Version 1 is read for ever. Version 2 has sections (section.go) at the end of
// the header and of the descriptor.
const RunVersion = 2

// header describes a run. It is the last key of a run:
//
//	version 1 byte | rows | integer columns | pages of the filter | cell columns |
//	for each: name, flags, leaves, card, scalars, present rows, dictionary pages,
//	cells of each, pages of their first cells, cells of each;
//	then the number of properties with totals, and for each: name, pages, first
//	day of each (signed);
//	version 2 only: sections, see section.go:
//	    2 counts    see countsHeader
//	    4 bounds    see boundsHeader
//	    6 pairs     see pairsHeader
//
// All numbers are varints, and each name has its length before it. Cell columns are
// ordered by name; the number of a cell column in keys is the number of integer columns
// plus its position. The pages of totals are numbered through all properties.
type header struct {
	version byte
	rows    int
	ints    int
	filter  int // pages of the filter; 0 = none
	columns []columnHeader
	totals  []totalsHeader // by property
	counts  *countsHeader  // nil = nothing is counted
	bounds  *boundsHeader  // nil = none are known
	pairs   *pairsHeader   // nil = none are counted
}

type columnHeader struct {
	name    string
	sparse  bool  // has a row set
	lists   bool  // has lists of blocks
	leaves  int64 // number of (leaf, code) entries
	card    int
	scalars int   // codes 1..scalars have a term
	present int   // rows that have the field
	dict    []int // index (code-1) of the first cell of each dictionary page
	firsts  []int // number of the first dictionary page of each page of first cells
}

type totalsHeader struct {
	property string
	first    int     // number of its first page
	days     []int32 // first day of each page
}

var errHeader = errors.New("damaged run header")

func (h *header) append(dst []byte) []byte {
	dst = append(dst, h.version)
	number := func(v int) { dst = binary.AppendUvarint(dst, uint64(v)) }
	text := func(s string) {
		number(len(s))
		dst = append(dst, s...)
	}
	number(h.rows)
	number(h.ints)
	number(h.filter)
	number(len(h.columns))
	for i := range h.columns {
		c := &h.columns[i]
		text(c.name)
		var flags byte
		if c.sparse {
			flags |= 1
		}
		if c.lists {
			flags |= 2
		}
		dst = append(dst, flags)
		dst = binary.AppendUvarint(dst, uint64(c.leaves))
		number(c.card)
		number(c.scalars)
		number(c.present)
		for _, pages := range []struct {
			firsts []int
			n      int
		}{{c.dict, c.card}, {c.firsts, len(c.dict)}} {
			number(len(pages.firsts))
			for j, first := range pages.firsts {
				end := pages.n
				if j+1 < len(pages.firsts) {
					end = pages.firsts[j+1]
				}
				number(end - first)
			}
		}
	}
	number(len(h.totals))
	for _, t := range h.totals {
		text(t.property)
		number(len(t.days))
		for _, day := range t.days {
			dst = binary.AppendVarint(dst, int64(day))
		}
	}
	if h.version >= 2 {
		var s sections
		if h.counts != nil {
			s.add(sectionCounts, h.counts.append(nil))
		}
		if h.bounds != nil {
			s.add(sectionBounds, h.bounds.append(nil))
		}
		if h.pairs != nil {
			s.add(sectionPairs, h.pairs.append(nil))
		}
		dst = s.append(dst)
	}
	return dst
}

func parseHeader(b []byte) (*header, error) {
	if len(b) == 0 || b[0] < 1 || b[0] > RunVersion {
		return nil, fmt.Errorf("%w: unknown version", errHeader)
	}
	version := b[0]
	r := varints{b: b[1:]}
	text := func() string { return string(r.bytes(r.number(len(r.b)))) }
	h := &header{version: version, rows: r.number(rowsMax), ints: r.number(intsMax), filter: r.number(rowsMax)}
	n := r.number(columnsMax)
	for i := 0; i < n && !r.bad; i++ {
		c := columnHeader{name: text()}
		if r.bad || len(r.b) == 0 || i > 0 && c.name <= h.columns[i-1].name {
			return nil, errHeader
		}
		c.sparse, c.lists = r.b[0]&1 != 0, r.b[0]&2 != 0
		r.b = r.b[1:]
		c.leaves = int64(r.number(leavesMax))
		c.card = r.number(h.rows)
		c.scalars = r.number(c.card)
		c.present = r.number(h.rows)
		for _, pages := range []struct {
			firsts *[]int
			n      int
		}{{&c.dict, c.card}, {&c.firsts, 0}} {
			if pages.firsts == &c.firsts {
				pages.n = len(c.dict)
			}
			first := 0
			for n := r.number(pages.n); n > 0 && !r.bad; n-- {
				*pages.firsts = append(*pages.firsts, first)
				first += r.number(pages.n - first)
			}
			if first != pages.n {
				r.bad = true
			}
		}
		h.columns = append(h.columns, c)
	}
	pages := 0
	for n := r.number(len(r.b)); n > 0 && !r.bad; n-- {
		t := totalsHeader{property: text(), first: pages}
		if k := len(h.totals); r.bad || k > 0 && t.property <= h.totals[k-1].property {
			return nil, errHeader
		}
		for n := r.number(len(r.b)); n > 0 && !r.bad; n-- {
			day := r.varint()
			if r.bad || int64(int32(day)) != day {
				return nil, errHeader
			}
			t.days = append(t.days, int32(day))
		}
		pages += len(t.days)
		h.totals = append(h.totals, t)
	}
	if r.bad {
		return nil, errHeader
	}
	if version >= 2 {
		var damage error
		err := readSections(r.b, func(tag uint64, data []byte) bool {
			var err error
			switch tag {
			case sectionCounts:
				h.counts, err = parseCountsHeader(data, h.ints, h.rows)
			case sectionBounds:
				h.bounds, err = parseBoundsHeader(data, h.ints, h.rows)
			case sectionPairs:
				h.pairs, err = parsePairsHeader(data, h.columns)
			}
			damage = cmp.Or(damage, err)
			return tag == sectionCounts || tag == sectionBounds || tag == sectionPairs
		})
		if c := h.counts; c != nil && c.Field != "" && h.pairs != nil && c.Field != h.pairs.field {
			damage = cmp.Or(damage, errCounted) // both are of one field
		}
		if err = cmp.Or(err, damage); err != nil {
			return nil, fmt.Errorf("%w: %w", errHeader, err)
		}
	} else if len(r.b) != 0 {
		return nil, errHeader
	}
	return h, nil
}
