package dashboard

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file is the screen of one person, /people/ID: what is known of them, and their visits and
// events, the newest first.

// rawObject is an object of JSON as it came.
type rawObject struct{ raw json.RawMessage }

// UnmarshalJSON keeps a copy.
func (o *rawObject) UnmarshalJSON(b []byte) error {
	o.raw = bytes.Clone(b)
	return nil
}

// profileTabs are what the screen of a person lists.
var profileTabs = []tab{{"visits", "Visits"}, {"events", "Events"}}

// idsShown is how many ids of a person are shown.
const idsShown = 50

// profileView is a person as its template takes it.
type profileView struct {
	Back           link
	ID, Called     string
	First, Last    timeView
	LastAgo        string
	Events, Visits string
	Traits         []fieldRow
	MoreTraits     bool
	IDs            []idView
	MoreIDs        string
	Groups         []link
	Filter         string // address of the overview of this person
	Forget         string // the command that deletes them; "" for who may only look
	ForgetText     string
}

// idView is one of the ids of a person.
type idView struct{ Kind, Text string }

// profileScreen are the panels of a person.
func profileScreen(p *page) [][]*panel {
	id := p.args[0]
	one := &panel{name: "person", title: "Person", lines: 10, decides: true, ask: func() *asked { return p.askAt("users/"+url.PathEscape(id), nil) }}
	one.view = func(q *asked) (body, *failure) {
		if q.answer.Status == 404 || len(p.args) > 1 {
			return p.missing("There is no such person.", link{Text: "All people", Href: p.screenHref("people", p.state.common())}), nil
		}
		var u userData
		if f := q.into(&u); f != nil {
			return body{}, f
		}
		return body{peopleBody: peopleBody{Profile: p.viewProfile(&u)}}, nil
	}
	list := &panel{name: "story", title: "Visits", tabs: profileTabs, tab: p.state.tabOf(profileTabs), lines: 30}
	if list.tab == "events" {
		own := state{{"limit", strconv.Itoa(eventsPage)}, {"after", p.state.get("after")}}
		list.ask = func() *asked { return p.askAt("users/"+url.PathEscape(id)+"/events", own.filled()) }
		list.view = func(q *asked) (body, *failure) { return p.theirEvents(q) }
		return [][]*panel{{one, list}}
	}
	own := state{{"user", id}, {"limit", strconv.Itoa(visitsPage)}, {"after", p.state.get("after")}}
	open := p.state.get("_open")
	var events *asked
	list.ask = func() *asked {
		visits := p.askAt("sessions", own.filled())
		if open == "" {
			return visits
		}
		events = p.askAt("events", state{{"session", open}, {"order", "asc"}, {"limit", strconv.Itoa(visitEventsMax)}})
		return together(visits, events)
	}
	list.view = func(q *asked) (body, *failure) { return p.theirVisits(q, events, open) }
	return [][]*panel{{one, list}}
}

// filled is a state without the pairs that have no value.
func (s state) filled() state {
	return slices.DeleteFunc(slices.Clone(s), func(p pair) bool { return p.value == "" })
}

