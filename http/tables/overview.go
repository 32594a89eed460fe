package tables

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/http/native"
)

// This file is the overview: the first screen of the dashboard, with the same numbers and tables.

const overviewName = "overview"

// overviewMetrics are its numbers.
var overviewMetrics = []string{"visitors", "visits", "views", "views_per_visit", "bounce_rate", "duration"}

// goalMetrics are those of a goal, where one is asked for.
var goalMetrics = []string{"conversions", "conversion_rate"}

// overviewParts are the questions of the overview, and the parameters that are its own.
var overviewParts = []struct {
	question string
	own      url.Values
	leave    []string // parameters of the overview that this question is not asked with
}{
	{"visits", url.Values{"by": {"channel", "country", "browser"}, "sort": {"visitors"}}, nil},
	{"pages", nil, nil},
	{"breakdown", url.Values{"by": {"name"}, "type!": {"page", "screen"}}, []string{"interval"}},
}

// overviewOwn are parameters of its questions that the overview chooses itself.
var overviewOwn = []string{"by", "of", "metrics", "sort", "order", "after", "search", "at_least", "format"}

// OverviewParams are the parameters of the overview: those of visits, but for what it chooses itself.
func OverviewParams() (params []native.Param) {
	q, _ := native.QuestionNamed("visits")
	for _, p := range q.Params {
		if !slices.Contains(overviewOwn, p.Name) {
			params = append(params, p)
		}
	}
	return params
}

// overviewQuery is what one question of the overview is asked.
func overviewQuery(q *native.Question, query, own url.Values, leave []string) url.Values {
	asked := make(url.Values)
	for name, values := range query {
		if q.Param(strings.TrimRight(name, "!~<>")) != nil && !slices.Contains(leave, name) {
			asked[name] = append(asked[name], values...)
		}
	}
	for name, values := range own {
		asked[name] = append(asked[name], values...)
	}
	return asked
}

