// Saved things: how they are read and changed. Each change is synced before it is answered.

package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/query"
	"cairn/engine/records"

	"github.com/cockroachdb/pebble/v2"
)

// Saved returns the saved thing of a site with an id, or query.ErrNotFound.
func (e *Engine) Saved(_ context.Context, site *query.Site, id string) (query.Saved, error) {
	return records.Saved(e.db, site.ID, id)
}

// AllSaved returns the saved things of a site, by kind and name.
func (e *Engine) AllSaved(_ context.Context, site *query.Site) ([]query.Saved, error) {
	all, err := records.AllSaved(e.db, site.ID)
	slices.SortFunc(all, func(a, b query.Saved) int {
		return cmp.Or(slices.Index(query.SavedKinds, a.Kind)-slices.Index(query.SavedKinds, b.Kind),
			strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return all, err
}

// Save writes a saved thing of a site and returns it as it is now. Without an ID it is a new one.
// With an ID it takes the place of the one with that id, of the same kind and with the same
// Revision; else it is query.ErrConflict. A share keeps its token.
func (e *Engine) Save(_ context.Context, site *query.Site, s query.Saved) (query.Saved, error) {
	defer e.changeSaved()()
	if err := e.mayChange(); err != nil {
		return s, err
	}
	if s.ID == "" {
		if err := e.newSaved(site, &s); err != nil {
			return s, err
		}
	} else {
		old, err := records.Saved(e.db, site.ID, s.ID)
		switch {
		case err != nil:
			return s, err
		case old.Kind != s.Kind:
			return s, query.Bad("kind", "it is a %s and stays one", old.Kind)
		case old.Revision != s.Revision:
			return s, fmt.Errorf("%w: it was changed meanwhile and has revision %d", query.ErrConflict, old.Revision)
		}
		if s.Share != nil {
			share := *s.Share
			share.Token = old.Share.Token
			s.Share = &share
		}
	}
	if s.Share != nil && s.Share.Filter != "" {
		filter, err := records.Saved(e.db, site.ID, s.Share.Filter)
		if errors.Is(err, query.ErrNotFound) || err == nil && filter.Kind != query.SavedFilter {
			return s, query.Bad("filter", "there is no such saved filter")
		}
		if err != nil {
			return s, err
		}
	}
	s.Revision++
	value, err := records.AppendSaved(nil, &s)
	if err != nil {
		return s, err
	}
	if len(value) > query.SavedBytesMax {
		return s, fmt.Errorf("%w: at most %d bytes", query.ErrBadQuery, query.SavedBytesMax)
	}
	key, _ := records.SavedKey(site.ID, s.ID)
	if err := e.db.Set(key, value, pebble.Sync); err != nil {
		return s, fmt.Errorf("save: %w", noSpace(err))
	}
	e.noteShare(site.ID, &s, true)
	return s, nil
}

// newSaved gives a new saved thing its id.
func (e *Engine) newSaved(site *query.Site, s *query.Saved) error {
	n := 0
	if err := records.EachSaved(e.db, site.ID, func(_, _ []byte) error {
		n++
		return nil
	}); err != nil {
		return err
	}
	if n >= query.SavedMax {
		return fmt.Errorf("%w: a site has at most %d saved things", query.ErrBadQuery, query.SavedMax)
	}
	var id [8]byte
	_, _ = rand.Read(id[:])
	s.ID, s.Revision = hex.EncodeToString(id[:]), 0
	return nil
}

// Unsave removes the saved thing of a site with an id. A filter that a share needs stays: without
// it the share would show more. That is query.ErrConflict.
func (e *Engine) Unsave(_ context.Context, site *query.Site, id string) error {
	defer e.changeSaved()()
	if err := e.mayChange(); err != nil {
		return err
	}
	s, err := records.Saved(e.db, site.ID, id)
	if err != nil {
		return err
	}
	if s.Kind == query.SavedFilter {
		all, err := records.AllSaved(e.db, site.ID)
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.Share != nil && o.Share.Filter == id {
				return fmt.Errorf("%w: the share %s has this filter", query.ErrConflict, o.ID)
			}
		}
	}
	key, _ := records.SavedKey(site.ID, id)
	if err := e.db.Delete(key, pebble.Sync); err != nil {
		return fmt.Errorf("remove a saved thing: %w", noSpace(err))
	}
	e.noteShare(site.ID, &s, false)
	return nil
}

// changeSaved begins a change of saved things, and returns what to call at its end. Close waits
// for it, and tick copies the records to the spare files afterwards.
func (e *Engine) changeSaved() (end func()) {
	e.inflight.Add(1)
	e.saving.Lock()
	return func() {
		e.savedChanges.Add(1)
		e.saving.Unlock()
		e.inflight.Done()
	}
}

// mayChange is Admit for a change that does not go through the queue.
func (e *Engine) mayChange() error {
	if err := e.Admit(); err != nil && !errors.Is(err, query.ErrBusy) {
		return err
	}
	return nil
}
