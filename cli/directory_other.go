//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package cli

import "io"

// lockDir leaves the lock to the file store/LOCK: this system cannot lock a directory.
func lockDir(string, bool) (io.Closer, error) { return io.NopCloser(nil), nil }

// sameFileSystem cannot tell on this system. The rename fails if it has to.
func sameFileSystem(string, string) bool { return true }
