// The model's report of visits: each visit is put together from all events of the log.

package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/referrer"
)

// seenVisit is a session in a span of time.
type seenVisit struct {
	ord     uint64
	begin   int64
	rows    []*event.Event // in order of time, then seq
	who     *person
	isNew   bool
	length  int64 // ms
	source  *event.Event
	outside bool // the source row has a referrer that is not one of the site's
	named   [2]string
}

var isAction = map[event.Type]bool{event.Page: true, event.Screen: true, event.Track: true, event.Download: true, event.Outlink: true, event.Search: true}

func isPageView(e *event.Event) bool { return e.Type == event.Page || e.Type == event.Screen }

func modelPage(e *event.Event) string { return cmp.Or(e.Context.Get("path").Text, e.Name) }

func (v *seenVisit) views() (views []*event.Event) {
	for _, e := range v.rows {
		if isPageView(e) {
			views = append(views, e)
		}
	}
	return views
}

// seenVisits returns the counted visits of a span.
func (s *modelSite) seenVisits(site *query.Site, span query.Span) (visits []*seenVisit) {
	bySession := map[uint64]*seenVisit{}
	people := s.persons()
	for _, e := range s.living() {
		if e.SessionOrd == 0 || !span.Holds(e.Time) {
			continue
		}
		v := bySession[e.SessionOrd]
		if v == nil {
			v = &seenVisit{ord: e.SessionOrd, begin: -1}
			bySession[e.SessionOrd] = v
		}
		v.rows = append(v.rows, e)
		if e == s.beginOf(e.SessionOrd) {
			v.begin = e.Time
		}
	}
	bare := map[*person]*seenVisit{}
	for _, ord := range slices.Sorted(maps.Keys(bySession)) {
		v := bySession[ord]
		if v.begin < 0 || !slices.ContainsFunc(v.rows, func(e *event.Event) bool { return isAction[e.Type] }) {
			continue
		}
		slices.SortFunc(v.rows, func(a, b *event.Event) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)) })
		for _, e := range v.rows {
			if v.who = people.of[e.Seq-1]; v.who != nil {
				break
			}
		}
		if v.who != nil {
			root := v.who.first
			if v.isNew = root.Seq >= ord; !v.isNew && !s.deleted[root.Seq] && root.SessionOrd == 0 && bare[v.who] == nil {
				bare[v.who] = v
				v.isNew = v.begin-root.Time <= 30*60_000 && root.Time < span.To && root.Time >= span.From-30*60_000
			}
		}
		v.length = v.rows[len(v.rows)-1].Time - v.rows[0].Time
		if v.rows[0].Dialect == event.Matomo {
			until := v.rows[len(v.rows)-1].Time
			for _, hit := range s.hits.all {
				if hit.ord == ord {
					until = max(until, min(hit.ping, span.To))
				}
			}
			if until > v.rows[0].Time {
				v.length = until - v.rows[0].Time + 1000
			}
		}
		v.findSource(site)
		visits = append(visits, v)
	}
	return visits
}

func (v *seenVisit) findSource(site *query.Site) {
	own := map[string]bool{}
	for _, h := range site.Hosts {
		own[referrer.BareHost(h)] = true
	}
	tagged := false
	for _, e := range v.rows {
		own[referrer.HostOf(e.Context.Get("url").Text)] = true
		tagged = tagged || hasTag(e)
	}
	foreign := func(e *event.Event) bool { return !own[referrer.BareHost(e.Context.Get("referrer_host").Text)] }
	own[""] = true
	for _, e := range v.rows {
		if hasTag(e) || e.Context.Get("click_id").Text != "" || foreign(e) {
			v.source, v.outside = e, foreign(e)
			break
		}
	}
	if views := v.views(); len(views) > 0 && views[0].Type == event.Page && !tagged && views[0].Extra.Get("_rcn").Text != "" {
		v.named = [2]string{views[0].Extra.Get("_rcn").Text, views[0].Extra.Get("_rck").Text}
	}
}

func hasTag(e *event.Event) bool {
	return slices.ContainsFunc([]string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}, func(key string) bool { return e.Context.Get(key).Text != "" })
}

