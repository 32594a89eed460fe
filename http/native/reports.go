package native

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
)

// This file holds what all reports share: the parameters that many of them take, and the frame
// of their answers. See doc.go for how a report uses it.

// asked is what a report is asked by the common parameters.
type asked struct {
	query.Report
	query.Rows
	Metrics  []string // those asked for, in the order of named; all when absent
	Interval string   // of the series; "" = no series
	CSV      bool     // one table; Rows then asks for all rows

	named  []string // numbers that metrics may name; nil = the call has no metrics
	cursor uint32   // names the rows and their order
}

// seriesRowsMax is the most rows that each have a series of their own.
const seriesRowsMax = 20

// reportLimit is limit when it is absent.
const reportLimit = 10

// searchBytesMax bounds the parameter search.
const searchBytesMax = 1024

// ask reads the common parameters of a report. Whatever the table of calls does not give the
// call is absent, and has its default. some are numbers that the rows do not have this time, although the
// table says that they may. An error is an answer to the caller.
func (n *API) ask(ctx context.Context, c *reading, some ...string) (*asked, error) {
	q := &c.query
	a := &asked{cursor: c.rowsHash(), CSV: q.wantsCSV()}
	a.Site, a.Where, a.Now, a.Tag, a.MaxAge = c.site, q.conds(), c.query.now, c.have(), q.maxAge()
	if err := a.rows(q, some); err != nil {
		return nil, err
	}
	var err error
	var named string
	if a.Span, named, err = n.spanOf(ctx, c); err != nil {
		return nil, err
	}
	if a.Compare, err = c.compared(a.Span, named); err != nil {
		return nil, err
	}
	if a.Interval = q.interval(a.Span, c.site.Location); a.Interval == "" {
		return a, nil
	}
	if q.known.find("interval") != paramSeries && a.Sort != "" && !a.CSV && a.Limit > seriesRowsMax { // each row has a series
		return nil, badField("limit", "with interval, must be a number from 1 to "+strconv.Itoa(seriesRowsMax))
	}
	if a.Steps, err = steps(a.Span, a.Interval, "interval", c.site.Location); err != nil {
		return nil, err
	}
	if a.Compare != nil {
		a.CompareSteps, err = steps(*a.Compare, a.Interval, "compare", c.site.Location)
	}
	return a, err
}

// values are what a parameter may be, but for some; nil when the call does not have it.
func (q *params) values(name string, but []string) []string {
	p := q.known.find(name)
	switch {
	case p == nil:
		return nil
	case len(but) == 0:
		return p.values
	}
	return slices.DeleteFunc(slices.Clone(p.values), func(v string) bool { return slices.Contains(but, v) })
}

// rows reads the parameters that choose and order the rows of a table.
func (a *asked) rows(q *params, but []string) (err error) {
	a.named = q.values("metrics", but)
	if text := q.single["metrics"]; text != "" {
		if err := someOf("metrics", text, a.named); err != nil {
			return err
		}
	}
	a.Metrics = q.some("metrics", a.named)
	a.Search = q.single["search"]
	a.AtLeast = uint64(q.number("at_least"))
	if err := a.order(q, q.values("sort", but)); err != nil {
		return err
	}
	a.Limit = int(q.number("limit"))
	if a.Offset, err = counterOffset(q.single["after"], a.cursor); err != nil {
		return err
	}
	if a.CSV {
		if q.single["after"] != "" {
			return badField("after", "format=csv has all rows in one answer")
		}
		a.Limit = csvRowsMax
	}
	return nil
}

// order reads sort, which may be one of sorts, and order. Without sort the rows stand by the default of the
// call, or by the first number that metrics asks for instead of it.
func (a *asked) order(q *params, sorts []string) (err error) {
	if sorts != nil {
		if a.Sort, err = q.choiceOf("sort", sorts); err != nil {
			return err
		}
		if !a.shows(a.Sort) {
			if q.single["sort"] != "" {
				return badField("sort", "must be one of the metrics, or value")
			}
			a.Sort = "value"
			for _, m := range a.Metrics {
				if slices.Contains(sorts, m) {
					a.Sort = m
					break
				}
			}
		}
	}
	order := q.choice("order")
	a.Ascending = order == "asc" || order == "" && a.Sort == "value"
	return nil
}

// shows reports whether a number of a row is asked for. What metrics cannot name always is.
func (a *asked) shows(name string) bool {
	return slices.Contains(a.Metrics, name) || !slices.Contains(a.named, name)
}

// Shows reports whether metrics asks for a number.
func (a *asked) Shows(metric string) bool { return slices.Contains(a.Metrics, metric) }

// open appends the frame of an answer: {"site":…,"zone":…,"from":…,"to":…,"until":…,"as_of":…
// without the closing brace. All of it is of the moment of the answer, so that a kept answer
// has the same bytes each time.
func (a *asked) open(dst []byte, as query.AsOf) []byte {
	dst = append(dst, `{"site":`...)
	dst = event.AppendString(dst, a.Site.Name)
	dst = append(dst, `,"zone":`...)
	dst = event.AppendString(dst, location(a.Site).String())
	dst = appendTime(append(dst, `,"from":`...), a.From)
	dst = appendTime(append(dst, `,"to":`...), a.To)
	dst = appendTime(append(dst, `,"until":`...), min(a.To, as.Time))
	dst = appendTime(append(dst, `,"as_of":{"time":`...), as.Time)
	return append(appendUint(dst, `,"seq":`, as.Seq), '}')
}

