package httpd

import (
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file finds the route of a request. Paths are compared byte for byte, as target.go
// has read them: empty segments are folded, and nothing is unescaped or cleaned.

// route is one line of the table: a dialect's, or one the server answers itself.
type route struct {
	dialect.Route
	name  string // its pattern, for logs: paths hold ids of people
	wire  *wired // nil for the server's own
	own   func(*exchange)
	forms []*route // those that take over with their Form, the one wired first before the others
	allow string   // methods, for Allow
	reads dialect.Reading
	acts  dialect.Acting
}

// wired is a dialect that is wired in, with what the server keeps for it.
type wired struct {
	dialect.Dialect
	index   int // in the metrics
	batches pool[dialect.Batch]
}

// table is every route. It is immutable after newTable.
type table struct {
	exact    map[string][]*route
	last     map[string][]*route // "*/name": name as the last segment
	patterns []pattern           // "/a/*/b" and "/a/*"
}

type pattern struct {
	segments []string // "*" = any one
	tail     bool     // and any segments after these
	rest     bool     // it gives way to last
	routes   []*route
}

// newTable takes the routes in order of wiring. Two routes that answer the same
// request are an error.
func newTable(routes []*route) (*table, error) {
	t := &table{exact: map[string][]*route{}, last: map[string][]*route{}}
	for _, r := range routes {
		list := t.list(r.Path)
		if list == nil {
			return nil, fmt.Errorf("route %q: not a path this table can hold", r.Path)
		}
		if r.Right&dialect.Manage != 0 && r.Auth != dialect.AuthBearer {
			return nil, fmt.Errorf("route %q: only a key in the header can manage", r.Path)
		}
		for _, other := range *list {
			if other.Host == r.Host && other.Query == r.Query && other.Form == r.Form {
				for _, m := range r.Methods {
					if slices.Contains(other.Methods, m) {
						return nil, fmt.Errorf("route %s %q is there twice", m, r.Path)
					}
				}
			}
		}
		*list = append(*list, r)
		t.put(r.Path, *list)
	}
	t.each(func(list []*route) {
		var methods []string
		for _, r := range list {
			for _, m := range r.Methods {
				methods = append(methods, m)
				if m == "GET" && r.Reads {
					methods = append(methods, "HEAD")
				}
			}
		}
		methods = append(methods, "OPTIONS")
		slices.Sort(methods)
		allow := strings.Join(slices.Compact(methods), ", ")
		for _, r := range list {
			r.allow, r.name = allow, r.Path
			if r.Form == "" {
				continue
			}
			for _, plain := range list {
				if plain.Host+plain.Query+plain.Form == "" && !plain.Reads && slices.ContainsFunc(r.Methods, func(m string) bool { return slices.Contains(plain.Methods, m) }) {
					plain.forms = append(plain.forms, r)
				}
			}
		}
		// The more specific route first; otherwise in the order of wiring.
		slices.SortStableFunc(list, func(a, b *route) int { return b.weight() - a.weight() })
	})
	// Patterns with more literal segments first, open ends last.
	slices.SortStableFunc(t.patterns, func(a, b pattern) int { return b.weight() - a.weight() })
	return t, nil
}

func (r *route) weight() (n int) {
	if r.Host != "" {
		n += 2
	}
	if r.Query != "" {
		n++
	}
	return n
}

func (p pattern) weight() int {
	n := 4 * len(p.segments)
	for _, s := range p.segments {
		if s != "*" {
			n += 2
		}
	}
	if !p.tail {
		n++
	}
	return n
}

// list is where the routes of path stand; nil for a malformed path.
func (t *table) list(path string) *[]*route {
	var list []*route
	switch name, isLast := strings.CutPrefix(path, "*/"); {
	case isLast && name != "" && !strings.ContainsAny(name, "*/"):
		list = t.last[name]
	case !strings.HasPrefix(path, "/"):
		return nil
	case !strings.Contains(path, "*"):
		list = t.exact[path]
	default:
		segments, tail := splitPattern(path)
		for _, p := range t.patterns {
			if p.tail == tail && slices.Equal(p.segments, segments) {
				list = p.routes
			}
		}
	}
	return &list
}

func (t *table) put(path string, list []*route) {
	if name, ok := strings.CutPrefix(path, "*/"); ok {
		t.last[name] = list
		return
	}
	if !strings.Contains(path, "*") {
		t.exact[path] = list
		return
	}
	segments, tail := splitPattern(path)
	for i, p := range t.patterns {
		if p.tail == tail && slices.Equal(p.segments, segments) {
			t.patterns[i].routes = list
			return
		}
	}
	t.patterns = append(t.patterns, pattern{segments, tail, list[0].Rest, list})
}

func splitPattern(path string) (segments []string, tail bool) {
	segments = strings.Split(path[1:], "/")
	if segments[len(segments)-1] == "*" {
		return segments[:len(segments)-1], true
	}
	return segments, false
}

func (t *table) each(f func([]*route)) {
	for _, list := range t.exact {
		f(list)
	}
	for _, list := range t.last {
		f(list)
	}
	for _, p := range t.patterns {
		f(p.routes)
	}
}

// find returns the route of a request. When the path is known but not with this method,
// other is one of its routes, whose dialect answers 405.
func (t *table) find(method, host, path, query string) (found, other *route) {
	list := t.routesOf(path)
	for _, r := range list {
		if r.Form != "" || r.Host != "" && !strings.EqualFold(r.Host, firstLabel(host)) || r.Query != "" && !queryHas(query, r.Query) {
			continue
		}
		if slices.Contains(r.Methods, method) || method == "HEAD" && r.Reads && slices.Contains(r.Methods, "GET") {
			return r, nil
		}
		if other == nil {
			other = r
		}
	}
	return nil, other
}

func (t *table) routesOf(path string) []*route {
	if list := t.exact[path]; list != nil {
		return list
	}
	if !plainPath(path) {
		return nil
	}
	var last []*route
	if !belowOwn(path) { // there an id may be any word
		last = t.last[path[strings.LastIndexByte(path, '/')+1:]]
	}
	for _, p := range t.patterns {
		if p.match(path) && (last == nil || !p.rest) {
			return p.routes
		}
	}
	return last
}

func (p *pattern) match(path string) bool {
	rest := path[1:]
	for i, want := range p.segments {
		segment, after, more := strings.Cut(rest, "/")
		if segment == "" || want != "*" && want != segment {
			return false
		}
		if i == len(p.segments)-1 && !p.tail {
			return !more
		}
		if !more {
			return false
		}
		rest = after
	}
	return p.tail && rest != ""
}

// plainPath says whether a path may match a wildcard at all: it has neither empty nor dot
// segments in any spelling, nor parameters, backslashes or NUL.
func plainPath(path string) bool {
	if len(path) == 0 || path[0] != '/' || strings.Contains(path, "//") || strings.ContainsAny(path, ";\\#") {
		return false
	}
	if !strings.ContainsAny(path, "%.") {
		return true
	}
	if strings.Contains(path, "%00") {
		return false
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if len(segment) <= len("%2e%2e") {
			switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
			case ".", "..":
				return false
			}
		}
	}
	return true
}

