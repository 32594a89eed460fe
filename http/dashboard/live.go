package dashboard

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file is the screen of now: who is here, what they look at, and each event as it comes. The
// server renders the first state; assets/60-live.js keeps it up.

// linesFirst is how many events the list has at first, linesKept how many the script keeps in it.
const (
	linesFirst = 50
	linesKept  = 500
)

// liveAnswer is what the call live says.
type liveAnswer struct {
	Visitors   uint64 `json:"visitors"`
	Visitors30 uint64 `json:"visitors_30"`
	Views30    uint64 `json:"views_30"`
	Events30   uint64 `json:"events_30"`
	Minutes    []struct {
		Time     time.Time `json:"time"`
		Visitors float64   `json:"visitors"`
	} `json:"minutes"`
	Pages     []liveRow `json:"pages"`
	Sources   []liveRow `json:"sources"`
	Countries []liveRow `json:"countries"`
	Names     []liveRow `json:"names"`
}

// liveRow is a row of a table of now.
type liveRow struct {
	Value    string  `json:"value"`
	Visitors float64 `json:"visitors"`
}

// liveView is who is here now, as its template takes it. Everything in it has a place that the
// script finds again.
type liveView struct {
	Visitors    string
	Numbers     []liveNumber // of the last thirty minutes
	Bars        []barView
	First, Last string // labels of the ends
	Alt         string
	Tops        []topView
	Stream      bool // the script keeps it up
}

// liveNumber is a number of the last thirty minutes.
type liveNumber struct{ Name, Title, Text string }

// topView is a table of now. It has its rows whether they are filled or not.
type topView struct {
	Name, Title string
	Empty       bool
	Rows        []topRow
}

// topRow is a row of a table of now. The zero topRow is hidden.
type topRow struct{ Text, Title, Flag, Count, Bar string }

// topRows is how many rows the tables have.
const topRows = 5

// linesView is the list of events as they come.
type linesView struct {
	Stream  string // address of the stream; "" = there is none for this viewer
	After   string // id of the newest event that the list has; "" = it has none
	Event   string // what addresses of events begin with
	People  string // what addresses of people begin with
	Rest    string // what they end with
	Person  string // what the address of the list of one id begins with
	Types   string // names of types, as JSON
	Zone    string
	Rows    []eventRowView
	Note    string
	Maximum int
}

// liveScreen are the panels of now.
func liveScreen(p *page) [][]*panel {
	now := &panel{name: "live", title: "Now", wide: true, lines: 10, ask: func() *asked { return p.ask("live", nil) }}
	if !p.streams() && !p.embedded() {
		now.every = 5
	}
	now.view = func(q *asked) (body, *failure) {
		var a liveAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		return body{peopleBody: peopleBody{Live: p.viewLive(&a)}}, nil
	}
	if p.viewer.Share != nil && !p.viewer.Share.People {
		return [][]*panel{{now}}
	}
	// The list takes the filters that the stream takes, and is of all time, so that it is not empty
	// on a quiet site.
	query := append(p.plain(), pair{"limit", strconv.Itoa(linesFirst)}, pair{"order", "desc"}).String()
	lines := &panel{name: "lines", title: "Events as they come", wide: true, lines: 30, ask: func() *asked { return p.asks.begin(p.site, "events", query) }}
	lines.view = func(q *asked) (body, *failure) {
		var a eventsAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		return body{peopleBody: peopleBody{Lines: p.viewLines(&a)}}, nil
	}
	return [][]*panel{{now}, {lines}}
}

// plain are the filters that the stream takes: those of events.
func (p *page) plain() (s state) {
	for _, pr := range p.state {
		if pr.ofAPI() && keeps[pr.key] == "" && !strings.HasPrefix(pr.key, "visit.") {
			s = append(s, pr)
		}
	}
	return s
}

// streams says whether the viewer may read the stream, which shows people.
func (p *page) streams() bool { return p.viewer.Share == nil || p.viewer.Share.People }

// viewLive makes the view of who is here.
func (p *page) viewLive(a *liveAnswer) *liveView {
	v := &liveView{
		Visitors: p.locale.Number(a.Visitors), Stream: p.streams(),
		Numbers: []liveNumber{
			{"visitors_30", "people", p.locale.Number(a.Visitors30)},
			{"views_30", "page views", p.locale.Number(a.Views30)},
			{"events_30", "events", p.locale.Number(a.Events30)},
		},
	}
	numbers := make([]float64, len(a.Minutes))
	for i, m := range a.Minutes {
		numbers[i] = m.Visitors
	}
	label := func(i int) string { return p.locale.Clock(a.Minutes[i].Time) }
	if v.Bars = p.bars(numbers, label); len(v.Bars) > 0 {
		v.First, v.Last = label(0), label(len(numbers)-1)
	}
	v.Alt = "People by minute over the last thirty minutes"
	for _, t := range []struct {
		name, title, field string
		rows               []liveRow
	}{{"pages", "Pages", "page", a.Pages}, {"sources", "Sources", "source", a.Sources}, {"countries", "Countries", "country", a.Countries}, {"names", "Events", "name", a.Names}} {
		top := topView{Name: t.name, Title: t.title, Empty: len(t.rows) == 0}
		for i := range topRows {
			var r topRow
			if i < len(t.rows) {
				value := t.rows[i].Value
				r = topRow{Text: dialect.ValueName(t.field, value), Title: value, Count: p.locale.Number(uint64(t.rows[i].Visitors)), Bar: percent(t.rows[i].Visitors / max(1, t.rows[0].Visitors))}
				if t.field == "country" {
					r.Flag = Flag(value)
				}
				if r.Text == "" {
					r.Text = textNoValue
				}
			}
			top.Rows = append(top.Rows, r)
		}
		v.Tops = append(v.Tops, top)
	}
	return v
}

// viewLines makes the view of the list.
func (p *page) viewLines(a *eventsAnswer) *linesView {
	kept := p.state.common()
	v := &linesView{Zone: p.zone.String(), Maximum: linesKept}
	if p.streams() {
		v.Stream = p.apiHref("live/stream", p.plain().String(), "")
	}
	const mark = "x"
	v.Event, v.Rest, _ = strings.Cut(p.screenHref("events", kept, mark), "/events/"+mark)
	v.Event += "/events/"
	v.People = strings.TrimSuffix(v.Event, "events/") + "people/"
	v.Person = p.screenHref("people", append(kept, pair{"user", ""}))
	names := make(map[string]string)
	for _, code := range event.Types {
		names[string(code)] = dialect.TypeName(string(code))
	}
	types, err := json.Marshal(names)
	if err != nil {
		panic(err) // the table is a constant
	}
	v.Types = string(types)
	for i := range a.Events {
		e := &a.Events[i]
		r := p.eventRow(e)
		if r.Time = p.locale.Seconds(e.Time); p.now.Sub(e.Time) >= 24*time.Hour {
			r.Time = p.locale.Date(e.Time)
		}
		if v.After == "" {
			v.After = e.ID
		}
		v.Rows = append(v.Rows, r)
	}
	for _, f := range p.state.filters() {
		if strings.HasPrefix(f.key, "visit.") {
			v.Note = "This list does not know the filters of visits: it shows the events of all."
		}
	}
	return v
}
