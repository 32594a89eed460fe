package dashboard

import (
	"fmt"
	"slices"
	"time"

	"cairn/http/dialect"
)

// This file is the overview of a site: the numbers of its visits, their course, and where they
// come from, what they look at, where they are and what they do there.

// visitColumns are those of a table of visits.
var visitColumns = metricsOf("visitors", "visits", "views", "bounce_rate", "duration")

// goalColumns are those that the whole table has of the goal that the overview counts.
var goalColumns = metricsOf("conversions", "conversion_rate", "goal_value")

var (
	sourceTabs = []tab{{"channel", "Channels"}, {"source", "Sources"}, {"referrer", "Referrers"}, {"campaign", "Campaigns"}, {"medium", "Mediums"}, {"term", "Terms"}, {"content", "Contents"}}
	pageTabs   = []tab{{"page", "Pages"}, {"entry", "Entry pages"}, {"exit", "Exit pages"}, {"title", "Titles"}, {"host", "Hosts"}}
	placeTabs  = []tab{{"country", "Countries"}, {"region", "Regions"}, {"city", "Cities"}, {"language", "Languages"}}
	deviceTabs = []tab{{"browser", "Browsers"}, {"os", "Systems"}, {"device", "Devices"}, {"screen", "Screens"}, {"browser_version", "Versions"}}
	eventTabs  = []tab{{"name", "Events"}, {"goals", "Goals"}, {"search", "Searches"}, {"unfound", "Nothing found"}, {"download", "Downloads"}, {"outlink", "Outlinks"}}
)

// overviewAnswer is the answer of the call that most of the overview shares.
type overviewAnswer struct {
	frameAnswer
	Total    numbers                `json:"total"`
	Interval string                 `json:"interval"`
	Series   []step                 `json:"series"`
	By       map[string]tableAnswer `json:"by"`
	Compare  *struct {
		From   string  `json:"from"`
		To     string  `json:"to"`
		Total  numbers `json:"total"`
		Series []step  `json:"series"`
	} `json:"compare"`
}

// shared is the answer that most of the overview shares. It is read once.
func (q *asked) shared() (*overviewAnswer, *failure) {
	if q.visits != nil {
		return q.visits, nil
	}
	a := new(overviewAnswer)
	if f := q.into(a); f != nil {
		return nil, f
	}
	q.visits = a
	return a, nil
}

// step is a step of a series.
type step struct {
	Time    time.Time `json:"time"`
	Partial bool      `json:"partial"`
	numbers
}

// visited says whether the site can have visits: whether it gets events of a protocol that knows
// them.
func (p *page) visited() bool {
	for _, d := range p.info.Dialects {
		if d != "oppizi" {
			return true
		}
	}
	return len(p.info.Dialects) == 0
}

// overview are the panels of the first screen.
func overview(p *page) [][]*panel {
	if full := p.state.get("_full"); full != "" {
		if n := p.fullPanel(full); n != nil {
			return [][]*panel{{n}}
		}
	}
	if p.info.First == nil && p.info.Events == 0 && p.info.Name != "" && !p.asTable() {
		return [][]*panel{{p.waiting()}}
	}
	if !p.visited() {
		return [][]*panel{{p.eventTiles()}, {p.eventChart()}, {p.tables("events", eventTabs), p.properties()}}
	}
	shared := p.overviewQuestion()
	if len(p.info.Dialects) == 1 && p.info.Dialects[0] == "opentracker" { // it has no page views
		return [][]*panel{
			{p.tiles(shared)},
			{p.chart(shared)},
			{p.tables("sources", sourceTabs), p.tables("events", eventTabs)},
			{p.tables("places", placeTabs), p.tables("devices", deviceTabs)},
			{p.grid(shared)},
			{p.properties()},
		}
	}
	return [][]*panel{
		{p.tiles(shared)},
		{p.chart(shared)},
		{p.tables("sources", sourceTabs), p.tables("pages", pageTabs)},
		{p.tables("places", placeTabs), p.tables("devices", deviceTabs)},
		{p.tables("events", eventTabs), p.properties()},
		{p.grid(shared)},
	}
}

