// Deleting: which events are hidden, and the record that says so.

package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/engine/erase"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/records"
	"cairn/engine/store"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Delete hides the events of a site that d selects, and lets them be purged later. When it
// returns, the deletion is durable and no read that begins shows the events. Its error is
// query.ErrNotFound when d selects nothing; then there is no record. A dry run returns what
// would be deleted.
func (e *Engine) Delete(ctx context.Context, site *query.Site, d query.Deletion) (query.Receipt, error) {
	e.inflight.Add(1)
	defer e.inflight.Done()
	return e.delete(ctx, site, d)
}

// delete is Delete for callers that Close waits for.
func (e *Engine) delete(ctx context.Context, site *query.Site, d query.Deletion) (query.Receipt, error) {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	if !d.DryRun {
		if err := e.mayChange(); err != nil {
			return query.Receipt{}, err
		}
	}
	found, err := e.matching(ctx, site, &d)
	if err != nil {
		return query.Receipt{}, err
	}
	r := &erase.Record{Seqs: found.Seqs}
	r.Receipt = query.Receipt{Kind: d.Kind, Condition: condition(&d), By: d.By, Reason: d.Reason, Now: d.Now, State: query.DeletionHidden,
		UpTo: found.UpTo, Rows: found.Seqs.GetCardinality(), First: found.First, Last: found.Last, HiddenAt: e.now().UnixMilli()}
	r.PurgeBy = r.HiddenAt + e.purgeWithin(&d).Milliseconds()
	switch {
	case d.DryRun && r.Rows == 0:
		r.First, r.Last = 0, 0
		return r.Receipt, nil
	case d.DryRun:
		return r.Receipt, nil
	case r.Rows == 0:
		return query.Receipt{}, query.ErrNotFound
	}
	if r.Sinks, err = e.sinksFor(site.ID, d.Kind); err != nil {
		return query.Receipt{}, err
	}
	t := e.state(site.ID)
	all, retained := r.Seqs, retainedOf(e.state(site.ID).Retained(), r.Seqs, d.Kind)
	if hidden := t.Hidden(); hidden != nil {
		all = roaring64.Or(hidden, r.Seqs)
	}
	bytes := int64(all.GetSizeInBytes())
	for _, s := range e.allSites() {
		if hidden := s.Hidden(); hidden != nil && s != t {
			bytes += int64(hidden.GetSizeInBytes())
		}
	}
	if most := e.opts.Memory / hiddenShare; bytes > most {
		return query.Receipt{}, fmt.Errorf("%w: the deleted events that wait to be purged would take more than %d bytes of memory; narrow it by time", query.ErrBadQuery, most)
	}
	if r.ID, err = e.nextDeletion(site.ID); err != nil {
		return query.Receipt{}, err
	}
	if err := store.Raise(e.db, store.VersionDeletions); err != nil {
		return query.Receipt{}, noSpace(err)
	}
	b := e.db.NewBatch()
	defer b.Close()
	if err := r.Put(b, site.ID); err != nil {
		return query.Receipt{}, err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return query.Receipt{}, fmt.Errorf("delete: %w", noSpace(err))
	}
	e.savedChanges.Add(1) // tick copies the record to the spare files
	t.HideRetained(all, retained)
	e.deletionStates.move("", r.State)
	e.sessionOwners.Clear()
	e.latestEvents.Clear()
	e.traitVerdicts.clear()
	e.eraseSoon(t)
	e.copyDeletion(site.ID, r)
	return r.Receipt, nil
}

// DeletionsName is the directory of the copies of deletions, beside the snapshots.
const DeletionsName = erase.CopiesName

// Restore is store.Restore. The new store has the deletions whose copies are in a directory, so what
// was deleted after the snapshot stays deleted.
func Restore(fs vfs.FS, snapshotDir, dataDir, copies string) (applied erase.Applied, err error) {
	err = store.Restore(fs, snapshotDir, dataDir, func(db *pebble.DB) error {
		applied, err = erase.Apply(db, fs, copies, time.Now().UnixMilli())
		return err
	})
	return applied, err
}

