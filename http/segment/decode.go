package segment

import (
	"bytes"
	"slices"
	"strconv"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file splits a request into messages; message.go makes an event of each.

// form is the shape of a reply.
type form uint8

const (
	singleForm form = iota
	batchForm
	pixelForm
)

// jsonLimits hold for one message. The limit on its size bounds its strings.
var jsonLimits = event.Limits{Depth: event.MaxDepth, Members: event.MaxProperties, KeyBytes: event.KeyBytesMax, StringBytes: event.MaxEventBytes}

// decoder is the memory of Decode, kept in Batch.Scratch, and in Request.State for
// Reply. What the records alias in it stays until the next Decode.
type decoder struct {
	parser  event.Parser
	objects dialect.Objects
	texts   []string
	parts   []part
	facts   facts                        // of the current message
	hints   map[string]map[string]string // by userAgentData

	contexts event.Skeletons[[]factPlace]
	values   []event.Span // scratch

	req    *dialect.Request
	form   form
	ids    ids
	named  bool // the request has an Idempotency-Key, which gives its events ids
	keys   keys
	source event.Source
	top    envelope
}

// part is one message of a request as it was found.
type part struct {
	object event.Object
	fault  *event.FieldError
	bytes  int // of it as JSON
}

// envelope is what the top level of a batch says for each of its events.
type envelope struct {
	context, integrations event.Value // objects, or Absent
	facts                 facts       // of context
	timestamp, sentAt     event.Value
}

// What a decoder keeps for the next request at most.
const (
	membersMax = 16 << 10
	partsMax   = 1 << 10
)

// decoderOf is the one kept in b, emptied.
func decoderOf(b *dialect.Batch, req *dialect.Request) *decoder {
	d, ok := b.Scratch.(*decoder)
	if !ok {
		d = &decoder{objects: dialect.Objects{Kept: membersMax}}
		b.Scratch = d
	}
	d.Reset()
	d.req, d.source, d.top = req, req.Source(), envelope{}
	return d
}

// Reset lets go of the request and keeps the memory.
func (d *decoder) Reset() {
	d.parser.Reset()
	d.objects.Reset()
	d.texts = kept(d.texts, partsMax)
	d.parts = kept(d.parts, partsMax)
	d.req, d.source, d.top, d.facts = nil, event.Source{}, envelope{}, facts{}
	clear(d.hints)
}

func kept[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s) // let go of the request
	return s[:0]
}

// list is a list of one text.
func (d *decoder) list(text string) []string {
	if len(d.texts) == cap(d.texts) {
		d.texts = make([]string, 0, max(16, min(2*cap(d.texts), partsMax)))
	}
	at := len(d.texts)
	d.texts = append(d.texts, text)
	return d.texts[at : at+1 : at+1]
}

// Decode appends the events of a request to b. A batch is Partial: a bad event becomes a
// record with the reason.
func (p protocol) Decode(req *dialect.Request, b *dialect.Batch) error {
	e := endpointOf(req)
	if e.kind == metrics || req.Method == "HEAD" {
		return nil
	}
	d := decoderOf(b, req)
	req.State, d.form = d, e.form()
	d.ids, d.named = ids{random: p.random}, req.Header("Idempotency-Key") != ""
	d.keys = requestKeys(req, e.kind)
	switch e.kind {
	case batch:
		return d.batch(req.Body, b, false)
	case webhook:
		return d.webhook(b)
	case pixel:
		body, err := pixelBody(req.RawQuery)
		if err != nil {
			return err
		}
		if err := d.single(body, b, e.typ); err != nil {
			return err
		}
		exclude(req, b)
		return nil
	case flatPixel:
		if err := d.flat(b, e.typ); err != nil {
			return err
		}
		exclude(req, b)
		return nil
	}
	return d.single(req.Body, b, e.typ)
}

// single decodes one message.
func (d *decoder) single(body []byte, b *dialect.Batch, typ event.Type) error {
	o, err := d.parser.Object(body, jsonLimits)
	if err != nil {
		return err
	}
	return d.one(o, len(body), b, typ)
}

