package httpd

import (
	"fmt"

	"cairn/engine"
	"cairn/http/auth"
	"cairn/http/dialect"
)

// tenant is a site with what the server keeps for it.
type tenant struct {
	*Site
	events meter // the site's own rate limit
}

// tenantsOf are the tenants of the sites and the keys of each, index for index.
func tenantsOf(sites []*Site) (tenants []*tenant, opens []auth.Keys, err error) {
	for _, s := range sites {
		k := auth.Keys{
			WriteKey: s.WriteKey, ClientID: s.ClientID, ClientSecret: s.ClientSecret,
			SecretKey: s.SecretKey, ReadKey: s.ReadKey, TokenAuth: s.TokenAuth, TrackingToken: s.Matomo.TrackingToken,
			Origins: s.Origins,
			Site: dialect.Site{
				ID: s.ID, Name: s.Name, Location: s.Location, Settings: s,
				Segment: dialect.SegmentSettings{EventLimit: s.EventLimit, BatchLimit: s.BatchLimit},

				UnsafeRevenue: s.OpenPanel.UnsafeRevenue,
			},
		}
		if k.Site.Matomo, err = matomoSettings(s); err != nil {
			return nil, nil, fmt.Errorf("site %q: %w", s.Name, err)
		}
		tenants = append(tenants, &tenant{Site: s, events: meter{pace: newPace(float64(s.RateLimit), s.RateLimit)}})
		opens = append(opens, k)
	}
	return tenants, opens, nil
}

// engineSite is the engine's site of one that tenantsOf has made.
func engineSite(site *dialect.Site) *engine.Site { return site.Settings.(*Site).Site }

// tenant is what the server keeps for an account, nil for none.
func (s *Server) tenant(a *auth.Account) *tenant {
	if a == nil {
		return nil
	}
	return s.tenants[a.Index]
}
