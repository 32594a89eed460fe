// Package store knows what lies in a data directory: the format version, the secret that
// public ids are made with, the tables that runs are read from, snapshots, and which file
// an error of damage is about.
//
// # Where what is
//
//	keys.go      the prefixes of all keys that are neither wal's nor index's
//	store.go     version, secret, incarnations; the look at a store before it is opened
//	publicid.go  public ids, which are cursors too
//	tables.go    keys of runs, read from their tables past Pebble's levels
//	snapshot.go  snapshots, and a data directory made from one
//	upgrade.go   what a start does with a store of an older version
//	damage.go    which file an error is about
//	tmp.go       temporary files
//
// It reads the log and the runs through wal and index, and knows nothing of what events
// mean.
package store
