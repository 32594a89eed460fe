package identity

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine/event"

	"github.com/cockroachdb/pebble/v2"
)

// The memory of the table is bounded in bytes. This holds for entries that change and for
// entries that are only read.
func TestIDsInMemory(t *testing.T) {
	db := storeInMemory(t)
	ids := NewIDs(db, 64<<10)
	written := 0
	group := func() {
		if !ids.Due() {
			ids.Evict() // all but those that are not written
			return
		}
		b := db.NewBatch()
		if err := ids.Flush(b); err != nil {
			t.Fatal(err)
		}
		written = max(written, b.Len())
		if err := b.Commit(pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		ids.Evict()
	}
	most := 0
	for _, what := range []string{"new", "known"} {
		for seq := range uint64(5000) {
			site := uint32(1)
			if what == "new" {
				id := func(kind string) string { return fmt.Sprintf("%s%0244d", kind, seq) }
				alias := &event.Event{Dialect: event.Segment, Type: event.Alias, User: id("u"), Previous: id("p")}
				visit := &event.Event{Dialect: event.Native, Type: event.Track, Anonymous: alias.Previous}
				for i, e := range []*event.Event{alias, visit} {
					if _, err := ids.Assign(site, 2*seq+uint64(i)+1, e, new(Question), func(event.Dialect) string { return strings.Repeat("s", 32) }); err != nil {
						t.Fatal(err)
					}
				}
			} else if k, err := ids.get(site, KindUser, 0, fmt.Sprintf("u%0244d", seq)); err != nil || k == nil || k.ord != 2*seq+1 {
				t.Fatalf("user %d: %+v, %v", seq+1, k, err)
			}
			group()
			most = max(most, ids.held())
			sizes, dirty := 0, 0
			if seq%500 == 0 {
				for k := range ids.hot.all {
					if sizes += k.size(); k.dirty {
						dirty += k.size()
					}
				}
				if ids.bytes != sizes || ids.dirty != dirty {
					t.Fatalf("%d bytes are counted, %d of them changed; want %d and %d", ids.bytes, ids.dirty, sizes, dirty)
				}
			}
		}
		if most > 4*ids.max+2000 {
			t.Errorf("%s ids: %d bytes in memory, want at most %d", what, most, 4*ids.max)
		}
	}
	if written > ids.part+2000 {
		t.Errorf("%d bytes are written in one go, want at most %d", written, ids.part)
	}
}

// The memory of session owners is bounded in bytes: a long id evicts more than a short one.
func TestSessionOwnersAreBounded(t *testing.T) {
	const most = 20_000
	for _, length := range []int{1, 250} {
		o := NewSessionOwners(most)
		for n := range 2000 {
			first := &event.Event{User: strings.Repeat("u", length)}
			o.Put(1, 0, fmt.Sprintf("%0*d", length, n), first)
		}
		held := o.entries.Len() * ownerBytes(ownerKey{1, 0, strings.Repeat("0", length)}, Owner{User: strings.Repeat("u", length)})
		if held > 2*(most+1000) || held < most {
			t.Errorf("ids of %d bytes: %d bytes are held, want about %d", length, held, 2*most)
		}
		if _, ok := o.Get(1, 0, fmt.Sprintf("%0*d", length, 1999)); !ok {
			t.Error("the newest owner is forgotten")
		}
	}
}
