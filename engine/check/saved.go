// Saved things: whether each of them can be read.

package check

import (
	"encoding/binary"

	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// checkBrowsers reads every session of a browser.
func (c *checker) checkBrowsers() {
	if _, damaged, err := records.Browsers(c.db); err != nil {
		c.problem("%v", err)
	} else if damaged > 0 {
		c.problem("%d records of browsers' sessions are damaged", damaged)
	}
}

// checkSaved reads every saved thing.
func (c *checker) checkSaved() {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixSaved}, UpperBound: []byte{store.PrefixSaved + 1}})
	if err != nil {
		c.problem("saved things: %v", err)
		return
	}
	count := make(map[uint32]int)
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		s, err := records.ParseSaved(key, it.Value())
		if err != nil {
			c.problem("key %x: %v", key, err)
			continue
		}
		site := binary.BigEndian.Uint32(key[1:])
		if count[site]++; count[site] == query.SavedMax+1 {
			c.problem("site %d has more than %d saved things", site, query.SavedMax)
		}
		if s.Share == nil || s.Share.Filter == "" {
			continue
		}
		if filter, err := records.Saved(c.db, site, s.Share.Filter); err != nil || filter.Kind != query.SavedFilter {
			c.problem("site %d: the share %s has the filter %s, which is not there", site, s.ID, s.Share.Filter)
		}
	}
	if err := it.Close(); err != nil {
		c.problem("saved things: %v", store.Named(err))
	}
}
