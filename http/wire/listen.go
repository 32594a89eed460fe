package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"
)

// This file opens the addresses that a server listens on.

// unixPrefix begins an address that is a socket in the file system.
const unixPrefix = "unix:"

// SocketBytesMax is the longest path of a unix socket that every system takes.
const SocketBytesMax = 103

// UnixPath is the path of an address such as "unix:/run/cairn.sock"; ok is false for any other
// address.
func UnixPath(address string) (path string, ok bool) { return strings.CutPrefix(address, unixPrefix) }

// CheckAddress reports what is wrong with an address to listen on, before the system says so in
// words of its own.
func CheckAddress(address string) error {
	if path, ok := UnixPath(address); ok {
		switch {
		case path == "" || strings.HasSuffix(path, "/") || path[0] == '@' || strings.ContainsRune(path, 0):
			return fmt.Errorf(`%q must be "unix:" and the path of a file, such as "unix:/run/cairn/http.sock"`, address)
		case len(path) > SocketBytesMax:
			return fmt.Errorf("%q: the path of a socket has at most %d bytes", address, SocketBytesMax)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf(`%q must be an address and a port such as "127.0.0.1:8080", or a socket such as "unix:/run/cairn/http.sock"`, address)
	}
	return nil
}

// Listen listens on an address that CheckAddress takes. A unix socket gets the mode 0660, and is
// removed when its listener is closed.
func Listen(address string) (net.Listener, error) {
	path, ok := UnixPath(address)
	if !ok {
		return net.Listen("tcp", address)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes the socket of a process that was killed. A socket that somebody listens on
// stays, and so does any other file; both are errors.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s is in the way and is no socket; remove it, or listen on another path", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
	}
	if err == nil || !refused(err) {
		return fmt.Errorf("%s is in use by another process; stop that one, or listen on another path", path)
	}
	return os.Remove(path)
}
