// Saved things: which of them a repair keeps.

package repair

import (
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/store"
)

// savedBefore reports whether a copy of a saved thing may take the place of one that cannot be
// read. A copy may be a second older than the store. So it may be of a share that was revoked
// since, and a share that is lost can be made again: shares are not taken from copies.
func savedBefore(key, value []byte) bool {
	s, err := records.ParseSaved(key, value)
	return err == nil && s.Kind != query.SavedShare
}

// badSaved leaves out saved things that cannot be read, and returns their keys.
func (r *repairer) badSaved() map[string]bool {
	bad := make(map[string]bool)
	for key, value := range r.own {
		if key[0] != store.PrefixSaved {
			continue
		}
		if _, err := records.ParseSaved([]byte(key), value); err != nil {
			bad[key] = true
			delete(r.own, key)
			r.damage("%v", err)
		}
	}
	return bad
}
