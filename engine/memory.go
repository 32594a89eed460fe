// Memory: how Options.Memory is divided.

package engine

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/identity"
)

// MemoryPlan divides into shares what is left of Options.Memory after programBytes. Shares are
// ceilings in bytes. Pairs, Tuples and SealValues are numbers, not bytes. PagesLeast and RowsLeast
// are lower bounds, and PoolStep is a step.
//
// Pages, filters, links, and what rows, ids and counted values take beyond a share of their own
// are one pool, because they are seldom large at the same time: filters and links grow with the
// store, rows with a burst of writes, ids with many users, and counted values with events of
// many days. What the others leave of the pool is the page cache's. Links alone may exceed their
// share; then a warning is logged.
//
// All shares at their ceilings are less than seven eighths of what is left (see Sum), and less
// than three quarters while no report runs. The rest is for what has no share: garbage, and the
// memory of a seal and a merge. With less room the runtime would do little else than collect.
type MemoryPlan struct {
	Pool       int64 // all of the pool
	PoolStep   int64 // bytes after which the pool is divided anew
	Filters    int64 // filters of message ids
	Links      int64 // links between persons
	PagesLeast int64 // pages of runs, when the others leave nothing more; RunBlocks is a part of it
	RunBlocks  int64 // where the keys of runs lie in their tables
	RowsMore   int64 // rows beyond RowsLeast
	IDsMore    int64 // IDs may be larger by this,
	IDsMost    int64 // and by this while many look-ups miss, see seekMore
	ValuesMore int64 // CountedValues may be larger by this

	// Rows in memory, those being committed, and those that wait to be sealed. Beyond
	// RowsLeast idle sites are sealed.
	RowsLeast  int64
	SealBytes  int64 // cells of one part; beyond it the part is sealed
	SealValues int64 // number of values that one part is the first to count; beyond it the part is sealed

	FilterPages int64 // pages of runs that are searched for message ids
	RecentIDs   int64 // the newest message ids
	IDs         int64 // entries of the table of ids, which take idsTimes as much at most
	IDPart      int64 // part of IDs: changed entries, which are written with one group
	IDFilter    int64 // filter that knows which ids are stored
	Owners      int64 // who began each session; two generations of this size
	Latest      int64 // the newest event of each id; two generations of this size

	CountedValues int64 // sets of counted values
	CountedNames  int64 // sets of counted names

	Answers  int64 // cached answers
	Partials int64 // cached aggregates of ranges of rows
	Pairs    int64 // number of pairs of an answer's row with a user or session; each takes 8 bytes, in a table twice as large

	Reports int64 // rows and texts of the answers of reports while these are computed, their Tuples, and names in a list of properties
	Tuples  int64 // number of rows or people that one report of people or paths has in memory at most, a power of two; each takes about 24 bytes

	Bodies int64 // bodies of requests over bodyFreeBytes of http/wire, and answers

	// Sinks is what carrying rows to sinks takes while some are configured: the lines of a range, and
	// reading them. The page cache gives it up.
	Sinks int64

	Memtable int64 // one of Pebble's memtables; there are at most memtables of them
	Blocks   int64 // Pebble's own block cache
}

// memtables is how many memtables Pebble may have before writes wait.
const memtables = 3

// programBytes is about what the program takes whatever it does: the runtime and its stacks,
// tables of user agents, connections, groups that are being committed. Its code is mapped from
// the file and not part of it.
const programBytes = 24 << 20

// sinksBytesMax is what sinks need at most: ranges of 32 MiB, and reading them.
const sinksBytesMax = 52 << 20

// MemoryLeast is the least memory that a server starts with. With less, two full groups would
// not fit into RowsLeast, and writers would wait for the sealer with every group.
const MemoryLeast = programBytes + 40<<20

