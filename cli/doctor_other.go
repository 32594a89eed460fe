//go:build !linux

package cli

import (
	"errors"
	"time"
)

// fileSystem names the file system of a directory; "" = not known.
func fileSystem(string) string { return "" }

// syncLatency is only measured on Linux.
func syncLatency(string) (time.Duration, error) {
	return 0, errors.New("the server has committed nothing yet")
}
