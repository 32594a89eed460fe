package native

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file reads the query string of the native API: which parameters there
// are, what each may say, and the cursor of the counters. Nothing unknown is
// passed over: a misspelt filter would otherwise select everything.

// singleParams may be given once; all others are filters, where a repeat means
// OR. An empty single parameter is as if it were absent.
var singleParams = map[string]bool{
	"site": true, "from": true, "to": true, "order": true, "limit": true, "after": true,
	"interval": true, "property": true, "segment": true, "sort": true, "metrics": true,
}

// nativeQuery is a query string whose every parameter is known to its route.
type nativeQuery struct {
	single map[string]string
	where  []query.Cond // in the order of their first mention
}

// parseQuery splits raw and checks every name against params, the parameters of
// its route.
func parseQuery(raw string, params []string) (nativeQuery, error) {
	var q nativeQuery
	pairs := 0
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if pairs++; pairs > queryPairsMax {
			return q, badRequest("at most " + strconv.Itoa(queryPairsMax) + " parameters")
		}
		key, value, _ := strings.Cut(pair, "=")
		name, err := unescape(key)
		if err != nil {
			return q, badField(shorten(key, 128), err.Error())
		}
		if !accepts(params, name) {
			return q, badField(shorten(name, 128), "no such parameter here")
		}
		text, err := unescape(value)
		if err != nil {
			return q, badField(shorten(name, 128), err.Error())
		}
		if singleParams[name] {
			if _, again := q.single[name]; again {
				return q, badField(name, "given more than once")
			}
			if text != "" {
				if q.single == nil {
					q.single = make(map[string]string, 4)
				}
				q.single[name] = text
			}
			continue
		}
		if err := checkFilter(name, text); err != nil {
			return q, err
		}
		q.add(name, text)
	}
	return q, nil
}

// of refuses a query that names another site than its key opens. With the admin
// token the named site is the one that was opened.
func (q *nativeQuery) of(site string) error {
	if name := q.single["site"]; name != "" && name != site {
		return &dialect.StatusError{Failure: dialect.NotFound, Field: "site", Msg: "site: no such site"}
	}
	return nil
}

func (q *nativeQuery) add(field, value string) {
	for i := range q.where {
		if q.where[i].Field == field {
			if !slices.Contains(q.where[i].Values, value) {
				q.where[i].Values = append(q.where[i].Values, value)
			}
			return
		}
	}
	q.where = append(q.where, query.Cond{Field: field, Values: []string{value}})
}

// values are what was asked of one filter, nil when it is absent.
func (q *nativeQuery) values(field string) []string {
	for i := range q.where {
		if q.where[i].Field == field {
			return q.where[i].Values
		}
	}
	return nil
}

func accepts(params []string, name string) bool {
	prefix, path, dotted := strings.Cut(name, ".")
	if !dotted {
		return slices.Contains(params, name)
	}
	return path != "" && len(path) <= queryPathMax && slices.Contains(params, prefix+".")
}

// unescape is QueryUnescape for text that may be stored: what no event can hold
// is refused, not looked for.
func unescape(s string) (string, error) {
	text, err := url.QueryUnescape(s)
	if err != nil {
		return "", errText("bad percent-encoding")
	}
	if !utf8.ValidString(text) {
		return "", errText("not UTF-8")
	}
	return text, nil
}

type errText string

func (e errText) Error() string { return string(e) }

