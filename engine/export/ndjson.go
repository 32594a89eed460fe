// NDJSON: an event a line, in the form of the native API, with what an import needs besides:
//
//	session_of   the id of the first event of the session; null = the event has no session
//	heartbeat    on the first event of a visit: the time of its last heartbeat
//	uncounted    the paths of properties that do not count
//
// Nearly all of a line are texts that were made once for many rows.

package export

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/engine/read"
)

// ndjson is an encoder.
type ndjson struct {
	s    *read.Stretches
	site []byte // `,"site":"…"`

	rowsOnly bool // without heartbeats, which are no part of a row
}

func newNDJSON(s *read.Stretches) *ndjson {
	e := &ndjson{s: s}
	if name := s.Site().Name; name != "" {
		e.site = event.AppendString([]byte(`,"site":`), name)
	}
	return e
}

// member returns a render for a member of the event.
func member(name string) func(dst, cell []byte) []byte {
	start := []byte(`,"` + name + `":`)
	return func(dst, cell []byte) []byte { return event.AppendCellJSON(append(dst, start...), cell) }
}

// texts of an event that are empty are absent, as in listings.
func textMember(name string) func(dst, cell []byte) []byte {
	with := member(name)
	return func(dst, cell []byte) []byte {
		if len(cell) == 1 && event.CellKind(cell) == event.String {
			return dst
		}
		return with(dst, cell)
	}
}

// bind implements textEncoder.
func (e *ndjson) bind(p *part) func(dst []byte, b *block, i int) []byte {
	p.beats = !e.rowsOnly
	fields := func(names ...[2]string) (columns []int) {
		for _, n := range names {
			columns = append(columns, p.field(n[0], textMember(n[1])))
		}
		return columns
	}
	what := fields([2]string{event.FieldDialect, "dialect"}, [2]string{event.FieldType, "type"}, [2]string{event.FieldName, "name"})
	who := fields([2]string{event.FieldUser, "user"}, [2]string{event.FieldAnonymous, "anonymous"}, [2]string{event.FieldSession, "session"})
	more := fields([2]string{event.FieldPrevious, "previous"}, [2]string{event.FieldGroups, "groups"}, [2]string{event.FieldMessageID, "message_id"})
	more = append(more, p.field(event.FieldValue, member("value")))
	counted := []int{p.field(event.FieldIncrements, member("increments")), p.field(event.FieldSegments, member("segments")), p.field(event.FieldNotCounted, member("uncounted"))}
	properties, context, extra := bindObject(p, event.PrefixProperty, "properties"), bindObject(p, event.PrefixContext, "context"), bindObject(p, event.PrefixExtra, "extra")

	all := func(dst []byte, b *block, i int, columns []int) []byte {
		for _, c := range columns {
			dst, _ = b.append(dst, c, i)
		}
		return dst
	}
	return func(dst []byte, b *block, i int) []byte {
		seq := b.seq(i)
		dst = e.s.AppendID(append(dst, `{"id":"`...), seq)
		dst = strconv.AppendUint(append(dst, `","seq":`...), seq, 10)
		dst = append(dst, e.site...)
		dst = all(dst, b, i, what)
		dst = appendMoment(dst, `,"time":"`, b.ints[event.IntTime][i])
		dst = appendMoment(dst, `,"received":"`, b.ints[event.IntReceived][i])
		dst = all(dst, b, i, who)
		if session := uint64(b.ints[event.IntSession][i]); session != 0 {
			dst = append(e.s.AppendID(append(dst, `,"session_of":"`...), session), '"')
		} else {
			dst = append(dst, `,"session_of":null`...)
		}
		dst = all(dst, b, i, more)
		dst = properties.member(dst, b, i)
		dst = context.member(dst, b, i)
		dst = all(dst, b, i, counted)
		if b.ints[event.IntFlags][i]&event.FlagUncounted != 0 {
			dst = append(dst, `,"counted":false`...)
		}
		dst = extra.member(dst, b, i)
		dst = appendMoment(dst, `,"heartbeat":"`, b.beats[seq])
		return append(dst, "}\n"...)
	}
}

func appendMoment(dst []byte, start string, ms int64) []byte {
	if ms == 0 {
		return dst
	}
	return append(event.AppendTime(append(dst, start...), ms), '"')
}

// object is one of the three objects of an event: properties, context or extra.
type object struct {
	p        *part
	prefix   string
	name     []byte // `,"properties":`
	members  []int  // columns, in the order of their keys
	overflow int    // column of the keys without one of their own
	all      []int  // columns that make the object, with those of its pieces
}

