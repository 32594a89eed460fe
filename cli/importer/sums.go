package importer

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// This file refuses exports that hold sums and no events. Sums cannot become events, and a number
// that is not the length of a list is nothing that cairn could check.

// sums are exports by the names of their members, and what to do instead.
var sums = []struct {
	is     func(names []string) bool
	reason string
}{
	{func(names []string) bool { return slices.Contains(names, "info.json") && anyEnds(names, ".jsonl") },
		"is GoatCounter's JSON export, which holds sums by hour and no visits. Export CSV instead: Settings → Export → CSV, or: goatcounter-cli export csv. Then: cairn import -format goatcounter FILE.csv.gz"},
	{func(names []string) bool { return anyImported(names) },
		"is Plausible's export, which holds sums by day and no events. If you run Plausible yourself, ask its ClickHouse: SELECT * FROM plausible_events_db.events_v2 WHERE site_id = N ORDER BY timestamp FORMAT JSONEachRow. Then: cairn import -format plausible FILE"},
	{func(names []string) bool {
		return slices.Contains(names, "pages.csv") && slices.Contains(names, "referrers.csv") && slices.Contains(names, "events.csv")
	},
		"is what Umami's export button makes, which holds top lists and no events. Ask its database instead, with the query in docs/data.md (website_event joined with session, as CSV). Then: cairn import -format umami FILE.csv"},
}

// sumsOf is why a zip with these members cannot be read, nil if it can.
func sumsOf(names []string) error {
	bases := make([]string, len(names))
	for i, name := range names {
		bases[i] = path.Base(name)
	}
	for _, s := range sums {
		if s.is(bases) {
			return errors.New(s.reason)
		}
	}
	return nil
}

// errBesideAlone is said of Umami's properties without its events.
var errBesideAlone = errors.New("has the properties of Umami's events and not the events; name website_event.csv, beside which it is read")

func anyEnds(names []string, end string) bool {
	return slices.ContainsFunc(names, func(s string) bool { return strings.HasSuffix(s, end) })
}

// anyImported reports whether a name is one of Plausible's: imported_pages_20260101_20260201.csv.
func anyImported(names []string) bool {
	return slices.ContainsFunc(names, func(s string) bool { return strings.HasPrefix(s, "imported_") && strings.HasSuffix(s, ".csv") })
}
