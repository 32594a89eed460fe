package native

import (
	"hash/fnv"
	"strconv"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file writes the answers of the native API, by hand and into one buffer, because a
// page is the hot path of every reader. Absent texts are left out, lists never are. Times
// are RFC 3339 in UTC with milliseconds. The schemas are in openapi/.

func appendTime(dst []byte, unixMilli int64) []byte {
	dst = append(dst, '"')
	dst = time.UnixMilli(unixMilli).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}

// appendText writes ,"key":"text", or nothing for "".
func appendText(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	return event.AppendString(dst, text)
}

func appendUint(dst []byte, key string, n uint64) []byte {
	dst = append(dst, key...)
	return strconv.AppendUint(dst, n, 10)
}

func appendNext(dst []byte, next string) []byte {
	dst = append(dst, `],"next":`...)
	if next == "" {
		return append(dst, "null}"...)
	}
	return append(event.AppendString(dst, next), '}')
}

func appendEvent(dst []byte, e *event.Event) []byte { return event.AppendJSON(dst, e) }

// appendPage writes a page of n things. one appends the thing at i and returns its cursor.
// The page ends early, with that cursor, when it grows over pageBytesMax: a thousand of the
// largest events would be 32 MB.
func appendPage(dst []byte, name string, n int, next string, one func(dst []byte, i int) (_ []byte, cursor string)) []byte {
	start := len(dst)
	dst = append(append(append(dst, `{"`...), name...), `":[`...)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var cursor string
		dst, cursor = one(dst, i)
		if len(dst)-start >= pageBytesMax && i < n-1 && cursor != "" {
			next = cursor
			break
		}
	}
	return appendNext(dst, next)
}

func appendEvents(dst []byte, page query.Page) []byte {
	return appendPage(dst, "events", len(page.Events), page.Next, func(dst []byte, i int) ([]byte, string) {
		return appendEvent(dst, page.Events[i]), page.Events[i].ID
	})
}

// appendTotals appends the members that were asked for.
func appendTotals(dst []byte, t query.Totals, m query.Metrics) []byte {
	start := len(dst)
	for i, n := range [...]uint64{t.Events, t.Users, t.Sessions} {
		if m.Has(query.MetricEvents << i) {
			dst = appendMetric(dst, len(dst) > start, metricNames[i])
			dst = strconv.AppendUint(dst, n, 10)
		}
	}
	return dst
}

func appendMetric(dst []byte, more bool, name string) []byte {
	if more {
		dst = append(dst, ',')
	}
	dst = append(append(dst, '"'), name...)
	return append(dst, '"', ':')
}

func appendSeries(dst []byte, interval string, buckets []query.Bucket, m query.Metrics) []byte {
	dst = append(dst, `{"interval":"`...)
	dst = append(dst, interval...)
	dst = append(dst, `","buckets":[`...)
	for i := range buckets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendBucket(dst, &buckets[i], m)
	}
	return append(dst, "]}"...)
}

func appendBucket(dst []byte, b *query.Bucket, m query.Metrics) []byte {
	dst = append(appendTime(append(dst, `{"time":`...), b.Time), ',')
	return append(appendTotals(dst, b.Totals, m), '}')
}

// appendCounters writes a page of counters. A row of the list of properties has "values",
// the number of its distinct values; a row of a split has "segment". known is false if the
// site has never had the property.
func appendCounters(dst []byte, q *query.CounterQuery, page *query.CounterPage, known bool, hash uint32) []byte {
	dst = append(dst, `{"rows":[`...)
	for i := range page.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCounterRow(dst, q, &page.Rows[i])
	}
	dst = append(dst, `],"total":{`...)
	dst = append(appendCounts(dst, &page.Total, q.Metrics), '}')
	if !known {
		dst = append(dst, `,"known":false`...)
	}
	dst = append(dst, `,"next":`...)
	offset := q.Offset + len(page.Rows)
	if !page.More || len(page.Rows) == 0 || offset > counterOffsetMax {
		return append(dst, "null}"...)
	}
	dst = append(dst, '"')
	dst = appendCounterCursor(dst, offset, hash)
	return append(dst, '"', '}')
}

func appendCounterRow(dst []byte, q *query.CounterQuery, r *query.CounterRow) []byte {
	dst = append(dst, `{"value":`...)
	dst = event.AppendString(dst, r.Value)
	if q.Property == "" {
		dst = appendUint(dst, `,"values":`, r.Values)
	}
	if q.Segment != "" {
		dst = append(dst, `,"segment":`...)
		dst = event.AppendString(dst, r.Segment)
	}
	dst = append(dst, ',')
	return append(appendCounts(dst, r, q.Metrics), '}')
}

