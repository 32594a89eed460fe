// Link table: a union-find of person ordinals in little memory, without a long step.

package identity

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
)

// linkTable is a forest of ordinals; a tree is one person. Only ordinals that were ever
// joined are in it. The root with the lower rank goes below the other, so a path has at
// most log₂ n steps. Paths stay as they are and each step says when it was made: so a
// reader can see the forest as it was after any join.
//
// The members of a tree are also a ring, by which they are listed. The nodes lie in
// pages of 32,768 ordinals, each a hash table of its own: none that has to grow is large.
type linkTable struct {
	places *[linkPageSize]uint16
	pages  map[uint32]*linkPage // by ordinal / linkPageSize
	joined uint64               // how many times two trees became one
	bytes  int64                // about what the table takes
	steps  uint64               // nodes that joins looked at or moved
}

const (
	linkPageBits = 15
	linkPageSize = 1 << linkPageBits
)

// linkPage holds the nodes of the ordinals of one page that were joined, in open
// addressing. It stays where it is; its slices move when it grows.
type linkPage struct {
	keys  []uint16 // ordinal within the page plus 1; 0 = free
	nodes []linkNode
	n     int
}

// linkPageBytes is about what a page takes besides its nodes.
const linkPageBytes = 96

// linkNode is 14 bytes, little-endian:
//
//	up    u40   of a root the lowest ordinal of its tree, which is the person's name;
//	            of any other node its parent
//	next  u40   the next ordinal in the ring of the tree
//	when  u32   of a root linkRoot and the rank; of any other node the number of the
//	            join that put it below its parent
type linkNode [14]byte

const (
	linkRoot    = 1 << 31
	linkWhenMax = linkRoot - 1 // later joins share this number
	linkSlot    = 16           // bytes of a key and a node
)

const ordMask = 1<<40 - 1

func (n *linkNode) up() uint64   { return binary.LittleEndian.Uint64(n[:8]) & ordMask }
func (n *linkNode) next() uint64 { return binary.LittleEndian.Uint64(n[5:13]) & ordMask }
func (n *linkNode) when() uint32 { return binary.LittleEndian.Uint32(n[10:]) }

func (n *linkNode) setUp(ord uint64)    { putOrd(n[:5], ord) }
func (n *linkNode) setNext(ord uint64)  { putOrd(n[5:10], ord) }
func (n *linkNode) setWhen(when uint32) { binary.LittleEndian.PutUint32(n[10:], when) }
func putOrd(dst []byte, ord uint64) {
	binary.LittleEndian.PutUint32(dst, uint32(ord))
	dst[4] = byte(ord >> 32)
}

func newLinkTable() linkTable {
	return linkTable{pages: make(map[uint32]*linkPage), places: linkPlaces()}
}

// linkPlaces gives each ordinal of a page another number below linkPageSize, at random:
// whoever chooses which ordinals are joined cannot make their slots collide.
var linkPlaces = sync.OnceValue(func() *[linkPageSize]uint16 {
	places := new([linkPageSize]uint16)
	for i, place := range rand.Perm(linkPageSize) {
		places[i] = uint16(place)
	}
	return places
})

// slot finds a key's slot, or the free one where it would be. A page is never asked
// while it has no slots, or for a key that it has no room for.
func (t *linkTable) slot(p *linkPage, key uint16) (i int, steps uint64) {
	i = int(uint32(t.places[key%linkPageSize]) * uint32(len(p.keys)) >> linkPageBits)
	for p.keys[i] != 0 && p.keys[i] != key+1 {
		if i++; i == len(p.keys) {
			i = 0
		}
		steps++
	}
	return i, steps
}

// linkCursor looks nodes up and remembers the page of the last.
type linkCursor struct {
	table  *linkTable
	number uint32 // of the page
	page   *linkPage
	steps  uint64
}

// node returns the node of an ordinal, nil when it was never joined. It is good until
// the next join.
func (c *linkCursor) node(ord uint64) *linkNode {
	number, key := uint32(ord>>linkPageBits), uint16(ord&(linkPageSize-1))
	if c.page == nil || c.number != number {
		c.number, c.page = number, c.table.pages[number]
	}
	if c.page == nil {
		return nil
	}
	i, steps := c.table.slot(c.page, key)
	c.steps += steps + 1
	if c.page.keys[i] == 0 {
		return nil
	}
	return &c.page.nodes[i]
}

// root returns the ordinal at the root of a node's tree, as it was after join number
// at. An ordinal without a node is its own root, and linked is false.
func (c *linkCursor) root(ord uint64, at uint32) (root uint64, linked bool) {
	n := c.node(ord)
	if n == nil {
		return ord, false
	}
	for n.when() <= at { // a root's is higher than any number
		ord = n.up()
		n = c.node(ord)
	}
	return ord, true
}

// now is the number of the newest join.
func (t *linkTable) now() uint32 { return uint32(min(t.joined, linkWhenMax)) }

// lowest returns the lowest ordinal of an ordinal's tree.
func (t *linkTable) lowest(ord uint64) uint64 {
	c := linkCursor{table: t}
	root, linked := c.root(ord, linkWhenMax)
	if !linked {
		return ord
	}
	return c.node(root).up()
}

// join makes the trees of two ordinals one, and reports whether they were two.
func (t *linkTable) join(a, b uint64) bool {
	if a == b {
		return false
	}
	t.add(a)
	t.add(b)
	c := linkCursor{table: t}
	a, _ = c.root(a, linkWhenMax)
	b, _ = c.root(b, linkWhenMax)
	high, low := c.node(a), c.node(b)
	t.steps += c.steps
	if a == b {
		return false
	}
	if high.when() < low.when() {
		a, high, low = b, low, high
	}
	if high.when() == low.when() {
		high.setWhen(high.when() + 1)
	}
	high.setUp(min(high.up(), low.up()))
	after := high.next() // the rings meet at the roots, on which set relies
	high.setNext(low.next())
	low.setNext(after)
	t.joined++
	low.setUp(a)
	low.setWhen(t.now())
	return true
}

// add makes a node of an ordinal that has none: a tree of its own.
func (t *linkTable) add(ord uint64) {
	number, key := uint32(ord>>linkPageBits), uint16(ord&(linkPageSize-1))
	p := t.pages[number]
	if p == nil {
		p = new(linkPage)
		t.pages[number] = p
		t.bytes += linkPageBytes
		t.grow(p)
	}
	i, steps := t.slot(p, key)
	t.steps += steps + 1
	if p.keys[i] != 0 {
		return
	}
	if len(p.keys) < linkPageSize && (p.n+1)*10 > len(p.keys)*9 {
		t.grow(p)
		i, _ = t.slot(p, key)
	}
	p.n++
	p.keys[i] = key + 1
	n := &p.nodes[i]
	n.setUp(ord)
	n.setNext(ord)
	n.setWhen(linkRoot)
}

// grow gives a page an eighth more slots: it is then about four fifths to nine tenths full.
func (t *linkTable) grow(p *linkPage) {
	keys, nodes := p.keys, p.nodes
	n := min(linkPageSize, len(keys)+max(4, len(keys)/8))
	p.nodes = slices.Grow([]linkNode(nil), n) // as many as the memory for n holds
	p.nodes = p.nodes[:min(linkPageSize, cap(p.nodes))]
	p.keys = make([]uint16, len(p.nodes))
	t.bytes += int64(linkSlot * (len(p.keys) - len(keys)))
	for i, k := range keys {
		if k != 0 {
			at, steps := t.slot(p, k-1)
			p.keys[at], p.nodes[at] = k, nodes[i]
			t.steps += steps + 1
		}
	}
}
