package dashboard

import (
	"strconv"
	"strings"
	"time"
)

// This file is the screen on which a site is set up: what to paste for each protocol, whether
// events come, and what the site has saved.

// setUpView is what the set-up screen shows.
type setUpView struct {
	Tabs    []link
	Steps   []stepView
	Site    string
	First   string // when the first event came; "" = none yet
	Last    string
	Events  string
	From    string // protocols
	Geo     string
	Credit  link // whose the locations are
	Refused []cellPair
	Saved   []savedGroup
	May     bool
	Action  string
	Next    string
	Filters []link

	New                  string // kind whose form is open
	Unsaved, UnsavedHref string // that the filters are not saved, and where they are; "" = they are
	Goal                 matcherView
	Lists                suggestionsView
}

// stepView is something to paste.
type stepView struct{ Text, Code string }

// cellPair is a name and a number.
type cellPair struct{ Name, Number string }

// savedGroup are the saved things of a kind.
type savedGroup struct {
	Kind, Title string
	Things      []savedView
}

// savedView is a saved thing.
type savedView struct {
	savedThing
	Href, About string
}

var protocolTabs = []tab{{"matomo", "Matomo"}, {"segment", "Segment"}, {"openpanel", "OpenPanel"}, {"opentracker", "Opentracker"}, {"oppizi", "Oppizi"}, {"native", "cairn’s API"}}

// setUp is the set-up screen.
func setUp(p *page) [][]*panel {
	tracking := &panel{name: "tracking", title: "Send events", wide: true, lines: 9, view: func(*asked) (body, *failure) { return body{SetUp: p.setUpView()}, nil }}
	arrived := &panel{name: "arrived", title: "What has arrived", wide: true, lines: 3, ask: func() *asked { return p.ask("site", nil) }, view: func(q *asked) (body, *failure) {
		if f := q.into(&p.info); f != nil {
			return body{}, f
		}
		return body{Arrived: p.arrivedView()}, nil
	}}
	lists := p.suggest("saved")
	saved := &panel{name: "saved", title: "Saved", wide: true, lines: 9, decides: p.state.get("_new") != "", ask: func() *asked { return p.ask("saved", nil) }, view: func(q *asked) (body, *failure) {
		var a struct {
			Saved []savedThing `json:"saved"`
		}
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		v := p.savedView(a.Saved)
		v.Goal, v.Lists = viewMatcher(matcher{kind: kindEvent}, 0, "Reached by", false), lists.lists(p)
		return body{Saved: v}, nil
	}}
	if p.info.First == nil {
		arrived.every = 5
	}
	return [][]*panel{{arrived}, {tracking}, {saved}}
}

// setUpView is what to paste, with this server's address and the public ids of the site.
func (p *page) setUpView() *setUpView {
	v := &setUpView{Site: p.site.Name}
	open := p.state.tabOf(protocolTabs)
	for _, t := range protocolTabs {
		v.Tabs = append(v.Tabs, link{Text: t.title, Href: p.href(p.state.openTab(protocolTabs, t.name)), On: t.name == open})
	}
	base := strings.TrimSuffix(p.d.addresses.Public(p.req, "/"), "/")
	id := strconv.FormatUint(uint64(p.site.ID), 10)
	add := func(text, code string) { v.Steps = append(v.Steps, stepView{text, code}) }
	switch open {
	case "matomo":
		add("Paste this before </head> on every page. A site that has Matomo’s own snippet only needs the two addresses in it changed.",
			"<script>\n  var _paq = window._paq = window._paq || [];\n  _paq.push(['trackPageView']);\n  _paq.push(['enableLinkTracking']);\n  _paq.push(['setTrackerUrl', '"+base+"/matomo.php'], ['setSiteId', '"+id+"']);\n</script>\n<script async src=\""+base+"/matomo.js\"></script>")
	case "segment":
		add("In a page, give Segment’s or RudderStack’s SDK this server and the write key.",
			"analytics.load('"+orWords(p.site.WriteKey, "WRITE_KEY")+"', '"+base+"', { configUrl: '"+base+"' }) // RudderStack\nAnalyticsBrowser.load({ writeKey: '"+orWords(p.site.WriteKey, "WRITE_KEY")+"', cdnURL: '"+base+"' }, { integrations: { 'Segment.io': { apiHost: '"+strings.TrimPrefix(strings.TrimPrefix(base, "https://"), "http://")+"/v1' } } }) // Segment")
		add("On a server, set the SDK’s host.", "new Analytics({ writeKey: '"+orWords(p.site.WriteKey, "WRITE_KEY")+"', host: '"+base+"' })")
	case "openpanel":
		add("Give OpenPanel’s SDK this server and the client id. A server sends its client secret as well; “cairn keys” prints it.",
			"new OpenPanel({ apiUrl: '"+base+"', clientId: '"+orWords(p.site.ClientID, "CLIENT_ID")+"' })")
	case "opentracker":
		add("Point Opentracker’s calls at this server. The site is the name here.", "curl -sS '"+base+"/?si="+escape(p.site.Name)+"&ti=Hello&json'")
	case "oppizi":
		add("Send Oppizi’s events here, with the secret key of the site; “cairn keys” prints it.",
			"curl -sS "+base+"/tracking/events -H 'Authorization: Bearer SECRET_KEY' \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"eventName\":\"Purchase\",\"value\":250,\"metadata\":{\"orderId\":182394}}'")
	case "native":
		add("The write key may only send, so it may stand in a page or an app.",
			"curl -sS "+base+"/api/v1/events -H 'Authorization: Bearer "+orWords(p.site.WriteKey, "WRITE_KEY")+"' \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"name\":\"signup\",\"user\":\"ada\",\"properties\":{\"plan\":\"pro\"}}'")
	}
	return v
}

