// Package backup keeps copies of a store in a bucket: snapshots whose files are named by their
// content, and the log between them. It restores a store as it was at a minute, and proves that
// it can.
//
// Read bucket.go first: it is what a bucket has to do.
package backup