// bindObject adds the columns of an object.
func bindObject(p *part, prefix, name string) *object {
	o := &object{p: p, prefix: prefix, name: []byte(`,"` + name + `":`), overflow: -1}
	for _, field := range p.Fields() {
		if field[:1] != prefix {
			continue
		}
		key := field[1:]
		switch {
		case key == "":
			o.overflow = p.add(field, event.AppendCellJSON)
			continue
		case prefix == event.PrefixExtra && isPiece(key):
			// The shape of the object asks for it by its field.
			o.all = append(o.all, p.field(field, event.AppendCellJSON))
			continue
		}
		start := append(event.AppendString(nil, key), ':')
		column := p.add(field, func(dst, cell []byte) []byte { return event.AppendCellJSON(append(dst, start...), cell) })
		p.columns[column].key = start
		o.members = append(o.members, column)
		o.all = append(o.all, column)
	}
	if prefix == event.PrefixExtra {
		o.bindShapes()
	}
	return o
}

// bindShapes adds the fields of the context if objects of extra may be in pieces, since they
// refer to these.
func (o *object) bindShapes() {
	any := false
	for _, column := range o.members {
		c := o.p.columns[column]
		c.shaped = c.col.Scalars() < c.col.Card() // a shape has no term
		any = any || c.shaped
	}
	for _, field := range o.p.Fields() {
		if any && field[:1] == event.PrefixContext && len(field) > 1 {
			o.p.field(field, event.AppendCellJSON)
		}
	}
}

// bindPieces adds the pieces of one object of extra, and what its shapes refer to. The result only
// makes objects of shapes.
func bindPieces(p *part, field string) *object {
	for _, f := range p.Fields() {
		if event.IsPiece([]byte(f), []byte(field)) || f[:1] == event.PrefixContext && len(f) > 1 {
			p.field(f, event.AppendCellJSON)
		}
	}
	return &object{p: p, prefix: event.PrefixExtra, overflow: -1}
}

// isPiece reports whether a key of extra is that of a piece of an object.
func isPiece(key string) bool { return strings.Contains(key, event.KeySep) }

// member appends the object as a member of the event, nothing when it is empty.
func (o *object) member(dst []byte, b *block, i int) []byte {
	start := len(dst)
	dst = append(dst, o.name...)
	empty := len(dst)
	if dst = o.append(dst, b, i); len(dst) == empty {
		return dst[:start]
	}
	return dst
}

// append appends the JSON of the object, nothing when it is empty.
func (o *object) append(dst []byte, b *block, i int) []byte {
	if b.number(o.overflow, i) != 0 {
		return o.slowly(dst, b, i)
	}
	start := len(dst)
	for _, column := range o.members {
		n := b.number(column, i)
		if n == 0 {
			continue
		}
		if len(dst) == start {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		w := b.windows[column]
		if w.shapes != nil && w.shapes[n-1] != nil {
			dst = append(dst, o.p.columns[column].key...)
			dst = o.shape(dst, w.shapes[n-1], b, i)
			continue
		}
		dst, _ = b.append(dst, column, i)
	}
	if len(dst) == start {
		return dst
	}
	return append(dst, '}')
}

// shape appends an object that is in pieces.
func (o *object) shape(dst []byte, s *shape, b *block, i int) []byte {
	start := len(dst)
	if s.damaged {
		b.damage(i, errPieces)
		return append(dst, "null"...)
	}
	dst, ok := s.Append(dst, func(dst []byte, at int) ([]byte, bool) { return b.append(dst, s.columns[at], i) })
	if !ok {
		b.damage(i, errPieces)
		return append(dst[:start], "null"...)
	}
	return dst
}

var errPieces = errors.New("an object of extra lacks some of its pieces")

// slowly is append for a row with keys that have no column of their own: the object is put
// together as for a listing.
func (o *object) slowly(dst []byte, b *block, i int) []byte {
	e := new(event.Event)
	set := func(field string, cell []byte) {
		if cell != nil {
			b.damage(i, e.SetCell(field, cell))
		}
	}
	for _, column := range o.all {
		set(o.p.columns[column].field, b.raw(column, i))
	}
	if o.prefix == event.PrefixExtra {
		for field, column := range o.p.byField {
			if field[:1] == event.PrefixContext && column >= 0 {
				set(field, b.raw(column, i))
			}
		}
	}
	var parser event.Parser
	members, err := event.CellValue(b.raw(o.overflow, i)).Object(&parser)
	for _, m := range members {
		set(o.prefix+m.Key, event.AppendCell(nil, m.Value))
	}
	b.damage(i, err)
	b.damage(i, e.Finish())
	made := slices.Concat(e.Properties, e.Extra)
	if o.prefix == event.PrefixContext {
		made = e.Context
	}
	return event.AppendObject(dst, made)
}
