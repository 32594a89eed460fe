// Starts of rules: the seqs of a site from which changed rules apply. The rows before them were
// decided by older rules, and a replay has to repeat that.

package records

import (
	"encoding/binary"
	"fmt"
	"math"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// Never is the start of an edition that applies to no row yet.
const Never = math.MaxUint64

// rulesNote is the name of the note with the starts of a site. It has the start of each
// edition from the second on, in 8 bytes, big endian.
const rulesNote = "rules"

// editions returns the number of editions of the rules that a store of a format version knows.
func editions(version byte) int {
	if version < 3 {
		return 1
	}
	return 2
}

// newest is the number of editions that this cairn knows.
var newest = editions(store.Version)

// RuleStarts returns the first seq of a site to which each edition of the rules applies. The
// edition n is at n-1, and the first edition starts at 1. Editions that the store's format
// version does not know start at Never. A site without a note has had all other editions since
// its first row.
func RuleStarts(db pebble.Reader, version byte, site uint32) ([]uint64, error) {
	note, err := store.Get(db, RulesKey(site))
	if err != nil {
		return nil, err
	}
	return StartsOf(note, version, site)
}

// RulesKey is the key of the note with the starts of a site's rules.
func RulesKey(site uint32) []byte { return store.NoteKey(site, rulesNote) }

// StartsOf is RuleStarts for a site with that note; nil = it has none.
func StartsOf(note []byte, version byte, site uint32) ([]uint64, error) {
	starts := make([]uint64, newest)
	for i := range starts {
		if starts[i] = Never; i < editions(version) {
			starts[i] = 1
		}
	}
	if note == nil {
		return starts, nil
	}
	if len(note) != 8*(editions(version)-1) {
		return nil, fmt.Errorf("damaged note of the rules of site %d", site)
	}
	for i := 0; len(note) > 0; i, note = i+1, note[8:] {
		starts[i+1] = binary.BigEndian.Uint64(note)
	}
	return starts, nil
}

// PutRuleStarts adds to b the note of a site whose editions start at starts. Editions that
// start at Never start at next, the seq of the site's next row.
func PutRuleStarts(b *pebble.Batch, site uint32, starts []uint64, next uint64) error {
	if err := b.Set(RulesKey(site), RulesNote(starts, next), nil); err != nil {
		return fmt.Errorf("note the rules of site %d: %w", site, err)
	}
	return nil
}

// RulesNote returns the note that PutRuleStarts writes.
func RulesNote(starts []uint64, next uint64) []byte {
	var note []byte
	for _, start := range starts[1:] {
		if start == Never {
			start = next
		}
		note = binary.BigEndian.AppendUint64(note, start)
	}
	return note
}
