// Rows: putting an event together again from the columns of a part.

package table

import (
	"fmt"
	"slices"
	"sort"

	"cairn/engine/event"
	"cairn/index"
)

// RowReader reads rows of one part.
type RowReader struct {
	part    index.Part
	ints    [event.NumInts]index.Ints
	columns []rowColumn
	gone    index.Ints // not 0 = a blank; nil = there are none
	parser  *event.Parser
	Bytes   int // of the cells of the row read last

	cellsOf int            // the row whose cells the columns have, plus 1; 0 = none
	places  map[string]int // by field: index in columns; nil until Same needs it
}

type rowColumn struct {
	field string
	col   index.Column
	codes index.Ints
	cell  []byte      // of the row read last; nil = it has none
	same  bool        // its record has the same cell
	known []knownCell // by code, of a column that is remembered
}

// knownCell is a cell that was read before, and its value.
type knownCell struct {
	cell  []byte // nil = it was not read yet
	value event.Value
}

// NewRowReader reads all fields of the rows of a part.
func NewRowReader(p index.Part) *RowReader {
	r := newFieldReader(p, p.Fields())
	for i := range r.ints {
		r.ints[i] = p.Ints(i)
	}
	return r
}

// Shown makes the reader leave out the integers that Query.Shown names. They are large and
// on pages of their own, so leaving them out saves reads.
func (r *RowReader) Shown() {
	r.ints[event.IntPerson], r.ints[event.IntSession], r.ints[event.IntDay] = nil, nil, nil
}

// newFieldReader reads some fields alone, and no integers.
func newFieldReader(p index.Part, fields []string) *RowReader {
	r := &RowReader{part: p}
	for _, f := range fields {
		if c := p.Column(f); c != nil && f != index.FieldGone {
			r.columns = append(r.columns, rowColumn{field: f, col: c, codes: c.Codes()})
		}
	}
	if c := p.Column(index.FieldGone); c != nil {
		r.gone = c.Codes()
	}
	return r
}

const (
	// rememberedMax bounds the cells that a reader remembers. One takes 48 bytes, and its text twice.
	rememberedMax = 1 << 15

	// rememberedBytes is the length of the longest cell that a reader remembers.
	rememberedBytes = 128
)

// Remember makes the reader remember the cells of columns that have few, so that it reads each of
// them once. That pays for a reader of all rows.
func (r *RowReader) Remember() {
	left := rememberedMax
	for i := range r.columns {
		if c := &r.columns[i]; c.col.Card() <= left/8 {
			c.known = make([]knownCell, c.col.Card()+1)
			left -= len(c.known)
		}
	}
}

// read returns the cell of a code and its value.
func (c *rowColumn) read(code uint32) (cell []byte, value event.Value) {
	if uint64(code) >= uint64(len(c.known)) { // a damaged code may be anything
		cell = c.col.Cell(code)
		return cell, event.CellValue(cell)
	}
	k := &c.known[code]
	if k.cell == nil {
		cell = c.col.Cell(code)
		value = event.CellValue(cell)
		if len(cell) > rememberedBytes {
			return cell, value
		}
		*k = knownCell{slices.Clone(cell), value}
	}
	return k.cell, k.value
}

// Blank reports whether a row is a blank.
func (r *RowReader) Blank(row int) bool {
	return r.gone != nil && r.gone.At(row) != 0
}

// Read returns the event of a row, without its site and public id. Of a blank it returns what the
// blank has kept.
func (r *RowReader) Read(row int) (*event.Event, error) {
	e := new(event.Event)
	if err := r.ReadTo(row, e); err != nil {
		return nil, err
	}
	return e, nil
}

// ReadTo is Read into e, whose lists it uses again. After an error e is of no use.
func (r *RowReader) ReadTo(row int, e *event.Event) error {
	*e = event.Event{Properties: e.Properties[:0], Context: e.Context[:0], Extra: e.Extra[:0]}
	r.Bytes, r.cellsOf = 0, 0
	for i, c := range r.ints {
		if c != nil {
			e.SetInt(i, c.At(row))
		}
	}
	for i := range r.columns {
		c := &r.columns[i]
		c.cell = nil
		code := uint32(c.codes.At(row))
		if code == 0 {
			continue
		}
		cell, value := c.read(code)
		c.cell = cell
		if c.field[0] != event.PrefixExtra[0] {
			r.Bytes += len(cell) // an object in pieces is larger than its cells
		}
		if err := r.part.Err(); err != nil {
			return err
		}
		if IsOverflow(c.field) {
			if err := r.overflow(e, c.field[0], cell); err != nil {
				return index.Unreadable(r.part, r.part.First()+uint64(row), err)
			}
			continue
		}
		if err := e.SetValue(c.field, cell, value); err != nil {
			return index.Unreadable(r.part, r.part.First()+uint64(row), err)
		}
	}
	if err := r.part.Err(); err != nil {
		return err
	}
	e.Seq = r.part.First() + uint64(row)
	if err := e.Finish(); err != nil {
		return index.Unreadable(r.part, e.Seq, err)
	}
	for i := range e.Extra {
		r.Bytes += len(e.Extra[i].Value.Text)
	}
	r.cellsOf = row + 1
	return nil
}

// cells makes the columns have the cells of a row.
func (r *RowReader) cells(row int) {
	if r.cellsOf == row+1 {
		return
	}
	for i := range r.columns {
		c := &r.columns[i]
		if c.cell = nil; c.codes.At(row) != 0 {
			c.cell = c.col.Cell(uint32(c.codes.At(row)))
		}
	}
	r.cellsOf = row + 1
}

