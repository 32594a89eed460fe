// This file has the table of ids: what ingest knows of each id, and the memory that it
// takes.
//
// The table is derived from the log. When the changed entries take a few MB, the current group
// writes all of them, together with the seq up to which they are complete. So a group stays
// small, and after a crash the stored table is complete up to exactly one seq.

package identity

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// IDs is the table of ids of all sites. It belongs to the sequencer and is not safe for
// concurrent use. Pebble has all entries except those that have changed since they were
// last written. Entries in use are in memory, as they are or packed.
type IDs struct {
	filter  *idFilter // of every id there is that is no ordinal; nil = no filter
	db      pebble.Reader
	max     int // bytes of hot that may stay after all entries are written
	part    int // bytes of changed entries that are written at once
	hot     idTable
	bytes   int            // sizes of all entries in hot
	changed []changedEntry // the dirty entries
	dirty   int            // sizes of the dirty entries
	pack    *idPack
	rules   map[uint32]event.Rules // of sites whose rules have changed; others have the newest
	upTo    map[uint32]uint64      // by site, the newest seq that the table has taken in since the last flush
	key     []byte                 // of the id that find was last asked for
	seed    maphash.Seed
	hash    uint64 // of key
	clock   uint64 // look-ups so far; says how long ago an entry was used
	added   int    // entries added
	missed  uint64 // look-ups that found an entry in Pebble alone
	touch   toucher
	watched map[string]bool // ids that may be forgotten, and whether an event has met them since; see forget.go
	damaged bool            // see Probe
	probes  []probedID      // scratch
}

const (
	// PartMax bounds the bytes of changed entries that are written with one group. A
	// larger part delays everybody's writes. A smaller one writes entries that change
	// all the time more often.
	PartMax = 4 << 20

	// idOverhead is about how many bytes of memory an entry takes besides its size.
	idOverhead = 150

	// idVisitBytes is about how many bytes a visit takes besides its texts.
	idVisitBytes = 192
)

// NewIDs returns a table that reads entries from db. It takes about that many bytes of
// memory for entries that are written. With a nil db, the table has only what it is given.
func NewIDs(db pebble.Reader, bytes int) *IDs {
	return &IDs{
		db: db, max: bytes / 2, part: min(bytes/2, PartMax),
		pack: newIDPack(bytes / 2), upTo: make(map[uint32]uint64), seed: maphash.MakeSeed(),
	}
}

// Bound sets how many bytes of changed entries are written at once. The caller calls it
// before the table has an entry.
func (t *IDs) Bound(part int) { t.part, t.max = part, min(t.max, 16*part) }

// Resize sets how much memory entries take that are written.
func (t *IDs) Resize(bytes int) {
	t.max = min(bytes/2, 16*t.part)
	t.pack.max = min(bytes/4, idHalfMax)
}

// Bytes returns about how many bytes the table takes.
func (t *IDs) Bytes() int { return t.held() + len(t.pack.new.bytes) + len(t.pack.old.bytes) }

// SetRules sets the rules of a site. The caller calls it before the table has taken in an
// event of the site to which the rules apply.
func (t *IDs) SetRules(site uint32, rules event.Rules) {
	if rules == nil {
		delete(t.rules, site)
		return
	}
	if t.rules == nil {
		t.rules = make(map[uint32]event.Rules)
	}
	t.rules[site] = rules
}

// LoadFilter makes a filter of that many bytes for all stored ids, so that a new id costs
// no read of Pebble. It reads all their keys. After an error there is no filter.
func (t *IDs) LoadFilter(bytes int64) error {
	filter := newIDFilter(bytes)
	if err := filter.load(t.db, t.seed); err != nil {
		return err
	}
	t.filter = filter
	return nil
}

// NewFilter makes a filter of that many bytes for the ids of a table that has none yet.
func (t *IDs) NewFilter(bytes int64) { t.filter = newIDFilter(bytes) }

// Missed returns how many look-ups found an entry that was not in memory, and how many look-ups there
// were, since the table was made.
func (t *IDs) Missed() (missed, asked uint64) { return t.missed, t.clock }

// Added returns how many entries were added to the table since it was made.
func (t *IDs) Added() int { return t.added }

// Stored returns the stored form of an entry by its key in Pebble, or nil when the table has
// no such entry. The caller owns the form.
func (t *IDs) Stored(key []byte) ([]byte, error) {
	t.key = append(t.key[:0], key...)
	k, err := t.find()
	if k == nil || err != nil {
		return nil, err
	}
	return k.append(nil), nil
}

