package dashboard

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"cairn/http/dialect"
)

// This file answers a screen of a share with one of its tables as CSV, for spreadsheets: they know
// an address and no more. The answer is that of the link to CSV which the panel has.

// asTable says whether the screen is asked for as a table.
func (p *page) asTable() bool {
	return p.viewer.Share != nil && !p.embedded() && p.state.get("_format") != ""
}

// sendTable answers with a table of the screen: the only one, or that of the panel which _panel names.
func (p *page) sendTable(ctx context.Context, rows [][]*panel, res *dialect.Response) {
	if p.state.get("_format") != "csv" {
		p.refuseTable(res, 400, "_format", textFormat)
		return
	}
	tables := slices.DeleteFunc(slices.Concat(rows...), func(n *panel) bool { return n.csv == nil })
	name := p.state.get("_panel")
	at := slices.IndexFunc(tables, func(n *panel) bool { return n.name == name })
	switch {
	case len(tables) == 0:
		p.refuseTable(res, 400, "_format", textNoTable)
		return
	case name == "" && len(tables) == 1:
		at = 0
	case name == "":
		p.refuseTable(res, 400, "_panel", textWhichTable+tableNames(tables))
		return
	case at < 0:
		p.refuseTable(res, 400, "_panel", textNoSuchTable+tableNames(tables))
		return
	}
	n := tables[at]
	for _, name := range p.state.all("_tab") { // an address may hold the tabs of other tables, too
		if !slices.ContainsFunc(tables, func(n *panel) bool { return slices.ContainsFunc(n.tabs, func(t tab) bool { return t.name == name }) }) {
			p.refuseTable(res, 400, "_tab", textNoSuchTab+tableNames(tables))
			return
		}
	}
	p.asks.idle = true // of the question the link needs the words alone
	link := strings.TrimPrefix(n.csv(n.ask()), p.viewer.Share.Base+"/data/")
	call, query, _ := strings.Cut(link, "?")
	p.d.send(ctx, p.req, res, p.viewer, call, query)
}

// tableNames lists the tables of a screen: the names of panels, and the tabs of those that have some.
func tableNames(tables []*panel) string {
	var names []string
	for _, n := range tables {
		name := n.name
		if len(n.tabs) > 0 {
			name += " (_tab: " + tabNames(n.tabs) + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func tabNames(tabs []tab) string {
	var names []string
	for _, t := range tabs {
		names = append(names, t.name)
	}
	return strings.Join(names, " ")
}

// refuseTable answers as the API does.
func (p *page) refuseTable(res *dialect.Response, status int, field, text string) {
	body, err := json.Marshal(struct {
		Error  string `json:"error"`
		Field  string `json:"field"`
		Status int    `json:"status"`
	}{field + ": " + text, field, status})
	if err != nil {
		panic(err) // texts are constants
	}
	res.Status, res.ContentType, res.Body = status, "application/json", append(append(res.Body[:0], body...), '\n')
	head(res, "Cache-Control", "no-store")
}
