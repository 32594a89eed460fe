// Privacy settings of a site, applied before anything is written: how much of an
// address is kept, and which parameters urls lose.

package enrich

import (
	"encoding/json"
	"net/netip"
	"strings"

	"cairn/engine/event"
)

// hideIP returns what a site keeps of an address: all of it with "keep", nothing
// with "drop", else its network of 24 bits, or 48 of IPv6. An address that names
// nobody (0.0.0.0 is how clients opt out) is never kept.
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
	network, _ := addr.Prefix(bits) // bits fit either kind
	return network.Addr(), true
}

// hideExtra treats every address under a key "ip" inside e.Extra, at any depth,
// as the site wants it: dialects keep there what vendors send, Segment's
// context.ip for one.
func hideExtra(e *event.Event, policy string, room *Arena) {
	hide := func(key, value string) (string, bool) {
		if key != "ip" {
			return "", false
		}
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return "", false
		}
		return room.hideIP(addr, policy), true
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
			m.Value.Text = room.rewriteJSON(m.Value.Text, m.Key, hide)
		}
	}
}

// stripEvent takes the named parameters out of every url of the event: in its
// context, and wherever else a string looks like a url or a query.
func stripEvent(e *event.Event, names []string, room *Arena) {
	strip := func(_, value string) (string, bool) {
		if !looksLikeURL(value) {
			return "", false
		}
		s := stripParams(value, names)
		return s, len(s) != len(value)
	}
	if s, ok := strip("", e.Name); ok { // a download's name is its url
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
					v.Text = room.rewriteJSON(v.Text, o[i].Key, strip)
				}
			}
		}
	}
}

// looksLikeURL says whether s has a query or fragment, and begins as urls, paths,
// queries and fragments do.
func looksLikeURL(s string) bool {
	q := strings.IndexAny(s, "?#")
	if q < 0 {
		return false
	}
	return q == 0 || s[0] == '/' || strings.Contains(s[:q], "://")
}

// stripParams takes parameters out of the query of a url and out of a fragment
// that is written like one. Names are compared without case; one that ends in *
// stands for all that begin so. A url that loses nothing is returned as it is.
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

// stripQuery keeps the other pairs as they were written, separators too. A query
// that loses nothing is returned as it is.
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

// rewriteJSON walks compact, valid JSON and hands every string in it to f with the
// key it stands under, at any depth; key is that of the text itself. Where f says
// so the string is replaced, by null when the new one is "". Invalid JSON comes back
// in some form, never with a panic; Validate judges it. What is new lies in r.
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
				i = len(text) // not closed
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
