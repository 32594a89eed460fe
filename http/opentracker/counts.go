package opentracker

import (
	"context"
	"strconv"
	"strings"

	"cairn/engine/calendar"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// The limits of /api/counts.
const (
	countsDefault = 100
	countsMax     = 10_000
	offsetMax     = 1 << 30
)

// table is what /api/counts answers.
type table struct {
	site, property, segment string
	span                    span
	series                  bool
	fields                  []string
	page                    query.CounterPage
}

// counts answers /api/counts with a row for each value of a property, or for each property.
func (r *reading) counts(ctx context.Context, res *dialect.Response) error {
	q, t, err := r.counterQuery(ctx)
	if err != nil {
		return err
	}
	kind, err := r.query.choice("dataType", "json", "csv", "html")
	if err != nil {
		return err
	}
	if t.page, err = r.page(ctx, q); err != nil {
		return err
	}
	switch kind {
	case "csv":
		t.csv(res)
	case "html":
		t.html(res)
	default:
		r.answer(res, t.json(nil))
	}
	return nil
}

// counterQuery reads the query.
func (r *reading) counterQuery(ctx context.Context) (q query.CounterQuery, t table, err error) {
	t.site = r.site
	q.Property = property(r.query.first("property"))
	q.Values = asked(q.Property, r.query["value"])
	q.Segment = property(r.query.first("segment"))
	filter := r.query.first("filter")
	switch {
	case q.Property == "" && len(q.Values) > 0:
		return q, t, dialect.Refuse("value", "needs a property")
	case q.Property == "" && q.Segment != "":
		return q, t, dialect.Refuse("segment", "needs a property")
	case len(q.Values) > propertiesMax:
		return q, t, dialect.Refuse("value", "at most 256 values")
	case filter == "none":
		q.Segment = ""
	case q.Segment != "" && filter != "" && filter != "showAllSorts":
		q.SegmentValues = asked(q.Segment, []string{filter})
	}
	if t.span, err = parseSpan(r.query, r.now, r.home); err != nil {
		return q, t, err
	}
	t.span.apply(&q)
	if q.Interval, err = r.query.choice("interval", "", "hour", "day", "week", "month"); err != nil {
		return q, t, err
	}
	if q.Interval != "" {
		if err := r.series(ctx, &q, &t.span); err != nil {
			return q, t, err
		}
	}
	sort, err := r.query.choice("sort", "event", "session", "user", "value")
	if err != nil {
		return q, t, err
	}
	q.Sort = map[string]string{"event": "events", "session": "sessions", "user": "users", "value": "value"}[sort]
	if q.Limit, err = r.query.number("limit", countsDefault, 1, countsMax); err != nil {
		return q, t, err
	}
	if q.Offset, err = r.query.number("offset", 0, 0, offsetMax); err != nil {
		return q, t, err
	}
	t.property, t.segment, t.series = q.Property, q.Segment, q.Interval != ""
	switch {
	case q.Property == "":
		t.fields = []string{"property", "values"}
	case q.Segment != "":
		t.fields = []string{"value", "segment"}
	default:
		t.fields = []string{"value"}
	}
	if t.series {
		t.fields = append([]string{"time"}, t.fields...)
	}
	t.fields = append(t.fields, "event", "session", "user")
	return q, t, nil
}

// series gives a query in steps the bounds that it needs: hours need instants, and days
// without an end end today, or with the last event if that is on a later day. So the steps
// have all events that the query without steps counts.
func (r *reading) series(ctx context.Context, q *query.CounterQuery, s *span) error {
	if q.Property == "" {
		return dialect.Refuse("interval", "needs a property")
	}
	if !s.days {
		return nil
	}
	if !s.ends {
		today := calendar.Day(r.now, s.zone)
		later, err := r.Digest(ctx, query.Query{From: s.start(today + 1)})
		if err != nil {
			return err
		}
		if q.ToDay = max(q.FromDay, today); later.Events > 0 {
			q.ToDay = max(q.ToDay, calendar.Day(later.Last, s.zone))
		}
	}
	if q.Interval == "hour" {
		if s.starts {
			q.From = s.start(q.FromDay)
		}
		q.To = s.start(q.ToDay + 1)
		q.FromDay, q.ToDay = 0, 0
	}
	return nil
}

// page asks for the rows. Countries are in the order of their names, which the store does not
// know. So a page of countries is cut here, which works for up to countsMax of them.
func (r *reading) page(ctx context.Context, q query.CounterQuery) (query.CounterPage, error) {
	byName := q.Property == "country" && q.Interval == ""
	whole := q
	if byName {
		whole.Limit, whole.Offset = countsMax, 0
	}
	page, err := r.Counters(ctx, whole)
	if err == nil && byName && page.More {
		byName = false
		page, err = r.Counters(ctx, q)
	}
	if err != nil {
		return page, err
	}
	for i := range page.Rows {
		row := &page.Rows[i]
		row.Value, row.Segment = named(q.Property, row.Value), named(q.Segment, row.Segment)
		if q.Property == "" {
			row.Value = shown(row.Value)
		}
	}
	if byName {
		query.SortCounters(page.Rows, q.Sort)

		page.Rows = page.Rows[min(q.Offset, len(page.Rows)):]
		if page.More = len(page.Rows) > q.Limit; page.More {
			page.Rows = page.Rows[:q.Limit]
		}
	}
	return page, nil
}

// cell is a field of a row as text; isText says that it is not a number.
func (t *table) cell(row *query.CounterRow, field string) (text string, isText bool) {
	switch field {
	case "time":
		return rfc3339(row.Time, t.span.zone), true
	case "value", "property":
		return row.Value, true
	case "segment":
		return row.Segment, true
	case "values":
		return strconv.FormatUint(row.Values, 10), false
	case "event":
		return strconv.FormatInt(row.Events, 10), false
	case "session":
		return strconv.FormatUint(row.Sessions, 10), false
	}
	return strconv.FormatUint(row.Users, 10), false
}

// json appends
//
//	{"site","property","segment","from","to","rows","field":[…],"data":[{…}],"total":{"event","session","user"}}
func (t *table) json(dst []byte) []byte {
	dst = member(append(dst, '{'), "site", t.site)
	dst = memberOrNull(dst, "property", shown(t.property))
	dst = memberOrNull(dst, "segment", shown(t.segment))
	from, to := t.span.bounds()
	dst = memberOrNull(memberOrNull(dst, "from", from), "to", to)
	dst = strconv.AppendInt(append(dst, `,"rows":`...), int64(t.page.Count), 10)
	dst = event.AppendStrings(append(dst, `,"field":`...), t.fields)
	dst = append(dst, `,"data":[`...)
	for i := range t.page.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = t.row(append(dst, '{'), &t.page.Rows[i], t.fields)
	}
	dst = t.row(append(dst, `],"total":{`...), &t.page.Total, []string{"event", "session", "user"})
	return append(dst, '}')
}

