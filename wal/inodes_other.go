//go:build !linux && !darwin

package wal

// inodes is known on Linux and macOS only.
func inodes(string) (total, free int64, ok bool) { return 0, 0, false }
