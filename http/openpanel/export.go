package openpanel

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file is GET /export/events: its parameters, and how an event looks there.

const (
	namesMax   = 100     // events asked for by name
	scanMax    = 100_000 // events looked at for filters the index does not know
	derivedMax = 2000    // sessions for session_start and session_end
)

// exporting is how a page of the export is asked for.
type exporting struct {
	page, limit int
	query       dialect.Query
	filters     []filter // what the index does not know
	include     map[string]bool
}

// exportEvents answers with one page of events in order of receipt, newest first.
func (x *reading) exportEvents() error {
	var e exporting
	var err error
	if e.page, err = x.query.number("page", 1, 1, skipMax); err != nil {
		return err
	}
	if e.limit, err = x.query.number("limit", pageDefault, 1, pageMax); err != nil {
		return err
	}
	if (e.page-1)*e.limit > skipMax {
		return refuse("page", "at most 1000000 events come before a page; narrow by start and end")
	}
	if e.query.From, e.query.To, err = x.between("start", "end"); err != nil {
		return err
	}
	e.query.Where = acts()
	if id := x.query.last("profileId", "profile_id"); id != "" {
		e.query.Where = append(e.query.Where, dialect.Cond{Field: "user", Values: []string{id}})
	}
	conds, filters, err := filtersOf(x.query.last("filters"))
	if err != nil {
		return err
	}
	e.query.Where, e.filters = append(e.query.Where, conds...), filters
	if e.include, err = includesOf(x.query.list("includes")); err != nil {
		return err
	}
	names := x.query.all("event")
	if len(names) > namesMax {
		return refuse("event", "at most 100 names")
	}
	derived := 0
	for _, name := range names {
		if name == "session_start" || name == "session_end" {
			derived++
		}
	}
	switch {
	case derived > 0 && derived < len(names):
		return refuse("event", "session_start and session_end are listed by themselves")
	case derived > 0:
		return x.exportSessions(&e, names)
	case len(names) > 0:
		e.query.Where = append(e.query.Where, dialect.Cond{Field: "name", Values: names})
	}
	lines, total, err := x.page(&e)
	if err != nil {
		return err
	}
	return x.writePage(&e, lines, total)
}

// exported is one line of an export.
type exported struct {
	*event.Event
	duration int64 // of a session that ended, milliseconds
}

