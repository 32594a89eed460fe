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
