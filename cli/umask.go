//go:build unix

package cli

import "syscall"

// This file keeps other users from everything that cairn writes: keys, events, snapshots and
// restored data. Libraries create files with mode 0644 and directories with mode 0755, and
// the umask takes the rights of others away.

func init() { syscall.Umask(0o077) }
