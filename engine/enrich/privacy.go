// What is kept of addresses and urls, decided before anything is written: how much of an
// address, and which parameters of urls, by the settings of a site; passwords in no case.

package enrich

import (
	"encoding/json"
	"net/netip"
	"strings"

	"cairn/engine/address"
	"cairn/engine/event"
	"cairn/engine/referrer"
)

// hideIP returns what a site keeps of an address: all of it with "keep", nothing with
// "drop", otherwise its network of 24 bits, or 48 bits for IPv6. An address that
// identifies nobody is never kept; clients send 0.0.0.0 to opt out.
func hideIP(addr netip.Addr, policy string) (kept netip.Addr, ok bool) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.IsUnspecified() {
		return addr, false
	}
	switch policy {
	case "keep":
		return addr, true
	case "drop":
		return addr, false
	}
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	network, _ := addr.Prefix(bits) // the bits fit either kind
	return network.Addr(), true
}

// addressKeys are the names of address fields in what vendors send, in lower case and
// without separators.
var addressKeys = map[string]bool{
	"ip": true, "ipaddress": true, "ipaddr": true, "clientip": true, "userip": true, "requestip": true,
	"remoteip": true, "remoteaddr": true, "remoteaddress": true, "ipv4": true, "ipv6": true, "ipv4address": true, "ipv6address": true,
	"realip": true, "xrealip": true, "xclientip": true, "trueclientip": true, "cfconnectingip": true, "fastlyclientip": true,
	"forwardedfor": true, "xforwardedfor": true,
}

// addressKeyBytesMax is the longest spelling of an address key that is looked at.
const addressKeyBytesMax = 24

// addressKey reports whether a key names an address field.
func addressKey(key string) bool {
	if len(key) < 2 || len(key) > addressKeyBytesMax {
		return false
	}
	switch key[len(key)-1] {
	case 'p', 'r', 's', 'P', 'R', 'S', '4', '6', '_', '-', ' ':
	default:
		return false // no name ends so: most keys need no look-up
	}
	var folded [addressKeyBytesMax]byte
	n := 0
	for i := range len(key) {
		switch c := key[i]; {
		case c == '_' || c == '-' || c == ' ':
		case 'A' <= c && c <= 'Z':
			folded[n] = c | 0x20
			n++
		default:
			folded[n] = c
			n++
		}
	}
	return addressKeys[string(folded[:n])]
}

// hasAddressKey reports whether an object in compact JSON may have an address key.
func hasAddressKey(text string) bool {
	for i := 0; ; i++ {
		next := strings.IndexByte(text[i:], ':')
		if next < 0 {
			return false
		}
		i += next
		if i < 2 || text[i-1] != '"' {
			continue
		}
		// The quote before the key is at most addressKeyBytesMax bytes away from that after it.
		end := i - 1
		for start := end - 1; start >= 0 && start >= end-1-addressKeyBytesMax; start-- {
			if text[start] == '"' {
				if addressKey(text[start+1 : end]) {
					return true
				}
				break
			}
		}
	}
}

// hasAddressKey is hasAddressKey, remembered for objects with the same keys.
func (r *Arena) hasAddressKey(text string) bool {
	has, end, values := r.addressed.Find(text, 0, r.values[:0])
	if r.values = values; has != nil && end == len(text) {
		return *has
	}
	may := hasAddressKey(text)
	r.addressed.Learn(text, func([]event.Span) bool { return may })
	return may
}

// hideExtra applies the site's policy to the address fields inside e.Extra, at any
// depth. Dialects keep there what vendors send, for example Segment's context.ip. Such a
// field holds an address or nothing, whatever the policy is: a text that is no address
// may still contain one.
func hideExtra(e *event.Event, policy string, arena *Arena) {
	hide := func(key, value string) (string, bool) {
		if !addressKey(key) {
			return "", false
		}
		addr, _ := address.First(value)
		s := arena.hideIP(addr, policy)
		return s, s != value
	}
	kept := e.Extra[:0]
	for _, m := range e.Extra {
		field := addressKey(m.Key)
		switch {
		case m.Value.Kind == event.JSON && (field || arena.hasAddressKey(m.Value.Text)):
			m.Value.Text = arena.rewriteJSON(m.Value.Text, m.Key, hide)
		case !field:
		case m.Value.Kind == event.String:
			s, _ := hide(m.Key, m.Value.Text)
			if s == "" {
				continue
			}
			m.Value.Text = s
		default:
			continue
		}
		kept = append(kept, m)
	}
	clear(e.Extra[len(kept):])
	e.Extra = kept
}

// cleanURLs removes the user and password from every url of the event, and the named
// parameters: in its context, and wherever else a string looks like a url or a query.
func cleanURLs(e *event.Event, names []string, arena *Arena) {
	clean := func(_, value string) (string, bool) {
		s := referrer.WithoutUser(value)
		if len(names) > 0 && looksLikeURL(s) {
			s = stripParams(s, names)
		}
		return s, len(s) != len(value)
	}
	if s, ok := clean("", e.Name); ok { // the name of a download is its url
		e.Name = s
	}
	if e.Value.Kind == event.String {
		if s, ok := clean("", e.Value.Text); ok {
			e.Value.Text = s
		}
	}
	for _, o := range [...]event.Object{e.Context, e.Properties, e.Extra} {
		for i := range o {
			switch v := &o[i].Value; v.Kind {
			case event.String:
				if s, ok := clean("", v.Text); ok {
					v.Text = s
				}
			case event.JSON:
				if len(names) > 0 && strings.ContainsAny(v.Text, "?#") || strings.IndexByte(v.Text, '@') >= 0 && strings.Contains(v.Text, "//") {
					v.Text = arena.rewriteJSON(v.Text, o[i].Key, clean)
				}
			}
		}
	}
}

