// Package dir is a bucket in a directory: a disk of its own, or a mounted share.
//
// An object is a file of the same name. It is written aside, synced and renamed, so a crash leaves
// the old object or the new one. Names that begin with a dot are this package's own: they are no
// objects.
package dir
