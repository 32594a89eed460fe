//go:build unix

package engine_test

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used; it is steadier than the clock where
// others share the machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
