// Properties: the list of all properties that are counted. The events and the numbers of
// values come from the totals of runs where these answer. Sessions and users must be
// counted row by row. Most properties are in the same rows, mostly in all of them: a hash
// identifies the set of rows, and sessions and users are counted once for each set. Rare
// properties, and those that share cells with others, are counted in the first pass, as
// pairs of a property and a person or session.

package read

import (
	"cmp"
	"hash/maphash"
	"math"
	"math/bits"
	"strings"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"
)

// property is a line of the list in the making.
type property struct {
	name   string
	events int64
	rows   uint64 // which rows count under it: the sum of the hashes of all row ranges
	dense  bool   // it is in many rows of a range, so its pairs are not complete
	shared bool   // it shares cells in some range, and rows is not complete
}

// properties lists the properties that are counted. The error of a query with values or a
// segment wraps query.ErrBadQuery, and so does that of a query about more names than memory
// holds.
func (rd *Reader) properties(v *view, q *query.CounterQuery) (query.CounterPage, error) {
	if len(q.Values) > 0 || q.Segment != "" {
		return query.CounterPage{}, query.Bad("property", "values and segments are those of one")
	}
	pred, err := planCounters(q, v)
	if err != nil {
		return query.CounterPage{}, err
	}
	l := &propertyList{view: v, pred: pred, query: q, byRow: len(q.Where) > 0,
		distinct: q.Metrics.Has(query.MetricUsers) || q.Metrics.Has(query.MetricSessions), room: rd.room()}
	defer l.room.Close()
	if err := rd.propertyNames(l); err != nil {
		return query.CounterPage{}, err
	}
	l.seed, l.lineBits = maphash.MakeSeed(), bits.Len(uint(len(l.lines)))
	l.spill = v.budget.spill()
	defer l.spill.close()
	l.bags = newPropertyBags(l.spill)
	if err := l.read(); err != nil {
		return query.CounterPage{}, err
	}
	return l.page()
}

// nameBytes is about how many bytes of memory a line of the list takes besides its name.
const nameBytes = 256

