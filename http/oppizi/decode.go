package oppizi

import (
	"strings"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// jsonLimits are wide: the protocol ignores fields that it does not know, whatever they
// hold, and has limits of its own for the others.
var jsonLimits = event.Limits{Depth: 32, Members: 1024, KeyBytes: bodyBytesMax, StringBytes: bodyBytesMax}

var errUTF8 = dialect.Refuse("", "the body is not valid UTF-8")

// Decode appends the one event of a POST to b. Refusals are *event.FieldError
// naming the field, or *dialect.StatusError; b is then unchanged.
func (protocol) Decode(req *dialect.Request, b *dialect.Batch) error {
	if err := found(req.Path); err != nil {
		return err
	}
	body, err := req.Body, error(nil)
	switch mediaType(req.Header("Content-Type")) {
	case "", "application/json":
	case "application/x-www-form-urlencoded":
		if body, err = formJSON(body); err != nil {
			return err
		}
	default:
		return &dialect.StatusError{Failure: dialect.BadMedia, Field: "Content-Type",
			Msg: "must be application/json or application/x-www-form-urlencoded"}
	}
	if len(body) == 0 {
		return dialect.Refuse("", "the body is empty")
	}
	// The parser would replace such bytes by U+FFFD; here they are an error.
	if !utf8.Valid(body) {
		return errUTF8
	}

	p := parser(b)
	fields, err := p.Object(body, jsonLimits)
	if err != nil {
		return err
	}
	e := event.Event{Dialect: event.Oppizi, Type: event.Track}
	if ferr := fill(&e, fields, p); ferr != nil {
		return ferr
	}
	record := b.Add()
	record.Event = e
	record.Source = req.Source()
	return nil
}

// parser is the one kept in b, emptied.
func parser(b *dialect.Batch) *event.Parser {
	p, ok := b.Scratch.(*event.Parser)
	if !ok {
		p = new(event.Parser)
		b.Scratch = p
	}
	p.Reset()
	return p
}

// mediaType is the type of a Content-Type header in lower case without its
// parameters.
func mediaType(header string) string {
	t, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// fill takes an event from the fields of the body.
func fill(e *event.Event, fields event.Object, p *event.Parser) *event.FieldError {
	name, field := fields.Get("eventName"), "eventName"
	if name.Kind == event.Absent {
		// The vendor's conversion events have a type in place of the name.
		if t := fields.Get("type"); t.Kind == event.String && t.Text != "" {
			name, field = t, "type"
		}
	}
	switch {
	case name.Kind == event.Absent:
		return dialect.Refuse(field, "required")
	case name.Kind != event.String:
		return dialect.Refuse(field, "must be a string")
	case strings.TrimSpace(name.Text) == "":
		return dialect.Refuse(field, "must not be empty")
	case over(name.Text, textCharsMax):
		return dialect.Refuse(field, "at most 256 characters")
	}
	e.Name = name.Text

	e.Value = fields.Get("value")
	switch {
	case e.Value.Kind == event.Absent:
		return dialect.Refuse("value", "required")
	case e.Value.Kind != event.String && e.Value.Kind != event.Number:
		return dialect.Refuse("value", "must be a number or a string")
	case e.Value.Text == "":
		return dialect.Refuse("value", "must not be empty")
	case over(e.Value.Text, textCharsMax):
		return dialect.Refuse("value", "at most 256 characters")
	}

	var err *event.FieldError
	if e.Properties, err = metadata(fields.Get("metadata"), p); err != nil {
		return err
	}

	for _, field := range optional {
		v := fields.Get(field)
		switch {
		case v.Kind == event.Absent:
			continue
		case v.Kind != event.String && v.Kind != event.Number:
			return dialect.Refuse(field, "must be a string or a number")
		case over(v.Text, textCharsMax):
			return dialect.Refuse(field, "at most 256 characters")
		}
		if field == "userId" {
			e.User = v.Text
			if v.Kind == event.String && v.Text != "" {
				continue // otherwise extra keeps that it was a number, or empty
			}
		}
		e.Extra = append(e.Extra, event.Member{Key: field, Value: v})
	}
	return nil
}

// metadata opens and checks the object of that name. None and null are empty.
func metadata(v event.Value, p *event.Parser) (event.Object, *event.FieldError) {
	if v.Kind == event.Absent || v.Kind == event.Null {
		return nil, nil
	}
	if !v.IsObject() {
		return nil, dialect.Refuse("metadata", "must be an object")
	}
	entries, err := v.Object(p)
	if err != nil {
		return nil, dialect.RefuseFor("metadata", err)
	}
	if len(entries) > entriesMax {
		return nil, dialect.Refuse("metadata", "at most 50 entries")
	}
	for i := range entries {
		key := entries[i].Key
		switch {
		case key == "":
			return nil, dialect.Refuse("metadata", "a key must not be empty")
		case over(key, keyCharsMax):
			return nil, dialect.Refuse("metadata", "a key has at most 40 characters")
		}
		if msg := refusal(entries[i].Value, p); msg != "" {
			return nil, dialect.Refuse("metadata."+key, msg)
		}
	}
	return entries, nil
}

// refusal says what is wrong with the value of a metadata entry, "" for nothing.
func refusal(v event.Value, p *event.Parser) string {
	if v.IsArray() {
		elements, err := v.Array(p)
		switch {
		case err != nil:
			return err.Error()
		case len(elements) > elementsMax:
			return "at most 100 elements"
		}
		for _, element := range elements {
			if msg := scalarRefusal(element); msg != "" {
				return msg
			}
		}
		return ""
	}
	return scalarRefusal(v)
}

func scalarRefusal(v event.Value) string {
	switch {
	case v.Kind == event.Null || v.Kind == event.JSON:
		return "must be a string, a number, a boolean, or an array of these"
	case over(v.Text, textCharsMax):
		return "at most 256 characters"
	}
	return ""
}

// over says that s has more than most characters.
func over(s string, most int) bool {
	return len(s) > most && utf8.RuneCountInString(s) > most
}
