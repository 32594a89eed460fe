// Capped: which rows of a slice count some value of a property under event.Other, and
// which leave a property out since its name is over the cap.

package read

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/index"
)

// cappedCells is where the properties stand in the capped cells of a slice's rows. It
// is made once and serves every property that is asked of the slice.
type cappedCells struct {
	col      index.Column
	codes    *rowInts
	places   map[string]*[]cappedPlace // by property, codes ascending
	named    []uint32                  // codes of cells with names over the cap, ascending
	asked    askedNames                // nil = each is sought by itself
	left     []uint64                  // which of asked are in the cells of named, and where
	timedOut func() bool               // of the reader
}

// askedNames numbers the names that a query asks for one after another.
type askedNames map[string]int32

// place is where one of asked is in the cell of a code. They ascend by name, then code.
func (a askedNames) place(name int32, code uint32) uint64 { return uint64(name)<<32 | uint64(code) }

// codes are those of places that are of a name, ascending.
func (a askedNames) codes(places []uint64, name string) (codes []uint32) {
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

// cappedPlace is one cell that has a property, and where in it.
type cappedPlace struct{ code, at uint32 }

// cappedCells looks at the rows from..to of a metered part, to excluded; nil when none
// has anything over the cap. It ends early when the reader is late.
func (r *rangeReader) readCapped(p index.Part, from, to int) *cappedCells {
	col := p.Column(event.FieldCapped)
	if col == nil {
		return nil
	}
	c := &cappedCells{col: col, codes: newRowInts(col.Codes()), asked: r.asked, timedOut: r.timedOut}
	if code, same := constant(c.codes.col, from, to); same && code == 0 {
		return nil
	}
	var codes []uint32
	last := int64(0)
	for row := from; row < to; row++ {
		if code := c.codes.at(row); code != last && code > 0 && code <= int64(col.Card()) {
			last = code
			codes = append(codes, uint32(code))
		}
	}
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		if r.timedOut() {
			break
		}
		cell := col.Cell(code)
		if event.HasCappedNames(cell) {
			c.named = append(c.named, code)
		}
		if c.asked != nil {
			event.EachCappedName(cell, func(name []byte) {
				if n, ok := c.asked[string(name)]; ok {
					c.left = append(c.left, c.asked.place(n, code))
				}
			})
		}
		event.EachCapped(cell, func(property string, at int) {
			places := c.places[property]
			if places == nil {
				if c.places == nil {
					c.places = make(map[string]*[]cappedPlace)
				}
				places = new([]cappedPlace)
				c.places[strings.Clone(property)] = places
			}
			if n := len(*places); n == 0 || (*places)[n-1].code != code {
				*places = append(*places, cappedPlace{code, uint32(at)})
			}
		})
	}
	if len(c.places) == 0 && len(c.named) == 0 {
		return nil
	}
	slices.Sort(c.left)
	return c
}

// leftOut are the codes of cells in which the name of a property is over the cap,
// ascending; of event.Other those in which some name is.
func (c *cappedCells) leftOut(property string) (codes []uint32) {
	switch {
	case c == nil || len(c.named) == 0:
		return nil
	case property == event.Other:
		return c.named
	case !event.NameCapped(property):
		return nil
	case c.asked != nil:
		return c.asked.codes(c.left, property)
	}
	for _, code := range c.named {
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

// in says whether the cell of a row is one of those with these codes.
func (c *cappedCells) in(codes []uint32, row int) bool {
	if len(codes) == 0 {
		return false
	}
	_, found := slices.BinarySearch(codes, uint32(c.codes.at(row)))
	return found
}

// cappedProperty is the cells that have one property.
type cappedProperty struct {
	*cappedCells
	property string
	places   []cappedPlace
	memo     map[uint32]cappedValues
	held     int // values in memo
}

// cappedValues are those that rows of a code count under event.Other.
type cappedValues struct {
	all    bool
	values map[string]struct{}
}

func (v *cappedValues) has(value string) bool {
	_, there := v.values[value]
	return v.all || there
}

// cappedHeld is how many values are remembered.
const cappedHeld = 1 << 16

// of is what of the property is in the cells, nil when nothing is.
func (c *cappedCells) of(property string) *cappedProperty {
	if c == nil || c.places[property] == nil {
		return nil
	}
	return &cappedProperty{cappedCells: c, property: property, places: *c.places[property]}
}

// at returns the values of the property that a row counts under event.Other, ok false
// when there are none.
func (c *cappedProperty) at(row int) (values cappedValues, ok bool) {
	code := uint32(c.codes.at(row))
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
	event.CappedValues(c.col.Cell(code), c.property, int(c.places[i].at), func(value string) {
		if value == event.Other {
			values.all = true
			return
		}
		if values.values == nil {
			values.values = make(map[string]struct{})
		}
		values.values[strings.Clone(value)] = struct{}{}
	})
	if c.held += len(values.values); c.memo == nil || c.held > cappedHeld {
		c.memo, c.held = make(map[uint32]cappedValues), len(values.values)
	}
	c.memo[code] = values
	return values, true
}
