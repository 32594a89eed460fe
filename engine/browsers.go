// Sessions of browsers: how they are kept. Who they are and when they end is not known here.

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Browsers returns the sessions of browsers that the store has.
func (e *Engine) Browsers() ([]query.BrowserSession, error) {
	all, damaged, err := records.Browsers(e.db)
	if damaged > 0 {
		e.log.Warn("records of browsers' sessions are damaged; these browsers have to log in again", "sessions", damaged)
	}
	return all, err
}

// KeepBrowser writes a session. It returns once it is on the disk, unless late allows that a
// crash forgets it.
func (e *Engine) KeepBrowser(s *query.BrowserSession, late bool) error {
	e.inflight.Add(1)
	defer e.inflight.Done()
	if err := e.mayChange(); err != nil {
		return err
	}
	how := pebble.Sync
	if late {
		how = pebble.NoSync
	}
	if err := e.db.Set(records.BrowserKey(s.ID), records.BrowserRecord(s), how); err != nil {
		return fmt.Errorf("write a browser's session: %w", noSpace(err))
	}
	return nil
}

// ForgetBrowsers removes sessions, and returns once that is on the disk. It also works on a disk
// that is full for events: the few bytes are within the reserve.
func (e *Engine) ForgetBrowsers(ids ...[32]byte) error {
	e.inflight.Add(1)
	defer e.inflight.Done()
	if err := e.mayChange(); err != nil && (e.opts.ReadOnly || !errors.Is(err, query.ErrDiskFull)) {
		return err
	}
	b := e.db.NewBatch()
	defer b.Close()
	for _, id := range ids {
		if err := b.Delete(records.BrowserKey(id), nil); err != nil {
			return fmt.Errorf("remove a browser's session: %w", err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("remove a browser's session: %w", noSpace(err))
	}
	return nil
}

// StoreName is a name for this store, 6 hex digits, that tells nothing about it. A restore and a
// repair make another one.
func (e *Engine) StoreName() string { return e.name }

// nameOf is the StoreName of a store with these records.
func nameOf(r *store.Records) string {
	sum := sha256.Sum256(append([]byte("name "+r.Life()), r.Key...))
	return hex.EncodeToString(sum[:3])
}
