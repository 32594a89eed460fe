package native

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file describes sites: one to whoever has a key of it, all of them to the admin.

// sitesMax is how many sites are on one page.
const sitesMax = 100

// siteInfo is GET /api/v1/site.
func (n *API) siteInfo(ctx context.Context, c *reading) error {
	var err error
	if c.out, err = n.appendSite(ctx, c.out, c.req.Site, c.req); err != nil {
		return err
	}
	if c.req.Admin {
		c.out = n.appendRefused(c.out)
	}
	c.out = append(c.out, '}')
	return nil
}

// sites is GET /api/v1/sites: all sites by name, each with its last days.
func (n *API) sites(ctx context.Context, c *reading) error {
	var err error
	age := c.query.maxAge()
	all := slices.Clone(n.options.Sites())
	slices.SortFunc(all, func(a, b *dialect.Site) int { return strings.Compare(a.Name, b.Name) })
	if after := c.query.single["after"]; after != "" {
		all = slices.DeleteFunc(all, func(s *dialect.Site) bool { return s.Name <= after })
	}
	c.out = append(c.out, `{"sites":[`...)
	for i, site := range all[:min(len(all), sitesMax)] {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		if c.out, err = n.appendSite(ctx, c.out, site, c.req); err != nil {
			return err
		}
		if c.out, err = n.appendDays(ctx, c.out, &site.Site, c.query.now, age); err != nil {
			return err
		}
		c.out = append(c.out, '}')
	}
	next := ""
	if len(all) > sitesMax {
		next = all[sitesMax-1].Name
	}
	c.out = n.appendRefused(append(c.out, ']'))
	c.out = append(appendTextOrNull(append(c.out, `,"next":`...), query.Text{Text: next, Null: next == ""}), '}')
	return nil
}

// rightNames are the words for rights.
var rightNames = []struct {
	right dialect.Right
	name  string
}{{dialect.Read, "read"}, {dialect.Write, "write"}, {dialect.Manage, "manage"}}

// appendSite appends what a site is to the sender of a request, without the closing brace.
func (n *API) appendSite(ctx context.Context, dst []byte, s *dialect.Site, req *dialect.Request) ([]byte, error) {
	facts, err := n.engine.Facts(ctx, &s.Site)
	if err != nil {
		return dst, err
	}
	count, err := n.engine.Count(ctx, query.Query{Site: &s.Site, Metrics: query.MetricEvents})
	if err != nil {
		return dst, err
	}
	dst = event.AppendString(append(dst, `{"name":`...), s.Name)
	dst = appendUint(dst, `,"id":`, uint64(s.ID))
	dst = event.AppendString(append(dst, `,"zone":`...), location(&s.Site).String())
	dst = event.AppendStrings(append(dst, `,"hosts":`...), s.Hosts)
	if facts.First <= facts.Last {
		dst = appendTime(append(dst, `,"first":`...), facts.First)
		dst = appendTime(append(dst, `,"last":`...), facts.Last)
	} else {
		dst = append(dst, `,"first":null,"last":null`...)
	}
	dst = appendUint(dst, `,"events":`, count.Events)
	var names []string
	for _, d := range facts.Dialects {
		names = append(names, string(d))
	}
	dst = event.AppendStrings(append(dst, `,"dialects":`...), names)
	geo, credit := "", ""
	if n.options.Geo != nil {
		geo, credit = n.options.Geo()
	}
	orNull := func(key, text string) {
		dst = appendTextOrNull(append(append(append(dst, '"'), key...), `":`...), query.Text{Text: text, Null: text == ""})
	}
	dst = append(dst, ',')
	orNull("geo", geo)
	dst = append(dst, ',')
	orNull("geo_credit", credit)
	if dst = append(dst, `,"shop":false`...); facts.Shop {
		dst = append(dst[:len(dst)-len("false")], "true"...)
	}
	if req.Share == nil {
		dst = event.AppendString(append(dst, `,"version":`...), n.options.Version)
		dst = append(dst, `,"public":{`...)
		orNull("write_key", s.WriteKey)
		dst = append(dst, ',')
		orNull("client_id", s.ClientID)
		dst = append(dst, '}')
	}
	var may []string
	for _, r := range rightNames {
		if req.Rights&r.right != 0 {
			may = append(may, r.name)
		}
	}
	dst = event.AppendStrings(append(dst, `,"rights":`...), may)
	switch {
	case req.Share == nil:
		return append(dst, `,"scope":null`...), nil
	case req.Share.Numbers:
		return append(dst, `,"scope":"numbers"`...), nil
	}
	return append(dst, `,"scope":"people"`...), nil
}

// appendDays appends the visits of today, of yesterday until this time of day, and of seven days.
func (n *API) appendDays(ctx context.Context, dst []byte, s *query.Site, now int64, age time.Duration) ([]byte, error) {
	from, to, _ := calendar.Named("7d", now, 0, 0, s.Location)
	starts, _ := calendar.BucketTimes(from, to, "day", s.Location)
	ask := query.VisitsQuery{Report: query.Report{Site: s, Span: query.Span{From: from, To: to}, Steps: starts, Now: now, MaxAge: age}, NoMedian: true}
	week, err := n.engine.VisitReport(ctx, ask)
	if err != nil {
		return dst, err
	}
	today, end, _ := calendar.Named("today", now, 0, 0, s.Location)
	begin, until := calendar.Compared("previous", "today", today, end, now, s.Location)
	var yesterday query.VisitNumbers
	if begin < until {
		ask.Span, ask.Steps = query.Span{From: begin, To: until}, nil
		answer, err := n.engine.VisitReport(ctx, ask)
		if err != nil {
			return dst, err
		}
		yesterday = answer.Total
	}
	// The tables of live are not shown, so an answer of some seconds ago will do.
	live, err := n.engine.Live(ctx, &query.Live{Report: query.Report{Site: s, Now: now, MaxAge: cmp.Or(age, 10*time.Second)}})
	if err != nil {
		return dst, err
	}
	numbers := func(v *query.VisitNumbers) {
		dst = appendUint(dst, `"visits":`, v.Visits)
		dst = append(appendUint(dst, `,"visitors":`, v.Visitors), '}')
	}
	dst = append(dst, `,"today":{`...)
	numbers(&week.Series[len(week.Series)-1])
	dst = append(dst, `,"yesterday":{`...)
	numbers(&yesterday)
	dst = append(dst, `,"days":[`...)
	for i, start := range starts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendTime(append(dst, `{"time":`...), start), ',')
		numbers(&week.Series[i])
	}
	return appendUint(append(dst, ']'), `,"now":`, live.Visitors), nil
}

// appendRefused appends how many events of all sites were refused since the start, by reason.
func (n *API) appendRefused(dst []byte) []byte {
	var refused map[string]uint64
	if n.options.Refused != nil {
		refused = n.options.Refused()
	}
	dst = append(dst, `,"refused":{`...)
	for i, reason := range slices.Sorted(maps.Keys(refused)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(dst, reason)
		dst = appendUint(dst, ":", refused[reason])
	}
	return append(dst, '}')
}