// PlanMemory divides that many bytes into shares. Tests divide less than MemoryLeast.
func PlanMemory(bytes int64) MemoryPlan {
	bytes -= min(programBytes, bytes/8*3)
	part := bytes / 256
	return MemoryPlan{
		Pool:       57 * part,
		PoolStep:   2 * part,
		Filters:    46 * part,
		Links:      46 * part,
		PagesLeast: 11 * part,
		RunBlocks:  3 * part,
		RowsMore:   19 * part,
		IDsMore:    6 * part,
		IDsMost:    16 * part,
		ValuesMore: min(11*part, capBytesMax/2),

		RowsLeast:  26 * part,
		SealBytes:  24 * part,
		SealValues: bytes / 1024,

		FilterPages: 2 * part,
		RecentIDs:   part * 27 / 2,
		IDs:         4 * part,
		IDPart:      min(4*part, identity.PartMax),
		IDFilter:    8 * part,
		Owners:      part * 5 / 4,
		Latest:      2 * part,

		CountedValues: min(part*13/2, capBytesMax/2),
		CountedNames:  min(4*part, capNamesMax),

		Answers:  5 * part,
		Partials: 3 * part,
		Pairs:    5 * part / pairTableBytes,
		Reports:  32 * part,
		Tuples:   1 << (bits.Len64(uint64(min(bytes/192, 1<<20))) - 1),

		Bodies: 24 * part,

		Sinks: min(28*part, sinksBytesMax),

		Memtable: max(7*part, 64<<10),
		Blocks:   4 * part,
	}
}

// idsTimes is how many times IDs the table takes at most: twice as entries that are used or wait
// to be written, and half packed.
const idsTimes = 2.5

// pairTableBytes is what one pair takes: 8 bytes, in a table twice as large.
const pairTableBytes = 16

// Sum returns the most that all shares take together, in bytes. Tuples are a part of Reports.
func (p *MemoryPlan) Sum() int64 {
	return p.Pool + p.RowsLeast + p.FilterPages +
		p.RecentIDs + int64(idsTimes*float64(p.IDs)) + p.IDFilter + 2*p.Owners + 2*p.Latest +
		p.CountedValues + p.CountedNames +
		p.Answers + p.Partials + pairTableBytes*p.Pairs + p.Reports + p.Bodies + p.pebble()
}

// pebble returns the most that Pebble's memtables and its cache take. It takes memtables out of
// its cache.
func (p *MemoryPlan) pebble() int64 {
	return max(memtables*p.Memtable, p.pebbleCache())
}

// pebbleCache returns the size of Pebble's cache, memtables included: two, and Blocks.
func (p *MemoryPlan) pebbleCache() int64 { return 2*p.Memtable + p.Blocks }

// pool is how the pool is divided now.
type pool struct {
	filters atomic.Int64 // bytes that filters of message ids take
	links   atomic.Int64 // bytes that links between persons take

	ids    atomic.Int64 // bytes of the table of ids
	values atomic.Int64 // bytes of the sets of counted values

	filtersMost atomic.Int64 // what filters may take, as links leave it
	rowsMost    atomic.Int64 // what rows may take, as filters and links leave it
	idsMost     atomic.Int64 // the same for MemoryPlan.IDs
	idsMore     atomic.Int64 // by how much IDs may be larger now, if the pool has it
	valuesMost  atomic.Int64 // the same for MemoryPlan.CountedValues
	moreShared  atomic.Int64 // what rows, ids and values take of the pool, as the page cache knows it
	linksShared atomic.Int64 // links, as the page cache knows them

	dividing sync.Mutex
	pages    int64 // size of the page cache
}

// dividePool gives each the memory of the pool that those before it leave: links, filters, then
// rows, ids and values together, and the page cache.
func (e *Engine) dividePool() {
	e.pool.dividing.Lock()
	defer e.pool.dividing.Unlock()
	m := &e.memory
	links := e.pool.links.Load()
	e.pool.linksShared.Store(links)
	e.pool.filtersMost.Store(max(0, min(m.Filters, m.Pool-m.PagesLeast-links)))
	free := m.Pool - links - e.pool.filters.Load()
	spare := min(1, float64(max(0, free-m.PagesLeast))/float64(m.more(e.pool.idsMore.Load())))
	share := func(most int64) int64 { return int64(spare * float64(most)) }
	e.pool.rowsMost.Store(m.RowsLeast + share(m.RowsMore))
	e.pool.idsMost.Store(m.IDs + share(e.pool.idsMore.Load()))
	e.pool.valuesMost.Store(m.CountedValues + share(m.ValuesMore))
	more := e.moreBytes()
	e.pool.moreShared.Store(more)
	if pages := max(m.PagesLeast, free-more-e.sinkBytes()) - e.runBlockBytes(); pages != e.pool.pages {
		e.pool.pages = pages
		e.cache.Resize(pages)
	}
}

