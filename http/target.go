package httpd

import (
	"strings"

	"cairn/http/wire"
)

// This file reads the target of a request: which host it names, and which path.

// ownPaths are the prefixes below which an empty segment means something: an empty id must
// not make the next word the id. Only the dialect that owns the prefix answers there.
var ownPaths = []string{"/api/v1/", "/dashboard/"}

// belowOwn says whether a path lies below one of ownPaths.
func belowOwn(path string) bool {
	for _, prefix := range ownPaths {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// readTarget splits a request target that the connection has accepted, takes the base off its
// path and folds the path.
// The host is that of the Host header, unless the target is a whole url: that one's host
// counts then (RFC 9112, 3.2.2). The results may be parts of target and header.
func (a *Addresses) readTarget(method, target, header string) (host, path, query string) {
	host = header
	if authority, rest, ok := wire.CutAbsolute(target); ok && target[0] != '/' {
		host, target = authority, rest
		switch {
		case target == "" && method == "OPTIONS":
			target = "*"
		case target == "" || target[0] != '/':
			target = "/" + target
		}
	}
	path, query, _ = strings.Cut(target, "?")
	return host, foldPath(a.cut(path)), query
}

// foldPath takes the empty segments out of a path: "//track" is "/track". Vendors print
// base urls that end in a slash, and their SDKs append a path that begins with one. A slash
// at the end stays. Below ownPaths nothing folds.
func foldPath(path string) string {
	double := strings.Index(path, "//")
	if double < 0 || belowOwn(path[:double+1]) {
		return path
	}
	folded := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			folded = append(folded, path[i])
			continue
		}
		if belowOwn(text(folded)) {
			folded = append(folded, path[i:]...)
			break
		}
	}
	return text(folded)
}
