package httpd

import (
	"cairn/http/auth"
	"cairn/http/dialect"
)

// tenant is a site with what the server keeps for it.
type tenant struct {
	*Site
	events meter // the site's own rate limit
}

// tenantsOf are the tenants of the sites and the keys of each, index for index.
func tenantsOf(sites []*Site) (tenants []*tenant, opens []auth.Keys) {
	for _, s := range sites {
		k := auth.Keys{
			WriteKey: s.WriteKey, ClientID: s.ClientID, ClientSecret: s.ClientSecret,
			SecretKey: s.SecretKey, ReadKey: s.ReadKey, TokenAuth: s.TokenAuth, TrackingToken: s.TrackingToken,
			Origins: s.Origins,
			Site: dialect.Site{
				Site: s.Site.Site, Settings: s.Settings,
			},
		}
		tenants = append(tenants, &tenant{Site: s, events: meter{pace: newPace(float64(s.RateLimit), s.RateLimit)}})
		opens = append(opens, k)
	}
	return tenants, opens
}

// tenant is what the server keeps for an account, nil for none.
func (s *Server) tenant(a *auth.Account) *tenant {
	if a == nil {
		return nil
	}
	return s.tenants[a.Index]
}
