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

// WithoutUser returns a url without the user and password before its host. Any other
// text, and a url that has none, is returned as it is. It allocates only when it removes
// something.
func WithoutUser(u string) string {
	at := strings.IndexByte(u, '@')
	if at < 0 {
		return u
	}
	i := strings.Index(u[:at], "//")
	if i < 0 || !isScheme(strings.TrimLeft(u[:i], " \t\r\n")) {
		return u
	}
	i += len("//")
	authority := u[i:]
	if end := strings.IndexAny(authority, `/?#\`); end >= 0 {
		authority = authority[:end]
	}
	if at = strings.LastIndexByte(authority, '@'); at < 0 {
		return u
	}
	return u[:i] + u[i+at+1:]
}

// isScheme reports whether s is "" or a scheme with its colon.
func isScheme(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case i == len(s)-1:
			return c == ':' && i > 0
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
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
