// Sessions of browsers at the dashboard. A restore and a repair end all of them, because
// store.BeginIncarnation removes them: a session that has ended since a snapshot must not come
// back.

package records

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// A record of a session is, in big endian:
//
//	version u8 | digest of the key, 32 bytes | right u8 | site u32 | begin i64 | used i64
//
// Its key is the prefix and the 32 bytes of the session's ID.
const (
	browserVersion = 1
	browserBytes   = 1 + 32 + 1 + 4 + 8 + 8
)

// BrowserKey is the key of the session with an ID.
func BrowserKey(id [32]byte) []byte { return append([]byte{store.PrefixBrowsers}, id[:]...) }

// BrowserRecord is the record of a session.
func BrowserRecord(s *query.BrowserSession) []byte {
	b := append(make([]byte, 0, browserBytes), browserVersion)
	b = append(append(b, s.Key[:]...), s.Right)
	b = binary.BigEndian.AppendUint32(b, s.Site)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Begin))
	return binary.BigEndian.AppendUint64(b, uint64(s.Used))
}

// ParseBrowser reads the record of a session. The error of bytes that are none says so.
func ParseBrowser(key, value []byte) (s query.BrowserSession, err error) {
	if len(key) != 1+len(s.ID) || len(value) != browserBytes || value[0] != browserVersion {
		return s, errors.New("damaged record of a browser's session")
	}
	copy(s.ID[:], key[1:])
	copy(s.Key[:], value[1:])
	s.Right = value[33]
	s.Site = binary.BigEndian.Uint32(value[34:])
	s.Begin = int64(binary.BigEndian.Uint64(value[38:]))
	s.Used = int64(binary.BigEndian.Uint64(value[46:]))
	return s, nil
}

// Browsers returns all sessions. One whose record is damaged is as one that has ended; damaged
// says how many.
func Browsers(db pebble.Reader) (all []query.BrowserSession, damaged int, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixBrowsers}, UpperBound: []byte{store.PrefixBrowsers + 1}})
	if err != nil {
		return nil, 0, fmt.Errorf("read sessions of browsers: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if s, err := ParseBrowser(it.Key(), it.Value()); err == nil {
			all = append(all, s)
		} else {
			damaged++
		}
	}
	return all, damaged, it.Close()
}
