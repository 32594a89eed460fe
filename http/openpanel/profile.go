package openpanel

import (
	"net/mail"
	"net/url"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file decodes what clients say about people and groups.

// identify is {profileId, firstName?, lastName?, email?, avatar?, properties?}. Other keys
// are properties too, as in the vendor's own example. A key outside of properties wins over
// the same key inside.
func (m *message) identify(o event.Object, at string) *event.FieldError {
	user, err := id(o, at, "profileId", true)
	if err != nil {
		return err
	}
	properties, err := m.object(o, at, "properties")
	if err != nil {
		return err
	}
	traits := make(event.Object, 0, len(properties)+len(o))
	for _, p := range properties {
		if !reserved(p.Key) {
			traits = append(traits, p)
		}
	}
	for _, p := range o {
		switch p.Key {
		case "profileId", "properties", "clientId", "clientSecret":
			continue
		case "firstName", "lastName", "email", "avatar":
			if p.Value.Kind != event.String && p.Value.Kind != event.Null {
				return dialect.Refuse(at+p.Key, "must be a string")
			}
		}
		if p.Value.Text != "" {
			if p.Key == "email" && !isEmail(p.Value.Text) {
				return dialect.Refuse(at+p.Key, "must be an email address")
			}
			if p.Key == "avatar" && !isURL(p.Value.Text) {
				return dialect.Refuse(at+p.Key, "must be a URL")
			}
		}
		if !reserved(p.Key) {
			traits.Set(p.Key, p.Value)
		}
	}
	e := &m.add(event.Identify, "").Event
	e.User, e.Properties = user, traits
	return nil
}

// reserved says that a property of a profile or a group is not stored: no client may set
// it, or it is an address, which says where an event comes from.
func reserved(key string) bool { return key == "__bot" || key == "__bot_reasons" || key == "__ip" }

func isEmail(s string) bool {
	if len(s) > 320 || strings.ContainsAny(s, " <>") {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return strings.Contains(strings.Trim(domain, "."), ".")
}

// isURL says whether s is the address of something on the web. A url of another scheme, such
// as javascript:, would run as code where a page links it.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// increment is {profileId, property, value?}; sign is "-" for a decrement.
func (m *message) increment(o event.Object, at, sign string) *event.FieldError {
	user, err := id(o, at, "profileId", true)
	if err != nil {
		return err
	}
	property, err := text(o, at, "property")
	if err != nil {
		return err
	}
	if strings.Count(property, ".") > 16 {
		return dialect.Refuse(at+"property", "at most 16 dots")
	}
	by := "1"
	if v := o.Get("value"); v.Kind != event.Absent && v.Kind != event.Null {
		n, ok := event.Decimal(v.Text)
		switch {
		case v.Kind != event.Number || ok && (n == "0" || n[0] == '-'):
			return dialect.Refuse(at+"value", "must be a number above 0")
		case !ok:
			return dialect.Refuse(at+"value", "must have "+event.DecimalLimit)
		}
		by = v.Text
	}
	e := &m.add(event.Increment, property).Event
	e.User, e.Value = user, event.Num(sign+by)
	return nil
}

// group is {id, type, name, properties?}. It describes a group and none of its members.
func (m *message) group(o event.Object, at string) *event.FieldError {
	group, err := text(o, at, "id")
	if err != nil {
		return err
	}
	typ, err := text(o, at, "type")
	if err != nil {
		return err
	}
	name, err := text(o, at, "name")
	if err != nil {
		return err
	}
	properties, err := m.object(o, at, "properties")
	if err != nil {
		return err
	}
	r := m.add(event.Group, "")
	r.Visit.Nobody = true
	e := &r.Event
	m.groups = append(m.groups, group)
	e.Groups = m.groups[len(m.groups)-1:]
	e.Properties = make(event.Object, 0, len(properties)+2)
	for _, p := range properties {
		if !reserved(p.Key) {
			e.Properties = append(e.Properties, p)
		}
	}
	for _, own := range []event.Member{{Key: "type", Value: event.Str(typ)}, {Key: "name", Value: event.Str(name)}} {
		if v := properties.Get(own.Key); v.Kind != event.Absent {
			e.Extra = append(e.Extra, event.Member{Key: "properties." + own.Key, Value: v})
		}
		e.Properties.Set(own.Key, own.Value)
	}
	return nil
}

// assign is {groupIds, profileId?}. Without a profile it is the device that joins.
func (m *message) assign(o event.Object, at string) *event.FieldError {
	user, err := id(o, at, "profileId", false)
	if err != nil {
		return err
	}
	groups, err := m.strings(o, at, "groupIds")
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		return dialect.Refuse(at+"groupIds", "required: an array of strings")
	}
	r := m.add(event.Group, "")
	r.Event.User, r.Event.Groups = user, groups
	_, none := event.NoID(user)
	r.Visit.Always = user == "" || none
	return nil
}

// alias is {profileId, alias}: the alias is the profile's, also for earlier events.
func (m *message) alias(o event.Object, at string) *event.FieldError {
	user, err := id(o, at, "profileId", true)
	if err != nil {
		return err
	}
	alias, err := id(o, at, "alias", true)
	if err != nil {
		return err
	}
	r := m.add(event.Alias, "")
	r.Visit.Nobody = true // the device is a server's and not the profile's
	r.Event.User, r.Event.Previous = user, alias
	return nil
}

// replay is a part of a recorded session. It is checked and not stored.
func (m *message) replay(o event.Object, at string) *event.FieldError {
	if n, ok := integer(o.Get("chunk_index").Text); !ok || o.Get("chunk_index").Kind != event.Number || n < 0 || n > chunkMax {
		return dialect.Refuse(at+"chunk_index", "must be an integer from 0 to 65535")
	}
	if n, ok := integer(o.Get("events_count").Text); !ok || o.Get("events_count").Kind != event.Number || n < 1 {
		return dialect.Refuse(at+"events_count", "must be an integer from 1")
	}
	if o.Get("is_full_snapshot").Kind != event.Bool {
		return dialect.Refuse(at+"is_full_snapshot", "must be true or false")
	}
	for _, key := range []string{"started_at", "ended_at"} {
		if v := o.Get(key); v.Kind != event.String {
			return dialect.Refuse(at+key, "must be an ISO 8601 time")
		} else if _, ok := timeOf(v); !ok {
			return dialect.Refuse(at+key, "must be an ISO 8601 time")
		}
	}
	if v := o.Get("payload"); v.Kind != event.String || len(v.Text) > payloadBytesMax {
		return dialect.Refuse(at+"payload", "must be a string of at most 2 MB")
	}
	if v := o.Get("sessionId"); v.Kind != event.Absent && v.Kind != event.Null &&
		(v.Kind != event.String || len(v.Text) > deviceCharsMax) {
		return dialect.Refuse(at+"sessionId", "must be a string of at most 64 characters")
	}
	m.add(event.Track, "replay").Exclude = "replay"
	return nil
}
