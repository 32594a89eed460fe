package openpanel

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file decodes tracked events: what a name may be, and which properties have a meaning
// in the protocol.

const screenView = "screen_view"

// track is {name, properties?, profileId?, groups?}.
func (m *message) track(o event.Object, at string) *event.FieldError {
	name, err := nameOf(o, at)
	if err != nil {
		return err
	}
	user, err := id(o, at, "profileId", false)
	if err != nil {
		return err
	}
	groups, err := m.strings(o, at, "groups")
	if err != nil {
		return err
	}
	properties, err := m.object(o, at, "properties")
	if err != nil {
		return err
	}
	return m.tracked(name, user, groups, properties, at, event.Value{})
}

// legacyEvent is POST /event: {name, timestamp, profileId?, properties?}.
func (m *message) legacyEvent(o event.Object) *event.FieldError {
	name, err := nameOf(o, "")
	if err != nil {
		return err
	}
	user, err := id(o, "", "profileId", false)
	if err != nil {
		return err
	}
	properties, err := m.object(o, "", "properties")
	if err != nil {
		return err
	}
	return m.tracked(name, user, nil, properties, "", o.Get("timestamp"))
}

func nameOf(o event.Object, at string) (string, *event.FieldError) {
	name, err := text(o, at, "name")
	switch {
	case err != nil:
		return "", err
	case utf8.RuneCountInString(name) > nameCharsMax:
		return "", dialect.Refuse(at+"name", "at most 80 characters")
	case strings.ContainsAny(name, "\r\n"):
		return "", dialect.Refuse(at+"name", "must be one line")
	case name == "session_start" || name == "session_end":
		return "", dialect.Refuse(at+"name", "is reserved")
	}
	return name, nil
}

// tracked adds the record of an event.
func (m *message) tracked(name, user string, groups []string, properties event.Object, at string, timestamp event.Value) *event.FieldError {
	at += "properties."
	typ := event.Track
	if name == screenView {
		typ = event.Page
	}
	// The reserved ones are removed in place, because the object belongs to this request.
	own := properties[:0]
	r := m.add(typ, name)
	e := &r.Event
	r.Repeats = repeatMax
	e.User, e.Groups = user, groups
	var revenue, identify event.Value
	for _, p := range properties {
		v := p.Value
		switch p.Key {
		case "__path":
			setPath(e, v)
		case "__referrer":
			setText(e, "referrer", v)
		case "__title":
			setText(e, "title", v)
		case "__timestamp":
			timestamp = v
		case "__ip":
			if a, ok := publicAddr(stringOf(v)); ok {
				r.Claimed = a
			}
		case "__deviceId":
			if s := strings.TrimSpace(stringOf(v)); s != "" && utf8.RuneCountInString(s) <= deviceCharsMax {
				e.Anonymous = s
			}
		case "__revenue":
			revenue = v
		case "__identify":
			identify = v
		case "__bot", "__bot_reasons", "__query", "__hash":
			// The server decides these: it does not believe the first two, and finds the
			// others in the url.
		case "__os", "__osVersion", "__browser", "__browserVersion", "__device", "__brand", "__model":
			setText(e, contextOf[p.Key], v)
		default:
			own = append(own, p)
		}
	}
	e.Properties = own
	// Older SDKs send the names without underscores; the values stay properties as well.
	if e.Context.Get("url").Kind == event.Absent && e.Context.Get("path").Kind == event.Absent {
		setPath(e, own.Get("path"))
	}
	if e.Context.Get("referrer").Kind == event.Absent {
		setText(e, "referrer", own.Get("referrer"))
	}
	setReferrer(e)
	m.setTime(e, timestamp)
	if err := m.setRevenue(r, name, revenue, at); err != nil {
		return err
	}
	if identify.IsObject() {
		return m.identifyInside(identify, at)
	}
	return nil
}

var contextOf = map[string]string{
	"__os": "os", "__osVersion": "os_version", "__browser": "browser", "__browserVersion": "browser_version",
	"__device": "device", "__brand": "brand", "__model": "model",
}

func stringOf(v event.Value) string {
	if v.Kind != event.String {
		return ""
	}
	return v.Text
}

// setText puts a string into the context and ignores any other value.
func setText(e *event.Event, key string, v event.Value) {
	if v.Kind == event.String && v.Text != "" {
		e.Context = append(e.Context, event.Member{Key: key, Value: v})
	}
}

// setPath takes __path, which is a whole url or a route.
func setPath(e *event.Event, v event.Value) {
	key := "path"
	if strings.Contains(stringOf(v), "://") {
		key = "url" // the engine finds the path in it
	}
	setText(e, key, v)
}

// setTime takes the client's time if it is valid and not ahead of the server's.
func (m *message) setTime(e *event.Event, v event.Value) {
	if ms, ok := timeOf(v); ok && ms >= event.FirstTime && ms <= m.now+aheadMax.Milliseconds() {
		e.Time = ms
	}
}

// timeLayouts are the forms that clients send and that JavaScript's Date reads.
var timeLayouts = [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", time.DateOnly}

// timeOf reads a time: a text, or a number, see event.UnixTime. A text without a zone is
// UTC.
func timeOf(v event.Value) (ms int64, ok bool) {
	switch v.Kind {
	case event.Number:
		return event.UnixTime(v.Text)
	case event.String:
		if len(v.Text) > 40 {
			return 0, false
		}
		if ms, ok = event.UnixTime(v.Text); ok {
			return ms, true
		}
		for _, layout := range timeLayouts {
			if t, err := time.Parse(layout, v.Text); err == nil {
				return t.UnixMilli(), true
			}
		}
	}
	return 0, false
}

// setRevenue makes __revenue the value of an event named revenue; other events keep it in
// extra. Both need a secret, because anybody can open the console of a page, unless the site
// allows browsers to send it.
func (m *message) setRevenue(r *dialect.Record, name string, v event.Value, at string) *event.FieldError {
	if v.Kind == event.Absent || v.Kind == event.Null {
		return nil
	}
	if name == "revenue" {
		n, ok := integer(v.Text)
		if v.Kind != event.Number || !ok || n < 0 {
			return dialect.Refuse(at+"__revenue", "must be an integer of minor units, 0 or more")
		}
		r.Event.Value = event.Num(strconv.FormatInt(n, 10))
	} else {
		r.Event.Extra = append(r.Event.Extra, event.Member{Key: "__revenue", Value: v})
	}
	if m.req.Find != nil {
		if site := m.req.Find(m.credential); site != nil {
			if s := dialect.SettingsOf[Settings](site); s != nil && s.UnsafeRevenue {
				return nil
			}
		}
	}
	r.NeedsSecret = true
	return nil
}

// integer reads the literal of a whole number below 2^53.
func integer(s string) (n int64, ok bool) {
	s = strings.TrimSuffix(s, ".0")
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 16 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(digits[i]-'0')
	}
	if n > event.MaxAmount {
		return 0, false
	}
	if digits != s {
		n = -n
	}
	return n, true
}

// identifyInside decodes an event's __identify. It names the profile; with more fields it
// becomes an identify event as well.
func (m *message) identifyInside(v event.Value, at string) *event.FieldError {
	o, err := m.open(v, at+"__identify")
	if err != nil {
		return err
	}
	user, err := id(o, at+"__identify.", "profileId", false)
	if err != nil || user == "" {
		return err
	}
	m.batch.Records[len(m.batch.Records)-1].Event.User = user
	if len(o) > 1 {
		return m.identify(o, at+"__identify.")
	}
	return nil
}
