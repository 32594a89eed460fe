package dashboard

import (
	"slices"
	"strconv"
	"strings"

	"cairn/http/dialect"
)

// This file is the screen of the list of events: the bars of their number over time, and the list.
// facets.go has the fields beside it.

// eventsPage is how many events a page of the list has.
const eventsPage = 100

// eventColumnsDefault are the columns of the list without a choice.
var eventColumnsDefault = []string{"path", "user", "country"}

// eventColumnsMax is how many columns are shown.
const eventColumnsMax = 12

// peopleBody are the bodies of the screens of events, of people and of now.
type peopleBody struct {
	Histogram *histogramView
	Facets    *facetsView
	Events    *eventsView
	Event     *eventView
	Story     *storyView
	People    *peopleView
	Profile   *profileView
	Visits    *visitsView // as a table
	Timeline  *visitsView // of one person
	Visit     *visitView
	Live      *liveView
	Lines     *linesView
}

// eventsScreen are the panels of the list of events.
func eventsScreen(p *page) [][]*panel {
	return [][]*panel{{p.histogram()}, {p.facets(), p.eventList()}}
}

// askAt begins a question that takes nothing from the state.
func (p *page) askAt(call string, own state) *asked {
	return p.asks.begin(p.site, call, own.String())
}

// together is a question that is answered when others are, too. Its answer is that of first.
func together(first *asked, others ...*asked) *asked {
	q := &asked{call: first.call, query: first.query, done: make(chan struct{})}
	go func() {
		for _, o := range others {
			<-o.done
		}
		<-first.done
		q.answer = first.answer
		close(q.done)
	}()
	return q
}

// histogram is the panel of the number of events over time.
func (p *page) histogram() *panel {
	own := state{{"metrics", "events"}, {"interval", p.defaultInterval()}}
	n := &panel{name: "course", title: "Events over time", wide: true, lines: 3, ask: func() *asked { return p.ask("series", own) }, csv: p.csvOf}
	n.view = func(q *asked) (body, *failure) {
		c, sum, f := p.eventCourse(q)
		if f != nil {
			return body{}, f
		}
		if sum == 0 {
			return body{Empty: p.empty()}, nil
		}
		c.Bars = true
		v := &histogramView{Chart: c.View(p.locale), Total: p.locale.Number(uint64(sum)), CSV: p.csvOf(q)}
		return body{peopleBody: peopleBody{Histogram: v}}, nil
	}
	return n
}

// histogramView is the number of events over time.
type histogramView struct {
	Chart *ChartView
	Total string
	CSV   string
}

// eventsView is a list of events as its template takes it.
type eventsView struct {
	Caption string
	Columns []eventColumnView
	Rows    []eventRowView
	CSV     string
	Older   string // address of the events before these; "" = there are none
	Newest  string // address of the newest ones; "" = these are
	Newer   string // address that shows what came since, which the script offers then; "" = nothing is offered
	Order   string // in which they are, in words
}

// eventColumnView is the head of a column.
type eventColumnView struct {
	Title, Name string
	Remove      string // address without it; "" = it stays
}

// eventRowView is a line of a list of events.
type eventRowView struct {
	ID, Href        string
	Time, At, Full  string
	Type, What      string
	Person, Profile string
	Flag, Source    string
	Cells           []eventCellView
}

// eventCellView is a value of an event under a column.
type eventCellView struct {
	Text, Title, Href string
	Flag              string
	Muted             bool
}

// columns are the columns of the list that the address asks for.
func (p *page) columns() []string {
	list := p.state.all("_col")
	if len(list) == 0 {
		return eventColumnsDefault
	}
	list = slices.DeleteFunc(list, func(c string) bool { return c == "" })
	return list[:min(len(list), eventColumnsMax)]
}

// withColumns is a state with other columns.
func withColumns(s state, columns []string) state {
	s = s.without("_col")
	if slices.Equal(columns, eventColumnsDefault) {
		return s
	}
	if len(columns) == 0 {
		return s.and("_col", "")
	}
	for _, c := range columns {
		s = s.and("_col", c)
	}
	return s
}

// toggled is a state with a column more or less.
func (p *page) toggled(s state, column string) state {
	columns := slices.Clone(p.columns())
	if at := slices.Index(columns, column); at >= 0 {
		return withColumns(s, slices.Delete(columns, at, at+1))
	}
	return withColumns(s, append(columns, column))
}

// eventList is the panel of the list.
func (p *page) eventList() *panel {
	own := state{{"limit", strconv.Itoa(eventsPage)}, {"after", p.state.get("after")}, {"order", "desc"}}
	n := &panel{name: "list", title: "Events", lines: 30, ask: func() *asked { return p.ask("events", own) }, csv: p.csvOf}
	n.view = func(q *asked) (body, *failure) {
		var a eventsAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		if len(a.Events) == 0 {
			return body{Empty: p.empty()}, nil
		}
		v := &eventsView{Caption: n.title, CSV: p.csvOf(q), Order: "In the order of their receipt, the newest first"}
		columns := p.columns()
		for _, c := range columns {
			title := dialect.FieldTitle(c)
			v.Columns = append(v.Columns, eventColumnView{Title: title, Name: c, Remove: p.href(p.toggled(p.state, c))})
		}
		for i := range a.Events {
			e := &a.Events[i]
			r := p.eventRow(e)
			for _, c := range columns {
				r.Cells = append(r.Cells, p.eventCell(e, c))
			}
			v.Rows = append(v.Rows, r)
		}
		if a.Next != nil {
			v.Older = p.href(p.state.with("after", *a.Next))
		}
		if v.Newer = p.href(p.state); p.state.get("after") != "" {
			v.Newest, v.Newer = p.href(p.state.anew()), ""
		}
		return body{peopleBody: peopleBody{Events: v}}, nil
	}
	return n
}

// eventsAnswer is a page of events of the API.
type eventsAnswer struct {
	Events []eventData `json:"events"`
	Next   *string     `json:"next"`
}

// eventRow makes the line of an event, without the cells of columns.
func (p *page) eventRow(e *eventData) eventRowView {
	r := eventRowView{
		ID: e.ID, Href: p.screenHref("events", p.state.without("after", "_open"), e.ID),
		Time: p.locale.Date(e.Time) + ", " + p.locale.Seconds(e.Time), At: p.locale.Machine(e.Time), Full: p.locale.FullTime(e.Time),
		Type: dialect.TypeName(e.Type), What: e.what(), Person: e.person(), Flag: Flag(e.about("country")), Source: e.source(),
	}
	if r.Person != "" {
		r.Profile = p.personHref(r.Person)
	}
	return r
}

// eventCell makes the cell of an event under a column.
func (p *page) eventCell(e *eventData, column string) eventCellView {
	var c eventCellView
	texts := e.texts(column)
	if column == "user" {
		if texts = nil; e.person() != "" {
			texts, c.Href, c.Muted = []string{e.person()}, p.personHref(e.person()), e.User == ""
		}
	}
	for i, t := range texts {
		texts[i] = dialect.ValueName(column, t)
	}
	if column == "country" {
		c.Flag = Flag(e.about("country"))
	}
	c.Title = strings.Join(texts, ", ")
	c.Text = c.Title
	return c
}

// personHref is the address of a person. Ids that no path can hold lead to the list.
func (p *page) personHref(id string) string {
	kept := p.state.common()
	if id == "." || id == ".." {
		return p.screenHref("people", append(kept, pair{"user", id}))
	}
	return p.screenHref("people", kept, id)
}
