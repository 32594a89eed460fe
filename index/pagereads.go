// Counting what readers touch: which kinds of pages they ask for, and how many of these come
// from the cache. A benchmark prints it; no answer depends on it.

package index

import "slices"

// PageReads counts what readers have asked for of one kind of page.
type PageReads struct {
	Kind  string // in the words of doc.go, such as "codes"
	Hits  uint64 // pages that the cache had
	Loads uint64 // pages that were read from a table, decompressed and checked
	Bytes uint64 // bytes of the loaded pages, decompressed
}

// The kinds of pages beyond sections, which have the numbers of their sections.
const (
	kindHeader = 0
	kindTotals = int(secMatches) + 1
	kindFilter = int(secMatches) + 2
	kindCounts = int(secMatches) + 3

	pageKinds = int(secMatches) + 4
)

var pageKindNames = [pageKinds]string{
	kindHeader: "header", kindTotals: "totals", kindFilter: "filter", kindCounts: "counts",
	secDict: "dict", secFirsts: "firsts", secStarts: "starts", secInts: "codes", secRowSet: "rowset", secBlocks: "lists",
	secListStarts: "list starts", secLeaves: "leaves", secOwners: "owners", secMatches: "matches",
}

func (k pageKey) kind() int {
	switch {
	case k.sec != 0:
		return int(k.sec)
	case k.col == colCounts || k.col == colPairs:
		return kindCounts
	case k.col == colTotals:
		return kindTotals
	case k.col == colFilter:
		return kindFilter
	case k.col == colHeader:
		return kindHeader
	}
	return int(secInts)
}

// pageCounts are the counts of a shard, by kind. The mutex of the shard guards them.
type pageCounts [pageKinds]struct{ hits, loads, bytes uint64 }

// loaded counts a page that was read from a table.
func (c *Cache) loaded(k pageKey, bytes int) {
	if c == nil {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.counts[k.kind()]
	n.loads++
	n.bytes += uint64(bytes)
}

// Reads returns what was asked for until now, of the kinds of which a page was asked for.
func (c *Cache) Reads() []PageReads {
	var sums [pageKinds]PageReads
	for _, shards := range []*[cacheShards]cacheShard{&c.pages, &c.matches} {
		for i := range shards {
			s := &shards[i]
			s.mu.Lock()
			for kind, n := range s.counts {
				sums[kind].Hits += n.hits
				sums[kind].Loads += n.loads
				sums[kind].Bytes += n.bytes
			}
			s.mu.Unlock()
		}
	}
	for kind := range sums {
		sums[kind].Kind = pageKindNames[kind]
	}
	return slices.DeleteFunc(sums[:], func(r PageReads) bool { return r.Hits+r.Loads == 0 })
}
