package event

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// The checks that every event passes on its way to the store.

// valueLimits apply to a value in properties, context or extra, which is the second
// level of the event.
var valueLimits = Limits{Depth: MaxDepth - 2, Members: MaxProperties, KeyBytes: MaxKeyBytes, StringBytes: MaxEventBytes}

// Validate brings an event into its canonical form and checks it against the limits. It
// cleans the text of every dialect in place: invalid UTF-8 becomes U+FFFD, and control
// characters other than \t \n \r are removed. It rewrites JSON text that is not in the
// Parser's canonical form.
//
// Session, NotCounted and the other fields of the engine are checked only when they are
// set; Validate sets Cut. The result is nil when the event may be stored.
func Validate(e *Event) *FieldError {
	if !slices.Contains(Types, e.Type) {
		return refuse("type", "is not a type of event")
	}
	if !slices.Contains(Dialects, e.Dialect) {
		return refuse("dialect", "is not a dialect")
	}
	if e.Time < MinTime || e.Time > MaxTime {
		return refuse("time", "must be in the years 0001 to 9999")
	}
	size := 0
	for _, f := range [...]struct {
		name string
		text *string
		most int
	}{
		{"name", &e.Name, MaxNameBytes},
		{"user", &e.User, MaxIDBytes},
		{"anonymous", &e.Anonymous, MaxIDBytes},
		{"session", &e.Session, MaxIDBytes},
		{"previous", &e.Previous, MaxIDBytes},
		{"message_id", &e.MessageID, MaxIDBytes},
	} {
		*f.text = clean(*f.text)
		if len(*f.text) > f.most {
			return tooMuch("has", f.most, "bytes").within(f.name)
		}
		size += len(*f.text)
	}
	if err := validateList(e.Groups, MaxGroups, MaxIDBytes, &size); err != nil {
		return err.within("groups")
	}
	if err := validateList(e.Segments, MaxSegments, MaxPathBytes, &size); err != nil {
		return err.within("segments")
	}
	switch e.Value.Kind {
	case Absent:
	case String, Number:
		if err := validateValue(&e.Value, &size); err != nil {
			return err.within("value")
		}
	default:
		return refuse("value", "must be a string or a number")
	}
	if len(e.Increments) > MaxProperties {
		return tooMuch("has", MaxProperties, "keys").within("increments")
	}
	for i := range e.Increments {
		a := &e.Increments[i]
		a.Property = clean(a.Property)
		if a.Property == "" || len(a.Property) > MaxPathBytes {
			return tooMuch("a key has 1 byte and", MaxPathBytes, "bytes").within("increments")
		}
		if a.By < -MaxAmount || a.By > MaxAmount {
			return refuse("increments."+a.Property, "must be an integer of at most 2^53-1")
		}
		size += len(a.Property) + 8
	}
	if err := validateObject(e.Properties, &size); err != nil {
		return err.within("properties")
	}
	if err := validateObject(e.Context, &size); err != nil {
		return err.within("context")
	}
	for i := range e.Context {
		if e.Context[i].Value.Kind == Absent {
			continue
		}
		if err := validateContext(&e.Context[i]); err != nil {
			return err.within("context")
		}
	}
	if err := validateObject(e.Extra, &size); err != nil {
		return err.within("extra")
	}
	if size > MaxEventBytes {
		return tooMuch("an event has", MaxEventBytes, "bytes")
	}
	e.Cut = cutOf(e)
	return nil
}

func validateList(list []string, most, bytes int, size *int) *FieldError {
	if len(list) > most {
		return tooMuch("has", most, "elements")
	}
	for i := range list {
		list[i] = clean(list[i])
		if list[i] == "" {
			return refuse("", "has an empty element")
		}
		if len(list[i]) > bytes {
			return tooMuch("an element has", bytes, "bytes")
		}
		*size += len(list[i])
	}
	return nil
}