// appendCounts appends the members that were asked for.
func appendCounts(dst []byte, r *query.CounterRow, m query.Metrics) []byte {
	start := len(dst)
	if m.Has(query.MetricEvents) {
		dst = strconv.AppendInt(appendMetric(dst, false, "events"), r.Events, 10)
	}
	if m.Has(query.MetricSessions) {
		dst = strconv.AppendUint(appendMetric(dst, len(dst) > start, "sessions"), r.Sessions, 10)
	}
	if m.Has(query.MetricUsers) {
		dst = strconv.AppendUint(appendMetric(dst, len(dst) > start, "users"), r.Users, 10)
	}
	return dst
}

func appendUsers(dst []byte, users []query.User, next string) []byte {
	return appendPage(dst, "users", len(users), next, func(dst []byte, i int) ([]byte, string) {
		return appendUser(dst, &users[i], 0), users[i].Cursor
	})
}

// userIDsMax is how many ids of a person one answer has: aliases first, then anonymous ids.
const userIDsMax = 1000

// appendUser appends a person with the ids after the first so many. When there are more than
// userIDsMax of them, ids_next is the cursor of the next ones.
func appendUser(dst []byte, u *query.User, after int) []byte {
	aliases := u.Aliases[min(after, len(u.Aliases)):]
	aliases = aliases[:min(userIDsMax, len(aliases))]
	anonymous := u.Anonymous[min(max(after-len(u.Aliases), 0), len(u.Anonymous)):]
	anonymous = anonymous[:min(userIDsMax-len(aliases), len(anonymous))]
	dst = append(dst, `{"id":`...)
	dst = event.AppendString(dst, u.ID)
	dst = append(dst, `,"properties":`...)
	dst = event.AppendObject(dst, u.Properties)
	dst = append(dst, `,"aliases":`...)
	dst = event.AppendStrings(dst, aliases)
	dst = append(dst, `,"anonymous":`...)
	dst = event.AppendStrings(dst, anonymous)
	dst = append(dst, `,"groups":`...)
	dst = event.AppendStrings(dst, u.Groups)
	dst = append(dst, `,"first_seen":`...)
	dst = appendTime(dst, u.FirstSeen)
	dst = append(dst, `,"last_seen":`...)
	dst = appendTime(dst, u.LastSeen)
	dst = appendUint(dst, `,"events":`, u.Events)
	dst = appendUint(dst, `,"sessions":`, u.Sessions)
	if next := after + len(aliases) + len(anonymous); next < len(u.Aliases)+len(u.Anonymous) {
		dst = append(appendCounterCursor(append(dst, `,"ids_next":"`...), next, userHash(u)), '"')
	}
	return append(dst, '}')
}

// userHash binds a cursor of ids to a person.
func userHash(u *query.User) uint32 {
	h := fnv.New32a()
	h.Write([]byte(u.Cursor))
	h.Write([]byte(u.ID))
	return h.Sum32()
}

func appendSessions(dst []byte, sessions []query.Session, next string) []byte {
	return appendPage(dst, "sessions", len(sessions), next, func(dst []byte, i int) ([]byte, string) {
		return appendSession(dst, &sessions[i]), sessions[i].Cursor
	})
}

func appendSession(dst []byte, s *query.Session) []byte {
	dst = append(dst, `{"id":`...)
	dst = event.AppendString(dst, s.ID)
	dst = appendText(dst, "key", s.Cursor)
	dst = appendText(dst, "user", s.User)
	dst = appendText(dst, "anonymous", s.Anonymous)
	dst = appendText(dst, "dialect", string(s.Dialect))
	dst = append(dst, `,"start":`...)
	dst = appendTime(dst, s.Start)
	dst = append(dst, `,"end":`...)
	dst = appendTime(dst, s.End)
	dst = append(dst, `,"duration":`...)
	dst = strconv.AppendInt(dst, max(s.End-s.Start+s.Beyond, 0)/1000, 10)
	dst = appendUint(dst, `,"events":`, s.Events)
	dst = appendUint(dst, `,"actions":`, s.Actions)
	dst = appendText(dst, "entry", s.Entry)
	dst = appendText(dst, "exit", s.Exit)
	dst = append(dst, `,"bounce":`...)
	dst = strconv.AppendBool(dst, s.Bounce)
	dst = appendText(dst, "referrer", s.Referrer)
	dst = appendText(dst, "referrer_type", s.ReferrerType)
	dst = appendText(dst, "campaign", s.Campaign)
	dst = append(dst, `,"goals":`...)
	dst = event.AppendStrings(dst, s.Goals)
	dst = append(dst, `,"orders":`...)
	dst = event.AppendStrings(dst, s.Orders)
	dst = appendCart(append(dst, `,"cart":`...), s.Cart)
	if len(s.Properties) > 0 {
		dst = append(dst, `,"properties":`...)
		dst = event.AppendObject(dst, s.Properties)
	}
	return append(dst, '}')
}

