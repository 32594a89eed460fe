// Package check computes everything that follows from the log of a stopped store or of a
// snapshot, and compares it with what is stored. It also measures what a store takes up on
// the disk.
//
// # Files
//
//	check.go      opens a store and checks all sites
//	site.go       checks one site: runs, log, ids, sessions, heartbeats
//	run.go        checks one run on all cores: rows, index, totals
//	deletions.go  checks deletions, and the blanks that they have made
//	names.go      compares ids, links and heartbeats of a site with deleted events
//	saved.go      reads what sites have saved
//	links.go      compares the stored links of a site
//	sizes.go      bytes on the disk, field by field
//
// It opens a store read-only and changes nothing. Ids that do not fit in memory are in a
// temporary directory.
package check