// HasVisit reports whether the table has the entry of a visit. visit is its ordinal.
func (t *IDs) HasVisit(site uint32, visit uint64) (bool, error) {
	k, err := t.get(site, kindVisit, 0, visitID(visit))
	return k != nil, err
}

// ChangedBytes returns about how many bytes the next Flush writes.
func (t *IDs) ChangedBytes() int { return t.dirty }

// held returns about how many bytes of memory the entries take that are not packed.
func (t *IDs) held() int { return t.bytes + idOverhead*t.hot.n }

// changing returns about how many bytes of memory the dirty entries take.
func (t *IDs) changing() int { return t.dirty + idOverhead*len(t.changed) }

// Due reports whether the group at hand should write what has changed. That is so when a
// part has changed, or when half of the memory is full of entries that cannot be dropped before
// they are written.
func (t *IDs) Due() bool { return t.dirty >= t.part || t.changing()/2 >= t.max }

// Over reports whether entries should leave memory.
func (t *IDs) Over() bool { return t.held()/4 >= t.max }

// change notes that an entry has changed.
func (t *IDs) change(k *idEntry) {
	if !k.dirty {
		k.dirty = true
		t.changed = append(t.changed, newChanged(k))
		t.dirty += k.bytes
	}
	t.measure(k)
}

// changedEntry is a dirty entry and the first bytes of its key after the prefix, by which most
// entries sort without a look at their keys, which lie anywhere in memory.
type changedEntry struct {
	first, second uint64
	*idEntry
}

func newChanged(k *idEntry) changedEntry {
	var b [16]byte
	copy(b[:], k.key[1:])
	return changedEntry{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), k}
}

// compare orders entries by their keys.
func (a changedEntry) compare(b changedEntry) int {
	switch {
	case a.first != b.first:
		return cmp.Compare(a.first, b.first)
	case a.second != b.second:
		return cmp.Compare(a.second, b.second)
	}
	return strings.Compare(a.key, b.key)
}

// measure counts the size of an entry again.
func (t *IDs) measure(k *idEntry) {
	grown := k.size() - k.bytes
	k.bytes += grown
	t.bytes += grown
	if k.dirty {
		t.dirty += grown
	}
}

// get returns the entry of an id, nil when the id is new. The table owns the entry.
func (t *IDs) get(site uint32, kind byte, dialect byte, id string) (*idEntry, error) {
	t.key = appendKey(t.key[:0], site, kind, dialect, id)
	return t.find()
}

// find returns the entry under t.key, nil when there is none. The table owns the entry.
func (t *IDs) find() (*idEntry, error) {
	t.clock++
	if t.watched != nil {
		t.meet()
	}
	t.hash = maphash.Bytes(t.seed, t.key)
	if k := t.hot.get(t.hash, string(t.key)); k != nil {
		k.used = t.clock
		return k, nil
	}
	if v := t.pack.get(t.hash, t.key); v != nil {
		return t.read(v)
	}
	if t.filter != nil && !numbered(t.key) && !t.filter.mayContain(t.hash) {
		return nil, nil
	}
	if t.db == nil {
		return nil, nil
	}
	v, closer, err := t.db.Get(t.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read id: %w", err)
	}
	defer closer.Close()
	t.missed++
	return t.read(v)
}

// read takes in the stored form of the entry that find was asked for.
func (t *IDs) read(v []byte) (*idEntry, error) {
	k, err := parseEntry(v)
	if err != nil {
		return nil, damagedID(binary.BigEndian.Uint32(t.key[1:]), err)
	}
	t.hold(k)
	return k, nil
}

// hold keeps an entry in memory, under the key that find was asked for.
func (t *IDs) hold(k *idEntry) {
	k.key, k.used = string(t.key), t.clock
	t.hot.put(t.hash, k)
	t.measure(k)
}

// add adds a new entry under the key that find was just asked for.
func (t *IDs) add(ord uint64) *idEntry {
	k := &idEntry{ord: ord}
	t.added++
	t.hold(k)
	if t.filter != nil && !numbered(t.key) {
		t.filter.add(t.hash)
	}
	t.change(k)
	return k
}

// addNumbered adds the visit or the named session that begins with the event at seq. It does not
// look for one: what the table has was made by earlier events.
func (t *IDs) addNumbered(site uint32, kind byte, seq uint64) *idEntry {
	t.key = append(appendKey(t.key[:0], site, kind, 0, ""), visitID(seq)...)
	t.hash = maphash.Bytes(t.seed, t.key)
	return t.add(seq)
}

