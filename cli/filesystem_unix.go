//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"syscall"
)

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
