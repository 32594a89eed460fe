//go:build !linux

package cli

import "time"

// monotonic is a clock of systemd's, which only Linux has.
func monotonic() time.Duration { return 0 }