// getOrAdd returns the entry of an id. A new id gets an entry with the ordinal ord.
func (t *IDs) getOrAdd(site uint32, kind byte, dialect byte, id string, ord uint64) (*idEntry, error) {
	k, err := t.get(site, kind, dialect, id)
	if k == nil && err == nil {
		k = t.add(ord)
	}
	return k, err
}

// Flush writes to w every changed entry and how far the table has come. Both must be in
// one batch. Otherwise a replay would apply events to entries that already contain them.
// When the batch is in Pebble, the caller may call Evict.
func (t *IDs) Flush(w *pebble.Batch) error {
	slices.SortFunc(t.changed, changedEntry.compare) // sorted operations cost Pebble less
	var key, v []byte
	for _, c := range t.changed {
		k := c.idEntry
		key, v = append(key[:0], k.key...), k.append(v[:0])
		if err := w.Set(key, v, nil); err != nil {
			return fmt.Errorf("write ids: %w", err)
		}
		k.dirty = false
	}
	t.changed, t.dirty = event.Emptied(t.changed, PartMax/64), 0
	for site, seq := range t.upTo {
		if err := w.Set(store.IDsUpToKey(site), binary.BigEndian.AppendUint64(nil, seq), nil); err != nil {
			return fmt.Errorf("write ids: %w", err)
		}
	}
	clear(t.upTo)
	return nil
}

// Evict packs entries when all together take too much memory, until they take about three quarters
// of it. Those that were used last stay as they are, because most of them are used again soon. Dirty
// entries stay too. The last flush must be in Pebble.
func (t *IDs) Evict() {
	if !t.Over() {
		return
	}
	stays := t.stays()
	for i := 0; i < len(t.hot.slots); {
		k := t.hot.slots[i].entry
		if k == nil {
			i++
			continue
		}
		if k.dirty || ageStep(t.clock-k.used) < stays {
			if k.recent != nil && k.recent.gone {
				k.recent = nil // so that it does not stay in memory for this entry alone
			}
			i++
			continue
		}
		t.pack.put(t.hot.slots[i].hash, k)
		t.bytes -= k.bytes
		k.gone, k.recent = true, nil
		t.hot.removeAt(i)
	}
}

// ageSample is how many of the slots of a large table stays looks at.
const ageSample = 1 << 13

// stays returns the step from which on entries that are not dirty leave memory.
func (t *IDs) stays() int {
	var bytes [ageSteps]int // of these entries, by the step of their age
	every := max(1, len(t.hot.slots)/ageSample)
	for i := 0; i < len(t.hot.slots); i += every {
		if k := t.hot.slots[i].entry; k != nil && !k.dirty {
			bytes[ageStep(t.clock-k.used)] += every * (k.bytes + idOverhead)
		}
	}
	for step, sum := 0, t.changing(); step < ageSteps; step++ {
		if sum += bytes[step]; sum > 3*t.max {
			return step
		}
	}
	return ageSteps
}

// ageStep returns the step of an age. Each step ends at an eighth more than the one before.
func ageStep(age uint64) int {
	n := bits.Len64(age)
	if n < 4 {
		return int(age)
	}
	return 8*(n-3) + int(age>>(n-4)&7)
}

const ageSteps = 8 * 62

// Replayed writes and syncs what a replay has taken in so far, if it is a part. So a long
// replay neither keeps all of it in memory nor writes it with one group.
func (t *IDs) Replayed(db *pebble.DB) error {
	if !t.Due() {
		t.Evict()
		return nil
	}
	return t.write(db, pebble.Sync)
}

// ReplayedAll writes and syncs all that a replay has taken in so far.
func (t *IDs) ReplayedAll(db *pebble.DB) error { return t.write(db, pebble.Sync) }

// Spill writes what has changed to a database that only this table uses, and reads entries
// from there from then on. It does not sync.
func (t *IDs) Spill(db *pebble.DB) error {
	t.db = db
	return t.write(db, pebble.NoSync)
}

// write writes what has changed, and then evicts entries.
func (t *IDs) write(db *pebble.DB, o *pebble.WriteOptions) error {
	b := db.NewBatch()
	defer b.Close()
	if err := t.Flush(b); err != nil {
		return err
	}
	if err := b.Commit(o); err != nil {
		return fmt.Errorf("write ids: %w", err)
	}
	t.Evict()
	return nil
}
