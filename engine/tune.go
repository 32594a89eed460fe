// What changes while an Engine runs: its sites, which Options.Sites gives, and a few options.

package engine

import (
	"time"

	"cairn/engine/store"
)

// Tuning is the part of Options that can change while the engine runs.
type Tuning struct {
	Purge          time.Duration // as in Options; holds for deletions that come later
	DeletionCopies string        // as in Options; copies that were made stay where they are
}

// Tune replaces what a Tuning has. Zero fields take the defaults of Options.
func (e *Engine) Tune(t Tuning) {
	if t.Purge == 0 {
		t.Purge = purgeDefault
	}
	e.tuning.Store(&t)
}

// SitesKnown returns the names that the store knows, of sites that are no longer there too, and the
// ids that have events. None of these ids may become another site's.
func (e *Engine) SitesKnown() (store.Names, []uint32, error) {
	names, err := store.ReadNames(e.db)
	if err != nil {
		e.corrupted(err)
		return names, nil, err
	}
	var used []uint32
	for id, n := range e.Events() {
		if n > 0 {
			used = append(used, id)
		}
	}
	return names, used, nil
}

// NoteSites notes in the store the names, ids and zones of the sites of Options.Sites. It is called
// after these have changed, by one goroutine at a time. After an error the next start notes them.
func (e *Engine) NoteSites() error {
	if e.opts.ReadOnly {
		return nil
	}
	names, err := store.ReadNames(e.db)
	if err == nil {
		err = e.noteNames(names)
	}
	if err == nil {
		err = e.noteZones()
	}
	return err
}
