//go:build unix

package wire

import (
	"errors"
	"syscall"
)

// refused says whether nobody listens on a socket that is there.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// closeOnExec keeps an open descriptor from the children of this process.
func closeOnExec(fd int) error {
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return err
	}
	syscall.CloseOnExec(fd)
	return nil
}
