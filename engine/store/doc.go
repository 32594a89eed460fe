// Package store knows the contents of a data directory: the format version, the secret of the
// public ids, the tables that runs are read from, snapshots, and which file is damaged.
//
// # Files
//
//	keys.go      the prefixes of all keys that do not belong to wal or index
//	store.go     version, secret, incarnations
//	look.go      what must be true of a store before it is opened for writing
//	manifest.go  Pebble's list of its tables, read record by record
//	written.go   what has been written to each file, and its checksum
//	spare.go     files beside the store that say what must be on the disk
//	names.go     which site has which id
//	lost.go      events that a repair could not save
//	salvage.go   opens a damaged store for a repair
//	rebuild.go   reads a store whose list of tables is lost
//	publicid.go  public ids of events, which are also cursors
//	tables.go    reads the keys of a run from its table file, without a search in Pebble's levels
//	blocks.go    where the keys of a run lie in its table; tablereader.go reads one
//	snapshot.go  makes and verifies snapshots
//	restore.go   makes a data directory from a snapshot
//	upgrade.go   what a start does with a store of an older version
//	damage.go    which file an error is about
//	advice.go    what a refusal tells of a damaged store
//	tmp.go       temporary files
//	cleaner.go   how Pebble removes files
//	files.go     how many files may be open, and who gets how many; files_unix.go and
//	             files_windows.go ask the system
//
// It reads the log and the runs through wal and index. It does not know what events mean.
package store