// firsts are the tables that come with the numbers.
var firsts = []string{"channel", "country", "browser", "weekhour"}

// overviewQuestion returns what begins the one question of the overview.
func (p *page) overviewQuestion() func() *asked {
	own := state{{"limit", "10"}, {"sort", "visitors"}}
	for _, by := range firsts {
		own = append(own, pair{"by", by})
	}
	if g, ok := p.goalShown(); ok {
		own = append(own, pair{"goal", g.query})
	}
	own = append(own, only(slices.Concat(p.overviewMetrics(), metricsOf("bounces")))) // each step is given the bounces, not their rate
	return func() *asked { return p.ask("visits", own) }
}

// tables is a panel of tables with tabs.
func (p *page) tables(name string, tabs []tab) *panel {
	n := &panel{name: name, tabs: tabs, tab: p.state.tabOf(tabs), lines: rowsShort}
	t := tableOf(n.tab)
	shared := false
	for _, by := range firsts {
		shared = shared || by == n.tab && t.call == "visits"
	}
	if p.fill(n, t, false); shared {
		n.ask = p.overviewQuestion()
	}
	return n
}

// fullPanel is the whole table of the open tab of a panel; nil when there is no such panel.
func (p *page) fullPanel(name string) *panel {
	if name == "properties" {
		return p.properties()
	}
	tabs := map[string][]tab{"sources": sourceTabs, "pages": pageTabs, "places": placeTabs, "devices": deviceTabs, "events": eventTabs}[name]
	if tabs == nil {
		return nil
	}
	n := &panel{name: name, tabs: tabs, tab: p.state.tabOf(tabs), lines: 30, wide: true}
	t := tableOf(n.tab)
	if g, has := p.goalShown(); has && t.call == "visits" {
		t.columns = slices.Concat(t.columns, goalColumns)
		t.own = t.own.without("metrics").with("goal", g.query).and("metrics", only(t.columns).value)
	}
	p.fill(n, t, true)
	return n
}

// tableOf is the table of a tab.
func tableOf(name string) *table {
	switch name {
	case "page", "title":
		t := &table{call: "pages", by: name, columns: metricsOf("views", "visitors", "visits", "entries", "exits", "bounce_rate", "exit_rate", "time"), filter: "page", code: name == "page"}
		if name == "title" {
			t.own, t.filter = state{{"of", "title"}}, "title"
		}
		return t
	case "name":
		return &table{call: "breakdown", by: "name", own: state{{"by", "name"}, {"type!", "page"}, {"type!", "screen"}}, columns: metricsOf("events", "users"), short: 2, filter: "name"}
	case "goals":
		return &table{call: "goals", by: "goal", columns: metricsOf("visitors", "conversions", "conversion_rate", "goal_value"), short: 4}
	case "unfound": // searches that gave no result
		return &table{call: "breakdown", by: "name", own: state{{"by", "name"}, {"type", "search"}, {"prop.count", "0"}}, columns: metricsOf("events", "users"), filter: "name"}
	case "search", "download", "outlink":
		return &table{call: "breakdown", by: "name", own: state{{"by", "name"}, {"type", name}}, columns: metricsOf("events", "users"), short: 2, filter: "name"}
	}
	t := &table{call: "visits", by: name, own: state{{"by", name}, {"interval", "none"}, {"sort", "visitors"}, only(visitColumns)}, columns: visitColumns, filter: "visit." + name}
	switch name {
	case "entry", "exit":
		t.code = true
	case "source":
		t.none = textDirect
	case "country":
		t.tab = "region"
	case "browser":
		t.tab = "browser_version"
	}
	return t
}

