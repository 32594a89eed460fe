package dashboard

import (
	"math"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/http/dialect"
)

// This file is the screen of funnels: the saved ones with their rates, or one funnel with its
// steps, what it is split by, its rate over time, and the people who stopped.

// funnelStepsMin and funnelStepsMax are how many steps a funnel has.
const (
	funnelStepsMin = 2
	funnelStepsMax = 10
)

// funnelKeys are the parameters of a funnel in an address.
var funnelKeys = []string{"step", "entity", "mode", "window", "split"}

// analysisView is what the screens of analyses show: exactly one of its parts.
type analysisView struct {
	Editor   *editorView
	Form     *analysisForm
	Card     *funnelCard
	Funnel   *funnelPanel
	Split    *matrixView
	Cohorts  *cohortsPanel
	Paths    *pathsPanel
	Entities *entitiesView
	Note     string
}

// funnelAnswer is the answer of the call funnel.
type funnelAnswer struct {
	frameAnswer
	Entity string `json:"entity"`
	Window *int64 `json:"window"` // seconds; nil = the visit
	funnelRow
	Split    []funnelRow `json:"split"`
	Interval string      `json:"interval"`
	Series   []struct {
		Time time.Time `json:"time"`
		Rate *float64  `json:"rate"`
	} `json:"series"`
}

// funnelRow is a funnel, or that of one value of its split.
type funnelRow struct {
	Value     *string      `json:"value"`
	Other     bool         `json:"other"`
	Entered   uint64       `json:"entered"`
	Converted uint64       `json:"converted"`
	Steps     []funnelTold `json:"steps"`
}

// funnelTold is one step.
type funnelTold struct {
	Count    uint64   `json:"count"`
	StepRate *float64 `json:"step_rate"`
	Median   *float64 `json:"median"`
}

// funnels are the panels of the screen.
func funnels(p *page) [][]*panel {
	if p.state.get("_at") != "" {
		return [][]*panel{{p.funnelPeople()}}
	}
	saved, came := p.savedFunnels()
	if !p.state.has("step") {
		rows := p.funnelCards(saved)
		if !came {
			rows = [][]*panel{{p.savedLate()}}
		}
		return append(rows, []*panel{p.funnelEditor("New funnel", len(rows) > 0)})
	}
	title, known := "Funnel", false
	mine := p.savedQuery(p.state)
	for _, s := range saved {
		if p.savedQuery(parseRaw(s.Query)) == mine {
			title, known = s.Name, true
		}
	}
	rows := [][]*panel{{p.funnelEditor(title, true)}}
	if len(p.stepsOf(p.state)) < funnelStepsMin {
		return append(rows, []*panel{{name: "funnel", title: "Result", wide: true, view: func(*asked) (body, *failure) {
			return body{Empty: &emptyView{Text: textTwoSteps}}, nil
		}}})
	}
	ask := p.funnelQuestion()
	rows = append(rows, []*panel{p.funnelResult(ask, known)})
	if p.state.get("split") != "" {
		rows = append(rows, []*panel{p.funnelSplit(ask)})
	}
	return append(rows, []*panel{p.funnelTime(ask)})
}

// stepsOf are the steps of a state that say something.
func (p *page) stepsOf(s state) (steps state) {
	for _, pr := range s {
		if pr.key == "step" && pr.value != "" {
			steps = append(steps, pr)
		}
	}
	return steps
}

// funnelOwn are the parameters of a funnel that a state has.
func (p *page) funnelOwn(s state) state {
	own := p.stepsOf(s)
	for _, key := range funnelKeys[1:] {
		if v := s.get(key); v != "" {
			own = append(own, pair{key, v})
		}
	}
	return own
}

// savedQuery is what is saved of a funnel: it, and the filters, but neither range nor interval.
func (p *page) savedQuery(s state) string {
	own := p.funnelOwn(s)
	for _, f := range s.filters() {
		for _, v := range f.values {
			if f.key != "saved" { // a saved thing names no other
				own = append(own, pair{f.key, v})
			}
		}
	}
	return own.String()
}