// appendCart appends the value of a cart: a number, as the value of an event is, null when
// there is no cart, and a text that is no number as it is.
func appendCart(dst []byte, cart string) []byte {
	if cart == "" {
		return append(dst, "null"...)
	}
	if number, ok := event.Decimal(cart); ok {
		return append(dst, number...)
	}
	return event.AppendString(dst, cart)
}

func appendGroup(dst []byte, g *query.Group) []byte {
	dst = append(dst, `{"id":`...)
	dst = event.AppendString(dst, g.ID)
	dst = appendText(dst, "type", g.Type)
	dst = appendText(dst, "name", g.Name)
	dst = append(dst, `,"properties":`...)
	dst = event.AppendObject(dst, g.Properties)
	dst = append(dst, `,"members":`...)
	return append(event.AppendStrings(dst, g.Members), '}')
}

func appendSnapshot(dst []byte, s query.Snapshot) []byte {
	dst = append(dst, `{"path":`...)
	dst = event.AppendString(dst, s.Path)
	dst = appendUint(dst, `,"events":`, s.Events)
	dst = append(dst, `,"bytes":`...)
	dst = strconv.AppendInt(dst, s.Bytes, 10)
	return append(dst, '}')
}

func appendError(dst []byte, status int, text, field string) []byte {
	dst = append(dst, `{"error":`...)
	dst = event.AppendString(dst, text)
	dst = appendText(dst, "field", field)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	return append(dst, '}')
}

// appendCorrupt is the error of a read that met damaged data.
func appendCorrupt(dst []byte, status int, file string) []byte {
	dst = append(dst, `{"error":"corrupt"`...)
	dst = appendText(dst, "file", file)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	return append(dst, '}')
}

// appendOutcomes is the answer to a write, and its status: 200 when nothing was rejected,
// 400 when everything was, 207 otherwise. The answer to a single event has its id.
func appendOutcomes(dst []byte, outcomes []dialect.Outcome, single bool) (status int, body []byte) {
	var accepted, duplicates, excluded, rejected uint64
	for i := range outcomes {
		switch outcomes[i].Status {
		case event.Duplicate:
			duplicates++
		case event.Rejected:
			rejected++
		case event.Excluded:
			excluded++
		default:
			accepted++
		}
	}
	dst = appendUint(dst, `{"accepted":`, accepted)
	dst = appendUint(dst, `,"duplicates":`, duplicates)
	if excluded > 0 { // only of imported events
		dst = appendUint(dst, `,"excluded":`, excluded)
	}
	dst = append(dst, `,"rejected":[`...)
	if rejected > 0 {
		first := true
		for i := range outcomes {
			if outcomes[i].Status != event.Rejected {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			text, field := outcomeText(&outcomes[i])
			dst = appendUint(dst, `{"index":`, uint64(i))
			dst = append(dst, `,"error":`...)
			dst = event.AppendString(dst, text)
			dst = append(appendText(dst, "field", field), '}')
		}
	}
	dst = append(dst, ']')
	if single && len(outcomes) == 1 {
		dst = appendText(dst, "id", outcomes[0].ID)
	}
	switch {
	case rejected == 0:
		status = 200
	case rejected < uint64(len(outcomes)):
		status = 207
	default:
		status = 400
		dst = append(dst, `,"error":"no event was accepted","status":400`...)
	}
	return status, append(dst, '}')
}

// outcomeText is why one record was refused. A record has no error of its own when it was
// refused because another one was.
func outcomeText(o *dialect.Outcome) (text, field string) {
	if o.Err == nil {
		return "not stored: another event of the request was refused", ""
	}
	return shorten(o.Err.Error(), 512), shorten(o.Err.Field, 128)
}
