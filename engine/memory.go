// Memory: how Options.Memory is divided.

package engine

import (
	"math/bits"

	"cairn/engine/identity"
)

// MemoryPlan divides into shares what is left of Options.Memory after programBytes. Most
// shares are ceilings in bytes. Pairs, Tuples and SealValues are numbers, not bytes. PagesLeast is a lower bound, and LinksStep is a step.
// Links may exceed its share; then a warning is logged. The shares never all reach their
// ceilings at the same time: the page cache shrinks as filters and links grow, and while the
// sealer keeps up, rows are sealed long before their ceiling. So Sum may be more than
// Options.Memory.
type MemoryPlan struct {
	Rows       int64 // rows in memory, those being committed, and those that wait to be sealed
	RowsIdle   int64 // part of Rows; beyond it idle sites are sealed
	SealBytes  int64 // cells of one part; beyond it the part is sealed
	SealValues int64 // number of values that one part is the first to count; beyond it the part is sealed

	Pages      int64 // pages of runs; filters and links take from this share
	PagesLeast int64 // what filters and links always leave of Pages
	Filters    int64 // filters of message ids
	FiltersOwn int64 // part of Filters that is not taken from Pages
	Links      int64 // links between persons, all taken from Pages
	LinksStep  int64 // bytes of new links after which the share of Pages is adjusted

	RecentIDs int64 // the newest message ids
	IDs       int64 // entries of the table of ids
	IDPart    int64 // part of IDs: changed entries, which are written with one group
	IDFilter  int64 // filter that knows which ids are stored
	Owners    int64 // who began each session; two generations of this size
	Latest    int64 // the newest event of each id; two generations of this size

	Answers  int64 // cached answers
	Partials int64 // cached aggregates of ranges of rows
	Pairs    int64 // number of pairs of an answer's row with a user or session; each takes 8 bytes, in a table twice as large

	Names  int64 // names of properties in a list of them
	Tuples int64 // number of rows or people that one report of people or paths has in memory, a power of two; each takes about 24 bytes

	Memtable int64 // one of Pebble's memtables; there are at most memtables of them
	Blocks   int64 // Pebble's own block cache
}

// memtables is how many memtables Pebble may have before writes wait.
const memtables = 4

// programBytes is about what the program takes whatever it does: its code, the runtime and its
// stacks, the sets of counted values, buffers.
const programBytes = 24 << 20

// PlanMemory divides that many bytes into shares.
func PlanMemory(bytes int64) MemoryPlan {
	bytes -= min(programBytes, bytes/4)
	return MemoryPlan{
		Rows:       bytes / 8 * 3,
		RowsIdle:   bytes / 16 * 3,
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

		Answers:  bytes / 32,
		Partials: bytes / 32,
		Pairs:    bytes / 256,
		Names:    bytes / 8,
		Tuples:   1 << (bits.Len64(uint64(min(bytes/192, 1<<20))) - 1),

		Memtable: max(bytes*3/64, 64<<10),
		Blocks:   bytes / 64,
	}
}

// Sum returns the most that all shares take together, in bytes.
func (p *MemoryPlan) Sum() int64 {
	return p.Rows + p.Pages + p.FiltersOwn +
		p.RecentIDs + 2*p.IDs + p.IDs/2 + p.IDFilter + 2*p.Owners + 2*p.Latest +
		p.Answers + p.Partials + 2*8*p.Pairs +
		memtables*p.Memtable + p.Blocks
}

// shareCache gives the page cache the memory that filters of message ids and links between
// persons leave. Filters are large when tens of millions of events come in per day. Links
// are large when millions of persons have signed in.
func (e *Engine) shareCache() {
	e.sharing.Lock()
	defer e.sharing.Unlock()
	e.sharedLinks = e.linkBytes.Load()
	e.sharedPages = max(e.memory.PagesLeast, e.memory.Pages-max(0, e.filterBytes.Load()-e.memory.FiltersOwn)-e.sharedLinks)
	e.cache.Resize(e.sharedPages)
}

// countFilterBytes is told how many bytes the filters of message ids take now.
func (e *Engine) countFilterBytes(bytes int64) {
	e.filterBytes.Store(bytes)
	e.shareCache()
}

// countLinkBytes is told by how many bytes the links between persons have grown.
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
