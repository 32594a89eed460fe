package httpd

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stopGrace is how long an idle connection is still listened to when the server
// stops: a request that was on its way is answered, not reset.
const stopGrace = 100 * time.Millisecond

// patience is how long a client is waited for.
type patience struct {
	head  time.Duration // from the first byte of a head, or the start of the connection, to its last
	idle  time.Duration // between two requests
	write time.Duration // without any progress in taking an answer
	body  time.Duration // for a whole body, however fast it started
	pace  time.Duration // each span of a body of this length must bring paceBytes
	// paceBytes is 1 KB a second. A body that stands still is noticed after one
	// to two spans, so within 10 s.
	paceBytes int
}

var defaultPatience = patience{
	head: 10 * time.Second, idle: 60 * time.Second, write: 15 * time.Second,
	body: 120 * time.Second, pace: 5 * time.Second, paceBytes: 5 << 10,
}

// gate is the door: it accepts connections, bounds how many there are in all and
// of one address, and knows every open one.
type gate struct {
	connsMax int // memory bounds it: see connsMax
	perIPMax int
	exempt   func(netip.Addr) bool // addresses without a bound of their own
	refused  func(reason string)   // counts
	budget   *budget
	patience patience

	stopping atomic.Bool
	refusing chan struct{} // bounds the goroutines that write refusals

	mu    sync.Mutex
	open  map[*conn]struct{}
	perIP map[netip.Addr]int
}

// connBytesMax is what one connection costs in the worst ordinary case: its
// goroutine, its buffer, a head of full length and fasthttp's share.
const connBytesMax = 256 << 10

// newGate makes a gate for a process that may use so many bytes of memory. exempt and
// refused have to be set before the first connection comes.
func newGate(memory int64, perIPMax int, b *budget) *gate {
	return &gate{
		connsMax: int(min(max(memory/connBytesMax, 64), 1<<16)),
		perIPMax: perIPMax,
		budget:   b,
		patience: defaultPatience,
		refusing: make(chan struct{}, 32),
		open:     map[*conn]struct{}{},
		perIP:    map[netip.Addr]int{},
	}
}

// guard is ln with the gate before it: what Accept returns are connections that may
// stay.
func (g *gate) guard(ln net.Listener) net.Listener { return listener{ln, g} }

// listener is a net.Listener whose connections pass the gate.
type listener struct {
	net.Listener
	gate *gate
}

// Accept returns the next connection that may stay. Running out of files is no
// reason to stop serving: the longest silent connection makes room.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, net.ErrClosed // see Server.lastCall
			}
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
				l.gate.refused("no files")
				l.gate.evict()
				time.Sleep(10 * time.Millisecond)
				continue
			}
			return nil, err
		}
		if cn := l.gate.admit(c); cn != nil {
			return cn, nil
		}
	}
}

// admit takes c in, or answers it 429 or 503 and returns nil.
func (g *gate) admit(c net.Conn) *conn {
	peer := addrOf(c.RemoteAddr())
	key := limitKey(peer)
	bounded := peer.IsValid() && !g.exempt(peer)

	g.mu.Lock()
	if bounded && g.perIP[key] >= g.perIPMax {
		g.mu.Unlock()
		g.turnAway(c, 429, "too many connections from this address")
		return nil
	}
	full := len(g.open) >= g.connsMax
	g.mu.Unlock()

	if full && !g.evict() {
		g.turnAway(c, 503, "too many connections")
		return nil
	}
	cn := newConn(c, g, peer)
	g.mu.Lock()
	g.open[cn] = struct{}{}
	if bounded {
		g.perIP[key]++
	}
	g.mu.Unlock()
	return cn
}

// turnAway answers a connection that may not stay, without making the next one
// wait for it.
func (g *gate) turnAway(c net.Conn, status int, reason string) {
	g.refused(reason)
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		c.Close() // a TLS handshake only to say no is what a flood wants
		return
	}
	select {
	case g.refusing <- struct{}{}:
		go func() {
			defer func() { <-g.refusing }()
			defer tcp.Close()
			tcp.SetDeadline(time.Now().Add(200 * time.Millisecond))
			if _, err := tcp.Write(plainAnswer(status, reason)); err != nil {
				return
			}
			tcp.CloseWrite()
			var waste [512]byte
			for range 32 {
				if _, err := tcp.Read(waste[:]); err != nil {
					return
				}
			}
		}()
	default:
		tcp.Close()
	}
}

// evict closes the connection that has been silent for longest among those that
// do not wait for the server. It reports whether there was one.
func (g *gate) evict() bool {
	var silent *conn
	var since int64
	g.mu.Lock()
	for c := range g.open {
		if c.phase.Load() == phaseBusy {
			continue
		}
		if last := c.last.Load(); silent == nil || last < since {
			silent, since = c, last
		}
	}
	g.mu.Unlock()
	if silent == nil {
		return false
	}
	g.refused("evicted")
	silent.kill()
	return true
}

func (g *gate) remove(c *conn) {
	key := limitKey(c.from)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.open[c]; !ok {
		return
	}
	delete(g.open, c)
	if n := g.perIP[key]; n > 1 {
		g.perIP[key] = n - 1
	} else {
		delete(g.perIP, key)
	}
}

// isStopping says whether stop was called.
func (g *gate) isStopping() bool { return g.stopping.Load() }

// size is the number of open connections.
func (g *gate) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

// stop wakes every idle connection, which then ends after stopGrace unless a
// request comes.
func (g *gate) stop() {
	g.stopping.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		if c.phase.Load() == phaseIdle {
			c.Conn.SetReadDeadline(time.Now())
		}
	}
}

// idle is the number of connections no request is on.
func (g *gate) idle() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		if c.phase.Load() == phaseIdle {
			n++
		}
	}
	return n
}

// killAll closes every connection at once.
func (g *gate) killAll() {
	g.mu.Lock()
	all := make([]*conn, 0, len(g.open))
	for c := range g.open {
		all = append(all, c)
	}
	g.mu.Unlock()
	for _, c := range all {
		c.kill()
	}
}

// addrOf is the ip of a network address; the zero Addr when it has none.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return plainAddr(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// plainAddr takes the IPv4 mapping and the zone off an address.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// limitKey is what limits of one client are kept by: an IPv4 address, or the /64
// of an IPv6 one, since whoever has one address there has them all.
func limitKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
