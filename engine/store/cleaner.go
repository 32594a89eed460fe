// Cleaner: how Pebble removes files.

package store

import "github.com/cockroachdb/pebble/v2"

// Cleaner removes Pebble's files that are not needed any more, and never lets Pebble write a log
// file into an old one. Pebble would do so without clearing it, and a dead log file, or the end
// of a live one, would still have deleted events. Pebble does not do so with a cleaner that
// needs what is in the files, such as pebble.ArchiveCleaner. Of that one Cleaner has nothing but
// this property, because the methods of DeleteCleaner are one level further up.
type Cleaner struct {
	pebble.DeleteCleaner
	archive
}

type archive struct{ pebble.ArchiveCleaner }

var _ pebble.Cleaner = Cleaner{}
