// Keys of the engine's own state. Other rooms: wal 0x10–0x11, index 0x20 and
// 0x50, above all others; a test holds the prefixes apart.
//
//	0x01 | name                    store: "version", "secret", "incarnations", "run"
//	0x40 | site u32 | kind | id    what is known of an id (ids.go)
//	0x41 | site u32                seq up to which 0x40 is written
//	0x42 | site u32 | seq u64      two persons found to be one (links.go)
//	0x43 | site u32 | seq u64      what pings said of a visit, by its first event (pings.go)

package engine

import "encoding/binary"

const (
	prefixStore   = 0x01
	prefixID      = 0x40
	prefixIDsUpTo = 0x41
	prefixLink    = 0x42
	prefixPing    = 0x43
)

func storeKey(name string) []byte { return append([]byte{prefixStore}, name...) }

func siteKey(prefix byte, site uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, site)
}

func idsUpToKey(site uint32) []byte { return siteKey(prefixIDsUpTo, site) }

func linkKey(site uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(siteKey(prefixLink, site), seq)
}
