// Which share has a token. The shares of all sites are few, and a list of their tokens is in
// memory, so that a wrong token costs no read.

package engine

import (
	"context"
	"crypto/subtle"

	"cairn/engine/query"
	"cairn/engine/records"
)

// shareAt says where a share is.
type shareAt struct {
	site uint32
	id   string
}

// ShareOf returns the share whose token has a SHA-256, and the ID of its site; query.ErrNotFound
// when there is none. The share may be over by its time.
func (e *Engine) ShareOf(_ context.Context, token [32]byte) (site uint32, s query.Saved, err error) {
	at, err := e.shareAt(token)
	if err != nil {
		return 0, s, err
	}
	if s, err = records.Saved(e.db, at.site, at.id); err != nil {
		return 0, s, err
	}
	if s.Share == nil || subtle.ConstantTimeCompare(s.Share.Token[:], token[:]) != 1 {
		return 0, query.Saved{}, query.ErrNotFound
	}
	return at.site, s, nil
}

// shareAt finds a share in the list, which it makes when it is asked for first.
func (e *Engine) shareAt(token [32]byte) (shareAt, error) {
	e.saving.Lock()
	defer e.saving.Unlock()
	if e.shares == nil {
		shares := map[[32]byte]shareAt{}
		err := records.EachSavedOfAll(e.db, func(site uint32, key, value []byte) error {
			if s, err := records.ParseSaved(key, value); err == nil && s.Share != nil { // check tells of damaged ones
				shares[s.Share.Token] = shareAt{site, s.ID}
			}
			return nil
		})
		if err != nil {
			return shareAt{}, err
		}
		e.shares = shares
	}
	at, ok := e.shares[token]
	if !ok {
		return at, query.ErrNotFound
	}
	return at, nil
}

// noteShare adds a share to the list, or takes it off. The caller holds saving.
func (e *Engine) noteShare(site uint32, s *query.Saved, there bool) {
	switch {
	case s.Share == nil || e.shares == nil:
	case there:
		e.shares[s.Share.Token] = shareAt{site, s.ID}
	default:
		delete(e.shares, s.Share.Token)
	}
}
