// Links: which ordinals name one person.

package identity

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Links are the links between one site's persons. They are read from the store by the
// first question that asks who is one person; until then the publisher leaves those that
// come in the store. From then on it joins them here.
//
// Who holds mu does so for at most LinksHeld links or ordinals, so that neither a
// question nor the reading of the store holds up the publisher, whom all sites share.
type Links struct {
	Load func() error // calls join with all stored links; nil = there are none
	Took func(bytes int64)

	mu      sync.RWMutex
	table   linkTable
	reading *linkReading // nil = nobody has asked yet
	changes uint64       // links that came since then and made one person of two
}

// linkReading is a reading of the store, under way or at its end.
type linkReading struct {
	done chan struct{} // closed at the end; err is set then
	err  error
}

// LinksHeld is how many links or ordinals are looked at while the lock is held.
const LinksHeld = 512

// NewLinks makes the links of a site. load calls join with those that are stored. took
// is told of the memory they take, as it grows; both may be nil.
func NewLinks(load func() error, took func(bytes int64)) *Links {
	return &Links{Load: load, Took: took, table: newLinkTable()}
}

// Joined is how many links that were joined here made one person of two.
func (l *Links) Joined() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.table.joined
}

// Bytes is how much memory the links take.
func (l *Links) Bytes() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.table.bytes
}

// Publish takes in links that have come. They are in the store already.
func (l *Links) Publish(ls []Link) {
	l.mu.RLock()
	asked := l.reading != nil
	l.mu.RUnlock()
	if asked {
		l.Join(ls, true)
	}
}

// Join makes one person of each two. Stored links change no answer, since none was
// given without them.
func (l *Links) Join(ls []Link, fresh bool) {
	for some := range slices.Chunk(ls, LinksHeld) {
		l.mu.Lock()
		before := l.table.bytes
		for _, one := range some {
			if l.table.join(one.A, one.B) && fresh {
				l.changes++
			}
		}
		grown := l.table.bytes - before
		l.mu.Unlock()
		if grown != 0 && l.Took != nil {
			l.Took(grown)
		}
	}
}

// Ready waits until the links are read. wait waits for a channel to be closed, as long as
// the question may take, and returns why it gave up. The first who
// asks begins the reading, which goes on when he leaves. One that fails is forgotten:
// the next question begins another.
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

// read begins the reading, unless it has begun.
func (l *Links) read() *linkReading {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading != nil {
		return l.reading
	}
	r := &linkReading{done: make(chan struct{})}
	l.reading = r // what is published from here on is joined; what was before is in the store
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

// forget empties the table, as if nobody had asked yet.
func (l *Links) forget() {
	l.mu.Lock()
	taken := l.table.bytes
	l.table, l.reading = newLinkTable(), nil
	l.mu.Unlock()
	if l.Took != nil {
		l.Took(-taken)
	}
}

// Version tells what is linked now from what was when a question was answered before.
func (l *Links) Version() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.changes
}

// Find returns the lowest ordinal of a person, by any.
func (l *Links) Find(ord uint64) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.table.lowest(ord)
}

// Set returns all ordinals of the person that any of them names, ascending. A join while
// the lock is free adds its members right after the root: set sees all of them if it has
// not passed the root yet, else none. So it is the person of one moment.
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

// Persons is what one question sees of a site's links: those made before it.
type Persons struct {
	links *Links
	At    uint32 // number of the newest join
}

// Persons returns what a question that begins now sees.
func (l *Links) Persons() Persons {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Persons{l, l.table.now()}
}

// Apart returns those of pairs whose ordinal alone names its person. For the others it
// calls linked with the pair, its ordinal replaced by one that stands for the person, the
// same for all ordinals of that person. What it returns lies in pairs. linked is called
// without a lock.
func (p Persons) Apart(pairs []uint64, linked func(pair uint64)) (alone []uint64) {
	if p.At == 0 {
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
			if root, ok := c.root(ord, p.At); ok {
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

// PutLinks writes the links an event made beside its row.
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

// ReadLinks calls fn with every stored link of a site, in order.
func ReadLinks(r pebble.Reader, site uint32, fn func(seq uint64, l Link)) error {
	return ScanLinks(r, site, func(seq uint64, l Link) bool {
		fn(seq, l)
		return true
	})
}

// ScanLinks calls fn with the stored links of a site, in order, while it returns true.
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