// looksLikeURL reports whether s has a query or fragment, and begins as urls, paths,
// queries and fragments do.
func looksLikeURL(s string) bool {
	q := strings.IndexAny(s, "?#")
	if q < 0 {
		return false
	}
	return q == 0 || s[0] == '/' || strings.Contains(s[:q], "://")
}

// stripParams removes parameters from the query of a url, and from a fragment that has
// the form of a query. Names are compared without case; a name that ends in * matches
// all names that begin with the rest. When nothing is removed, it returns the url as it
// is.
func stripParams(u string, names []string) string {
	head, fragment, hasFragment := strings.Cut(u, "#")
	page, query, hasQuery := strings.Cut(head, "?")
	newQuery, newFragment := query, fragment
	if hasQuery {
		newQuery = stripQuery(query, names)
	}
	if route, inner, ok := strings.Cut(fragment, "?"); ok { // #/route?a=1
		if s := stripQuery(inner, names); s == "" {
			newFragment = route
		} else {
			newFragment = route + "?" + s
		}
	} else if strings.Contains(fragment, "=") {
		newFragment = stripQuery(fragment, names)
	}
	if len(newQuery) == len(query) && len(newFragment) == len(fragment) {
		return u
	}
	s := page
	if newQuery != "" {
		s += "?" + newQuery
	}
	if hasFragment && newFragment != "" {
		s += "#" + newFragment
	}
	return s
}

// stripQuery removes pairs from a query. It keeps the other pairs and their separators
// as they were written. When nothing is removed, it returns the query as it is.
func stripQuery(query string, names []string) string {
	var kept []byte
	separator, lost := "", false
	for rest := query; rest != ""; {
		pair, after, next := rest, "", ""
		if i := strings.IndexAny(rest, "&;"); i >= 0 {
			pair, after, next = rest[:i], rest[i:i+1], rest[i+1:]
		}
		if name, _, _ := strings.Cut(pair, "="); !named(name, names) {
			if len(kept) > 0 {
				kept = append(kept, separator...)
			}
			kept = append(kept, pair...)
		} else {
			lost = true
		}
		separator, rest = after, next
	}
	if !lost {
		return query
	}
	return string(kept)
}

func named(name string, names []string) bool {
	if strings.ContainsAny(name, "%+") {
		name = unescape(name)
	}
	for _, n := range names {
		if prefix, ok := strings.CutSuffix(n, "*"); ok {
			if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
				return true
			}
		} else if strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// rewriteJSON calls f with every string and number in compact, valid JSON, at any depth,
// and its key; key is the key of the text itself. What is inside an address field has
// that field's key. When f returns true, its string replaces the old value, or null does
// when it is "". Invalid JSON gives some result and never a panic; Validate checks it.
// New text is in r.
func (r *Arena) rewriteJSON(text, key string, f func(key, value string) (string, bool)) string {
	out := r.scratch[:0]
	done := 0 // text[:done] is in out
	keys := append(r.keys[:0], key)
	defer func() {
		clear(keys)
		r.scratch, r.keys = out, keys
	}()
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			keys = append(keys, keys[len(keys)-1])
		case '}', ']':
			if len(keys) > 1 {
				keys = keys[:len(keys)-1]
			}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			start := i
			for i+1 < len(text) && strings.IndexByte("0123456789+-.eE", text[i+1]) >= 0 {
				i++
			}
			if s, change := f(keys[len(keys)-1], text[start:i+1]); change {
				out = append(out, text[done:start]...)
				out = appendReplaced(out, s)
				done = i + 1
			}
		case '"':
			start := i
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				i = len(text) // the string is not closed
				break
			}
			value := text[start+1 : i]
			if strings.IndexByte(value, '\\') >= 0 {
				var ok bool
				if value, ok = unquote(text[start : i+1]); !ok {
					continue
				}
			}
			if i+1 < len(text) && text[i+1] == ':' {
				if outer := max(len(keys)-2, 0); !addressKey(keys[outer]) {
					keys[len(keys)-1] = value
				}
				continue
			}
			s, change := f(keys[len(keys)-1], value)
			if !change {
				continue
			}
			out = append(out, text[done:start]...)
			out = appendReplaced(out, s)
			done = i + 1
		}
	}
	if done == 0 {
		return text
	}
	out = append(out, text[done:]...)
	return r.keep(out)
}

// appendReplaced appends a string as JSON, null for "".
func appendReplaced(out []byte, s string) []byte {
	if s == "" {
		return append(out, "null"...)
	}
	return event.AppendString(out, s)
}

// unquote reads a JSON string that has escapes.
func unquote(text string) (s string, ok bool) {
	err := json.Unmarshal([]byte(text), &s)
	return s, err == nil
}
