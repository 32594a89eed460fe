// Package export writes the events of a site as a file: NDJSON, CSV or Parquet.
//
// An event whose cells are not in the cache costs many times as much as one that was read just
// before: most of its cells lie anywhere in the dictionaries of a run. So an export reads columns.
// It takes up to 262,144 selected rows of a part (a stretch), and for each field the numbers of
// the cells in some of these rows (a window). It brings the numbers into order, walks the dictionary
// once, and has the encoder make its text of each cell once. A row is then a few copies.
//
//	export.go     who may export, and the way of one export
//	block.go      reading rows in blocks; how memory is divided
//	window.go     the cells of one field in some rows
//	fields.go     columns of CSV and Parquet by name
//	ndjson.go     an event as a line, and the objects in it
//	csv.go        a line of a table
//	columns.go    an event as a flat object, for a table in ClickHouse
//	lines.go      rows in memory, for a sink
//	parquet.go    a file of typed columns; noparquet.go is in place of it in a build without
//
// # What holds
//
// Rows come through the view and the predicate of room read, so an export has the rows that a
// listing has: what a listing hides is in no export.
//
// One goroutine reads: a part belongs to it. Others encode. A window does not change while a block
// has it. The goroutines end before the view is closed.
//
// An export lasts as long as its client takes. No lock is held meanwhile, and each stretch has the
// time of one query.
package export
