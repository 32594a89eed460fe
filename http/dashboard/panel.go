package dashboard

import (
	"strconv"
)

// This file is what a panel of a screen is, and how it looks in each of its states.

// panel is a part of a screen. It asks one question, which panels may share.
type panel struct {
	name  string // unique on its screen
	title string
	wide  bool   // it takes the whole width
	tabs  []tab  // of which one is open
	tab   string // the open one
	links []link // in place of tabs
	lines int    // about how high it is, for its place while it is counted
	every int    // after so many seconds it is asked again; 0 = with the page
	// decides says that the screen is 404 without what the panel shows, so that its answer is waited for.
	decides bool

	// ask begins the question; nil when the panel needs no answer. view makes what is shown of the
	// answer. A failure is shown in its place.
	ask  func() *asked
	view func(q *asked) (body, *failure)
	csv  func(q *asked) string // address of its table as CSV; nil = it has none
}

// csvOf is the address of an answer that is one table as CSV.
func (p *page) csvOf(q *asked) string { return p.apiHref(q.call, q.query, "csv") }

// tab is one of several tables that share a panel.
type tab struct{ name, title string }

// body is what a panel shows: exactly one of its parts.
type body struct {
	Tiles *tilesView
	Chart *chartPanel
	Table *tableView
	Grid  *HoursView
	Empty *emptyView

	SetUp, Arrived, Saved *setUpView
	peopleBody
	// Analysis is what the screens of funnels, retention, paths and numbers show.
	Analysis *analysisView
}

// emptyView says that there is nothing, and what would help.
type emptyView struct {
	Text  string
	Helps []link
}

// link is a link with its text.
type link struct {
	Text, Href, Title string
	On                bool // it is where we are
	Key               string
}

// panelView is a panel as its template takes it.
type panelView struct {
	Name, Title string
	Wide        bool
	Tabs        []link
	Lines       int
	Every       int
	Loading     bool
	Error       *errorView
	Body        body
	JSON, CSV   string // the call behind it
	Show        string // address of the page that waits for all of it
}

// errorView says what went wrong.
type errorView struct {
	Text   string
	Retry  string // address of the same panel
	Wait   int    // seconds after which it is worth another try; 0 = not by itself
	Login  string
	Status int
}

// viewOf makes the view of a panel. waited says that its answer is there, if it asks at all.
func (p *page) viewOf(n *panel, q *asked, waited bool) *panelView {
	v := &panelView{Name: n.name, Title: n.title, Wide: n.wide, Lines: n.lines, Every: n.every}
	for _, t := range n.tabs {
		v.Tabs = append(v.Tabs, link{Text: t.title, Href: p.href(p.state.anew().without("_open").openTab(n.tabs, t.name)), On: t.name == n.tab})
		if t.name == n.tab {
			v.Title = t.title
		}
	}
	if n.links != nil {
		v.Tabs = n.links
	}
	if p.embedded() {
		v.Tabs = nil
	}
	if q != nil {
		v.JSON = p.apiHref(q.call, q.query, "")
		if n.csv != nil {
			v.CSV = n.csv(q)
		}
	}
	if !waited {
		v.Loading = true
		v.Show = p.whenAll()
		return v
	}
	b, f := n.view(q)
	if f != nil && f.status == 404 && f.Field == "saved" {
		b, f = p.missing(textNoSaved, link{Text: textTakeOff, Href: p.href(p.state.anew().without("saved"))}), nil
	}
	if f != nil {
		v.Error, v.CSV = p.errorOf(f), ""
		return v
	}
	v.Body = b
	if q != nil && b.Table != nil {
		b.Table.CSV, b.Table.JSON = v.CSV, v.JSON
	}
	if b.Chart != nil {
		b.Chart.CSV, b.Chart.JSON = v.CSV, v.JSON
	}
	if b.Grid != nil {
		b.Grid.CSV = v.CSV
	}
	if b.Table == nil && b.Chart == nil && b.Grid == nil && b.Empty != nil {
		v.CSV = "" // of nothing
	}
	return v
}

// csvsOf are the tables of a screen as CSV.
func csvsOf(rows [][]*panelView) (links []link) {
	for _, row := range rows {
		for _, v := range row {
			if v.CSV != "" {
				links = append(links, link{Text: v.Title, Href: v.CSV})
			}
		}
	}
	return links
}

// openTab is the state with another tab of a panel.
func (s state) openTab(tabs []tab, name string) state {
	for _, t := range tabs {
		s = s.but("_tab", t.name)
	}
	if name == tabs[0].name {
		return s
	}
	return s.and("_tab", name)
}

// tabOf is the tab of a panel that is open.
func (s state) tabOf(tabs []tab) string {
	for _, name := range s.all("_tab") {
		for _, t := range tabs {
			if t.name == name {
				return name
			}
		}
	}
	return tabs[0].name
}

// errorOf says what went wrong with a panel, in a sentence, and what to do.
func (p *page) errorOf(f *failure) *errorView {
	e := &errorView{Text: f.Error, Retry: p.href(p.state), Status: f.status}
	switch {
	case f.status == 401:
		e.Text, e.Login, e.Retry = textLogin, p.d.path("login")+"?next="+escape(p.href(p.state)), ""
	case f.status == 403 && p.viewer.Share != nil:
		e.Text, e.Retry = textShare, ""
	case f.status == 503 && f.Error == "query_timeout":
		e.Text = textTooMuch
	case f.status == 429, f.status == 503:
		e.Text = textBusy
		e.Wait = max(1, int(f.wait.Seconds()))
	case f.status == 400:
		if f.Field != "" {
			e.Text = textBadField + f.Error
		}
		e.Retry = ""
	case f.File != "":
		e.Text = textDamage
		if p.viewer.Admin {
			e.Text += " " + textDamageFile + f.File
		}
	case f.status >= 500:
		e.Text = textFailed + " (" + strconv.Itoa(f.status) + ")"
	}
	return e
}
