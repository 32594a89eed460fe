// Privacy settings of a site, applied before anything is written: how much of an
// address is kept, and which parameters are removed from urls.

package enrich

import (
	"encoding/json"
	"net/netip"
	"strings"

	"cairn/engine/event"
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

// hideExtra applies the site's policy to every address under a key "ip" inside e.Extra,
// at any depth. Dialects keep there what vendors send, for example Segment's
// context.ip.
func hideExtra(e *event.Event, policy string, arena *Arena) {
	hide := func(key, value string) (string, bool) {
		if key != "ip" {
			return "", false
		}
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return "", false
		}
		return arena.hideIP(addr, policy), true
	}
	for i := 0; i < len(e.Extra); i++ {
		switch m := &e.Extra[i]; {
		case m.Value.Kind == event.String && m.Key == "ip":
			if s, ok := hide(m.Key, m.Value.Text); ok && s == "" {
				e.Extra = append(e.Extra[:i], e.Extra[i+1:]...)
				i--
			} else if ok {
				m.Value = event.Str(s)
			}
		case m.Value.Kind == event.JSON && (m.Key == "ip" || strings.Contains(m.Value.Text, `"ip"`)):
			m.Value.Text = arena.rewriteJSON(m.Value.Text, m.Key, hide)
		}
	}
}

// stripEvent removes the named parameters from every url of the event: in its context,
// and wherever else a string looks like a url or a query.
func stripEvent(e *event.Event, names []string, arena *Arena) {
	strip := func(_, value string) (string, bool) {
		if !looksLikeURL(value) {
			return "", false
		}
		s := stripParams(value, names)
		return s, len(s) != len(value)
	}
	if s, ok := strip("", e.Name); ok { // the name of a download is its url
		e.Name = s
	}
	if e.Value.Kind == event.String {
		if s, ok := strip("", e.Value.Text); ok {
			e.Value.Text = s
		}
	}
	for _, o := range [...]event.Object{e.Context, e.Properties, e.Extra} {
		for i := range o {
			switch v := &o[i].Value; v.Kind {
			case event.String:
				if s, ok := strip("", v.Text); ok {
					v.Text = s
				}
			case event.JSON:
				if strings.ContainsAny(v.Text, "?#") {
					v.Text = arena.rewriteJSON(v.Text, o[i].Key, strip)
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

// rewriteJSON calls f with every string in compact, valid JSON, at any depth, and the
// key of the string; key is the key of the text itself. When f returns true, its string
// replaces the old one, or null does when it is "". Invalid JSON gives some result and
// never a panic; Validate checks it. New text is in r.
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
				keys[len(keys)-1] = value
				continue
			}
			s, change := f(keys[len(keys)-1], value)
			if !change {
				continue
			}
			out = append(out, text[done:start]...)
			if s == "" {
				out = append(out, "null"...)
			} else {
				out = event.AppendString(out, s)
			}
			done = i + 1
		}
	}
	if done == 0 {
		return text
	}
	out = append(out, text[done:]...)
	return r.keep(out)
}

// unquote reads a JSON string that has escapes.
func unquote(text string) (s string, ok bool) {
	err := json.Unmarshal([]byte(text), &s)
	return s, err == nil
}
