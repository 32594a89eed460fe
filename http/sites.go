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

// SetSites replaces all sites, their credentials and their settings, and the admin's token.
// Requests that have begun go on with the former ones. Tickets stay valid, reads at work
// with a key still count, and a site whose rate is the same has spent what it had spent. An
// error leaves everything as it was; there is one when list is empty, and when two
// credentials or two sites are the same. implicit and admin are as in Options. The caller does not change list, nor what it
// points to, afterwards.
func (s *Server) SetSites(list []*Site, implicit bool, admin string) error {
	s.setting.Lock()
	defer s.setting.Unlock()
	next, err := s.newSites(s.sites.Load(), list, implicit, admin)
	if err != nil {
		return err
	}
	s.sites.Store(next)
	return nil
}

// newSites are the sites after those of before, which is nil for the first.
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
	if before == nil {
		next.registry, err = auth.NewRegistry(keys, admin, implicit, s.now)
	} else {
		next.registry, err = before.registry.Next(keys, admin, implicit)
	}
	if err != nil {
		return nil, err
	}
	if next.table, err = newTable(s.routes(dialects(s.native, known, next.registry.AnySite()))); err != nil {
		return nil, err
	}
	return next, nil
}

// keysOf are the credentials of a site, with what dialects may know of it.
func keysOf(s *Site) auth.Keys {
	return auth.Keys{
		WriteKey: s.WriteKey, ClientID: s.ClientID, ClientSecret: s.ClientSecret,
		SecretKey: s.SecretKey, ReadKey: s.ReadKey, TokenAuth: s.TokenAuth, TrackingToken: s.TrackingToken,
		Origins: s.Origins,
		Site:    dialect.Site{Site: s.Site.Site, Settings: s.Settings},
	}
}

// meterOf is the meter of a site's rate: the one that the site had, unless it has another
// rate now.
func (all *sites) meterOf(site *Site) *meter {
	p := newPace(float64(site.RateLimit), site.RateLimit)
	if all != nil {
		if t := all.tenant(all.registry.ByID(site.ID)); t != nil && t.events.pace == p {
			return t.events
		}
	}
	return &meter{pace: p}
}

// tenant is what the server keeps for an account, nil for none.
func (all *sites) tenant(a *auth.Account) *tenant {
	if a == nil {
		return nil
	}
	return all.tenants[a.Index]
}
