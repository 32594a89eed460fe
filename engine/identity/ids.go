// What ingest knows of an id: since when there is such a user, visitor or
// session, and the visitor's current session. Derived state: a function of the
// log, kept in a table that is bounded in bytes. As soon as the changed entries come to a
// few MB, the group at hand writes all of them and the seq they cover. So a group stays
// small, and a crash finds the table as it was at one seq.

package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
)

// IDs is the table. It belongs to the sequencer. All entries lie in Pebble but those
// that have changed since they were last written; those asked for lately are in memory,
// the very latest as they are and more of them packed.
type IDs struct {
	filter  *idFilter // of every id there is; nil = none is kept
	db      pebble.Reader
	max     int // bytes of hot that stay when there is no need for them
	part    int // bytes of changed entries that are written in one go
	hot     map[string]*idEntry
	bytes   int        // sizes of all in hot
	changed []*idEntry // the dirty ones
	dirty   int        // their sizes
	pack    *idPack
	upTo    map[uint32]uint64 // newest seq learnt, by site
	key     []byte
}

// Stored returns what an entry in memory would be stored as; known is false when there is
// no such entry.
func (t *IDs) Stored(key []byte) (form []byte, known bool) {
	k := t.hot[string(key)]
	if k == nil {
		return nil, false
	}
	return k.append(nil), true
}

// Len is the number of entries in memory.
func (t *IDs) Len() int { return len(t.hot) }

// ChangedBytes is about how many bytes the entries take that are to be written.
func (t *IDs) ChangedBytes() int { return t.dirty }

// Bound says how many bytes of changed entries are written in one go. It is called before
// the first entry comes.
func (t *IDs) Bound(part int) { t.part, t.max = part, min(t.max, 16*part) }

// LoadFilter makes the filter of all ids that are stored, of so many bytes. It reads
// all their keys.
func (t *IDs) LoadFilter(bytes int64) error {
	t.filter = newIDFilter(bytes)
	return t.filter.load(t.db)
}

// NewIDs makes a table with about so many bytes of memory for entries that are written.
// With a nil db nothing is stored.
func NewIDs(db pebble.Reader, bytes int) *IDs {
	return &IDs{
		db: db, max: bytes / 2, part: min(bytes/2, PartMax),
		hot: make(map[string]*idEntry), pack: newIDPack(bytes / 2), upTo: make(map[uint32]uint64),
	}
}

const (
	// PartMax bounds the changed entries that are written with one group. Larger
	// parts hold up everybody's writes for longer; smaller ones write entries that
	// change all the time more often.
	PartMax = 4 << 20

	// idOverhead is about what an entry takes in memory beside its size.
	idOverhead = 200

	// idVisitBytes is about what a visit takes beside its texts.
	idVisitBytes = 128
)

// held is about how many bytes of memory the entries take that are not packed.
func (t *IDs) held() int { return t.bytes + idOverhead*len(t.hot) }

// Due says that the group at hand should write what has changed: it is a part, or memory
// is full of entries that can only be dropped after they are written.
func (t *IDs) Due() bool { return t.dirty >= t.part || t.held()/4 >= t.max }

// Over says that entries should leave memory once all are written.
func (t *IDs) Over() bool { return t.held() > t.max }

// change notes that an entry has changed.
func (t *IDs) change(k *idEntry) {
	if !k.dirty {
		k.dirty = true
		t.changed = append(t.changed, k)
		t.dirty += k.bytes
	}
	t.measure(k)
}

// measure notes how large an entry is now.
func (t *IDs) measure(k *idEntry) {
	grown := k.size() - k.bytes
	k.bytes += grown
	t.bytes += grown
	if k.dirty {
		t.dirty += grown
	}
}

// get returns what is known of an id, nil when it is new.
func (t *IDs) get(site uint32, kind byte, dialect byte, id string) (*idEntry, error) {
	t.key = Key(t.key[:0], site, kind, dialect, id)
	if k := t.hot[string(t.key)]; k != nil {
		return k, nil
	}
	if v := t.pack.get(t.key); v != nil {
		return t.found(v)
	}
	if t.filter != nil && !t.filter.maybe(t.key) {
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
	return t.found(v)
}

// found takes in the stored form of the entry get has looked for.
func (t *IDs) found(v []byte) (*idEntry, error) {
	k, err := parseEntry(v)
	if err != nil {
		return nil, err
	}
	t.hold(k)
	return k, nil
}

// hold keeps an entry in memory by the key get has looked up.
func (t *IDs) hold(k *idEntry) {
	k.key = string(t.key)
	t.hot[k.key] = k
	t.measure(k)
}

// add makes a new id known, with the key get has just looked up.
func (t *IDs) add(ord uint64) *idEntry {
	k := &idEntry{ord: ord}
	t.hold(k)
	if t.filter != nil {
		t.filter.add(t.key)
	}
	t.change(k)
	return k
}

func (t *IDs) getOrAdd(site uint32, kind byte, dialect byte, id string, ord uint64) (*idEntry, error) {
	k, err := t.get(site, kind, dialect, id)
	if k == nil && err == nil {
		k = t.add(ord)
	}
	return k, err
}

// Flush writes every changed entry to w, and how far the table has come. Both are in one
// batch; otherwise a replay would apply events to entries that already contain them. When
// the batch is in Pebble, evict may follow.
func (t *IDs) Flush(w *pebble.Batch) error {
	slices.SortFunc(t.changed, func(a, b *idEntry) int { return strings.Compare(a.key, b.key) }) // sorted operations cost Pebble less
	var key, v []byte
	for _, k := range t.changed {
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

// Evict packs what there is. Nothing may be dirty, and the last flush must be in Pebble.
func (t *IDs) Evict() {
	if !t.Over() {
		return
	}
	for key, k := range t.hot {
		t.pack.put(key, k)
	}
	clear(t.hot)
	t.bytes = 0
}

// Replayed writes what a replay has learnt so far, if that is a part, so that it need
// not all be in memory and then in one group.
func (t *IDs) Replayed(db *pebble.DB) error {
	if !t.Due() {
		return nil
	}
	b := db.NewBatch()
	defer b.Close()
	if err := t.Flush(b); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("write ids: %w", err)
	}
	t.Evict()
	return nil
}