// row appends the fields of a row and the closing brace.
func (t *table) row(dst []byte, row *query.CounterRow, fields []string) []byte {
	for i, field := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(event.AppendString(dst, field), ':')
		if text, isText := t.cell(row, field); isText {
			dst = event.AppendString(dst, text)
		} else {
			dst = append(dst, text...)
		}
	}
	return append(dst, '}')
}

// csv answers in the form of RFC 4180, with the names of the fields first. A text that a
// spreadsheet would take for a formula gets a ' before it.
func (t *table) csv(res *dialect.Response) {
	body := append(res.Body[:0], strings.Join(t.fields, ",")...)
	body = append(body, "\r\n"...)
	for i := range t.page.Rows {
		for k, field := range t.fields {
			if k > 0 {
				body = append(body, ',')
			}
			text, isText := t.cell(&t.page.Rows[i], field)
			if isText && text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 && !isNumber(text) {
				text = "'" + text
			}
			if strings.ContainsAny(text, "\",\r\n") {
				text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
			}
			body = append(body, text...)
		}
		body = append(body, "\r\n"...)
	}
	res.Status, res.ContentType, res.Body = 200, "text/csv; charset=utf-8", body
	res.Header = append(res.Header, [2]string{"Content-Disposition", `attachment; filename="counts.csv"`})
}

// isNumber says that s is a signed decimal.
func isNumber(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimLeft(s, "+-"), ".")
	return len(s)-len(strings.TrimLeft(s, "+-")) <= 1 && dialect.IsDigits(whole) && (!point || dialect.IsDigits(fraction))
}

var escapeHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// attribution is what the licence of the built-in database of countries requires of pages
// that show its data.
const attribution = "<p><small>Countries, where no other database is configured: <a href=\"https://db-ip.com\">IP Geolocation by DB-IP</a></small></p>\n"

// html answers with a page that has the table and runs no script.
func (t *table) html(res *dialect.Response) {
	body := append(res.Body[:0], "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>"...)
	title := t.site
	if t.property != "" {
		title += ": " + shown(t.property)
	}
	body = append(append(body, escapeHTML.Replace(title)...), "</title>\n<table>\n<tr>"...)
	for _, field := range t.fields {
		body = append(append(append(body, "<th>"...), field...), "</th>"...)
	}
	body = append(body, "</tr>\n"...)
	for i := range t.page.Rows {
		body = append(body, "<tr>"...)
		for _, field := range t.fields {
			text, _ := t.cell(&t.page.Rows[i], field)
			body = append(append(append(body, "<td>"...), escapeHTML.Replace(text)...), "</td>"...)
		}
		body = append(body, "</tr>\n"...)
	}
	body = append(body, "</table>\n"...)
	if t.property == "country" || t.segment == "country" {
		body = append(body, attribution...)
	}
	res.Status, res.ContentType, res.Body = 200, "text/html; charset=utf-8", append(body, "</html>\n"...)
	res.Header = append(res.Header, [2]string{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"})
}
