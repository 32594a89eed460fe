package httpd

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"sync"
)

// This file knows which browsers may send without a secret, and tells the
// operator of those that may not.

// allowsOrigin says whether one of a site's origins is the Origin of a request.
// Compared is what is left without the scheme, one leading "www." and one trailing
// slash, port included. A "*" alone is every origin; inside a name it stands for
// one or more letters, digits, dots and dashes, and the name has to match from its
// first to its last character.
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

// refuseOrigin tells of a browser that was turned away for where its page is: the
// client cannot be told, the operator must be.
func (x *exchange) refuseOrigin(client, origin string) {
	a := x.s.registry.clients[sha256.Sum256([]byte(client))]
	if a == nil {
		return
	}
	x.s.metrics.origins.add(a.Name, cut(origin))
	if ok, dropped := x.s.lines.count("origin", x.started); ok {
		x.s.log.Warn("origin refused: it is not in the site's origins", "site", a.Name, "origin", cut(origin), "unlogged", dropped)
	}
}

// originsMax bounds how many origins the metrics name; the rest count as "other".
const originsMax = 64

// origins counts refused origins by site.
type origins struct {
	mu sync.Mutex
	n  map[[2]string]uint64 // site, origin
}

func (o *origins) add(site, origin string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == nil {
		o.n = map[[2]string]uint64{}
	}
	key := [2]string{site, origin}
	if _, known := o.n[key]; !known && len(o.n) >= originsMax {
		key[1] = "other"
	}
	o.n[key]++
}

func (o *origins) append(p *page) {
	o.mu.Lock()
	n := maps.Clone(o.n)
	o.mu.Unlock()
	p.head("cairn_origin_refused_total", "counter", "Requests refused because their Origin is not in the site's list.")
	keys := slices.SortedFunc(maps.Keys(n), func(a, b [2]string) int {
		return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
	})
	for _, key := range keys {
		p.value("cairn_origin_refused_total", float64(n[key]), "site", key[0], "origin", key[1])
	}
}
