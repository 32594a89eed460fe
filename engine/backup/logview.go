package backup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/erase"
	"cairn/engine/identity"
	"cairn/engine/store"
	"cairn/wal"
)

// This file reads from the store what an object of the log has.

// LogSource is a running store as the log sees it. Its fields do not change.
type LogSource struct {
	DB      *pebble.DB
	FS      vfs.FS
	Dir     string           // the data directory
	Public  *store.PublicIDs // of the store
	Install sync.Locker      // held while a run replaces its rows, and while a checkpoint is taken
	Now     func() time.Time

	Changes func() uint64            // differs when there may be something to ship
	Events  func() map[uint32]uint64 // how many events of each site are acknowledged

	// Heartbeats returns the visits whose heartbeats have changed since the last call, and forgets
	// them. all is false when some were too many to keep.
	Heartbeats func() (visits []Visit, all bool)

	Due <-chan struct{} // is sent to when shipping should not wait; nil = never

	// Deletions returns the deletions that have no copy in the bucket yet. Copied says that one has.
	Deletions func() []Deletion
	Copied    func(name string)
}

// Visit names a visit by its ordinal.
type Visit struct {
	Site uint32
	Ord  uint64
}

// Deletion is a deletion that is to be copied.
type Deletion struct {
	Name   string // of its copy, see erase.CopyName
	Site   uint32
	Record *erase.Record
}

// logFiles are the files of a data directory that are shipped. fileBytesMax bounds each.
var logFiles = []string{"keys.toml", "sites.toml"}

const fileBytesMax = 32 << 20

// logRecords are the small records of the store that are shipped: those below a prefix by site, and
// some of the store's own.
var (
	logRecords = []byte{store.PrefixSaved, store.PrefixKeyUses, store.PrefixNotes}
	logOwn     = []string{"names", "version", "window"}
)

const zoneScope = "zone"

// errHole says that rows are no longer in the log of the store.
type errHole struct {
	site        uint32
	first, last uint64
}

func (e *errHole) Error() string {
	return fmt.Sprintf("events %d to %d of site %d left the log of the store before they were shipped", e.first, e.last, e.site)
}

// objectRaw is about how many bytes of rows one object has, before they are packed. Tests make smaller
// ones.
var objectRaw int64 = 32 << 20

// builder makes one object from a view of the store.
type builder struct {
	w     *logWriter
	view  pebble.Reader
	sums  map[string]uint64 // of scopes, files and deletions as they were last shipped
	fresh map[string]uint64 // what changes in sums with this object
	gone  []string
	body  []byte // of an item
	rows  []byte // of a group

	to     map[uint32]uint64 // the newest seq of each site in this object
	events uint64
	more   bool // rows are left for the next object
	holes  []*errHole
}

// changed reports whether a scope differs from what was last shipped, and notes it as shipped.
func (b *builder) changed(scope string, sum uint64) bool {
	if was, ok := b.sums[scope]; ok && was == sum {
		return false
	}
	b.fresh[scope] = sum
	return true
}

// logFile is a file of the data directory.
type logFile struct {
	name string
	text []byte
}

