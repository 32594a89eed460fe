package mail

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cairn/http/tables"
)

// This file makes the subject, such as "shop: 12,480 visitors last week (+8 %)".

// subjectMax is how many characters a subject has; a longer one ends in an ellipsis.
const subjectMax = 150

// rangeWords are the ranges of the API in words.
var rangeWords = map[string]string{
	"30m": "in the last 30 minutes", "24h": "in the last 24 hours", "today": "today", "yesterday": "yesterday",
	"7d": "in the last 7 days", "28d": "in the last 28 days", "30d": "in the last 30 days", "90d": "in the last 90 days", "12mo": "in the last 12 months",
	"week": "this week", "lastweek": "last week", "month": "this month", "lastmonth": "last month",
	"year": "this year", "lastyear": "last year", "all": "in all",
}

// subject is the subject of a report over a range, whose name is that of the API or "".
func subject(r *tables.Report, named string) string {
	site, when := r.Site, rangeWords[named]
	if site == "" {
		site = "cairn"
	}
	if when == "" {
		when = span(r)
	}
	text := site + ": " + strings.TrimSpace(headline(r)+" "+when)
	if n := chief(r); n != nil && n.Change.Text != "" {
		text += " (" + whole(n.Change.Text) + ")"
	}
	return tables.CutRunes(tables.Safe(text), subjectMax)
}

// chief is the number that the subject names; nil = the report has none.
func chief(r *tables.Report) *tables.Number {
	for i := range r.Numbers {
		if r.Numbers[i].Key == "visitors" && r.Numbers[i].Has {
			return &r.Numbers[i]
		}
	}
	if len(r.Numbers) > 0 && r.Numbers[0].Has {
		return &r.Numbers[0]
	}
	return nil
}

// headline is that number in words, or the title of the report.
func headline(r *tables.Report) string {
	n := chief(r)
	switch {
	case n == nil:
		return r.Title
	case n.Kind != tables.KindCount:
		return n.Title + " " + n.Text
	case n.Number == 1:
		return n.Text + " " + singular(strings.ToLower(n.Title))
	}
	return n.Text + " " + strings.ToLower(n.Title)
}

// singular is the title of a number for one: "visitor, 5 minutes" of "visitors, 5 minutes".
func singular(title string) string {
	what, rest, more := strings.Cut(title, ",")
	stem, ies := strings.CutSuffix(what, "ies")
	switch {
	case what == "people":
		what = "person"
	case ies:
		what = stem + "y"
	default:
		what = strings.TrimSuffix(what, "s")
	}
	if more {
		what += "," + rest
	}
	return what
}

// span is a range that has no name: its days, or its times.
func span(r *tables.Report) string {
	from, last, whole := r.Days()
	const clock = "2006-01-02 15:04"
	switch first := from.Format(time.DateOnly); {
	case !last.After(from):
		return ""
	case !whole:
		return "from " + from.Format(clock) + " to " + last.Add(time.Nanosecond).Format(clock)
	case first == last.Format(time.DateOnly):
		return "on " + first
	default:
		return "from " + first + " to " + last.Format(time.DateOnly)
	}
}

// whole is a change without the digits after its point: "+8.3 %" is "+8 %". A small one keeps them.
func whole(change string) string {
	digits, isRate := strings.CutSuffix(change, " %")
	x, err := strconv.ParseFloat(strings.ReplaceAll(digits, ",", ""), 64)
	if !isRate || err != nil || math.Abs(x) < 1 || math.Abs(x) >= 1000 {
		return change
	}
	return fmt.Sprintf("%+.0f %%", math.Round(x))
}