// copyDeletion copies a deletion beside the snapshots, unless it is there, and lets it be copied into the
// bucket of the backup. The deletion holds
// without it; the end of its purge and the next start try again. It returns false when there
// should be a copy and is none.
func (e *Engine) copyDeletion(site uint32, r *erase.Record) bool {
	inBucket := e.shipping.deleted(site, r)
	copies := e.tuning.Load().DeletionCopies
	if copies == "" || e.opts.ReadOnly {
		return inBucket
	}
	if err := erase.WriteCopy(e.opts.FS, copies, e.public, site, r); err != nil {
		e.log.Error("a deletion could not be copied beside the snapshots; a restore of an older snapshot would show its events again. The next start tries again", "deletion", r.ID, "error", err)
		return false
	}
	return inBucket
}

// matching finds the rows that a deletion takes.
func (e *Engine) matching(ctx context.Context, site *query.Site, d *query.Deletion) (*read.Matching, error) {
	if d.Kind == query.DeleteRetention {
		return e.MatchingBefore(ctx, site, d.To)
	}
	if sinks, err := records.SiteSinks(e.db, site.ID); err != nil {
		return nil, err
	} else if len(sinks) > 0 {
		return e.MatchingRetained(ctx, site, d.Where, d.From, d.To)
	}
	return e.Matching(ctx, site, d.Where, d.From, d.To)
}

// purgeWithin returns how soon after the answer the bytes of deleted events are gone.
func (e *Engine) purgeWithin(d *query.Deletion) time.Duration {
	switch {
	case d.Now:
		return 0
	case d.Kind == query.DeleteRetention:
		return retentionWait
	}
	return e.tuning.Load().Purge
}

// hiddenShare: the seqs of all hidden rows take at most one part in so many of the memory.
const hiddenShare = 16

// condition is the fields and operators of what a deletion asks, without values.
func condition(d *query.Deletion) string {
	var parts []string
	for _, c := range d.Where {
		c.Values = nil
		parts = append(parts, strings.TrimSpace(c.Field+" "+string(c.Op)))
	}
	if d.From != 0 {
		parts = append(parts, "from")
	}
	if d.To != 0 {
		parts = append(parts, "to")
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// nextDeletion returns the number of the next deletion of a site. The caller holds deleting.
func (e *Engine) nextDeletion(site uint32) (uint64, error) {
	last := uint64(0)
	err := erase.Receipts(e.db, site, func(r query.Receipt) { last = r.ID })
	return last + 1, err
}

// Deletions returns the deletions of a site, by number.
func (e *Engine) Deletions(_ context.Context, site *query.Site) (all []query.Receipt, err error) {
	err = erase.Receipts(e.db, site.ID, func(r query.Receipt) { all = append(all, r) })
	return all, err
}

// loadDeletions hides the rows of all deletions that are not done. It is called before anybody
// reads.
func (e *Engine) loadDeletions() error {
	for _, s := range e.allSites() {
		all, retained, erased := roaring64.New(), roaring64.New(), roaring64.New()
		if err := erase.Each(e.db, s.ID, func(r *erase.Record) error {
			if r.State == query.DeletionHidden {
				all.Or(r.Seqs)
				if r.Kind == query.DeleteRetention {
					retained.Or(r.Seqs)
				} else {
					erased.Or(r.Seqs)
				}
			}
			e.copyDeletion(s.ID, r)
			e.deletionStates.move("", r.State)
			if r.State != query.DeletionDone {
				s.eraseAt.Store(eraseAtOnce)
			}
			return nil
		}); err != nil {
			return err
		}
		if !all.IsEmpty() {
			retained.AndNot(erased)
			s.HideRetained(all, retained)
		}
	}
	return nil
}

// deletionStates counts deletions by state.
type deletionStates struct {
	mu     sync.Mutex
	counts map[query.DeletionState]uint64
}

// move counts a deletion under another state; "" = it is new.
func (d *deletionStates) move(from, to query.DeletionState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = make(map[query.DeletionState]uint64)
	}
	if from != "" {
		d.counts[from]--
	}
	d.counts[to]++
}

func (d *deletionStates) snapshot() map[query.DeletionState]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counts)
}