func firstLabel(host string) string {
	label, _, _ := strings.Cut(host, ".")
	label, _, _ = strings.Cut(label, ":")
	return label
}

// byForm is the route that takes over from r because of a form-encoded body, or r.
func (r *route) byForm(method, contentType string, body []byte) *route {
	if len(r.forms) == 0 {
		return r
	}
	if kind, _, _ := strings.Cut(contentType, ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return r
	}
	for _, other := range r.forms {
		if slices.Contains(other.Methods, method) && queryHas(text(body), other.Form) {
			return other
		}
	}
	return r
}

// queryHas says whether a raw query string holds "key" or "key=value", spelled
// without escapes.
func queryHas(query, want string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, _, _ := strings.Cut(pair, "=")
		if pair == want || key == want {
			return true
		}
	}
	return false
}

// methods are those the server knows; any other is 501. TRACE and CONNECT are
// not among them.
var methods = []string{"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"}

// methodOf is a method as a string of its own.
func methodOf(b []byte) string {
	for _, m := range methods {
		if string(b) == m {
			return m
		}
	}
	return string(b)
}

// known reports whether a method is one of methods.
func known(method string) bool { return slices.Contains(methods, method) }

// dialectIndex numbers the dialects in the metrics; 0 is the server itself.
func dialectIndex(d event.Dialect) int { return slices.Index(event.Dialects, d) + 1 }
