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

// dialects lists the wire protocols for sites. dialect/dialect.go says how to add one. Where
// two could answer the same request, the earlier one does. own is the native API, which stays the same
// when the sites change. anySite says that every site name means the only site.
func dialects(own *native.API, sites []*dialect.Site, anySite bool) []dialect.Dialect {
	return []dialect.Dialect{
		own,
		oppizi.New(),
		opentracker.New(), // before the other dialects that answer "/": an si in the query wins
		segment.New(sites),
		openpanel.New(),
		matomo.New(matomo.OptionsOf(sites, anySite)),
	}
}
