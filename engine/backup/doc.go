// Package backup keeps copies of a store in a bucket: snapshots whose files are named by their
// content, and the log between them. It restores a store as it was at a minute, and proves that
// it can.
//
// Read bucket.go first: it is what a bucket has to do. Packages beside this one implement it.
//
// # What is in a bucket
//
//	key.age         the key of the store, encrypted with the passphrase; missing = nothing is encrypted
//	lease.json      which server backs up
//	snap/TIME.json  the manifest of a snapshot: its files, and of which objects each consists
//	obj/HASH        content, named by its SHA-256, or by an HMAC of that if there is a key
//	log/CHAIN/…     the log between the snapshots, see chain.go and logobject.go
//	deletions/…     which events each deletion took, as engine/erase writes copies
//	orphans.json    since when objects are named by no manifest
//	verified.json   when objects were read back
//
// A manifest is written when all its objects are there, and only if there is none of its name.
// Objects never change. So a process that dies at any moment leaves the snapshots as they were.
//
// # Files
//
//	parts.go     the seams: the store, the log between snapshots, deletions
//	settings.go  what an operator sets, and what a backup needs
//	backup.go    the running backup: its loop and its retries
//	state.go     metrics, reasons for /healthz, the answer to who asks
//	lease.go     one server at a time writes to a place; servers that ignore conditions
//	upload.go    a snapshot on its way to the bucket
//	manifest.go  what a snapshot consists of
//	keep.go      which snapshots stay, and when objects go
//	vault.go     encryption
//	restore.go   a data directory made from a bucket
//	verify.go    objects read back, and restores to scratch
//
// and of the log:
//
//	logobject.go  the bytes of an object
//	chain.go      names, and where a store is in its chain of objects
//	ship.go       sends what is new; shipped.go says how far that is
//	logview.go    reads from the store what an object has
//	replay.go     puts the log into a restored store; taking.go one object of it
//	minutes.go    which moments can be restored; what goes; copies of deletions
package backup