// tableBody is the body of a panel with a table.
func (p *page) tableBody(n *panel, t *table, q *asked, full bool) (body, *failure) {
	var rows tableAnswer
	switch t.call {
	case "goals":
		var f *failure
		if rows, f = p.goalTable(q); f != nil {
			return body{}, f
		}
	case "visits":
		a, f := q.shared()
		if f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		rows = a.By[t.by]
	case "shop":
		var a shopAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		rows = a.Products
	default:
		var f *failure
		if rows, f = p.rowsOf(q); f != nil {
			return body{}, f
		}
	}
	if len(rows.Rows) == 0 && t.call == "goals" {
		return body{Empty: p.noGoals()}, nil
	}
	if bars := p.state.bars(t.own); len(rows.Rows) == 0 && len(bars) > 0 {
		return body{Empty: p.barred(bars[0].key)}, nil
	}
	if len(rows.Rows) == 0 && p.state.get("search") == "" {
		return body{Empty: p.empty()}, nil
	}
	return body{Table: p.viewTable(n, t, q, &rows, full)}, nil
}

// rowsOf are the rows of an answer that has one table.
func (p *page) rowsOf(q *asked) (tableAnswer, *failure) {
	var a struct {
		frameAnswer
		tableAnswer
	}
	f := q.into(&a)
	if f == nil {
		p.note(&a.frameAnswer)
	}
	return a.tableAnswer, f
}

// noGoals is what a site without goals shows in place of their numbers.
func (p *page) noGoals() *emptyView {
	e := &emptyView{Text: textNoGoals}
	if p.viewer.Save && p.viewer.Share == nil {
		e.Helps = []link{{Text: textMakeGoal, Href: p.newHref("goal", nil)}}
	}
	return e
}

// empty is what a panel without rows says.
func (p *page) empty() *emptyView {
	e := &emptyView{Text: textNothing}
	if p.info.Events == 0 && p.info.Name != "" { // the site has told of itself
		e.Text = textNoEvents
		return e
	}
	if p.embedded() {
		return e
	}
	if f := p.state.filters(); len(f) > 0 {
		last := f[len(f)-1]
		e.Helps = append(e.Helps, link{Text: textLast, Href: p.href(p.state.anew().without(last.key))})
	}
	if name := p.state.get("range"); name != "12mo" && name != "all" {
		e.Helps = append(e.Helps, link{Text: textWider, Href: p.href(p.state.anew().without("from", "to").with("range", "12mo"))})
	}
	return e
}

// barred is what a panel says of which a filter leaves nothing.
func (p *page) barred(key string) *emptyView {
	e := &emptyView{Text: fmt.Sprintf(textBarred, dialect.FieldTitle(key))}
	if !p.embedded() {
		e.Helps = []link{{Text: textTakeOff, Href: p.href(p.state.anew().without(key))}}
	}
	return e
}

// note keeps the age of the oldest answer of the page.
func (p *page) note(a *frameAnswer) {
	if t, err := time.Parse(time.RFC3339, a.AsOf.Time); err == nil && (p.asOf.IsZero() || t.Before(p.asOf)) {
		p.asOf = t
	}
}

// waitingPanel is the one panel of a site without events.
const waitingPanel = "waiting"

// waiting is the one panel of a site without events.
func (p *page) waiting() *panel {
	return &panel{name: waitingPanel, title: "Waiting for the first event", wide: true, every: 5, view: func(*asked) (body, *failure) {
		return body{Empty: &emptyView{Text: textNoEvents, Helps: []link{{Text: textSetUp, Href: p.screenHref("setup", nil)}}}}, nil
	}}
}

// seconds is a number of seconds.
func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// tileMetrics are the numbers on top of the overview.
var tileMetrics = metricsOf("visitors", "visits", "views", "views_per_visit", "bounce_rate", "duration")

