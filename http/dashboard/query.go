package dashboard

import (
	"net/url"
	"slices"
	"strings"
)

// This file reads and writes the query of an address: what a screen shows. It is the query of the
// API; what only the page needs begins with "_". So the address holds everything, and any link
// is a state with something changed.

// state is the query of an address, in its order.
type state []pair

type pair struct{ key, value string }

// pairsMax is how many parameters of an address are read; the API takes as many.
const pairsMax = 256

// stateBytesMax is how long the query of a screen may be. A screen has up to a thousand links, and
// each of them holds the query.
const stateBytesMax = 8 << 10

// parseState reads a raw query. Without a range it has the one that screens begin with, and what
// else is true of a new screen.
func parseState(raw string) state {
	s := parseRaw(raw)
	fresh := !slices.ContainsFunc(s, func(p pair) bool { return p.ofAPI() && keeps[p.key] == "" })
	if s.get("range") == "" && s.get("from") == "" && s.get("to") == "" {
		s = append(state{{"range", "30d"}}, s...)
		if fresh && s.get("compare") == "" {
			s = slices.Insert(s, 1, pair{"compare", "previous"})
		}
		if fresh {
			s = slices.Insert(s, 2, pair{"bot", "false"})
		}
	}
	return s
}

// parseRaw reads a raw query as it is.
func parseRaw(raw string) (s state) {
	for pairText := range strings.SplitSeq(raw, "&") {
		if pairText == "" || len(s) == pairsMax {
			continue
		}
		key, value, _ := strings.Cut(pairText, "=")
		if p := (pair{unescape(key), unescape(value)}); p.repeats() || !slices.Contains(s, p) {
			s = append(s, p)
		}
	}
	return s
}

// repeats says whether a parameter may stand twice with one value: a way leads through a page twice.
func (p pair) repeats() bool { return p.key == "step" || p.key == "then" }

// unescape decodes a part of a query. A part that is not well-formed stays as it is: the API
// refuses it by name.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// String is the query as it stands in an address.
func (s state) String() string {
	var b strings.Builder
	for i, p := range s {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(p.key))
		b.WriteByte('=')
		b.WriteString(escape(p.value))
	}
	return b.String()
}

// escape is url.QueryEscape but for characters that are as good as they are, so that an address
// can be read.
func escape(text string) string {
	return readable.Replace(url.QueryEscape(text))
}

var readable = strings.NewReplacer("%2F", "/", "%2A", "*", "%3A", ":", "%21", "!", "%2C", ",", "%40", "@")

// ofAPI says whether the API gets a parameter.
func (p pair) ofAPI() bool { return !strings.HasPrefix(p.key, "_") }

// get is the first value of a key, "" when there is none.
func (s state) get(key string) string {
	for _, p := range s {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// all are the values of a key.
func (s state) all(key string) (values []string) {
	for _, p := range s {
		if p.key == key {
			values = append(values, p.value)
		}
	}
	return values
}

// without is the state without some keys.
func (s state) without(keys ...string) state {
	return slices.DeleteFunc(slices.Clone(s), func(p pair) bool { return slices.Contains(keys, p.key) })
}

// with is the state with one value of a key, in the place of others; without any when value is "".
func (s state) with(key, value string) state {
	at := slices.IndexFunc(s, func(p pair) bool { return p.key == key })
	rest := s.without(key)
	if value == "" {
		return rest
	}
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, min(at, len(rest)), pair{key, value})
}

// and is the state with one more value of a key.
func (s state) and(key, value string) state {
	if p := (pair{key, value}); !slices.Contains(s, p) {
		return append(slices.Clone(s), p)
	}
	return s
}

// but is the state without one value of a key.
func (s state) but(key, value string) state {
	return slices.DeleteFunc(slices.Clone(s), func(p pair) bool { return p == pair{key, value} })
}

// inputs are a state as the hidden inputs of a form, which sends it again.
func (s state) inputs() (list []pairView) {
	for _, p := range s {
		list = append(list, pairView{p.key, p.value})
	}
	return list
}

// has says whether there is a key.
func (s state) has(key string) bool {
	return slices.ContainsFunc(s, func(p pair) bool { return p.key == key })
}

// anew is the state without what belongs to the rows of one table: it is asked when a filter, the
// range or the order changes.
func (s state) anew() state { return s.without("after", "_after", "_panel", "_wait") }

// keeps are the parameters of the API that are no filters, and which group of a call takes them.
// Those of the group "own" belong to one screen.
var keeps = map[string]string{
	"range": "range", "from": "range", "to": "range", "compare": "compare", "interval": "steps",
	"limit": "rows", "after": "rows", "search": "rows", "sort": "rows", "order": "rows", "at_least": "rows",
	"site": "own", "max_age": "own", "format": "own", "metrics": "own", "property": "own", "segment": "own",
	"by": "own", "step": "own", "then": "own", "fold": "own", "goal": "own", "of": "own", "entity": "own", "mode": "own",
	"window": "own", "split": "own", "at": "own", "state": "own", "start": "own", "return": "own", "end": "own",
	"period": "own", "cohort": "own", "count": "own", "cell": "own", "depth": "own", "anchor": "own", "field": "own", "kind": "own",
}

// filters are the conditions of a state, those of one field and operator together, in the order
// of their first mention.
func (s state) filters() (list []filter) {
	for _, p := range s {
		if !p.ofAPI() || keeps[p.key] != "" {
			continue
		}
		at := slices.IndexFunc(list, func(f filter) bool { return f.key == p.key })
		if at < 0 {
			list = append(list, filter{key: p.key})
			at = len(list) - 1
		}
		list[at].values = append(list[at].values, p.value)
	}
	return list
}

// filter is a condition on events or visits. Its values are alternatives.
type filter struct {
	key    string // as in the query: a field and an operator without its "="
	values []string
}

// operators are the operators by the end of a key, the longest first, with what chips call them.
var operators = []struct{ end, words string }{
	{"!~", "does not match"}, {"!", "is not"}, {"~", "matches"}, {">", "at least"}, {"<", "at most"}, {"", "is"},
}

// split are the field of a condition and the end of the key.
func (f filter) split() (field, end string) {
	for _, o := range operators {
		if field, ok := strings.CutSuffix(f.key, o.end); ok {
			return field, o.end
		}
	}
	return f.key, ""
}
