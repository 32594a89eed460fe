package wire

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// StopGrace is how long the server still listens to an idle connection when it stops, so
// that a request on its way is answered and not reset.
const StopGrace = 100 * time.Millisecond

// Patience is how long the server waits for a client. All fields have to be above zero.
type Patience struct {
	Head  time.Duration // from the first byte of a head, or the start of the connection, to its last
	Idle  time.Duration // between two requests
	Write time.Duration // for the client to read the next 64 KiB of an answer
	Body  time.Duration // for a whole body, however fast it started
	Pace  time.Duration // each span of a body of this length must bring PaceBytes
	// PaceBytes is 1 KB a second. A body that stands still is noticed after one
	// to two spans, so within 10 s.
	PaceBytes int
}

var defaultPatience = Patience{
	Head: 10 * time.Second, Idle: 60 * time.Second, Write: 15 * time.Second,
	Body: 120 * time.Second, Pace: 5 * time.Second, PaceBytes: 5 << 10,
}

// Gate accepts connections, bounds how many there are in all and of one address, and knows
// every open one. Its exported fields are set before the first connection comes and do not
// change afterwards.
type Gate struct {
	ConnsMax int // in all; memory bounds it: see connBytesMax
	perIPMax atomic.Int64
	Exempt   func(netip.Addr) bool // addresses without a bound of their own
	Refused  func(reason string)   // counts; reason is one of a few fixed texts
	budget   *Budget
	heads    Budget // the part of budget that long heads may have together
	Patience Patience

	stopping atomic.Bool
	refusing chan struct{} // bounds the goroutines that write refusals

	mu     sync.Mutex
	open   map[*Conn]struct{}
	fresh  queue // those that have not sent a whole head
	served queue // the others
	looks  int   // see queue
	perIP  map[netip.Addr]int
}

// connBytesMax is what one connection costs in the worst ordinary case: its
// goroutine, its buffer, a head of full length and fasthttp's share.
const connBytesMax = 256 << 10

// NewGate makes a gate for a process that may use memory bytes, with at most perIPMax
// connections of one address. Long heads and large answers are charged to b. Exempt and
// Refused have to be set before the first connection comes.
func NewGate(memory int64, perIPMax int, b *Budget) *Gate {
	g := &Gate{
		ConnsMax: int(min(max(memory/connBytesMax, 64), 1<<16)),
		budget:   b,
		Patience: defaultPatience,
		refusing: make(chan struct{}, 32),
		open:     map[*Conn]struct{}{},
		perIP:    map[netip.Addr]int{},
	}
	g.SetPerIP(perIPMax)
	g.fresh.looks, g.served.looks = &g.looks, &g.looks
	g.heads.Set(max(memory/32, 1<<20))
	return g
}

// SetPerIP changes how many connections one address may have. Those that are open stay.
func (g *Gate) SetPerIP(most int) { g.perIPMax.Store(int64(most)) }

// Guard is ln behind the gate: Accept returns a *Conn that the gate has admitted.
func (g *Gate) Guard(ln net.Listener) net.Listener { return listener{ln, g, false} }

// GuardOwn is Guard for a listener that only the operator's own programs can reach. Its
// connections have no bound, and give way to no other.
func (g *Gate) GuardOwn(ln net.Listener) net.Listener { return listener{ln, g, true} }

// listener is a net.Listener whose connections pass the gate.
type listener struct {
	net.Listener
	gate *Gate
	own  bool
}

// acceptPause and acceptPauseMax are the pauses after failed accepts: each is twice the one
// before.
const (
	acceptPause    = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Accept returns the next connection that the gate admits, or net.ErrClosed. No other error
// is a reason to stop serving: the system is out of files, buffers or memory for the moment,
// or a client has gone. Where connections take what is missing, one is closed: see evict.
func (l listener) Accept() (net.Conn, error) {
	for pause := acceptPause; ; {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			pause = acceptPause
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			return nil, err
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, net.ErrClosed // see Server.lastCall
		case errors.Is(err, syscall.ECONNABORTED):
			continue
		default:
			reason := "accept failed"
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				reason = "no files"
			}
			l.gate.Refused(reason)
			l.gate.evict()
			time.Sleep(pause)
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		if cn := l.gate.admit(c, l.own); cn != nil {
			return cn, nil
		}
	}
}

// admit admits c, or answers it 429 or 503 and returns nil. All peers without an ip, at a unix
// socket, count as one address.
func (g *Gate) admit(c net.Conn, own bool) *Conn {
	peer := addrOf(c.RemoteAddr())
	key := LimitKey(peer)
	bounded := !own && !g.Exempt(peer)

	g.mu.Lock()
	if bounded && g.perIP[key] >= int(g.perIPMax.Load()) {
		g.mu.Unlock()
		g.turnAway(c, 429, "too many connections from this address")
		return nil
	}
	full := len(g.open) >= g.ConnsMax
	g.mu.Unlock()

	if full && !own && !g.evict() {
		g.turnAway(c, 503, "too many connections")
		return nil
	}
	cn := newConn(c, g, peer)
	cn.own, cn.bounded = own, bounded
	g.mu.Lock()
	g.open[cn] = struct{}{}
	if !own {
		g.fresh.put(cn)
	}
	if bounded {
		g.perIP[key]++
	}
	g.mu.Unlock()
	return cn
}

// turnAway answers a connection that is not admitted. The next one does not wait for that.
func (g *Gate) turnAway(c net.Conn, status int, reason string) {
	g.Refused(reason)
	var plain interface {
		net.Conn
		CloseWrite() error
	}
	switch c := c.(type) {
	case *net.TCPConn:
		plain = c
	case *net.UnixConn:
		plain = c
	default:
		c.Close() // a TLS handshake only to refuse would help a flood
		return
	}
	select {
	case g.refusing <- struct{}{}:
		go func() {
			defer func() { <-g.refusing }()
			defer plain.Close()
			plain.SetDeadline(time.Now().Add(200 * time.Millisecond))
			if _, err := plain.Write(plainAnswer(status, reason)); err != nil {
				return
			}
			plain.CloseWrite()
			var waste [512]byte
			for range 32 {
				if _, err := plain.Read(waste[:]); err != nil {
					return
				}
			}
		}()
	default:
		plain.Close()
	}
}

func (g *Gate) remove(c *Conn) {
	key := LimitKey(c.from)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.open[c]; !ok {
		return
	}
	delete(g.open, c)
	c.place.leave()
	if !c.bounded {
		return
	}
	if n := g.perIP[key]; n > 1 {
		g.perIP[key] = n - 1
	} else {
		delete(g.perIP, key)
	}
}

// Stopping says whether Stop was called.
func (g *Gate) Stopping() bool { return g.stopping.Load() }

// Size is the number of open connections.
func (g *Gate) Size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.open)
}

// Stop wakes every idle connection, which then ends after StopGrace unless a
// request comes. It does not wait.
func (g *Gate) Stop() {
	g.stopping.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		if c.phase.Load() == phaseIdle {
			c.Conn.SetReadDeadline(time.Now())
		}
	}
}

// Idle is the number of connections no request is on.
func (g *Gate) Idle() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		if c.phase.Load() == phaseIdle {
			n++
		}
	}
	return n
}

// KillAll closes every connection at once, whatever it is doing.
func (g *Gate) KillAll() {
	g.mu.Lock()
	all := make([]*Conn, 0, len(g.open))
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
		return PlainAddr(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// PlainAddr takes the IPv4 mapping and the zone off an address.
func PlainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// LimitKey is what stands for one client in limits: an IPv4 address, or the /64 of an IPv6
// address, since whoever has one address of it has them all.
func LimitKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
