// Last uses of keys: the day, so that an operator sees which key nobody uses any more. They are no
// part of the configuration, and a lost one harms nobody.

package records

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// A record of a last use is, in big endian:
//
//	version u8 | day i32
//
// Its key is the prefix, the site and the 32 bytes of the SHA-256 of the key.
const (
	keyUseVersion = 1
	keyUseBytes   = 1 + 4
)

// KeyUseKey is the key of the last use of a key.
func KeyUseKey(u *query.KeyUse) []byte {
	return append(store.SiteKey(store.PrefixKeyUses, u.Site), u.Key[:]...)
}

// KeyUseRecord is the record of a last use.
func KeyUseRecord(u *query.KeyUse) []byte {
	return binary.BigEndian.AppendUint32([]byte{keyUseVersion}, uint32(u.Day))
}

// ParseKeyUse reads the record of a last use. The error of bytes that are none says so.
func ParseKeyUse(key, value []byte) (u query.KeyUse, err error) {
	if len(key) != 1+4+len(u.Key) || len(value) != keyUseBytes || value[0] != keyUseVersion {
		return u, errors.New("damaged record of the last use of a key")
	}
	u.Site = binary.BigEndian.Uint32(key[1:])
	copy(u.Key[:], key[5:])
	u.Day = int32(binary.BigEndian.Uint32(value[1:]))
	return u, nil
}

// KeyUses returns all last uses. A damaged one is passed over.
func KeyUses(db pebble.Reader) (all []query.KeyUse, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixKeyUses}, UpperBound: []byte{store.PrefixKeyUses + 1}})
	if err != nil {
		return nil, fmt.Errorf("read the last uses of keys: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if u, err := ParseKeyUse(it.Key(), it.Value()); err == nil {
			all = append(all, u)
		}
	}
	return all, it.Close()
}
