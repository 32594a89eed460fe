package dashboard

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file is the screen of one event, /events/ID: all of its fields, and the visit around it.

// eventView is an event as its template takes it.
type eventView struct {
	Back           link
	Type, What     string
	Time, Received timeView
	Late           string // how long after it happened it was received; "" = at once
	Person         link
	Around         link
	Parts          []eventPart
	More           bool // it has more fields than are listed
	JSON           string
}

// timeView is a time to people and to machines.
type timeView struct{ Text, At, Full string }

// eventPart is a part of the fields.
type eventPart struct {
	Title string
	Rows  []fieldRow
}

// fieldRow is a field of an event.
type fieldRow struct {
	Key, Text, Said string // Said is the value in words, where it has other ones
	Depth           int
	Leaf            bool
	For, Without    string // addresses of the events with and without it; "" = no filter knows it
	Column          string // address of the list with its column
	Out             string // the value as a link to elsewhere
	Name            string // of the field, for readers
}

// valueMax is how long a value may be that a filter is offered for.
const valueMax = 1024

// timeOf makes the view of a time.
func (p *page) timeOf(t time.Time) timeView {
	return timeView{p.locale.Date(t) + ", " + p.locale.Seconds(t), p.locale.Machine(t), p.locale.FullTime(t)}
}

// eventScreen are the panels of one event. What they ask depends on the event, so that is waited
// for.
func eventScreen(p *page) [][]*panel {
	q := p.askAt("events/"+segment(p.args[0]), nil)
	one := &panel{name: "event", title: "Event", lines: 10, ask: func() *asked { return q }}
	one.view = func(q *asked) (body, *failure) {
		var e eventData
		if q.answer.Status == 404 || len(p.args) > 1 {
			return p.missing("There is no such event.", link{Text: "All events", Href: p.screenHref("events", p.state.common())}), nil
		}
		if f := q.into(&e); f != nil {
			return body{}, f
		}
		return body{peopleBody: peopleBody{Event: p.viewEvent(&e, q.answer.Body)}}, nil
	}
	var e eventData
	if !q.ready(p.late) || q.into(&e) != nil {
		one.wide = true
		return [][]*panel{{one}}
	}
	v := p.visitOf(&e)
	if v == nil {
		one.wide = true
		return [][]*panel{{one}}
	}
	return [][]*panel{{one, p.visitPanel("The visit around it", v.Key, e.ID)}}
}

// segment is a text as one segment of the path of a call.
func segment(text string) string { return url.PathEscape(text) }

// missing is the body of a panel whose thing is not there. The page is 404 then.
func (p *page) missing(text string, help link) body {
	p.status = 404
	return body{Empty: &emptyView{Text: text, Helps: []link{help}}}
}

// visitOf is the visit that an event belongs to; nil when it has none. The event knows the name of
// its visit alone, and a name may mean several: the nearest in time of the same visitor is its own.
func (p *page) visitOf(e *eventData) *visitData {
	if e.Session == "" {
		return nil
	}
	q := p.askAt("sessions", state{{"session", e.Session}, {"limit", "100"}})
	var a visitsAnswer
	if !q.ready(p.late) || q.into(&a) != nil {
		return nil
	}
	var found *visitData
	var away time.Duration
	for i := range a.Sessions {
		v := &a.Sessions[i]
		same := e.Anonymous != "" && v.Anonymous == e.Anonymous || e.User != "" && v.User == e.User
		if v.Dialect != e.Dialect || !same && (v.Anonymous != "" && e.Anonymous != "" || v.User != "" && e.User != "") {
			continue // somebody else's of that name
		}
		// A row that came late may lie before the begin of its visit.
		off := max(0, v.Start.Sub(e.Time), e.Time.Sub(v.End))
		if found == nil || off < away {
			found, away = v, off
		}
	}
	return found
}

