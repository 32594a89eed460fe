package dashboard

// This file is the form of an analysis but for funnels: what it looks for, in lines, and how it
// counts, in lists. It works without script.

// analysisForm is such a form.
type analysisForm struct {
	Action  string
	Keep    []pairView
	Help    string // a sentence that says what the screen tells
	Lines   []formLine
	Choices []choiceList
	Inputs  []inputView
	Lists   suggestionsView
}

// formLine is a filter of a form, with a name or a list before it.
type formLine struct {
	Title   string
	Choice  *choiceList
	Matcher matcherView
}

// inputView is a text of a form.
type inputView struct{ Label, Name, Value, Help, Placeholder string }

// formPanel is the panel of the form of a screen. own are the parameters of the address that it
// replaces.
func (p *page) formPanel(title string, own []string, fill func(v *analysisForm)) *panel {
	s := p.suggest("form")
	return &panel{name: "form", title: title, wide: true, view: func(*asked) (body, *failure) {
		v := &analysisForm{Action: p.href(nil), Lists: s.lists(p)}
		v.Keep = p.state.anew().without(own...).without(entityKeys...).inputs()
		fill(v)
		return body{Analysis: &analysisView{Form: v}}, nil
	}}
}

// formMatcher is the filter of a form as the address has it: a query, "" when it says nothing.
func (p *page) formMatcher(number int) string {
	m, _ := readMatcher(p.state, number)
	return m.query()
}

// held returns the parameters of some names that a state has, with all of their values.
func (s state) held(names []string) (own state) {
	for _, name := range names {
		for _, v := range s.all(name) {
			if v != "" {
				own = append(own, pair{name, v})
			}
		}
	}
	return own
}
