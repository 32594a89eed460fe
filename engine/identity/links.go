// Links: which ordinals name the same person.

package identity

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Links are the links between the persons of one site. The first query that needs them
// reads them from the store. Until then, new links are in the store only; from then on, the
// publisher joins them here as well. Links are safe for concurrent use.
//
// Nobody holds mu for more than LinksHeld links or ordinals. So neither a query nor the
// reading of the store delays the publisher, which all sites share.
type Links struct {
	Load func() error      // calls Join with all stored links; nil = there are none
	Took func(bytes int64) // is told by how much the memory has grown; nil = nobody is told

	mu      sync.RWMutex
	table   linkTable
	reading *linkReading // nil = no query has needed the links yet

	// absorbed are the persons that became part of an older one since then, by their lowest
	// ordinal. It has a lock of its own.
	absorbed LeastSince
	outdated []uint64 // what Outdate will add; the publisher's
}

// linkReading is a reading of the store, running or done.
type linkReading struct {
	done chan struct{} // closed at the end
	err  error         // set before done is closed
}

// LinksHeld is the number of links or ordinals that are handled in one hold of the lock.
const LinksHeld = 512

// NewLinks returns the links of a site, which are not read yet. load calls Join with all
// stored links. took is told by how many bytes the memory of the links has grown, or shrunk.
// Both may be nil.
func NewLinks(load func() error, took func(bytes int64)) *Links {
	return &Links{Load: load, Took: took, table: newLinkTable()}
}

// Joined returns how many of the links in memory made one person of two.
func (l *Links) Joined() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.table.joined
}

// Bytes returns how much memory the links take.
func (l *Links) Bytes() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.table.bytes
}

// Publish takes in new links, which are in the store already. The publisher calls Outdate when
// the rows that made them are published, too.
func (l *Links) Publish(ls []Link) {
	l.mu.RLock()
	asked := l.reading != nil
	l.mu.RUnlock()
	if !asked {
		// No answer knows which persons are one. But one may say that nobody has an id.
		l.outdated = append(l.outdated, someAbsorbed)
		return
	}
	l.outdated = l.join(ls, l.outdated)
}

// someAbsorbed stands for persons of whom no answer knows a row. It is no ordinal.
const someAbsorbed = math.MaxUint64 - 1

// Outdate says that answers from before the links of Publish are outdated. An answer that counts
// them in its Version has then seen their rows.
func (l *Links) Outdate() {
	for _, absorbed := range l.outdated {
		l.absorbed.Add(absorbed)
	}
	l.outdated = l.outdated[:0]
	if cap(l.outdated) > LinksHeld {
		l.outdated = nil
	}
}

// Join makes one person of the two that each link names. fresh says that the links are new,
// so that answers from before them are outdated. Stored links outdate no answer, because none
// was given without them.
func (l *Links) Join(ls []Link, fresh bool) {
	absorbed := l.join(ls, nil)
	if fresh {
		for _, ord := range absorbed {
			l.absorbed.Add(ord)
		}
	}
}

// join appends the persons that became part of an older one.
func (l *Links) join(ls []Link, absorbed []uint64) []uint64 {
	for some := range slices.Chunk(ls, LinksHeld) {
		l.mu.Lock()
		before := l.table.bytes
		for _, one := range some {
			if ord := l.table.join(one.A, one.B); ord != 0 {
				absorbed = append(absorbed, ord)
			}
		}
		grown := l.table.bytes - before
		l.mu.Unlock()
		if grown != 0 && l.Took != nil {
			l.Took(grown)
		}
	}
	return absorbed
}

// Ready waits until the links are read. wait waits for a channel to be closed and returns an
// error when it gives up, which Ready returns. The first caller begins the reading, which
// continues when the caller gives up. A reading that fails is forgotten, and the next caller
// begins another.
func (l *Links) Ready(wait func(done <-chan struct{}) error) error {
	l.mu.RLock()
	r := l.reading
	l.mu.RUnlock()
	if r == nil {
		r = l.read()
	}
	if err := wait(r.done); err != nil {
		return err
	}
	return r.err
}

// read begins the reading, if it has not begun.
func (l *Links) read() *linkReading {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading != nil {
		return l.reading
	}
	r := &linkReading{done: make(chan struct{})}
	l.reading = r // links that are published from here on are joined; earlier ones are in the store
	if l.Load == nil {
		close(r.done)
		return r
	}
	go func() {
		defer close(r.done)
		if r.err = l.Load(); r.err != nil {
			l.forget()
		}
	}()
	return r
}

// forget empties the table, as if no query had needed the links yet.
func (l *Links) forget() {
	l.mu.Lock()
	taken := l.table.bytes
	l.table, l.reading = newLinkTable(), nil
	l.mu.Unlock()
	if l.Took != nil {
		l.Took(-taken)
	}
}

// Version returns a number that changes when answers from before are outdated.
func (l *Links) Version() uint64 { return l.absorbed.Count() }

// Absorbed returns the least ordinal among the persons that became part of an older one since a
// Version, and the Version now. It is math.MaxUint64 when there are none. Rows up to a seq below
// it are of the same persons as before.
func (l *Links) Absorbed(since uint64) (least, now uint64) { return l.absorbed.Since(since) }

// Find returns the lowest ordinal of the person that an ordinal names.
func (l *Links) Find(ord uint64) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.table.lowest(ord)
}

