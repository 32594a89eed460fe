package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// This file takes over the sockets that systemd has opened for the process (sd_listen_fds(3)).
// systemd keeps them open while the service restarts, so that clients wait and are not refused.

// Inherited are listening sockets that the process was started with. The zero value has none.
type Inherited struct {
	files []*os.File
	names []string // FileDescriptorName of each, "" = none
}

// inheritedFirst is the first of the descriptors, inheritedMax how many there may be.
const (
	inheritedFirst = 3
	inheritedMax   = 64
)

// Inherit takes the sockets that the environment tells of. It is called once, before anything else
// could use their descriptors. The variables are removed, because children of this process do not
// get the sockets.
func Inherit() (*Inherited, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
	if pid == "" || count == "" || pid != strconv.Itoa(os.Getpid()) {
		return new(Inherited), nil // they were for another process
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > inheritedMax {
		return nil, fmt.Errorf("LISTEN_FDS = %q: must be a number of sockets, at most %d", count, inheritedMax)
	}
	return inherit(inheritedFirst, n, names)
}

// inherit takes n descriptors from first on.
func inherit(first, n int, names string) (*Inherited, error) {
	in := new(Inherited)
	list := strings.Split(names, ":")
	for i := range n {
		name := ""
		if i < len(list) {
			name = list[i]
		}
		if err := closeOnExec(first + i); err != nil {
			in.Close()
			return nil, fmt.Errorf("LISTEN_FDS: the descriptor %d is not open: %w", first+i, err)
		}
		in.files = append(in.files, os.NewFile(uintptr(first+i), "systemd:"+name))
		in.names = append(in.names, name)
	}
	return in, nil
}

// Listeners are listeners on those sockets whose name is name, or is not if other is set. Each
// call makes new ones: closing them does not close the sockets.
func (in *Inherited) Listeners(name string, other bool) (all []net.Listener, err error) {
	for i, f := range in.files {
		if (in.names[i] == name) == other {
			continue
		}
		ln, err := net.FileListener(f)
		if err == nil && ln.Addr().Network() != "tcp" && ln.Addr().Network() != "unix" {
			ln.Close()
			err = errors.New(ln.Addr().Network())
		}
		if err != nil {
			for _, ln := range all {
				ln.Close()
			}
			return nil, fmt.Errorf("the descriptor %d that systemd passes is no listening stream socket (ListenStream=, without Accept=yes): %w", inheritedFirst+i, err)
		}
		all = append(all, ln)
	}
	return all, nil
}

// Close closes the sockets.
func (in *Inherited) Close() {
	for _, f := range in.files {
		f.Close()
	}
}
