// Dimensions: what visits are told apart by.

package report

import (
	"strings"

	"cairn/engine/query"
	"cairn/engine/read"
)

// dimKind says where the value of a dimension comes from.
type dimKind uint8

const (
	dimField  dimKind = iota // the first row that has the field
	dimEntry                 // the first page view
	dimExit                  // the last one
	dimHost                  // the url of the first page view
	dimSource                // the source row
	dimOther                 // the visit as a whole
)

// dim is a dimension.
type dim struct {
	name  string
	kind  dimKind
	field string   // of dimField: what is read
	in    []string // of dimField: fields of the same row that the value lies in, outermost first
	fold  bool     // values are compared without case
	// order has the values of a dimension with an order of its own, nil for others.
	order []string
}

// lengths are the values of the dimension length, and the least seconds of each.
var lengths = []struct {
	name string
	from int64
}{
	{"0s", 0}, {"1-10s", 1}, {"11-30s", 11}, {"31-60s", 31}, {"61-120s", 61}, {"121-240s", 121}, {"241-420s", 241},
	{"421-600s", 421}, {"601-900s", 601}, {"901-1800s", 901}, {"1801s+", 1801},
}

// depths are those of the dimension depth, by page views.
var depths = []struct {
	name string
	from int64
}{
	{"0", 0}, {"1", 1}, {"2", 2}, {"3", 3}, {"4", 4}, {"5", 5}, {"6-7", 6}, {"8-10", 8}, {"11-14", 11}, {"15-20", 15}, {"21+", 21},
}

// whole are the dimensions that come whole and in their own order.
var whole = map[string]bool{"new": true, "weekday": true, "hour": true, "weekhour": true, "length": true, "depth": true}

// orderOf returns the values of a dimension that comes whole, in their own order; nil for others.
func orderOf(name string) []string {
	if whole[name] {
		return query.ClosedValues(name)
	}
	return nil
}

// dimOf returns the dimension of a name. ok is false when there is none.
func dimOf(name string) (d dim, ok bool) {
	d = dim{name: name, in: query.Inside[name], order: orderOf(name)}
	switch name {
	case "entry":
		d.kind = dimEntry
	case "exit":
		d.kind = dimExit
	case "host":
		d.kind = dimHost
	case "source", "medium", "campaign", "term", "content":
		d.kind, d.fold = dimSource, true
	case "referrer", "referrer_host", "channel":
		d.kind = dimSource
	case "new", "weekday", "hour", "weekhour", "length", "depth":
		d.kind = dimOther
	default:
		if !rowDims[name] && name != "group" && (!strings.HasPrefix(name, "prop.") || name == "prop.") {
			return d, false
		}
		d.field = name
	}
	return d, true
}

// rowDims are the dimensions of kind dimField by name.
var rowDims = map[string]bool{
	"country": true, "region": true, "city": true, "language": true, "device": true, "browser": true, "browser_version": true,
	"os": true, "os_version": true, "brand": true, "model": true, "screen": true, "timezone": true, "dialect": true,
}

// isDim reports whether a condition on a visit compares a dimension. Otherwise it asks for some
// row of the visit.
func isDim(field string) bool {
	d, ok := dimOf(field)
	return ok && (d.kind != dimField || rowDims[field])
}

// badDim is the error of an unknown dimension.
func badDim(name string) error {
	return query.Bad("by", "%q is no dimension of visits", name)
}

// dimValue is the value of a dimension of a visit, of the earliest row that has it.
type dimValue struct {
	id int32 // number of the text plus 1; 0 = no row has it
	at moment
}

// reader reads the value of a dimension of kind dimField from the rows of a slice.
type dimReader struct {
	field read.Field
	in    []read.Field
	memo  map[[4]int32]int32 // of the terms of in and of the field: the number of the whole
	terms *read.Terms
}

// dimSep stands between the parts of a value that lies in others.
const dimSep = "\x00"

func newDimReader(s *read.Slice, d *dim, terms *read.Terms) *dimReader {
	r := &dimReader{field: s.Field(d.field, terms), terms: terms}
	for _, f := range d.in {
		r.in = append(r.in, s.Field(f, terms))
	}
	if len(r.in) > 0 {
		r.memo = make(map[[4]int32]int32)
	}
	return r
}

// at returns the number of a row's value plus 1, and 0 when it has none.
func (r *dimReader) at(row int) int32 {
	id := firstTerm(r.field, row)
	if id == 0 || len(r.in) == 0 {
		return id
	}
	key := [4]int32{id}
	for i, f := range r.in {
		key[i+1] = firstTerm(f, row)
	}
	whole, known := r.memo[key]
	if !known {
		var text strings.Builder
		for _, of := range key[1 : len(r.in)+1] {
			if of != 0 {
				text.WriteString(r.terms.Text(of - 1))
			}
			text.WriteString(dimSep)
		}
		text.WriteString(r.terms.Text(id - 1))
		whole = r.terms.ID(text.String()) + 1
		r.memo[key] = whole
	}
	return whole
}

// firstTerm returns the number of the first term of a row plus 1, and 0 when there is none.
func firstTerm(f read.Field, row int) int32 {
	if ids := f.Terms(row); len(ids) > 0 {
		return ids[0] + 1
	}
	return 0
}
