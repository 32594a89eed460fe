// Sinks: what carries rows to other places, and what the rest of the engine has to do with that.

package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/erase"
	"cairn/engine/query"
	"cairn/engine/records"
	"cairn/engine/sink"
	"cairn/engine/store"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
)

// sinks are the runners. Without a configured sink there is none, and nothing else but the first
// look at the cursors costs anything.
type sinks struct {
	runners atomic.Pointer[[]*sink.Runner]
	follow  atomic.Bool // Options.SinksFollow, until CarryTo was called

	mu   sync.Mutex // held while runners begin and end. These take locks of the store, so nobody who has one takes it
	stop func()     // ends the runners, and returns when they have; nil = there are none

	held sync.Map // by site, the seq that a sink must pass before retention goes on

	namesMu sync.Mutex
	unnamed []uint32 // sites with rows that are not configured, as of the last look; see sitesForSinks
	names   []string // what these are called
}

// CarryTo ends the sinks that rows are carried to and begins others. It returns when calls of the former
// ones have ended. Without a sink retention waits for nobody from then on.
func (e *Engine) CarryTo(configs []sink.Config) error {
	e.sinks.mu.Lock()
	defer e.sinks.mu.Unlock()
	runners, err := e.newRunners(configs)
	if err != nil {
		return errors.Join(closeSinks(configs), err)
	}
	e.stopRunners()
	e.sinks.set(runners) // in one step: retention may look at any time
	e.sinks.follow.Store(false)
	e.dividePool()
	e.startRunners()
	for _, s := range e.allSites() { // what waited for the former ones may wait no longer
		if _, held := e.sinks.held.LoadAndDelete(s.ID); held && !e.stopping.Load() {
			e.eraseSoon(s)
		}
	}
	return nil
}

// EndSinks ends the sinks as Close does, which may follow: retention goes on waiting for them.
// If writes wait for space meanwhile, it returns before they have ended.
func (e *Engine) EndSinks() {
	ended := make(chan error, 1)
	go func() {
		e.endSinks()
		ended <- nil
	}()
	_, _ = e.unlessStuck(ended)
}

// endSinks returns when they have ended.
func (e *Engine) endSinks() {
	e.sinks.mu.Lock()
	defer e.sinks.mu.Unlock()
	e.stopRunners()
}

// newRunners makes runners, which do not run yet. With an error nobody has closed the sinks.
func (e *Engine) newRunners(configs []sink.Config) (runners []*sink.Runner, err error) {
	if len(configs) == 0 {
		return nil, nil
	}
	if e.opts.ReadOnly || e.stopping.Load() {
		return nil, query.ErrReadOnly
	}
	secret, err := store.Read(e.db)
	if err != nil {
		return nil, err
	}
	src := sink.Source{
		DB: e.db, Read: e.Reader, Number: sink.NumberOf(secret.Key),
		Sites:      e.sitesForSinks,
		Last:       func(site uint32) uint64 { return e.state(site).Last() },
		Deletions:  e.deletionsFor,
		Changed:    func(site uint32) uint64 { return e.state(site).Deletions() },
		Between:    e.betweenDeletions,
		CarriedOut: e.carriedOut,
		Advanced:   e.sinkAdvanced,
		Full:       func() bool { return e.disk.Full() },
		Now:        e.now, Elapsed: e.opts.Elapsed,
		FS: e.opts.FS, Dir: e.opts.Dir,
		Bytes: e.memory.Sinks / int64(len(configs)), Log: e.log,
	}
	for _, c := range configs {
		r, err := sink.NewRunner(c, src)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(runners, func(o *sink.Runner) bool { return o.Name() == r.Name() }) {
			return nil, fmt.Errorf("sink: there are two with the name %q", r.Name())
		}
		runners = append(runners, r)
	}
	return runners, nil
}

// set makes the runners those that others ask.
func (s *sinks) set(runners []*sink.Runner) { s.runners.Store(&runners) }

// startRunners starts the runners. sinks.mu is held, but by Open.
func (e *Engine) startRunners() {
	runners := e.runningSinks()
	if len(runners) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, r := range runners {
		running.Go(func() { r.Run(ctx) })
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-e.failed: // nothing may be written any more
			cancel()
		case <-ctx.Done():
		}
		running.Wait()
		close(ended)
	}()
	e.sinks.stop = func() {
		cancel()
		select {
		case <-ended:
		case <-e.failed: // a runner may be stuck in the store
		}
	}
}