// value returns the visit's value of a dimension and what it lies in; "" = none.
func (v *seenVisit) value(name string, zone *time.Location) string {
	views := v.views()
	begin := time.UnixMilli(v.begin).In(zone)
	weekday := strconv.Itoa((int(begin.Weekday())+6)%7 + 1)
	band := func(n int64, bands string) string {
		found := ""
		for b := range strings.FieldsSeq(bands) {
			from, _, _ := strings.Cut(strings.TrimRight(b, "s+"), "-")
			if least, _ := strconv.ParseInt(from, 10, 64); n >= least {
				found = b
			}
		}
		return found
	}
	of := func(key string) string {
		if v.source == nil {
			return ""
		}
		return v.source.Context.Get(key).Text
	}
	switch name {
	case "entry", "exit", "host":
		if len(views) == 0 {
			return ""
		}
		switch name {
		case "entry":
			return modelPage(views[0])
		case "exit":
			return modelPage(views[len(views)-1])
		}
		return referrer.HostOf(views[0].Context.Get("url").Text)
	case "new":
		return strconv.FormatBool(v.isNew)
	case "weekday":
		return weekday
	case "hour":
		return strconv.Itoa(begin.Hour())
	case "weekhour":
		return fmt.Sprintf("%s-%02d", weekday, begin.Hour())
	case "length":
		return band(v.length/1000, "0s 1-10s 11-30s 31-60s 61-120s 121-240s 241-420s 421-600s 601-900s 901-1800s 1801s+")
	case "depth":
		return band(int64(len(views)), "0 1 2 3 4 5 6-7 8-10 11-14 15-20 21+")
	case "medium", "content":
		return of("utm_" + name)
	case "campaign":
		return cmp.Or(v.named[0], of("utm_campaign"))
	case "term":
		if v.named[0] != "" {
			return v.named[1]
		}
		return of("utm_term")
	case "source", "channel":
		facts := referrer.Facts{}
		if v.source != nil {
			facts = referrer.Facts{Source: of("utm_source"), Medium: of("utm_medium"), Campaign: hasTag(v.source), Click: of("click_id") != ""}
			if v.outside {
				facts.Host = referrer.BareHost(of("referrer_host"))
			}
		}
		if name == "source" {
			return facts.Name()
		}
		if channel := facts.Channel(); channel != "direct" || v.named[0] == "" {
			return channel
		}
		return "campaign"
	case "referrer", "referrer_host":
		if !v.outside {
			return ""
		}
		text, _, _ := strings.Cut(of(name), "?")
		text, _, _ = strings.Cut(text, "#")
		return text
	case "dialect":
		return string(v.rows[0].Dialect)
	}
	for _, e := range v.rows {
		switch {
		case name == "group":
			if len(e.Groups) > 0 {
				return e.Groups[0]
			}
		case e.Context.Get(name).Text != "":
			text := e.Context.Get(name).Text
			if name == "region" {
				return e.Context.Get("country").Text + "/" + text
			}
			return text
		}
	}
	return ""
}

