// Properties in a row range: which lines of the list its rows count under, and in which rows
// each of them is.

package read

import (
	"cmp"
	"hash/maphash"
	"math/bits"

	"cairn/engine/table"
	"cairn/index"
)

// propertyPart is what a rangeReader knows about the lines of a part.
type propertyPart struct {
	of     *table.Part
	byRow  bool    // its totals do not answer the query
	own    []int32 // lines whose properties have cells of their own
	shared []bool  // by line; nil when there is none
}

// openPart finds out which lines of a part share cells.
func (l *propertyList) openPart(rr *rowRange, part index.Part) *propertyPart {
	p := &propertyPart{of: rr.part, byRow: l.byRow || rr.part.Run == nil || rr.part.Hidden() != nil}
	lines := l.inLog
	if rr.part.Run != nil {
		if !p.byRow {
			_, ok := l.view.totalsOf(rr.part.Run, l.pred)
			p.byRow = !ok
		}
		for i := range l.view.Parts {
			if l.view.Parts[i].Run == rr.part.Run {
				lines = l.inParts[i]
			}
		}
	}
	var sharing []int32
	for _, i := range lines {
		if sharesCells(part, l.lines[i].name) {
			sharing = append(sharing, i)
		} else {
			p.own = append(p.own, i)
		}
	}
	if len(sharing) < sharedLinesMin {
		p.own = append(p.own, sharing...)
		return p
	}
	p.shared = make([]bool, len(l.lines))
	for _, i := range sharing {
		p.shared[i] = true
	}
	return p
}

// readRange finds which rows of a row range count under each property.
func (l *propertyList) readRange(r *rangeReader, rr *rowRange, sum *propertySum) error {
	r.numbers = l.numbers
	opened, err := r.open(rr)
	if opened == nil {
		return err
	}
	if sum.lines == nil {
		sum.lines, sum.bags = make([]property, len(l.lines)), newPropertyBags(l.spill)
	}
	part := r.metered(opened.Get())
	if r.properties == nil || r.properties.of != rr.part {
		r.properties = l.openPart(rr, part)
	}
	p := r.properties
	matched, err := r.rowSet(rr)
	if err != nil {
		return err
	}
	all, any := l.hash(rr, matched), newRowSet(rr)
	events := 0
	for _, w := range matched {
		events += bits.OnesCount64(w)
	}
	for _, i := range p.own {
		if !p.byRow && !l.distinct && &any[0] == &matched[0] {
			break // the totals say the rest
		}
		line, rows := &sum.lines[i], rowSet(nil)
		if p.byRow {
			rows, err = l.countRows(r, rr, part, int(i), sum)
		} else {
			rows, err = l.rowsOf(r, rr, part, l.lines[i].name, matched)
		}
		switch {
		case err != nil:
			return err
		case rows == nil:
		case &rows[0] == &matched[0]: // all matched rows: the usual case
			line.rows += all
			line.dense = true
			any = matched
		default:
			line.rows += l.hash(rr, rows)
			n := 0
			for k, w := range rows {
				n += bits.OnesCount64(w)
				if &any[0] != &matched[0] {
					any[k] |= w
				}
			}
			if line.dense = line.dense || n > rangeRowsMax/16; !line.dense && l.distinct {
				rows.pairs(rr, part, int(i), &sum.bags)
			}
		}
	}
	if p.shared != nil && (p.byRow || l.distinct || &any[0] != &matched[0]) {
		if err := l.readShared(r, rr, part, p, any, sum); err != nil {
			return err
		}
	}
	if &any[0] != &matched[0] {
		events = 0
		for _, w := range any {
			events += bits.OnesCount64(w)
		}
	}
	sum.anyRows += l.hash(rr, any)
	sum.events += events
	if l.distinct {
		any.distinct(rr, part, &sum.all)
	}
	return opened.Err()
}

// rowsOf returns the rows of a row range that count under a property, or nil when there are
// none. It returns matched itself when all matched rows do. Usually it reads no row.
func (l *propertyList) rowsOf(r *rangeReader, rr *rowRange, part index.Part, name string, matched rowSet) (rows rowSet, err error) {
	vr, err := r.openValues(rr, part, name, new(terms))
	if err != nil {
		return nil, err
	}
	plain := vr.presenceColumn()
	switch {
	case vr.empty():
		return nil, nil
	case plain != nil && plain.everywhere():
		return matched, nil
	}
	rows = newRowSet(rr)
	err = r.each(rr, func(batch []int32) {
		if plain == nil {
			for _, row := range batch {
				if r.timedOut() {
					return
				}
				if vr.isCountable(int(row)) && vr.isPresent(int(row)) {
					rows.add(rr, row)
				}
			}
			return
		}
		if code, same := plain.codes.col.Constant(int(batch[0]) / index.PageRows); same && code == 0 {
			return
		}
		for i, code := range plain.codes.of(batch) {
			if code == 0 {
				continue
			}
			if r.timedOut() {
				return
			}
			if plain.hasTerm(code) {
				rows.add(rr, batch[i])
			}
		}
	})
	return rows, err
}

// listTermsMax is how many values countRows remembers by name.
const listTermsMax = 1 << 16

// countRows is rowsOf when there are no totals: it also adds the events and values of the
// rows to the sum.
func (l *propertyList) countRows(r *rangeReader, rr *rowRange, part index.Part, line int, sum *propertySum) (rows rowSet, err error) {
	var names *terms
	var vr *valueReader
	open := func() error {
		names = new(terms)
		var err error
		vr, err = r.openValues(rr, part, l.lines[line].name, names)
		return err
	}
	if err := open(); err != nil || vr.empty() {
		return nil, err
	}
	rows = newRowSet(rr)
	to := &sum.lines[line]
	var openErr error
	var counted []bool // by number in names; a name may be read that no row counts
	err = r.each(rr, func(batch []int32) {
		for _, at := range batch {
			if r.timedOut() || openErr != nil {
				return
			}
			row := int(at)
			if !vr.isCountable(row) {
				continue
			}
			ids := vr.values(row)
			if len(ids) == 0 {
				continue
			}
			rows.add(rr, at)
			by := vr.amount(row)
			for _, id := range ids {
				to.events = index.AddSaturating(to.events, by)
				for int(id) >= len(counted) {
					counted = append(counted, false)
				}
				if !counted[id] {
					counted[id] = true
					l.value(&sum.bags, line, names.names[id])
				}
			}
			if len(names.names) > listTermsMax || names.bytes > clockBytes {
				openErr, counted = open(), counted[:0]
			}
		}
	})
	return rows, cmp.Or(err, openErr)
}

// hash identifies a set of rows of a row range. The hash of no rows is 0.
func (l *propertyList) hash(rr *rowRange, rows rowSet) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	maphash.WriteComparable(&h, rr.part.First()+uint64(rr.from))
	any := uint64(0)
	for _, w := range rows {
		any |= w
		maphash.WriteComparable(&h, w)
	}
	if any == 0 {
		return 0
	}
	return h.Sum64()
}
