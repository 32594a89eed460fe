package dashboard

import (
	"slices"
	"strconv"
	"strings"
)

// This file is the editor of a funnel, a form that works without script, and the saved funnels
// above it. Its buttons are of the form: each sends all of it, so that nothing typed is lost.

// savedFunnel is a funnel of the call saved.
type savedFunnel struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Query string `json:"query"`
}

// cardsMax is how many saved funnels are counted on one screen; the others are links.
const cardsMax = 12

// savedPanel is the panel of the saved funnels when it is not known in time which there are.
const savedPanel = "funnels-saved"

// savedFunnels are those of the site. They are asked first, since they decide which panels there
// are; the answer comes from memory. known says whether it has come.
func (p *page) savedFunnels() (saved []savedFunnel, known bool) {
	only := p.state.get("_panel")
	if only == savedPanel || only != "" && only != "editor" && !strings.HasPrefix(only, "funnel") {
		return nil, false
	}
	q := p.askSaved()
	if !q.ready(p.late) {
		return nil, false
	}
	saved, f := savedOf(q)
	return saved, f == nil
}

func (p *page) askSaved() *asked { return p.ask("saved", state{{"kind", "funnel"}}) }

func savedOf(q *asked) ([]savedFunnel, *failure) {
	var a struct {
		Saved []savedFunnel `json:"saved"`
	}
	f := q.into(&a)
	return a.Saved, f
}

// savedLate is the panel of the saved funnels that were not known in time: links to them, or why there
// are none.
func (p *page) savedLate() *panel {
	return &panel{name: savedPanel, title: "Saved funnels", wide: true, lines: 3, ask: p.askSaved, view: func(q *asked) (body, *failure) {
		saved, f := savedOf(q)
		if f != nil {
			return body{}, f
		}
		if len(saved) == 0 {
			return body{Empty: &emptyView{Text: textNoFunnels}}, nil
		}
		return body{Analysis: &analysisView{Card: &funnelCard{Rest: p.funnelLinks(saved)}}}, nil
	}}
}

// funnelLinks lead to saved funnels.
func (p *page) funnelLinks(saved []savedFunnel) (links []link) {
	for i := range saved {
		links = append(links, link{Text: saved[i].Name, Href: p.openFunnel(&saved[i])})
	}
	return links
}

// openFunnel is the address of a saved funnel, with what all screens share besides.
func (p *page) openFunnel(s *savedFunnel) string {
	to := parseRaw(s.Query)
	for _, pr := range p.state.common() {
		if !to.has(pr.key) {
			to = append(to, pr)
		}
	}
	return p.screenHref("funnels", to)
}

// funnelCard is a saved funnel with its rate of now, or without one a list of links.
type funnelCard struct {
	Href, Rate, Text string
	Steps            []cardStep
	Rest             []link
}

// cardStep is a step of a card. Height is of a bar that stands on the lower edge.
type cardStep struct{ X, Width, Y, Height, Text string }

// funnelCards are the panels of the saved funnels, two a row.
func (p *page) funnelCards(saved []savedFunnel) (rows [][]*panel) {
	for i := range saved[:min(len(saved), cardsMax)] {
		if i%2 == 0 {
			rows = append(rows, nil)
		}
		rows[i/2] = append(rows[i/2], p.funnelCardPanel(&saved[i], p.openFunnel(&saved[i])))
	}
	if len(saved) > cardsMax {
		rest := p.funnelLinks(saved[cardsMax:])
		rows = append(rows, []*panel{{name: "rest", title: "More funnels", wide: true, view: func(*asked) (body, *failure) {
			return body{Analysis: &analysisView{Card: &funnelCard{Rest: rest}}}, nil
		}}})
	}
	return rows
}

func (p *page) funnelCardPanel(s *savedFunnel, href string) *panel {
	own := parseRaw(s.Query)
	n := &panel{name: "funnel-" + s.ID, title: s.Name, lines: 3}
	n.ask = func() *asked {
		o := append(p.funnelOwn(own).without("split"), pair{"interval", ""})
		for _, f := range own.filters() {
			for _, v := range f.values {
				o = append(o, pair{f.key, v})
			}
		}
		return p.ask("funnel", o)
	}
	n.view = func(q *asked) (body, *failure) {
		var a funnelAnswer
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		c := &funnelCard{Href: href, Rate: p.locale.Share(a.Converted, a.Entered)}
		c.Text = p.locale.Number(a.Converted) + " of " + p.locale.Number(a.Entered) + " " + who(a.Entity)
		steps := p.stepsOf(own)
		for i, told := range a.Steps {
			share := 0.0
			if a.Entered > 0 {
				share = float64(told.Count) / float64(a.Entered)
			}
			text := ""
			if i < len(steps) {
				text = p.matcherText(parseMatcher(steps[i].value)) + ": " + p.locale.Number(told.Count)
			}
			n := float64(len(a.Steps))
			const gap = 0.02
			width := (1 - gap*(n-1)) / n
			c.Steps = append(c.Steps, cardStep{X: percent(float64(i) * (width + gap)), Width: percent(width), Y: percent(1 - share), Height: percent(share), Text: text})
		}
		return body{Analysis: &analysisView{Card: c}}, nil
	}
	return n
}

