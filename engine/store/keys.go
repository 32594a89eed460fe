// Keys of the engine's own state. Other packages: wal 0x10–0x11, index 0x20 and
// 0x50, above all others. A test checks that the prefixes are disjoint. Integers are big
// endian.
//
//	0x01 | name                    the store's own records: "version", "secret", "incarnations",
//	                               "run", "names", "lost", "window"
//	0x01 | "zone" | site u32       the name of the time zone of the site's days
//	0x40 | site u32 | kind | id    what is known about an id (identity/ids.go)
//	0x41 | site u32                the seq up to which 0x40 is written
//	0x42 | site u32 | seq u64      links: persons that are one person (identity/links.go)
//	0x43 | site u32 | seq u64      heartbeats of a visit, by its first event (identity/heartbeats.go)
//	0x44 | site u32 | id | piece   deletions (engine/erase)
//	0x45 | site u32 | id 8 bytes   saved things: filters, goals, shares … (engine/records)
//	0x46 | SHA-256                 sessions of browsers (engine/records)
//	0x47 | site u32 | SHA-256      last uses of keys (engine/records)
//	0x48 | site u32 | name         notes about a site (engine/records)
//	0x49 | site u32 | name         cursors of sinks (engine/records)
//	0x4a | (site u32)              how far the log is in a bucket (engine/backup)

package store

import "encoding/binary"

// The first byte of each key.
const (
	Prefix           = 0x01
	PrefixID         = 0x40
	PrefixIDsUpTo    = 0x41
	PrefixLink       = 0x42
	PrefixHeartbeats = 0x43
	PrefixDeletions  = 0x44
	PrefixSaved      = 0x45
	PrefixBrowsers   = 0x46
	PrefixKeyUses    = 0x47
	PrefixNotes      = 0x48
	PrefixSinks      = 0x49
	PrefixShipped    = 0x4a
)

// Key is the key of one of the store's own records.
func Key(name string) []byte { return append([]byte{Prefix}, name...) }

// ZoneKey is the key of the name of the zone of a site's days.
func ZoneKey(site uint32) []byte { return binary.BigEndian.AppendUint32(Key("zone"), site) }

// SiteKey is the beginning of all keys of a site with a prefix.
func SiteKey(prefix byte, site uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, site)
}

// IDsUpToKey is the key of the seq up to which a site's ids are written.
func IDsUpToKey(site uint32) []byte { return SiteKey(PrefixIDsUpTo, site) }

// NoteKey is the key of a note about a site.
func NoteKey(site uint32, name string) []byte {
	return append(SiteKey(PrefixNotes, site), name...)
}

// LinkKey is the key of the links that the event at seq made.
func LinkKey(site uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(SiteKey(PrefixLink, site), seq)
}
