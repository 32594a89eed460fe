// Names: which site has which id, as the store knows it. keys.toml says so too, but it can be
// lost or edited, and then one site's key must not read the events of another.

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Names are the names of sites that the store has seen. The zero Names is that of a store
// which has not noted any, such as one of an older cairn.
type Names struct {
	IDs  map[string]uint32 // by name; an id has one name
	Keys bool              // keys.toml has had a checksum since
}

// Of returns the name of an id, "" when it has none.
func (n Names) Of(id uint32) string {
	for name, has := range n.IDs {
		if has == id {
			return name
		}
	}
	return ""
}

// With returns the names after a site has got the id. The id loses its former name.
func (n Names) With(name string, id uint32) Names {
	ids := maps.Clone(n.IDs)
	if ids == nil {
		ids = make(map[string]uint32)
	}
	maps.DeleteFunc(ids, func(_ string, has uint32) bool { return has == id })
	ids[name] = id
	return Names{IDs: ids, Keys: n.Keys}
}

// Same reports whether two Names say the same.
func (n Names) Same(o Names) bool { return n.Keys == o.Keys && maps.Equal(n.IDs, o.IDs) }

// append appends the stored form: version 1, flags (bit 0: Keys), then for each name, sorted,
// its id u32, its length u8 and the name. Integers are little endian.
func (n Names) append(b []byte) []byte {
	b = append(b, 1, 0)
	if n.Keys {
		b[len(b)-1] = 1
	}
	for _, name := range slices.Sorted(maps.Keys(n.IDs)) {
		b = binary.LittleEndian.AppendUint32(b, n.IDs[name])
		b = append(append(b, byte(len(name))), name...)
	}
	return b
}

// ReadNames reads the names of a store.
func ReadNames(r pebble.Reader) (Names, error) {
	b, err := Get(r, NamesKey)
	if err != nil {
		return Names{}, err
	}
	return ParseNames(b)
}

// NamesKey is the key under which a store has its Names.
var NamesKey = Key("names")

// ParseNames reads the stored form. nil stands for none.
func ParseNames(b []byte) (Names, error) {
	if b == nil {
		return Names{}, nil
	}
	bad := DamagedFile("the names of the sites", errors.New("their record cannot be read"))
	if len(b) < 2 || b[0] != 1 {
		return Names{}, bad
	}
	n := Names{IDs: make(map[string]uint32), Keys: b[1]&1 != 0}
	for b = b[2:]; len(b) > 0; {
		if len(b) < 5 || len(b) < 5+int(b[4]) {
			return Names{}, bad
		}
		n.IDs[string(b[5:5+int(b[4])])] = binary.LittleEndian.Uint32(b)
		b = b[5+int(b[4]):]
	}
	return n, nil
}

// Write writes the names to a store and syncs them. A name has at most 255 bytes.
func (n Names) Write(db *pebble.DB) error {
	for name := range n.IDs {
		if len(name) > 255 {
			return fmt.Errorf("note the names of the sites: %q is too long", name)
		}
	}
	if err := db.Set(NamesKey, n.append(nil), pebble.Sync); err != nil {
		return fmt.Errorf("note the names of the sites: %w", err)
	}
	return nil
}
