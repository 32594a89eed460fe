// Link table: a union-find of ordinals that takes little memory and has no slow operation.

package identity

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
)

// linkTable is a forest of ordinals. A tree is one person. Only ordinals that were joined
// are in it. A join puts the root with the lower rank below the other, so a path has at most
// log₂ n steps. Paths never change otherwise, and each step says when it was made. So a
// reader can see the forest as it was after any join.
//
// The members of a tree also form a ring, which lists them. The nodes are in pages of 32,768
// ordinals. Each page is a hash table of its own, so no table that grows is large.
type linkTable struct {
	places *[linkPageSize]uint16 // see linkPlaces
	pages  map[uint32]*linkPage  // by ordinal / linkPageSize
	joined uint64                // how many times two trees became one
	bytes  int64                 // about how much memory the table takes
	steps  uint64                // nodes that joins visited or moved, for tests
}

const (
	linkPageBits = 15
	linkPageSize = 1 << linkPageBits
)

// linkPage has the nodes of one page of ordinals, in open addressing. A page does not move,
// but its slices do when they grow.
type linkPage struct {
	keys  []uint16 // ordinal within the page plus 1; 0 = free
	nodes []linkNode
	n     int
}

// linkPageBytes is about how many bytes a page takes besides its nodes.
const linkPageBytes = 96

// linkNode is 14 bytes, little-endian:
//
//	up    u40   of a root the lowest ordinal of its tree, which names the person;
//	            of any other node its parent
//	next  u40   the next ordinal in the ring of the tree
//	when  u32   of a root linkRoot plus the rank; of any other node the number of the
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

// linkPlaces returns a random permutation of the ordinals of a page. It chooses their slots,
// so a client that decides which ordinals are joined cannot make the slots collide.
var linkPlaces = sync.OnceValue(func() *[linkPageSize]uint16 {
	places := new([linkPageSize]uint16)
	for i, place := range rand.Perm(linkPageSize) {
		places[i] = uint16(place)
	}
	return places
})

// slot returns the slot of a key, or the free slot where the key belongs. The page must have
// slots and either the key or a free slot. steps is the number of other slots passed.
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

// linkCursor looks up nodes and remembers the page of the last one.
type linkCursor struct {
	table  *linkTable
	number uint32 // of the page
	page   *linkPage
	steps  uint64
}

// node returns the node of an ordinal, nil when the ordinal was never joined. The node is
// valid until the next join.
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

// root returns the root of an ordinal's tree as it was after the join of number at. For an
// ordinal without a node, it returns the ordinal, and linked is false.
func (c *linkCursor) root(ord uint64, at uint32) (root uint64, linked bool) {
	n := c.node(ord)
	if n == nil {
		return ord, false
	}
	for n.when() <= at { // of a root it is higher than any number
		ord = n.up()
		n = c.node(ord)
	}
	return ord, true
}

// now returns the number of the newest join.
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

// lowestAt returns the lowest ordinal of the tree that had the root top after the join of
// number at. A root knows the lowest ordinal of its tree as it is now. ok is false when that
// ordinal came in by a later join; only the members of the tree then know.
func (c *linkCursor) lowestAt(top uint64, at uint32) (lowest uint64, ok bool) {
	now, _ := c.root(top, linkWhenMax)
	lowest = c.node(now).up()
	then, _ := c.root(lowest, at)
	return lowest, then == top
}

// join makes one tree of the trees of two ordinals. It returns the lowest ordinal of the tree
// that has now a lower one, 0 when they were one tree already.
func (t *linkTable) join(a, b uint64) (absorbed uint64) {
	if a == b {
		return 0
	}
	t.add(a)
	t.add(b)
	c := linkCursor{table: t}
	a, _ = c.root(a, linkWhenMax)
	b, _ = c.root(b, linkWhenMax)
	high, low := c.node(a), c.node(b)
	t.steps += c.steps
	if a == b {
		return 0
	}
	absorbed = max(high.up(), low.up())
	if high.when() < low.when() {
		a, high, low = b, low, high
	}
	if high.when() == low.when() {
		high.setWhen(high.when() + 1)
	}
	high.setUp(min(high.up(), low.up()))
	after := high.next() // the rings meet at the roots; Links.Set relies on it
	high.setNext(low.next())
	low.setNext(after)
	t.joined++
	low.setUp(a)
	low.setWhen(t.now())
	return absorbed
}

// add makes a node for an ordinal that has none. The node is a tree of its own.
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

// grow gives a page an eighth more slots. So a page is about four fifths to nine tenths full.
func (t *linkTable) grow(p *linkPage) {
	keys, nodes := p.keys, p.nodes
	n := min(linkPageSize, len(keys)+max(4, len(keys)/8))
	p.nodes = slices.Grow([]linkNode(nil), n) // the allocator may round up
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