// column returns the column of a field, nil when the part has none.
func (r *RowReader) column(field []byte) *rowColumn {
	if r.places == nil {
		r.places = make(map[string]int, len(r.columns))
		for i := range r.columns {
			r.places[r.columns[i].field] = i
		}
	}
	if i, ok := r.places[string(field)]; ok {
		return &r.columns[i]
	}
	return nil
}

// Same returns an error if the cells of a row differ from the cells in its record.
func (r *RowReader) Same(row int, record []byte) error {
	r.cells(row)
	for i := range r.columns {
		r.columns[i].same = false
	}
	var ints event.Ints
	var rest Overflow
	differs := ""
	var whole []byte // field of an object that the part has whole, and the record in pieces
	var buf [64]byte
	err := event.ScanRecord(record, &ints, func(field, cell []byte) error {
		if whole != nil && event.IsPiece(field, whole) {
			return nil
		}
		c := r.column(field)
		has := c != nil && c.cell != nil && !c.same
		if event.IsShape(cell) && !(has && string(c.cell) == string(cell)) {
			var err error
			if cell, err = wholeCell(nil, record, field); err != nil {
				return err
			}
			whole = field
		}
		cell = event.Repacked(cell, buf[:])
		switch {
		case has && string(c.cell) == string(cell):
			c.same = true
		case !has && len(field) > 1:
			rest.add(field, cell)
		default:
			differs = string(field)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, c := range r.ints {
		if c.At(row) != ints[i] {
			return fmt.Errorf("integer %d is not that of its record", i)
		}
	}
	rest.each(func(field string, cell []byte) {
		if c := r.column([]byte(field)); c == nil || c.cell == nil || string(c.cell) != string(cell) {
			differs = field
		} else {
			c.same = true
		}
	})
	for i := range r.columns {
		if c := &r.columns[i]; c.cell != nil && !c.same {
			differs = c.field
		}
	}
	if differs != "" {
		return fmt.Errorf("field %q is not that of its record", differs)
	}
	return r.part.Err()
}

// IsOverflow reports whether a field is a shared column, for keys without a column of their
// own.
func IsOverflow(field string) bool {
	return field == event.PrefixProperty || field == event.PrefixExtra || field == event.PrefixContext
}

func (r *RowReader) overflow(e *event.Event, prefix byte, cell []byte) error {
	if r.parser == nil {
		r.parser = new(event.Parser)
	}
	members, err := event.CellValue(cell).Object(r.parser)
	if err != nil {
		return fmt.Errorf("event %d: keys beyond the columns: %w", e.Seq, err)
	}
	for _, m := range members {
		if err := e.SetCell(string(prefix)+m.Key, event.AppendCell(nil, m.Value)); err != nil {
			return err
		}
	}
	return nil
}

// PartOf finds the part of v that holds seq, nil when there is none.
func (v *View) PartOf(seq uint64) *Part {
	i := sort.Search(len(v.Parts), func(i int) bool { return v.Parts[i].First() > seq }) - 1
	if i < 0 || seq > v.Parts[i].Last() {
		return nil
	}
	return &v.Parts[i]
}

// Event reads the event at seq, nil when there is none or it is deleted.
func (v *View) Event(seq uint64) (*event.Event, error) {
	p := v.PartOf(seq)
	if p == nil || p.Gone(int(seq-p.First())) {
		return nil, nil
	}
	return NewRowReader(p.Get()).Read(int(seq - p.First()))
}

// nameFields are the fields that a deleted row keeps as long as a person or session is named
// by it.
var nameFields = []string{event.FieldDialect, event.FieldSession, event.FieldType, event.FieldUser, event.FieldAnonymous, event.FieldPrevious}

// Names reads what names the person and the session of the row at seq, deleted or not: dialect,
// session, type, ids and ordinals, and nothing else. It is nil when there is no such row.
func (v *View) Names(seq uint64) (*event.Event, error) {
	p := v.PartOf(seq)
	if p == nil {
		return nil, nil
	}
	r := newFieldReader(p.Get(), nameFields)
	r.ints[event.IntPerson], r.ints[event.IntSession] = p.Get().Ints(event.IntPerson), p.Get().Ints(event.IntSession)
	return r.Read(int(seq - p.First()))
}

// idFields are the fields that say who an event is from.
var idFields = []string{event.FieldType, event.FieldUser, event.FieldAnonymous, event.FieldPrevious}

// NewIDReader reads the idFields of the rows of a part, and no integers.
func NewIDReader(p index.Part) *RowReader { return newFieldReader(p, idFields) }

// IDs reads the idFields of the row at seq, deleted or not, nil when there is none. Of a deleted
// row they are names, see Names.
func (v *View) IDs(seq uint64) (*event.Event, error) {
	p := v.PartOf(seq)
	if p == nil {
		return nil, nil
	}
	return NewIDReader(p.Get()).Read(int(seq - p.First()))
}

// Received reads when the event at seq was received, if there is one.
func (v *View) Received(seq uint64, to *int64) error {
	p := v.PartOf(seq)
	if p == nil {
		return nil
	}
	if at := p.Get().Ints(event.IntReceived).At(int(seq - p.First())); p.Err() == nil {
		*to = at
	}
	return p.Err()
}
