// Path columns: the terms at a path inside the cells of a column, remembered by code. Also
// the column that says where counting ends.

package read

import (
	"slices"

	"cairn/engine/event"
	"cairn/index"
)

// pathColumn is a column and a path inside its cells. It remembers the terms at the path
// for each code it has read.
type pathColumn struct {
	field string
	col   index.Column
	codes *rowInts
	path  string
	names *terms

	scalars  int               // codes up to this one have a term at the path ""
	memo     [][]int32         // by code; nil = not read yet
	has      map[int64]bool    // by code: whether it has a term; of hasTerm
	wideMemo map[int64][]int32 // instead of memo, for a column with more codes than a row range has rows
}

// openPathColumn returns nil when the part has no such column.
func openPathColumn(p index.Part, field, path string, names *terms) *pathColumn {
	col := p.Column(field)
	if col == nil {
		return nil
	}
	return &pathColumn{field: field, col: col, codes: newRowInts(col.Codes()), path: path, names: names, scalars: col.Scalars()}
}

// noTerms is the memo of a code that has no terms at the path.
var noTerms = []int32{}

// at returns the terms at the path in a row's cell, as numbers in names.
func (c *pathColumn) at(row int) []int32 { return c.terms(c.codes.at(row)) }

// terms returns the terms at the path in the cell of a code.
func (c *pathColumn) terms(code int64) []int32 {
	card := c.col.Card()
	if code <= 0 || code > int64(card) {
		return nil
	}
	if card > rangeRowsMax {
		ids, known := c.wideMemo[code]
		if !known {
			if c.wideMemo == nil {
				c.wideMemo = make(map[int64][]int32)
			}
			ids = c.readTerms(uint32(code))
			c.wideMemo[code] = ids
		}
		return ids
	}
	if c.memo == nil {
		c.memo = make([][]int32, card+1)
	}
	if c.memo[code] == nil {
		c.memo[code] = c.readTerms(uint32(code))
	}
	return c.memo[code]
}

// readTerms reads the terms at the path in the cell of a code.
func (c *pathColumn) readTerms(code uint32) []int32 {
	var ids idSet
	event.CellTerms(c.col.Cell(code), c.path, func(term string) { ids.add(c.names.idCloned(term)) })
	if len(ids.list) == 0 {
		return noTerms
	}
	return ids.list
}

// idSet is a list of different numbers, in the order in which they were added.
type idSet struct {
	list []int32
	many map[int32]struct{} // the same numbers; nil while there are few
}

func (d *idSet) reset() { d.list, d.many = d.list[:0], nil }

func (d *idSet) add(id int32) {
	const few = 16
	if len(d.list) < few {
		if !slices.Contains(d.list, id) {
			d.list = append(d.list, id)
		}
		return
	}
	if d.many == nil {
		d.many = make(map[int32]struct{}, 2*few)
		for _, id := range d.list {
			d.many[id] = struct{}{}
		}
	}
	if _, again := d.many[id]; !again {
		d.many[id] = struct{}{}
		d.list = append(d.list, id)
	}
}

// cutColumn is the column that says where counting ends in a row.
type cutColumn struct {
	col   index.Column
	codes *rowInts
	memo  map[int64]*event.Cut
}

// at returns where counting ends in a row, or nil when the row counts completely.
func (c *cutColumn) at(row int) *event.Cut {
	if c == nil {
		return nil
	}
	code := c.codes.at(row)
	if code <= 0 || code > int64(c.col.Card()) {
		return nil
	}
	cut, known := c.memo[code]
	if !known {
		var e event.Event
		_ = e.SetCell(event.FieldCut, c.col.Cell(uint32(code))) // fails for a damaged page, which Part.Err reports
		cut = e.Cut
		if c.memo == nil {
			c.memo = make(map[int64]*event.Cut)
		}
		c.memo[code] = cut
	}
	return cut
}

// hasTerm reports whether the cell of a code has a term at the path.
func (c *pathColumn) hasTerm(code int64) bool {
	if code == 0 {
		return false
	}
	if code < 0 || code > int64(c.col.Card()) {
		return false
	}
	if c.path == "" && code <= int64(c.scalars) {
		return true
	}
	has, known := c.has[code]
	if !known {
		event.CellTerms(c.col.Cell(uint32(code)), c.path, func(string) { has = true })
		if c.has == nil {
			c.has = make(map[int64]bool)
		}
		c.has[code] = has
	}
	return has
}

// cell returns the row's cell, or nil when there is none.
func (c *pathColumn) cell(row int) []byte {
	if c == nil {
		return nil
	}
	if code := uint32(c.codes.at(row)); code != 0 {
		return c.col.Cell(code)
	}
	return nil
}

// everywhere reports whether every row is known to have a term at the path. It reads no
// row.
func (c *pathColumn) everywhere() bool { return c.path == "" && c.col.Everywhere() }
