package httpd

import (
	"cairn/http/dialect"
	"cairn/http/matomo"
	"cairn/http/native"
	"cairn/http/openpanel"
	"cairn/http/opentracker"
	"cairn/http/oppizi"
	"cairn/http/segment"
)

// dialects lists the wire protocols for sites. A new one is one line here; where two could
// answer the same request, the earlier one does.
func dialects(s *Server, sites []*dialect.Site, snapshotDir string) []dialect.Dialect {
	return []dialect.Dialect{
		native.New(native.Options{Engine: s.engine, SnapshotDir: snapshotDir, Now: s.now}),
		oppizi.New(),
		opentracker.New(), // before the other dialects that answer "/": an si in the query wins
		segment.New(sites),
		openpanel.New(),
		matomo.New(matomo.OptionsOf(sites, s.registry.AnySite())),
	}
}
