// Package sink carries the rows of every site to sinks, such as ClickHouse and Kafka: each row
// once, and in order within its site.
//
//	sink.go    the contract with a sink, and what the admin sees of it
//	runner.go  the way of a sink: its sites, their cursors, what is due
//	faults.go  what an error does to it
//	send.go    a range: fixed, written down, sent; bad rows
//	look.go    what the sink has, against what the store has
//	compare.go what the sink must have, and what it has, by counts
//	nightly.go the check of each night
//	erase.go   deletions
//	bad.go     the file of rows that a sink refused
//	status.go  metrics, reasons for /healthz, the answer to the admin
//
// # What holds
//
// S1 A range is written down before it is sent, and the cursor moves after the sink has it. So after any
// crash the same range goes again. A sink takes a range any number of times.
//
// S2 Nothing of a site is sent before the site has a cursor, and a deletion names all sinks that have
// one. The runner carries a deletion out between two calls of Send, and reads rows anew after it. So a
// row whose deletion was acknowledged leaves the sink, however its Send ended.
//
// S3 The runner holds no lock of the store while it waits for the sink. It never holds up writes; only
// retention waits for it, with rewriting rows that are hidden already, up to Config.Hold.
package sink
