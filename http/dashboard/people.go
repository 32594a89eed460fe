package dashboard

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file is the screen of people: who they are, and the visits of all.

const (
	peopleShort = 100  // people that are listed at first
	peopleFull  = 1000 // people that are listed at all: the call knows no pages in this order
	visitsPage  = 100  // visits that a page of their list has
)

// peopleTabs are what the screen of people lists.
var peopleTabs = []tab{{"people", "People"}, {"visits", "Visits"}}

// userData is a person of the API.
type userData struct {
	ID         string    `json:"id"`
	Properties rawObject `json:"properties"`
	Aliases    []string  `json:"aliases"`
	Anonymous  []string  `json:"anonymous"`
	Groups     []string  `json:"groups"`
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`
	Events     uint64    `json:"events"`
	Sessions   uint64    `json:"sessions"`
	IDsNext    string    `json:"ids_next"`
}

// called is what a person is called by their own properties; "" = nothing says so.
func (u *userData) called() string {
	have := map[string]string{}
	for _, n := range nodesOf(u.Properties.raw, nodesMax) {
		if n.leaf && n.depth == 0 && !n.null && have[n.path] == "" {
			have[strings.ToLower(n.path)] = n.text
		}
	}
	for _, key := range []string{"name", "email", "username", "login"} {
		if have[key] != "" {
			return have[key]
		}
	}
	for _, first := range []string{"first_name", "firstname"} {
		if have[first] != "" {
			return strings.TrimSpace(have[first] + " " + have[strings.Replace(first, "first", "last", 1)])
		}
	}
	return ""
}

// peopleScreen are the panels of the lists of people and of visits.
func peopleScreen(p *page) [][]*panel {
	n := &panel{name: "people", title: "People", tabs: peopleTabs, tab: p.state.tabOf(peopleTabs), lines: 30, wide: true}
	if n.tab == "visits" {
		own := state{{"limit", strconv.Itoa(visitsPage)}, {"after", p.state.get("after")}}
		n.ask = func() *asked { return p.ask("sessions", own) }
		n.csv = p.csvOf
		n.view = func(q *asked) (body, *failure) { return p.visitsBody(q, own) }
		return [][]*panel{{n}}
	}
	limit := peopleShort
	if p.state.get("_all") != "" {
		limit = peopleFull
	}
	own := state{{"limit", strconv.Itoa(limit)}, {"sort", "last"}}
	ask := func() *asked { return p.ask("users", own) }
	var last *asked // among whom a name is looked for, which no filter of events has
	n.ask = ask
	if search := p.state.get("_find"); search != "" {
		own = append(own, pair{"user~", "*" + strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(search) + "*"})
		n.ask = func() *asked {
			last = p.ask("users", state{{"limit", strconv.Itoa(peopleFull)}, {"sort", "last"}})
			return together(ask(), last)
		}
	}
	n.csv = func(*asked) string { return p.apiHref("users", p.question("users", own.without("sort")), "csv") } // all of them have another order
	n.view = func(q *asked) (body, *failure) { return p.peopleBody(q, last, own, limit) }
	return [][]*panel{{n}}
}

// peopleView is a list of people as its template takes it.
type peopleView struct {
	searchView
	Rows []personRow
	CSV  string
	All  string // address of a longer list
	Note string // that there are more
	None string // that nobody was found
}

// searchView is a form that searches.
type searchView struct {
	Search string
	Keep   []pairView
	Action string
}

// personRow is a line of a list of people.
type personRow struct {
	ID, Called, Href string
	First, Last      timeView
	LastAgo          string
	Events, Visits   string
	Anonymous        bool
}

// search makes the form that searches under a key of the address.
func (p *page) search(key string) searchView {
	return searchView{Search: p.state.get(key), Action: p.href(nil), Keep: p.state.anew().without(key).inputs()}
}

// usersAnswer is a list of people of the API.
type usersAnswer struct {
	Users []userData `json:"users"`
}

// namedAlso adds those of last whom the search finds by what the list calls them, or by another id.
func (a *usersAnswer) namedAlso(last *usersAnswer, search string) {
	search = strings.ToLower(search)
	there := map[string]bool{}
	for i := range a.Users {
		there[a.Users[i].ID] = true
	}
	for i := range last.Users {
		u := &last.Users[i]
		has := func(text string) bool { return strings.Contains(strings.ToLower(text), search) }
		if !there[u.ID] && (has(u.called()) || has(u.ID) || slices.ContainsFunc(u.Aliases, has) || slices.ContainsFunc(u.Anonymous, has)) {
			a.Users = append(a.Users, *u)
		}
	}
	slices.SortStableFunc(a.Users, func(x, y userData) int { return y.LastSeen.Compare(x.LastSeen) })
}

// peopleBody is the body of a list of people. last is nil unless they are searched.
func (p *page) peopleBody(q, last *asked, own state, limit int) (body, *failure) {
	var a usersAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	full := len(a.Users) == limit
	if last != nil {
		var named usersAnswer
		if f := last.into(&named); f != nil {
			return body{}, f
		}
		a.namedAlso(&named, p.state.get("_find"))
	}
	v := &peopleView{searchView: p.search("_find"), CSV: p.apiHref("users", p.question("users", own.without("sort")), "csv")}
	if last != nil {
		v.None = textNoPerson
	}
	if len(a.Users) == 0 && v.Search == "" {
		return body{Empty: p.empty()}, nil
	}
	for i := range a.Users {
		u := &a.Users[i]
		r := personRow{ID: u.ID, Called: u.called(), Href: p.personHref(u.ID), First: p.timeOf(u.FirstSeen), Last: p.timeOf(u.LastSeen),
			LastAgo: p.locale.Ago(u.LastSeen), Events: p.locale.Number(u.Events), Visits: p.locale.Number(u.Sessions)}
		for _, id := range u.Anonymous {
			r.Anonymous = r.Anonymous || id == u.ID
		}
		if r.Called == r.ID {
			r.Called = ""
		}
		v.Rows = append(v.Rows, r)
	}
	if full {
		v.Note = "The " + p.locale.Number(uint64(limit)) + " who were here last."
		if limit == peopleShort {
			v.All = p.href(p.state.with("_all", "1"))
		}
	}
	return body{peopleBody: peopleBody{People: v}}, nil
}

// visitsView is a list of visits as its template takes it.
type visitsView struct {
	Caption       string
	Rows          []visitRow
	CSV           string
	Older, Newest string // addresses of other pages; "" = there are none
	People        bool   // each says whose it is
}

// visitRow is a line of a list of visits.
type visitRow struct {
	Href            string
	Start           timeView
	Person, Whose   string // id, and address of the person
	Source          string
	Entry, Exit     string
	Duration        string
	Events          string
	Marks           []markView
	Open            *storyView
	OpenID          string
	Toggle, Toggled string
}

// markView is something that a visit reached.
type markView struct{ Kind, Text string }

// visitsBody is the body of a list of visits.
func (p *page) visitsBody(q *asked, own state) (body, *failure) {
	var a visitsAnswer
	if f := q.into(&a); f != nil {
		return body{}, f
	}
	if len(a.Sessions) == 0 {
		e := p.empty()
		if p.info.Events != 0 {
			e.Text = textNoVisits
		}
		return body{Empty: e}, nil
	}
	v := &visitsView{Caption: "Visits", People: true, CSV: p.apiHref("sessions", p.question("sessions", own), "csv")}
	for i := range a.Sessions {
		v.Rows = append(v.Rows, p.visitRow(&a.Sessions[i]))
	}
	if a.Next != nil {
		v.Older = p.href(p.state.with("after", *a.Next))
	}
	if p.state.get("after") != "" {
		v.Newest = p.href(p.state.anew())
	}
	return body{peopleBody: peopleBody{Visits: v}}, nil
}