// funnelQuestion begins the call that the panels of a funnel share.
func (p *page) funnelQuestion() func() *asked {
	own := append(p.funnelOwn(p.state), pair{"limit", "10"}, pair{"interval", p.interval()})
	return func() *asked { return p.ask("funnel", own) }
}

// who is what goes through a funnel.
func who(entity string) string {
	if entity == "visit" {
		return "visits"
	}
	return "people"
}

// funnelPanel is the bars of a funnel with what stands below.
type funnelPanel struct {
	Bars *FunnelView
	All  string // address of those who went all the way
	CSV  string
	Save *saveView
}

// saveView is the form that saves a funnel. Saved says that it is saved already.
type saveView struct {
	Action, Kind, Query string
	Next                string // address to come back to
	Saved               bool
}

// funnelResult is the panel of the steps. known says that the funnel is saved.
func (p *page) funnelResult(ask func() *asked, known bool) *panel {
	return &panel{name: "funnel", title: "Result", wide: true, lines: 9, ask: ask, csv: p.csvOf, view: func(q *asked) (body, *failure) {
		var a funnelAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		if a.Entered == 0 {
			return body{Empty: p.empty()}, nil
		}
		v := &funnelPanel{Bars: Funnel(p.locale, who(a.Entity), p.funnelBars(&a)), CSV: p.apiHref(q.call, q.query, "csv")}
		if a.Converted > 0 && p.seesPeople() {
			v.All = p.href(p.state.anew().with("_at", strconv.Itoa(len(a.Steps))).with("_state", "reached"))
		}
		if p.viewer.Save {
			v.Save = &saveView{Action: p.d.path("site", p.site.Name, "saved"), Kind: "funnel", Query: p.savedQuery(p.state), Next: p.href(p.state), Saved: known}
		}
		return body{Analysis: &analysisView{Funnel: v}}, nil
	}}
}

// funnelBars are the steps of an answer.
func (p *page) funnelBars(a *funnelAnswer) (bars []FunnelBar) {
	steps := p.stepsOf(p.state)
	for i, told := range a.Steps {
		bar := FunnelBar{Count: told.Count}
		if i < len(steps) {
			bar.Name = p.matcherText(parseMatcher(steps[i].value))
		}
		if told.Median != nil {
			bar.Median, bar.Timed = seconds(*told.Median), true
		}
		if i+1 < len(a.Steps) && a.Steps[i+1].Count < told.Count && p.seesPeople() {
			bar.Href = p.href(p.state.anew().with("_at", strconv.Itoa(i+1)).with("_state", "dropped"))
		}
		bars = append(bars, bar)
	}
	return bars
}

// matrixView is a table of many columns of numbers.
type matrixView struct {
	Caption, Head string
	Columns       []columnView
	Rows          []rowView
}

// funnelSplit is the panel of the funnels of the values of a field.
func (p *page) funnelSplit(ask func() *asked) *panel {
	field := p.state.get("split")
	return &panel{name: "split", title: "By " + splitTitle(field), wide: true, lines: rowsShort, ask: ask, view: func(q *asked) (body, *failure) {
		var a funnelAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		if len(a.Split) == 0 {
			return body{Empty: p.empty()}, nil
		}
		return body{Analysis: &analysisView{Split: p.viewSplit(&a, field)}}, nil
	}}
}

// splitTitle is the name of a field of an event or a visit.
func splitTitle(field string) string { return dialect.FieldTitle(strings.TrimPrefix(field, "visit.")) }