// propertyNames makes the lines of l: a line for each property that may be counted in the
// parts that the query is about. It stops when the names take too much memory.
func (rd *Reader) propertyNames(l *propertyList) error {
	v := l.view
	l.numbers = make(nameNumbers)
	full := false
	add := func(name string) int32 {
		line, known := l.numbers[name]
		if known || full {
			return line
		}
		if !l.room.Try(nameBytes + int64(len(name))) {
			full = true
			return 0
		}
		name = strings.Clone(name)
		line = int32(len(l.lines))
		l.numbers[name] = line
		l.lines = append(l.lines, property{name: name})
		return line
	}
	c := clock{budget: v.budget}
	check := func() error {
		if full {
			return query.Bad("range", "more names of properties than memory holds; ask for fewer days")
		}
		return c.countRow(0)
	}
	// Read the log first: rows that are sealed in the meantime are then seen twice. In the
	// other order they could be missed. The days in the log may be those of another zone.
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !v.anyLate() {
		from, to = l.pred.timeFrom/calendar.DayMillis-3, l.pred.timeTo/calendar.DayMillis+3
	}
	inLog := make(map[string]bool)
	err := wal.Notes(rd.DB, v.Table.ID, 0, v.Last+1, func(_ uint64, note []byte) (err error) {
		rerr := index.ReadTotals(note, func(t index.Total) {
			if err == nil && !inLog[t.Property] && from <= int64(t.Day) && int64(t.Day) <= to {
				if line := add(t.Property); !full {
					inLog[l.lines[line].name] = true
				}
				err = check()
			}
		})
		return cmp.Or(err, rerr)
	})
	if err != nil {
		return err
	}
	l.inParts = make([][]int32, len(v.Parts))
	for name := range inLog {
		l.inLog = append(l.inLog, l.numbers[name])
	}
	sealed := v.Table.Sealed()
	defer sealed.Close()
	for _, r := range sealed.All { // rows of the view that were in the log may be in a run by now
		if r.Last() <= v.sealedTo() {
			continue
		}
		names, err := r.Properties()
		if err != nil {
			return err
		}
		for _, name := range names {
			if !inLog[name] {
				if line := add(name); !full {
					inLog[l.lines[line].name] = true
					l.inLog = append(l.inLog, line)
				}
			}
			if err := check(); err != nil {
				return err
			}
		}
	}
	for i := range v.Parts {
		r := v.Parts[i].Run
		if r == nil {
			continue
		}
		days, ok := v.totalsOf(r, l.pred)
		if ok && days.none() {
			continue
		}
		if !ok {
			days = allDays
		}
		names, err := r.Properties()
		if err != nil {
			return err
		}
		for _, name := range names {
			there, err := r.HasTotals(name, days.from, days.to)
			if err != nil {
				return err
			}
			if there {
				l.inParts[i] = append(l.inParts[i], add(name))
			}
			if err := check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// anyLate reports whether some row in memory was counted on the day of receipt by an older
// cairn.
func (v *view) anyLate() bool {
	buf := make([]int64, index.PageRows)
	for i := range v.Parts {
		p := &v.Parts[i]
		if p.Run != nil {
			continue
		}
		flags := p.Get().Ints(event.IntFlags)
		for page := 0; page*index.PageRows < p.Get().Len(); page++ {
			for _, f := range flags.Page(page, buf) {
				if f&event.FlagLate != 0 {
					return true
				}
			}
		}
	}
	return false
}

// sealedTo returns the seq of the newest row of v that is in a run.
func (v *view) sealedTo() (last uint64) {
	for i := range v.Parts {
		if r := v.Parts[i].Run; r != nil {
			last = r.Last()
		}
	}
	return last
}

// propertyList makes the list.
type propertyList struct {
	view     *view
	pred     *predicate
	query    *query.CounterQuery
	byRow    bool        // the totals of no run answer the query, because it has conditions
	distinct bool        // the query asks for users or sessions
	numbers  nameNumbers // index in lines by name
	inParts  [][]int32   // by part of the view: the lines that its rows may count under
	inLog    []int32     // the same for all parts in memory
	lineBits int         // bits of the index of a line
	spill    *spill
	room     *Room // of the names

	seed maphash.Seed
	propertySum
}

// propertySum is what some row ranges add to the list.
type propertySum struct {
	lines   []property // without names in the sum of a goroutine
	anyRows uint64     // which rows count under any property, like property.rows
	events  int        // number of these rows
	all     distinct
	bags    propertyBags
}

// propertyBags are pairs of a line and something that its rows have.
type propertyBags struct {
	users, sessions pairBag // pairs of a line and an ordinal; not complete for dense lines
	values          pairBag // see propertyList.value
}

func newPropertyBags(s *spill) propertyBags {
	return propertyBags{pairBag{spill: s}, pairBag{spill: s}, pairBag{spill: s}}
}

// value adds a value of a line to a bag. The pair has the line in its high bits and a hash
// of the value in the others, so values take little memory, however long they are. Two of
// ten million values of a property have the same hash with a probability below one percent.
func (l *propertyList) value(bag *propertyBags, line int, value string) {
	bag.values.add(uint64(line)<<(64-l.lineBits) | maphash.String(l.seed, value)>>l.lineBits)
}

func (l *propertyList) add(s *propertySum) error {
	l.anyRows += s.anyRows
	l.events += s.events
	l.all.union(&s.all)
	for i := range s.lines {
		line, more := &l.lines[i], &s.lines[i]
		line.rows += more.rows
		line.dense, line.shared = line.dense || more.dense, line.shared || more.shared
		line.events = index.AddSaturating(line.events, more.events)
	}
	move := func(to, from *pairBag) error {
		err := from.each(func(pairs []uint64) {
			for _, p := range pairs {
				to.add(p)
			}
		})
		from.empty()
		return err
	}
	if s.lines == nil {
		return nil
	}
	return cmp.Or(move(&l.bags.users, &s.bags.users), move(&l.bags.sessions, &s.bags.sessions), move(&l.bags.values, &s.bags.values))
}

// read reads all rows once, and the totals of runs.
func (l *propertyList) read() error {
	sums, err := gather(l.view.budget, l.pred, l.view.rowRanges(), l.readRange)
	for i := range sums {
		err = cmp.Or(err, l.add(&sums[i]))
	}
	if err != nil || l.byRow {
		return err
	}
	c := clock{budget: l.view.budget}
	for i := range l.view.Parts {
		r := l.view.Parts[i].Run
		if r == nil || l.view.Parts[i].Hidden() != nil {
			continue
		}
		days, ok := l.view.totalsOf(r, l.pred)
		if !ok || days.none() {
			continue
		}
		for _, i := range l.inParts[i] {
			line := &l.lines[i]
			var late error
			err := r.Totals(line.name, days.from, days.to, func(t index.Total) {
				l.value(&l.bags, int(i), t.Value)
				line.events = index.AddSaturating(line.events, t.Sum)
				if late == nil {
					late = c.countRow(len(t.Value))
				}
			})
			if err = cmp.Or(err, late, c.countRow(0)); err != nil {
				return err
			}
		}
	}
	return nil
}

// pair adds a person and a session of a line; 0 is none.
func (b *propertyBags) pair(line int, person, session uint64) {
	if person != 0 {
		b.users.add(identity.PairOf(line, person))
	}
	if session != 0 {
		b.sessions.add(identity.PairOf(line, session))
	}
}

// page returns the list. Properties with the same rows have the same sessions and users.
func (l *propertyList) page() (page query.CounterPage, err error) {
	p, err := l.view.persons()
	if err != nil {
		return page, err
	}
	rows := make([]query.CounterRow, len(l.lines))
	err = l.bags.values.each(func(pairs []uint64) {
		for _, p := range pairs {
			rows[p>>(64-l.lineBits)].Values++
		}
	})
	if err == nil {
		err = l.bags.users.eachPerson(p, func(line int) { rows[line].Users++ })
	}
	if err == nil {
		err = l.bags.sessions.eachPair(func(line int, _ uint64) { rows[line].Sessions++ })
	}
	if err != nil {
		return page, err
	}
	// The total counts each event once, however many properties it has.
	page.Total.Events = int64(l.events)
	page.Total.Users, page.Total.Sessions = uint64(l.all.users.CountPersons(p)), uint64(l.all.sessions.Len())
	known := map[uint64]query.CounterRow{l.anyRows: page.Total}
	for i := range l.lines {
		line, row := &l.lines[i], &rows[i]
		if row.Values == 0 {
			continue
		}
		if line.dense && l.distinct {
			same, ok := known[line.rows]
			if !ok || line.shared {
				var d distinct
				if err := l.distinctOf(line.name, &d); err != nil {
					return query.CounterPage{}, err
				}
				same.Users, same.Sessions = uint64(d.users.CountPersons(p)), uint64(d.sessions.Len())
				if !line.shared {
					known[line.rows] = same
				}
			}
			row.Users, row.Sessions = same.Users, same.Sessions
		}
		row.Value, row.Events = line.name, line.events
		page.Rows = append(page.Rows, *row)
	}
	return page, nil
}

// distinctOf collects the sessions and users of one property.
func (l *propertyList) distinctOf(name string, all *distinct) error {
	sums, err := gather(l.view.budget, l.pred, l.view.rowRanges(), func(r *rangeReader, rr *rowRange, d *distinct) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		part := r.metered(opened.Get())
		rows, err := r.rowSet(rr)
		if err == nil {
			rows, err = l.rowsOf(r, rr, part, name, rows)
		}
		if err != nil {
			return err
		}
		rows.distinct(rr, part, d)
		return opened.Err()
	})
	for i := range sums {
		all.union(&sums[i])
	}
	return err
}
