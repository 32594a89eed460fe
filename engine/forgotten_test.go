// The check of a store of which events were purged finds ids that should be forgotten, and ids
// that are missing.

package engine_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"cairn/engine/check"
	"cairn/engine/event"
	table "cairn/engine/identity"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

func TestCheckOfForgottenIDs(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	a.send(native("a", "u", "s"), native("b", "v", "t"), native("b", "v", "t"), native("c", "w", ""), native("d", "", ""))
	a.delete(2, 3)
	a.purge()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	key := func(kind byte, id string) []byte {
		return append(append(store.SiteKey(store.PrefixID, 1), kind), id...)
	}
	entry := func(db *pebble.DB, kind byte, id string) []byte {
		v, err := store.Get(db, key(kind, id))
		if err != nil || v == nil {
			t.Fatalf("the entry of %s: %v, %v", id, v, err)
		}
		return v
	}
	good := readFiles(t, a.fs, "data")
	for _, c := range []struct {
		name  string
		harm  func(db *pebble.DB, b *pebble.Batch) error
		words string
	}{
		{"a user stays", func(db *pebble.DB, b *pebble.Batch) error {
			return b.Set(key(table.KindUser, "v"), entry(db, table.KindUser, "u"), nil)
		}, `id "uv" is stored, but no event has it`},
		{"an anonymous id stays", func(db *pebble.DB, b *pebble.Batch) error {
			return b.Set(key(table.KindAnonymous, "b"), entry(db, table.KindAnonymous, "d"), nil)
		}, `id "ab" is stored, but no event has it`},
		{"a user is missing", func(_ *pebble.DB, b *pebble.Batch) error { return b.Delete(key(table.KindUser, "w"), nil) }, `id "uw" of event 4 is not stored`},
		{"an id has another's ordinal", func(db *pebble.DB, b *pebble.Batch) error {
			return b.Set(key(table.KindUser, "u"), entry(db, table.KindUser, "w"), nil)
		}, `id "uu": it is that of event 4, but event 1 was the first to have it`},
		{"links of nobody", func(_ *pebble.DB, b *pebble.Batch) error {
			return table.PutLinks(b, 1, 3, []table.Link{{A: 2, B: 3}})
		}, "nobody is left of the person"},
		{"heartbeats of a visit that is gone", func(_ *pebble.DB, b *pebble.Batch) error {
			return b.Set(table.HeartbeatsKey(1, 2), binary.AppendVarint(nil, 1), nil)
		}, "heartbeats of event 2, which begins no visit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := good.mem(t)
			db, err := store.OpenPebble(store.Dir(fs, "data"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
			if err != nil {
				t.Fatal(err)
			}
			b := db.NewBatch()
			if err := c.harm(db, b); err != nil {
				t.Fatal(err)
			}
			if err := b.Commit(pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			report, err := check.Store(t.Context(), fs, "data")
			if err != nil || !strings.Contains(strings.Join(report.Problems, "\n"), c.words) {
				t.Errorf("check: %q, %v; want %q", report.Problems, err, c.words)
			}
		})
	}
}

// Ids that do not fit in memory are compared as well.
func TestCheckOfManyForgottenIDs(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	a.send(native("a", "u", "s"), native("b", "v", "t"), native("c", "w", ""), native("", "u", ""))
	a.delete(2)
	a.purge()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := check.With(t.Context(), check.Options{FS: a.fs, Dir: "data", Memory: 1024})
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %q, %v", report.Problems, err)
	}
}

// An id that an alias names is one of both kinds. While one of them is left, the other is not given
// to somebody else.
func TestPurgedAlias(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	alias := native("", "w", "")
	alias.Event.Type, alias.Event.Previous = event.Alias, "x"
	a.send(alias, native("x", "", ""))
	a.delete(1)
	a.purge()
	before := a.answers()
	a.send(native("", "x", "")) // now as a user
	u, err := a.User(t.Context(), &a.site.Site, "x")
	if err != nil || u.Events != 2 {
		t.Errorf("the person is %+v, %v; before: %q", u, err, before)
	}
	a.delete(3)
	a.clock.set(a.clock.now().Add(time.Minute))
	a.purge()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// Links of one person lie at several events. When the last ordinal goes, all of them go.
func TestPurgedLinks(t *testing.T) {
	t.Parallel()
	a := newAnchored(t)
	a.send(native("a", "", ""), native("a", "u", ""), native("b", "", ""), native("b", "u", ""), native("", "u", ""))
	a.delete(1, 2)
	a.purge()
	a.delete(3, 4)
	a.purge()
	a.delete(5)
	a.purge() // checks
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenPebble(store.Dir(a.fs, "data"), store.ReadOnlyOptions(a.fs))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := table.ScanLinks(db, 1, func(seq uint64, l table.Link) bool {
		t.Errorf("the link %d-%d of event %d is left", l.A, l.B, seq)
		return true
	}); err != nil {
		t.Fatal(err)
	}
}