// OverviewAnswers asks the questions of the overview. The answers are under the names of the
// questions: site, visits, pages and breakdown, those of them that the site can have.
func OverviewAnswers(ask Ask, query url.Values) (map[string][]byte, error) {
	answers := make(map[string][]byte)
	get := func(name string, query url.Values) (object, error) {
		q, _ := native.QuestionNamed(name)
		text, err := ask(&q, query)
		if err != nil {
			return nil, err
		}
		answers[name] = text
		return parse(text)
	}
	of := make(url.Values)
	if site := query.Get("site"); site != "" {
		of.Set("site", site)
	}
	site, err := get("site", of)
	if err != nil {
		return nil, err
	}
	if events, _ := site.number("events"); events == 0 && site.text("first") == "" {
		return answers, nil
	}
	visits, views := visited(site)
	for _, part := range overviewParts {
		if part.question == "visits" && !visits || part.question == "pages" && !views {
			continue
		}
		q, _ := native.QuestionNamed(part.question)
		own := part.own
		if part.question == "visits" {
			keys := overviewMetrics
			if query.Get("goal") != "" {
				keys = slices.Concat(keys, goalMetrics)
			}
			own = url.Values{"metrics": {strings.Join(append(slices.Clone(keys), "bounces"), ",")}}
			for name, values := range part.own {
				own[name] = values
			}
		}
		leave := part.leave
		if part.question == "breakdown" && !visits {
			leave = nil
		}
		asked := overviewQuery(&q, query, own, leave)
		if part.question == "breakdown" && !visits && asked.Get("interval") == "" {
			asked.Set("interval", "day") // the graph is that of events
		}
		if _, err := get(part.question, asked); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// visited says whether a site can have visits, and page views: by the protocols of its events.
func visited(site object) (visits, views bool) {
	dialects := site.list("dialects")
	for _, d := range dialects {
		visits = visits || d != "oppizi"
		views = views || d != "oppizi" && d != "opentracker"
	}
	return visits || len(dialects) == 0, views || len(dialects) == 0
}

// Overview asks what the first screen of the dashboard shows: the numbers of visits, their days, and
// the tables channel, page, country, browser and name. query has what people ask for, of the
// parameters that OverviewParams gives.
func Overview(ask Ask, query url.Values, o Options) (*Report, error) {
	answers, err := OverviewAnswers(ask, query)
	if err != nil {
		return nil, err
	}
	return OverviewOf(answers, query, o)
}

// OverviewOf makes the overview of answers that OverviewAnswers gave.
func OverviewOf(answers map[string][]byte, query url.Values, o Options) (*Report, error) {
	r := &Report{Name: overviewName, Title: "Overview", Stepwise: query.Get("interval") != "", Zone: time.UTC}
	parts := make(map[string]*Report)
	for _, name := range []string{"site", "visits", "pages", "breakdown"} {
		text, asked := answers[name]
		if !asked {
			continue
		}
		q, _ := native.QuestionNamed(name)
		own := query
		for _, part := range overviewParts {
			if part.question == name {
				own = overviewQuery(&q, query, part.own, part.leave)
			}
		}
		part, err := Read(&q, own, text, o)
		if err != nil {
			return nil, err
		}
		parts[name] = part
	}
	if site := parts["site"]; site != nil {
		r.Site, r.Zone = site.Site, site.Zone
	}
	first := parts["visits"]
	if first == nil {
		first = parts["breakdown"]
	}
	if first == nil {
		r.Tail = []string{"This site has no events yet."}
		return r, nil
	}
	r.Zone, r.From, r.To, r.Until, r.AsOf, r.Compared, r.Site = first.Zone, first.From, first.To, first.Until, first.AsOf, first.Compared, first.Site
	r.Numbers = pick(first.Numbers, slices.Concat(overviewMetrics, goalMetrics, []string{"events", "users"}), parts["visits"] == nil)
	q, _ := native.QuestionNamed("visits")
	for _, l := range first.Head {
		if l.Name == "Filters" { // not those that the overview chooses itself
			if l.Text = strings.Join(filters(&q, query), ", "); l.Text == "" {
				continue
			}
		}
		r.Head = append(r.Head, l)
	}
	for _, s := range first.Series {
		if s.Key != "" && slices.ContainsFunc(r.Numbers, func(n Number) bool { return n.Key == s.Key }) {
			r.Series = append(r.Series, s)
		}
	}
	if parts["visits"] == nil {
		if s := sum(first.Series); s != nil {
			r.Series = []Series{*s}
		}
	}
	for _, of := range []struct{ part, table string }{{"visits", "channel"}, {"pages", "page"}, {"visits", "country"}, {"visits", "browser"}, {"breakdown", "name"}} {
		if part := parts[of.part]; part != nil {
			for _, t := range part.Tables {
				if t.Name == of.table {
					r.Tables = append(r.Tables, t.short())
				}
			}
		}
	}
	return r, nil
}

// pick are the numbers of some keys; those of visits have no events among them.
func pick(numbers []Number, keys []string, events bool) (list []Number) {
	for _, key := range keys {
		for _, n := range numbers {
			if n.Key == key && (events || key != "events" && key != "users") {
				list = append(list, n)
			}
		}
	}
	return list
}

// sum adds up series whose steps are the same.
func sum(list []Series) *Series {
	if len(list) == 0 {
		return nil
	}
	f := newFormat(time.UTC)
	s := list[0]
	s.Key, s.Title, s.Steps = "events", "Events", slices.Clone(s.Steps)
	for i := range s.Steps {
		x := 0.0
		for _, one := range list {
			if i < len(one.Steps) {
				x += one.Steps[i].Cell.Number
			}
		}
		s.Steps[i].Cell = Cell{Text: f.number(KindCount, x), Number: x, Has: true}
	}
	return &s
}

// short is a table with its text and its first number alone: what fits beside others.
func (t Table) short() Table {
	t.Next = "" // the overview has no pages
	n := 0
	for n < len(t.Columns) && !t.Columns[n].Kind.Right() {
		n++
	}
	n = min(n+1, len(t.Columns))
	t.Columns = t.Columns[:n:n]
	rows := t.Rows
	t.Rows = make([]Row, len(rows))
	for i, row := range rows {
		row.Cells = row.Cells[:n:n]
		row.Spark = nil
		t.Rows[i] = row
	}
	return t
}
