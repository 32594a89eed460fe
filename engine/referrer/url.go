// Cutting urls into their parts.

package referrer

import "strings"

// Split cuts a url of any scheme, or one that begins with / or //. It does not validate
// the url. host has no user, port or final dot, and is "" when there is none. path is
// "/" where a url with a host has none. query has no question mark.
func Split(u string) (host, path, query string) {
	if i := strings.IndexByte(u, '#'); i >= 0 {
		u = u[:i]
	}
	if i := strings.IndexByte(u, '?'); i >= 0 {
		u, query = u[:i], u[i+1:]
	}
	if i := strings.IndexByte(u, ':'); i > 0 && strings.HasPrefix(u[i:], "://") && strings.IndexByte(u[:i], '/') < 0 {
		u = u[i+1:]
	}
	if rest, ok := strings.CutPrefix(u, "//"); ok {
		host, u = rest, "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			host, u = rest[:i], rest[i:]
		}
		host = hostName(host)
	}
	if strings.HasPrefix(u, "/") {
		path = u
	}
	return host, path, query
}

// hostBytesMax is the longest name that DNS allows, in bytes.
const hostBytesMax = 253

func hostName(authority string) string {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if authority != "" && authority[0] == '[' { // [2001:db8::1]:8080
		if i := strings.IndexByte(authority, ']'); i > 0 {
			return authority[:i+1]
		}
		return ""
	}
	for i := range len(authority) {
		switch authority[i] {
		case ':':
			authority = authority[:i]
		case ' ', '\t', '\\', '"', '<', '>':
			return ""
		default:
			continue
		}
		break
	}
	authority = strings.TrimSuffix(authority, ".")
	if len(authority) > hostBytesMax {
		return ""
	}
	return authority
}
