package httpd

import (
	"sync"
	"time"

	"cairn/http/adminlog"
	"cairn/http/auth"
	"cairn/http/dialect"
)

// This file says in admin.log what was done by a request, and in the log which key has ended.

// note puts what a request has done into admin.log.
func (s *Server) note(req *dialect.Request, e adminlog.Entry) {
	if s.admin == nil {
		return
	}
	if req.Site != nil && e.Site == "" && req.Route.Right&dialect.Admin == 0 {
		e.Site = req.Site.Name
	}
	e.By, e.From = req.Key, req.Peer
	if e.Action == adminlog.Import && !s.imports.due(importer{e.Site, e.By, adminlog.Network(e.From)}, s.now()) {
		return
	}
	s.admin.Add(e)
}

// keyName is what admin.log calls who sent the request.
func (x *exchange) keyName(g *auth.Grant) string {
	if g.Admin && x.s.commands != "" && x.browser == nil && !x.c.Peer().IsValid() {
		if at := x.c.LocalAddr(); at != nil && at.String() == x.s.commands {
			return adminlog.ByCommand
		}
	}
	return g.Key
}

// importEvery is how often the import of one key from one network into one site is noted: it
// comes as many requests.
const importEvery = time.Hour

// importsMax bounds how many imports are remembered.
const importsMax = 1000

// imports are when imports were last noted.
type imports struct {
	mu    sync.Mutex
	noted map[importer]time.Time
}

// importer is who imports into which site.
type importer struct{ site, key, from string }

// due says whether a request of an import has to be noted.
func (n *imports) due(i importer, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, ok := n.noted[i]; ok && now.Sub(at) < importEvery {
		return false
	}
	if n.noted == nil || len(n.noted) >= importsMax {
		n.noted = map[importer]time.Time{}
	}
	n.noted[i] = now
	return true
}

// keyEnded logs that somebody used a key that has ended.
func (s *Server) keyEnded(site *dialect.Site, title string) {
	if ok, dropped := s.lines.count("ended key", time.Now()); ok {
		s.log.Warn("a key that has ended was refused", "site", site.Name, "key", title, "unlogged", dropped)
	}
}