// Set returns all ordinals of the person that an ordinal names, ascending. The caller owns
// them. A join while the lock is free adds its members right after the root: Set sees all of
// them if it has not passed the root yet, otherwise none. So the result is the person at one
// moment.
func (l *Links) Set(ord uint64) []uint64 {
	set := []uint64{ord}
	c := linkCursor{table: &l.table}
	for next, whole := ord, false; !whole; {
		l.mu.RLock()
		for range LinksHeld {
			if n := c.node(next); n != nil {
				next = n.next()
			}
			if whole = next == ord; whole {
				break
			}
			set = append(set, next)
		}
		l.mu.RUnlock()
	}
	slices.Sort(set)
	return set
}

// Persons is what one query sees of a site's links: the links that were there when it began.
// The zero Persons has no links.
type Persons struct {
	links *Links
	at    uint32 // number of the newest join; 0 = there are no links
}

// Persons returns what a query that begins now sees.
func (l *Links) Persons() Persons {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Persons{l, l.table.now()}
}

// Apart splits pairs, as PairOf packs them. It returns the pairs whose ordinal is the only
// one of its person, in the memory of pairs. For each of the others it calls linked with the
// row and an ordinal that stands for the person: the same for all ordinals of the person. It
// holds no lock while it calls linked.
func (p Persons) Apart(pairs []uint64, linked func(pair uint64)) (alone []uint64) {
	if p.at == 0 {
		return pairs
	}
	alone = pairs[:0]
	var found [LinksHeld]uint64
	c := linkCursor{table: &p.links.table}
	for len(pairs) > 0 {
		some := pairs[:min(len(pairs), LinksHeld)]
		pairs = pairs[len(some):]
		n := 0
		p.links.mu.RLock()
		for _, pair := range some {
			row, ord := SplitPair(pair)
			if root, ok := c.root(ord, p.at); ok {
				found[n] = PairOf(row, root)
				n++
			} else {
				alone = append(alone, pair)
			}
		}
		p.links.mu.RUnlock()
		for _, pair := range found[:n] {
			linked(pair)
		}
	}
	return alone
}

// Find returns the lowest ordinal of the person that an ordinal names.
func (p Persons) Find(ord uint64) uint64 {
	if p.at == 0 {
		return ord
	}
	c := linkCursor{table: &p.links.table}
	p.links.mu.RLock()
	top, linked := c.root(ord, p.at)
	lowest, ok := ord, true
	if linked {
		lowest, ok = c.lowestAt(top, p.at)
	}
	p.links.mu.RUnlock()
	if !ok {
		return p.lowest(top)
	}
	return lowest
}

// Set returns all ordinals of the person that an ordinal names, ascending. The caller owns them.
func (p Persons) Set(ord uint64) []uint64 {
	if p.at == 0 {
		return []uint64{ord}
	}
	set, own := p.links.Set(ord), p.Find(ord)
	roots := slices.Clone(set)
	p.Roots(roots)
	n := 0
	for i, root := range roots {
		if root == own { // else it came in by a later join
			set[n] = set[i]
			n++
		}
	}
	return set[:n]
}

// Roots replaces each ordinal by the lowest one of its person, which names the person. 0, which
// is nobody, stays.
func (p Persons) Roots(ords []uint64) {
	if p.at == 0 {
		return
	}
	c := linkCursor{table: &p.links.table}
	for some := range slices.Chunk(ords, LinksHeld) {
		var late map[int]uint64 // index in some → root of a tree whose lowest ordinal is not known yet
		p.links.mu.RLock()
		for i, ord := range some {
			top, linked := c.root(ord, p.at)
			if !linked {
				continue
			}
			var ok bool
			if some[i], ok = c.lowestAt(top, p.at); !ok {
				if late == nil {
					late = make(map[int]uint64)
				}
				late[i] = top
			}
		}
		p.links.mu.RUnlock()
		known := make(map[uint64]uint64, len(late))
		for i, top := range late {
			if known[top] == 0 {
				known[top] = p.lowest(top)
			}
			some[i] = known[top]
		}
	}
}

// lowest returns the lowest ordinal of the tree that has the root top in p. It looks at all
// members of the tree, as Links.Set does.
func (p Persons) lowest(top uint64) uint64 {
	lowest := top
	c := linkCursor{table: &p.links.table}
	for next, whole := top, false; !whole; {
		p.links.mu.RLock()
		for range LinksHeld {
			if next = c.node(next).next(); next == top {
				whole = true
				break
			}
			if then, _ := c.root(next, p.at); then == top {
				lowest = min(lowest, next)
			}
		}
		p.links.mu.RUnlock()
	}
	return lowest
}

// PutLinks writes the links that the event at seq makes. A site's event has one such record.
func PutLinks(w *pebble.Batch, site uint32, seq uint64, ls []Link) error {
	var v []byte
	for _, l := range ls {
		v = binary.BigEndian.AppendUint64(v, l.A)
		v = binary.BigEndian.AppendUint64(v, l.B)
	}
	if err := w.Set(store.LinkKey(site, seq), v, nil); err != nil {
		return fmt.Errorf("write link: %w", err)
	}
	return nil
}

// ScanLinks calls fn with the stored links of a site and the seqs of the events that made
// them, in order of seq, as long as fn returns true. A damaged record is a damaged file of
// package store.
func ScanLinks(r pebble.Reader, site uint32, fn func(seq uint64, l Link) bool) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: store.SiteKey(store.PrefixLink, site), UpperBound: append(store.LinkKey(site, 1<<64-1), 0)})
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v := it.Value()
		if len(v)%16 != 0 {
			err := fmt.Errorf("value at %x", it.Key())
			_ = it.Close()
			return store.DamagedFile(fmt.Sprintf("links of site %d", site), err)
		}
		seq := binary.BigEndian.Uint64(it.Key()[5:])
		for ; len(v) > 0; v = v[16:] {
			if !fn(seq, Link{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}) {
				return it.Close()
			}
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	return nil
}
