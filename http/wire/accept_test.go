package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// failing is a listener whose Accept returns one error after another, then connections.
type failing struct {
	net.Listener
	errs []error
	got  net.Conn
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
	}
	return f.got, nil
}

// Whatever the system lacks for the moment, the server goes on to accept. It stops when the
// listener is closed, and at its deadline.
func TestAcceptGoesOn(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	g := NewGate(64<<20, 1, &Budget{})
	refused := 0
	g.Exempt, g.Refused = func(netip.Addr) bool { return true }, func(string) { refused++ }
	f := &failing{got: here}
	for _, err := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EMFILE, syscall.ECONNABORTED, syscall.EPERM, syscall.EINTR, errors.New("else")} {
		f.errs = append(f.errs, os.NewSyscallError("accept4", err))
	}
	c, err := g.Guard(f).Accept()
	if err != nil || c == nil {
		t.Fatalf("after seven errors: %v", err)
	}
	c.Close()
	if refused != 6 {
		t.Errorf("%d errors were counted", refused)
	}
	for _, end := range []error{net.ErrClosed, os.ErrDeadlineExceeded} {
		f.errs = []error{end}
		if _, err := g.Guard(f).Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v: %v", end, err)
		}
	}
}

// A burst of connections beyond the limit closes those of its own that have sent nothing. An
// idle connection that has sent a request stays, however long it has been silent.
func TestEvictNewFirst(t *testing.T) {
	g := NewGate(64<<20, 1, &Budget{})
	g.Exempt, g.Refused = func(netip.Addr) bool { return true }, func(string) {}
	g.ConnsMax = 4
	connect := func(silent int64) *Conn {
		here, there := net.Pipe()
		t.Cleanup(func() { here.Close(); there.Close() })
		c := g.admit(here, false)
		if c == nil {
			t.Fatal("not admitted")
		}
		c.last.Store(-silent)
		return c
	}
	open := func(c *Conn) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		_, ok := g.open[c]
		return ok
	}
	old, older := connect(1000), connect(2000)
	g.asks(old)
	g.asks(older)
	for n := range int64(20) {
		before := connect(900 - 10*n)
		if !open(old) || !open(older) {
			t.Fatalf("connection %d of a burst has closed one that was served", n)
		}
		if n%2 == 1 && !open(before) {
			t.Fatal("the newest was closed")
		}
	}
	// Of those that have sent a request, the longest silent goes first.
	for c := range g.open {
		g.asks(c)
	}
	connect(0)
	if open(older) || !open(old) {
		t.Errorf("open: silent for 2 s %v, for 1 s %v", open(older), open(old))
	}
	// None is closed that waits for the server.
	for c := range g.open {
		c.phase.Store(phaseBusy)
	}
	if g.evict() {
		t.Error("a busy connection was closed")
	}
}

// nobody is a connection on which nothing happens.
type nobody struct{ net.Conn }

func (nobody) RemoteAddr() net.Addr             { return nil }
func (nobody) SetDeadline(time.Time) error      { return nil }
func (nobody) SetReadDeadline(time.Time) error  { return nil }
func (nobody) SetWriteDeadline(time.Time) error { return nil }
func (nobody) Close() error                     { return nil }

// However many connections there are, and whatever they do, closing one for another looks at
// a bounded number of them. It still closes one that has sent nothing before any other, and
// then one that has been silent for long.
func TestEvictLooksAtFew(t *testing.T) {
	const conns, more = 20_000, 500
	g := NewGate(64<<20, 1, &Budget{})
	g.Exempt, g.Refused = func(netip.Addr) bool { return true }, func(string) {}
	g.ConnsMax = conns
	var all []*Conn
	for i := range conns {
		c := g.admit(nobody{}, false)
		if i%2 == 0 {
			g.asks(c)
		}
		c.place.last = int64(i)
		c.last.Store(int64(i))
		all = append(all, c)
	}
	count := func() (fresh, served int) { return g.fresh.conns.Len(), g.served.conns.Len() }
	admit := func(want bool) {
		t.Helper()
		g.looks = 0
		if c := g.admit(nobody{}, false); (c != nil) != want {
			t.Fatalf("admitted: %t", c != nil)
		}
		if g.looks > 2*evictLooks {
			t.Fatalf("it looked at %d connections", g.looks)
		}
	}
	for range more {
		admit(true)
	}
	if fresh, served := count(); fresh != conns/2 || served != conns/2 {
		t.Errorf("%d connections that have sent nothing and %d others are left", fresh, served)
	}
	// Now all have sent a request. Every second one is at work, and all but a tenth have made
	// progress since.
	for c := range g.open {
		g.asks(c)
	}
	for i, c := range all {
		if _, open := g.open[c]; !open {
			continue
		}
		if c.phase.Store(phaseIdle); i%4 == 0 {
			c.phase.Store(phaseBusy)
		}
		if i%10 > 0 {
			c.last.Store(conns + int64(i))
		}
	}
	for range more {
		admit(true)
	}
	for _, c := range all {
		if _, open := g.open[c]; !open && c.phase.Load() == phaseBusy {
			t.Fatal("a connection was closed that waits for the server")
		}
	}
	for c := range g.open {
		c.phase.Store(phaseBusy)
	}
	admit(false)
}

func BenchmarkEvict(b *testing.B) {
	for _, conns := range []int{100, 1000, 10_000, 60_000} {
		b.Run(fmt.Sprint(conns), func(b *testing.B) {
			g := NewGate(64<<20, 1, &Budget{})
			g.Exempt, g.Refused = func(netip.Addr) bool { return true }, func(string) {}
			g.ConnsMax = conns
			for range conns {
				g.admit(nobody{}, false)
			}
			b.ReportAllocs()
			for b.Loop() {
				g.admit(nobody{}, false)
			}
		})
	}
}
