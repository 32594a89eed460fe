package httpd

import (
	"slices"

	"cairn/http/dialect"
	"cairn/http/matomo"
	"cairn/http/openpanel"
	"cairn/http/opentracker"
	"cairn/http/oppizi"
	"cairn/http/segment"
)

// dialects lists the wire protocols besides the native API. A new one is one line
// here; where two could answer the same request, the earlier one does.
func dialects(r *registry) []dialect.Dialect {
	return []dialect.Dialect{
		oppizi.New(),
		opentracker.New(), // before whoever else answers "/": an si in the query wins
		segment.New(segmentLimits(r)),
		openpanel.New(),
		matomo.New(matomoOptions(r)),
	}
}

// segmentLimits are the largest of any site: what a body may have before it is
// known whose it is.
func segmentLimits(r *registry) (largest dialect.SegmentSettings) {
	for _, a := range r.ids {
		largest.EventLimit = max(largest.EventLimit, a.EventLimit)
		largest.BatchLimit = max(largest.BatchLimit, a.BatchLimit)
	}
	return largest
}

// matomoOptions are the sites that Matomo's log importer may ask for, and the script
// that pages load.
func matomoOptions(r *registry) matomo.Options {
	o := matomo.Options{AnySite: r.implicit}
	for id, a := range r.ids {
		o.Sites = append(o.Sites, id)
		if a.Matomo.Tracker != nil {
			o.Tracker = a.Matomo.Tracker
		}
	}
	slices.Sort(o.Sites)
	return o
}
