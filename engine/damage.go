// Damage that is found while the store is open fails only the requests that need the
// damaged data. The operator sees it in /healthz, the log and the metrics.

package engine

import (
	"slices"
	"sync"

	"cairn/engine/query"
	"cairn/engine/store"
)

// damage remembers what was found damaged since the store was opened.
type damage struct {
	mu    sync.Mutex
	count uint64
	files []string // the first damagedMax of them
}

const damagedMax = 16

// note counts a damaged place and reports whether its file is new in the list.
func (d *damage) note(file string) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if slices.Contains(d.files, file) || len(d.files) == damagedMax {
		return false
	}
	d.files = append(d.files, file)
	return true
}

// snapshot returns the count and the files.
func (d *damage) snapshot() (count uint64, files []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count, slices.Clone(d.files)
}

// Damaged returns the damage that an error of an Engine's method reports, nil when it reports
// none. It also knows Pebble's errors, which reads return as they are.
func Damaged(err error) *query.Damage { return store.Damaged(err) }

// NoteDamage takes the error of any call. If it tells of damage, Stats has its file from then
// on, whatever layer has met it.
func (e *Engine) NoteDamage(err error) { e.corrupted(err) }

// corrupted notes damage that a read, or Pebble in the background, has found. Other errors
// and nil are ignored.
func (e *Engine) corrupted(err error) {
	c := store.Damaged(err)
	if c == nil {
		return
	}
	if e.damage.note(c.File) {
		e.log.Error("store: damaged data; see \"When data is damaged\" in docs/server.md", "file", c.File, "error", err)
	}
}
