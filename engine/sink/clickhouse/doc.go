// Package clickhouse is a sink that puts rows into a table of ClickHouse, over HTTP.
//
//	clickhouse.go  where the server is, and the sink: Open, Send, Newest
//	client.go      one request and its answer
//	fault.go       what an error of the server means
//	server.go      what the server can do, which depends on its version
//	schema.go      the columns and the statement that makes the table
//	table.go       the check of a table that is there
//	numbers.go     numbers that the type JSON of ClickHouse refuses
//	delete.go      deletions
//	count.go       counting rows, for "cairn sink check"
//
// # What holds
//
// A range is one INSERT (one for every 50 months of it), so it is there whole or, after a cut, in part:
// servers of some versions take what came of a body that broke off. The same range goes again until the
// server has answered. The table is a ReplacingMergeTree whose sorting key ends with what names a row,
// (site, …, store, seq), so a row that came twice is one in every answer with FINAL, and after merging.
// Newer servers also drop the whole INSERT when they know its token; see Sink.whole for what follows.
//
// An INSERT whose answer was lost may still arrive. A deletion therefore counts its rows once more after
// the longest time that such an INSERT may take; see Sink.lost.
//
// What the server says of an error can quote a row. It is in Fault.Err alone, for the admin.
package clickhouse
