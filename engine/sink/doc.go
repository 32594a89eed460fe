// Package sink carries the rows of every site to sinks, such as ClickHouse and Kafka: each row
// once, and in order within its site.
//
//	sink.go  the contract with a sink, and what the admin sees of it
package sink