// orWords is text, or what stands for it.
func orWords(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// arrivedView is what the site has received.
func (p *page) arrivedView() *setUpView {
	v := &setUpView{Site: p.site.Name, Events: p.locale.Number(uint64(max(0, p.info.Events)))}
	v.First, v.Last = p.ago(p.info.First), p.ago(p.info.Last)
	var names []string
	for _, d := range p.info.Dialects {
		name := d
		for _, t := range protocolTabs {
			if t.name == d {
				name = t.title
			}
		}
		names = append(names, name)
	}
	v.From = strings.Join(names, ", ")
	v.Geo = textGeoNone
	if p.info.Geo != nil {
		v.Geo = geoTexts[*p.info.Geo]
	}
	v.Credit = p.credit()
	for _, reason := range sortedKeys(p.info.Refused) {
		if n := p.info.Refused[reason]; n > 0 {
			v.Refused = append(v.Refused, cellPair{reason, p.locale.Number(n)})
		}
	}
	return v
}

// credit is the text that says whose the locations are, with its link; the zero link when there is
// none. The API's text has the address in parentheses.
func (p *page) credit() (l link) {
	if p.info.Credit == nil {
		return l
	}
	l.Text = *p.info.Credit
	before, rest, _ := strings.Cut(l.Text, " (")
	if href, after, ok := strings.Cut(rest, ")"); ok && web(href) {
		l.Text, l.Href = before+after, href
	}
	return l
}

// ago is how long ago a time of the API was; "" = there is none.
func (p *page) ago(text *string) string {
	if text == nil {
		return ""
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return *text
	}
	return p.locale.Ago(t)
}

// savedView are the saved things with forms to change them.
func (p *page) savedView(all []savedThing) *setUpView {
	v := &setUpView{May: p.viewer.Save && p.viewer.Share == nil, Action: p.d.path("site", p.site.Name, "saved"), Next: p.href(nil) + "#saved"}
	for _, k := range savedKinds {
		g := savedGroup{Kind: k.kind, Title: k.title}
		for _, s := range all {
			if s.Kind != k.kind {
				continue
			}
			g.Things = append(g.Things, savedView{s, p.savedHref(&s), p.savedAbout(&s)})
			if s.Kind == "filter" {
				v.Filters = append(v.Filters, link{Text: s.Name, Href: s.ID})
			}
		}
		v.Saved = append(v.Saved, g)
	}
	v.New = p.state.get("_new")
	p.newShare(v)
	return v
}

// savedHref is where a saved thing opens.
func (p *page) savedHref(s *savedThing) string {
	switch s.Kind {
	case "filter":
		return p.screenHref("", parseState("").and("saved", s.ID))
	case "goal":
		return p.screenHref("", parseState("").with("_goal", s.Query))
	case "funnel":
		return p.screenHref("funnels", parseState(s.Query))
	}
	return ""
}

// savedAbout says what a saved thing is.
func (p *page) savedAbout(s *savedThing) string {
	var parts []string
	switch s.Kind {
	case "note":
		if s.Time != nil {
			if t, err := time.Parse(time.RFC3339, *s.Time); err == nil {
				parts = append(parts, p.locale.Time(t))
			}
		}
		if s.Text != nil {
			parts = append(parts, *s.Text)
		}
	case "share":
		if parts = append(parts, "numbers"); s.Scope != nil && *s.Scope == "people" {
			parts[0] = "numbers and people"
		}
		if s.Expires != nil {
			parts = append(parts, "until "+*s.Expires)
		}
		if len(s.Embed) > 0 {
			parts = append(parts, "embedded by "+strings.Join(s.Embed, ", "))
		}
	default:
		for _, f := range parseRaw(s.Query).filters() {
			c := p.chip(f)
			parts = append(parts, strings.TrimSpace(c.Field+" "+c.Words+" "+c.Values))
		}
	}
	return strings.Join(parts, ", ")
}
