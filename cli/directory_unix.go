//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// This file asks the system about directories: locks, and file systems.

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
		return nil, inUse(dir)
	}
	return f, nil
}

// sameFileSystem reports whether two paths, which need not exist yet, will be on one file
// system. It says yes when it cannot tell.
func sameFileSystem(a, b string) bool {
	x, xok := deviceOf(a)
	y, yok := deviceOf(b)
	return !xok || !yok || x == y
}

// deviceOf returns the device of a path, or of the nearest directory above it that exists.
func deviceOf(path string) (dev uint64, ok bool) {
	path, err := filepath.Abs(path)
	for err == nil {
		info, serr := os.Stat(path)
		if serr == nil {
			stat, ok := info.Sys().(*syscall.Stat_t)
			if !ok {
				return 0, false
			}
			return uint64(stat.Dev), true
		}
		if !os.IsNotExist(serr) || filepath.Dir(path) == path {
			return 0, false
		}
		path = filepath.Dir(path)
	}
	return 0, false
}
