package mcp

import (
	"net/url"
	"slices"
	"strings"

	"cairn/http/native"
)

// This file knows which screen of the dashboard shows what a question answers.

// screens are the screens below a site, by question. A question that is not here is on the first
// one, whose path is that of the site.
var screens = map[string]string{
	"pages": "pages", "aggregate": "numbers", "funnel": "funnels", "funnel/entities": "funnels", "retention": "retention",
	"retention/entities": "retention", "paths": "paths", "live": "live", "shop": "shop", "events": "events", "sessions": "people",
	"users": "people",
}

// notShown are parameters of which a screen knows nothing: it has its own pages and rows.
var notShown = []string{"site", "limit", "after", "order", "sort", "search", "at_least", "format", "max_age", "metrics", "at", "cell", "state", "field"}

// screenOf is the path of the screen, with its query. ranged says that the answer has a range, which
// is 30d where none was asked for; others are of all days then.
func screenOf(q *native.Question, site string, query url.Values, ranged bool) string {
	path := "/dashboard/site/" + url.PathEscape(site)
	screen := screens[q.Name]
	if screen != "" {
		path += "/" + screen
	}
	kept := make(url.Values)
	for name, values := range query {
		if slices.Contains(notShown, name) {
			continue
		}
		if p := q.Param(strings.TrimRight(name, "!~<>")); p == nil || screen == "" && !p.Filter && !slices.Contains(ofRange, name) {
			continue
		}
		kept[name] = values
	}
	if q.Range && query.Get("from") == "" && query.Get("to") == "" && query.Get("range") == "" {
		kept.Set("range", "all")
		if ranged {
			kept.Set("range", "30d") // a fresh screen compares, and leaves out bots
		}
	}
	if len(kept) > 0 {
		path += "?" + kept.Encode()
	}
	return path
}

// ofRange are the parameters that every screen takes.
var ofRange = []string{"range", "from", "to", "compare", "interval", "saved"}
