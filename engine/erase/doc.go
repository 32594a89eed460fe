// Package erase keeps deletions: which rows they took, and how far they have come.
//
// A deletion is acknowledged when its record is synced. From then on its rows are hidden: the
// table of the site leaves them out of every view (table.Table.Hide). Later the runs that have
// them are written again without their cells, ids and links that nobody else has are forgotten,
// and the old files are removed. Each step looks at what is left to do, so after a crash it is
// simply done again.
//
// # Files
//
//	record.go   the record of a deletion in the store
//	copies.go   copies of deletions beside the snapshots, for a restore
package erase
