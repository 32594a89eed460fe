// Package repair makes a new store of everything that is sound in a damaged one. It never
// changes the damaged one.
//
// # Files
//
//	repair.go     the new store, and the report
//	site.go       one site: its runs, the rows of its log, its ids
//	saved.go      what a site has saved
//	deletions.go  what a site has deleted
//	sound.go      reads keys around damage
//
// Every event keeps its seq, and so its id and its place in a walk by cursors. Runs whose
// checksum is right are copied as they are. What else can be read of runs and log becomes new
// runs, whose totals are computed from their rows. The seqs of what cannot be read are noted in
// the new store as lost, so that it opens without them. What was deleted stays so.
package repair
