package dashboard

import (
	"slices"
	"strconv"
	"time"

	"cairn/engine/calendar"
)

// This file is the screen of retention: how many people come back in the periods after their
// first, as the curve of the average and as a table of cohorts.

// retentionKeys are the parameters of a retention in an address.
var retentionKeys = []string{"start", "return", "period", "cohort", "count"}

// retentionAnswer is the answer of the call retention.
type retentionAnswer struct {
	frameAnswer
	Period  string `json:"period"`
	Cohorts []struct {
		Period string `json:"period"`
		Size   uint64 `json:"size"`
		Cells  []struct {
			Users    uint64 `json:"users"`
			Complete bool   `json:"complete"`
		} `json:"cells"`
	} `json:"cohorts"`
	Average []*float64 `json:"average"`
}

// retention are the panels of the screen.
func retention(p *page) [][]*panel {
	own := p.state.held(retentionKeys).with("period", p.period())
	if at := p.state.get("_at"); at != "" {
		return [][]*panel{{p.retentionPeople(own, at)}}
	}
	ask := func() *asked { return p.ask("retention", own) }
	return [][]*panel{
		{p.formPanel("Retention", retentionKeys, p.retentionForm)},
		{p.retentionCurve(ask)},
		{p.retentionTable(ask)},
	}
}

// period is the length of a cohort: the one of the address, else one of which the range has a few.
func (p *page) period() string {
	if period := p.state.get("period"); period != "" {
		return period
	}
	from, to, known := p.span()
	switch days := (to - from) / calendar.DayMillis; {
	case !known || days > 190:
		return "month"
	case days > 14:
		return "week"
	}
	return "day"
}

func (p *page) retentionForm(v *analysisForm) {
	v.Help = textRetentionHelp
	v.Lines = []formLine{
		{Title: "Began with", Matcher: viewMatcher(parseMatcher(p.state.get("start")), 0, "Began with", true)},
		{Title: "Came back with", Matcher: viewMatcher(parseMatcher(p.state.get("return")), 1, "Came back with", true)},
	}
	v.Choices = []choiceList{
		plainChoices("By", "period", "", p.period(), "day", "day", "week", "week", "month", "month"),
		plainChoices("Cohort", "cohort", textCohortHelp, p.state.get("cohort"), "", "First time ever", "range", "First time in these days", "each", "Each time"),
		plainChoices("Came back", "count", textCountHelp, p.state.get("count"), "", "in that period", "after", "then or later"),
	}
}

// retentionAsked is the state that the form asks for.
func retentionAsked(p *page) state {
	return p.state.anew().without("start", "return").plain().with("start", p.formMatcher(0)).with("return", p.formMatcher(1))
}

// retentionOf decodes an answer. The body says that there is nothing when b is not nil.
func (p *page) retentionOf(q *asked) (a *retentionAnswer, average []float64, b *body, f *failure) {
	a = new(retentionAnswer)
	if f := q.into(a); f != nil {
		return nil, nil, nil, f
	}
	p.note(&a.frameAnswer)
	people := uint64(0)
	for _, c := range a.Cohorts {
		people += c.Size
	}
	if people == 0 {
		return a, nil, &body{Empty: p.empty()}, nil
	}
	for _, x := range a.Average {
		average = append(average, orNaN(x))
	}
	return a, average, nil, nil
}

// retentionCurve is the panel of the average.
func (p *page) retentionCurve(ask func() *asked) *panel {
	return &panel{name: "curve", title: "On average, by " + p.period() + " after the first", wide: true, lines: 9, ask: ask, view: func(q *asked) (body, *failure) {
		a, average, b, f := p.retentionOf(q)
		if f != nil || b != nil {
			return or(b), f
		}
		c := Curve(a.Period, average)
		if len(c.Now) == 0 {
			return body{Empty: &emptyView{Text: textNoPeriod}}, nil
		}
		return body{Chart: &chartPanel{Chart: c.View(p.locale)}}, nil
	}}
}

// or is a body that may be missing.
func or(b *body) body {
	if b == nil {
		return body{}
	}
	return *b
}

// cohortsPanel is the table of cohorts with what stands below it.
type cohortsPanel struct {
	Table     *CohortsView
	Note, CSV string
}

// retentionTable is the panel of the cohorts.
func (p *page) retentionTable(ask func() *asked) *panel {
	return &panel{name: "cohorts", title: "Cohorts", wide: true, lines: rowsShort, ask: ask, csv: p.csvOf, view: func(q *asked) (body, *failure) {
		a, average, b, f := p.retentionOf(q)
		if f != nil || b != nil {
			return or(b), f
		}
		var cohorts []Cohort
		for _, told := range a.Cohorts {
			c := Cohort{Size: told.Size, Start: p.dateStart(told.Period)}
			for k, cell := range told.Cells {
				view := CohortCell{Users: cell.Users, Open: !cell.Complete}
				if cell.Users > 0 && p.seesPeople() {
					view.Href = p.href(p.state.anew().with("_at", told.Period).with("_cell", strconv.Itoa(k+1)))
				}
				c.Cells = append(c.Cells, view)
			}
			cohorts = append(cohorts, c)
		}
		for cohorts[0].Size == 0 { // of the time before there was anybody; there is one with people
			cohorts = cohorts[1:]
		}
		v := &cohortsPanel{Table: Cohorts(p.locale, a.Period, cohorts, average), CSV: p.apiHref(q.call, q.query, "csv")}
		if slices.ContainsFunc(cohorts, func(c Cohort) bool { return slices.ContainsFunc(c.Cells, func(x CohortCell) bool { return x.Open }) }) {
			v.Note = textHatched
		}
		return body{Analysis: &analysisView{Cohorts: v}}, nil
	}}
}

// dateStart is when a date of the site's zone begins.
func (p *page) dateStart(text string) time.Time {
	at, _, _ := p.point(text)
	return time.UnixMilli(at)
}

// retentionPeople is the panel of the people of a cell. at is the first date of their period.
func (p *page) retentionPeople(own state, at string) *panel {
	cell := p.state.get("_cell")
	own = append(own, pair{"at", at}, pair{"cell", cell})
	n, _ := strconv.Atoi(cell)
	period := p.period()
	text := "Began in the " + period + " of " + p.locale.LongDate(p.dateStart(at))
	if n > 0 {
		text += " and came back " + p.locale.Number(uint64(n)) + " " + plural(period, n) + " later"
	}
	return p.entities("retention/entities", own, "Who came back", text, false)
}
