package dialecttest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"cairn/http/dialect"
)

// ParseRequest parses a request of a golden file: method and target, header lines, an empty
// line, and the body without its final line break.
func ParseRequest(text []byte) (*dialect.Request, error) {
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(strings.TrimSuffix(string(head), "\n"), "\n")
	method, target, ok := strings.Cut(lines[0], " ")
	if !ok || !strings.HasPrefix(target, "/") {
		return nil, fmt.Errorf("%q is not a method and a path", lines[0])
	}
	header := map[string]string{}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%q is not a header", line)
		}
		header[name] = strings.TrimSpace(value)
	}
	return NewRequest(method, target, header, bytes.TrimSuffix(body, []byte("\n")))
}

// NewRequest returns a request for a Session. Header names may be in any case. It copies the
// body.
func NewRequest(method, target string, header map[string]string, body []byte) (*dialect.Request, error) {
	if target == "" || target[0] != '/' {
		return nil, errors.New("a target begins with /")
	}
	// Names are compared without a lower-case copy, so that benchmarks measure only the dialect.
	get := func(name string) string {
		for n, value := range header {
			if strings.EqualFold(n, name) {
				return value
			}
		}
		return ""
	}
	path, query, _ := strings.Cut(target, "?")
	return &dialect.Request{
		Address:  func(path string) string { return "http://" + get("Host") + path },
		Method:   method,
		Host:     get("Host"),
		Path:     path,
		RawQuery: query,
		Header:   get,
		Body:     bytes.Clone(body),
	}, nil
}

// routeMatches says that the path, host, query and form of req match r; see dialect.Route for
// the patterns.
func routeMatches(r *dialect.Route, req *dialect.Request) bool {
	if label, _, _ := strings.Cut(req.Host, "."); r.Host != "" && !strings.EqualFold(label, r.Host) {
		return false
	}
	if r.Query != "" && !queryHas(req.RawQuery, r.Query) || r.Form != "" && !queryHas(string(req.Body), r.Form) {
		return false
	}
	if name, ok := strings.CutPrefix(r.Path, "*/"); ok {
		return strings.HasSuffix(req.Path, "/"+name)
	}
	want, have := strings.Split(r.Path, "/"), strings.Split(req.Path, "/")
	for i, segment := range want {
		switch {
		case i >= len(have):
			return false
		case segment == "*" && i == len(want)-1:
			return true
		case segment != "*" && segment != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

func queryHas(query, want string) bool {
	key, value, valued := strings.Cut(want, "=")
	for k, v := range dialect.Form(query) {
		if k == key && (!valued || v == value) {
			return true
		}
	}
	return false
}

func methodMatches(r *dialect.Route, method string) bool {
	for _, m := range r.Methods {
		if m == method || method == "HEAD" && m == "GET" && r.Reads {
			return true
		}
	}
	return false
}

// specificity ranks the routes that match one request.
func specificity(r *dialect.Route) int {
	n := 0
	if r.Host != "" {
		n += 4
	}
	if r.Query != "" || r.Form != "" {
		n += 2
	}
	if !strings.Contains(r.Path, "*") {
		n++
	}
	return n
}
