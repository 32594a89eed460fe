// Package table holds one site's rows: the newest in memory, by column, and the runs that
// older ones were sealed into. A query takes a view of it.
//
// # Where what is
//
//	table.go  the rows, and how they change: appended, published, sealed, merged
//	view.go   what one query sees: parts, oldest first, that tile the seqs from 1
//	cells.go  from a record to the cells of a row; keys that have no column of their own
//	rows.go   from the cells of a row to the event
//
// The publisher, the sealer and the merger change a table; any number of goroutines may
// take views of it. Rows of a view never change.
package table
