// Purging: how a deletion goes on after its rows are hidden, until no file has them.

package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cairn/engine/erase"
	"cairn/engine/identity"
	"cairn/engine/query"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
)

const (
	// eraseAtOnce and eraseAgain are values of siteState.eraseAt: the deletions of a site are due, and
	// those that the merger could not finish are due again when tick looks, whatever the clock says.
	eraseAtOnce = 1
	eraseAgain  = 2
	// retentionShare: deletions by retention wait until this part of the rows of each run that
	// they touch is deleted, but at most retentionWait.
	retentionShare = 8
	retentionWait  = 7 * 24 * time.Hour
)

// eraseSoon lets the merger look at a site's deletions.
func (e *Engine) eraseSoon(s *siteState) {
	s.eraseAt.Store(eraseAtOnce)
	e.merger.enqueue(s)
}

// eraseDue lets the merger look at the deletions of all sites whose time has come.
func (e *Engine) eraseDue() {
	for _, s := range e.allSites() {
		if at := s.eraseAt.Load(); at != 0 && at <= e.now().UnixMilli() {
			e.merger.enqueueOnce(s)
		}
	}
}

// erase carries out the deletions of a site as far as it can now. Each step looks at what is
// left to do, so it may end after any of them, and go on after the next start.
func (m *merger) erase(s *siteState) error {
	if s.eraseAt.Load() == 0 || m.stopping() {
		return nil
	}
	m.mu.Lock()
	m.gaveWay = false
	m.mu.Unlock()
	now := m.e.now().UnixMilli()
	s.eraseAt.Store(eraseAgain)
	all, err := m.e.openDeletions(s)
	if err != nil {
		return err
	}
	state := func(is query.DeletionState) (some []*erase.Record) {
		for _, r := range all {
			if r.State == is {
				some = append(some, r)
			}
		}
		return some
	}
	hidden, held, until := m.e.heldBySinks(s, state(query.DeletionHidden))
	if next := m.dueAt(s, hidden); next > now {
		if len(hidden)+len(held) == len(all) {
			s.eraseAt.CompareAndSwap(eraseAgain, min(next, until))
			return nil
		}
	} else if len(hidden) > 0 {
		if done, err := m.makeBlanks(s, hidden); err != nil || !done {
			return err
		}
	}
	if some := state(query.DeletionRewritten); len(some) > 0 {
		if err := m.forgetLinks(s, some); err != nil {
			return err
		}
		if err := m.e.setState(s, some, query.DeletionForgotten); err != nil {
			return err
		}
	}
	if some := state(query.DeletionForgotten); len(some) > 0 {
		now := slices.ContainsFunc(some, func(r *erase.Record) bool { return r.Now })
		if done, err := m.purge(s, now); err != nil || !done {
			return err
		}
		if err := m.e.setState(s, some, query.DeletionDone); err != nil {
			return err
		}
	}
	switch len(all) - len(state(query.DeletionDone)) {
	case 0:
		s.eraseAt.CompareAndSwap(eraseAgain, 0)
	case len(held):
		s.eraseAt.CompareAndSwap(eraseAgain, until)
	}
	return nil
}