// overviewMetrics are the numbers of the overview: with conversions, where the site has a goal.
func (p *page) overviewMetrics() []*metric {
	if _, has := p.goalShown(); has {
		return slices.Concat(tileMetrics, metricsOf("conversions", "conversion_rate"))
	}
	return tileMetrics
}

// chartMetric is the number that the chart shows.
func (p *page) chartMetric(of []*metric) *metric {
	for _, m := range of {
		if m.key == p.state.get("_metric") {
			return m
		}
	}
	return of[0]
}

// tilesView are numbers side by side.
type tilesView struct {
	Tiles []tileView
	Goal  string // which conversions they count
	Goals []link

	Currency   string // of the sums
	Currencies []link
}

// tileView is one number.
type tileView struct {
	Title, Help, Text, Before string
	Link                      string // what it offers in place of a number
	Change                    Change
	Good                      string // "good", "bad", "" = neither
	Href                      string
	On                        bool
	Key                       string
}

// tiles is the panel of the numbers.
func (p *page) tiles(shared func() *asked) *panel {
	return &panel{name: "numbers", title: "Numbers", wide: true, lines: 3, ask: shared, view: func(q *asked) (body, *failure) {
		a, f := q.shared()
		if f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		var was *numbers
		if a.Compare != nil {
			was = &a.Compare.Total
		}
		v := p.pressedTiles(p.overviewMetrics(), &a.Total, was)
		if goal, has := p.goalShown(); has {
			v.Goal, v.Goals = goal.name, p.goalLinks(goal)
		} else if helps := p.noGoals().Helps; len(helps) > 0 {
			v.Tiles = append(v.Tiles, tileView{Title: "Conversions", Help: textNoGoals, Link: helps[0].Text, Href: helps[0].Href})
		}
		return body{Tiles: v}, nil
	}}
}

// viewTiles makes the tiles of some numbers.
func (p *page) viewTiles(list []*metric, now, was *numbers) *tilesView {
	v := new(tilesView)
	for _, m := range list {
		t := tileView{Title: m.title, Help: m.help, Text: p.number(m.unit, m.of(now))}
		if was != nil {
			t.Change = p.change(m, m.of(now), m.of(was))
			t.Before = p.number(m.unit, m.of(was))
			t.Good = good(t.Change, m.less)
		}
		v.Tiles = append(v.Tiles, t)
	}
	return v
}

// pressedTiles are viewTiles of which each shows its number in the chart.
func (p *page) pressedTiles(list []*metric, now, was *numbers) *tilesView {
	v := p.viewTiles(list, now, was)
	shown := p.chartMetric(list)
	for i, m := range list {
		t := &v.Tiles[i]
		t.Href, t.On = p.href(p.state.with("_metric", m.key)), m == shown
		if i == 0 {
			t.Href = p.href(p.state.without("_metric"))
		}
		if i < 9 {
			t.Key = string(rune('1' + i))
		}
	}
	return v
}

// good says whether a change is one for the better: "good", "bad", "" = neither.
func good(c Change, less bool) string {
	switch {
	case c.Way != Up && c.Way != Down:
		return ""
	case (c.Way == Up) == less:
		return "bad"
	}
	return "good"
}

// eventTiles is the panel of the numbers of a site without visits.
func (p *page) eventTiles() *panel {
	return &panel{name: "numbers", title: "Numbers", wide: true, lines: 3,
		ask: func() *asked { return p.ask("breakdown", state{{"by", "type"}, {"limit", "1"}}) },
		view: func(q *asked) (body, *failure) {
			var a struct {
				frameAnswer
				Total numbers `json:"total"`
			}
			if f := q.into(&a); f != nil {
				return body{}, f
			}
			p.note(&a.frameAnswer)
			var was *numbers
			if a.Compare != nil {
				was = &a.Compare.Total
			}
			return body{Tiles: p.pressedTiles(metricsOf("events", "users"), &a.Total, was)}, nil
		}}
}
