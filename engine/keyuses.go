// Last uses of keys: how they are kept. Which keys there are is not known here.

package engine

import (
	"fmt"

	"cairn/engine/query"
	"cairn/engine/records"

	"github.com/cockroachdb/pebble/v2"
)

// KeyUses returns when keys were last used, as far as the store knows.
func (e *Engine) KeyUses() ([]query.KeyUse, error) { return records.KeyUses(e.db) }

// KeepKeyUses writes when keys were last used, and forgets that of others. A crash may undo it.
func (e *Engine) KeepKeyUses(used, forget []query.KeyUse) error {
	if len(used)+len(forget) == 0 {
		return nil
	}
	e.inflight.Add(1)
	defer e.inflight.Done()
	if err := e.mayChange(); err != nil {
		return err
	}
	b := e.db.NewBatch()
	defer b.Close()
	for _, u := range used {
		if err := b.Set(records.KeyUseKey(&u), records.KeyUseRecord(&u), nil); err != nil {
			return fmt.Errorf("write the last use of a key: %w", err)
		}
	}
	for _, u := range forget {
		if err := b.Delete(records.KeyUseKey(&u), nil); err != nil {
			return fmt.Errorf("forget the last use of a key: %w", err)
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write the last use of a key: %w", noSpace(err))
	}
	return nil
}