// openDeletions returns the deletions of a site that are not done.
func (e *Engine) openDeletions(s *siteState) (all []*erase.Record, err error) {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	err = erase.Each(e.db, s.ID, func(r *erase.Record) error {
		if r.State != query.DeletionDone && r.Seqs != nil {
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

// dueAt is when the first of the deletions is to be carried out, in Unix milliseconds. All that
// wait are then carried out together.
func (m *merger) dueAt(s *siteState, hidden []*erase.Record) int64 {
	due := int64(1<<63 - 1)
	for _, r := range hidden {
		at := r.HiddenAt + (r.PurgeBy-r.HiddenAt)*3/4 // so that there is time for the purge
		switch {
		case r.Now, r.Kind == query.DeleteRetention && m.mostlyGone(s, r):
			at = 0 // whatever the clock says: it may have been set back since
		case r.Kind == query.DeleteRetention:
			at = r.HiddenAt + retentionWait.Milliseconds()
		}
		due = min(due, at)
	}
	return due
}

// mostlyGone reports whether of each run with rows of a deletion a good part is hidden.
func (m *merger) mostlyGone(s *siteState, r *erase.Record) bool {
	sealed := s.Sealed()
	defer sealed.Close()
	hidden := s.Hidden()
	if hidden == nil || r.Seqs.Maximum() > s.SealedTo() {
		return false
	}
	for _, run := range sealed.All {
		if seqsIn(r.Seqs, run.First, run.Last()).IsEmpty() {
			continue
		}
		if n := seqsIn(hidden, run.First, run.Last()).GetCardinality(); n*retentionShare < run.Rows {
			return false
		}
	}
	return true
}

// makeBlanks forgets the ids of deleted rows and rewrites the runs that have these rows. It is not
// done while some of them are not sealed.
func (m *merger) makeBlanks(s *siteState, records []*erase.Record) (done bool, err error) {
	t := &erasure{site: s, records: records, rows: roaring64.New(), now: roaring64.New(),
		user: roaring64.New(), anonymous: roaring64.New(), previous: roaring64.New()}
	for _, r := range records {
		t.rows.Or(r.Seqs)
		if r.Now {
			t.now.Or(r.Seqs)
		}
	}
	if last := t.rows.Maximum(); last > s.SealedTo() {
		return false, m.e.run(&job{seal: s, sealTo: last}) // the sealer then enqueues the site
	}
	start := time.Now()
	err = m.forget(t)
	m.e.stats.forgetNanos.Add(time.Since(start).Nanoseconds())
	if err != nil {
		return false, err
	}
	if err := m.rewrite(t); err != nil {
		return false, err
	}
	return true, m.e.setState(s, records, query.DeletionRewritten)
}

// setState notes durably how far deletions have come.
func (e *Engine) setState(s *siteState, records []*erase.Record, state query.DeletionState) error {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	if err := e.readSinks(s.ID, records); err != nil {
		return err
	}
	b := e.db.NewBatch()
	defer b.Close()
	for _, r := range records {
		now := *r
		if now.State = state; state == query.DeletionDone {
			now.DoneAt = e.now().UnixMilli()
			if e.copyDeletion(s.ID, r) && r.Carried() { // otherwise the next start still has what to copy
				now.Seqs = nil
			}
		}
		if err := now.Put(b, s.ID); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("note a deletion: %w", err)
	}
	e.savedChanges.Add(1) // tick copies the records to the spare files
	for _, r := range records {
		e.deletionStates.move(r.State, state)
		r.State = state
	}
	e.erased.tell()
	return nil
}

// forgetLinks removes the links of persons of whom no ordinal is left: the row that it names is a
// blank without a name. Links between others stay, or two living ordinals could fall apart.
func (m *merger) forgetLinks(s *siteState, records []*erase.Record) error {
	rows := roaring64.New()
	for _, r := range records {
		rows.Or(r.Seqs)
	}
	if err := s.Links.Ready(func(done <-chan struct{}) error { <-done; return nil }); err != nil {
		return err
	}
	v := s.View()
	defer v.Close()
	pace := &pacedSink{merger: m, since: time.Now()}
	touched := roaring64.New() // roots of persons of whom an ordinal is gone now
	for it := rows.Iterator(); it.HasNext(); {
		touched.Add(s.Links.Find(it.Next()))
		if err := pace.pace(); err != nil {
			return err
		}
	}
	known := make(map[uint64]bool) // by root of a person, whether one of its ordinals is left
	left := func(root uint64) (bool, error) {
		if alive, ok := known[root]; ok {
			return alive, nil
		}
		alive := false
		for _, o := range s.Links.Set(root) {
			if alive {
				break
			}
			if v.Blank(o) {
				e, err := v.IDs(o)
				if err != nil {
					return false, err
				}
				alive = alive || e != nil && (e.User != "" || e.Anonymous != "" || e.Previous != "")
			} else {
				alive = true
			}
		}
		known[root] = alive
		return alive, nil
	}
	b := m.e.db.NewBatch()
	defer b.Close()
	var kept []identity.Link
	at, gone := uint64(0), 0
	flush := func() error {
		if gone == 0 {
			kept = kept[:0]
			return nil
		}
		err := identity.DeleteLinks(b, s.ID, at)
		if err == nil && len(kept) > 0 {
			err = identity.PutLinks(b, s.ID, at, kept)
		}
		kept, gone = kept[:0], 0
		return err
	}
	var failed error
	err := identity.ScanLinks(m.e.db, s.ID, func(seq uint64, l identity.Link) bool {
		if failed = pace.pace(); failed == nil && seq != at {
			failed = flush()
			at = seq
		}
		if failed != nil {
			return false
		}
		alive := true
		if root := s.Links.Find(l.A); touched.Contains(root) {
			alive, failed = left(root)
		}
		if alive {
			kept = append(kept, l)
		} else {
			gone++
		}
		return failed == nil
	})
	if failed == nil && err == nil {
		err = flush()
	}
	if failed != nil {
		err = failed
	}
	if err != nil || b.Empty() {
		return err
	}
	return b.Commit(pebble.Sync)
}

// purge removes from all files what rows and ids that are gone had. It is not done while a view
// still holds a run that was replaced, or Pebble a file. With now the bounds of tables that are gone
// are in no file either.
func (m *merger) purge(s *siteState, now bool) (done bool, err error) {
	for _, site := range m.undropped {
		if site == s.ID {
			return false, nil
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a compaction ends when the store closes
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if m.stopping() {
					cancel()
				}
			}
		}
	}()
	logs, err := m.files(".log")
	if err != nil {
		return false, err
	}
	runs := len(m.purged)
	spans, err := m.purgeSpans(s.ID)
	if err != nil {
		return false, err
	}
	for _, span := range spans {
		if err := m.compact(ctx, span); err != nil {
			if m.stopping() {
				return false, errMergeStopped
			}
			return false, fmt.Errorf("purge: %w", err)
		}
	}
	m.purged, m.swept = m.purged[runs:], true
	if done, err = m.cleaned(logs); done && now {
		done, err = m.newManifest(ctx, s.ID)
	}
	return done, err
}

// WaitPurged waits until a deletion of a site is done: no file of the store has its events. Its
// error is query.ErrNotFound when there is no such deletion.
func (e *Engine) WaitPurged(ctx context.Context, site *query.Site, id uint64) (query.Receipt, error) {
	for {
		changed := e.erased.next()
		all, err := e.Deletions(ctx, site)
		if err != nil {
			return query.Receipt{}, err
		}
		i := slices.IndexFunc(all, func(r query.Receipt) bool { return r.ID == id })
		switch {
		case i < 0:
			return query.Receipt{}, query.ErrNotFound
		case all[i].State == query.DeletionDone:
			return all[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return all[i], ctx.Err()
		case <-e.failed:
			return all[i], query.ErrFailed
		case <-e.stopTick:
			return all[i], query.ErrStopping
		}
	}
}
