// Which of many names living rows have.
//
// The dictionary of a run says at once which ids it has, as long as none of its rows is deleted.
// Where some are, or where a name is an id together with a dialect or a session, the codes of the
// rows decide. They are read column by column, once for all names.

package engine

import (
	"math/bits"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"
)

// living looks for living rows that have some names.
type living struct {
	names    []bool                       // by number: a living row has the name
	texts    [nameTexts]map[string]uint32 // by cell, the number of a text in ids
	ids      [nameTexts][]wantedID
	with     map[idWith]uint32      // an id with a dialect: the name
	inside   map[idInside]uint32    // an id inside a named session: the name
	joined   map[idSession]bool     // a name in a session, by its ordinal: some living row is so
	seen     map[seenWith]bool      // a user's name with an anonymous id: some living row is so
	visits   map[uint64][]uint64    // by session, the seqs of its living rows, at most visitRows+1
	pending  int                    // names, joined and seen that are not found yet
	cell     []byte                 // scratch
	codes    [nameTexts]codeNumbers // of the part at hand
	bufs     [nameColumns + 2][]int64
	visitors bool   // some anonymous id has a print
	earliest uint64 // of the sessions in joined and visits
}

// wantedID is what is asked of a text in one column.
type wantedID struct {
	names    [2]uint32 // names that every row with it has, plus 1; 0 = none
	with     bool      // it is in living.with
	inside   bool      // in living.inside
	sessions bool      // one of names is in living.joined
	seen     bool      // in living.seen
	print    uint32    // of the anonymous id of a visitor, the number of the same text as a fingerprint, plus 1
}

type idWith struct {
	column  uint8
	dialect byte // identity.DialectNumber
	id      uint32
}

type idInside struct {
	column      uint8
	dialect     byte
	id, session uint32
}

type idSession struct {
	name uint32
	ord  uint64
}

type seenWith struct{ user, anonymous uint32 } // a name, and a text of the column of anonymous ids

func newLiving(names int) *living {
	l := &living{names: make([]bool, names), with: make(map[idWith]uint32), inside: make(map[idInside]uint32), joined: make(map[idSession]bool),
		seen: make(map[seenWith]bool), visits: make(map[uint64][]uint64), earliest: 1<<64 - 1}
	for i := range l.texts {
		l.texts[i] = make(map[string]uint32)
	}
	return l
}

// id returns the number of a text in a column.
func (l *living) id(column int, text string) uint32 {
	l.cell = event.AppendCell(l.cell[:0], event.Str(text))
	n, ok := l.texts[column][string(l.cell)]
	if !ok {
		n = uint32(len(l.ids[column]))
		l.ids[column] = append(l.ids[column], wantedID{})
		l.texts[column][string(l.cell)] = n
	}
	return n
}

// want asks for a name, by number. It is one that has no ordinal.
func (l *living) want(number int, n *identity.Name) {
	l.pending++
	name := uint32(number)
	columns := columnsOf(n)
	for _, c := range columns {
		id := l.id(c, n.ID)
		w := &l.ids[c][id]
		switch {
		case n.Session != "":
			w.inside = true
			l.inside[idInside{uint8(c), identity.DialectNumber(n.Dialect), id, l.id(nameSession, n.Session)}] = name
		case n.Dialect != "":
			w.with = true
			l.with[idWith{uint8(c), identity.DialectNumber(n.Dialect), id}] = name
			if c == nameAnonymous {
				l.visitor(id, n.ID)
			}
		case w.names[0] == 0 || w.names[0] == name+1:
			w.names[0] = name + 1
		default:
			w.names[1] = name + 1
		}
	}
	if id := n.Visitor(); id != "" && n.Fields[0] == event.FieldUser { // that of a user may be sent as well
		at := l.id(nameAnonymous, id)
		l.ids[nameAnonymous][at].with = true
		l.with[idWith{nameAnonymous, identity.DialectNumber(n.Dialect), at}] = name
		l.visitor(at, id)
	}
}

