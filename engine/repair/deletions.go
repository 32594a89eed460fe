// Deletions: what was deleted stays so in a repaired store.

package repair

import (
	"encoding/binary"
	"slices"

	"cairn/engine/erase"
	"cairn/engine/query"
	"cairn/engine/store"
)

// headBytes is the length of the key of the piece of a deletion that says what it is.
const headBytes = 1 + 4 + 8 + 2

// deletions leaves out deletions that cannot be read. Of these it takes the copy, which may be a
// little older than the store: rows that it hides may be blanks by now, which is the same to all
// who read. It returns how many records are copies.
func (r *repairer) deletions(copies map[string][]byte) (copied int) {
	own := make(map[string][]byte)
	for key, value := range r.own {
		if key[0] == store.PrefixDeletions {
			own[key] = value
			delete(r.own, key)
		}
	}
	heads := make(map[string]bool)
	for _, from := range []map[string][]byte{own, copies} {
		for key := range from {
			if len(key) >= headBytes {
				heads[key[:headBytes-2]+"\x00\x00"] = true
			}
		}
	}
	for key := range heads {
		from := own
		d, used, err := erase.Parse(key, own)
		if err != nil {
			from = copies
			if d, used, err = erase.Parse(key, copies); err == nil {
				copied += len(used)
			}
		}
		if err != nil {
			r.damage("deletion %d of site %d cannot be read, so events that it has deleted are shown again; delete them once more",
				binary.BigEndian.Uint64([]byte(key[5:13])), binary.BigEndian.Uint32([]byte(key[1:5])))
			continue
		}
		site := binary.BigEndian.Uint32([]byte(key[1:5]))
		r.deletedTo[site] = max(r.deletedTo[site], d.UpTo)
		if d.Seqs == nil || d.State == query.DeletionDone {
			for _, k := range used {
				r.own[k] = from[k]
			}
			continue
		}
		// A run may come back in which the rows are no blanks yet.
		d.State = query.DeletionHidden
		if err := d.Pieces(site, func(key, value []byte) error {
			r.own[string(key)] = slices.Clone(value)
			return nil
		}); err != nil {
			r.damage("deletion %d of site %d: %v", d.ID, site, err)
		}
	}
	return copied
}
