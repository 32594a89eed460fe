package dashboard

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const madeEvent = `{"id":"5db4c88fc51de13e7a90456c60a92ad2","seq":7,"site":"shop","dialect":"native","type":"page","name":"Home",
"time":"2026-11-07T13:34:52.751Z","received":"2026-11-07T13:35:02.000Z","user":"ann@example.com","anonymous":"p1","session":"s1","value":12.50,
"context":{"country":"FR","path":"/","url":"https://shop.example/?a=1&b=2","timezone":"Europe/Paris"},
"properties":{"plan":"pro","a!":"bang","tags":["x","y"],"deep":{"er":{"n":1}},"nil":null,"ok":true},"extra":{"gt_ms":12}}`

func eventsMade() *made {
	return &made{answers: map[string]string{
		"series": `{"interval":"day","buckets":[{"time":"2026-11-07T00:00:00.000Z","events":3},{"time":"2026-11-08T00:00:00.000Z","events":0}]}`,
		"events": `{"events":[` + madeEvent + `],"next":"5db4c88fc51de13e7a90456c60a92ad2"}`,
		"fields": `{"fields":[{"field":"type","kind":"core"},{"field":"zzz","kind":"context"},{"field":"prop.plan","kind":"property"},{"field":"name","kind":"core"}]}`,
		"values": `{"rows":[{"value":"page","events":8},{"value":null,"events":2}],"count":20,"next":"x"}`,
		"events/5db4c88fc51de13e7a90456c60a92ad2": madeEvent,
		"sessions": `{"sessions":[{"id":"s1","key":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","anonymous":"other","dialect":"native","start":"2026-11-07T13:00:00.000Z","end":"2026-11-07T14:00:00.000Z"},
			{"id":"s1","key":"cccccccccccccccccccccccccccccccc","anonymous":"p1","dialect":"native","start":"2026-11-01T13:00:00.000Z","end":"2026-11-01T14:00:00.000Z"},
			{"id":"s1","key":"dddddddddddddddddddddddddddddddd","anonymous":"p1","dialect":"segment","start":"2026-11-07T13:00:00.000Z","end":"2026-11-07T14:00:00.000Z"},
			{"id":"s1","key":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","anonymous":"p1","dialect":"native","start":"2026-11-07T13:40:00.000Z","end":"2026-11-07T14:00:00.000Z"}],"next":null}`,
	}}
}

// The list has its columns, its bars, its fields, and links that change the address alone.
func TestEventsScreen(t *testing.T) {
	m := eventsMade()
	page := screenOn(t, m, "/events?range=7d&country=FR&type=page&_col=prop.plan&_col=user")
	mustHave(t, page, "Home", ">pro<", "ann@example.com", "3 events", "Page view",
		`/dashboard/site/shop/events/5db4c88fc51de13e7a90456c60a92ad2?range=7d`, `/dashboard/site/shop/people/ann@example.com`,
		`aria-label="Take away the column plan"`, `aria-label="Leave out Page view"`, "18 more", "format=csv",
		`after=5db4c88fc51de13e7a90456c60a92ad2" rel="next"`) // a page that is cut by its size goes on, too
	if !m.asks("values", "field=type", "country=FR") || m.asks("values", "field=type", "type=page") {
		t.Errorf("the values of a field are not asked without its own filter: %q", m.asked)
	}
	if !m.asks("events", "limit=100", "order=desc", "country=FR", "type=page") {
		t.Errorf("the list is asked as %q", m.asked)
	}
	// The event's group stands before the page's, and properties before what is not known.
	if at := []int{strings.Index(page, `title="name"`), strings.Index(page, `title="type"`), strings.Index(page, `title="prop.plan"><bdi>plan`), strings.Index(page, `title="zzz"`)}; !slices.IsSorted(at) || at[0] < 0 {
		t.Errorf("the fields stand at %v", at)
	}
}

func TestEventsScreenEmptyAndFailing(t *testing.T) {
	m := eventsMade()
	m.answers["events"] = `{"events":[],"next":null}`
	m.answers["series"] = `{"interval":"day","buckets":[{"time":"2026-11-07T00:00:00.000Z","events":0}]}`
	m.answers["fields"] = `{"fields":[]}`
	page := screenOn(t, m, "/events?range=7d&country=FR")
	mustHave(t, page, textNothing, textLast, "No such field in these days.")
	m.answers["events"] = `503 {"error":"query_timeout","status":503}`
	m.answers["values"] = `400 {"error":"field: no","field":"field","status":400}`
	m.answers["fields"] = `{"fields":[{"field":"name","kind":"core"}]}`
	page = screenOn(t, m, "/events?range=7d")
	mustHave(t, page, textTooMuch, "field: no")
}

