package auth

import "strings"

// This file knows which browsers may send without a secret.

// allowsOrigin says whether one of a site's origins is the Origin of a request. The scheme,
// one leading "www." and one trailing slash do not count; the port does. A "*" alone is
// every origin. Inside a name it stands for one or more letters, digits, dots and dashes,
// and the name has to match from its first to its last character.
func allowsOrigin(list []string, origin string) bool {
	if len(origin) > 512 {
		return false
	}
	sent := bareOrigin(origin)
	for _, allowed := range list {
		if allowed == "*" || sent != "" && matchesOrigin(bareOrigin(allowed), sent) {
			return true
		}
	}
	return false
}

func bareOrigin(s string) string {
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	s = strings.ToLower(strings.TrimSuffix(s, "/"))
	return strings.TrimPrefix(s, "www.")
}

func matchesOrigin(pattern, s string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	if strings.Count(after, "*") > 1 {
		return false // nobody needs three, and they would take long
	}
	rest, ok := strings.CutPrefix(s, before)
	if !ok {
		return false
	}
	for n := 1; n <= len(rest) && hostByte(rest[n-1]); n++ {
		if matchesOrigin(after, rest[n:]) {
			return true
		}
	}
	return false
}

func hostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-'
}