// stopRunners ends the runners. sinks.mu is held.
func (e *Engine) stopRunners() {
	if e.sinks.stop != nil {
		e.sinks.stop()
		e.sinks.stop = nil
	}
}

func closeSinks(configs []sink.Config) (err error) {
	for _, c := range configs {
		err = errors.Join(err, c.Sink.Close())
	}
	return err
}

// runningSinks returns the runners.
func (e *Engine) runningSinks() []*sink.Runner {
	if all := e.sinks.runners.Load(); all != nil {
		return *all
	}
	return nil
}

// sitesForSinks is Source.Sites: all sites of the store, with what they are called or were called last.
func (e *Engine) sitesForSinks() ([]sink.Site, error) {
	names := make(map[uint32]string)
	for _, s := range e.opts.Sites() {
		names[s.ID] = s.Name
	}
	var unnamed []uint32
	for _, s := range e.allSites() {
		if names[s.ID] == "" && s.Last() > 0 {
			unnamed = append(unnamed, s.ID)
		}
	}
	former, err := e.formerNames(unnamed)
	if err != nil {
		return nil, err
	}
	for i, id := range unnamed {
		names[id] = former[i]
	}
	sites := make([]sink.Site, 0, len(names))
	for _, id := range slices.Sorted(maps.Keys(names)) {
		sites = append(sites, sink.Site{Number: id, Name: names[id]})
	}
	return sites, nil
}

// formerNames returns what sites were called that are not configured any more. Runners ask twice a second:
// the store is read when there are other ones than before.
func (e *Engine) formerNames(sites []uint32) (names []string, err error) {
	s := &e.sinks
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	slices.Sort(sites)
	if slices.Equal(sites, s.unnamed) {
		return s.names, nil
	}
	known, err := store.ReadNames(e.db)
	if err != nil {
		return nil, err
	}
	cursors, err := records.SinkCursors(e.db)
	if err != nil {
		return nil, err
	}
	for _, id := range sites {
		name := known.Of(id)
		for _, c := range cursors {
			if c.Site == id && name == "" {
				name = c.SiteName
			}
		}
		names = append(names, cmp.Or(name, fmt.Sprintf("site-%d", id)))
	}
	s.unnamed, s.names = sites, names
	return names, nil
}

// sinksFor returns the receipts with which a deletion begins: one for each sink that may have its rows.
// Retention is for those alone that run now.
func (e *Engine) sinksFor(site uint32, kind query.DeletionKind) (receipts []query.SinkReceipt, err error) {
	names, err := records.SiteSinks(e.db, site)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	if kind == query.DeleteRetention && !e.sinks.follow.Load() {
		runners := e.runningSinks()
		names = slices.DeleteFunc(names, func(name string) bool {
			return !slices.ContainsFunc(runners, func(r *sink.Runner) bool { return r.Name() == name })
		})
	}
	for _, name := range names {
		receipts = append(receipts, query.SinkReceipt{Name: name})
	}
	return receipts, nil
}