// visitReport computes a report of visits; its tables have every row, in no order.
func (s *modelSite) visitReport(q query.VisitsQuery) *query.VisitsAnswer {
	a := &query.VisitsAnswer{Series: make([]query.VisitNumbers, len(q.Steps)), By: make([]query.VisitTable, len(q.By))}
	zone := q.Site.Location
	if zone == nil {
		zone = time.UTC
	}
	step := func(at int64) int {
		i := 0
		for i+1 < len(q.Steps) && q.Steps[i+1] <= at {
			i++
		}
		return i
	}
	var plain, about []query.Cond
	for _, c := range q.Where {
		if c.Visit {
			about = append(about, c)
		} else {
			plain = append(plain, c)
		}
	}
	type part struct {
		*query.VisitNumbers
		who     map[*person]bool
		seconds []int64
	}
	parts := map[string]*part{}
	get := func(key string, n *query.VisitNumbers) *part {
		if parts[key] == nil {
			parts[key] = &part{VisitNumbers: n, who: map[*person]bool{}}
		}
		return parts[key]
	}
	rows := make([]map[string]*query.VisitRow, len(q.By))
	earliest := make([]map[string]*event.Event, len(q.By))
	counted := map[uint64]bool{}
	for _, v := range s.seenVisits(q.Site, q.Span) {
		ok := s.visitHolds(q.Site, v, about)
		if counted[v.ord] = ok; !ok {
			continue
		}
		if len(plain) > 0 && !slices.ContainsFunc(v.rows, func(e *event.Event) bool { return s.matches(e, plain, 0, 0) }) {
			continue
		}
		into := []*part{get("total", &a.Total)}
		if len(q.Steps) > 0 {
			i := step(v.begin)
			into = append(into, get(fmt.Sprint("step", i), &a.Series[i]))
		}
		for i, name := range q.By {
			value := v.value(name, zone)
			key := value
			at := v.source
			switch name {
			case "source", "medium", "campaign", "term", "content":
				key = strings.ToLower(value)
				if v.named[0] != "" && (name == "campaign" || name == "term") {
					at = v.views()[0]
				}
			}
			if rows[i] == nil {
				rows[i], earliest[i] = map[string]*query.VisitRow{}, map[string]*event.Event{}
			}
			row := rows[i][key]
			if row == nil {
				row = &query.VisitRow{}
				rows[i][key] = row
				row.Value = query.Text{Text: value, Null: value == ""}
				earliest[i][key] = at
			}
			if was := earliest[i][key]; was != nil && at != nil && (at.Time < was.Time || at.Time == was.Time && at.Seq < was.Seq) {
				earliest[i][key], row.Value.Text = at, value
			}
			into = append(into, get(fmt.Sprint("row", i, key), &row.VisitNumbers))
		}
		for _, p := range into {
			s.addVisit(p.VisitNumbers, v, q.Goal)
			if v.who != nil {
				p.who[v.who] = true
			}
			p.seconds = append(p.seconds, v.length/1000)
		}
	}
	for _, p := range parts {
		p.Visitors = uint64(len(p.who))
		slices.Sort(p.seconds)
		p.Median = p.seconds[(len(p.seconds)+1)/2-1]
	}
	for i := range a.Series {
		a.Series[i].Median = 0 // steps have none
	}
	for i := range rows {
		for _, row := range rows[i] {
			row.Views = row.VisitViews
			if q.By[i] == "region" && !row.Value.Null {
				country, region, _ := strings.Cut(row.Value.Text, "/")
				row.Value.Text, row.In = region, []string{country}
			}
			a.By[i].Rows = append(a.By[i].Rows, *row)
		}
	}
	for _, e := range s.living() {
		if !s.matches(e, plain, 0, 0) || !q.Span.Holds(e.Time) {
			continue
		}
		if is, known := counted[e.SessionOrd]; known && !is || !known && slices.ContainsFunc(about, func(c query.Cond) bool { return c.Op != query.OpNot }) {
			continue
		}
		into := []*query.VisitNumbers{&a.Total}
		if len(q.Steps) > 0 {
			into = append(into, &a.Series[step(e.Time)])
		}
		for _, n := range into {
			n.Events++
			if isPageView(e) {
				n.Views++
			}
		}
	}
	return a
}

// about splits conditions, and returns which rows satisfy them all in a span.
func (s *modelSite) rowsOf(q *query.Report) (satisfied func(*event.Event) bool, keeps map[uint64]bool) {
	var plain, about []query.Cond
	for _, c := range q.Where {
		if c.Visit {
			about = append(about, c)
		} else {
			plain = append(plain, c)
		}
	}
	keeps = map[uint64]bool{}
	for _, v := range s.seenVisits(q.Site, q.Span) {
		keeps[v.ord] = s.visitHolds(q.Site, v, about)
	}
	return func(e *event.Event) bool {
		is, known := keeps[e.SessionOrd]
		if known && !is || !known && slices.ContainsFunc(about, func(c query.Cond) bool { return c.Op != query.OpNot }) {
			return false
		}
		return s.matches(e, plain, 0, 0) && q.Holds(e.Time)
	}, keeps
}

// visitHolds reports whether a visit satisfies conditions on visits.
func (s *modelSite) visitHolds(site *query.Site, v *seenVisit, about []query.Cond) bool {
	zone := site.Location
	if zone == nil {
		zone = time.UTC
	}
	for _, c := range about {
		value := v.value(c.Field, zone)
		is := slices.Contains(c.Values, value)
		switch c.Field {
		case "source", "campaign":
			is = slices.ContainsFunc(c.Values, func(want string) bool { return strings.EqualFold(want, value) && value != "" })
		case "name", "type", "prop.plan":
			row := c
			row.Visit, row.Op = false, ""
			is = slices.ContainsFunc(v.rows, func(e *event.Event) bool { return s.holds(e, row) })
		}
		if is == (c.Op == query.OpNot) {
			return false
		}
	}
	return true
}

