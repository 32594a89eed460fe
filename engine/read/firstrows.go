// First rows: in which event an id first appeared, for persons with very many ids.

package read

import (
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"
)

// fewIDs is how many linked ids a person may have before firstRows finds them. It reads
// whole columns; for few ids that costs more than it saves.
const fewIDs = 64

// firstIDsMax is how many events of a person firstRows handles at once. It bounds the memory of
// a query: the columns are read once for so many.
const firstIDsMax = 16 << 10

// firstRows answers firstSeq for many ids of one view. Its memory depends on how many ids it is
// asked for at once, and not on how many a store has, but for a bit for each of a part. One
// goroutine uses it.
type firstRows struct {
	view  *view
	parts []firstRowsPart
	rows  map[*table.Part]*table.RowReader
	first map[kindID]uint64 // what find has found
}

// firstRowsPart is the columns of a part that hold ids, nil where the part has none.
type firstRowsPart struct{ users, anons, previous index.Column }

// kindID is an id and its kind.
type kindID struct {
	kind byte
	id   string
}

func newFirstRows(v *view) *firstRows {
	f := &firstRows{view: v, parts: make([]firstRowsPart, len(v.Parts)), rows: make(map[*table.Part]*table.RowReader)}
	for i := range v.Parts {
		part := v.Parts[i].Get()
		f.parts[i] = firstRowsPart{part.Column(event.FieldUser), part.Column(event.FieldAnonymous), part.Column(event.FieldPrevious)}
	}
	return f
}

// find looks for the first events of the ids in list, for seq.
func (f *firstRows) find(list []appearance) error {
	f.first = make(map[kindID]uint64, len(list))
	var left []kindID
	for i := range list {
		k := kindID{list[i].kind, list[i].id}
		if _, known := f.first[k]; !known && k.id != "" {
			f.first[k] = 0
			left = append(left, k)
		}
	}
	for i := range f.parts {
		if len(left) == 0 {
			return nil
		}
		rows, err := f.rowsIn(i, left)
		if err != nil {
			return err
		}
		rest := left[:0]
		for n, k := range left {
			if rows[n] >= 0 {
				f.first[k] = f.view.Parts[i].First() + uint64(rows[n])
			} else {
				rest = append(rest, k)
			}
		}
		left = rest
	}
	return nil
}

// rowsIn returns the first row of each id in part i, -1 where the part has none.
func (f *firstRows) rowsIn(i int, ids []kindID) ([]int, error) {
	p, part := &f.parts[i], &f.view.Parts[i]
	rows := make([]int, len(ids))
	for n := range rows {
		rows[n] = -1
	}
	for _, c := range []struct {
		kind byte
		col  index.Column
	}{{identity.KindUser, p.users}, {identity.KindAnonymous, p.anons}} {
		if c.col == nil {
			continue
		}
		if err := f.columnRows(c.col, part.Get().Len(), ids, c.kind, rows); err != nil {
			return nil, err
		}
	}
	if p.previous != nil {
		if err := f.aliasRows(part.Get(), p.previous, ids, rows); err != nil {
			return nil, err
		}
	}
	return rows, part.Err()
}

// aliasRows lowers the rows of ids to those of the first aliases of which they are the previous
// id. It reads the aliases of the part once: a matcher for each id would mark whole pages of rows
// for each of them.
func (f *firstRows) aliasRows(part index.Part, previous index.Column, ids []kindID, rows []int) error {
	wanted := make(map[int64][]int) // by code: indexes of ids
	for n, k := range ids {
		for _, code := range previous.Find("", []string{k.id}) {
			wanted[int64(code)] = append(wanted[int64(code)], n)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	codes, c := newRowInts(previous.Codes()), clock{budget: f.view.budget}
	var err error
	index.NewRawMatcher(part, aliases(), nil).Ascend(0, func(row int) bool {
		code := codes.at(row)
		for _, n := range wanted[code] {
			if rows[n] < 0 || row < rows[n] {
				rows[n] = row
			}
		}
		delete(wanted, code)
		err = c.countRow(0)
		return err == nil && len(wanted) > 0
	})
	return err
}

// columnRows sets the rows of the ids of a kind to the first rows whose cells they are.
func (f *firstRows) columnRows(col index.Column, length int, ids []kindID, kind byte, rows []int) error {
	wanted := make([]uint64, col.Card()/64+1) // bits by code: the code is wanted and not found yet
	first := make(map[int64]int)
	codes := make(map[int][]int64) // by the index of an id
	for n, k := range ids {
		if k.kind != kind {
			continue
		}
		for _, code := range col.Find("", []string{k.id}) {
			wanted[code/64] |= 1 << (code % 64)
			first[int64(code)] = -1
			codes[n] = append(codes[n], int64(code))
		}
	}
	left := len(first)
	buf := make([]int64, index.PageRows)
	for page := 0; page*index.PageRows < length && left > 0; page++ {
		for i, code := range col.Codes().Page(page, buf) {
			if code > 0 && code <= int64(col.Card()) && wanted[code/64]&(1<<(code%64)) != 0 {
				wanted[code/64] &^= 1 << (code % 64)
				first[code] = page*index.PageRows + i
				left--
			}
		}
		if err := f.view.budget.check(); err != nil {
			return err
		}
	}
	for n, list := range codes {
		for _, code := range list {
			if row := first[code]; row >= 0 && (rows[n] < 0 || row < rows[n]) {
				rows[n] = row
			}
		}
	}
	return nil
}

// seq is view.firstSeq, for an id that find has looked for.
func (f *firstRows) seq(kind byte, id string) (uint64, error) { return f.first[kindID{kind, id}], nil }

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
