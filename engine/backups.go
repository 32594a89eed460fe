// What a backup needs of the running store. Engine implements backup.Store.

package engine

import (
	"fmt"

	"cairn/engine/backup"
	"cairn/engine/query"
)

var _ backup.Store = (*Engine)(nil)

// FlushLog implements backup.Store. A snapshot copies the live log whole, so after a flush it is
// smaller by the events that are then in tables.
func (e *Engine) FlushLog(most int64) error {
	if e.failure() != nil {
		return query.ErrFailed
	}
	if e.opts.ReadOnly || e.disk.Full() || int64(e.db.Metrics().WAL.Size) <= most {
		return nil
	}
	done, err := e.db.AsyncFlush()
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	select {
	case <-done:
	case <-e.failed:
		return query.ErrFailed
	}
	return nil
}

// Acknowledged implements backup.Store.
func (e *Engine) Acknowledged() uint64 { return e.total() }

// Line implements backup.Store.
func (e *Engine) Line() string { return e.public.Line() }

// Incarnation implements backup.Store.
func (e *Engine) Incarnation() string { return e.public.Incarnation() }