// visitor notes that an anonymous id is asked for as that of a visitor. It is one in rows without
// a user and with another fingerprint.
func (l *living) visitor(id uint32, text string) {
	print := l.id(nameFingerprint, text)
	l.ids[nameAnonymous][id].print = print + 1
	l.visitors = true
}

func columnsOf(n *identity.Name) (columns []int) {
	for _, field := range n.Fields {
		for c := range nameTexts {
			if nameFields[c] == field {
				columns = append(columns, c)
			}
		}
	}
	return columns
}

// wantSession asks whether a name is in a session.
func (l *living) wantSession(number int, n *identity.Name, ord uint64) {
	key := idSession{uint32(number), ord}
	if _, known := l.joined[key]; known {
		return
	}
	l.joined[key] = false
	l.pending++
	l.earliest = min(l.earliest, ord)
	for _, c := range columnsOf(n) {
		l.ids[c][l.id(c, n.ID)].sessions = true
	}
}

// wantSeen asks whether a user is in a row with an anonymous id.
func (l *living) wantSeen(number int, n *identity.Name, anonymous string) {
	key := seenWith{uint32(number), l.id(nameAnonymous, anonymous)}
	if _, known := l.seen[key]; known {
		return
	}
	l.seen[key] = false
	l.pending++
	for _, c := range columnsOf(n) {
		l.ids[c][l.id(c, n.ID)].seen = true
	}
}

func (l *living) seenAt(number int, anonymous string) bool {
	return l.seen[seenWith{uint32(number), l.id(nameAnonymous, anonymous)}]
}

// wantVisit asks for the living rows of a visit.
func (l *living) wantVisit(ord uint64) {
	if _, known := l.visits[ord]; !known {
		l.visits[ord] = nil
		l.earliest = min(l.earliest, ord)
	}
}

func (l *living) find(name uint32) {
	if !l.names[name] {
		l.names[name] = true
		l.pending--
	}
}

// look reads the parts of a view. The newest come first, since most of who comes again has come
// lately.
func (l *living) look(v *table.View, pace *pacedSink) error {
	for i := range l.bufs {
		l.bufs[i] = make([]int64, index.PageRows)
	}
	for i := len(v.Parts) - 1; i >= 0; i-- {
		if l.pending == 0 && len(l.visits) == 0 {
			return nil
		}
		p := &v.Parts[i]
		if err := l.lookIn(p, openIn(p, index.NewCache(forgetCache)), pace); err != nil {
			return err
		}
	}
	return nil
}

// codeNumbers says which codes of a column have texts that are looked for.
type codeNumbers struct {
	some    bool
	words   []uint64          // by code
	numbers map[uint32]uint32 // by code
}

func (c *codeNumbers) reset(card int) {
	c.some = false
	if n := card/64 + 1; n <= cap(c.words) {
		c.words = c.words[:n]
		clear(c.words)
	} else {
		c.words = make([]uint64, n)
	}
	if c.numbers == nil {
		c.numbers = make(map[uint32]uint32)
	}
	clear(c.numbers)
}

func (c *codeNumbers) set(code, number uint32) {
	c.some = true
	c.words[code/64] |= 1 << (code % 64)
	c.numbers[code] = number
}

func (c *codeNumbers) of(code int64) (number uint32, ok bool) {
	if w := uint64(code) / 64; w >= uint64(len(c.words)) || c.words[w]>>(uint64(code)%64)&1 == 0 {
		return 0, false
	}
	return c.numbers[uint32(code)], true
}

// match finds out which texts the dictionaries of a part have.
func (l *living) match(part index.Part, pace *pacedSink) error {
	for c := range nameTexts {
		col := part.Column(nameFields[c])
		if col == nil || len(l.ids[c]) == 0 {
			l.codes[c].reset(0)
			continue
		}
		card := col.Card()
		codes := &l.codes[c]
		codes.reset(card)
		if len(l.texts[c]) < card/64 {
			for cell, n := range l.texts[c] {
				for _, code := range col.Find("", []string{event.CellValue([]byte(cell)).Text}) {
					codes.set(code, n)
				}
				if err := pace.pace(); err != nil {
					return err
				}
			}
			continue
		}
		var buf [32]byte
		for code := 1; code <= card; code++ {
			if n, ok := l.texts[c][string(event.Repacked(col.Cell(uint32(code)), buf[:]))]; ok {
				codes.set(uint32(code), n)
			}
			if code%1024 == 0 {
				if err := pace.pace(); err != nil {
					return err
				}
			}
		}
	}
	return part.Err()
}