// viewProfile makes the view of a person.
func (p *page) viewProfile(u *userData) *profileView {
	v := &profileView{
		Back: link{Text: "People", Href: p.screenHref("people", p.state.common())}, ID: u.ID, Called: u.called(),
		First: p.timeOf(u.FirstSeen), Last: p.timeOf(u.LastSeen), LastAgo: p.locale.Ago(u.LastSeen),
		Events: p.locale.Number(u.Events), Visits: p.locale.Number(u.Sessions),
		Filter: p.screenHref("", append(p.state.common().without("user"), pair{"user", u.ID})),
	}
	if p.viewer.Save && p.viewer.Share == nil {
		v.Forget, v.ForgetText = p.forgetCommand(u), textForget
	}
	if v.Called == v.ID {
		v.Called = ""
	}
	nodes := nodesOf(u.Properties.raw, nodesMax+1)
	if len(nodes) > nodesMax {
		nodes, v.MoreTraits = nodes[:nodesMax], true
	}
	for _, n := range nodes {
		v.Traits = append(v.Traits, p.fieldRow(n, "", nil))
	}
	for _, kind := range []struct {
		name string
		ids  []string
	}{{"alias", u.Aliases}, {"anonymous", u.Anonymous}} {
		for _, id := range kind.ids {
			if len(v.IDs) < idsShown && id != u.ID {
				v.IDs = append(v.IDs, idView{kind.name, id})
			}
		}
	}
	if more := len(u.Aliases) + len(u.Anonymous) - len(v.IDs); u.IDsNext != "" {
		v.MoreIDs = "More than " + p.locale.Number(uint64(len(u.Aliases)+len(u.Anonymous))) + " in all."
	} else if len(v.IDs) == idsShown && more > 1 {
		v.MoreIDs = p.locale.Number(uint64(len(u.Aliases)+len(u.Anonymous))) + " in all."
	}
	for _, g := range u.Groups {
		v.Groups = append(v.Groups, link{Text: g, Href: p.screenHref("people", append(p.state.common().without("group"), pair{"group", g}))})
	}
	return v
}

// forgetCommand is a line for a shell that deletes a person. A session of a browser deletes nobody.
func (p *page) forgetCommand(u *userData) string {
	kind := "-user"
	if slices.Contains(u.Anonymous, u.ID) {
		kind = "-anonymous"
	}
	return "cairn forget -site " + shellWord(p.site.Name) + " " + kind + " " + shellWord(u.ID)
}

// shellWord is a text as one word of a shell.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._@:/+-", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// theirVisits is the body of the visits of a person.
func (p *page) theirVisits(q, events *asked, open string) (body, *failure) {
	var a visitsAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	if len(a.Sessions) == 0 {
		return body{Empty: &emptyView{Text: "No visits.", Helps: []link{{Text: "Their events", Href: p.href(p.state.openTab(profileTabs, "events"))}}}}, nil
	}
	slices.SortStableFunc(a.Sessions, func(x, y visitData) int { return y.Start.Compare(x.Start) })
	v := &visitsView{Caption: "Visits"}
	for i := range a.Sessions {
		s := &a.Sessions[i]
		r := p.visitRow(s)
		r.OpenID = "v-" + s.Key
		if r.Events += " events"; s.Events == 1 {
			r.Events = "1 event"
		}
		r.Toggle = p.href(p.state.with("_open", s.Key)) + "#" + r.OpenID
		if s.Key == open {
			r.Toggle = p.href(p.state.without("_open")) + "#" + r.OpenID
			var e eventsAnswer
			if f := events.into(&e); f != nil {
				return body{}, f
			}
			r.Open = p.storyOf(&e, "")
			r.Open.Whole = r.Href
		}
		v.Rows = append(v.Rows, r)
	}
	if a.Next != nil {
		v.Older = p.href(p.state.with("after", *a.Next).without("_open"))
	}
	if p.state.get("after") != "" {
		v.Newest = p.href(p.state.anew())
	}
	return body{peopleBody: peopleBody{Timeline: v}}, nil
}

// theirEvents is the body of the events of a person.
func (p *page) theirEvents(q *asked) (body, *failure) {
	var a eventsAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	if len(a.Events) == 0 {
		return body{Empty: &emptyView{Text: "No events."}}, nil
	}
	v := &eventsView{Caption: "Events", Columns: []eventColumnView{{Title: "Path", Name: "path"}}, Order: "The newest received first"}
	for i := range a.Events {
		r := p.eventRow(&a.Events[i])
		r.Cells = []eventCellView{p.eventCell(&a.Events[i], "path")}
		v.Rows = append(v.Rows, r)
	}
	if a.Next != nil {
		v.Older = p.href(p.state.with("after", *a.Next))
	}
	if p.state.get("after") != "" {
		v.Newest = p.href(p.state.anew())
	}
	return body{peopleBody: peopleBody{Events: v}}, nil
}
