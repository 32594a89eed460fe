//go:build !unix

package wire

import (
	"errors"
	"syscall"
)

// wsaRefused is Windows' WSAECONNREFUSED.
const wsaRefused = syscall.Errno(10061)

// refused says whether nobody listens on a socket that is there.
func refused(err error) bool { return errors.Is(err, wsaRefused) }

func closeOnExec(int) error { return errors.ErrUnsupported }
