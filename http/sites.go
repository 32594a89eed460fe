package httpd

import (
	"errors"

	"cairn/http/auth"
	"cairn/http/dashboard"
	"cairn/http/dialect"
	"cairn/http/wire"
)

// This file holds what changes while the server runs: the sites and the settings. They are one
// value behind one atomic pointer: a request loads it once, when it begins, and keeps it until its
// answer is written. So one request never sees two states, and a change waits for nobody.

// sites are all sites with their credentials and settings, the settings of the server that can
// change, and the routes, which depend on them. They never change.
type sites struct {
	registry *auth.Registry
	tenants  []*tenant // by auth.Account.Index
	table    *table

	options   Options // of which what Prepare takes is in force
	proxies   wire.Proxies
	addresses Addresses
	perIP     *meters
	dashboard *dashboard.Dashboard // nil = off
}

// tenant is a site with what the server keeps for it.
type tenant struct {
	*Site
	events *meter // the site's own rate limit; it outlives the tenant
}

// Prepare makes ready what replaces the sites with their credentials and settings, and of the
// settings of the server: both tokens, SnapshotDir, TrustedProxies, IPRate, IPBurst, IPConns,
// Addresses, Dashboard and Assistants. The other options stay as New got them. apply puts it into force;
// without that call everything is as before. Requests that have begun continue with what they
// began with. Some things carry over: tickets stay valid, reads in progress still count against
// the limit of their key, and whoever is held to the same rate as before keeps what they have used
// of it. Prepare fails if there is no site, if two sites or two credentials are the same, and if
// two dialects answer the same request. The caller must not change o.Sites, or what they point to,
// afterwards, and calls apply before it calls Prepare again.
func (s *Server) Prepare(o Options) (apply func(), err error) {
	next, err := s.newSites(s.sites.Load(), o)
	if err != nil {
		return nil, err
	}
	return func() {
		s.sites.Store(next)
		s.gate.SetPerIP(next.options.IPConns)
		s.unforgotten(s.browsers.EndOthers(next.registry))
	}, nil
}

// newSites returns the sites that replace before. before is nil when the server starts.
func (s *Server) newSites(before *sites, o Options) (next *sites, err error) {
	list := o.Sites
	if len(list) == 0 {
		return nil, errors.New("no site")
	}
	o.setDefaults()
	next = &sites{options: o, proxies: o.TrustedProxies, addresses: o.Addresses}
	rate := newPace(o.IPRate, o.IPBurst)
	if next.perIP = newMeters(rate); before != nil && before.perIP.pace == rate {
		next.perIP = before.perIP
	}
	if o.Dashboard {
		next.dashboard = dashboard.New(dashboard.Options{Reports: s, Gate: s, Addresses: &next.addresses, Now: s.now, Log: s.log, ReadOnly: o.ReadOnly})
	}
	keys := make([]auth.Keys, len(list))
	known := make([]*dialect.Site, len(list))
	for i, site := range list {
		keys[i] = keysOf(site)
		known[i] = &keys[i].Site
		next.tenants = append(next.tenants, &tenant{site, before.meterOf(site)})
	}
	tokens := auth.Tokens{Admin: o.AdminToken, Metrics: o.MetricsToken}
	if before == nil {
		next.registry, err = auth.NewRegistry(keys, tokens, o.Implicit, s.now)
	} else {
		next.registry, err = before.registry.Next(keys, tokens, o.Implicit)
	}
	if err != nil {
		return nil, err
	}
	if before == nil {
		next.registry.OnEnded(s.keyEnded)
	}
	routes := append(s.routes(next.dashboard, dialects(s.native, known, next.registry.AnySite())), s.assistantRoutes(&o)...)
	if err := next.addresses.free(routes); err != nil {
		return nil, err
	}
	if next.table, err = newTable(routes); err != nil {
		return nil, err
	}
	return next, nil
}

// keysOf returns the credentials of a site, and the part of the site that dialects may see.
func keysOf(s *Site) auth.Keys {
	return auth.Keys{
		WriteKey: s.WriteKey, ClientID: s.ClientID, ClientSecret: s.ClientSecret,
		SecretKey: s.SecretKey, ReadKey: s.ReadKey, TokenAuth: s.TokenAuth, TrackingToken: s.TrackingToken,
		Origins: s.Origins, More: s.More,
		Site: dialect.Site{Site: s.Site.Site, WriteKey: s.WriteKey, ClientID: s.ClientID, Settings: s.Settings},
	}
}

// meterOf returns the meter for the rate of a site. If the rate has not changed, this is the
// meter that the site already had.
func (all *sites) meterOf(site *Site) *meter {
	p := newPace(float64(site.RateLimit), site.RateLimit)
	if all != nil {
		if t := all.tenant(all.registry.ByID(site.ID)); t != nil && t.events.pace == p {
			return t.events
		}
	}
	return &meter{pace: p}
}

// all are the sites as dialects may see them.
func (all *sites) all() []*dialect.Site {
	list := make([]*dialect.Site, len(all.tenants))
	for i, t := range all.tenants {
		list[i] = &all.registry.ByID(t.ID).Site
	}
	return list
}

// tenant is what the server keeps for an account, nil for none.
func (all *sites) tenant(a *auth.Account) *tenant {
	if a == nil {
		return nil
	}
	return all.tenants[a.Index]
}