// one makes the only record of a request.
func (d *decoder) one(o event.Object, bytes int, b *dialect.Batch, typ event.Type) error {
	key, site := d.keys.of(d.req, o.Get("writeKey"))
	if site == nil {
		return errKey
	}
	if dialect.Size(bytes) > settingsOf(site).EventLimit {
		return errTooLarge
	}
	r := b.Add()
	r.Credential = credential(key)
	if err := d.message(r, o, typ); err != nil {
		return err
	}
	return nil
}

// webhook decodes a body that is a batch, a bare array or one event.
func (d *decoder) webhook(b *dialect.Batch) error {
	body := bytes.TrimLeft(bytes.TrimPrefix(d.req.Body, []byte("\uFEFF")), " \t\r\n")
	if len(body) > 0 && body[0] == '[' {
		d.form = batchForm
		return d.array(b)
	}
	return d.batch(d.req.Body, b, true)
}

// array decodes a bare array of messages.
func (d *decoder) array(b *dialect.Batch) error {
	err := d.parser.Each(d.req.Body, jsonLimits, func(i int, raw []byte) error {
		if i >= elementsMax {
			return errTooLarge
		}
		o, err := d.parser.Object(raw, jsonLimits)
		var fault *event.FieldError
		if err != nil {
			fault = err.(*event.FieldError)
		}
		d.parts = append(d.parts, part{o, fault, len(raw)})
		return nil
	})
	if err != nil {
		return err
	}
	return d.records(b)
}

// batch decodes {"batch":[…]}. With orSingle, a body without a batch is one event.
func (d *decoder) batch(body []byte, b *dialect.Batch, orSingle bool) error {
	many := false
	rest, found, err := d.parser.Batch(body, jsonLimits, "batch", func(i int, raw []byte, o event.Object, fault *event.FieldError) {
		if many = i >= elementsMax; !many {
			d.parts = append(d.parts, part{o, fault, len(raw)})
		}
	})
	switch {
	case err != nil:
		return err
	case many:
		return errTooLarge
	case !found && orSingle:
		return d.one(rest, len(body), b, "")
	case !found:
		return dialect.Refuse("batch", "must be an array of events")
	}
	d.form = batchForm
	d.keys.top = keyText(rest.Get("writeKey"))
	if d.top.context = rest.Get("context"); !d.top.context.IsObject() {
		d.top.context = event.Value{}
	} else {
		d.factsOf(d.top.context.Text, &d.top.facts)
	}
	if d.top.integrations = rest.Get("integrations"); !d.top.integrations.IsObject() {
		d.top.integrations = event.Value{}
	}
	d.top.timestamp, d.top.sentAt = rest.Get("timestamp"), rest.Get("sentAt")
	return d.records(b)
}

// records makes a record of each part.
func (d *decoder) records(b *dialect.Batch) error {
	if n := len(d.parts); n > elementsFree && n > len(d.req.Body)/elementBytes {
		return errTooLarge
	}
	if len(d.parts) == 0 {
		return dialect.Refuse("batch", "must not be empty")
	}
	injected := len(d.top.context.Text) + len(d.top.integrations.Text)
	if injected*len(d.parts) > injectedBytesMax {
		return errTooLarge
	}
	b.Partial = true
	b.Records = slices.Grow(b.Records, len(d.parts)) // exactly: thousands are megabytes
	for i := range d.parts {
		p := &d.parts[i]
		r := b.Add()
		r.Event.Dialect = event.Segment
		r.Event.MessageID = messageID(p.object.Get("messageId"))
		key, site := d.keys.of(d.req, p.object.Get("writeKey"))
		r.Credential = credential(key)
		most := settingsOf(site)
		if dialect.Size(len(d.req.Body)) > most.BatchLimit {
			return errTooLarge
		}
		switch {
		case dialect.Size(p.bytes) > most.EventLimit:
			r.Err = dialect.Refuse("", tooLarge)
		case p.fault != nil:
			r.Err = p.fault
		case site == nil:
			r.Err = dialect.Refuse("writeKey", badKey)
		default:
			r.Err = d.message(r, p.object, "")
		}
		if r.Err != nil {
			r.Err.Index = i
		}
	}
	return nil
}

// within says that a decimal lies between -most and most.
func within(decimal string, most int) bool {
	f, err := strconv.ParseFloat(decimal, 64)
	return err == nil && f >= -float64(most) && f <= float64(most)
}
