// Package wal is cairn's log: the ordered, durable sequence of opaque records of
// each site, kept as Pebble keys. It knows no field of an event.
//
// # Keys
//
//	0x10 | site u32 | first u64   a block: consecutive records from seq first
//	0x11 | site u32 | first u64   a note: what one group commit adds beside its rows
//
// Integers in keys are big endian, so key order is (site, seq) order.
//
// # Block, version 1
//
//	+---------+--------+---------+------------+
//	| version | codec  | records | sum u64 LE |
//	| 1 byte  | 1 byte |         |  8 bytes   |
//	+---------+--------+---------+------------+
//
//	records: count uvarint | count x { len uvarint | record }
//
// codec 0 has the records as they are, codec 1 as one S2 block (a superset of
// Snappy's block format).
// sum is xxhash64 of the key and all bytes before it. A note is
//
//	version 1 byte | data | sum u64 LE
//
// Both formats are frozen; a change is a new version byte.
//
// # Invariants
//
//	W1  Records of a site have dense sequence numbers; a block never spans a gap.
//	W2  A group commit writes its rows and its notes in one Pebble batch.
//	W3  Blocks of one group belong to that group alone, so the log can be trimmed
//	    at the end of any group.
package wal
