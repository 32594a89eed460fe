// Memory: who has which share of Options.Memory.

package engine

import (
	"cairn/engine/identity"
)

// MemoryPlan divides Options.Memory among all that takes memory by its size. Each share is
// a ceiling in bytes, but for Pairs. They are not reached at the same time: the page cache
// shrinks as filters and links grow, and rows in memory are sealed long before their ceiling
// while the sealer keeps up. So their sum is more than Options.Memory, see Sum.
type MemoryPlan struct {
	Rows       int64 // rows in memory, those on their way there, and those that wait to be sealed
	RowsIdle   int64 // part of Rows: beyond it sites without new events are sealed
	SealBytes  int64 // cells of one part: it is sealed beyond that
	SealValues int64 // values that one part is the first to count, a number: likewise

	Pages      int64 // pages of runs; what filters and links take beyond their own goes from here
	PagesLeast int64 // what filters and links leave of Pages
	Filters    int64 // filters of message ids
	FiltersOwn int64 // part of Filters that does not go from Pages
	Links      int64 // links between persons, all of it from Pages
	LinksStep  int64 // so many bytes of new links change the share of Pages

	RecentIDs int64 // the newest message ids
	IDs       int64 // entries of the table of ids: half of it packed; the others may grow to twice as much until changed ones are written
	IDPart    int64 // part of IDs: changed entries that are written with one group
	IDFilter  int64 // which ids there are at all
	Owners    int64 // who began which session, of each of two generations
	Latest    int64 // the newest event of an id, of each of two generations

	Answers  int64 // answers that are kept
	Partials int64 // what ranges of rows add to answers
	Pairs    int64 // pairs of a row of an answer and a user or session, a number; each has 8 bytes, in a table twice as large

	Memtable int64 // one of Pebble's memtables, of which there are up to memtables
	Blocks   int64 // Pebble's own cache of blocks
}

// memtables is how many of Pebble's memtables there may be before writes wait.
const memtables = 4

// PlanMemory divides so many bytes.
func PlanMemory(bytes int64) MemoryPlan {
	return MemoryPlan{
		Rows:       bytes / 2,
		RowsIdle:   bytes / 4,
		SealBytes:  bytes / 8,
		SealValues: bytes / 1024,

		Pages:      bytes / 4,
		PagesLeast: bytes / 16,
		Filters:    bytes * 11 / 32,
		FiltersOwn: bytes / 8,
		Links:      bytes / 16 * 3,
		LinksStep:  bytes / 256,

		RecentIDs: bytes / 16,
		IDs:       bytes / 32,
		IDPart:    min(bytes/64, identity.PartMax),
		IDFilter:  bytes / 16,
		Owners:    bytes / 96,
		Latest:    bytes / 64,

		Answers:  bytes / 64,
		Partials: bytes / 32,
		Pairs:    bytes / 256,

		Memtable: max(bytes*3/64, 64<<10),
		Blocks:   bytes / 64,
	}
}

// Sum is the most that all shares take together, in bytes.
func (p *MemoryPlan) Sum() int64 {
	return p.Rows + p.Pages + p.FiltersOwn +
		p.RecentIDs + 2*p.IDs + p.IDs/2 + p.IDFilter + 2*p.Owners + 2*p.Latest +
		p.Answers + p.Partials + 2*8*p.Pairs +
		memtables*p.Memtable + p.Blocks
}

// shareCache leaves to the page cache what filters of message ids and links between
// persons do not take. Filters are large where tens of millions of events came in a day,
// links where millions of persons signed in.
func (e *Engine) shareCache() {
	e.sharing.Lock()
	defer e.sharing.Unlock()
	e.sharedLinks = e.linkBytes.Load()
	e.sharedPages = max(e.memory.PagesLeast, e.memory.Pages-max(0, e.filterBytes.Load()-e.memory.FiltersOwn)-e.sharedLinks)
	e.cache.Resize(e.sharedPages)
}

// countFilterBytes notes what filters of message ids take.
func (e *Engine) countFilterBytes(bytes int64) {
	e.filterBytes.Store(bytes)
	e.shareCache()
}

// countLinkBytes notes that links between persons take so many bytes more.
func (e *Engine) countLinkBytes(bytes int64) {
	n := e.linkBytes.Add(bytes)
	if before := n - bytes; before <= e.memory.Links && n > e.memory.Links {
		e.log.Warn("store: links between persons take more than their share of memory; raise memory", "bytes", n, "share", e.memory.Links)
	}
	e.sharing.Lock()
	step := n - e.sharedLinks
	e.sharing.Unlock()
	if step >= e.memory.LinksStep || step < 0 {
		e.shareCache()
	}
}
