package openpanel

import (
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
)

// This file writes a page of the export, and JSON field by field.

// writePage writes {"meta":…,"data":[…]}.
func (x *reading) writePage(e *exporting, lines []exported, total uint64) error {
	x.writeMeta(e, len(lines), total)
	profiles := map[string][]byte{}
	for i := range lines {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		if len(x.out) > pageBytes {
			return errWide
		}
		x.writeEvent(e.include, &lines[i])
		if e.include["profile"] {
			profile, err := x.profileOf(profiles, lines[i].Event)
			if err != nil {
				return err
			}
			x.out = append(append(x.out[:len(x.out)-1], `,"profile":`...), profile...)
			x.out = append(x.out, '}')
		}
	}
	x.out = append(x.out, "]}"...)
	return nil
}

func (x *reading) writeMeta(e *exporting, count int, total uint64) {
	x.out = strconv.AppendInt(append(x.out, `{"meta":{"count":`...), int64(count), 10)
	x.out = strconv.AppendUint(append(x.out, `,"totalCount":`...), total, 10)
	x.out = strconv.AppendUint(append(x.out, `,"pages":`...), (total+uint64(e.limit)-1)/uint64(e.limit), 10)
	x.out = strconv.AppendInt(append(x.out, `,"current":`...), int64(e.page), 10)
	x.out = append(x.out, `},"data":[`...)
}

// writeEvent writes one event with the default fields and those that are included.
func (x *reading) writeEvent(include map[string]bool, e *exported) {
	name := e.Name
	if name == "" {
		name = string(e.Type)
	}
	x.open("id", e.ID)
	x.text("name", name)
	x.text("deviceId", e.Anonymous)
	x.text("profileId", profileID(e.Event))
	x.text("sessionId", e.Session)
	x.text("projectId", x.req.Site.Name)
	x.moments("createdAt", e.Time)
	x.text("path", e.Context.Get("path").Text)
	x.value("duration", event.Num(strconv.FormatInt(e.duration, 10)))
	for _, key := range []string{"city", "country", "os", "browser"} {
		x.text(key, e.Context.Get(key).Text)
	}
	for _, field := range []struct{ name, key string }{
		{"referrer", "referrer"}, {"region", "region"}, {"osVersion", "os_version"}, {"browserVersion", "browser_version"},
		{"device", "device"}, {"brand", "brand"}, {"model", "model"},
	} {
		if include[field.name] {
			x.text(field.name, e.Context.Get(field.key).Text)
		}
	}
	if include["referrerName"] {
		x.text("referrerName", e.Extra.Get("referrer_name").Text)
	}
	if include["referrerType"] {
		x.text("referrerType", e.Extra.Get("referrer_type").Text)
	}
	if include["origin"] {
		x.text("origin", originOf(e.Context.Get("url").Text))
	}
	for _, key := range []string{"longitude", "latitude"} {
		if include[key] {
			x.value(key, orNull(e.Context.Get(key)))
		}
	}
	if include["revenue"] {
		v := event.Value{Kind: event.Null}
		if e.Name == "revenue" && e.Value.Kind == event.Number {
			v = e.Value
		}
		x.value("revenue", v)
	}
	if include["groups"] {
		x.list("groups", e.Groups)
	}
	if include["properties"] {
		o := append(event.Object(nil), e.Properties...)
		if title := e.Context.Get("title"); title.Kind == event.String {
			o.Set("__title", title)
		}
		x.object("properties", o)
	}
	if include["meta"] {
		x.out = append(x.out, `,"meta":null`...)
	}
	x.out = append(x.out, '}')
}

// profileID is whose an event is: the profile, else the device.
func profileID(e *event.Event) string {
	if e.User != "" {
		return e.User
	}
	return e.Anonymous
}

// originOf is the scheme and host of a url, "" when it has none.
func originOf(u string) string {
	i := strings.Index(u, "://")
	if i < 0 {
		return ""
	}
	if end := strings.IndexAny(u[i+3:], "/?#"); end >= 0 {
		u = u[:i+3+end]
	}
	return u
}

// pathOf is the path of a url, or a path as it is.
func pathOf(u string) string {
	path := strings.TrimPrefix(u, originOf(u))
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return path
}

func orNull(v event.Value) event.Value {
	if v.Kind == event.Absent {
		return event.Value{Kind: event.Null}
	}
	return v
}

// open begins an object with a first field.
func (x *reading) open(name, text string) {
	x.out = append(x.out, '{')
	x.out = event.AppendString(x.out, name)
	x.out = event.AppendString(append(x.out, ':'), text)
}

func (x *reading) key(name string) {
	x.out = event.AppendString(append(x.out, ','), name)
	x.out = append(x.out, ':')
}

func (x *reading) text(name, text string) {
	x.key(name)
	x.out = event.AppendString(x.out, text)
}

func (x *reading) value(name string, v event.Value) {
	x.key(name)
	x.out = event.AppendValue(x.out, v)
}

func (x *reading) object(name string, o event.Object) {
	x.key(name)
	x.out = event.AppendObject(x.out, o)
}

func (x *reading) list(name string, texts []string) {
	x.key(name)
	x.out = event.AppendStrings(x.out, texts)
}

func (x *reading) moments(name string, unixMilli int64) {
	x.key(name)
	x.out = time.UnixMilli(unixMilli).UTC().AppendFormat(x.out, `"2006-01-02T15:04:05.000Z"`)
}
