// What queries touch, for developers: pages of runs by kind, and bytes of tables.

package engine

import (
	"cairn/engine/store"
	"cairn/index"
)

// PageReads is what queries have read of sealed runs since the store was opened. Searches for
// message ids, seals and merges have caches of their own; only their reads of tables are in it.
type PageReads struct {
	Kinds  []index.PageReads // by kind of page
	Tables store.TableReads
}

// PageReads returns what was read until now. The difference of two calls is what the queries
// between them have touched.
func (e *Engine) PageReads() PageReads {
	r := PageReads{Kinds: e.cache.Reads()}
	if t := e.tables.Load(); t != nil {
		r.Tables = t.Reads()
	}
	return r
}
