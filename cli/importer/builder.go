package importer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file builds one event of the native API from the values of a record.

// builder holds the event that is being built. Its texts alias the record, the parser's memory and
// what a preset's rule has made.
type builder struct {
	event.Event
	source    event.Source
	sessionOf string
	heartbeat int64

	vars   []event.Member // what the preset's own rule reads
	parser event.Parser
	bad    error // the first value that could not be taken
	// own says that the file is cairn's: names are its words, and what looks like nothing is text.
	own    bool
	params *table        // of GA4, made when it is needed
	batch  dialect.Batch // of Segment, the same
	rawID  bool          // a line that is sent as it is has a message id
}

// reset begins the next record.
func (b *builder) reset() {
	b.parser.Reset()
	b.clear()
	clear(b.vars)
	b.vars = b.vars[:0]
	b.bad, b.rawID = nil, false
}

// clear begins the next event of the same record.
func (b *builder) clear() {
	clear(b.Properties)
	clear(b.Context)
	clear(b.Extra)
	p, c, x := b.Properties[:0], b.Context[:0], b.Extra[:0]
	b.Event = event.Event{Properties: p, Context: c, Extra: x}
	b.source, b.sessionOf, b.heartbeat = event.Source{}, "", 0
}

// object takes all members of an object.
func (b *builder) object(t *table, o event.Object) {
	for i := range o {
		b.put(t.find(o[i].Key), o[i].Key, o[i].Value)
	}
}

// put takes the value of a column.
func (b *builder) put(to target, name string, v event.Value) {
	if v.Kind == event.Absent || v.Kind == event.Null || to.slot == slotNone {
		return
	}
	key := to.key
	if key == "" {
		key = name
	}
	switch to.slot {
	case slotVar:
		b.vars = append(b.vars, event.Member{Key: key, Value: v})
	case slotTime, slotReceived, slotHeartbeat:
		b.moment(to.slot, name, v)
	case slotType:
		b.Type = event.Type(textOf(v))
	case slotName:
		b.Name = textOf(v)
	case slotUser:
		b.User = textOf(v)
	case slotAnonymous:
		b.Anonymous = textOf(v)
	case slotSession:
		b.Session = textOf(v)
	case slotSessionOf:
		b.sessionOf = textOf(v)
	case slotPrevious:
		b.Previous = textOf(v)
	case slotGroup:
		if id := textOf(v); id != "" {
			b.Groups = append(b.Groups, id)
		}
	case slotMessageID:
		b.MessageID = textOf(v)
	case slotValue:
		if b.Value = v; v.Kind == event.String {
			b.Value = numberOf(v.Text)
		}
	case slotDialect:
		b.Dialect = event.Dialect(textOf(v))
	case slotProp:
		b.prop(key, v)
	case slotExtra:
		b.extra(key, v)
	case slotContext:
		b.context(key, v)
	case slotProps, slotContexts, slotExtras, slotOpen:
		b.spread(to, key, v)
	}
}

// spread takes the members of an object, also of one that is written in a text.
func (b *builder) spread(to target, key string, v event.Value) {
	if v.Kind == event.String {
		if strings.TrimSpace(v.Text) == "" {
			return
		}
		parsed, err := b.parser.Value([]byte(v.Text), jsonLimits)
		if err != nil {
			b.fault("%s: %v", key, err)
			return
		}
		v = parsed
	}
	if v.Kind != event.JSON || !v.IsObject() {
		b.extra(key, v)
		return
	}
	o, err := v.Object(&b.parser)
	if err != nil {
		b.fault("%s: %v", key, err)
		return
	}
	if to.slot == slotOpen {
		b.object(to.inner, o)
		return
	}
	rest := restOf(to)
	for i := range o {
		b.put(rest, o[i].Key, o[i].Value)
	}
}

// fault keeps the first reason why the record is refused.
func (b *builder) fault(format string, args ...any) {
	if b.bad == nil {
		b.bad = fmt.Errorf(format, args...)
	}
}

func (b *builder) moment(at slot, name string, v event.Value) {
	text := textOf(v)
	if text == "" {
		return
	}
	ms, ok := timeOf(text)
	if !ok {
		b.fault("%s: %.40q is not a time", name, text)
		return
	}
	switch at {
	case slotTime:
		b.Time = ms
	case slotReceived:
		b.Received = ms
	default:
		b.heartbeat = ms
	}
}

