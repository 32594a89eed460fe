//go:build !cgo || !linux

package cli

// boundMalloc does nothing: without cgo Pebble's memory is Go's.
func boundMalloc() {}
