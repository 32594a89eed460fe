package records

import (
	"slices"
	"testing"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func openDB(t *testing.T) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func starts(t *testing.T, db pebble.Reader, version byte, site uint32, want ...uint64) []uint64 {
	t.Helper()
	got, err := RuleStarts(db, version, site)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("site %d at version %d: %v, %v; want %v", site, version, got, err, want)
	}
	return got
}

// The second edition applies to no row of a store of version 2, to the rows after the rise to
// version 3, and to all rows of a site that is newer.
func TestRuleStarts(t *testing.T) {
	db := openDB(t)
	before := starts(t, db, 2, 7, 1, Never)
	b := db.NewBatch()
	if err := PutRuleStarts(b, 7, before, 101); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
	noted := starts(t, db, 3, 7, 1, 101)
	starts(t, db, 3, 8, 1, 1)
	// A note that is written again keeps the starts that it has.
	b = db.NewBatch()
	if err := PutRuleStarts(b, 7, noted, 500); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
	starts(t, db, 3, 7, 1, 101)
}

func TestDamagedRuleStarts(t *testing.T) {
	db := openDB(t)
	for _, note := range []string{"1234567", "123456789", "1234567812345678"} {
		if err := db.Set(store.NoteKey(7, rulesNote), []byte(note), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if got, err := RuleStarts(db, 3, 7); err == nil {
			t.Errorf("%q: %v", note, got)
		}
	}
}
