// Capped cells: which rows of a row range count some value of a property under event.Other
// because the value is over its cap, and which rows leave a property out because its name
// is.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/index"
)

// cappedCells is an index of the capped cells of a row range: where each property is in
// them. It is made once and serves every property that the query reads.
type cappedCells struct {
	col        index.Column
	codes      *rowInts
	byProperty map[string]*[]cappedPlace // codes ascending
	withNames  []uint32                  // codes of cells with names over the cap, ascending
	numbers    nameNumbers               // nil = leftOutCodes searches the cells for each name
	leftOut    []uint64                  // ascending places: which names of numbers are in which cells
	timedOut   func() bool               // that of the rangeReader
}

// nameNumbers numbers the names of all properties that a query reads.
type nameNumbers map[string]int32

// place says that a name is in the cell of a code. Places ascend by name, then by code.
func (a nameNumbers) place(name int32, code uint32) uint64 { return uint64(name)<<32 | uint64(code) }

// codes returns the codes of the places of a name, ascending.
func (a nameNumbers) codes(places []uint64, name string) (codes []uint32) {
	n, ok := a[name]
	if !ok {
		return nil
	}
	from, _ := slices.BinarySearch(places, a.place(n, 0))
	for _, at := range places[from:] {
		if at>>32 != uint64(n) {
			break
		}
		codes = append(codes, uint32(at))
	}
	return codes
}

// cappedPlace is a cell that contains a property, and the offset of the property in it.
type cappedPlace struct{ code, offset uint32 }

// readCapped reads the capped cells of the rows [from, to) of a metered part. It returns
// nil when no row has anything over a cap. It stops early when r.timedOut.
func (r *rangeReader) readCapped(p index.Part, from, to int) *cappedCells {
	col := p.Column(event.FieldCapped)
	if col == nil {
		return nil
	}
	c := &cappedCells{col: col, codes: newRowInts(col.Codes()), numbers: r.numbers, timedOut: r.timedOut}
	if code, same := constant(c.codes.col, from, to); same && code == 0 {
		return nil
	}
	var codes []uint32
	last := int64(0)
	card, buf := int64(col.Card()), make([]int64, index.PageRows)
	for page := from / index.PageRows; page*index.PageRows < to; page++ {
		first := page * index.PageRows
		for _, code := range c.codes.col.Page(page, buf)[max(from-first, 0):min(to-first, index.PageRows)] {
			if code != last && code > 0 && code <= card {
				last = code
				codes = append(codes, uint32(code))
			}
		}
	}
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		if r.timedOut() {
			break
		}
		cell := col.Cell(code)
		if event.HasCappedNames(cell) {
			c.withNames = append(c.withNames, code)
		}
		if c.numbers != nil {
			event.EachCappedName(cell, func(name []byte) {
				if n, ok := c.numbers[string(name)]; ok {
					c.leftOut = append(c.leftOut, c.numbers.place(n, code))
				}
			})
		}
		event.EachCapped(cell, func(property string, at int) {
			places := c.byProperty[property]
			if places == nil {
				if c.byProperty == nil {
					c.byProperty = make(map[string]*[]cappedPlace)
				}
				places = new([]cappedPlace)
				c.byProperty[strings.Clone(property)] = places
			}
			if n := len(*places); n == 0 || (*places)[n-1].code != code {
				*places = append(*places, cappedPlace{code, uint32(at)})
			}
		})
	}
	if len(c.byProperty) == 0 && len(c.withNames) == 0 {
		return nil
	}
	slices.Sort(c.leftOut)
	return c
}

// leftOutCodes returns the codes of the cells in which the name of a property is over the
// cap, ascending. For event.Other it returns those in which any name is.
func (c *cappedCells) leftOutCodes(property string) (codes []uint32) {
	switch {
	case c == nil || len(c.withNames) == 0:
		return nil
	case property == event.Other:
		return c.withNames
	case !event.NameCapped(property):
		return nil
	case c.numbers != nil:
		return c.numbers.codes(c.leftOut, property)
	}
	for _, code := range c.withNames {
		if c.timedOut() {
			break
		}
		found := false
		event.EachCappedName(c.col.Cell(code), func(name []byte) { found = found || string(name) == property })
		if found {
			codes = append(codes, code)
		}
	}
	return codes
}

// contains reports whether the code of a row's cell is one of codes, which ascend.
func (c *cappedCells) contains(codes []uint32, row int) bool {
	if len(codes) == 0 {
		return false
	}
	_, found := slices.BinarySearch(codes, uint32(c.codes.at(row)))
	return found
}

// cappedProperty is the capped cells that contain one property.
type cappedProperty struct {
	*cappedCells
	property   string
	places     []cappedPlace
	memo       map[uint32]cappedValues
	memoValues int // number of values in memo
}

// cappedValues are the values that rows with one code count under event.Other.
type cappedValues struct {
	all    bool
	values map[string]struct{}
}

func (v *cappedValues) has(value string) bool {
	_, there := v.values[value]
	return v.all || there
}

// memoValuesMax is how many values a cappedProperty remembers.
const memoValuesMax = 1 << 16

// ofProperty returns the cells that contain the property, or nil when none does.
func (c *cappedCells) ofProperty(property string) *cappedProperty {
	if c == nil || c.byProperty[property] == nil {
		return nil
	}
	return &cappedProperty{cappedCells: c, property: property, places: *c.byProperty[property]}
}

// at returns the values of the property that a row counts under event.Other. ok is false
// when there are none.
func (c *cappedProperty) at(row int) (values cappedValues, ok bool) {
	return c.ofCode(uint32(c.codes.at(row)))
}

// ofCode is at for the rows with a code.
func (c *cappedProperty) ofCode(code uint32) (values cappedValues, ok bool) {
	if code == 0 {
		return values, false
	}
	i, found := slices.BinarySearchFunc(c.places, code, func(p cappedPlace, code uint32) int { return int(p.code) - int(code) })
	if !found {
		return values, false
	}
	if values, ok = c.memo[code]; ok {
		return values, true
	}
	event.CappedValues(c.col.Cell(code), c.property, int(c.places[i].offset), func(value string) {
		if value == event.Other {
			values.all = true
			return
		}
		if values.values == nil {
			values.values = make(map[string]struct{})
		}
		values.values[strings.Clone(value)] = struct{}{}
	})
	if c.memoValues += len(values.values); c.memo == nil || c.memoValues > memoValuesMax {
		c.memo, c.memoValues = make(map[uint32]cappedValues), len(values.values)
	}
	c.memo[code] = values
	return values, true
}
