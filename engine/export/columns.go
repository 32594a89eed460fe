// Columns: an event as a flat object, a key for each column of a table in ClickHouse. The keys stand
// in the order of RowColumns, and what an event lacks is left out, so a row has the same bytes from
// memory and from a run.

package export

import (
	"math"
	"slices"
	"strconv"
	"sync"

	"cairn/engine/event"
	"cairn/engine/read"
)

// RowKind is what values a column has.
type RowKind uint8

// The kinds.
const (
	RowNumber RowKind = iota // an unsigned integer of 64 bits, always there
	RowText                  // a text
	RowWord                  // a text of which there are few
	RowMoment                // a time in UTC with milliseconds, always there
	RowFloat                 // a number
	RowBool                  // 0 or 1
	RowTexts                 // an array of texts
	RowObject                // an object
)

// RowColumn is a column.
type RowColumn struct {
	Name string
	Kind RowKind
}

// RowColumns are the columns of a row, in their order. value_text has the value where it is not a
// number.
var RowColumns = slices.Concat([]RowColumn{
	{"store", RowNumber}, {"site", RowWord}, {"seq", RowNumber}, {"id", RowText},
	{"received", RowMoment}, {"time", RowMoment},
	{"dialect", RowWord}, {"type", RowWord}, {"name", RowWord},
	{"user", RowText}, {"anonymous", RowText}, {"previous", RowText}, {"person", RowNumber},
	{"session", RowText}, {"session_of", RowText},
	{"value", RowFloat}, {"value_text", RowText}, {"message_id", RowText}, {"groups", RowTexts},
}, contextColumns(), []RowColumn{
	{"properties", RowObject}, {"extra", RowObject}, {"increments", RowObject},
})

// contextColumns are those of the context, one a key.
func contextColumns() (columns []RowColumn) {
	for _, key := range event.ContextKeys {
		kind := RowWord
		switch key {
		case "latitude", "longitude":
			kind = RowFloat
		case "bot":
			kind = RowBool
		case "url", "path", "title", "referrer", "ip", "click_id":
			kind = RowText
		}
		columns = append(columns, RowColumn{key, kind})
	}
	return columns
}

// RowForm says how the values of rows are written.
type RowForm struct {
	Native  bool // the event as NDJSON has it, without the heartbeat; nothing below counts
	Store   uint64
	Texts   bool // objects are texts
	Seconds bool // times are whole seconds, and milliseconds are in columns whose names end in _ms
}

// flat is an encoder.
type flat struct {
	s    *read.Stretches
	form RowForm
	head []byte // `{"store":…,"site":"…","seq":`
}

func newFlat(s *read.Stretches, form RowForm) *flat {
	head := strconv.AppendUint([]byte(`{"store":`), form.Store, 10)
	head = event.AppendString(append(head, `,"site":`...), s.Site().Name)
	return &flat{s, form, append(head, `,"seq":`...)}
}

// objectMember is textMember for a cell that is an object.
func (e *flat) objectMember(name string) func(dst, cell []byte) []byte {
	if !e.form.Texts {
		return member(name)
	}
	start := []byte(`,"` + name + `":`)
	return func(dst, cell []byte) []byte {
		return event.AppendString(append(dst, start...), string(event.AppendCellJSON(nil, cell)))
	}
}

// numberMember is member for a column of numbers. What is none has the column other; "" = it has
// none.
func numberMember(name, other string) func(dst, cell []byte) []byte {
	number, text := []byte(`,"`+name+`":`), []byte(`,"`+other+`":`)
	return func(dst, cell []byte) []byte {
		start := len(dst)
		dst = append(dst, number...)
		at := len(dst)
		dst = event.AppendCellText(dst, cell)
		if kind := event.CellKind(cell); kind == event.Number || kind == event.String {
			if f, err := strconv.ParseFloat(string(dst[at:]), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
				if kind == event.String { // "0x1p-2", "+1" and "1_0" are no JSON
					dst = strconv.AppendFloat(dst[:at], f, 'g', -1, 64)
				}
				return dst
			}
		}
		value := string(dst[at:])
		if dst = dst[:start]; other == "" || value == "" {
			return dst
		}
		return event.AppendString(append(dst, text...), value)
	}
}

// boolMember is member for a column of 0 and 1.
func boolMember(name string) func(dst, cell []byte) []byte {
	start := []byte(`,"` + name + `":`)
	return func(dst, cell []byte) []byte {
		digit := byte('0')
		if string(event.AppendCellText(nil, cell)) == "true" {
			digit = '1'
		}
		return append(append(dst, start...), digit)
	}
}

// render returns what writes a cell of the context.
func (c *RowColumn) render() func(dst, cell []byte) []byte {
	switch c.Kind {
	case RowFloat:
		return numberMember(c.Name, "")
	case RowBool:
		return boolMember(c.Name)
	}
	with := []byte(`,"` + c.Name + `":`)
	return func(dst, cell []byte) []byte { // texts, whatever the cell is
		text := event.AppendCellText(nil, cell)
		if len(text) == 0 {
			return dst
		}
		return event.AppendString(append(dst, with...), string(text))
	}
}