// pageReport computes a report of pages, in the order of their values.
func (s *modelSite) pageReport(q query.PagesQuery) *query.PagesAnswer {
	label := func(e *event.Event) query.Text {
		text := ""
		switch q.Of {
		case "page":
			text = modelPage(e)
		case "url", "title":
			text = e.Context.Get(q.Of).Text
		case "host":
			text = referrer.HostOf(e.Context.Get("url").Text)
		}
		return query.Text{Text: text, Null: text == ""}
	}
	satisfied, keeps := s.rowsOf(&q.Report)
	people := s.persons()
	rows, a := map[query.Text]*query.PageRow{}, &query.PagesAnswer{}
	sessions, persons := map[string]bool{}, map[string]bool{}
	for _, e := range s.living() {
		if !isPageView(e) || !satisfied(e) {
			continue
		}
		value := label(e)
		if rows[value] == nil {
			rows[value] = &query.PageRow{Value: value}
		}
		for _, to := range []struct {
			key string
			n   *query.PageNumbers
		}{{"", &a.Total}, {fmt.Sprint("row", value), &rows[value].PageNumbers}} {
			to.n.Views++
			if key := fmt.Sprint(to.key, e.SessionOrd); e.SessionOrd != 0 && !sessions[key] {
				sessions[key] = true
				to.n.Visits++
			}
			if who := people.of[e.Seq-1]; who != nil && !persons[fmt.Sprintf("%s%p", to.key, who)] {
				persons[fmt.Sprintf("%s%p", to.key, who)] = true
				to.n.Visitors++
			}
		}
	}
	for _, v := range s.seenVisits(q.Site, q.Span) {
		if !keeps[v.ord] {
			continue
		}
		views, last := v.views(), v.rows[len(v.rows)-1].Time
		if v.rows[0].Dialect == event.Matomo && v.length > 0 {
			last = v.rows[0].Time + v.length - 1000
		}
		for i, e := range views {
			if !satisfied(e) {
				continue
			}
			next := last
			if i+1 < len(views) {
				next = views[i+1].Time
			}
			row := rows[label(e)]
			if next > e.Time {
				row.Milliseconds += next - e.Time
				row.Timed++
			}
			for _, n := range []*query.PageNumbers{&row.PageNumbers, &a.Total} {
				if i == 0 {
					var numbers query.VisitNumbers
					s.addVisit(&numbers, v, nil)
					n.Entries++
					n.Bounces += numbers.Bounces
				}
				if i+1 == len(views) {
					n.Exits++
				}
			}
		}
	}
	for _, row := range rows {
		a.Rows = append(a.Rows, *row)
	}
	sortPages(a.Rows)
	a.Count = len(a.Rows)
	return a
}

func sortPages(rows []query.PageRow) {
	slices.SortFunc(rows, func(a, b query.PageRow) int {
		return cmp.Or(strings.Compare(a.Value.Text, b.Value.Text), compareFlags(a.Value.Null, b.Value.Null))
	})
}

// pageReport compares a random report of pages.
func (p *pair) pageReport() {
	visits := p.visitsQuery()
	q := query.PagesQuery{Report: visits.Report, Of: pick(p.generator, "page", "url", "title", "host"), Rows: visits.Rows}
	q.Rows.Sort = pick(p.generator, "", "views", "visits", "visitors", "time", "value")
	q.Steps = nil
	want := p.model.of(q.Site).pageReport(q)
	got, err := p.engine.Pages(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: pages %+v: %v", p.op, q, err)
		return
	}
	sortPages(got.Rows)
	if g, w := fmt.Sprint(got.Total, got.Count, got.Rows), fmt.Sprint(want.Total, want.Count, want.Rows); g != w {
		p.Errorf("op %d: pages by %s of %+v where %v:\n got %v\nwant %v", p.op, q.Of, q.Span, q.Where, g, w)
	}
}

// addVisit adds a visit to the numbers of a row.
func (s *modelSite) addVisit(n *query.VisitNumbers, v *seenVisit, goal []query.Cond) {
	n.Visits++
	if v.isNew {
		n.New++
	}
	views, actions := len(v.views()), 0
	for _, e := range v.rows {
		if isAction[e.Type] {
			actions++
		}
	}
	n.VisitViews += uint64(views)
	if v.rows[0].Dialect == event.OpenPanel && views < 2 || v.rows[0].Dialect != event.OpenPanel && actions < 2 {
		n.Bounces++
	}
	n.Milliseconds += v.length
	if v.length > 0 {
		n.Timed++
	}
	converted := false
	for _, e := range v.rows {
		if goal == nil || !s.matches(e, goal, 0, 0) {
			continue
		}
		n.Conversions++
		if converted = true; e.Value.Kind != event.Absent {
			if term, ok := e.Value.Term(); ok && event.IsNumber(term) {
				n.GoalValue.Add(term)
			}
		}
	}
	if converted {
		n.Converted++
	}
}