// prop sets a property.
func (b *builder) prop(key string, v event.Value) { set(&b.Properties, key, v) }

// extra sets a member of extra, unless it is an empty text.
func (b *builder) extra(key string, v event.Value) {
	if v.Kind == event.String && v.Text == "" {
		return
	}
	set(&b.Extra, key, v)
}

// set adds a member. Of equal keys the first one counts.
func set(o *event.Object, key string, v event.Value) {
	if v.Kind == event.Absent || key == "" {
		return
	}
	for i := range *o {
		if (*o)[i].Key == key {
			return
		}
	}
	*o = append(*o, event.Member{Key: key, Value: v})
}

// context sets a key of the context from a scalar. A word that means nothing sets nothing, and
// what is no key of a context goes to extra. Of equal keys the first one counts.
func (b *builder) context(key string, v event.Value) {
	text := textOf(v)
	switch key {
	case "latitude", "longitude":
		if v = numberOf(text); v.Kind == event.Number {
			set(&b.Context, key, v)
		}
		return
	case "bot":
		set(&b.Context, key, event.Boolean(text == "true" || text == "1"))
		return
	}
	if !isContext(key) {
		b.extra(key, v)
		return
	}
	if !b.own {
		if text = named(key, filled(text)); text == "" {
			return
		}
	}
	set(&b.Context, key, event.Str(text))
}

// contextText sets a key of the context to a text unless it is "".
func (b *builder) contextText(key, text string) {
	if text != "" {
		b.context(key, event.Str(text))
	}
}

// propText sets a property to a text unless it is "".
func (b *builder) propText(key, text string) {
	if text != "" {
		b.prop(key, event.Str(text))
	}
}

var contextKeys = func() map[string]bool {
	m := map[string]bool{}
	for _, key := range event.ContextKeys {
		m[key] = true
	}
	return m
}()

func isContext(key string) bool { return contextKeys[key] }

// get is a value that the preset's rule reads.
func (b *builder) get(name string) event.Value {
	for i := range b.vars {
		if b.vars[i].Key == name {
			return b.vars[i].Value
		}
	}
	return event.Value{}
}

// text is a value that the preset's rule reads, as text.
func (b *builder) text(name string) string { return textOf(b.get(name)) }

// from is where the event came from; a text that is no address counts as none.
func (b *builder) from(ip, agent, language string) {
	if addr, err := netip.ParseAddr(ip); err == nil {
		b.source.IP = addr.WithZone("")
	}
	b.source.UserAgent, b.source.AcceptLanguage = agent, language
}

// appendMilli appends a time.
func appendMilli(dst []byte, ms int64) []byte { return strconv.AppendInt(dst, ms, 10) }

// number is an integer as a value.
func number(n int64) event.Value { return event.Num(strconv.FormatInt(n, 10)) }

// appendTo appends the event as one line of JSON without its end.
func (b *builder) appendTo(dst []byte) []byte {
	dst = event.AppendJSON(dst, &b.Event)
	if !b.source.IP.IsValid() && b.source.UserAgent == "" && b.source.AcceptLanguage == "" && b.sessionOf == "" && b.heartbeat == 0 {
		return dst
	}
	dst = dst[:len(dst)-1]
	if b.sessionOf != "" {
		dst = event.AppendString(append(dst, `,"session_of":`...), b.sessionOf)
	}
	if b.heartbeat != 0 {
		dst = appendMilli(append(dst, `,"heartbeat":`...), b.heartbeat)
	}
	dst = b.appendSource(dst)
	return append(dst, '}')
}

func (b *builder) appendSource(dst []byte) []byte {
	open := len(dst)
	comma := func() {
		if len(dst) == open {
			dst = append(dst, `,"source":{`...)
		} else {
			dst = append(dst, ',')
		}
	}
	if b.source.IP.IsValid() {
		comma()
		dst = append(dst, `"ip":"`...)
		dst = append(b.source.IP.AppendTo(dst), '"')
	}
	if b.source.UserAgent != "" {
		comma()
		dst = event.AppendString(append(dst, `"user_agent":`...), b.source.UserAgent)
	}
	if b.source.AcceptLanguage != "" {
		comma()
		dst = event.AppendString(append(dst, `"accept_language":`...), b.source.AcceptLanguage)
	}
	if len(dst) == open {
		return dst
	}
	return append(dst, '}')
}
