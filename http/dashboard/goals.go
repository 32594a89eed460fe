package dashboard

import "strconv"

// This file knows the goals of the site: which there are, which one the overview counts, and the
// table of all.

// goal is a goal of the configuration or a saved one.
type goal struct {
	name, query string // what goal= takes
}

// asGoals are the goals that a share tells.
func asGoals(told []Goal) (list []goal) {
	for _, g := range told {
		list = append(list, goal{g.Name, g.Query})
	}
	return list
}

// goals are the goals of the site, those of the configuration first. Who has a share sees those that
// name nothing that it may not show. They are read once a page: what it asks and what it shows must be of the same goal.
func (p *page) goals() []goal {
	if p.goalsRead == nil {
		list := p.readGoals()
		p.goalsRead = &list
	}
	return *p.goalsRead
}

func (p *page) readGoals() (list []goal) {
	if p.viewer.Share != nil {
		return asGoals(p.viewer.Share.Goals)
	}
	for _, g := range p.site.Goals {
		list = append(list, goal{g.Name, "type=goal&prop.goal_id=" + strconv.Itoa(g.ID)})
	}
	q := p.ask("saved", nil)
	var a struct {
		Saved []savedThing `json:"saved"`
	}
	if !q.ready(p.late) || q.into(&a) != nil {
		return list
	}
	for _, s := range a.Saved {
		if s.Kind == "goal" {
			list = append(list, goal{s.Name, s.Query})
		}
	}
	return list
}

// goalShown is the goal that the overview counts: that of the address, else the first.
func (p *page) goalShown() (g goal, ok bool) {
	list := p.goals()
	if query := p.state.get("_goal"); query != "" {
		for _, g := range list {
			if g.query == query {
				return g, true
			}
		}
		return goal{query, query}, true
	}
	if len(list) == 0 {
		return g, false
	}
	return list[0], true
}

// goalLinks choose the goal that is counted.
func (p *page) goalLinks(shown goal) (links []link) {
	for _, g := range p.goals() {
		links = append(links, link{Text: g.name, Href: p.href(p.state.with("_goal", g.query)), On: g == shown})
	}
	return links
}

// goalRow is a goal of the API.
type goalRow struct {
	Name           string   `json:"name"`
	Query          string   `json:"query"`
	Conversions    *float64 `json:"conversions"`
	Visitors       *float64 `json:"visitors"`
	ConversionRate *float64 `json:"conversion_rate"`
	Value          *float64 `json:"value"`
	Was            *goalRow `json:"was"`
}

// numbers are those of a table of goals.
func (g *goalRow) numbers() numbers {
	return numbers{Visitors: g.Visitors, Conversions: g.Conversions, ConversionRate: g.ConversionRate, GoalValue: g.Value}
}

// goalTable is the answer of goals as a table.
func (p *page) goalTable(q *asked) (t tableAnswer, f *failure) {
	var a struct {
		frameAnswer
		Goals []goalRow `json:"goals"`
		Count int       `json:"count"`
		Next  *string   `json:"next"`
	}
	if f := q.into(&a); f != nil {
		return t, f
	}
	p.note(&a.frameAnswer)
	t.Count, t.Next = a.Count, a.Next
	for i := range a.Goals {
		g := &a.Goals[i]
		r := row{value: &g.Name, goal: g.Query, numbers: g.numbers()}
		if g.Was != nil {
			was := g.Was.numbers()
			r.was = &was
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}
