package native

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file decodes POST /api/v1/events: one event, an array of events, or NDJSON with one
// event on each line. import.go has what imported events have besides. NDJSON is the bulk path: a line is parsed in place, and what cannot
// alias it goes into the parser's memory, so in steady state a batch allocates nothing.

// decoder is what one request needs from Decode to Reply: the parser, whose memory holds
// the events' strings. It is the Scratch of its Batch.
type decoder struct {
	parser event.Parser
	single bool // one object was sent: when it is refused, so is the request

	now     int64 // of imported events: when the request was received, Unix milliseconds; 0 = they are no imported ones
	imports []event.Import
}

// decoderOf is the one kept in b, emptied.
func decoderOf(b *dialect.Batch) *decoder {
	d, ok := b.Scratch.(*decoder)
	if !ok {
		d = new(decoder)
		b.Scratch = d
	}
	d.Reset()
	return d
}

// Reset ends the life of every string Decode has made.
func (d *decoder) Reset() {
	d.parser.Reset()
	d.single, d.now = false, 0
	if cap(d.imports) > importsKept {
		d.imports = nil
	}
	clear(d.imports)
	d.imports = d.imports[:0]
}

// bodyForm is how events lie in a body.
type bodyForm uint8

const (
	formJSON  bodyForm = iota // one object or one array
	formLines                 // NDJSON
)

var errMedia = &dialect.StatusError{Failure: dialect.BadMedia, Field: "Content-Type",
	Msg: "send application/json (an event or an array of events) or application/x-ndjson (one event a line)"}

// formOf reads a Content-Type; an absent one means JSON.
func formOf(contentType string) (bodyForm, error) {
	media, params, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	if params != "" {
		name, value, _ := strings.Cut(strings.TrimSpace(params), "=")
		if strings.EqualFold(strings.TrimSpace(name), "charset") && !strings.EqualFold(strings.Trim(value, `" `), "utf-8") {
			return 0, errMedia
		}
	}
	switch {
	case media == "", strings.EqualFold(media, "application/json"):
		return formJSON, nil
	case strings.EqualFold(media, "application/x-ndjson"), strings.EqualFold(media, "application/ndjson"),
		strings.EqualFold(media, "application/jsonl"):
		return formLines, nil
	}
	return 0, errMedia
}

// Decode appends the events of POST /api/v1/events to b. In an array and in NDJSON the bad
// events are marked and the others are stored (b.Partial). A malformed array, a bad single
// event and more than EventsMax events refuse the request. The events alias req.Body and
// the decoder in b.Scratch, which Reply finds in req.State.
func (n *API) Decode(req *dialect.Request, b *dialect.Batch) error {
	now := int64(0)
	if req.RawQuery != "" {
		query, err := parseQuery(req.RawQuery, sendRoute.params)
		if err != nil {
			return err
		}
		if err := query.of(req.Site.Name); err != nil {
			return err
		}
		if err := sendRoute.params.check(&query); err != nil {
			return err
		}
		if query.yes("import") {
			if req.Rights&dialect.Manage == 0 {
				return errImport
			}
			now = req.ReceivedUnixMilli
		}
	}
	form, err := formOf(req.Header("Content-Type"))
	if err != nil {
		return err
	}
	d := decoderOf(b)
	req.State, d.now = d, now
	body := bytes.TrimPrefix(req.Body, []byte("\xef\xbb\xbf"))
	if form == formLines {
		b.Partial = true
		return d.lines(body, b)
	}
	body = bytes.Trim(body, " \t\r\n")
	switch {
	case len(body) == 0:
		return badRequest("the body is empty")
	case body[0] == '[':
		b.Partial = true
		return d.array(body, b)
	}
	d.single = true
	r := b.Add()
	if bad := d.event(body, r); bad != nil {
		return bad
	}
	return nil
}

var errTooMany = &dialect.StatusError{Failure: dialect.TooLarge,
	Msg: "at most " + strconv.Itoa(EventsMax) + " events a request"}

// lines reads one event a line. A line of nothing but white space is no event.
func (d *decoder) lines(body []byte, b *dialect.Batch) error {
	for len(body) > 0 {
		line := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			line, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		line = bytes.Trim(line, " \t\r")
		if len(line) == 0 {
			continue
		}
		if err := d.add(line, b); err != nil {
			return err
		}
	}
	return nil
}

// array reads a JSON array. A malformed one refuses the whole request, whether or not some
// good elements have been added.
func (d *decoder) array(body []byte, b *dialect.Batch) error {
	err := d.parser.Each(body, event.Limits{}, func(_ int, raw []byte) error { return d.add(raw, b) })
	var chosen *dialect.StatusError
	if err == nil || errors.As(err, &chosen) {
		return err
	}
	return &dialect.StatusError{Failure: dialect.BadRequest, Msg: "malformed array: " + err.Error(), Plain: "malformed array"}
}

// add appends one event, or its refusal.
func (d *decoder) add(raw []byte, b *dialect.Batch) error {
	if len(b.Records) == EventsMax {
		return errTooMany
	}
	r := b.Add()
	if bad := d.event(raw, r); bad != nil {
		bad.Index = len(b.Records) - 1
		r.Err = bad
	}
	return nil
}

// event parses one event. Its source stays empty unless it is imported with one: the client is
// usually a server, whose address and agent say nothing about the visitor. What is known of the
// visitor is in the event's context.
func (d *decoder) event(raw []byte, r *dialect.Record) *event.FieldError {
	var err error
	if d.now != 0 {
		err = d.imported(raw, r)
	} else {
		err = d.parser.Event(raw, &r.Event)
	}
	if err == nil {
		return nil
	}
	var bad *event.FieldError
	if errors.As(err, &bad) {
		return bad
	}
	return &event.FieldError{Msg: err.Error()}
}
