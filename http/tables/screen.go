package tables

import (
	"net/url"
	"slices"
	"strings"
	"time"

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

// ofRange are the parameters that every screen takes.
var ofRange = []string{"range", "from", "to", "compare", "interval", "saved"}

// Screen is the path of the screen of a site that shows the answer of a question, with its query. nil
// is the overview. ranged says that the answer has a range, which is 30d where none was asked for;
// others are of all days then.
func Screen(q *native.Question, site string, query url.Values, ranged bool) string {
	path := "/dashboard/site/" + url.PathEscape(site)
	if q == nil {
		first, _ := native.QuestionNamed("visits")
		q = &first
	}
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

// Lasting is a query whose range means the same days later: "lastweek" becomes the days of the report.
// A range that is no whole days stays.
func (r *Report) Lasting(query url.Values) url.Values {
	from, to, whole := r.Days()
	if !whole || query.Get("range") == "all" {
		return query
	}
	lasting := make(url.Values)
	for name, values := range query {
		lasting[name] = values
	}
	lasting.Del("range")
	lasting.Set("from", from.Format(time.DateOnly))
	lasting.Set("to", to.Format(time.DateOnly))
	return lasting
}
