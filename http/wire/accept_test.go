package wire

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
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
		c := g.admit(here)
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
	old.asked.Store(true)
	older.asked.Store(true)
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
		c.asked.Store(true)
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
