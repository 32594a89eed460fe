package dashboard

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
)

// This file shows visits: the line of one in a list, and the events of one as a story.

// visitEventsMax is how many events of a visit are shown.
const visitEventsMax = 500

// visitsAnswer is a page of visits of the API.
type visitsAnswer struct {
	Sessions []visitData `json:"sessions"`
	Next     *string     `json:"next"`
}

// visitData is a visit of the API.
type visitData struct {
	ID           string    `json:"id"`
	Key          string    `json:"key"`
	User         string    `json:"user"`
	Anonymous    string    `json:"anonymous"`
	Dialect      string    `json:"dialect"`
	Start        time.Time `json:"start"`
	End          time.Time `json:"end"`
	Duration     float64   `json:"duration"`
	Events       uint64    `json:"events"`
	Actions      uint64    `json:"actions"`
	Entry        string    `json:"entry"`
	Exit         string    `json:"exit"`
	Bounce       bool      `json:"bounce"`
	Referrer     string    `json:"referrer"`
	ReferrerType string    `json:"referrer_type"`
	Campaign     string    `json:"campaign"`
	Goals        []string  `json:"goals"`
	Orders       []string  `json:"orders"`
}

// storyView are the events of a visit, the first one first.
type storyView struct {
	Rows  []storyRow
	More  bool   // it has more of them
	Whole string // address of the visit; "" = this is it
}

// storyRow is an event of a visit.
type storyRow struct {
	eventRowView
	Gap string // how long after the one before; "" = at once
	Now bool   // it is the event that is looked at
	Day string // the day, where another begins
	In  string // the page, where the name says something else
}

// storyOf makes the story of the events of a visit. They come in the order of their receipt.
func (p *page) storyOf(a *eventsAnswer, now string) *storyView {
	slices.SortStableFunc(a.Events, func(x, y eventData) int { return x.Time.Compare(y.Time) })
	v := &storyView{More: a.Next != nil}
	day := ""
	for i := range a.Events {
		e := &a.Events[i]
		r := storyRow{eventRowView: p.eventRow(e), Now: e.ID == now}
		r.Time = p.locale.Seconds(e.Time)
		if d := p.locale.Date(e.Time); d != day {
			day, r.Day = d, d
		}
		if i > 0 {
			if gap := e.Time.Sub(a.Events[i-1].Time); gap >= time.Second {
				r.Gap = "+" + p.locale.Duration(gap)
			}
		}
		if path := e.about("path"); path != r.What {
			r.In = path
		}
		v.Rows = append(v.Rows, r)
	}
	return v
}

// who is the id of whom a visit is from; "" = nobody.
func (v *visitData) who() string {
	if v.User != "" {
		return v.User
	}
	return v.Anonymous
}

// visitRow makes the line of a visit.
func (p *page) visitRow(v *visitData) visitRow {
	r := visitRow{
		Href: p.screenHref("visit", p.state.common(), v.Key), Start: p.timeOf(v.Start), Person: v.who(),
		Source: p.sourceOf(v), Entry: pathOf(v.Entry), Exit: pathOf(v.Exit),
		Duration: p.locale.Duration(seconds(v.Duration)), Events: p.locale.Number(v.Events),
	}
	if r.Person != "" {
		r.Whose = p.personHref(r.Person)
	}
	if r.Exit == r.Entry {
		r.Exit = ""
	}
	r.Marks = p.marksOf(v)
	return r
}

// marksOf are the goals and orders of a visit. More than a few are counted.
func (p *page) marksOf(v *visitData) (marks []markView) {
	for _, m := range []struct {
		kind string
		list []string
	}{{"Goal", v.Goals}, {"Order", v.Orders}} {
		for i, text := range m.list {
			if i == 3 {
				marks = append(marks, markView{m.kind, "and " + p.locale.Number(uint64(len(m.list)-i)) + " more"})
				break
			}
			marks = append(marks, markView{m.kind, text})
		}
	}
	return marks
}