func (p *page) viewSplit(a *funnelAnswer, field string) *matrixView {
	bare := strings.TrimPrefix(field, "visit.")
	v := &matrixView{Caption: "The funnel by " + splitTitle(field), Head: splitTitle(field)}
	v.Columns = append(v.Columns, columnView{Title: "Step 1", Help: textSplitFirst})
	for i := 1; i < len(a.Steps); i++ {
		v.Columns = append(v.Columns, columnView{Title: "Step " + strconv.Itoa(i+1), Help: textSplitStep})
	}
	v.Columns = append(v.Columns, columnView{Title: "Rate", Help: textSplitRate})
	most := uint64(0)
	for i := range a.Split {
		most = max(most, a.Split[i].Entered)
	}
	for i := range a.Split {
		r := &a.Split[i]
		row := rowView{Bar: percent(float64(r.Entered) / float64(max(most, 1)))}
		switch {
		case r.Other:
			row.Text, row.None = textOthers, true
		case r.Value == nil:
			row.Text, row.None = textNoValue, true
		default:
			row.Text, row.Title = dialect.ValueName(bare, *r.Value), *r.Value
			if bare == "country" {
				row.Flag = Flag(*r.Value)
			}
			row.Href = p.href(p.state.anew().without("split").and(field, *r.Value))
		}
		for k, s := range r.Steps {
			cell := cellView{Text: p.locale.Number(s.Count)}
			if k > 0 {
				cell.Share = p.number(unitRate, s.StepRate)
			}
			row.Cells = append(row.Cells, cell)
		}
		row.Cells = append(row.Cells, cellView{Text: p.locale.Share(r.Converted, r.Entered)})
		v.Rows = append(v.Rows, row)
	}
	return v
}

// funnelTime is the panel of the rate over time.
func (p *page) funnelTime(ask func() *asked) *panel {
	return &panel{name: "rate", title: "Rate over time", wide: true, lines: 9, ask: ask, view: func(q *asked) (body, *failure) {
		var a funnelAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		c := &Chart{Title: "Rate", Unit: UnitShare, Interval: a.Interval, Running: len(a.Series)}
		c.From, c.To = a.times()
		for i, s := range a.Series {
			c.Times = append(c.Times, s.Time)
			c.Now = append(c.Now, orNaN(s.Rate))
			if end := calendar.Next(s.Time.UnixMilli(), a.Interval, p.zone); end > p.now.UnixMilli() {
				c.Running = min(c.Running, i)
			}
		}
		if len(c.Now) == 0 || a.Entered == 0 {
			return body{Empty: &emptyView{Text: textNothing}}, nil
		}
		b := body{Chart: &chartPanel{Chart: c.View(p.locale), Intervals: p.intervals(a.Interval)}}
		if open := p.openFrom(a.Window); c.To.After(open) {
			b.Analysis = &analysisView{Note: textStillOpen}
		}
		return b, nil
	}}
}

// openFrom is since when those who began may still go on.
func (p *page) openFrom(window *int64) time.Time {
	if window == nil {
		return p.now.Add(-time.Hour)
	}
	return p.now.Add(-time.Duration(*window) * time.Second)
}

// times are the bounds of the range of an answer.
func (a *frameAnswer) times() (from, to time.Time) {
	from, _ = time.Parse(time.RFC3339, a.From)
	to, _ = time.Parse(time.RFC3339, a.To)
	return from, to
}

// orNaN is a number, or NaN when there is none.
func orNaN(x *float64) float64 {
	if x == nil {
		return math.NaN()
	}
	return *x
}

// funnelPeople is the panel of those behind a step.
func (p *page) funnelPeople() *panel {
	own := append(p.funnelOwn(p.state).without("split"), pair{"interval", ""}, pair{"at", p.state.get("_at")}, pair{"state", p.state.get("_state")})
	visits := p.state.get("entity") == "visit"
	title, did := "Who stopped", "The last step: "
	if p.state.get("_state") != "dropped" {
		title, did = "Who got there", "The step: "
	}
	at, _ := strconv.Atoi(p.state.get("_at"))
	text := ""
	if steps := p.stepsOf(p.state); at >= 1 && at <= len(steps) {
		text = did + p.matcherText(parseMatcher(steps[at-1].value))
	}
	return p.entities("funnel/entities", own, title, text, visits)
}
