// Memory: who has which share of it.

package engine

// shareCache leaves to the page cache what filters of message ids and links between
// persons do not take. Filters are large where tens of millions of events came in a day,
// links where millions of persons signed in.
func (e *Engine) shareCache() {
	e.sharing.Lock()
	defer e.sharing.Unlock()
	all := e.opts.Memory / 4
	e.sharedLinks = e.linkBytes.Load()
	e.sharedPages = max(all/4, all-max(0, e.filterBytes.Load()-all/2)-e.sharedLinks)
	e.cache.Resize(e.sharedPages)
}

// tookFilters notes what filters of message ids take.
func (e *Engine) tookFilters(bytes int64) {
	e.filterBytes.Store(bytes)
	e.shareCache()
}

// linkBytesMax is how much of the memory of its budget the page cache leaves to links.
func (e *Engine) linkBytesMax() int64 { return e.opts.Memory / 16 * 3 }

// tookLinks notes that links between persons take so many bytes more.
func (e *Engine) tookLinks(bytes int64) {
	n := e.linkBytes.Add(bytes)
	if before := n - bytes; before <= e.linkBytesMax() && n > e.linkBytesMax() {
		e.log.Warn("store: links between persons take more than their share of memory; raise memory", "bytes", n, "share", e.linkBytesMax())
	}
	e.sharing.Lock()
	step := n - e.sharedLinks
	e.sharing.Unlock()
	if step >= e.opts.Memory/256 || step < 0 {
		e.shareCache()
	}
}
