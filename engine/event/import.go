package event

import (
	"slices"
	"strconv"
	"strings"
)

// Imports: events that happened elsewhere, or were stored by another cairn. This file reads
// them in the JSON of the native API with more members.

// Import is what an imported event says about itself and what is not stored with it. What
// is stored is in Event: Received, Dialect, Imported, SessionOf and NotCounted.
type Import struct {
	Heartbeat int64  // when the visit that the event begins had its last heartbeat, Unix milliseconds; 0 = it had none
	Uncounted bool   // the event says itself which of its paths do not count: the site's settings do not apply
	Source    bool   // the record has a Source
	IP        string // the address in source as it was sent
	ID        string // its public id in the store that has exported it; "" = unknown
	Row       uint64 // the engine's: the row of this store that has the id; 0 = none
}

// Limits of an imported event.
const (
	// ImportBytesMax bounds one imported event as JSON, in bytes. Whatever a dialect stores
	// fits, also when escapes make it longer: Validate bounds its text.
	ImportBytesMax = 2 << 20

	sourceBytesMax    = 16 << 10 // one text of source, in bytes; a header line has no more
	uncountedMax      = 64       // paths in uncounted
	uncountedBytesMax = 8 << 10  // all paths in uncounted together
)

// Import parses one imported event into r, and what else it says into im, which r then points
// to. It is Event with these members:
//
//	received         when the event was received, at most now; absent = its time
//	dialect          the protocol that it came by; absent = native
//	session_of       the event's session, decided by the store that exported it: 32 hex
//	                 digits, the id of the session's first event there; null = the event is
//	                 in no session; absent = the session is decided now
//	heartbeat        of the first event of a visit: when the last heartbeat came
//	uncounted        which paths do not count
//	id               its id in the store that has exported it: that store has it already
//	source           {ip, user_agent, accept_language}: see Source
//
// now is in Unix milliseconds. An event with session_of or of another dialect has satisfied
// its protocol once, so no field of it is required.
func (p *Parser) Import(b []byte, now int64, r *Record, im *Import) error {
	*im = Import{}
	r.Source, r.Import = Source{}, im
	p.importing = r
	err := p.event(aliasString(b), &r.Event)
	p.importing = nil
	if err == nil {
		err = checkImport(&r.Event, im, now)
	}
	if err != nil {
		return err
	}
	return nil
}

// checkImport checks what depends on several members or on the clock, and completes the event.
func checkImport(e *Event, im *Import, now int64) *FieldError {
	switch {
	case e.Received > now:
		return refuse("received", "is in the future")
	case im.Heartbeat == 0:
	case im.Heartbeat > now+dayMillis:
		return refuse("heartbeat", "is more than a day in the future")
	case e.SessionOf == "" || !NewestRule(e.Dialect).HeartBeats:
		return refuse("heartbeat", "needs session_of and a dialect that has heartbeats (matomo)")
	}
	if e.Received == 0 {
		if e.Received = now; e.Time != 0 {
			e.Received = min(e.Time, now)
		}
	}
	return nil
}

// importField parses the value at i of a member that only imported events have. known is
// false when key is another member.
func (p *Parser) importField(key string, i int) (next int, known bool, err *FieldError) {
	r := p.importing
	e := &r.Event
	switch key {
	case "received", "heartbeat":
		var v Value
		if v, next, err = p.value(i, 2); err != nil {
			break
		}
		to := &e.Received
		if key == "heartbeat" {
			to = &r.Import.Heartbeat
		}
		*to, err = timeOf(v)
	case "id": // of other products it may be anything
		var v Value
		if v, next, err = p.value(i, 2); v.Kind == String {
			r.Import.ID = v.Text
		}
	case "dialect":
		var text string
		if next, err = p.textField(i, &text); err != nil {
			break
		}
		if text != "" {
			at := slices.Index(Dialects, Dialect(text))
			if at < 0 {
				return i, true, refuse("", "is not a dialect")
			}
			e.Dialect = Dialects[at]
		}
	case "session_of":
		e.Imported, e.SessionOf = true, ""
		if p.null(i) {
			return i + len("null"), true, nil
		}
		if next, err = p.textField(i, &e.SessionOf); err == nil && !isID(e.SessionOf) {
			err = refuse("", "must be 32 hexadecimal digits, the id of an event, or null for an event in no session")
		}
		e.SessionOf = strings.ToLower(e.SessionOf)
	case "uncounted":
		r.Import.Uncounted = true
		if next, err = p.listField(i, &e.NotCounted, uncountedMax); err == nil {
			err = checkUncounted(e.NotCounted)
		}
	case "source":
		next, err = p.sourceField(i)
	default:
		return i, false, nil
	}
	return next, true, err
}

func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return len(s) == 32
}

func checkUncounted(paths []string) *FieldError {
	size := 0
	for _, path := range paths {
		if path == "" {
			return refuse("", "has an empty element")
		}
		size += len(path)
	}
	if size > uncountedBytesMax {
		return tooMuch("has", uncountedBytesMax, "bytes")
	}
	return nil
}

// sourceField parses the object at i into the record's Source. Whoever calls Import reads the
// address.
func (p *Parser) sourceField(i int) (int, *FieldError) {
	var o Object
	r := p.importing
	r.Source = Source{}
	r.Import.Source, r.Import.IP = !p.null(i), ""
	next, err := p.objectField(i, &o)
	if err != nil {
		return next, err
	}
	for _, m := range o {
		var to *string
		switch m.Key {
		case "ip":
			to = &r.Import.IP
		case "user_agent":
			to = &r.Source.UserAgent
		case "accept_language":
			to = &r.Source.AcceptLanguage
		default:
			return next, refuse(strings.Clone(m.Key), "is not a field of a source")
		}
		switch m.Value.Kind {
		case Null:
		case String:
			if len(m.Value.Text) > sourceBytesMax {
				return next, refuse(m.Key, "has at most "+strconv.Itoa(sourceBytesMax)+" bytes")
			}
			*to = m.Value.Text
		default:
			return next, refuse(m.Key, "must be a string")
		}
	}
	return next, nil
}