// editorView is the form of a funnel.
type editorView struct {
	Action  string
	Keep    []pairView
	Steps   []funnelStepView
	Add     bool // there is room for another step
	Lists   suggestionsView
	Choices []choiceList
	All     string // address of the saved funnels; "" = this is their screen
	Help    string
}

// funnelStepView is a step of the editor.
type funnelStepView struct {
	Matcher          matcherView
	Number           int
	Up, Down, Remove bool // it can
}

// choiceList is a select with its label.
type choiceList struct {
	Label, Name, Help string
	Groups            []choiceGroup
}

// plainChoices makes a select of one group from pairs of value and text.
func plainChoices(label, name, help, current string, pairs ...string) choiceList {
	var g choiceGroup
	known := current == ""
	for i := 0; i+1 < len(pairs); i += 2 {
		known = known || pairs[i] == current
		g.Choices = append(g.Choices, choice{pairs[i], pairs[i+1], pairs[i] == current})
	}
	if !known {
		g.Choices = append(g.Choices, choice{current, current, true})
	}
	return choiceList{label, name, help, []choiceGroup{g}}
}

// funnelEditor is the panel of the form. saved says that there are saved funnels to go back to.
func (p *page) funnelEditor(title string, saved bool) *panel {
	s := p.suggest("editor")
	return &panel{name: "editor", title: title, wide: true, view: func(*asked) (body, *failure) {
		v := &editorView{Action: p.href(nil), Lists: s.lists(p)}
		v.Keep = p.state.anew().without(funnelKeys...).inputs()
		steps := p.state.all("step")
		if p.state.has("step") && saved {
			v.All = p.href(p.state.common())
		}
		if !p.state.has("step") {
			v.Help = textFunnelHelp
		}
		for len(steps) < funnelStepsMin {
			steps = append(steps, "")
		}
		if len(steps) > funnelStepsMax {
			steps = steps[:funnelStepsMax]
		}
		v.Add = len(steps) < funnelStepsMax
		for i, text := range steps {
			m := parseMatcher(text)
			if m.kind == "" && i > 0 {
				m.kind = kindEvent
			}
			v.Steps = append(v.Steps, funnelStepView{
				Matcher: viewMatcher(m, i, "Step "+strconv.Itoa(i+1), false), Number: i + 1,
				Up: i > 0, Down: i+1 < len(steps), Remove: len(steps) > funnelStepsMin,
			})
		}
		v.Choices = p.funnelChoices(v.Lists.props)
		return body{Analysis: &analysisView{Editor: v}}, nil
	}}
}

// funnelChoices are the selects below the steps.
func (p *page) funnelChoices(props []string) []choiceList {
	window := []string{"", "14 days", "30m", "30 minutes", "1h", "1 hour", "1d", "1 day", "7d", "7 days", "30d", "30 days", "90d", "90 days", "365d", "365 days"}
	if p.state.get("entity") == "visit" {
		window[1] = "the visit"
	}
	return []choiceList{
		plainChoices("Who", "entity", textEntityHelp, p.state.get("entity"), "", "People", "visit", "Visits"),
		plainChoices("Order", "mode", textModeHelp, p.state.get("mode"), "", "In this order", "strict", "Nothing in between", "any", "In any order"),
		plainChoices("Within", "window", textWindowHelp, p.state.get("window"), window...),
		{"Split by", "split", "", p.fieldChoices(p.state.get("split"), true, props, "Nothing")},
	}
}

// funnelForm is the state that the editor asks for.
func funnelForm(p *page) state {
	var steps []string
	at := map[string]int{} // where a step of the form is
	for _, i := range formOrder(p.state.get("_order")) {
		if m, ok := readMatcher(p.state, i); ok {
			at[strconv.Itoa(i)] = len(steps)
			steps = append(steps, m.query())
		}
	}
	do, number, _ := strings.Cut(p.state.get("_do"), ".")
	i, known := at[number]
	switch {
	case do == "add" && len(steps) < funnelStepsMax:
		steps = append(steps, "")
	case !known:
	case do == "up" && i > 0:
		steps[i-1], steps[i] = steps[i], steps[i-1]
	case do == "down" && i+1 < len(steps):
		steps[i+1], steps[i] = steps[i], steps[i+1]
	case do == "remove":
		steps = slices.Delete(steps, i, i+1)
	}
	s := p.state.anew().without("step", "_order", "_do").plain()
	for _, step := range steps {
		s = append(s, pair{"step", step})
	}
	return s
}

// formOrder is the order of the fields of a form, which the script has changed: numbers with
// commas between them. What it leaves out keeps its place at the end.
func formOrder(text string) (order []int) {
	for part := range strings.SplitSeq(text, ",") {
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < funnelStepsMax && !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	for i := range funnelStepsMax {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// plain is the state without the fields of a form and without parameters that say nothing, but
// for steps.
func (s state) plain() state {
	return slices.DeleteFunc(slices.Clone(s), func(p pair) bool {
		return p.key == "_form" || p.value == "" && p.key != "step" && p.ofAPI() || len(p.key) > 2 && p.key[0] == '_' && strings.ContainsRune("kovfpw", rune(p.key[1])) && p.key[2] >= '0' && p.key[2] <= '9'
	})
}