// deletionsFor is Source.Deletions.
func (e *Engine) deletionsFor(site uint32, name string) (all []*erase.Record, err error) {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	err = erase.Each(e.db, site, func(r *erase.Record) error {
		if r.Seqs != nil && slices.ContainsFunc(r.Sinks, func(s query.SinkReceipt) bool { return s.Name == name && !s.Passed }) {
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

// betweenDeletions is Source.Between.
func (e *Engine) betweenDeletions(fn func() error) error {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	return fn()
}

// carriedOut is Source.CarriedOut. The seqs go when nobody needs them any more.
func (e *Engine) carriedOut(site uint32, id uint64, done query.SinkReceipt) error {
	e.deleting.Lock()
	defer e.deleting.Unlock()
	var record *erase.Record
	if err := erase.Each(e.db, site, func(r *erase.Record) error {
		if r.ID == id {
			record = r
		}
		return nil
	}); err != nil || record == nil {
		return err
	}
	for i := range record.Sinks {
		if record.Sinks[i].Name == done.Name {
			record.Sinks[i] = done
		}
	}
	if record.State == query.DeletionDone && record.Carried() && e.copyDeletion(site, record) {
		record.Seqs = nil
	}
	b := e.db.NewBatch()
	defer b.Close()
	if err := record.Put(b, site); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("note a deletion: %w", err)
	}
	e.savedChanges.Add(1)
	e.erased.tell()
	return nil
}

// readSinks reads again what sinks have done for some deletions: they may have gone on since these were
// read. The caller holds deleting.
func (e *Engine) readSinks(site uint32, deletions []*erase.Record) error {
	if !slices.ContainsFunc(deletions, func(r *erase.Record) bool { return len(r.Sinks) > 0 }) {
		return nil
	}
	return erase.Receipts(e.db, site, func(now query.Receipt) {
		for _, r := range deletions {
			if r.ID == now.ID {
				r.Sinks = now.Sinks
			}
		}
	})
}

// heldBySinks divides deletions whose rows are hidden into those that may go on and those that wait for a
// sink. until is when the first of these waits no longer, in Unix milliseconds.
func (e *Engine) heldBySinks(s *siteState, hidden []*erase.Record) (free, held []*erase.Record, until int64) {
	runners := e.runningSinks()
	if len(runners) == 0 && !e.sinks.follow.Load() {
		return hidden, nil, math.MaxInt64
	}
	until = math.MaxInt64
	now, pass := e.now().UnixMilli(), uint64(math.MaxUint64)
	for _, r := range hidden {
		if end := e.heldUntil(s.ID, r, runners); end > now {
			held, until, pass = append(held, r), min(until, end), min(pass, r.Seqs.Maximum())
		} else {
			free = append(free, r)
		}
	}
	if len(held) > 0 {
		e.sinks.held.Store(s.ID, pass)
		for _, r := range held { // a sink may have passed it before that
			if e.heldUntil(s.ID, r, runners) <= now {
				e.eraseSoon(s)
			}
		}
	}
	return free, held, until
}

// heldUntil returns until when a deletion waits for sinks, in Unix milliseconds; 0 = it does not.
func (e *Engine) heldUntil(site uint32, r *erase.Record, runners []*sink.Runner) (until int64) {
	if r.Kind != query.DeleteRetention || r.Reason == reasonBytes {
		return 0
	}
	if e.sinks.follow.Load() {
		until = r.HiddenAt + sink.HoldDefault.Milliseconds()
	}
	for _, run := range runners {
		if at, met := run.Cursor(site); !met || at < r.Seqs.Maximum() {
			until = max(until, r.HiddenAt+run.Hold().Milliseconds())
		}
	}
	return until
}

// sinkAdvanced is Source.Advanced: retention may have waited for it.
func (e *Engine) sinkAdvanced(site uint32, seq uint64) {
	if pass, held := e.sinks.held.Load(site); held && seq >= pass.(uint64) && e.sinks.held.CompareAndDelete(site, pass) {
		e.eraseSoon(e.state(site))
	}
}

// retainedOf returns which of a site's hidden rows retention alone hides, after a deletion of some more.
func retainedOf(before, seqs *roaring64.Bitmap, kind query.DeletionKind) *roaring64.Bitmap {
	switch {
	case kind == query.DeleteRetention && before == nil:
		return seqs
	case kind == query.DeleteRetention:
		return roaring64.Or(before, seqs)
	case before == nil:
		return nil
	}
	return roaring64.AndNot(before, seqs)
}

// Sinks returns what the admin sees of the sinks, as JSON: {"sinks":[…]}, see sink.Status. With counts it
// says how many rows each sink must have. The error is query.ErrNotFound while no sink is configured.
func (e *Engine) Sinks(ctx context.Context, counts bool) ([]byte, error) {
	runners := e.runningSinks()
	if len(runners) == 0 {
		return nil, query.ErrNotFound
	}
	all := make([]sink.Status, 0, len(runners))
	for _, r := range runners {
		st, err := r.Status(ctx, counts)
		if err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	return json.Marshal(struct {
		Sinks []sink.Status `json:"sinks"`
	}{all})
}

// SinkTroubles returns reasons for /healthz.
func (e *Engine) SinkTroubles() (reasons []string) {
	for _, r := range e.runningSinks() {
		reasons = append(reasons, r.Troubles()...)
	}
	return reasons
}

// sinkStats returns the metrics of the sinks.
func (e *Engine) sinkStats() (all []sink.Stats) {
	for _, r := range e.runningSinks() {
		all = append(all, r.Stats())
	}
	return all
}

// sinkBytes returns the memory that sinks may take now.
func (e *Engine) sinkBytes() int64 {
	if len(e.runningSinks()) == 0 {
		return 0
	}
	return e.memory.Sinks
}