// bind implements textEncoder.
func (e *flat) bind(p *part) func(dst []byte, b *block, i int) []byte {
	var before, after []int // columns of cells before and after the person
	for _, f := range []struct{ field, name string }{{event.FieldDialect, "dialect"}, {event.FieldType, "type"}, {event.FieldName, "name"},
		{event.FieldUser, "user"}, {event.FieldAnonymous, "anonymous"}, {event.FieldPrevious, "previous"}} {
		before = append(before, p.add(f.field, textMember(f.name)))
	}
	session := p.add(event.FieldSession, textMember("session"))
	after = append(after, p.add(event.FieldValue, numberMember("value", "value_text")), p.add(event.FieldMessageID, textMember("message_id")), p.add(event.FieldGroups, member("groups")))
	increments := p.add(event.FieldIncrements, e.objectMember("increments"))
	context := bindContext(p)
	properties, extra := e.bindObject(p, event.PrefixProperty, "properties"), e.bindObject(p, event.PrefixExtra, "extra")
	all := func(dst []byte, b *block, i int, columns []int) []byte {
		for _, c := range columns {
			dst, _ = b.append(dst, c, i)
		}
		return dst
	}
	return func(dst []byte, b *block, i int) []byte {
		seq := b.seq(i)
		dst = strconv.AppendUint(append(dst, e.head...), seq, 10)
		dst = append(e.s.AppendID(append(dst, `,"id":"`...), seq), '"')
		dst = e.moment(dst, "received", b.ints[event.IntReceived][i])
		dst = e.moment(dst, "time", b.ints[event.IntTime][i])
		dst = all(dst, b, i, before)
		dst = strconv.AppendUint(append(dst, `,"person":`...), uint64(b.ints[event.IntPerson][i]), 10)
		dst, _ = b.append(dst, session, i)
		if of := uint64(b.ints[event.IntSession][i]); of != 0 {
			dst = append(e.s.AppendID(append(dst, `,"session_of":"`...), of), '"')
		}
		dst = all(dst, b, i, after)
		dst = context.append(dst, b, i)
		dst = properties.append(dst, b, i)
		dst = extra.append(dst, b, i)
		dst, _ = b.append(dst, increments, i)
		return append(dst, "}\n"...)
	}
}

// moment appends a time.
func (e *flat) moment(dst []byte, name string, ms int64) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	at := len(dst)
	dst = event.AppendTime(dst, ms)
	const date, seconds, all = len("2006-01-02"), len("2006-01-02T15:04:05"), len("2006-01-02T15:04:05.000")
	dst[at+date] = ' '
	if !e.form.Seconds {
		return append(dst[:at+all], '"')
	}
	milli, _ := strconv.Atoi(string(dst[at+seconds+1 : at+all]))
	dst = append(append(append(dst[:at+seconds], `","`...), name...), `_ms":`...)
	return strconv.AppendInt(dst, int64(milli), 10)
}

// flatObject is one of the objects of an event as one column.
type flatObject struct {
	*object
	texts   bool
	scratch sync.Pool // of *[]byte
}

func (e *flat) bindObject(p *part, prefix, name string) *flatObject {
	return &flatObject{object: bindObject(p, prefix, name), texts: e.form.Texts}
}

// append appends the object with its name, nothing when it is empty.
func (o *flatObject) append(dst []byte, b *block, i int) []byte {
	if !o.texts {
		return o.member(dst, b, i)
	}
	buf, _ := o.scratch.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer o.scratch.Put(buf)
	if *buf = o.object.append((*buf)[:0], b, i); len(*buf) == 0 {
		return dst
	}
	return event.AppendString(append(dst, o.name...), string(*buf))
}

// flatContext is the context of an event, a column a key.
type flatContext struct {
	columns  []int // of contextColumns
	renders  []func(dst, cell []byte) []byte
	overflow int // column of the keys without one of their own
}

func bindContext(p *part) *flatContext {
	c := &flatContext{overflow: p.add(event.PrefixContext, event.AppendCellJSON)}
	for _, column := range contextColumns() {
		render := column.render()
		c.renders = append(c.renders, render)
		c.columns = append(c.columns, p.add(event.PrefixContext+column.Name, render))
	}
	return c
}

func (c *flatContext) append(dst []byte, b *block, i int) []byte {
	var rest event.Object
	if b.number(c.overflow, i) != 0 {
		var parser event.Parser
		var err error
		rest, err = event.CellValue(b.raw(c.overflow, i)).Object(&parser)
		b.damage(i, err)
	}
	for at, column := range c.columns {
		var ok bool
		if dst, ok = b.append(dst, column, i); ok || rest == nil {
			continue
		}
		if v := rest.Get(event.ContextKeys[at]); v.Kind != event.Absent {
			dst = c.renders[at](dst, event.AppendCell(nil, v))
		}
	}
	return dst
}
