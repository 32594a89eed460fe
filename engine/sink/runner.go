// Runner: carries the rows of one store to one sink.

package sink

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/erase"
	"cairn/engine/export"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/records"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Source is the store that rows come from. All of it may be called by any goroutine.
type Source struct {
	DB     *pebble.DB
	Read   *read.Reader
	Number uint64 // of this cairn in sinks; see NumberOf

	Sites func() ([]Site, error) // of the store, by number
	Last  func(site uint32) uint64

	// Deletions returns the deletions of a site that name a sink and still have seqs which it needs.
	// Changed returns a number that grows after each deletion.
	Deletions func(site uint32, sink string) ([]*erase.Record, error)
	Changed   func(site uint32) uint64
	// Between calls a function while no deletion is being made.
	Between func(func() error) error
	// CarriedOut notes durably what a sink has done for a deletion.
	CarriedOut func(site uint32, id uint64, done query.SinkReceipt) error
	// Advanced is told that a sink has the rows of a site up to a seq.
	Advanced func(site uint32, seq uint64)

	Full    func() bool // nothing may be written now
	Now     func() time.Time
	Elapsed func() time.Duration
	FS      vfs.FS
	Dir     string // for BadName
	Bytes   int64  // memory of a runner
	Log     *slog.Logger
}

// Limits of a range, and how long things wait.
const (
	rowsMost   = 100_000
	bytesMost  = 32 << 20
	monthsMost = 50 // ClickHouse refuses an INSERT into more than 100 partitions
	delayMost  = 5 * time.Second
	dueShare   = 5 // this part of the most rows waits for no others; while it is on its way the next range gets larger
	retryFirst = time.Second
	retryTimes = 60 // how many times as long the last wait is
	lookEvery  = time.Hour
	pollMost   = 500 * time.Millisecond
)

// Runner carries the rows of a store to a sink. One goroutine does that, see Run. Other methods may be
// called by any goroutine.
type Runner struct {
	cfg  Config
	src  Source
	name string
	log  *slog.Logger

	// Of the goroutine.
	sites  map[uint32]*carried
	ready  bool          // Open has returned nil since the last error
	wait   time.Duration // after the next error that passes
	again  time.Duration // by Elapsed: nothing is asked of the sink before
	next   int           // place of the site with which the next pass begins
	begun  bool          // cursors were read
	remet  int           // how many errors of the sink there were: its table may be another one since
	lines  export.Lines
	loaded *carried // whose range lines has; nil = nobody's
	ids    []byte

	rows, bytes, sends, nanos atomic.Int64
	errors                    atomic.Int64

	counter     Counter   // the sink; nil = it cannot count
	nextNight   time.Time // when the next check begins
	checkErrors atomic.Int64

	mu     sync.Mutex
	fault  *Fault // of the sink itself; nil = it is well
	since  int64  // of fault, Unix milliseconds
	public map[uint32]*carried
}

// carried is a site on its way to the sink. The goroutine of the runner changes it, what the first
// block has under Runner.mu.
type carried struct {
	Site
	at      records.SinkCursor
	fault   *Fault // what holds up this site alone; nil = nothing
	since   int64  // of fault, Unix milliseconds
	waiting int64  // since when the first row waits that the sink lacks, Unix milliseconds; 0 = none waits
	pending int    // deletions that the sink has not carried out

	last    uint64        // as of the last pass
	noticed time.Duration // by Elapsed: when rows were seen to wait
	backlog bool          // the last range was cut: there is more
	asked   uint64        // row whose time waiting is
	limit   int           // rows of a range while a bad one is looked for; 0 = no limit
	again   time.Duration // by Elapsed: nothing is tried before, because of fault

	check    check
	looked   bool          // the sink was compared with the store since the start
	met      int           // Runner.remet as of the last look
	refilled bool          // it went again from its begin, since the start
	lookedAt time.Duration // by Elapsed
	foreign  bool          // the last look found rows that are not this store's

	changed   uint64 // Source.Changed when deletions was read, plus 1; 0 = it was not
	deletions []deletion
	form      Form   // of the range that is loaded
	missing   uint64 // of it: rows that the sink will miss
	seen      uint64 // Source.Changed before the range was loaded
}

// NewRunner makes a runner. Run starts it.
func NewRunner(cfg Config, src Source) (*Runner, error) {
	name := cfg.Sink.Name()
	if name == "" || len(name) > records.SinkNameMax {
		return nil, fmt.Errorf("sink: the name %q has not 1 to %d bytes", name, records.SinkNameMax)
	}
	cfg.Hold, cfg.LagWarn = cmp.Or(cfg.Hold, HoldDefault), cmp.Or(cfg.LagWarn, LagWarnDefault)
	cfg.Delay, cfg.Retry, cfg.LookEvery = cmp.Or(cfg.Delay, delayMost), cmp.Or(cfg.Retry, retryFirst), cmp.Or(cfg.LookEvery, lookEvery)
	cfg.CheckAgain = cmp.Or(cfg.CheckAgain, checkAgain)
	cfg.Rows, cfg.Bytes = cmp.Or(cfg.Rows, rowsMost), cmp.Or(cfg.Bytes, int(min(bytesMost, src.Bytes*5/8)))
	src.Number = cmp.Or(cfg.StoreNum, src.Number)
	counter, _ := cfg.Sink.(Counter)
	return &Runner{cfg: cfg, counter: counter, src: src, name: name, log: src.Log.With("sink", name), wait: cfg.Retry, sites: make(map[uint32]*carried), public: make(map[uint32]*carried)}, nil
}

