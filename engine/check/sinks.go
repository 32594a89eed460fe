// Cursors of sinks: whether each of them can be read.

package check

import (
	"cairn/engine/records"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// checkSinks reads the cursor of every sink.
func (c *checker) checkSinks() {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixSinks}, UpperBound: []byte{store.PrefixSinks + 1}})
	if err != nil {
		c.problem("sinks: %v", err)
		return
	}
	for ok := it.First(); ok; ok = it.Next() {
		if _, err := records.ParseSink(it.Key(), it.Value()); err != nil {
			c.problem("key %x: %v", it.Key(), err)
		}
	}
	if err := it.Close(); err != nil {
		c.problem("sinks: %v", store.Named(err))
	}
}
