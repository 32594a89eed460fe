package native

import (
	"io"

	"cairn/engine/query"
)

// This file writes the calls that list events, sessions, people and counters as CSV: all pages,
// one after the other, without what is no scalar.

var (
	eventColumns = []string{"id", "seq", "site", "dialect", "type", "name", "time", "received", "user", "anonymous", "session",
		"previous", "message_id", "value", "counted"}
	sessionColumns = []string{"id", "key", "user", "anonymous", "dialect", "start", "end", "duration", "events", "actions",
		"entry", "exit", "bounce", "referrer", "referrer_type", "campaign", "cart"}
	userColumns = []string{"id", "first_seen", "last_seen", "events", "sessions"}
)

// csvPages answers with all pages of a listing, from the first one, which has been read. read
// reads the page after a cursor and returns how many things it has and the next cursor; one
// appends the thing at i of the newest page. At most query.CounterRowsMax are written.
func (c *reading) csvPages(columns []string, n int, next string, read func(after string) (n int, next string, err error), one func(dst []byte, i int) []byte) {
	i, written := 0, 0
	c.streamCSV(columns, func(dst []byte) ([]byte, error) {
		for i == n {
			if next == "" {
				return dst, io.EOF
			}
			var err error
			if n, next, err = read(next); err != nil {
				return dst, err
			}
			i = 0
		}
		if written++; written > query.CounterRowsMax {
			return dst, io.EOF
		}
		i++
		return one(dst, i-1), nil
	})
}

// listed reads how a listing is to be answered. csv says that the page is the first one of all.
func (c *reading) listed(q *query.Query) (csv bool, err error) {
	if csv = c.query.wantsCSV(); !csv {
		return false, nil
	}
	if q.After != "" {
		return csv, badField("after", "format=csv has all rows in one answer")
	}
	q.Limit = query.LimitMax
	return csv, nil
}

// metricColumns are the columns of Totals or of a row of counters, after some others.
func metricColumns(m query.Metrics, before ...string) []string {
	for i, name := range metricNames {
		if m.Has(query.MetricEvents << i) {
			before = append(before, name)
		}
	}
	return before
}