// matchOverflow returns the numbers of the fingerprints in cells of keys without a column, by code.
func (l *living) matchOverflow(part index.Part, pace *pacedSink) (map[uint32]uint32, error) {
	col := part.Column(event.PrefixExtra)
	if col == nil || len(l.ids[nameFingerprint]) == 0 {
		return nil, nil
	}
	found := make(map[uint32]uint32)
	var parser event.Parser
	for code := 1; code <= col.Card(); code++ {
		parser.Reset()
		cell, err := overflowFingerprint(&parser, col.Cell(uint32(code)))
		if err != nil {
			return nil, index.Unreadable(part, part.First(), err)
		}
		if n, ok := l.texts[nameFingerprint][string(cell)]; ok && cell != nil {
			found[uint32(code)] = n
		}
		if err := pace.pace(); err != nil {
			return nil, err
		}
	}
	return found, part.Err()
}

func (l *living) lookIn(p *table.Part, part index.Part, pace *pacedSink) error {
	gone := 0
	if h := p.Hidden(); h != nil {
		gone = h.Count()
	}
	blanks := part.Column(index.FieldGone)
	if gone == part.Len() || blanks != nil && blanks.Rows() == part.Len() {
		return part.Err()
	}
	if err := l.match(part, pace); err != nil {
		return err
	}
	overflow, err := l.matchOverflow(part, pace)
	if err != nil {
		return err
	}
	whole := gone == 0 && blanks == nil
	if whole {
		for c := range l.codes {
			for _, id := range l.codes[c].numbers {
				for _, name := range l.ids[c][id].names {
					if name != 0 {
						l.find(name - 1)
					}
				}
			}
		}
	}
	var need [nameTexts]bool // columns of which the codes say more than the dictionary
	rows := len(overflow) > 0
	sessions := p.Last() >= l.earliest && len(l.visits) > 0
	for c := range l.codes {
		for _, id := range l.codes[c].numbers {
			if l.asks(c, id, whole, p.Last()) {
				need[c], rows = true, true
				break
			}
		}
	}
	if !rows && !sessions {
		return part.Err()
	}
	return l.rows(p, part, overflow, pace)
}

// asks reports whether something that is not found yet is asked of a text that the part has.
func (l *living) asks(c int, id uint32, whole bool, last uint64) bool {
	w := &l.ids[c][id]
	if w.with || w.seen || w.inside && l.codes[nameSession].some || w.sessions && last >= l.earliest {
		return true
	}
	for _, name := range w.names {
		if name != 0 && !whole && !l.names[name-1] {
			return true
		}
	}
	return false
}

