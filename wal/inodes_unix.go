//go:build linux || darwin

package wal

import "syscall"

// inodes returns how many files the file system that holds dir can have, and how many more
// can be made. ok is false if it does not tell, or has no limit.
func inodes(dir string) (total, free int64, ok bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil || stat.Files == 0 {
		return 0, 0, false
	}
	return int64(min(stat.Files, 1<<62)), int64(min(stat.Ffree, 1<<62)), true
}
