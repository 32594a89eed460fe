package wire

import "container/list"

// This file chooses which connection is closed when there are too many. It looks at a few of
// them only, so that a flood of connections does not cost the square of their number.

// evictLooks is how many connections are looked at before one is closed.
const evictLooks = 64

// queue holds open connections, about in the order of their last progress. It is under the
// lock of the gate.
type queue struct {
	conns list.List
	looks *int // counts connections that were looked at
}

// place is where a connection stands in a queue.
type place struct {
	in   *queue
	at   *list.Element
	last int64 // the connection's progress when it was put there, in ms from began
}

// put adds c, which is in no queue, as the one with the newest progress.
func (q *queue) put(c *Conn) {
	c.place = place{q, q.conns.PushBack(c), c.last.Load()}
}

// leave takes c out of its queue, if it is in one.
func (p *place) leave() {
	if p.in != nil {
		p.in.conns.Remove(p.at)
		p.in = nil
	}
}

// silent returns the connection that has been silent for longest of those at the front that do
// not wait for the server; nil = none of them. Those that wait, or have made progress since
// they were put there, go to the back. If none is left at the front, one of these is returned.
func (q *queue) silent() *Conn {
	var still, moved *Conn
	longer := func(c, than *Conn) bool { return than == nil || c.last.Load() < than.last.Load() }
	next := q.conns.Front()
	for range min(evictLooks, q.conns.Len()) {
		*q.looks++
		at := next
		next = at.Next()
		c := at.Value.(*Conn)
		busy, last := c.phase.Load() == phaseBusy, c.last.Load()
		switch {
		case !busy && last <= c.place.last:
			if longer(c, still) {
				still = c
			}
			continue
		case !busy && longer(c, moved):
			moved = c
		}
		c.place.last = last
		q.conns.MoveToBack(at)
	}
	if still == nil {
		return moved
	}
	return still
}

// evict closes a connection that does not wait for the server: one that has never sent a whole
// head if there is one, and else one that has been silent for long. A burst of new connections
// thus closes its own first. evict reports whether there was one.
func (g *Gate) evict() bool {
	g.mu.Lock()
	c := g.fresh.silent()
	if c == nil {
		c = g.served.silent()
	}
	g.mu.Unlock()
	if c == nil {
		return false
	}
	g.Refused("evicted")
	c.kill()
	return true
}

// asks notes that a connection has sent its first whole head.
func (g *Gate) asks(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.place.in == &g.fresh { // it is still open
		c.place.leave()
		g.served.put(c)
	}
}
