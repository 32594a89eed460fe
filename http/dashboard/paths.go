package dashboard

import (
	"slices"
	"strconv"
	"strings"
)

// This file is the screen of paths: columns of where visits went from a page or event, or from
// their begin, or where they came from. A click follows a way; what it leads through stands on top.

// pathsKeys are the parameters of paths in an address.
var pathsKeys = []string{"start", "end", "then", "of", "anchor", "fold"}

// The columns that are shown: at least some, and one more than the way that is followed.
const (
	pathsDepthMin = 3
	pathsDepthMax = 8
	pathsRows     = 12 // labels of a column
)

// pathsAnswer is the answer of the call paths.
type pathsAnswer struct {
	frameAnswer
	Unit     string `json:"unit"`
	Anchored uint64 `json:"anchored"`
	Columns  []struct {
		Rows []struct {
			Label string `json:"label"`
			Count uint64 `json:"count"`
		} `json:"rows"`
		Other   uint64 `json:"other"`
		Stopped uint64 `json:"stopped"`
	} `json:"columns"`
}

// paths are the panels of the screen.
func paths(p *page) [][]*panel {
	own := p.state.held(pathsKeys)
	then := own.all("then")
	depth := min(max(pathsDepthMin, len(then)+1), pathsDepthMax)
	own = append(own, pair{"depth", strconv.Itoa(depth)}, pair{"limit", strconv.Itoa(pathsRows)})
	if !own.has("start") && !own.has("end") {
		own = own.without("anchor")
	}
	title := "Where they went"
	if own.has("end") {
		title = "Where they came from"
	}
	return [][]*panel{
		{p.formPanel("Paths", pathsKeys, p.pathsForm)},
		{{name: "paths", title: title, wide: true, lines: rowsShort,
			ask: func() *asked { return p.ask("paths", own) }, csv: p.csvOf,
			view: func(q *asked) (body, *failure) { return p.viewPaths(q, then) }}},
	}
}

func (p *page) pathsForm(v *analysisForm) {
	direction, text := "begin", ""
	switch {
	case p.state.get("start") != "":
		direction, text = "start", p.state.get("start")
	case p.state.get("end") != "":
		direction, text = "end", p.state.get("end")
	}
	from := plainChoices("From where", "_from_what", "", direction, "begin", "From the start", "start", "After", "end", "Before")
	v.Help = textPathsHelp
	v.Lines = []formLine{{Choice: &from, Matcher: viewMatcher(parseMatcher(text), 0, "Page or event", false)}}
	v.Choices = []choiceList{
		plainChoices("Show", "of", "", p.state.get("of"), "", "pages", "events", "events", "both", "pages and events"),
		plainChoices("Follow", "anchor", textAnchorHelp, p.state.get("anchor"), "", "once a visit", "each", "every time"),
	}
	v.Inputs = []inputView{{"Fold", "fold", strings.Join(p.state.all("fold"), " "), textFoldHelp, "/blog/* /product/*"}}
}

// pathsAsked is the state that the form asks for. The way begins anew, since it may not exist.
func pathsAsked(p *page) state {
	s := p.state.anew().without("start", "end", "then", "fold", "_from_what").plain()
	query := p.formMatcher(0)
	switch p.state.get("_from_what") {
	case "start", "end":
		s = s.with(p.state.get("_from_what"), query)
	default:
		s = s.without("anchor")
	}
	for _, pattern := range strings.Fields(p.state.get("fold")) {
		s = s.and("fold", pattern)
	}
	return s
}

// pathsPanel is the columns with the way above them.
type pathsPanel struct {
	Way     []link
	Text    string // how many went it
	Clear   string // address without it; "" = there is none
	Funnel  string // address of the funnel of it; "" = it is too short
	Columns *PathsView
	CSV     string
}

// viewPaths makes the panel. then is the way that is followed.
func (p *page) viewPaths(q *asked, then []string) (body, *failure) {
	var a pathsAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	p.note(&a.frameAnswer)
	if a.Anchored == 0 {
		return body{Empty: p.empty()}, nil
	}
	backwards := p.state.get("end") != ""
	v := &pathsPanel{CSV: p.apiHref(q.call, q.query, "csv"), Funnel: p.pathFunnel(then)}
	stopped := "Left"
	if backwards {
		stopped = "Came in here"
	}
	v.Columns = Paths(p.locale, p.pathColumns(&a, then), stopped)
	went := uint64(0)
	switch last := len(then) - 1; {
	case len(then) < len(a.Columns):
		went = a.in(len(then))
	case last >= 0 && last < len(a.Columns):
		for _, r := range a.Columns[last].Rows {
			if r.Label == then[last] {
				went = r.Count
			}
		}
	}
	p.way(v, then, a.Anchored, a.Unit == "rows", went)
	return body{Analysis: &analysisView{Paths: v}}, nil
}

