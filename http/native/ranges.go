package native

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/calendar"
	"cairn/engine/query"
)

// This file reads what a report is asked about time: the range, what it is compared with, and
// the steps of its series.

// reportRange is the range of a report that names none.
const reportRange = "30d"

// spanOf is the range of a report, and its name, "" when it was given by from and to. bounds is
// asked for the times of the data when the range depends on them.
func (n *API) spanOf(ctx context.Context, c *reading) (query.Span, string, error) {
	var s query.Span
	from, to, err := c.query.points(c.site.Location)
	if err != nil {
		return s, "", err
	}
	name := c.query.single["range"]
	if name == "" && !from.given && !to.given {
		name = reportRange
	}
	var first, last int64
	if name == "all" || name == "" && !from.given {
		if first, last, err = n.engine.Bounds(ctx, c.site); err != nil {
			return s, "", engineError(err)
		}
	}
	if name != "" {
		s.From, s.To, _ = calendar.Named(name, c.query.now, first, last, c.site.Location)
		return s, name, nil
	}
	s = query.Span{From: from.milli, To: to.end()}
	if !to.given {
		if s.To = c.query.now; s.From >= s.To {
			return s, "", badField("from", "must be earlier than now, or needs a to")
		}
	}
	if !from.given {
		s.From = calendar.Start(calendar.Day(s.To-1, c.site.Location), c.site.Location)
		if first <= last && first < s.From {
			s.From = calendar.Start(calendar.Day(first, c.site.Location), c.site.Location)
		}
	}
	return s, "", nil
}

// named reads the parameter range. Together with from or to it is refused.
func (q *params) named() (string, error) {
	name := q.single["range"]
	switch {
	case name == "":
		return "", nil
	case q.single["from"] != "" || q.single["to"] != "":
		return "", badField("range", "cannot be given together with from or to")
	}
	return name, nil
}

// compared reads the parameter compare; nil when it is absent.
func (c *reading) compared(s query.Span, named string) (*query.Span, error) {
	text := c.query.single["compare"]
	if text == "" {
		return nil, nil
	}
	if named == "all" {
		return nil, badField("compare", "there is nothing before range=all")
	}
	loc := c.site.Location
	if slices.Contains(calendar.Comparisons, text) {
		from, to := calendar.Compared(text, named, s.From, s.To, c.query.now, loc)
		return &query.Span{From: from, To: to}, nil
	}
	begin, end, ok := strings.Cut(text, "..")
	if !ok {
		return nil, badField("compare", "must be one of "+strings.Join(calendar.Comparisons, ", ")+", or FROM..TO")
	}
	from, err := parsePoint(begin, loc)
	if err != nil {
		return nil, badField("compare", "the time before .. "+err.Error())
	}
	to, err := parsePoint(end, loc)
	if err != nil {
		return nil, badField("compare", "the time after .. "+err.Error())
	}
	if to.end() <= from.milli {
		return nil, badField("compare", "must end later than it begins")
	}
	start, until := calendar.ComparedTo(from.milli, to.end(), s.From, s.To, c.query.now, loc)
	return &query.Span{From: start, To: until}, nil
}

// steps are the starts of the steps of a series over a span.
func steps(s query.Span, interval, field string, loc *time.Location) ([]int64, error) {
	times, ok := calendar.BucketTimes(s.From, s.To, interval, loc)
	if !ok || len(times) > query.CounterStepsMax {
		return nil, badField(field, "more than "+strconv.Itoa(query.CounterStepsMax)+" steps by "+interval+"; ask for a longer interval or a shorter range")
	}
	return times, nil
}

// interval is the parameter interval: "" = no series.
func (q *params) interval(s query.Span, loc *time.Location) string {
	switch text := q.choice("interval"); {
	case text == "none" || q.known.find("interval") == nil:
		return ""
	case text == "":
		return calendar.DefaultInterval(s.From, s.To, loc)
	default:
		return text
	}
}

// maxAge is the parameter max_age.
func (q *params) maxAge() time.Duration { return time.Duration(q.number("max_age")) * time.Second }

// wantsCSV says that the parameter format is csv.
func (q *params) wantsCSV() bool { return q.choice("format") == "csv" }