// location is the zone of the site's days.
func location(site *query.Site) *time.Location {
	if site.Location == nil {
		return time.UTC
	}
	return site.Location
}

// appendSteps appends the steps of a series over a span as an array of {"time":…,…,"partial":…}.
// one appends the numbers of the step at i, each with a comma before it.
func (a *asked) appendSteps(dst []byte, s query.Span, starts []int64, as query.AsOf, one func(dst []byte, i int) []byte) []byte {
	dst = append(dst, '[')
	for i, start := range starts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.appendStep(dst, s, start, as, func(dst []byte) []byte { return one(dst, i) })
	}
	return append(dst, ']')
}

// appendStep appends a step of a series over a span. numbers appends its numbers, each with a
// comma before it.
func (a *asked) appendStep(dst []byte, s query.Span, start int64, as query.AsOf, numbers func(dst []byte) []byte) []byte {
	dst = appendTime(append(dst, `{"time":`...), start)
	dst = numbers(dst)
	dst = strconv.AppendBool(append(dst, `,"partial":`...), partial(s, start, a.Interval, as.Time, a.Site))
	return append(dst, '}')
}

// series appends ,"interval":…,"series":[…], or nothing when the report has no series.
func (a *asked) series(dst []byte, as query.AsOf, one func(dst []byte, i int) []byte) []byte {
	if a.Interval == "" {
		return dst
	}
	dst = append(append(append(dst, `,"interval":"`...), a.Interval...), `","series":`...)
	return a.appendSteps(dst, a.Span, a.Steps, as, one)
}

// compare appends ,"compare":{"from":…,"to":…,"total":…,"series":[…]}, or nothing when the report
// has none. total appends the total, and one the numbers of a step of the compared range. total
// is nil for a report without.
func (a *asked) compare(dst []byte, as query.AsOf, total func(dst []byte) []byte, one func(dst []byte, i int) []byte) []byte {
	if a.Compare == nil {
		return dst
	}
	dst = appendTime(append(dst, `,"compare":{"from":`...), a.Compare.From)
	dst = appendTime(append(dst, `,"to":`...), a.Compare.To)
	if total != nil {
		dst = total(append(dst, `,"total":`...))
	}
	if a.Interval != "" && one != nil {
		dst = a.appendSteps(append(dst, `,"series":`...), *a.Compare, a.CompareSteps, as, one)
	}
	return append(dst, '}')
}

// partial says that a step is not whole: it goes on at now, or the range cuts it.
func partial(s query.Span, start int64, interval string, now int64, site *query.Site) bool {
	end := calendar.Next(start, interval, site.Location)
	return start < s.From || end > s.To || start <= now && now < end
}

// next appends ,"next":… and a cursor when there are more rows than the n of this page.
func (a *asked) next(dst []byte, n, count int) []byte {
	dst = append(dst, `,"next":`...)
	offset := a.Offset + n
	if n == 0 || offset >= count || offset > counterOffsetMax {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	return append(appendCounterCursor(dst, offset, a.cursor), '"')
}

// appendTextOrNull appends the value of a row.
func appendTextOrNull(dst []byte, t query.Text) []byte {
	if t.Null {
		return append(dst, "null"...)
	}
	return event.AppendString(dst, t.Text)
}

// rowsHash names the rows of an answer and their order: the call and all parameters but those
// that choose a page or a form. A range by name stays the same when midnight passes.
func (c *reading) rowsHash() uint32 {
	h := c.hash("limit", "after", "max_age", "format", "site")
	return uint32(h ^ h>>32)
}

// hash names a call and its parameters, whatever their order, without some of them.
func (c *reading) hash(without ...string) uint64 {
	var all []string
	add := func(parts ...string) {
		var text strings.Builder
		for _, p := range parts {
			text.WriteString(strconv.Itoa(len(p)))
			text.WriteByte(':')
			text.WriteString(p)
		}
		all = append(all, text.String())
	}
	for name, value := range c.query.single {
		if !slices.Contains(without, name) {
			add("single", name, value)
		}
	}
	for name, values := range c.query.lists {
		add(append([]string{"list", name}, values...)...)
	}
	for _, cond := range c.query.where {
		add("where", cond.String())
	}
	for _, cond := range c.query.saved { // a saved filter may change
		add("saved", cond.String())
	}
	if share := c.req.Share; share != nil { // which fields are listed depends on it
		add(append([]string{"share", strconv.FormatBool(share.Numbers)}, share.Props...)...)
	}
	slices.Sort(all)
	h := fnv.New64a()
	h.Write([]byte(c.site.Name))
	h.Write([]byte{0})
	h.Write([]byte(c.req.Path))
	for _, text := range all {
		h.Write([]byte(text))
	}
	return h.Sum64()
}
