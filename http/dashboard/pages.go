package dashboard

import "slices"

// This file is the screen of all pages, and that of one page: its numbers, what comes before and
// after it, and where its visits come from.

// pagesScreen is the table of all pages.
func pagesScreen(p *page) [][]*panel {
	n := &panel{name: "pages", title: "Pages", tabs: []tab{{"page", "Pages"}, {"title", "Titles"}, {"host", "Hosts"}, {"url", "Addresses"}}, lines: 30, wide: true}
	n.tab = p.state.tabOf(n.tabs)
	t := tableOf("page")
	t.by, t.code = n.tab, n.tab != "title"
	t.own = state{{"of", n.tab}}
	if t.open = n.tab == "page"; !t.open {
		t.filter = n.tab
	}
	p.fill(n, t, true)
	p.stays(n)
	return [][]*panel{{n}}
}

// onePage is the screen of a page: /page?_page=PATH.
func onePage(p *page) [][]*panel {
	path := p.state.get("_page")
	if path == "" {
		return pagesScreen(p)
	}
	p.heading = path
	own := state{{"page", path}}
	numbers := func() *asked { return p.ask("pages", append(own, pair{"limit", "1"})) }
	course := func() *asked {
		return p.ask("visits", append(own, pair{"by", "source"}, pair{"limit", "10"}, pair{"sort", "visitors"}, only(slices.Concat(tileMetrics, metricsOf("bounces")))))
	}
	anchor := "type=page&page=" + escape(path)
	t := tableOf("source")
	t.own = append(append(state{}, own...), t.own...)
	full := p.state.get("_full")
	sources := &panel{name: "sources", title: "Where its visits came from", lines: rowsShort}
	if p.fill(sources, t, full == sources.name); full != sources.name {
		sources.ask = course
	}
	outlinks, searches, events := p.fromPage("outlinks", "Outlinks from it", "outlink", path), p.fromPage("searches", "Searches from it", "search", path), p.fromPage("events", "Events on it", "", path)
	for _, n := range []*panel{sources, outlinks, searches, events} {
		if n.name == full {
			n.wide = true
			return [][]*panel{{n}}
		}
	}
	return [][]*panel{
		{{name: "numbers", title: path, wide: true, lines: 3, ask: numbers, view: func(q *asked) (body, *failure) { return p.pageTiles(q) }}},
		{p.chart(course)},
		{p.neighbours("before", "Before it", state{{"end", anchor}}), p.neighbours("after", "After it", state{{"start", anchor}})},
		{sources, outlinks},
		{searches, events},
	}
}

// stays says that a whole table is all of its screen: no link leads back.
func (p *page) stays(n *panel) {
	view := n.view
	n.view = func(q *asked) (body, *failure) {
		b, f := view(q)
		if b.Table != nil {
			b.Table.Back = ""
		}
		return b, f
	}
}

// pageTiles are the numbers of one page.
func (p *page) pageTiles(q *asked) (body, *failure) {
	a, f := p.rowsOf(q)
	if f != nil {
		return body{}, f
	}
	if len(a.Rows) == 0 {
		return body{Empty: p.empty()}, nil
	}
	return body{Tiles: p.viewTiles(tableOf("page").columns, &a.Rows[0].numbers, a.Rows[0].was)}, nil
}

// neighbours are the pages seen just before or after.
func (p *page) neighbours(name, title string, own state) *panel {
	own = append(own, pair{"anchor", "each"}, pair{"depth", "1"}, pair{"limit", "10"})
	n := &panel{name: name, title: title, lines: rowsShort, ask: func() *asked { return p.ask("paths", own) }, csv: p.csvOf}
	n.view = func(q *asked) (body, *failure) {
		var a struct {
			frameAnswer
			Anchored float64 `json:"anchored"`
			Columns  []struct {
				Rows []struct {
					Label *string `json:"label"`
					Count float64 `json:"count"`
				} `json:"rows"`
				Other, Stopped float64
			} `json:"columns"`
		}
		if f := q.into(&a); f != nil {
			return body{}, f
		}
		p.note(&a.frameAnswer)
		if len(a.Columns) == 0 || a.Anchored == 0 {
			return body{Empty: p.empty()}, nil
		}
		c := a.Columns[0]
		v := &tableView{Caption: title, Head: "Page", Columns: []columnView{{Title: "Views", Help: metricOf("views").help}}}
		add := func(text string, count float64, href string, none bool) {
			share := count / a.Anchored
			v.Rows = append(v.Rows, rowView{Text: text, Title: text, None: none, Code: !none, Href: href, Bar: percent(share), Cells: []cellView{{Text: p.number(unitCount, &count), Share: p.locale.Percent(share)}}})
		}
		for _, r := range c.Rows {
			if r.Label == nil {
				add(textNoValue, r.Count, "", true)
				continue
			}
			add(*r.Label, r.Count, p.screenHref("page", p.state.anew().with("_page", *r.Label)), false)
		}
		if c.Other > 0 {
			add("other pages", c.Other, "", true)
		}
		if c.Stopped > 0 {
			text := "the visit ended"
			if name == "before" {
				text = "the visit began here"
			}
			add(text, c.Stopped, "", true)
		}
		return body{Table: v}, nil
	}
	return n
}

// fromPage are events that were sent from a page.
func (p *page) fromPage(name, title, kind, path string) *panel {
	t := tableOf("name")
	own := append(append(state{}, t.own...), pair{"page", path})
	if kind != "" {
		own = state{{"by", "name"}, {"type", kind}, {"page", path}}
	}
	t.own = own
	n := &panel{name: name, title: title, lines: rowsShort}
	p.fill(n, t, p.state.get("_full") == name)
	return n
}
