// Package check computes everything that follows from the log of a stopped store or of a
// snapshot, and compares it with what is stored. It also measures what a store takes up on
// the disk.
//
// # Files
//
//	check.go  opens a store and checks all sites
//	site.go   checks one site: runs, log, counters, ids, sessions, links
//	sizes.go  bytes on the disk, field by field
//
// It opens a store read-only and changes nothing.
package check
