// Cells: a record's way into the columns of a part.

package table

import (
	"slices"

	"cairn/engine/event"
	"cairn/index"
)

// QuarterMillis is the unit in which runs count their rows by time, a quarter of an hour. The hours
// and days of every zone are sums of quarters of UTC.
const QuarterMillis = 15 * 60 * 1000

// Format tells the index what a cell is.
var Format = &index.Format{
	Compare:    event.CompareCells,
	Scalar:     event.CellScalar,
	AppendTerm: event.AppendCellTerm,
	Key:        event.CellKey,
	Text:       event.CellIsString,
	AppendText: func(dst []byte, text string) []byte { return event.AppendCell(dst, event.Str(text)) },
	Leaves:     event.CellLeaves,
	Terms:      event.CellTerms,
	Paths:      event.HashedPaths,
	Counted:    index.Counted{Unit: QuarterMillis, Ints: event.IntTime, Field: event.FieldName},
}

// appendRow adds a record to an open part, as its newest row. When the part has no column
// left for a key that a client invented, the key goes into a shared column: there is one for
// each kind of field. An object of which some piece can have no column is kept whole. own
// is that of AppendOwn. rest is scratch memory that appendRow reuses.
func (t *Table) appendRow(o *index.MemPart, record []byte, own bool, rest *Overflow) error {
	var ints event.Ints
	rest.reset()
	first := true
	var whole []byte // field of an object that is kept whole
	set := func(field, cell []byte) error {
		if first {
			o.Append(ints[:])
			first = false
		}
		switch {
		case whole != nil && event.IsPiece(field, whole):
			return nil
		case event.IsShape(cell) && !t.opens(o, field, cell):
			var err error
			if rest.cell, err = wholeCell(rest.cell[:0], record, field); err != nil {
				return err
			}
			whole, cell = field, rest.cell
		default:
			cell = event.Repacked(cell, rest.packed[:])
		}
		if !o.Fits(field) && !HasColumn(field) {
			rest.add(field, cell)
			return nil
		}
		o.Set(field, cell)
		return nil
	}
	var err error
	if own {
		err = event.ScanOwnRecord(record, &ints, set)
	} else {
		err = event.ScanRecord(record, &ints, set)
	}
	if err != nil {
		return err
	}
	if first {
		o.Append(ints[:])
	}
	rest.each(func(field string, cell []byte) { o.Set([]byte(field), cell) })
	return nil
}

// pieceColumnsMax bounds how many columns a table begins for pieces of objects, until the store is
// opened again: clients may invent the keys. Without it their columns would leave no room
// for those of properties, and runs with too many columns are not merged.
const pieceColumnsMax = 256

// opens reports whether every piece of a shape may have a column. Only the publisher, or a
// replay, may call it.
func (t *Table) opens(o *index.MemPart, field, shape []byte) bool {
	if o.Has(field, shape) {
		return true
	}
	fields, fresh := event.PieceFields(field, shape), 0
	for _, f := range fields {
		if !t.pieces[f] {
			fresh++
		}
	}
	if fields == nil || len(t.pieces)+fresh > pieceColumnsMax || !o.FitsAll(string(field), fields) {
		return false
	}
	if t.pieces == nil {
		t.pieces = make(map[string]bool)
	}
	for _, f := range fields {
		t.pieces[f] = true
	}
	return true
}

// wholeCell appends the cell of an object of Extra, which the record may have in pieces.
func wholeCell(dst, record, field []byte) ([]byte, error) {
	e, err := event.DecodeRecord(record)
	if err != nil {
		return dst, err
	}
	return event.AppendCell(dst, e.Extra.Get(string(field[1:]))), nil
}

// HasColumn reports whether a field has a column of its own in every part, however many keys
// clients invent. These fields are the core fields, the keys of the context, and the
// properties that replace a detected value. Reads look for them only in their own columns.
func HasColumn(field []byte) bool {
	switch key := field[1:]; {
	case len(key) == 0, field[0] == event.PrefixContext[0]:
		return true
	case field[0] == event.PrefixProperty[0]:
		return string(key) == "name" || event.Detected(string(key))
	}
	return false
}

// Overflow gathers the keys of a row that have no column of their own, by the
// first byte of their fields. The zero overflow is ready.
type Overflow struct {
	kinds  []overflowKind
	cell   []byte
	packed [32]byte // see event.Repacked
}

type overflowKind struct {
	prefix  string
	members event.Object
}

// overflowCellKept is how many bytes are kept for the cell of a row's keys.
const overflowCellKept = 2 << 20

// overflowKept is the number of keys of each kind for which reset keeps memory.
const overflowKept = 1024

func (m *Overflow) reset() {
	for i := range m.kinds {
		m.kinds[i].members = event.Emptied(m.kinds[i].members, overflowKept)
	}
	if cap(m.cell) > overflowCellKept {
		m.cell = nil
	}
}

func (m *Overflow) add(field, cell []byte) {
	i := slices.IndexFunc(m.kinds, func(k overflowKind) bool { return k.prefix[0] == field[0] })
	if i < 0 {
		i = len(m.kinds)
		m.kinds = append(m.kinds, overflowKind{prefix: string(field[:1])})
	}
	k := &m.kinds[i]
	k.members = append(k.members, event.Member{Key: string(field[1:]), Value: event.CellValue(cell)})
}

// each calls yield once for each kind of field that has keys in m, with the shared field and
// its cell. The cell is valid until yield returns.
func (m *Overflow) each(yield func(field string, cell []byte)) {
	for i := range m.kinds {
		if k := &m.kinds[i]; len(k.members) > 0 {
			m.cell = event.AppendObject(append(m.cell[:0], objectCell...), k.members)
			yield(k.prefix, m.cell)
		}
	}
}

// objectCell begins the cell of an object.
var objectCell = event.AppendCell(nil, event.Raw(""))
