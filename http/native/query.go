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

	"cairn/engine/query"
	"cairn/http/dialect"
)

// This file reads the query string of the native API: which parameters there are, what each
// may say, and the cursor of the counters. Nothing unknown is ignored: without that check a
// misspelt filter would select everything.

// params is a query string whose every parameter is known to its route.
type params struct {
	single map[string]string
	lists  map[string][]string // those that may be repeated and are no filters, in order
	where  []query.Cond        // in the order of their first mention
	saved  []query.Cond        // of saved filters; each of these is a group of its own
	now    int64               // Unix milliseconds; all of an answer is of this moment
	known  paramList           // what the call takes
}

// parseQuery splits raw and checks every name against known, the parameters of
// its route. What they are is not checked yet, see paramList.check; but filters are.
func parseQuery(raw string, known paramList) (params, error) {
	q := params{known: known}
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
		text, err := unescape(value)
		if err != nil {
			return q, badName(name, err.Error())
		}
		kind := filterKind // or nothing that the call knows
		if p := known.find(name); p != nil {
			kind = p.kind
		}
		switch kind {
		case listKind:
			if q.lists == nil {
				q.lists = make(map[string][]string, 2)
			}
			if text != "" {
				q.lists[name] = append(q.lists[name], text)
			}
			continue
		case singleKind:
			if _, again := q.single[name]; again {
				return q, badField(name, "given more than once")
			}
			if text == "" && known.find("dry_run") != nil {
				// A deletion without what an empty variable of a shell left out is a larger one.
				return q, badField(name, "empty")
			}
			if text != "" {
				if q.single == nil {
					q.single = make(map[string]string, 4)
				}
				q.single[name] = text
			}
			continue
		}
		c, err := filterOf(known, name, text)
		if err != nil {
			return q, err
		}
		q.add(c)
	}
	return q, nil
}

// of refuses a query that names another site than the one that its key opens. The admin
// token opens the site that the query names.
func (q *params) of(site string) error {
	if name := q.single["site"]; name != "" && name != site {
		return &dialect.StatusError{Failure: dialect.NotFound, Field: "site", Msg: "site: no such site"}
	}
	return nil
}

// accepts reports whether a name is one of names, of which one that ends in "." stands for all that begin
// so.
func accepts(names []string, name string) bool {
	prefix, path, dotted := strings.Cut(name, ".")
	if !dotted {
		return slices.Contains(names, name)
	}
	return path != "" && len(path) <= queryPathMax && slices.Contains(names, prefix+".")
}

// unescape is QueryUnescape for text that an event can hold. Any other is refused, because
// nothing could match it.
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

// shorten bounds how many bytes of a client's text an answer repeats.
func shorten(s string, bytesMax int) string {
	if len(s) > bytesMax {
		s = s[:bytesMax]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// metricNames are those of the parameter metrics, in the order of the engine's.
var metricNames = []string{"events", "users", "sessions"}

// metrics are the numbers to be answered; 0, which means all, when the parameter is absent.
func (q *params) metrics() (m query.Metrics) {
	if q.single["metrics"] != "" {
		for _, name := range q.some("metrics", metricNames) {
			m |= query.MetricEvents << slices.Index(metricNames, name)
		}
	}
	return m
}

// publicID reports whether a text looks like the public id of an event. The engine checks whether it is
// of the site.
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

// selection is the query for the events of a site that pass the filters and times.
func (q *params) selection(site *query.Site) (query.Query, error) {
	query := query.Query{Site: site, Where: q.conds(), Shown: true}
	var err error
	query.From, query.To, err = q.timeRange(site.Location)
	return query, err
}

// page is a selection and the part of it that order, limit and after name.
func (q *params) page(site *query.Site) (query.Query, error) {
	query, err := q.selection(site)
	if err != nil {
		return query, err
	}
	query.Ascending = q.choice("order") == "asc"
	query.Limit = int(q.number("limit"))
	query.Bytes = pageBytesMax
	query.After = q.single["after"]
	return query, nil
}

// appendCounterCursor writes a cursor of the counters: the number of rows before the page,
// and a hash of all that decides the order of the rows, which binds it to its query. It is
// base64url of a uvarint and 4 bytes of FNV-1a. It is not secret: the hash only finds
// mistakes, and the offset is bounded.
func appendCounterCursor(dst []byte, offset int, query uint32) []byte {
	var raw [binary.MaxVarintLen64 + 4]byte
	b := binary.AppendUvarint(raw[:0], uint64(offset))
	b = binary.BigEndian.AppendUint32(b, query)
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// counterOffset is the number of rows before the page that a cursor opens.
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
	text("")
	for _, cond := range c.Where {
		text(cond.String())
	}
	var n [24]byte
	binary.BigEndian.PutUint64(n[0:], uint64(c.From))
	binary.BigEndian.PutUint64(n[8:], uint64(c.To))
	binary.BigEndian.PutUint32(n[16:], uint32(c.FromDay))
	binary.BigEndian.PutUint32(n[20:], uint32(c.ToDay))
	h.Write(n[:])
	return h.Sum32()
}
