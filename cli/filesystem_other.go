//go:build !unix

package cli

// sameFileSystem cannot tell on this system. The rename fails if it has to.
func sameFileSystem(string, string) bool { return true }