// One event has all of its fields, each with what can be done about it.
func TestEventScreen(t *testing.T) {
	m := eventsMade()
	page := screenOn(t, m, "/events/5db4c88fc51de13e7a90456c60a92ad2?range=30d")
	mustHave(t, page, "12.50", "9.2", "later", ">plan<", ">er<", ">gt_ms<", "JSON",
		`href="/dashboard/site/shop/events?range=30d&amp;prop.plan=pro"`,
		`href="/dashboard/site/shop/events?range=30d&amp;prop.plan!=pro"`,
		`href="/dashboard/site/shop/events?range=30d&amp;prop.%22a!%22=bang"`,
		`href="/dashboard/site/shop/events?range=30d&amp;prop.tags=x"`,
		`href="/dashboard/site/shop/events?range=30d&amp;prop.deep.er.n=1"`,
		`href="/dashboard/site/shop/events?range=30d&amp;context.timezone=Europe/Paris"`,
		`href="/dashboard/site/shop/events?range=30d&amp;extra.gt_ms=12"`,
		`href="https://shop.example/?a=1&amp;b=2" rel="noopener noreferrer nofollow"`,
		`/dashboard/site/shop/visit/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb`)
	mustNotHave(t, page, "prop.nil=", "visit/aaaaaaaa", "visit/cccccccc", "visit/dddddddd")
	if !m.asks("events", "session=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "order=asc") {
		t.Errorf("the visit is asked as %q", m.asked)
	}
	// An event outside of the range is found by its filters all the same.
	page = screenOn(t, m, "/events/5db4c88fc51de13e7a90456c60a92ad2?range=7d&country=FR")
	mustHave(t, page, `href="/dashboard/site/shop/events?range=all&amp;country=FR&amp;prop.plan=pro"`)
	page = screenAs(t, 404, m, "/events/0123?range=7d")
	mustHave(t, page, "There is no such event.")
}

// What an event holds is text, wherever it stands.
func TestEventsHostile(t *testing.T) {
	for _, text := range hostile {
		q := quoted(text)
		event := `{"id":"5db4c88fc51de13e7a90456c60a92ad2","type":` + q + `,"name":` + q + `,"dialect":"native","time":"2026-11-07T13:34:52.751Z","received":"2026-11-07T13:34:52.751Z","user":` + q +
			`,"session":` + q + `,"groups":[` + q + `],"value":` + q + `,"context":{"country":` + q + `,"url":` + q + `,"path":` + q + `,"language":` + q + `},"properties":{` + q + `:` + q + `,"a":{` + q + `:[` + q + `]}}}`
		m := eventsMade()
		m.answers["events/5db4c88fc51de13e7a90456c60a92ad2"] = event
		m.answers["events"] = `{"events":[` + event + `],"next":null}`
		m.answers["fields"] = `{"fields":[{"field":` + quoted("prop."+text) + `,"kind":"property"},{"field":"name","kind":"core"}]}`
		m.answers["values"] = `{"rows":[{"value":` + q + `,"events":8}],"count":1}`
		query := "range=7d&name=" + url.QueryEscape(text) + "&_col=" + url.QueryEscape("prop."+text) + "&_col=name&_facet=name&_facet=" + url.QueryEscape("prop."+text) + "&_find=" + url.QueryEscape(text)
		for _, page := range []string{screenOn(t, m, "/events?"+query), screenOn(t, m, "/events/5db4c88fc51de13e7a90456c60a92ad2?"+query)} {
			mustNotHave(t, page, "<script>alert", "<img")
		}
	}
}

// A tree has every leaf under the path that filters know it by, and never more lines than asked.
func TestNodes(t *testing.T) {
	var got []string
	for _, n := range nodesOf(json.RawMessage(`{"a":{"b.c":[1,{"d":"x"}],"e":{}},"f":null,"g":[[true]]}`), 100) {
		line := strings.Repeat("-", n.depth) + n.key + " " + n.path
		if n.leaf {
			line += " = " + n.text
		}
		got = append(got, line)
	}
	want := []string{"a a", "-b.c a.b.c", "--0 a.b.c = 1", "--1 a.b.c", "---d a.b.c.d = x", "-e a.e", "f f = null", "g g", "-0 g", "--0 g = true"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	if n := len(nodesOf(json.RawMessage(deep), 1000)); n != 1000 {
		t.Errorf("%d lines of a deep value", n)
	}
	for _, broken := range []string{"", "{", `{"a"`, "[1,", "nope", `{"a":}`} {
		nodesOf(json.RawMessage(broken), 10)
	}
}

func TestContextOfEvents(t *testing.T) {
	e := eventData{Context: json.RawMessage(`{"country":"D\u0045","latitude":52.50,"bot":true,"none":null,"list":["x"]}`)}
	for key, want := range map[string]string{"country": "DE", "latitude": "52.50", "bot": "true", "none": "", "list": "", "other": ""} {
		if got := e.about(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := new(eventData).about("country"); got != "" {
		t.Errorf("an event without a context: %q", got)
	}
}

func TestFieldKeys(t *testing.T) {
	for field, want := range map[string]string{"name": "name", "prop.plan": "prop.plan", "prop.a!": `prop."a!"`, "prop.a~": `prop."a~"`, "extra.x<": `extra."x<"`, `prop."q"`: `prop.""q""`, "context.timezone": "context.timezone"} {
		if got := fieldKey(field); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
}

// A column is added and taken away by the address alone.
func TestColumns(t *testing.T) {
	p := &page{state: parseState("range=7d")}
	s := p.toggled(p.state, "prop.plan")
	if got := s.String(); got != "range=7d&_col=path&_col=user&_col=country&_col=prop.plan" {
		t.Error(got)
	}
	p.state = s
	if got := p.toggled(s, "prop.plan").String(); got != "range=7d" {
		t.Error(got)
	}
	p.state = parseState("range=7d&_col=path")
	s = p.toggled(p.state, "path")
	if p.state = s; s.String() != "range=7d&_col=" || len(p.columns()) != 0 {
		t.Error(s.String(), p.columns())
	}
}
