package event

import (
	"slices"
	"strconv"
	"strings"
)

// Reading an event in the JSON of the native API.

// Event parses one event of the native API into e, which it overwrites. AppendJSON has
// the form of the JSON. id, seq, site, dialect, received, session_of, heartbeat
// and uncounted are ignored, so that an exported event can be sent again; any other unknown key is an error. A null is the
// same as an absent key. time is RFC 3339 with any precision and offset, or a number, see
// UnixTime. An event without a type is a Track. required says which fields each
// type needs. Errors are *FieldError. Validate checks what applies to every dialect.
func (p *Parser) Event(b []byte, e *Event) error {
	if err := p.event(aliasString(b), e); err != nil {
		return err
	}
	return nil
}

func (p *Parser) event(s string, e *Event) *FieldError {
	*e = Event{Dialect: Native, Type: Track}
	most, lim := EventBytesMax, Limits{}
	if p.importing != nil {
		most, lim = ImportBytesMax, Limits{KeyBytes: MaxKeyBytes, StringBytes: ImportBytesMax}
	}
	if len(s) > most {
		return tooMuch("an event has", most, "bytes")
	}
	i := p.begin(s, lim)
	if i >= len(s) || s[i] != '{' {
		return p.fault(i, "an object is expected")
	}
	i = skipSpace(s, i+1)
	closed := i < len(s) && s[i] == '}'
	if closed {
		i++
	}
	for !closed {
		key, next, err := p.key(i)
		if err != nil {
			return err
		}
		if next = skipSpace(s, next); next >= len(s) {
			return p.fault(next, "a value is expected")
		}
		if next, err = p.field(e, key, next); err != nil {
			return err.within(key)
		}
		if i, closed, err = p.separator(next, '}'); err != nil {
			return err
		}
	}
	if err := p.end(i); err != nil {
		return err
	}
	if p.importing != nil && (e.Imported || e.Dialect != Native) {
		return nil
	}
	return required(e)
}

// required returns a fault when a field that its type needs is missing.
func required(e *Event) *FieldError {
	nobody := e.User == "" && e.Anonymous == ""
	switch {
	case e.Type == Track && e.Name == "":
		return refuse("name", "is required")
	case (e.Type == Identify || e.Type == Alias) && nobody:
		return refuse("user", "is required")
	case e.Type == Alias && e.Previous == "":
		return refuse("previous", "is required")
	case e.Type == Group && len(e.Groups) == 0:
		return refuse("groups", "is required")
	}
	return nil
}

// refuse returns the fault of a single event.
func refuse(field, msg string) *FieldError { return &FieldError{Index: -1, Field: field, Msg: msg} }

// field parses the value at i of one key of a native event.
func (p *Parser) field(e *Event, key string, i int) (next int, err *FieldError) {
	if p.importing != nil {
		if next, known, err := p.importField(key, i); known {
			return next, err
		}
	}
	switch key {
	case "name":
		next, err = p.textField(i, &e.Name)
	case "user":
		next, err = p.textField(i, &e.User)
	case "anonymous":
		next, err = p.textField(i, &e.Anonymous)
	case "session":
		next, err = p.textField(i, &e.Session)
	case "previous":
		next, err = p.textField(i, &e.Previous)
	case "message_id":
		next, err = p.textField(i, &e.MessageID)
	case "type":
		var text string
		if next, err = p.textField(i, &text); err != nil {
			break
		}
		if text == "" {
			text = string(Track)
		}
		at := slices.Index(Types, Type(text))
		if at < 0 {
			return i, refuse("", "is not a type of event")
		}
		e.Type = Types[at]
	case "properties":
		next, err = p.objectField(i, &e.Properties)
	case "context":
		next, err = p.objectField(i, &e.Context)
	case "extra":
		next, err = p.objectField(i, &e.Extra)
	case "groups":
		next, err = p.listField(i, &e.Groups, MaxGroups)
	case "segments":
		next, err = p.listField(i, &e.Segments, MaxSegments)
	case "increments":
		next, err = p.amountsField(i, &e.Increments)
	default:
		var v Value
		if v, next, err = p.value(i, 2); err == nil {
			err = setSimple(e, key, v)
		}
	}
	return next, err
}

