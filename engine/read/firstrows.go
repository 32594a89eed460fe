// First rows: in which event an id first appeared, for persons with very many ids.

package read

import (
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"
)

// fewIDs is how many linked ids a person may have before firstRows finds them. It reads
// whole columns once; for few ids that costs more than it saves.
const fewIDs = 64

// firstRows answers firstSeq for many ids of one view. One goroutine uses it.
type firstRows struct {
	view  *view
	parts []firstRowsPart
	rows  map[*table.Part]*table.RowReader
}

// firstRowsPart is the columns of a part that hold ids, nil where the part has none.
type firstRowsPart struct {
	users, anons, previous *idColumn
}

// idColumn is a column of ids.
type idColumn struct {
	col   index.Column
	part  index.Part
	only  []index.Clause // the rows that count; nil = all
	first []int32        // by code: the first row with it, plus 1; nil = not read yet
}

func newFirstRows(v *view) *firstRows {
	f := &firstRows{view: v, parts: make([]firstRowsPart, len(v.Parts)), rows: make(map[*table.Part]*table.RowReader)}
	for i := range v.Parts {
		part, p := v.Parts[i].Get(), &f.parts[i]
		column := func(field string, only []index.Clause) *idColumn {
			if col := part.Column(field); col != nil {
				return &idColumn{col: col, part: part, only: only}
			}
			return nil
		}
		p.users, p.anons = column(event.FieldUser, nil), column(event.FieldAnonymous, nil)
		p.previous = column(event.FieldPrevious, aliases())
	}
	return f
}

// row returns the first row whose cell is an id, or -1.
func (c *idColumn) row(id string) int {
	if c == nil {
		return -1
	}
	codes := c.col.Find("", []string{id})
	if len(codes) == 0 {
		return -1
	}
	if c.first == nil {
		c.read()
	}
	first := -1
	for _, code := range codes {
		if row := int(c.first[code]) - 1; row >= 0 && (first < 0 || row < first) {
			first = row
		}
	}
	return first
}

// read fills first. It reads the column once: a matcher for each id would mark whole pages of
// rows for each of them.
func (c *idColumn) read() {
	c.first = make([]int32, c.col.Card()+1)
	see := func(row int, code int64) {
		if code > 0 && code < int64(len(c.first)) && c.first[code] == 0 {
			c.first[code] = int32(row) + 1
		}
	}
	codes := c.col.Codes()
	if c.only != nil {
		index.NewMatcher(c.part, c.only, nil).Ascend(0, func(row int) bool {
			see(row, codes.At(row))
			return true
		})
		return
	}
	buf := make([]int64, index.PageRows)
	for page := 0; page*index.PageRows < c.part.Len(); page++ {
		for i, code := range codes.Page(page, buf) {
			see(page*index.PageRows+i, code)
		}
	}
}

// seq is view.firstSeq.
func (f *firstRows) seq(kind byte, id string) (uint64, error) {
	for i := range f.parts {
		p, part := &f.parts[i], &f.view.Parts[i]
		column := p.users
		if kind == identity.KindAnonymous {
			column = p.anons
		}
		row := column.row(id)
		if aliased := p.previous.row(id); aliased >= 0 && (row < 0 || aliased < row) {
			row = aliased
		}
		if err := part.Err(); err != nil {
			return 0, err
		}
		if row >= 0 {
			return part.First() + uint64(row), nil
		}
	}
	return 0, nil
}

// ids is View.IDs. It opens the columns of each part only once.
func (f *firstRows) ids(seq uint64) (*event.Event, error) {
	p := f.view.PartOf(seq)
	if p == nil {
		return nil, nil
	}
	r := f.rows[p]
	if r == nil {
		r = table.NewIDReader(p.Get())
		f.rows[p] = r
	}
	return r.Read(int(seq - p.First()))
}