// visitsQuery makes a random report of visits.
func (p *pair) visitsQuery() query.VisitsQuery {
	q := query.VisitsQuery{Report: query.Report{Site: &p.site().Site, Now: p.now.UnixMilli()}}
	q.Rows = query.Rows{Limit: query.CounterRowsMax}
	q.From, q.To = p.span()
	if q.From == 0 {
		q.From = p.now.UnixMilli() - p.Int64N(100*24*3600*1000)
	}
	if q.To == 0 {
		q.To = p.now.UnixMilli() + p.Int64N(4*24*3600*1000)
	}
	if q.To <= q.From {
		q.To = q.From + 1
	}
	q.Where = p.where(p.model, q.Site)
	for n := p.skewed(3); n > 0; n-- {
		c := query.Cond{Field: pick(p.generator, "source", "country", "dialect", "channel", "new", "campaign", "entry", "name", "type", "prop.plan", "length"), Visit: true}
		for k := 1 + p.skewed(3); k > 0; k-- {
			switch c.Field {
			case "source":
				c.Values = append(c.Values, pick(p.generator, "mail", "Google", "x", "a.example"))
			case "channel":
				c.Values = append(c.Values, pick(p.generator, "direct", "website", "campaign", "paid"))
			case "new":
				c.Values = append(c.Values, pick(p.generator, "true", "false"))
			case "campaign":
				c.Values = append(c.Values, pick(p.generator, "spring", "winter", "SPRING"))
			case "entry":
				c.Values = append(c.Values, pick(p.generator, "/a", "/b", p.name()))
			case "length":
				c.Values = append(c.Values, pick(p.generator, "0s", "1801s+"))
			default:
				c.Values = append(c.Values, p.operand(c.Field, p.model, q.Site))
			}
		}
		if p.chance(3) {
			c.Op = query.OpNot
		}
		q.Where = append(q.Where, c)
	}
	dims := []string{"entry", "exit", "host", "source", "medium", "campaign", "term", "content", "referrer", "referrer_host", "channel", "country", "region", "browser",
		"dialect", "new", "weekday", "hour", "weekhour", "length", "depth", "group"}
	p.Shuffle(len(dims), func(i, k int) { dims[i], dims[k] = dims[k], dims[i] })
	q.By = dims[:p.IntN(query.VisitsByMax+1)]
	if p.chance(2) {
		q.Goal = append([]query.Cond{}, query.Cond{Field: "type", Values: []string{p.operand("type", p.model, q.Site)}})
	}
	if p.chance(2) {
		q.Steps, _ = calendar.BucketTimes(q.From, q.To, pick(p.generator, "day", "week", "month"), q.Site.Location)
	}
	return q
}

// visitReport compares a random report of visits.
func (p *pair) visitReport() {
	q := p.visitsQuery()
	want := p.model.of(q.Site).visitReport(q)
	got, err := p.engine.VisitReport(context.Background(), q)
	if err != nil {
		p.Errorf("op %d: visits %+v: %v", p.op, q, err)
		return
	}
	for i := range got.By {
		for _, rows := range [][]query.VisitRow{got.By[i].Rows, want.By[i].Rows} {
			slices.SortFunc(rows, func(a, b query.VisitRow) int {
				return cmp.Or(strings.Compare(a.Value.Text, b.Value.Text), slices.Compare(a.In, b.In), compareFlags(a.Value.Null, b.Value.Null))
			})
		}
		if g, w := fmt.Sprint(got.By[i].Rows), fmt.Sprint(want.By[i].Rows); g != w {
			p.Errorf("op %d: visits by %s of %+v where %v:\n got %v\nwant %v", p.op, q.By[i], q.Span, q.Where, g, w)
		}
	}
	if g, w := fmt.Sprint(got.Total, got.Series), fmt.Sprint(want.Total, want.Series); g != w {
		p.Errorf("op %d: visits of %+v, steps %v, where %v, goal %v:\n got %v\nwant %v", p.op, q.Span, q.Steps, q.Where, q.Goal, g, w)
	}
}

func compareFlags(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