// setSimple sets the fields that need no memory of their own.
func setSimple(e *Event, key string, v Value) *FieldError {
	switch key {
	case "time":
		var err *FieldError
		e.Time, err = timeOf(v)
		return err
	case "value":
		switch v.Kind {
		case String, Number:
			e.Value = v
		case Null:
			e.Value = Value{}
		default:
			return refuse("", "must be a string or a number")
		}
	case "counted":
		if v.Kind != Bool && v.Kind != Null {
			return refuse("", "must be true or false")
		}
		e.Uncounted = v.Text == "false"
	case "id", "seq", "site", "dialect", "received", "session_of", "heartbeat", "uncounted":
	case "source":
		return refuse("", "is taken with import=1 alone")
	default:
		return refuse("", "is not a field of an event")
	}
	return nil
}

func timeOf(v Value) (ms int64, err *FieldError) {
	ok := false
	switch v.Kind {
	case Null:
		return 0, nil
	case Number:
		ms, ok = UnixTime(v.Text)
	case String:
		ms, ok = parseTime(v.Text)
	}
	switch {
	case !ok:
		return 0, refuse("", "must be an RFC 3339 time, or Unix time in seconds, milliseconds, microseconds or nanoseconds")
	case ms < FirstTime || ms > LastTime:
		return 0, refuse("", "must be in the years 1990 to 2100")
	}
	return ms, nil
}

// null reports whether the value at i is null.
func (p *Parser) null(i int) bool { return strings.HasPrefix(p.s[i:], "null") }

func (p *Parser) textField(i int, to *string) (int, *FieldError) {
	if p.s[i] != '"' {
		if p.null(i) {
			*to = ""
			return i + len("null"), nil
		}
		return i, refuse("", "must be a string")
	}
	text, next, err := p.text(i, p.lim.StringBytes, "has")
	*to = text
	return next, err
}

func (p *Parser) objectField(i int, to *Object) (int, *FieldError) {
	*to = nil
	if p.s[i] != '{' {
		if p.null(i) {
			return i + len("null"), nil
		}
		return i, refuse("", "must be an object")
	}
	o, next, err := p.object(i, 2)
	if len(o) > 0 {
		*to = o
	}
	return next, err
}

func (p *Parser) listField(i int, to *[]string, most int) (int, *FieldError) {
	*to = nil
	s := p.s
	if s[i] != '[' {
		if p.null(i) {
			return i + len("null"), nil
		}
		return i, refuse("", "must be an array of strings")
	}
	if i = skipSpace(s, i+1); i < len(s) && s[i] == ']' {
		return i + 1, nil
	}
	start := len(p.texts)
	for {
		if i >= len(s) || s[i] != '"' {
			return i, refuse("", "must be an array of strings")
		}
		text, next, err := p.text(i, p.lim.StringBytes, "a string has")
		if err != nil {
			return next, err
		}
		if len(p.texts)-start >= most {
			return next, tooMuch("has", most, "elements")
		}
		p.texts, start = push(p.texts, start, text)
		var closed bool
		if i, closed, err = p.separator(next, ']'); err != nil {
			return i, err
		}
		if closed {
			n := len(p.texts)
			*to = p.texts[start:n:n]
			return i, nil
		}
	}
}

func (p *Parser) amountsField(i int, to *[]Amount) (int, *FieldError) {
	*to = nil
	var o Object
	next, err := p.objectField(i, &o)
	if err != nil {
		return next, err
	}
	start := len(p.amounts)
	for _, m := range o {
		by, ok := amountOf(m.Value)
		if !ok {
			return next, refuse(strings.Clone(m.Key), "must be an integer of at most 2^53-1")
		}
		p.amounts, start = push(p.amounts, start, Amount{m.Key, by})
	}
	if n := len(p.amounts); n > start {
		*to = p.amounts[start:n:n]
	}
	return next, nil
}

// amountOf reads an integer in any spelling: 10, 10.0, 1e1.
func amountOf(v Value) (by int64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	var buf [512]byte
	b, ok := appendDecimal(buf[:0], v.Text)
	if !ok {
		return 0, false
	}
	by, err := strconv.ParseInt(string(b), 10, 64)
	return by, err == nil && by >= -MaxAmount && by <= MaxAmount
}
