package dashboard

// This file lists the people or visits behind a number of an analysis.

// seesPeople says whether the viewer may see who is behind a number.
func (p *page) seesPeople() bool { return p.viewer.Share == nil || p.viewer.Share.People }

// entitiesPage is how many of them a page has.
const entitiesPage = "100"

// entityKeys are what an address has of a list of people, beside the analysis itself.
var entityKeys = []string{"_at", "_state", "_cell", "after"}

// entitiesView is such a list.
type entitiesView struct {
	Back        string
	Text        string // what they have in common
	Links       []link
	First, Next string
}

// entities is the panel of a list. call has parameters of its own. visits says that it lists
// visits by their keys, not people by their ids.
func (p *page) entities(call string, own state, title, text string, visits bool) *panel {
	own = append(own, pair{"limit", entitiesPage}, pair{"after", p.state.get("after")})
	return &panel{name: "entities", title: title, wide: true, lines: 30, ask: func() *asked { return p.ask(call, own) }, view: func(q *asked) (body, *failure) {
		var a struct {
			frameAnswer
			Entities []string `json:"entities"`
			Next     *string  `json:"next"`
		}
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		v := &entitiesView{Back: p.href(p.state.without(entityKeys...)), Text: text}
		if len(a.Entities) == 0 {
			return body{Empty: &emptyView{Text: textNobody, Helps: []link{{Text: "Back", Href: v.Back}}}}, nil
		}
		for _, id := range a.Entities {
			href := p.personHref(id)
			if visits {
				href = p.screenHref("visit", p.state.common(), id)
			}
			v.Links = append(v.Links, link{Text: id, Href: href})
		}
		if a.Next != nil {
			v.Next = p.href(p.state.with("after", *a.Next))
		}
		if p.state.get("after") != "" {
			v.First = p.href(p.state.without("after"))
		}
		return body{Analysis: &analysisView{Entities: v}}, nil
	}}
}