// Name returns the name of the sink.
func (r *Runner) Name() string { return r.name }

// Hold returns how long retention waits for the sink.
func (r *Runner) Hold() time.Duration { return r.cfg.Hold }

// Run carries rows until ctx is done. Then it closes the sink.
func (r *Runner) Run(ctx context.Context) {
	defer func() {
		if err := r.cfg.Sink.Close(); err != nil {
			r.log.Warn("sink: close", "error", err)
		}
	}()
	poll := time.NewTicker(max(time.Millisecond, min(pollMost, r.cfg.Delay/4)))
	defer poll.Stop()
	for ctx.Err() == nil {
		if more := r.safely(ctx); more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
}

// safely is pass. A panic becomes an error: the store goes on without its sink.
func (r *Runner) safely(ctx context.Context) (more bool) {
	err := func() (err error) {
		defer query.Recovered(&err)
		more, err = r.pass(ctx)
		return err
	}()
	if err != nil {
		r.failed(ctx, nil, err)
		more = false
	}
	return more
}

// pass does for each site what is due. more says that there is more to do at once.
func (r *Runner) pass(ctx context.Context) (more bool, err error) {
	if r.src.Elapsed() < r.again {
		return false, nil
	}
	if err := r.meet(); err != nil {
		return false, err
	}
	r.night()
	if !r.ready {
		if err := r.cfg.Sink.Open(ctx); err != nil {
			for _, s := range r.sites { // rows wait although nothing can be sent
				r.notice(s, r.src.Elapsed())
			}
			return false, &sinkError{err}
		}
		r.ready = true
	}
	failed := false
	order := r.order()
	for i := range order {
		if ctx.Err() != nil {
			return false, nil
		}
		s := order[(r.next+i)%len(order)]
		did, err := r.step(ctx, s)
		if err != nil {
			r.next = (r.next + i + 1) % len(order) // another site may do better
			failed = true
			r.failed(ctx, s, err)
			if r.src.Elapsed() < r.again {
				return false, nil
			}
			continue
		}
		more = more || did
	}
	if !failed && r.fault != nil { // nothing is due any more
		r.change(func() { r.fault = nil })
	}
	return more, nil
}

// order returns the sites by number.
func (r *Runner) order() []*carried {
	all := make([]*carried, 0, len(r.sites))
	for _, s := range r.sites {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *carried) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// errFull says that the store takes no cursor.
var errFull = &Fault{Passes: true, Code: "store_full", Err: query.ErrDiskFull}

// meet begins the cursors of sites that have none. Before a site has a cursor nothing of it is sent:
// a deletion names the sinks that have one. One that is being made has looked for these already, and does not
// hide its rows yet; so the cursors begin before it or after it.
func (r *Runner) meet() error {
	sites, err := r.src.Sites()
	if err != nil {
		return err
	}
	first := !r.begun
	if first {
		all, err := records.SinkCursors(r.src.DB)
		if err != nil {
			return &Fault{Code: "damaged_cursor", Err: err}
		}
		for _, c := range all {
			if c.Sink == r.name {
				if last := r.src.Last(c.Site); c.Cursor > last || c.Sending.Last > last {
					// A repair has lost the newest rows, and their seqs are given again. The look then finds
					// that the sink has other rows.
					c.Cursor, c.Sending = min(c.Cursor, last), records.SinkRange{}
					c.Checked = min(c.Checked, c.Cursor)
				}
				r.add(&carried{Site: Site{c.Site, c.SiteName}, at: *c})
				first = false
			}
		}
		r.begun = true
	}
	var fresh []*carried
	for _, site := range sites {
		if r.sites[site.Number] != nil {
			continue
		}
		site.Name = r.nameOf(site, sites)
		s := &carried{Site: site}
		s.at = records.SinkCursor{Sink: r.name, Site: site.Number, SiteName: site.Name, Begun: r.src.Now().UnixMilli(), Since: r.src.Last(site.Number)}
		if first && r.cfg.FromNow {
			s.at.Cursor = s.at.Since
		}
		s.at.Checked = s.at.Cursor
		s.at.Stores = []records.SinkStore{{Number: r.src.Number, First: s.at.Cursor + 1}}
		fresh = append(fresh, s)
	}
	if len(fresh) == 0 {
		return nil
	}
	cursors := make([]*records.SinkCursor, len(fresh))
	for i, s := range fresh {
		cursors[i] = &s.at
	}
	if err := r.src.Between(func() error { return r.write(cursors...) }); err != nil {
		r.begun = r.begun && !(first && r.cfg.FromNow) // first stays true
		return err
	}
	for _, s := range fresh {
		r.add(s)
	}
	return nil
}

// nameOf returns the name of a site in the sink. It is what the site is called when the sink meets it, and
// stays so: rows that are there already would be found under no other name, neither by a deletion nor by a
// range that goes again. Where a site has it that is called otherwise by now, its number makes it another.
func (r *Runner) nameOf(site Site, sites []Site) string {
	taken := func(o Site) bool {
		had := r.sites[o.Number]
		return had != nil && had.Name == site.Name && o.Name != site.Name
	}
	for slices.ContainsFunc(sites, taken) {
		site.Name += fmt.Sprintf("-%d", site.Number)
	}
	return site.Name
}

func (r *Runner) add(s *carried) {
	r.sites[s.Number] = s
	r.change(func() { r.public[s.Number] = s })
}

// change changes what other goroutines read.
func (r *Runner) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

// write writes cursors, durably.
func (r *Runner) write(cursors ...*records.SinkCursor) error {
	if r.src.Full() {
		return errFull
	}
	if err := store.Raise(r.src.DB, store.VersionSinks); err != nil {
		return err
	}
	b := r.src.DB.NewBatch()
	defer b.Close()
	for _, c := range cursors {
		if err := c.Put(b); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("write the cursor of a sink: %w", err)
	}
	return nil
}

// move writes the cursor of a site and then shows it.
func (r *Runner) move(s *carried, to records.SinkCursor) error {
	to.SiteName, to.Checked = s.Name, min(to.Checked, to.Cursor)
	if err := r.write(&to); err != nil {
		return err
	}
	r.change(func() { s.at = to })
	r.src.Advanced(s.Number, to.Cursor)
	return nil
}

// step does for a site what is due: deletions, the look, one range. did says that it has sent a range
// or has carried out a deletion.
func (r *Runner) step(ctx context.Context, s *carried) (did bool, err error) {
	now := r.src.Elapsed()
	r.notice(s, now)
	if now < s.again {
		return false, nil
	}
	if err := r.readDeletions(s); err != nil {
		return false, err
	}
	due, deleting := r.due(s, now), s.pending > 0
	looking := !s.looked && (due || deleting || s.at.Cursor > 0) || s.looked && now-s.lookedAt >= r.cfg.LookEvery && s.at.Cursor > 0 || s.foreign ||
		s.met != r.remet && s.at.Cursor > 0 && (due || deleting)
	checking := s.checking(now)
	if !due && !deleting && !looking && !checking {
		if s.fault != nil {
			r.well(s)
		}
		return false, r.settle(s)
	}
	if r.waitsForName(s) {
		return false, nil
	}
	if looking {
		if err := r.look(ctx, s); err != nil {
			return false, err
		}
		due = r.due(s, now)
	}
	if s.pending > 0 {
		if err := r.carryOut(ctx, s); err != nil {
			return false, err
		}
		did = true
	}
	if due {
		if err := r.send(ctx, s); err != nil {
			return false, err
		}
		r.notice(s, r.src.Elapsed())
		did = did || s.backlog
	}
	if checking {
		did = r.compare(ctx, s) || did
	}
	r.well(s)
	return did, r.settle(s)
}

// notice looks whether rows wait.
func (r *Runner) notice(s *carried, now time.Duration) {
	s.last = r.src.Last(s.Number)
	switch waits := s.last > s.at.Cursor; {
	case !waits && s.waiting != 0:
		r.change(func() { s.waiting = 0 })
		s.asked = 0
	case waits && s.asked != s.at.Cursor+1:
		s.noticed, s.asked = now, s.at.Cursor+1
		since := r.src.Now().UnixMilli()
		if rows, err := r.src.Read.CarriedRows(context.Background(), &query.Site{ID: s.Number, Name: s.Name}, []uint64{s.asked}); err == nil && rows[0].Held == read.HeldRow && !rows[0].Imported {
			since = min(since, max(rows[0].Received, s.at.Begun))
		}
		r.change(func() { s.waiting = since })
	}
}

// due reports whether a range is to be sent now.
func (r *Runner) due(s *carried, now time.Duration) bool {
	if s.at.Sending.Last != 0 {
		return true
	}
	return s.last > s.at.Cursor && (s.backlog || s.last-s.at.Cursor >= uint64(max(1, r.cfg.Rows/dueShare)) || now-s.noticed >= r.cfg.Delay)
}

// storeAt returns the number that a seq of a site is sent with, and the last seq for which it holds.
func (s *carried) storeAt(seq uint64) (number, last uint64) {
	last = math.MaxUint64
	for i := len(s.at.Stores) - 1; i >= 0; i-- {
		if st := &s.at.Stores[i]; st.First <= seq || i == 0 {
			return st.Number, last
		}
		last = s.at.Stores[i].First - 1
	}
	return 0, 0
}
