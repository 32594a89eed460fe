// The MANIFEST of a store after a purge: it has no bounds of tables that are gone.

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// newManifest waits until no MANIFEST of before is left. Pebble keeps the last but one, and begins
// another when it has noted more changes than there are tables, so tables are made until it does.
// Other purges leave that to the writes to come.
func (m *merger) newManifest(ctx context.Context, site uint32) (bool, error) {
	const most, tables = 100_000, 32
	key := append(store.SiteKey(store.PrefixDeletions, site), 0) // no key of the store
	before, err := m.manifests(store.Dir(m.e.opts.FS, m.e.opts.Dir))
	if err != nil {
		return false, err
	}
	outdated := func(name string) bool { return slices.Contains(before, name) }
	for n := range most {
		b := m.e.db.NewBatch()
		err := b.Delete(key, nil)
		if err == nil {
			err = b.Commit(pebble.NoSync)
		}
		if err = errors.Join(err, b.Close()); err == nil {
			err = m.e.db.Flush()
		}
		if err == nil && n%tables == tables-1 { // else they would pile up and hold up writes
			err = m.e.db.Compact(ctx, key, append(slices.Clone(key), 0), false)
		}
		if err != nil && m.stopping() {
			return false, errMergeStopped
		}
		if err != nil {
			return false, fmt.Errorf("begin another MANIFEST: %w", err)
		}
		now, err := m.manifests(store.Dir(m.e.opts.FS, m.e.opts.Dir))
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(now, outdated) {
			m.e.note(true) // the spare files have a copy
			copies, err := m.manifests(m.e.opts.FS.PathJoin(m.e.opts.Dir, store.SpareName))
			return !slices.ContainsFunc(copies, outdated), err
		}
		if m.stopping() {
			return false, errMergeStopped
		}
	}
	return false, nil
}

// manifests returns the names of all MANIFESTs in a directory.
func (m *merger) manifests(dir string) ([]string, error) {
	all, err := m.e.opts.FS.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list MANIFESTs: %w", err)
	}
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, "MANIFEST-") }), nil
}
