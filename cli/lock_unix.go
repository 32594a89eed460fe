//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// lockDir locks a directory until it is closed or the process ends. With alone set nobody else
// may hold a lock; otherwise others may read as well. The lock is that of the open directory:
// whoever removes the file store/LOCK does not end it. A file system that cannot lock
// directories leaves it to that file.
func lockDir(dir string, alone bool) (io.Closer, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another process", dir)
	}
	return f, nil
}