// rows looks at the living rows of a part.
func (l *living) rows(p *table.Part, part index.Part, overflow map[uint32]uint32, pace *pacedSink) error {
	var codes [nameColumns]index.Ints
	for c, field := range nameFields {
		of := l.visitors && l.codes[nameAnonymous].some && (c == nameUser || c == nameFingerprint)
		if c < nameTexts && !l.codes[c].some && !of || c == nameSessionOf || c == nameOverflow && overflow == nil {
			continue
		}
		if col := part.Column(field); col != nil {
			codes[c] = col.Codes()
		}
	}
	var blanks index.Ints
	if col := part.Column(index.FieldGone); col != nil {
		blanks = col.Codes()
	}
	dialects, orders := make(map[int64]byte), make(map[int64]bool)
	for code, d := range dialectsIn(part) {
		dialects[int64(code)] = identity.DialectNumber(d)
	}
	for _, code := range codesOf(part, event.FieldType, string(event.Order)) {
		orders[int64(code)] = true
	}
	sessions := part.Ints(event.IntSession)
	var hidden [index.PageRows/64 + 1]uint64
	for page := 0; page*index.PageRows < part.Len(); page++ {
		first, n := page*index.PageRows, min(index.PageRows, part.Len()-page*index.PageRows)
		clear(hidden[:])
		left := n
		if h := p.Hidden(); h != nil {
			h.Each(first, first+n, func(row int) { hidden[(row-first)/64] |= 1 << (uint(row-first) % 64) })
		}
		if blanks != nil {
			for i, code := range blanks.Page(page, l.bufs[nameColumns]) {
				if code != 0 {
					hidden[i/64] |= 1 << (uint(i) % 64)
				}
			}
		}
		for _, w := range hidden {
			left -= bits.OnesCount64(w)
		}
		if left == 0 {
			continue
		}
		var values [nameColumns][]int64
		for c := range codes {
			if codes[c] != nil {
				values[c] = codes[c].Page(page, l.bufs[c])
			}
		}
		ords := sessions.Page(page, l.bufs[nameColumns+1])
		if err := part.Err(); err != nil {
			return err
		}
		r := livingRow{living: l}
		for i := range n {
			if hidden[i/64]>>(uint(i)%64)&1 != 0 {
				continue
			}
			if ord := uint64(ords[i]); len(l.visits) > 0 && ord >= l.earliest {
				if rows, wanted := l.visits[ord]; wanted && len(rows) <= visitRows {
					l.visits[ord] = append(rows, part.First()+uint64(first+i))
				}
			}
			r.row(&values, i, uint64(ords[i]), dialects, orders, overflow)
		}
		if err := pace.pace(); err != nil {
			return err
		}
	}
	return part.Err()
}

// livingRow looks at one row at a time.
type livingRow struct {
	*living
	ids [nameTexts]uint32
	has [nameTexts]bool
}

func (r *livingRow) row(values *[nameColumns][]int64, i int, ord uint64, dialects map[int64]byte, orders map[int64]bool, overflow map[uint32]uint32) {
	some := false
	for c := range nameTexts {
		r.has[c] = false
		if values[c] != nil {
			r.ids[c], r.has[c] = r.codes[c].of(values[c][i])
		}
		if c == nameFingerprint && !r.has[c] && overflow != nil && values[nameOverflow] != nil {
			r.ids[c], r.has[c] = overflow[uint32(values[nameOverflow][i])]
		}
		some = some || r.has[c]
	}
	if !some {
		return
	}
	dialect, known := byte(0), false
	if values[nameDialect] != nil {
		dialect, known = dialects[values[nameDialect][i]]
	}
	for c := range nameTexts {
		if !r.has[c] {
			continue
		}
		id := r.ids[c]
		w := &r.living.ids[c][id]
		if known && w.with && (c != nameName || values[nameType] != nil && orders[values[nameType][i]]) {
			if name, ok := r.with[idWith{uint8(c), dialect, id}]; ok && (c != nameAnonymous || r.isVisitor(w, values, i)) {
				r.find(name)
			}
		}
		if known && w.inside && r.has[nameSession] {
			if name, ok := r.inside[idInside{uint8(c), dialect, id, r.ids[nameSession]}]; ok {
				r.find(name)
			}
		}
		for _, name := range w.names {
			if name == 0 {
				continue
			}
			name--
			r.find(name)
			if w.sessions {
				if found, wanted := r.joined[idSession{name, ord}]; wanted && !found {
					r.joined[idSession{name, ord}] = true
					r.pending--
				}
			}
			if w.seen && r.has[nameAnonymous] {
				key := seenWith{name, r.ids[nameAnonymous]}
				if found, wanted := r.seen[key]; wanted && !found {
					r.seen[key] = true
					r.pending--
				}
			}
		}
	}
}

// isVisitor reports whether the anonymous id of a row is that of its visitor.
func (r *livingRow) isVisitor(w *wantedID, values *[nameColumns][]int64, i int) bool {
	user := values[nameUser] != nil && values[nameUser][i] != 0
	return !user && !(r.has[nameFingerprint] && r.ids[nameFingerprint]+1 == w.print)
}