// page reads the events of a page and counts those of all.
func (x *reading) page(e *exporting) (lines []exported, total uint64, err error) {
	skip := (e.page - 1) * e.limit
	q := e.query
	totals, err := x.store.Count(x.ctx, q)
	if err != nil {
		return nil, 0, err
	}
	if len(e.filters) == 0 {
		if uint64(skip) >= totals.Events {
			return nil, totals.Events, nil
		}
		q.Limit, q.Skip = e.limit, skip
		page, err := x.store.List(x.ctx, q)
		for _, ev := range page.Events {
			lines = append(lines, exported{Event: ev})
		}
		return lines, totals.Events, err
	}
	if totals.Events > scanMax {
		return nil, 0, refuse("filters", "these are compared event by event, with at most 100000; narrow by event, start and end")
	}
	for q.Limit = pageMax; ; {
		page, err := x.store.List(x.ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for _, ev := range page.Events {
			if !matchesAll(e.filters, ev) {
				continue
			}
			if total >= uint64(skip) && len(lines) < e.limit {
				lines = append(lines, exported{Event: ev})
			}
			total++
		}
		if q.After = page.Next; page.Next == "" {
			return lines, total, nil
		}
	}
}

// given are the fields every line of an export has. They may be asked for as well.
var given = []string{
	"id", "name", "deviceId", "profileId", "sessionId", "projectId", "createdAt", "path", "duration", "city", "country", "os", "browser",
}

// includable are those a line has only when it is asked for them.
var includable = []string{
	"properties", "groups", "revenue", "referrer", "referrerName", "referrerType", "origin", "region", "longitude", "latitude",
	"osVersion", "browserVersion", "device", "brand", "model", "meta", "profile",
}

func includesOf(names []string) (map[string]bool, error) {
	include := make(map[string]bool, len(names))
	for _, name := range names {
		if name == "referrer_name" || name == "referrer_type" || name == "os_version" || name == "browser_version" {
			first, second, _ := strings.Cut(name, "_")
			name = first + strings.ToUpper(second[:1]) + second[1:]
		}
		if !slices.Contains(includable, name) && !slices.Contains(given, name) {
			return nil, refuse("includes", "must be of "+strings.Join(includable, ", "))
		}
		include[name] = true
	}
	return include, nil
}

// writePage writes {"meta":…,"data":[…]}.
func (x *reading) writePage(e *exporting, lines []exported, total uint64) error {
	x.writeMeta(e, len(lines), total)
	profiles := map[string][]byte{}
	for i := range lines {
		if i > 0 {
			x.out = append(x.out, ',')
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

// profileID is who an event is of: the profile, else the device.
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

// A session begins a little before its first event and ends after its last one, in
// milliseconds.
const (
	startBefore = 100
	endAfter    = 1000
)

// exportSessions lists what upstream keeps as events of their own: where sessions
// began, and where those that are over ended.
func (x *reading) exportSessions(e *exporting, names []string) error {
	if len(e.filters) > 0 {
		return refuse("filters", "must be of the operator is for session_start and session_end")
	}
	q := e.query
	q.Where = append(q.Where, dialect.Cond{Field: "dialect", Values: []string{string(event.OpenPanel)}})
	q.Limit = pageMax
	if q.From > 0 {
		q.From -= endAfter
		q.To += startBefore
	}
	type edge struct {
		*dialect.Session
		name string
		at   int64
	}
	var edges []edge
	for n := 0; ; {
		sessions, next, err := x.store.Sessions(x.ctx, q)
		if err != nil {
			return err
		}
		if n += len(sessions); n > derivedMax {
			return refuse("event", "at most 2000 sessions are listed; narrow by start and end")
		}
		for i := range sessions {
			s := &sessions[i]
			for _, edge := range []edge{{s, "session_end", s.End + endAfter}, {s, "session_start", s.Start - startBefore}} {
				over := x.req.ReceivedUnixMilli-s.End > sessionIdle
				within := e.query.From == 0 || e.query.From <= edge.at && edge.at < e.query.To
				if slices.Contains(names, edge.name) && within && (over || edge.name == "session_start") {
					edges = append(edges, edge)
				}
			}
		}
		if q.After = next; next == "" {
			break
		}
	}
	total := uint64(len(edges))
	edges = edges[min(len(edges), (e.page-1)*e.limit):]
	edges = edges[:min(len(edges), e.limit)]
	lines := make([]exported, len(edges))
	for i, edge := range edges {
		// What is known of the visitor is what the first event says.
		first, err := x.store.Event(x.ctx, edge.Cursor)
		if err != nil {
			return err
		}
		line := event.Event{
			ID: edge.ID + "." + edge.name, Type: event.Track, Name: edge.name, Time: edge.at,
			User: edge.User, Anonymous: edge.Anonymous, Session: edge.ID, Groups: edge.Groups,
			Context: append(event.Object(nil), first.Context...), Extra: first.Extra,
		}
		if lines[i].Event = &line; edge.name == "session_end" {
			lines[i].duration = edge.End - edge.Start
			line.Context.Set("path", event.Str(pathOf(edge.Exit)))
			line.Properties = event.Object{{Key: "__bounce", Value: event.Boolean(edge.Bounce)}}
		}
	}
	return x.writePage(e, lines, total)
}

// sessionIdle ends a session, in milliseconds.
const sessionIdle = 30 * 60 * 1000

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
	x.out = append(x.out, '[')
	for i, t := range texts {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = event.AppendString(x.out, t)
	}
	x.out = append(x.out, ']')
}

func (x *reading) moments(name string, unixMilli int64) {
	x.key(name)
	x.out = time.UnixMilli(unixMilli).UTC().AppendFormat(x.out, `"2006-01-02T15:04:05.000Z"`)
}