// shorten bounds in bytes what an answer repeats of a client's text.
func shorten(s string, bytesMax int) string {
	if len(s) > bytesMax {
		s = s[:bytesMax]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func checkFilter(name, text string) error {
	switch name {
	case "type":
		if !slices.Contains(event.Types, event.Type(text)) {
			return badField(name, "no such type")
		}
	case "dialect":
		if !slices.Contains(event.Dialects, event.Dialect(text)) {
			return badField(name, "no such dialect")
		}
	default:
		// A property may well hold an empty text; a field that is absent when it is
		// empty never equals it.
		if text == "" && !strings.Contains(name, ".") && name != "value" {
			return badField(name, "empty")
		}
	}
	return nil
}

// choice is a parameter with a fixed list of values, the first the default.
func (q *nativeQuery) choice(name string, values ...string) (string, error) {
	text := q.single[name]
	if text == "" {
		return values[0], nil
	}
	if !slices.Contains(values, text) {
		return "", badField(name, "must be one of "+strings.Join(values, ", "))
	}
	return text, nil
}

// metricNames are those of the parameter metrics, in the order of the engine's.
var metricNames = [...]string{"events", "users", "sessions"}

// metrics are the numbers to be answered, separated by commas; all when absent.
func (q *nativeQuery) metrics() (m query.Metrics, err error) {
	text := q.single["metrics"]
	if text == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		i := slices.Index(metricNames[:], name)
		if i < 0 {
			return 0, badField("metrics", "must be some of events, users, sessions, separated by commas")
		}
		m |= query.MetricEvents << i
	}
	return m, nil
}

// limit is 1..pageMax, pageDefault when absent.
func (q *nativeQuery) limit() (int, error) {
	text := q.single["limit"]
	if text == "" {
		return pageDefault, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 1 || n > pageMax {
		return 0, badField("limit", "must be a number from 1 to "+strconv.Itoa(pageMax))
	}
	return int(n), nil
}

// after is the public id of an event, "" when absent. Whether it is one of this
// site's is the engine's to say.
func (q *nativeQuery) after() (string, error) {
	id := q.single["after"]
	if id != "" && !publicID(id) {
		return "", badField("after", "not a cursor")
	}
	return id, nil
}

func publicID(id string) bool {
	if len(id) != 32 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// selection is which events of site are meant: filters and times.
func (q *nativeQuery) selection(site *engine.Site) (query.Query, error) {
	query := query.Query{Site: &site.Site, Where: q.where, Shown: true}
	var err error
	query.From, query.To, err = q.timeRange(site.Location)
	return query, err
}

// page is a selection and which part of it: order, limit and after.
func (q *nativeQuery) page(site *engine.Site) (query.Query, error) {
	query, err := q.selection(site)
	if err != nil {
		return query, err
	}
	order, err := q.choice("order", "desc", "asc")
	if err != nil {
		return query, err
	}
	query.Ascending = order == "asc"
	if query.Limit, err = q.limit(); err != nil {
		return query, err
	}
	query.After, err = q.after()
	return query, err
}

// A counters cursor is the number of rows before the page, bound to the query
// it belongs to by a hash of all that decides the order of rows. It is text of
// base64url: uvarint offset, then 4 bytes of FNV-1a. It is no secret, so the
// hash only tells a mistaken cursor, and the offset is bounded.
func appendCounterCursor(dst []byte, offset int, query uint32) []byte {
	var raw [binary.MaxVarintLen64 + 4]byte
	b := binary.AppendUvarint(raw[:0], uint64(offset))
	b = binary.BigEndian.AppendUint32(b, query)
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

func counterOffset(cursor string, query uint32) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil {
		offset, n := binary.Uvarint(raw)
		if n > 0 && len(raw) == n+4 && offset <= counterOffsetMax && binary.BigEndian.Uint32(raw[n:]) == query {
			return int(offset), nil
		}
	}
	return 0, badField("after", "not a cursor of this query")
}

// counterHash identifies the rows and their order: everything but limit and
// after.
func counterHash(c *query.CounterQuery) uint32 {
	h := fnv.New32a()
	text := func(s string) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	text(c.Site.Name)
	text(c.Property)
	text(c.Segment)
	text(c.Sort)
	for _, v := range c.Values {
		text(v)
	}
	var n [24]byte
	binary.BigEndian.PutUint64(n[0:], uint64(c.From))
	binary.BigEndian.PutUint64(n[8:], uint64(c.To))
	binary.BigEndian.PutUint32(n[16:], uint32(c.FromDay))
	binary.BigEndian.PutUint32(n[20:], uint32(c.ToDay))
	h.Write(n[:])
	return h.Sum32()
}