func validateObject(o Object, size *int) *FieldError {
	if len(o) > MaxProperties {
		return tooMuch("has", MaxProperties, "keys")
	}
	var looks uint64
	for i := range o {
		m := &o[i]
		if m.Value.Kind == Absent {
			continue // as if it were absent
		}
		m.Key = clean(m.Key)
		if m.Key == "" {
			return refuse("", "has an empty key")
		}
		if len(m.Key) > MaxKeyBytes {
			return tooMuch("a key has", MaxKeyBytes, "bytes")
		}
		if look := lookOf(m.Key); looks&look != 0 {
			for k := range o[:i] {
				if o[k].Key == m.Key {
					return refuse(m.Key, "is there twice")
				}
			}
		} else {
			looks |= look
		}
		*size += len(m.Key)
		if err := validateValue(&m.Value, size); err != nil {
			return err.within(m.Key)
		}
	}
	return nil
}

var parsers = sync.Pool{New: func() any { return new(Parser) }}

func validateValue(v *Value, size *int) *FieldError {
	switch v.Kind {
	case String:
		v.Text = clean(v.Text)
	case Number:
		if len(v.Text) > MaxEventBytes || numberEnd(v.Text, 0) != len(v.Text) || !inRange(v.Text) {
			return refuse("", "is not a number, or out of range")
		}
	case JSON:
		p := parsers.Get().(*Parser)
		defer parsers.Put(p)
		defer p.Reset()
		form, err := p.valueOf(v.Text, valueLimits)
		if err != nil {
			return err
		}
		if form.Kind != JSON {
			return refuse("", "must be an array or an object")
		}
		if form.Text != v.Text {
			v.Text = strings.Clone(form.Text)
		}
	case Bool:
		if v.Text != "true" && v.Text != "false" {
			return refuse("", "is not true or false")
		}
	case Null:
		v.Text = ""
	case Absent:
		return refuse("", "is absent")
	default:
		return refuse("", "is of no kind")
	}
	*size += len(v.Text)
	return nil
}

func validateContext(m *Member) *FieldError {
	switch want := contextKind(m.Key); {
	case want == Absent:
		return refuse(m.Key, "is not a key of context")
	case want == m.Value.Kind:
		if m.Key == "country" && len(m.Value.Text) == 2 {
			m.Value.Text = strings.ToUpper(m.Value.Text) // a country code, which is in capitals
		}
		return nil
	case want == Number:
		return refuse(m.Key, "must be a number")
	case want == Bool:
		return refuse(m.Key, "must be true or false")
	}
	return refuse(m.Key, "must be a string")
}

// contextKind returns the kind of a key of Context, Absent for any other key.
func contextKind(key string) Kind {
	switch key {
	case "url", "path", "title", "referrer", "referrer_host",
		"browser", "browser_version", "os", "os_version", "platform", "device", "brand", "model",
		"language", "country", "region", "city", "timezone", "asn", "ip", "screen",
		"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id":
		return String
	case "latitude", "longitude":
		return Number
	case "bot":
		return Bool
	}
	return Absent
}

// isClean reports whether s has the form of stored text: valid UTF-8 without control
// characters other than \t \n \r.
func isClean(s string) bool {
	high, low := uint64(0), uint64(0)
	if len(s) >= 8 {
		for i := 0; i+8 < len(s); i += 8 {
			w := word(s, i)
			high |= w
			low |= below(w, 0x20)
		}
		w := word(s, len(s)-8) // the remaining bytes and some that were checked already
		high |= w
		low |= below(w, 0x20)
	} else {
		for i := range len(s) {
			high |= uint64(s[i])
			low |= below(uint64(s[i]), 0x20) & 0x80
		}
	}
	if low != 0 {
		for i := range len(s) {
			if c := s[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
		}
	}
	return high&highs == 0 || utf8.ValidString(s)
}

// clean returns s with invalid UTF-8 as U+FFFD and without control characters. Mostly
// that is s itself.
func clean(s string) string {
	if isClean(s) {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for _, r := range s {
		if r >= 0x20 || r == '\t' || r == '\n' || r == '\r' {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}
