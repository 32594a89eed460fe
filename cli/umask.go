//go:build unix

package cli

import "syscall"

// This file closes what cairn makes to other users: keys, events, snapshots and
// what is restored from them. Libraries that create files ask for 0644 and 0755.

func init() { syscall.Umask(0o077) }
