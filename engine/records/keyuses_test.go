package records

import (
	"slices"
	"testing"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// What is written is read, by site and key; what is damaged is passed over.
func TestKeyUses(t *testing.T) {
	db := openDB(t)
	want := []query.KeyUse{{Day: 20_000}, {Site: 1, Key: [32]byte{1}, Day: 1}, {Site: 1, Key: [32]byte{2}, Day: -1}, {Site: 1 << 31, Key: [32]byte{1}, Day: 1 << 30}}
	for _, u := range want {
		if err := db.Set(KeyUseKey(&u), KeyUseRecord(&u), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range [][2]string{{"", ""}, {"1234", "12345"}, {"123456789012345678901234567890123456", "\x021234"}, {"123456789012345678901234567890123456", "\x01123"}} {
		if err := db.Set(append([]byte{store.PrefixKeyUses}, bad[0]...), []byte(bad[1]), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := KeyUses(db); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func FuzzKeyUse(f *testing.F) {
	u := query.KeyUse{Site: 7, Key: [32]byte{9}, Day: 20_000}
	f.Add(KeyUseKey(&u), KeyUseRecord(&u))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		u, err := ParseKeyUse(key, value)
		if err == nil && (string(KeyUseKey(&u)[1:]) != string(key[1:]) || string(KeyUseRecord(&u)) != string(value)) {
			t.Errorf("%x %x: %+v", key, value, u)
		}
	})
}
