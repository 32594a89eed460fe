package httpd

import (
	"errors"

	"cairn/http/auth"
	"cairn/http/dialect"
)

// This file holds the sites. They are one value behind one atomic pointer: a request loads
// it once, when it begins, and keeps it until its answer is written. So one request never
// sees two states, and SetSites waits for nobody.

// sites are all sites with their credentials and settings, and the routes, whose limits
// depend on them. They never change.
type sites struct {
	registry *auth.Registry
	tenants  []*tenant // by auth.Account.Index
	table    *table
}

// tenant is a site with what the server keeps for it.
type tenant struct {
	*Site
	events *meter // the site's own rate limit; it outlives the tenant
}

// SetSites replaces all sites with their credentials and settings, and the admin's token.
// Requests that have begun continue with the old sites. Three things carry over: tickets stay
// valid, reads in progress still count against the limit of their key, and a site with the
// same rate keeps what it has used of that rate. SetSites fails if list is empty, or if two
// sites or two credentials are the same. After an error, everything is as before. implicit
// and admin are as in Options. The caller must not change list, or what it points to,
// afterwards.
func (s *Server) SetSites(list []*Site, implicit bool, admin string) error {
	s.setting.Lock()
	defer s.setting.Unlock()
	next, err := s.newSites(s.sites.Load(), list, implicit, admin)
	if err != nil {
		return err
	}
	s.sites.Store(next)
	s.unforgotten(s.browsers.EndOthers(next.registry))
	return nil
}

// newSites returns the sites that replace before. before is nil when the server starts.
func (s *Server) newSites(before *sites, list []*Site, implicit bool, admin string) (next *sites, err error) {
	if len(list) == 0 {
		return nil, errors.New("no site")
	}
	next = new(sites)
	keys := make([]auth.Keys, len(list))
	known := make([]*dialect.Site, len(list))
	for i, site := range list {
		keys[i] = keysOf(site)
		known[i] = &keys[i].Site
		next.tenants = append(next.tenants, &tenant{site, before.meterOf(site)})
	}
	tokens := auth.Tokens{Admin: admin, Metrics: s.metricsToken}
	if before == nil {
		next.registry, err = auth.NewRegistry(keys, tokens, implicit, s.now)
	} else {
		next.registry, err = before.registry.Next(keys, tokens, implicit)
	}
	if err != nil {
		return nil, err
	}
	routes := s.routes(dialects(s.native, known, next.registry.AnySite()))
	if err := s.addresses.free(routes); err != nil {
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
		Origins: s.Origins,
		Site:    dialect.Site{Site: s.Site.Site, WriteKey: s.WriteKey, ClientID: s.ClientID, Settings: s.Settings},
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