// changedFiles reads the files that are not as they were last shipped.
func changedFiles(fs vfs.FS, dir string, sums map[string]uint64) (changed []logFile, err error) {
	for _, name := range logFiles {
		f, err := fs.Open(fs.PathJoin(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		if len(text) > fileBytesMax {
			return nil, fmt.Errorf("%s has more than %d bytes", name, fileBytesMax)
		}
		if sum, ok := sums[fileScope(name)]; !ok || sum != xxhash.Sum64(text) {
			changed = append(changed, logFile{name, text})
		}
	}
	return changed, nil
}

// fileScope is the key in sums of what is no record. No record's key begins so.
func fileScope(name string) string { return "\xff" + name }

func (b *builder) files(changed []logFile) {
	for _, f := range changed {
		b.fresh[fileScope(f.name)] = xxhash.Sum64(f.text)
		b.w.item(itemFile, append(appendText(nil, []byte(f.name)), appendText(nil, f.text)...))
	}
}

// records adds the scopes of small records that have changed.
func (b *builder) records() error {
	seen := make(map[string]bool)
	if len(b.sums) == 0 { // after a start nobody knows what was shipped that is gone now
		for _, prefix := range logRecords {
			b.w.item(itemRecords, appendText(nil, []byte{prefix}))
		}
	}
	one := func(scope []byte) error {
		value, err := store.Get(b.view, scope)
		if err != nil || value == nil {
			return err
		}
		return b.scope(seen, scope, appendText(appendText(nil, nil), value))
	}
	for _, name := range logOwn {
		if err := one(store.Key(name)); err != nil {
			return err
		}
	}
	if err := b.scopes(seen, store.Key(zoneScope), append(store.Key(zoneScope), 0xff, 0xff, 0xff, 0xff, 0xff), len(store.ZoneKey(0))); err != nil {
		return err
	}
	for _, prefix := range logRecords {
		if err := b.scopes(seen, []byte{prefix}, []byte{prefix + 1}, len(store.SiteKey(prefix, 0))); err != nil {
			return err
		}
	}
	for scope := range b.sums { // nothing is left of it
		if scope[0] != 0xff && !seen[scope] {
			b.gone = append(b.gone, scope)
			b.w.item(itemRecords, appendText(nil, []byte(scope)))
		}
	}
	return nil
}

// scopes adds the records between two keys. The first bytes of a key are its scope.
func (b *builder) scopes(seen map[string]bool, from, to []byte, scopeLen int) error {
	it, err := b.view.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	var scope, records []byte
	flush := func() error {
		if scope == nil {
			return nil
		}
		return b.scope(seen, scope, records)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		key := it.Key()
		if len(key) < scopeLen {
			continue
		}
		if !bytes.Equal(scope, key[:scopeLen]) {
			err = flush()
			scope, records = append([]byte{}, key[:scopeLen]...), records[:0]
		}
		records = appendText(appendText(records, key[scopeLen:]), it.Value())
	}
	if err == nil {
		err = flush()
	}
	return errors.Join(err, it.Close())
}

func (b *builder) scope(seen map[string]bool, scope, records []byte) error {
	seen[string(scope)] = true
	if !b.changed(string(scope), xxhash.Sum64(records)) {
		return nil
	}
	b.body = append(appendText(b.body[:0], scope), records...)
	if !b.w.item(itemRecords, b.body) {
		return fmt.Errorf("the records below %x have more than %d bytes", scope, itemBytesMax)
	}
	return nil
}

// site adds the groups of a site from a seq on, up to the acknowledged one, as far as there is room.
func (b *builder) site(site uint32, from, acknowledged uint64) error {
	rows, err := b.view.NewIter(&pebble.IterOptions{LowerBound: seqKey(wal.PrefixBlock, site, from), UpperBound: seqKey(wal.PrefixBlock, site, acknowledged+1)})
	if err != nil {
		return err
	}
	defer rows.Close()
	links, err := b.view.NewIter(&pebble.IterOptions{LowerBound: store.LinkKey(site, from), UpperBound: store.LinkKey(site, acknowledged+1)})
	if err != nil {
		return err
	}
	defer links.Close()
	row, link := rows.First(), links.First()
	if !row {
		b.hole(site, from, acknowledged)
		return errors.Join(rows.Error(), links.Error())
	}
	if first := seqOf(rows.Key()); first > from {
		b.hole(site, from, first-1)
		from = first
	}
	var first uint64
	var note []byte // of the group at first
	group := func(next uint64) error {
		if first == 0 {
			return nil
		}
		records := b.rows[:0]
		n := uint64(0)
		for ; row && seqOf(rows.Key()) < next; row = rows.Next() {
			if at := seqOf(rows.Key()); at != first+n {
				return fmt.Errorf("the log of site %d has no event %d", site, first+n)
			}
			if err := wal.Block(rows.Key(), rows.Value(), func(_ uint64, record []byte) error {
				records = appendText(records, record)
				n++
				return nil
			}); err != nil {
				return err
			}
		}
		b.rows = records
		if n == 0 || next != acknowledged+1 && first+n != next {
			return fmt.Errorf("the log of site %d has no event %d", site, first+n)
		}
		b.body = binary.AppendUvarint(b.body[:0], uint64(site))
		b.body = binary.AppendUvarint(binary.AppendUvarint(b.body, first), n)
		b.body = appendText(append(b.body, records...), note)
		for ; link && seqOf(links.Key()) < first+n; link = links.Next() {
			if at := seqOf(links.Key()); at >= first {
				b.body = appendText(binary.AppendUvarint(b.body, at-first), links.Value())
			}
		}
		if !b.w.item(itemGroup, b.body) {
			b.hole(site, first, first+n-1)
		}
		b.to[site] = first + n - 1
		b.events += n
		if b.w.raw >= objectRaw && first+n-1 < acknowledged {
			return errFull
		}
		return nil
	}
	err = wal.Notes(b.view, site, from, acknowledged+1, func(next uint64, data []byte) error {
		if first == 0 && next != from {
			return fmt.Errorf("event %d of site %d begins no group", from, site)
		}
		if err := group(next); err != nil {
			return err
		}
		first, note = next, append(note[:0], data...)
		return nil
	})
	if err == nil {
		if err = group(acknowledged + 1); first == 0 {
			err = fmt.Errorf("event %d of site %d begins no group", from, site)
		}
	}
	if err == errFull {
		b.more, err = true, nil
	}
	return errors.Join(err, rows.Error(), links.Error())
}

// errFull ends the walk over the groups of a site.
var errFull = errors.New("the object is full")

// hole notes that rows are not shipped. They count as done: a snapshot has them.
func (b *builder) hole(site uint32, first, last uint64) {
	b.holes = append(b.holes, &errHole{site, first, last})
	b.to[site] = last
}

// heartbeats adds what the heartbeats of some visits have said.
func (b *builder) heartbeats(visits map[Visit]struct{}) error {
	for _, v := range slices.SortedFunc(maps.Keys(visits), func(a, o Visit) int {
		return cmp.Or(cmp.Compare(a.Site, o.Site), cmp.Compare(a.Ord, o.Ord))
	}) {
		key := identity.HeartbeatsKey(v.Site, v.Ord)
		value, err := store.Get(b.view, key)
		if err != nil {
			return err
		}
		if value != nil {
			b.body = appendText(appendText(b.body[:0], key), value)
			b.w.item(itemHeartbeat, b.body)
		}
	}
	return nil
}

// deletions adds the deletions that are not in the chain yet and have a copy in the bucket. One whose
// rows are too many is left to its copy.
func (b *builder) deletions(sites []uint32, copied map[string]bool) error {
	for _, site := range sites {
		err := erase.Each(b.view, site, func(r *erase.Record) error {
			if r.Seqs == nil || !copied[erase.CopyName(site, r)] || !b.changed(fileScope(erase.CopyName(site, r)), 0) {
				return nil
			}
			b.body = b.body[:0]
			if err := r.Pieces(site, func(key, value []byte) error {
				b.body = appendText(appendText(b.body, key), value)
				return nil
			}); err != nil {
				return err
			}
			b.w.item(itemDeletion, b.body)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// errOtherGroup says that a store does not have the events of a group in its log.
var errOtherGroup = errors.New("the events are not those of the store")

// compareGroup compares an itemGroup with the log of a store. Its error is errOtherGroup if the log has
// other events or none, as after their seal.
func compareGroup(r pebble.Reader, body []byte) error {
	var g logGroup
	if err := parseGroup(body, &g); err != nil {
		return err
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: seqKey(wal.PrefixBlock, g.Site, g.First), UpperBound: seqKey(wal.PrefixBlock, g.Site, g.last()+1)})
	if err != nil {
		return err
	}
	left := g.Records
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = wal.Block(it.Key(), it.Value(), func(seq uint64, record []byte) error {
			if len(left) == 0 || seq != g.last()+1-uint64(len(left)) || !bytes.Equal(record, left[0]) {
				return errOtherGroup
			}
			left = left[1:]
			return nil
		})
	}
	if err == nil && len(left) > 0 {
		err = errOtherGroup
	}
	return errors.Join(err, it.Error(), it.Close())
}

func seqKey(prefix byte, site uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(store.SiteKey(prefix, site), seq)
}

// seqOf returns the seq in a key of a block or a link.
func seqOf(key []byte) uint64 {
	if len(key) < 13 {
		return 0
	}
	return binary.BigEndian.Uint64(key[5:])
}

// siteOf returns the site in a key of a site.
func siteOf[T string | []byte](key T) uint32 {
	return uint32(key[1])<<24 | uint32(key[2])<<16 | uint32(key[3])<<8 | uint32(key[4])
}
