package httpd

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// This file tells the operator about browsers whose origin is not in the site's list.

// refuseOrigin counts and logs a browser that was refused for its origin. The browser hides
// the reason from its page, so the operator has to learn it here.
func (x *exchange) refuseOrigin(client, origin string) {
	a := x.sites.registry.ByClient(client)
	if a == nil {
		return
	}
	x.s.metrics.origins.add(a.Site.Name, cut(origin))
	if ok, dropped := x.s.lines.count("origin", x.started); ok {
		x.s.log.Warn("origin refused: it is not in the site's origins", "site", a.Site.Name, "origin", cut(origin), "unlogged", dropped)
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
	p.head("cairn_origin_refused_total", "counter", "Requests refused because their Origin is not in the site's origins.")
	keys := slices.SortedFunc(maps.Keys(n), func(a, b [2]string) int {
		return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
	})
	for _, key := range keys {
		p.value("cairn_origin_refused_total", float64(n[key]), "site", key[0], "origin", key[1])
	}
}
