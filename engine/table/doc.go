// Package table holds one site's rows: the newest in memory, by column, and the runs that
// older ones were sealed into. A query takes a view of it.
//
// # Where what is
//
//	table.go  the rows, and how they change: appended, published, sealed, merged
//	runs.go   the runs of a table at one moment, and who still reads them
//	view.go   what one query sees: parts, oldest first, that tile the seqs from 1
//	cells.go  from a record to the cells of a row; keys that have no column of their own
//	rows.go   from the cells of a row to the event; readall.go reads several rows together
//	days.go   on which days the rows of a part are counted
//	hidden.go rows that a deletion has taken
//	thinned.go rows that have become blanks
//
// The publisher, the sealer and the merger change a table; any number of goroutines may
// take views of it. Rows of a view never change.
//
// # Who keeps a run
//
// A run is read from keys in the store. These may leave the store only when nobody reads
// the run any more, so readers are counted:
//
//   - A table holds the runs that it has. A [View], and the [Runs] that [Table.Sealed]
//     returns, hold the runs that they show.
//   - Whoever takes a View or Runs closes it, on every way out: the next statement is
//     defer Close. Goroutines that read a view end before its owner closes it, even if the
//     owner panics.
//   - Nothing that lives longer than the view refers to its runs: answers, kept results
//     and filters in memory are copies.
//   - [Table.Merged] replaces runs. When nothing holds a replaced run any more, it is
//     reported as freed, and never before. The merger gets this report and deletes the
//     keys.
//   - A run that is in no table, such as one that check opens, has no holders and stays.
//
// The counts live in memory alone. The descriptors in the store say which runs exist. Keys
// of a run without a descriptor stay after a crash, or when a view was open while the store
// closed. The next start deletes them.
//
// A view takes one reference to the current set of runs of the table, and each set holds its
// runs. So a query takes the same time to register as a reader, whether there is one run or
// hundreds. The table makes a new set when a run is sealed or when runs are merged.
//
// Tests set [Strict], with which a view that nobody closes is an error of Engine.Close.
package table
