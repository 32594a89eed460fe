package dashboard

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file is the screen of the list of events: the bars of their number over time, the fields
// to filter by, and the list.

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

// stepOf is the step by which a range is shown with at most some hundred bars.
func (p *page) stepOf() string {
	from, to, known := p.span()
	switch span := time.Duration(to-from) * time.Millisecond; {
	case !known:
		return "month"
	case span <= 2*time.Hour:
		return "minute"
	case span <= 49*time.Hour:
		return "hour"
	case span <= 93*24*time.Hour:
		return "day"
	case span <= 400*24*time.Hour:
		return "week"
	}
	return "month"
}

// histogram is the panel of the number of events over time.
func (p *page) histogram() *panel {
	own := state{{"metrics", "events"}, {"interval", p.stepOf()}}
	n := &panel{name: "course", title: "Events over time", wide: true, lines: 3, ask: func() *asked { return p.ask("series", own) }}
	n.view = func(q *asked) (body, *failure) {
		var a struct {
			Interval string `json:"interval"`
			Buckets  []step `json:"buckets"`
		}
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		sum := 0.0
		for i := range a.Buckets {
			sum += stepNumber(metricOf("events"), &a.Buckets[i].numbers)
		}
		if sum == 0 {
			return body{Empty: p.empty()}, nil
		}
		c := p.courseOf(metricOf("events"), a.Interval, a.Buckets, nil, nil)
		c.Bars = true
		for i, at := range c.Times { // the call does not tell which step is not over: it is the newest that has begun
			if !at.After(p.now) && c.To.After(p.now) {
				c.Running = i
			}
		}
		v := &histogramView{Chart: c.View(p.locale), Total: p.locale.Number(uint64(sum)), CSV: p.apiHref("series", q.query, "csv")}
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
	ID, Href         string
	Time, At, Full   string
	After            string // how long after the first of the visit
	Type, What, Name string
	Person, Profile  string
	Flag, Source     string
	Cells            []eventCellView
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
	n := &panel{name: "list", title: "Events", lines: 30, ask: func() *asked { return p.ask("events", own) }}
	n.view = func(q *asked) (body, *failure) {
		var a eventsAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		if len(a.Events) == 0 {
			return body{Empty: p.empty()}, nil
		}
		v := &eventsView{Caption: n.title, CSV: p.apiHref("events", p.state.question("events", own), "csv"), Order: "In the order of their receipt, the newest first"}
		columns := p.columns()
		for _, c := range columns {
			title := fieldTitle(c)
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
		if a.Next != nil && len(a.Events) == eventsPage {
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
		Type: EventType(e.Type), What: e.what(), Person: e.person(), Flag: Flag(e.about("country")), Source: e.source(),
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
		texts[i] = p.valueText(column, t)
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

// facetsView are the fields of events as their template takes them.
type facetsView struct {
	Search string
	Keep   []pairView
	Action string
	Groups []facetGroup
	All    string // address of all of them; "" = these are
	Count  string
}

// facetGroup is a part of the fields.
type facetGroup struct {
	Title  string
	Facets []facetView
}

// facetView is a field.
type facetView struct {
	Title, Name string
	Toggle      string // address with it open or closed
	Open        bool
	Column      string // address with or without its column
	Shown       bool   // it is a column
	Values      []facetValue
	Error       string
	More        string // how many other values there are
	Search      string // what its values are searched for
	Keep        []pairView
	Action      string
}

// facetValue is a value of a field.
type facetValue struct {
	Text, Title string
	Count       string
	Bar         string
	Href        string // with or without the value
	Not         string // address without such events
	On          bool
}

// facetGroups are the fields in their order; those that are not named come under the last title,
// and properties have their own.
var facetGroups = []struct {
	title  string
	fields []string
}{
	{"Event", []string{"name", "type", "value"}},
	{"Page", []string{"path", "title", "url", "referrer_host", "referrer"}},
	{"Campaign", []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id"}},
	{"Place", []string{"country", "region", "city", "language", "timezone"}},
	{"Device", []string{"device", "browser", "browser_version", "os", "os_version", "brand", "model", "screen", "bot"}},
	{"Properties", nil},
	{"Others", nil},
}

// facetsDefault are the fields that are open without a choice.
var facetsDefault = []string{"name", "type"}

const (
	facetsOpenMax = 8   // fields that are open at once: each is a question
	facetsShort   = 40  // fields that are listed at first
	facetsMax     = 400 // fields that are listed at all
	facetValues   = 8   // values of an open field
)

// facets is the panel of the fields.
func (p *page) facets() *panel {
	open := p.state.all("_facet")
	if len(open) == 0 {
		open = facetsDefault
	}
	open = slices.DeleteFunc(slices.Clone(open), func(f string) bool { return f == "" })
	open = open[:min(len(open), facetsOpenMax)]
	n := &panel{name: "fields", title: "Fields", lines: 30}
	values := map[string]*asked{}
	n.ask = func() *asked {
		fields := p.ask("fields", state{{"limit", strconv.Itoa(facetsMax)}, {"search", p.state.get("_find")}})
		var others []*asked
		for _, f := range open {
			key := fieldKey(f)
			own := state{{"field", f}, {"limit", strconv.Itoa(facetValues)}, {key, ""}} // its own filter is left out, so that others can be chosen
			if p.state.get("_in") == f {
				own = append(own, pair{"search", p.state.get("_text")})
			}
			values[f] = p.ask("values", own)
			others = append(others, values[f])
		}
		return together(fields, others...)
	}
	n.view = func(q *asked) (body, *failure) {
		var a struct {
			Fields []struct {
				Field string `json:"field"`
				Kind  string `json:"kind"`
			} `json:"fields"`
		}
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		v := &facetsView{Search: p.state.get("_find"), Action: p.href(nil), Count: p.locale.Number(uint64(len(a.Fields)))}
		for _, pr := range p.state.anew().without("_find") {
			v.Keep = append(v.Keep, pairView{pr.key, pr.value})
		}
		all := p.state.get("_fields") != "" || v.Search != ""
		groups := make([]facetGroup, len(facetGroups))
		places := map[string][2]int{}
		for i, g := range facetGroups {
			groups[i].Title = g.title
			for j, f := range g.fields {
				places[f] = [2]int{i, j}
			}
		}
		slices.SortStableFunc(a.Fields, func(x, y struct {
			Field string `json:"field"`
			Kind  string `json:"kind"`
		}) int {
			return facetPlace(places, x.Field, x.Kind) - facetPlace(places, y.Field, y.Kind)
		})
		for i, f := range a.Fields {
			if !all && i >= facetsShort && !slices.Contains(open, f.Field) {
				continue
			}
			g := &groups[facetPlace(places, f.Field, f.Kind)/100]
			g.Facets = append(g.Facets, p.facet(f.Field, open, values[f.Field]))
		}
		v.Groups = slices.DeleteFunc(groups, func(g facetGroup) bool { return len(g.Facets) == 0 })
		if !all && len(a.Fields) > facetsShort {
			v.All = p.href(p.state.with("_fields", "all"))
		}
		return body{peopleBody: peopleBody{Facets: v}}, nil
	}
	return n
}

// facetPlace is the place of a field: its group times 100, and where it stands in it.
func facetPlace(places map[string][2]int, field, kind string) int {
	if at, ok := places[field]; ok {
		return at[0]*100 + at[1]
	}
	if kind == "property" {
		return (len(facetGroups) - 2) * 100
	}
	return (len(facetGroups) - 1) * 100
}

// facet makes the view of a field. values is nil when it is closed.
func (p *page) facet(field string, open []string, values *asked) facetView {
	s := p.state.anew()
	v := facetView{Title: fieldTitle(field), Name: field, Open: values != nil,
		Column: p.href(p.toggled(p.state, field)), Shown: slices.Contains(p.columns(), field)}
	now := slices.Clone(open)
	if at := slices.Index(now, field); at >= 0 {
		now = slices.Delete(now, at, at+1)
	} else {
		now = append(now, field)
		now = now[max(0, len(now)-facetsOpenMax):]
	}
	v.Toggle = p.href(withFacets(s, now))
	if values == nil {
		return v
	}
	if p.state.get("_in") == field {
		v.Search = p.state.get("_text")
	}
	v.Action = p.href(nil)
	for _, pr := range s.without("_in", "_text") {
		v.Keep = append(v.Keep, pairView{pr.key, pr.value})
	}
	var a struct {
		Rows []struct {
			Value  *string `json:"value"`
			Events float64 `json:"events"`
		} `json:"rows"`
		Count int `json:"count"`
	}
	if f := values.into(&a); f != nil {
		v.Error = f.Error
		return v
	}
	key := fieldKey(field)
	chosen := s.all(key)
	most := 0.0
	for _, r := range a.Rows {
		most = max(most, r.Events)
	}
	for _, r := range a.Rows {
		if r.Value == nil {
			v.Values = append(v.Values, facetValue{Text: textNoValue, Count: p.locale.Number(uint64(r.Events)), Bar: barWidth(r.Events / most),
				On: slices.Contains(s.all("has!"), field), Href: p.href(s.flip("has!", field)), Not: p.href(s.and("has", field))})
			continue
		}
		text := p.valueText(field, *r.Value)
		v.Values = append(v.Values, facetValue{Text: text, Title: *r.Value, Count: p.locale.Number(uint64(r.Events)), Bar: barWidth(r.Events / max(most, 1)),
			On: slices.Contains(chosen, *r.Value), Href: p.href(s.flip(key, *r.Value)), Not: p.href(s.but(key, *r.Value).and(key+"!", *r.Value))})
	}
	for _, c := range chosen { // what is chosen is there, whatever is searched for
		if !slices.ContainsFunc(v.Values, func(f facetValue) bool { return f.Title == c }) {
			v.Values = append(v.Values, facetValue{Text: p.valueText(field, c), Title: c, On: true, Href: p.href(s.but(key, c)), Not: p.href(s.but(key, c).and(key+"!", c))})
		}
	}
	if more := a.Count - len(a.Rows); more > 0 {
		v.More = p.locale.Number(uint64(more)) + " more"
	}
	return v
}

// flip is the state with a value, or without it when it has it.
func (s state) flip(key, value string) state {
	if slices.Contains(s, pair{key, value}) {
		return s.but(key, value)
	}
	return s.and(key, value)
}

// withFacets is a state with other fields open.
func withFacets(s state, open []string) state {
	s = s.without("_facet")
	if slices.Equal(open, facetsDefault) {
		return s
	}
	if len(open) == 0 {
		return s.and("_facet", "")
	}
	for _, f := range open {
		s = s.and("_facet", f)
	}
	return s
}
