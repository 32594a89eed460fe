package opentracker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file shows single events, and sessions and users as the sum of their events. Only
// events of this protocol are shown. A user is a person under any of their ids.

// The size of a listing.
const (
	eventsDefault = 40
	eventsMax     = 1000
)

// of selects events of this protocol by a field.
func of(field string, values ...string) []query.Cond {
	where := []query.Cond{{Field: "dialect", Values: []string{string(event.Opentracker)}}}
	if field != "" {
		where = append(where, query.Cond{Field: field, Values: values})
	}
	return where
}

var errNotFound = &dialect.StatusError{Failure: dialect.NotFound, Msg: "not found"}

// event answers /api/views/event. An eid is one that the client chose, or cairn's.
func (r *reading) event(ctx context.Context, res *dialect.Response) error {
	id := r.query.first("eid")
	if id == "" {
		return dialect.Refuse("eid", "required")
	}
	page, err := r.List(ctx, query.Query{Where: of("message_id", id), Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Events) == 1 {
		r.answer(res, appendEvent(nil, page.Events[0]))
		return nil
	}
	e, err := r.Event(ctx, id)
	if err != nil {
		return err
	}
	if e.Dialect != event.Opentracker {
		return errNotFound
	}
	r.answer(res, appendEvent(nil, e))
	return nil
}

// object answers /api/views/session and /api/views/user.
func (r *reading) object(ctx context.Context, res *dialect.Response, kind string) error {
	names, field := []string{"uid"}, "user"
	if kind == "sid" {
		names, field = []string{"sid", "session_id"}, "session_name"
	}
	id := r.query.first(names...)
	if id == "" {
		return dialect.Refuse(kind, "required")
	}
	where := of(field, id)
	d, err := r.Digest(ctx, query.Query{Where: where})
	if err != nil {
		return err
	}
	if d.Events == 0 {
		return errNotFound
	}
	dst := member([]byte{'{'}, kind, id)
	if kind == "sid" {
		first, err := r.List(ctx, query.Query{Where: where, Ascending: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(first.Events) == 1 {
			dst = member(dst, "uid", userOf(first.Events[0]))
		}
	}
	title := d.Context.Get(titleKey).Text
	if title == "" {
		title = d.Name
	}
	dst = memberOrNull(dst, "title", title)
	dst = member(dst, "first", rfc3339(d.First, time.UTC))
	dst = member(dst, "last", rfc3339(d.Last, time.UTC))
	dst = strconv.AppendUint(append(dst, `,"events":`...), d.Events, 10)
	dst = strconv.AppendUint(append(dst, `,"sessions":`...), d.Sessions, 10)
	dst = appendProperties(append(dst, `,"properties":`...), d.Context, d.Properties)
	r.answer(res, append(dst, '}'))
	return nil
}

// events answers /api/views/events, newest first.
func (r *reading) events(ctx context.Context, res *dialect.Response) error {
	q := query.Query{Where: of("")}
	for _, filter := range [][2]string{{"uid", "user"}, {"sid", "session_name"}} {
		if id := r.query.first(filter[0]); id != "" {
			q.Where = append(q.Where, query.Cond{Field: filter[1], Values: []string{id}})
		}
	}
	name, list := property(r.query.first("property")), r.query["value"]
	switch {
	case name == "" && len(list) > 0:
		return dialect.Refuse("value", "needs a property")
	case name != "" && len(list) == 0:
		return dialect.Refuse("property", "needs a value")
	case len(list) > propertiesMax:
		return dialect.Refuse("value", "at most 256 values")
	case name == "lc":
		q.Where = append(q.Where, query.Cond{Field: "url", Values: list})
	case name != "":
		q.Where = append(q.Where, query.Cond{Field: "counted." + name, Values: asked(name, list)})
	}
	s, err := parseSpan(r.query, r.now, r.home)
	if err != nil {
		return err
	}
	q.From, q.To = s.instants()
	if q.Limit, err = r.query.number("limit", eventsDefault, 1, eventsMax); err != nil {
		return err
	}
	if q.After = r.query.first("nextToken"); q.After != "" && !isPublicID(q.After) {
		return dialect.Refuse("nextToken", "not a token of this listing")
	}
	page, err := r.List(ctx, q)
	if err != nil {
		// The rest of the query was checked above, so the token is bad.
		var status *dialect.StatusError
		if q.After != "" && errors.As(err, &status) && status.Failure == dialect.BadRequest {
			return dialect.Refuse("nextToken", "not a token of this listing")
		}
		return err
	}
	totals, err := r.Count(ctx, query.Query{Where: q.Where, From: q.From, To: q.To})
	if err != nil {
		return err
	}
	dst := strconv.AppendUint([]byte(`{"rows":`), totals.Events, 10)
	dst = append(dst, `,"data":[`...)
	for i, e := range page.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEvent(dst, e)
	}
	dst = memberOrNull(append(dst, ']'), "nextToken", page.Next)
	r.answer(res, append(dst, '}'))
	return nil
}

func isPublicID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

func userOf(e *event.Event) string {
	if e.User != "" {
		return e.User
	}
	return e.Anonymous
}

// appendEvent appends
//
//	{"eid","sid","uid","title","time","first","last","events":1,"sessions":1,
//	 "properties":{…},"segments":[…],"increments":{…}}
func appendEvent(dst []byte, e *event.Event) []byte {
	id := e.ID
	if own := e.Extra.Get("eid"); own.Kind == event.String {
		id = own.Text
	}
	dst = member(append(dst, '{'), "eid", id)
	dst = member(member(dst, "sid", e.Session), "uid", userOf(e))
	title := e.Context.Get(titleKey).Text
	if title == "" {
		title = e.Name
	}
	dst = memberOrNull(dst, "title", title)
	at := rfc3339(e.Time, time.UTC)
	dst = member(member(member(dst, "time", at), "first", at), "last", at)
	dst = append(dst, `,"events":1,"sessions":1,"properties":`...)
	dst = appendProperties(dst, e.Context, e.Properties)
	dst = append(dst, `,"segments":[`...)
	for i, s := range e.Segments {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(dst, shown(s))
	}
	dst = append(dst, `],"increments":{`...)
	first := true
	for _, a := range e.Increments {
		if a.By == 1 || a.Property == "name" && e.Properties.Get("name").Kind == event.Absent {
			continue // this is ti under its second name
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(event.AppendString(dst, shown(a.Property)), ':')
		dst = strconv.AppendInt(dst, a.By, 10)
	}
	return append(dst, "}}"...)
}

// contextNames are the keys of the context for what is detected, each with the vendor's name.
var contextNames = [...][2]string{
	{titleKey, "ti"}, {"url", "lc"},
	{"browser", "browser"}, {"browser_version", "browserVersion"},
	{"platform", "platform"}, {"os_version", "platformVersion"}, {"device", "device"},
	{"country", "country"}, {"region", "region"}, {"city", "city"},
}

// detailOf is, for a detail that is detected, the name of what it belongs to.
var detailOf = map[string]string{
	"browserVersion": "browser", "platformVersion": "platform", "region": "country", "city": "country",
}

// appendProperties appends what was detected and what was sent, by name. What was sent comes
// before what was detected under the same name.
func appendProperties(dst []byte, context, properties event.Object) []byte {
	all := make(event.Object, 0, len(properties)+len(contextNames)+1)
	for _, m := range properties {
		if m.Key == "country" && m.Value.Kind == event.String {
			m.Value = event.Str(dialect.CountryName(m.Value.Text))
		}
		all = append(all, m)
	}
	fill := func(name, text string) {
		if text != "" && properties.Get(name).Kind == event.Absent {
			all = append(all, event.Member{Key: name, Value: event.Str(text)})
		}
	}
	for _, name := range contextNames {
		if of := detailOf[name[1]]; of != "" && properties.Get(of).Kind != event.Absent {
			continue // it belongs to what was detected, not to what was sent
		}
		text := context.Get(name[0]).Text
		if name[1] == "country" {
			text = dialect.CountryName(text)
		}
		fill(name[1], text)
	}
	code := context.Get("country").Text
	if sent := properties.Get("country"); sent.Kind == event.String {
		code = sent.Text
	}
	if dialect.IsCountry(code) {
		fill("countryCode", code)
	}
	slices.SortFunc(all, func(a, b event.Member) int { return strings.Compare(a.Key, b.Key) })
	return event.AppendObject(dst, all)
}