// sourceOf is where a visit came from: its campaign, the host of its referrer, or its kind.
func (p *page) sourceOf(v *visitData) string {
	if v.Campaign != "" {
		return v.Campaign
	}
	if u, err := url.Parse(v.Referrer); err == nil && u.Host != "" && len(v.Referrer) <= 2048 {
		return strings.TrimPrefix(u.Host, "www.")
	}
	if v.Referrer != "" {
		return v.Referrer
	}
	return dialect.ChannelName(v.ReferrerType)
}

// pathOf is the path of an address; a text that is none stays as it is.
func pathOf(address string) string {
	if !web(address) {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if u.Path == "" {
		return "/"
	}
	return u.Path
}

// visitView is a visit as its template takes it.
type visitView struct {
	Back             link
	Person           link
	Start            timeView
	Duration, Events string
	Source           string
	Entry, Exit      string
	Referrer         string // as a link to elsewhere; "" = it is none
	Campaign         string
	Dialect, ID      string
	Bounce           bool
	Marks            []markView
	Filter           string // address of its events in the list
	First            []fact // of its first event: place and device
	Story            *storyView
}

// fact is something that is known, under a name.
type fact struct{ Name, Text, Flag string }

// visitScreen are the panels of one visit, /visit/KEY.
func visitScreen(p *page) [][]*panel {
	one := &panel{name: "visit", title: "Visit", wide: true, lines: 10, decides: true}
	if len(p.args) != 1 {
		one.view = func(*asked) (body, *failure) { return p.noVisit(), nil }
		return [][]*panel{{one}}
	}
	key := p.args[0]
	var events *asked
	one.ask = func() *asked {
		visit := p.askAt("sessions/"+url.PathEscape(key), nil)
		events = p.askAt("events", state{{"session", key}, {"order", "asc"}, {"limit", strconv.Itoa(visitEventsMax)}})
		return together(visit, events)
	}
	one.view = func(q *asked) (body, *failure) {
		if q.answer.Status == 404 {
			return p.noVisit(), nil
		}
		var v visitData
		if f := q.into(&v); f != nil {
			return body{}, f
		}
		var a eventsAnswer
		if f := events.into(&a); f != nil {
			return body{}, f
		}
		return body{peopleBody: peopleBody{Visit: p.viewVisit(&v, &a)}}, nil
	}
	return [][]*panel{{one}}
}

func (p *page) noVisit() body {
	return p.missing("There is no such visit.", link{Text: "All visits", Href: p.screenHref("people", p.state.common().and("_tab", "visits"))})
}

// viewVisit makes the view of a visit and its events.
func (p *page) viewVisit(d *visitData, a *eventsAnswer) *visitView {
	row := p.visitRow(d)
	v := &visitView{
		Back:   link{Text: "Visits", Href: p.screenHref("people", p.state.common().and("_tab", "visits"))},
		Person: link{Text: row.Person, Href: row.Whose}, Start: row.Start, Duration: row.Duration, Events: row.Events, Source: row.Source,
		Entry: row.Entry, Exit: row.Exit, Campaign: d.Campaign, Dialect: d.Dialect, ID: d.ID, Bounce: d.Bounce, Marks: row.Marks,
		Filter: p.screenHref("events", state{{"range", "all"}, {"session", d.Key}}),
	}
	if web(d.Referrer) {
		v.Referrer = d.Referrer
	}
	v.First = p.placeOf(a.Events)
	v.Story = p.storyOf(a, "")
	return v
}

// placeOf is where and on what some events happened, by the first of them that says so.
func (p *page) placeOf(events []eventData) (facts []fact) {
	about := func(key string) string {
		for i := range events {
			if text := events[i].about(key); text != "" {
				return text
			}
		}
		return ""
	}
	place := joined(", ", about("city"), dialect.CountryName(about("country")))
	for _, f := range []fact{
		{"Place", place, Flag(about("country"))},
		{"Device", joined(", ", dialect.DeviceName(about("device")), joined(" ", about("brand"), about("model")), about("screen")), ""},
		{"Browser", joined(" ", about("browser"), about("browser_version")), ""},
		{"System", joined(" ", about("os"), about("os_version")), ""},
		{"Language", dialect.LanguageName(about("language")), ""},
	} {
		if f.Text != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

// joined joins the texts that are not empty.
func joined(between string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), between)
}
