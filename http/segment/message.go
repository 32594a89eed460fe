package segment

import (
	"net/netip"
	"strings"

	"cairn/engine/address"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file makes an event of a message.

// field is a field of a message that has a meaning in the protocol.
type field uint8

const (
	fieldType field = iota
	fieldMessageID
	fieldUserID
	fieldAnonymousID
	fieldPreviousID
	fieldGroupID
	fieldEvent
	fieldEventName
	fieldName
	fieldCategory
	fieldSection
	fieldProperties
	fieldTraits
	fieldContext
	fieldIntegrations
	fieldTimestamp
	fieldOriginalTimestamp
	fieldSentAt
	fieldReceivedAt
	fieldWriteKey
	fields
)

var fieldNames = [fields]string{
	"type", "messageId", "userId", "anonymousId", "previousId", "groupId", "event", "eventName", "name", "category", "section",
	"properties", "traits", "context", "integrations", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "writeKey",
}

func fieldOf(key string) field {
	switch key {
	case "type":
		return fieldType
	case "messageId":
		return fieldMessageID
	case "userId":
		return fieldUserID
	case "anonymousId":
		return fieldAnonymousID
	case "previousId":
		return fieldPreviousID
	case "groupId":
		return fieldGroupID
	case "event":
		return fieldEvent
	case "eventName":
		return fieldEventName
	case "name":
		return fieldName
	case "category":
		return fieldCategory
	case "section":
		return fieldSection
	case "properties":
		return fieldProperties
	case "traits":
		return fieldTraits
	case "context":
		return fieldContext
	case "integrations":
		return fieldIntegrations
	case "timestamp":
		return fieldTimestamp
	case "originalTimestamp":
		return fieldOriginalTimestamp
	case "sentAt":
		return fieldSentAt
	case "receivedAt":
		return fieldReceivedAt
	case "writeKey":
		return fieldWriteKey
	}
	return fields
}

// common are the fields that every message may have; used adds those of a type. A field that
// a type does not use is kept in extra, like an unknown one.
const common = 1<<fieldType | 1<<fieldMessageID | 1<<fieldUserID | 1<<fieldAnonymousID | 1<<fieldContext |
	1<<fieldIntegrations | 1<<fieldTimestamp | 1<<fieldOriginalTimestamp | 1<<fieldSentAt | 1<<fieldReceivedAt | 1<<fieldWriteKey

func used(t event.Type) uint32 {
	switch t {
	case event.Identify:
		return common | 1<<fieldTraits
	case event.Track:
		return common | 1<<fieldEvent | 1<<fieldEventName | 1<<fieldProperties
	case event.Page, event.Screen:
		return common | 1<<fieldName | 1<<fieldCategory | 1<<fieldSection | 1<<fieldProperties
	case event.Group:
		return common | 1<<fieldGroupID | 1<<fieldTraits
	case event.Alias:
		return common | 1<<fieldPreviousID
	}
	return 0
}

// typeOf is the type that a message names, "" for one that the protocol does not have.
func typeOf(v event.Value) event.Type {
	if v.Kind == event.String {
		switch t := event.Type(v.Text); t {
		case event.Identify:
			return event.Identify
		case event.Track:
			return event.Track
		case event.Page:
			return event.Page
		case event.Screen:
			return event.Screen
		case event.Group:
			return event.Group
		case event.Alias:
			return event.Alias
		}
	}
	return ""
}

// message fills a record from one message. forced is the type its path names, ""
// for none.
func (d *decoder) message(r *dialect.Record, o event.Object, forced event.Type) *event.FieldError {
	var v [fields]event.Value
	unknown := 0
	for i := range o {
		if f := fieldOf(o[i].Key); f < fields {
			v[f] = o[i].Value
		} else {
			unknown++
		}
	}
	e := &r.Event
	e.Dialect, e.Type = event.Segment, forced
	if forced == "" {
		if e.Type = typeOf(v[fieldType]); e.Type == "" {
			return dialect.Refuse("type", "must be identify, track, page, screen, group or alias")
		}
	}
	e.MessageID = messageID(v[fieldMessageID])
	e.User, e.Anonymous = idOf(v[fieldUserID]), idOf(v[fieldAnonymousID])

	f := &d.top.facts
	whole := d.top.context
	if own := v[fieldContext]; own.IsObject() {
		var err *event.FieldError
		if whole, err = d.over(whole, own, "context"); err != nil {
			return err
		}
		d.facts = facts{}
		f = &d.facts
		d.factsOf(whole.Text, f)
	}
	e.Session = f[factSession]
	if group := f[factGroup]; group != "" {
		e.Groups = d.list(group)
	}
	if e.Type == event.Page && f == &d.top.facts {
		d.facts = d.top.facts // the page adds its own
		f = &d.facts
	}
	if err := d.fill(e, &v, f); err != nil {
		return err
	}
	if e.User == "" && e.Anonymous == "" {
		return dialect.Refuse("userId", "userId or anonymousId is required")
	}

	integrations := d.top.integrations
	if own := v[fieldIntegrations]; own.IsObject() {
		var err *event.FieldError
		if integrations, err = d.over(integrations, own, "integrations"); err != nil {
			return err
		}
	} else if own.Kind != event.Absent && own.Kind != event.Null {
		integrations = own
	}
	const injected = 4 // context, integrations, timestamp and sentAt of the batch
	extra := d.objects.Make(len(o) + injected)
	if whole.Kind != event.Absent {
		extra = append(extra, event.Member{Key: "context", Value: whole})
	}
	if integrations.Kind != event.Absent {
		extra = append(extra, event.Member{Key: "integrations", Value: integrations})
	}
	e.Time, extra = d.time(&v, extra)
	has := used(e.Type)
	for k := range v {
		if has&(1<<k) == 0 && v[k].Kind != event.Absent {
			extra = append(extra, event.Member{Key: fieldNames[k], Value: v[k]})
		}
	}
	// A field that should be an object and is not is kept, not refused.
	for _, k := range [...]field{fieldProperties, fieldTraits} {
		if has&(1<<k) != 0 && v[k].Kind != event.Absent && v[k].Kind != event.Null && !v[k].IsObject() {
			extra = append(extra, event.Member{Key: fieldNames[k], Value: v[k]})
		}
	}
	if unknown > 0 {
		for i := range o {
			if fieldOf(o[i].Key) == fields {
				extra = append(extra, o[i])
			}
		}
	}
	e.Extra = d.objects.Trim(extra, 0)
	context := d.objects.Make(factsMax)
	f.fill(&context)
	e.Context = d.objects.Trim(context, 0) // the engine has memory of its own for what it adds
	r.Source = d.sourceOf(f)
	if e.MessageID == "" && !d.named {
		e.MessageID = d.ids.next(len(d.parts))
	}
	properties := "properties"
	if e.Type == event.Identify || e.Type == event.Group {
		properties = "traits"
	}
	event.MoveEmptyKeys(e, properties)
	return nil
}

// over lays the object of an event over that of its batch.
func (d *decoder) over(under, own event.Value, name string) (event.Value, *event.FieldError) {
	if under.Kind == event.Absent {
		return own, nil
	}
	text, err := merged(nil, under.Text, own.Text, &d.parser)
	if err != nil {
		return own, dialect.RefuseFor(name, err)
	}
	v, err := d.parser.Value(text, jsonLimits)
	if err != nil {
		return own, dialect.RefuseFor(name, err)
	}
	return v, nil
}

// fill takes the fields of the event's own type.
func (d *decoder) fill(e *event.Event, v *[fields]event.Value, f *facts) *event.FieldError {
	var err *event.FieldError
	switch e.Type {
	case event.Track:
		for _, k := range [...]field{fieldEvent, fieldEventName} {
			if e.Name == "" && strings.TrimSpace(text(v[k])) != "" {
				e.Name = v[k].Text
			}
		}
		if e.Name == "" {
			return dialect.Refuse("event", "must be a string that is not empty")
		}
		e.Properties, err = d.open(v[fieldProperties], "properties")
	case event.Page, event.Screen:
		e.Name = labelOf(v[fieldName])
		if e.Properties, err = d.open(v[fieldProperties], "properties"); err != nil {
			return err
		}
		if e.Type == event.Page {
			for i := range e.Properties {
				f.take(readingOf(pageReadings, e.Properties[i].Key), e.Properties[i].Value)
			}
		}
		d.describe(e, v)
	case event.Identify:
		e.Properties, err = d.open(v[fieldTraits], "traits")
		if traits := f[factTraits]; traits != "" && err == nil {
			var below event.Object
			if below, err = d.open(event.Raw(traits), "context.traits"); err == nil {
				e.Properties = d.overlay(below, e.Properties)
			}
		}
	case event.Group:
		id := idOf(v[fieldGroupID])
		if id == "" {
			return dialect.Refuse("groupId", "is required")
		}
		e.Groups = d.list(id)
		e.Properties, err = d.open(v[fieldTraits], "traits")
	case event.Alias:
		if e.Previous = idOf(v[fieldPreviousID]); e.Previous == "" {
			return dialect.Refuse("previousId", "is required")
		}
	}
	if err != nil {
		return err
	}
	if e.Type == event.Track || e.Type == event.Page || e.Type == event.Screen {
		if e.Value = amountOf(e.Properties.Get("value")); e.Value.Kind == event.Absent {
			e.Value = amountOf(e.Properties.Get("revenue"))
		}
	}
	return nil
}

// open opens an object. Any other value counts as absent.
func (d *decoder) open(v event.Value, name string) (event.Object, *event.FieldError) {
	if !v.IsObject() || v.Text == "{}" {
		return nil, nil
	}
	o, err := v.Object(&d.parser)
	if err != nil {
		return nil, dialect.RefuseFor(name, err)
	}
	return o, nil
}

// describe adds the name, category and section of a page or screen to its properties, unless
// the properties have them.
func (d *decoder) describe(e *event.Event, v *[fields]event.Value) {
	for _, k := range [...]field{fieldName, fieldCategory, fieldSection} {
		if v[k].Kind == event.Absent || v[k].Kind == event.Null || v[k] == event.Str("") || e.Properties.Get(fieldNames[k]).Kind != event.Absent {
			continue
		}
		if len(e.Properties) == cap(e.Properties) {
			e.Properties = append(d.objects.Make(len(e.Properties)+3), e.Properties...)
		}
		e.Properties = append(e.Properties, event.Member{Key: fieldNames[k], Value: v[k]})
	}
}

// overlay lays the members of one object over those of another.
func (d *decoder) overlay(under, over event.Object) event.Object {
	o := append(d.objects.Make(len(under)+len(over)), over...)
	for _, m := range under {
		if over.Get(m.Key).Kind == event.Absent {
			o = append(o, m)
		}
	}
	return o
}

// time is when the event happened by the server's clock, 0 for now, and extra with the times
// that the client sent. A time that cannot be read counts as absent, and is kept under its
// own name.
func (d *decoder) time(v *[fields]event.Value, extra event.Object) (int64, event.Object) {
	received := d.req.ReceivedUnixMilli
	keep := func(name string, v event.Value) {
		if v.Kind != event.Absent && v.Kind != event.Null {
			extra = append(extra, event.Member{Key: name, Value: v})
		}
	}
	original, hasOriginal := timeOf(v[fieldOriginalTimestamp])
	named := v[fieldOriginalTimestamp]
	if stamp, ok := timeOf(v[fieldTimestamp]); ok && !hasOriginal {
		original, hasOriginal, named = stamp, true, v[fieldTimestamp]
	} else {
		keep("timestamp", v[fieldTimestamp])
	}
	if !hasOriginal {
		if stamp, ok := timeOf(d.top.timestamp); ok {
			original, hasOriginal, named = stamp, true, d.top.timestamp
		}
	}
	keep("originalTimestamp", named)
	sent, hasSent := timeOf(v[fieldSentAt])
	named = v[fieldSentAt]
	if !hasSent {
		if sent, hasSent = timeOf(d.top.sentAt); hasSent {
			named = d.top.sentAt
		}
	}
	keep("sentAt", named)
	if !hasOriginal {
		return 0, extra // the engine's time of receipt
	}
	return corrected(received, original, sent, hasSent), extra
}

// sourceOf is where an event came from, by its context, else by the request. With the address
// 0.0.0.0 a client opts out of having one. A text that is no address counts as absent.
func (d *decoder) sourceOf(f *facts) event.Source {
	s := d.source
	if addr, ok := address.First(f[factIP]); ok {
		if s.IP = addr; addr.IsUnspecified() {
			s.IP = netip.Addr{}
		}
	}
	if agent := f[factAgent]; agent != "" && agent != s.UserAgent {
		// The event is of another device than the one that sent the request.
		s.UserAgent, s.AcceptLanguage, s.Hints = agent, "", nil
	}
	if data := f[factAgentData]; data != "" && s.Hints == nil {
		s.Hints = d.hintsOf(data)
	}
	return s
}

// hintsMax is how many hints a request keeps for its next events.
const hintsMax = 256

// hintsOf returns the hints of navigator.userAgentData. They are read only: many events of a
// request have the same.
func (d *decoder) hintsOf(data string) map[string]string {
	if hints := d.hints[data]; hints != nil {
		return hints
	}
	hints := map[string]string{"uadata": data}
	if d.hints == nil {
		d.hints = make(map[string]map[string]string)
	}
	if len(d.hints) < hintsMax {
		d.hints[data] = hints
	}
	return hints
}

// exclude leaves out the event of a pixel that nobody has seen yet: browsers say when they
// fetch ahead.
func exclude(req *dialect.Request, b *dialect.Batch) {
	if !strings.HasPrefix(req.Header("Sec-Purpose"), "prefetch") {
		return
	}
	for i := range b.Records {
		b.Records[i].Exclude = "prefetch"
	}
}
