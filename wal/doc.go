// Package wal is cairn's log and what makes it durable. The log is the ordered sequence
// of opaque records of each site. The log is stored in Pebble. Pebble has a write-ahead log of
// its own, which this page calls "Pebble's log"; it is another log than this one. The package knows no field of an event and imports no other
// package of cairn. Engine owns the Pebble store, makes the batches and decides when to
// sync.
//
// # Files, in the order to read them
//
//	log.go      the log: append blocks and notes to a batch, replay, trim
//	limits.go   how long records and notes may be
//	fs.go       Pebble's files: a failed write or fsync of its log, or fsync of its
//	            directory, ends all writes
//	markers.go  Pebble's files: what must be on the disk before what
//	hwm.go      the high-water mark: how many events there were, to notice lost ones
//	disk.go     free space: the reserve, claims on it, and the ballast; inodes_*.go counts
//	            files
//	stuck.go    who waits while the log has no space
//
// # Where a failed fsync goes
//
// After a failed write or fsync nothing is answered as stored (I5 of engine). The error is
// met in one of these files:
//
//	Pebble's log           FS (fs.go) calls Engine.fail (engine/engine.go). Pebble never sees
//	                       the error.
//	the store's directory  The same, for each directory that Pebble opened at its start.
//	a group's batch        The publisher (engine/commit.go) calls fail, and so does the
//	                       sequencer (engine/sequencer.go) when it cannot make the batch.
//	Pebble's manifest      Pebble calls Fatalf of its Logger (engine/open.go), which calls
//	                       fail.
//	Pebble's tables        Pebble reports a BackgroundError, which engine/open.go logs, and
//	                       tries again: the log still has the rows. Their directory is the
//	                       store's.
//	a run being made       The sealer (engine/seal.go) tries again every second; the log still
//	                       has the rows. The merger (engine/merge.go) gives up the merge. Both
//	                       call fail when the run may be there in part.
//	the high-water mark    Write (hwm.go) returns the error, which engine/engine.go logs. The
//	                       mark stays where it was until the next write.
//
// Engine's fail answers all waiters with ErrFailed and ends the process; reads go on
// until then.
//
// # A full disk
//
// A full disk does not end the process. Engine refuses writes while less is free than the
// reserve (Disk.Full), and the reserve is never less than what seals, merges and flushes may
// still write (Disk.Claim). If there is no space all the same, FS removes the ballast and
// repeats the write. If that does not help, a write of Pebble's log or manifest waits for
// space, and engine answers the requests that wait for it (Disk.Stuck). Other work fails and
// is tried again. Only an fsync that reports a full disk is an error like any other.
//
// # Keys and files of this package
//
//	0x10 | site u32 | first u64   a block: consecutive records from seq first
//	0x11 | site u32 | first u64   a note: what one group commit adds beside its rows
//	hwm-0, hwm-1                  in the data directory; bytes in hwm.go
//	ballast                       in the data directory; zeros
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
// Codec 0 has the records as they are, codec 1 as one S2 block (a superset of Snappy's
// block format). The sum is xxhash64 of the key and of all bytes before the sum. A note is
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
//	W4  Reading bytes that were not appended gives a CorruptError, never a record. So does
//	    a gap. The caller of a replay has to notice missing records at the beginning or
//	    at the end.
//	W5  While the store is open or closes, no goroutine goes on after an error of a log file,
//	    or of an fsync of the store's directory.
//	W6  Once a mark has been written, at least one of the two files can be read. A mark
//	    never gives more events than the log had.
package wal
