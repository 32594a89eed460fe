package opentracker

import (
	"strings"
	"unicode"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// How far before and after the request the event time of a client may be.
const (
	earlierMax = 30 * 24 * 3600 * 1000 // milliseconds
	laterMax   = 5 * 60 * 1000
)

// scratch is memory that one request after another uses.
type scratch struct {
	params     params
	parser     event.Parser
	answer     answer
	properties event.Object
	context    event.Object
	extra      event.Object
	increments []event.Amount
	segments   []string
	notCounted []string
}

func (s *scratch) reset() {
	s.params.reset()
	s.parser.Reset()
	*s = scratch{
		params: s.params, parser: s.parser,
		properties: s.properties[:0], context: s.context[:0], extra: s.extra[:0],
		increments: s.increments[:0], segments: s.segments[:0], notCounted: s.notCounted[:0],
	}
}

// Decode appends the one event of a request to b. It leaves the form of the answer in
// req.State.
func (protocol) Decode(req *dialect.Request, b *dialect.Batch) error {
	s, ok := b.Scratch.(*scratch)
	if !ok {
		s = new(scratch)
		b.Scratch = s
	}
	s.reset()
	if req.Method != "GET" && req.Method != "POST" {
		return &dialect.StatusError{Failure: dialect.MethodNotAllowed, Msg: "method not allowed"}
	}
	err := s.params.read(req, &s.parser)
	s.answer = answerTo(s.params.list)
	req.State = &s.answer
	switch {
	case err != nil:
		return err
	case s.answer.bad:
		return dialect.Refuse("callback", "must be the name of a function")
	}
	h := hit{scratch: s, event: event.Event{Dialect: event.Opentracker, Type: event.Track}}
	if err := h.fill(req.ReceivedUnixMilli); err != nil {
		b.Credential = dialect.Credential{Kind: dialect.CredentialSiteName, ID: h.site}
		return err
	}
	record := b.Add()
	record.Credential = dialect.Credential{Kind: dialect.CredentialSiteName, ID: h.site}
	record.Event = h.event
	record.Source = req.Source()
	record.Source.Skip = h.proxy
	return nil
}

// hit is one request while it becomes an event.
type hit struct {
	*scratch
	event event.Event
	site  string
	proxy bool

	ots, otui, time string
	titled          bool
}

// fill reads every parameter.
func (h *hit) fill(now int64) *event.FieldError {
	h.titled = h.params.has("ti")
	n := 0
	for i := range h.params.list {
		p := &h.params.list[i]
		own, err := h.own(p)
		if err != nil {
			return err
		}
		if own {
			continue
		}
		if n++; n > propertiesMax {
			return dialect.Refuse("", "at most 256 properties")
		}
		if err := h.property(p); err != nil {
			return err
		}
	}
	if h.site == "" {
		return dialect.Refuse("si", "required")
	}
	h.state()
	if t, ok := clientTime(h.time, now); ok {
		h.event.Time = t
	}
	e := &h.event
	e.Properties, e.Context, e.Extra = h.properties, h.context, h.extra
	e.Increments, e.Segments, e.NotCounted = h.increments, h.segments, h.notCounted
	return nil
}

func (p *params) has(name string) bool {
	i := p.find(name)
	return i >= 0 && p.list[i].value != ""
}

// own takes a parameter of the protocol itself, and says whether it was one; any other is a
// property. Names that only control something are never counted and have no amount.
func (h *hit) own(p *param) (bool, *event.FieldError) {
	switch p.name {
	case "si":
		h.site = p.value
	case "uid":
		h.event.User = p.value
		return true, checkID(p)
	case "sid":
		h.event.Session = p.value
		return true, checkID(p)
	case "eid":
		if p.value == "" {
			break
		}
		if !isEventID(p.value) {
			return true, dialect.Refuse("eid", "must be 1 to 64 of A-Z a-z 0-9 . _ -")
		}
		h.event.MessageID = p.value
		h.keep(p)
	case "ots":
		h.ots = p.value
		h.keep(p)
	case "otui":
		h.otui = p.value
		h.keep(p)
	case "otpe":
		h.keep(p)
	case "t_ms":
		h.time = p.value
	case "t":
		// Older SDKs have this name for t_ms.
		if len(p.value) < 12 || len(p.value) > 14 || !dialect.IsDigits(p.value) {
			return false, nil
		}
		if h.time == "" {
			h.time = p.value
		}
	case "proxy":
		h.proxy = !off(p.value) && p.value != "no"
	case "increment":
		h.event.Uncounted = off(p.value)
	case "pix", "json", "callback", "_":
	default:
		return false, nil
	}
	return true, nil
}

// keep stores a parameter that is not a property as it was sent.
func (h *hit) keep(p *param) {
	if p.value != "" {
		h.extra = append(h.extra, event.Member{Key: p.name, Value: event.Str(p.value)})
	}
}

func checkID(p *param) *event.FieldError {
	if len(p.value) > idBytesMax {
		return dialect.Refuse(p.name, "at most 128 bytes")
	}
	for _, r := range p.value {
		if !unicode.IsPrint(r) {
			return dialect.Refuse(p.name, "must be printable")
		}
	}
	return nil
}

// property takes a parameter that is stored and counted.
func (h *hit) property(p *param) *event.FieldError {
	base, by, amount := splitAmount(p.value)
	switch {
	case by > amountMax || by < -amountMax:
		return dialect.Refuse(p.name, "an increment is at most 9007199254740991")
	case p.value == "":
		return nil // SDKs send this for what they do not know
	case p.name == "ti", p.name == "title" && !h.titled:
		return h.title(p, base, by, amount)
	case p.name == "title":
		h.keep(p) // an alias of ti, which was sent too
		return nil
	case p.name == "lc":
		h.context = append(h.context, event.Member{Key: "url", Value: event.Str(base)})
		return nil
	case p.name == "country":
		base = dialect.CountryCode(base)
	}
	h.properties = append(h.properties, event.Member{Key: p.name, Value: event.Str(base)})
	if key := contextKey(p.name); key != "" && base != "" && (key != "country" || dialect.IsCountry(base)) {
		h.context = append(h.context, event.Member{Key: key, Value: event.Str(base)})
	}
	if amount && by != 1 {
		h.increments = append(h.increments, event.Amount{Property: p.name, By: by})
	}
	if notCounted[p.name] {
		h.notCounted = append(h.notCounted, p.name)
	}
	return h.split(p, p.name)
}

// contextKey is the key of the context for a parameter that takes the place of what is
// detected, "" for any other parameter: other protocols read it there. Counters have the
// property alone.
func contextKey(name string) string {
	switch name {
	case "browser", "platform", "device", "country", "region", "city":
		return name
	case "browserVersion":
		return "browser_version"
	case "platformVersion":
		return "os_version"
	}
	return ""
}

// title takes the event's name and title. The title counts under "title", and reads call it
// ti again.
func (h *hit) title(p *param, base string, by int64, amount bool) *event.FieldError {
	if base == "" {
		return nil
	}
	if len(base) <= event.MaxNameBytes {
		h.event.Name = base // a longer text is the title alone
	}
	h.context = append(h.context, event.Member{Key: titleKey, Value: event.Str(base)})
	if amount && by != 1 {
		h.increments = append(h.increments, event.Amount{Property: titleKey, By: by})
		if h.params.find("name") < 0 {
			h.increments = append(h.increments, event.Amount{Property: "name", By: by})
		}
	}
	return h.split(p, titleKey)
}

// titleKey is the property of the counters for what the vendor calls ti.
const titleKey = "title"

// split makes a segment of a parameter whose name was marked.
func (h *hit) split(p *param, property string) *event.FieldError {
	if !p.marked {
		return nil
	}
	if len(h.segments) == event.MaxSegments {
		return dialect.Refuse(p.name, "at most 32 segments")
	}
	h.segments = append(h.segments, property)
	return nil
}

// state takes ids from the state that the vendor's own script and SDKs keep, where no ids are
// sent: the visitor is "firstVisit.random", the session "sessionStart.random".
func (h *hit) state() {
	user := numbers(h.otui, 6)
	if user == nil {
		return
	}
	random := user[0]
	if session := numbers(h.ots, 4); session != nil && h.event.Session == "" {
		h.event.Session = session[1] + "." + random
	}
	if _, none := event.NoID(h.event.User); h.event.User == "" || none {
		h.event.Anonymous = user[1] + "." + random
	}
}

// numbers are the n dotted numbers of a state, nil for anything else.
func numbers(state string, n int) []string {
	if strings.Count(state, ".") != n-1 {
		return nil
	}
	parts := strings.Split(state, ".")
	for _, part := range parts {
		if len(part) == 0 || len(part) > 20 || !dialect.IsDigits(part) {
			return nil
		}
	}
	return parts
}

// clientTime is the time that a client sent, see event.UnixTime. ok is false when it is too
// far from the time of the request to be believed.
func clientTime(value string, now int64) (t int64, ok bool) {
	t, ok = event.UnixTime(value)
	return t, ok && t >= now-earlierMax && t <= now+laterMax
}
