//go:build unix

package store

import (
	"math"
	"syscall"
)

// OpenFiles is the plan for this process. It raises the process' limit of open files to the
// most that the system allows it.
func OpenFiles() FilePlan {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return PlanFiles(0)
	}
	if l.Cur < l.Max {
		raised := l
		raised.Cur = l.Max
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
			l = raised
		}
	}
	return PlanFiles(int(min(uint64(l.Cur), math.MaxInt32)))
}
