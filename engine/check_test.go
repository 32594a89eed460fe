package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cairn/engine/check"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A check finds a changed id, a missing id, an invented one, a missing link and an invented
// link, and it finds nothing in a good store. With little memory it reads rows several times
// and keeps ids in a temporary directory, and finds the same.
func TestCheckFindsChanges(t *testing.T) {
	golden := readFiles(t, vfs.Default, goldenStore(3)) // without deletions; TestCheckOfForgottenIDs has some
	change := map[string]func(db *pebble.DB) error{
		"": nil,
		"its stored entry differs": func(db *pebble.DB) error {
			key, value := firstKey(t, db, store.PrefixID)
			return db.Set(key, append(value, 0), pebble.Sync)
		},
		"ids are stored, but the events have": func(db *pebble.DB) error {
			key, _ := firstKey(t, db, store.PrefixID)
			return db.Delete(key, pebble.Sync)
		},
		"is stored, but no event has it": func(db *pebble.DB) error {
			key, value := firstKey(t, db, store.PrefixID)
			return db.Set(append(key, 'x'), value, pebble.Sync)
		},
		"is missing": func(db *pebble.DB) error {
			key, _ := firstKey(t, db, store.PrefixLink)
			return db.Delete(key, pebble.Sync)
		},
		"should not be stored": func(db *pebble.DB) error {
			return db.Set(store.LinkKey(1, 2), make([]byte, 16), pebble.Sync)
		},
	}
	for want, change := range change {
		fs := golden.mem(t)
		if change != nil {
			db, err := pebble.Open(store.Dir(fs, "data"), &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: quiet{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := change(db); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var first []string
		for _, memory := range []int64{0, 64 << 10} {
			rows := uint64(0)
			report, err := check.With(context.Background(), check.Options{Dir: "data", FS: fs, Memory: memory, Progress: func(done, of uint64) {
				if rows = done; done > of {
					t.Errorf("%d of %d rows", done, of)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if rows != report.Events-report.Unsealed {
				t.Errorf("%q: %d rows are reported, %d are in runs", want, rows, report.Events-report.Unsealed)
			}
			if want == "" && len(report.Problems) > 0 || want != "" && !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, want) }) {
				t.Errorf("memory %d, %q: %q", memory, want, report.Problems)
			}
			if first == nil {
				first = append([]string{}, report.Problems...)
			} else if !slices.Equal(first, report.Problems) {
				t.Errorf("%q: with little memory the problems are\n%q, otherwise\n%q", want, report.Problems, first)
			}
		}
	}
}

// firstKey returns the first key with a prefix and its value.
func firstKey(t *testing.T, db *pebble.DB, prefix byte) (key, value []byte) {
	t.Helper()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil || !it.First() {
		t.Fatal(fmt.Errorf("no key with prefix %x: %w", prefix, err))
	}
	defer it.Close()
	return slices.Clone(it.Key()), slices.Clone(it.Value())
}