// in is how many are in a column: those who followed the way so far.
func (a *pathsAnswer) in(column int) uint64 {
	c := &a.Columns[column]
	n := c.Other + c.Stopped
	for _, r := range c.Rows {
		n += r.Count
	}
	return n
}

// pathColumns are the columns of an answer. then is the way that is followed.
func (p *page) pathColumns(a *pathsAnswer, then []string) (columns []PathColumn) {
	for i, told := range a.Columns {
		c := PathColumn{Title: pathTitle(i, p.state.get("end") != "", p.state.get("start") != ""), Other: told.Other, Stopped: told.Stopped}
		chosen := ""
		if i < len(then) {
			chosen = then[i]
		}
		found := chosen == ""
		for _, r := range told.Rows {
			row := PathRow{Label: r.Label, Count: r.Count, Chosen: chosen != "" && r.Label == chosen}
			switch {
			case row.Chosen:
				found = true
				row.Href = p.follow(then[:i])
			case i <= len(then) && r.Label != "":
				row.Href = p.follow(append(slices.Clone(then[:i]), r.Label))
			}
			c.Rows = append(c.Rows, row)
		}
		if !found && i+1 < len(a.Columns) { // it is among the others now
			n := min(a.in(i+1), c.Other)
			c.Rows = append(c.Rows, PathRow{Label: chosen, Count: n, Chosen: true, Href: p.follow(then[:i])})
			c.Other -= n
		}
		columns = append(columns, c)
	}
	return columns
}

// way fills what stands above the columns.
func (p *page) way(v *pathsPanel, then []string, anchored uint64, rows bool, went uint64) {
	first := "The visit begins"
	for _, key := range []string{"start", "end"} {
		if text := p.state.get(key); text != "" {
			first = p.matcherText(parseMatcher(text))
		}
	}
	v.Way = []link{{Text: first, Href: p.follow(nil), On: len(then) == 0}}
	for i, label := range then {
		v.Way = append(v.Way, link{Text: label, Href: p.follow(then[:i+1]), On: i == len(then)-1})
	}
	if p.state.get("end") != "" {
		slices.Reverse(v.Way)
	}
	unit := "visits"
	if rows {
		unit = "times"
	}
	if v.Text = p.locale.Number(anchored) + " " + unit; len(then) > 0 {
		v.Text = p.locale.Number(went) + " of " + v.Text + ", " + p.locale.Share(went, anchored)
		v.Clear = p.follow(nil)
	}
}

// follow is the address of a way.
func (p *page) follow(then []string) string {
	s := p.state.anew().without("then")
	for _, label := range then {
		s = append(s, pair{"then", label})
	}
	return p.href(s)
}

// pathTitle is the heading of a column.
func pathTitle(i int, backwards, after bool) string {
	ordinal := []string{"First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth"}[i%8]
	switch {
	case backwards && i == 0:
		return "Just before"
	case backwards:
		return ordinal + " before"
	case after && i == 0:
		return "Just after"
	case after:
		return ordinal + " after"
	}
	return ordinal
}

// pathFunnel is the address of the funnel whose steps are a way.
func (p *page) pathFunnel(then []string) string {
	var steps []string
	for _, label := range then {
		m := matcher{kind: kindPage, value: label}
		if of := p.state.get("of"); of == "events" || of == "both" && !strings.HasPrefix(label, "/") {
			m.kind = kindEvent
		}
		m.match = slices.Contains(p.state.all("fold"), label)
		steps = append(steps, m.query())
	}
	switch {
	case p.state.get("start") != "":
		steps = append([]string{p.state.get("start")}, steps...)
	case p.state.get("end") != "":
		slices.Reverse(steps)
		steps = append(steps, p.state.get("end"))
	}
	if len(steps) < funnelStepsMin {
		return ""
	}
	s := p.state.common()
	for _, step := range steps {
		s = append(s, pair{"step", step})
	}
	return p.screenHref("funnels", append(s, pair{"entity", "visit"}))
}
