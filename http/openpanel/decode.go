package openpanel

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// jsonLimits are wide: the protocol ignores fields that it does not know, whatever they
// hold, and what is stored is checked against the limits of an event.
var jsonLimits = event.Limits{Depth: 32, Members: 1024, KeyBytes: event.MaxEventBytes, StringBytes: bodyBytesMax}

// decoder is what is kept between requests.
type decoder struct {
	event.Parser
	groups []string
}

// message is one request as it is taken apart.
type message struct {
	*decoder
	req        *dialect.Request
	batch      *dialect.Batch
	credential dialect.Credential
	claimed    netip.Addr
	now        int64
}

// Decode appends the events of one request to b: one, or two when an event has an __identify
// with more than the profile's id.
func (protocol) Decode(req *dialect.Request, b *dialect.Batch) error {
	d, ok := b.Scratch.(*decoder)
	if !ok {
		d = new(decoder)
		b.Scratch = d
	}
	d.Reset()
	clear(d.groups)
	d.groups = d.groups[:0]
	m := &message{decoder: d, req: req, batch: b, now: req.ReceivedUnixMilli, credential: credentialOf(req), claimed: claimedOf(req)}
	kind := kindOf(req.Path)
	if kind == kindDeviceID {
		r := m.add(event.Track, "")
		r.Ask = true
		return nil
	}
	if len(req.Body) == 0 {
		return dialect.Refuse("", "the body is empty")
	}
	if !utf8.Valid(req.Body) {
		return dialect.Refuse("", "the body is not valid UTF-8")
	}
	body, err := m.Object(req.Body, jsonLimits)
	if err != nil {
		return err
	}
	m.credentialsOf(body)
	if err := m.dispatch(kind, body); err != nil {
		b.Records, b.Credential = b.Records[:0], m.credential
		return err
	}
	for i := range b.Records {
		event.MoveEmptyKeys(&b.Records[i].Event, "properties")
	}
	return nil
}

// dispatch decodes the body as the route, or else its type, says.
func (m *message) dispatch(kind kind, body event.Object) *event.FieldError {
	switch kind {
	case kindEvent:
		return m.legacyEvent(body)
	case kindProfile:
		return m.identify(body, "")
	case kindIncrement:
		return m.increment(body, "", "")
	case kindDecrement:
		return m.increment(body, "", "-")
	}
	payload := body.Get("payload")
	typ := body.Get("type")
	if typ.Kind != event.String {
		return dialect.Refuse("type", "must be one of track, identify, increment, decrement, group, assign_group, alias, replay")
	}
	if !payload.IsObject() {
		return dialect.Refuse("payload", "must be an object")
	}
	o, err := m.open(payload, "payload")
	if err != nil {
		return err
	}
	const at = "payload."
	switch typ.Text {
	case "track":
		return m.track(o, at)
	case "identify":
		return m.identify(o, at)
	case "increment":
		return m.increment(o, at, "")
	case "decrement":
		return m.increment(o, at, "-")
	case "group":
		return m.group(o, at)
	case "assign_group":
		return m.assign(o, at)
	case "alias":
		return m.alias(o, at)
	case "replay":
		return m.replay(o, at)
	}
	return dialect.Refuse("type", "must be one of track, identify, increment, decrement, group, assign_group, alias, replay")
}

// add appends a record of this request, and asks the engine whose it is.
func (m *message) add(t event.Type, name string) *dialect.Record {
	r := m.batch.Add()
	r.Credential = m.credential
	r.Source = m.req.Source()
	r.Claimed = m.claimed
	r.Bots = dialect.BotsWithSecret
	r.Event = event.Event{Dialect: event.OpenPanel, Type: t, Name: name}
	r.Visit.Ask = true
	return r
}

// open is the object in v, named field.
func (m *message) open(v event.Value, field string) (event.Object, *event.FieldError) {
	o, err := v.Object(&m.Parser)
	if len(v.Text) > event.MaxEventBytes {
		o, err = m.Object([]byte(v.Text), jsonLimits) // a recording has longer strings than an event may have
	}
	if err != nil {
		return nil, dialect.RefuseFor(field, err)
	}
	return o, nil
}

// object is the object of a key, nil when it is absent or null.
func (m *message) object(o event.Object, at, key string) (event.Object, *event.FieldError) {
	v := o.Get(key)
	switch {
	case v.Kind == event.Absent || v.Kind == event.Null:
		return nil, nil
	case !v.IsObject():
		return nil, dialect.Refuse(at+key, "must be an object")
	}
	return m.open(v, at+key)
}

// id is an id of a key, a string or a number; absent, null and empty are "". Blanks are a word
// that is no id (event.NoID): they satisfy a call that requires one.
func id(o event.Object, at, key string, required bool) (string, *event.FieldError) {
	v := o.Get(key)
	switch {
	case v.Kind == event.Number, v.Kind == event.String && v.Text != "":
		if len(v.Text) > event.MaxIDBytes {
			return "", dialect.Refuse(at+key, "at most 256 bytes")
		}
		return v.Text, nil
	case v.Kind == event.Absent, v.Kind == event.Null, v.Kind == event.String:
		if required {
			return "", dialect.Refuse(at+key, "required: a string or a number")
		}
		return "", nil
	}
	return "", dialect.Refuse(at+key, "must be a string or a number")
}

// text is a required string of a key.
func text(o event.Object, at, key string) (string, *event.FieldError) {
	v := o.Get(key)
	if v.Kind != event.String || strings.TrimSpace(v.Text) == "" {
		return "", dialect.Refuse(at+key, "required: a string that is not empty")
	}
	return v.Text, nil
}

// strings is a list of strings that are not empty, each once; absent and null are
// none.
func (m *message) strings(o event.Object, at, key string) ([]string, *event.FieldError) {
	v := o.Get(key)
	if v.Kind == event.Absent || v.Kind == event.Null {
		return nil, nil
	}
	list, err := v.Array(&m.Parser)
	if err != nil {
		return nil, dialect.Refuse(at+key, "must be an array of strings")
	}
	if len(list) > event.MaxGroups {
		return nil, dialect.Refuse(at+key, "at most 64 elements")
	}
	start := len(m.groups)
next:
	for _, e := range list {
		if e.Kind != event.String || strings.TrimSpace(e.Text) == "" {
			return nil, dialect.Refuse(at+key, "an element must be a string that is not empty")
		}
		if len(e.Text) > event.MaxIDBytes {
			return nil, dialect.Refuse(at+key, "an element has at most 256 bytes")
		}
		for _, have := range m.groups[start:] {
			if have == e.Text {
				continue next
			}
		}
		m.groups = append(m.groups, e.Text)
	}
	return m.groups[start:len(m.groups):len(m.groups)], nil
}