// runBlockBytes returns what it takes to know where the keys of runs lie.
func (e *Engine) runBlockBytes() int64 {
	if t := e.tables.Load(); t != nil {
		return t.Bytes()
	}
	return 0
}

// more returns what rows, ids and values take of the pool at most, when ids may be larger by so much.
func (p *MemoryPlan) more(ids int64) int64 {
	return p.RowsMore + int64(idsTimes*float64(ids)) + p.ValuesMore
}

// moreBytes returns what rows, ids and values take of the pool now, in steps of PoolStep.
func (e *Engine) moreBytes() int64 {
	m, ids := &e.memory, e.pool.idsMore.Load()
	more := max(0, min(e.hotBytes.Load()-m.RowsLeast, m.RowsMore)) +
		max(0, min(e.pool.ids.Load()-int64(idsTimes*float64(m.IDs)), int64(idsTimes*float64(ids)))) +
		max(0, min(e.pool.values.Load()-m.CountedValues, m.ValuesMore))
	step := max(1, m.PoolStep)
	return min((more+step-1)/step*step, m.more(ids))
}

// countMore divides the pool anew when rows, ids and values take noticeably more or less of it.
func (e *Engine) countMore() {
	if e.moreBytes() != e.pool.moreShared.Load() {
		e.dividePool()
	}
}

// fit has the table of ids and the sets of counted values keep to what the pool has for them.
// The sequencer calls it between groups.
func (s *sequencer) fit() {
	p := &s.e.pool
	s.ids.Resize(int(p.idsMost.Load()))
	s.cardinality.bytesMax = int(p.valuesMost.Load())
	s.cardinality.trim()
	p.ids.Store(int64(s.ids.Bytes()))
	p.values.Store(int64(s.cardinality.n))
}

// seekMore lets the table of ids take more of the pool while it misses many of its entries, and less
// again when it misses few. The page cache gives it up.
func (s *sequencer) seekMore() {
	missed, asked := s.ids.Missed()
	if asked-s.idsAsked < idsSample {
		return
	}
	m, more := &s.e.memory, s.e.pool.idsMore.Load()
	switch share := (asked - s.idsAsked) / max(1, missed-s.idsMissed); {
	case share < idsManyMissed:
		more = min(more+m.PoolStep, m.IDsMost)
	case share > idsFewMissed:
		more = max(more-m.PoolStep/8, m.IDsMore)
	}
	s.idsMissed, s.idsAsked = missed, asked
	s.giveIDs(more)
}

// giveIDs sets by how much IDs may be larger.
func (s *sequencer) giveIDs(more int64) {
	if s.e.pool.idsMore.Swap(more) != more {
		s.e.dividePool()
	}
}

// hasMore reports whether the sequencer has memory that rest may give back.
func (s *sequencer) hasMore() bool {
	return s.filters.bytes > 0 || s.e.pool.idsMore.Load() > s.e.memory.IDsMore
}

// rest gives back what seekMore took, and filters that are no longer asked, when no event has come
// for a while. Entries that are not written yet stay.
func (s *sequencer) rest(now time.Time) {
	s.filters.sweep(now)
	if s.e.pool.idsMore.Load() == s.e.memory.IDsMore {
		return
	}
	s.giveIDs(s.e.memory.IDsMore)
	s.drain() // entries may leave memory only after Pebble has them
	s.fit()
	s.ids.Evict()
	s.fit()
	s.e.countMore()
}

const (
	idsSample     = 1 << 14 // look-ups after which seekMore decides
	idsManyMissed = 64      // one look-up of fewer misses: too many
	idsFewMissed  = 512     // one of more: few
)

// countFilterBytes is told how many bytes the filters of message ids take now.
func (e *Engine) countFilterBytes(bytes int64) {
	e.pool.filters.Store(bytes)
	e.dividePool()
}

// countLinkBytes is told by how many bytes the links between persons have grown.
func (e *Engine) countLinkBytes(bytes int64) {
	n := e.pool.links.Add(bytes)
	if before := n - bytes; before <= e.memory.Links && n > e.memory.Links {
		e.log.Warn("store: links between persons take more than their share of memory; raise memory", "bytes", n, "share", e.memory.Links)
	}
	if step := n - e.pool.linksShared.Load(); step >= e.memory.PoolStep || step < 0 {
		e.dividePool()
	}
}