// viewEvent makes the view of an event. raw is the event as the API gave it.
func (p *page) viewEvent(e *eventData, raw []byte) *eventView {
	list := p.state.without("after", "_panel", "_wait", "_open")
	if at := e.Time.UnixMilli(); !p.within(at) { // its filters shall find it
		list = append(state{{"range", "all"}}, list.without("range", "from", "to", "compare")...)
	}
	v := &eventView{
		Back: link{Text: "Events", Href: p.screenHref("events", p.state.without("_panel", "_wait"))},
		Type: dialect.TypeName(e.Type), What: e.what(), Time: p.timeOf(e.Time), Received: p.timeOf(e.Received),
	}
	if late := e.Received.Sub(e.Time); late >= time.Second {
		v.Late = p.locale.Duration(late) + " later"
	}
	if id := e.person(); id != "" {
		v.Person = link{Text: id, Href: p.personHref(id)}
	}
	if at := e.Time.UnixMilli(); at > 0 {
		const around = 5 * 60_000
		v.Around = link{Text: "Everything within 5 minutes", Href: p.screenHref("events", p.between(nil, at-around, at+around))}
	}
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") == nil {
		v.JSON = out.String()
	}
	left := nodesMax
	var top map[string]json.RawMessage
	_ = json.Unmarshal(raw, &top) // it has been read before
	v.Parts = append(v.Parts, p.coreFields(raw, list))
	for _, part := range []struct{ title, member, prefix string }{
		{"Properties", "properties", "prop."}, {"Context", "context", "context."}, {"Increments", "increments", ""}, {"Extra", "extra", "extra."},
	} {
		nodes := nodesOf(top[part.member], left+1)
		if len(nodes) > left {
			nodes, v.More = nodes[:left], true
		}
		left -= len(nodes)
		if len(nodes) == 0 {
			continue
		}
		rows := eventPart{Title: part.title}
		for _, n := range nodes {
			field := ""
			if part.prefix != "" {
				field = part.prefix + n.path
				if bare, ok := strings.CutPrefix(field, "context."); ok && bare != "timezone" {
					field = bare
				}
			}
			rows.Rows = append(rows.Rows, p.fieldRow(n, field, list))
		}
		v.Parts = append(v.Parts, rows)
	}
	return v
}

// inner are the members of an event that are parts of their own.
var inner = []string{"properties", "context", "extra", "increments"}

// coreFields are the members of an event that are no parts of their own.
func (p *page) coreFields(raw []byte, list state) eventPart {
	core := eventPart{Title: "Event"}
	for _, n := range nodesOf(raw, nodesMax*3) {
		if first, _, _ := strings.Cut(n.path, "."); !slices.Contains(inner, first) {
			core.Rows = append(core.Rows, p.fieldRow(n, coreNames[n.path], list))
		}
	}
	return core
}

// coreNames are what filters call these members.
var coreNames = map[string]string{
	"type": "type", "name": "name", "user": "user", "anonymous": "anonymous", "session": "session", "dialect": "dialect",
	"value": "value", "message_id": "message_id", "groups": "group",
}

// within says whether the page's range holds a time.
func (p *page) within(milli int64) bool {
	from, to, known := p.span()
	return known && milli >= from && milli < to || p.state.get("range") == "all"
}

// fieldRow makes the line of a field. field is what filters call it, "" = none knows it; list is the
// state of the list that they lead to.
func (p *page) fieldRow(n node, field string, list state) fieldRow {
	r := fieldRow{Key: n.key, Text: n.text, Depth: min(n.depth, 6), Leaf: n.leaf, Name: n.path}
	if !n.leaf {
		return r
	}
	if web(n.text) {
		r.Out = n.text
	}
	if field == "" || n.null {
		return r
	}
	if said := dialect.ValueName(strings.TrimPrefix(field, "context."), n.text); said != n.text {
		r.Said = said
	}
	r.Column = p.screenHref("events", p.withColumn(list, field))
	if key := fieldKey(field); len(n.text) <= valueMax && n.text != "" {
		r.For = p.screenHref("events", list.and(key, n.text))
		r.Without = p.screenHref("events", list.and(key+"!", n.text))
	}
	return r
}

// withColumn is a state of the list with one more column.
func (p *page) withColumn(s state, column string) state {
	if slices.Contains(p.columns(), column) {
		return s
	}
	return withColumns(s, append(slices.Clone(p.columns()), column))
}

// web says whether a value is an address that a link may lead to.
func web(text string) bool {
	lower := strings.ToLower(text[:min(len(text), 8)])
	return (strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://")) && len(text) <= 2048
}

// visitPanel is a panel of the events of a visit. now is the id of the event that is looked at.
func (p *page) visitPanel(title, key, now string) *panel {
	own := state{{"session", key}, {"order", "asc"}, {"limit", strconv.Itoa(visitEventsMax)}}
	n := &panel{name: "around", title: title, lines: 10, ask: func() *asked { return p.askAt("events", own) }}
	n.view = func(q *asked) (body, *failure) {
		var a eventsAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		if len(a.Events) == 0 {
			return body{Empty: &emptyView{Text: textNothing}}, nil
		}
		s := p.storyOf(&a, now)
		if now != "" {
			s.Whole = p.screenHref("visit", p.state.common(), key)
		}
		return body{peopleBody: peopleBody{Story: s}}, nil
	}
	return n
}
