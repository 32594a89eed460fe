package httpd

import (
	"cairn/engine/query"
	"cairn/http/auth"
)

// This file says which keys were used, so that the process can note the day.

// UsedKeys are the keys that were used since the last call, or the start. Their Day is 0.
func (s *Server) UsedKeys() (used []query.KeyUse) {
	s.sites.Load().registry.Uses(func(u auth.Use) { used = append(used, query.KeyUse{Site: u.Site, Key: u.SHA256}) })
	return used
}

// KeyUsed says whether a key was used since the last call of UsedKeys, and whether there is such a
// key at all.
func (s *Server) KeyUsed(u query.KeyUse) (used, known bool) {
	r := s.sites.Load().registry
	use := auth.Use{Site: u.Site, SHA256: u.Key}
	return r.Used(use), r.Knows(use)
}
