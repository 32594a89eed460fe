// Check: opens a store and checks all of its sites.

package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/records"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Report is what Store found.
type Report struct {
	Snapshot bool // the directory is a snapshot; its files match the manifest if there are no Problems
	Sites    int
	Events   uint64
	Runs     int
	Unsealed uint64   // events that are only in the log
	Lost     uint64   // events that repairs could not save; the ids of their sites are not compared
	Problems []string // one sentence each, at most problemsMax; empty when the store is good
	Next     Place    // where a check that was cut off by its context goes on; zero = it came to the end
}

// Place is where a check begins: at the run of a site that has an event. The zero Place is the
// beginning of the store.
type Place struct {
	Site uint32
	Seq  uint64
}

const problemsMax = 20

// Options say what to check, and how. Only Dir is required.
type Options struct {
	Dir string // a data directory or a snapshot
	FS  vfs.FS // nil = the disk
	// Memory is about how many bytes the check may take; 0 = memoryDefault. However many events
	// there are, the process takes about a quarter more.
	Memory int64
	// From is where to begin. Of the site in whose middle that is, the runs from there on are
	// checked alone, and of these not the ids, sessions and links, which follow from all earlier
	// events.
	From Place
	// Progress is called now and then with the events checked so far, and with how many
	// there are in runs. It is called in the goroutine of the check.
	Progress func(done, of uint64)
}

const memoryDefault = 256 << 20

// filterShare is the share of the memory that the filter of a site's ids may take. Nearly every
// event has some id that is new, which the filter knows without a look into the scratch database.
const filterShare = 16

// Store is With for a directory, with the defaults. fs may be nil for the disk.
func Store(ctx context.Context, fs vfs.FS, dir string) (Report, error) {
	return With(ctx, Options{Dir: dir, FS: fs})
}

// With checks a data directory or snapshot. No server may have it open; With changes
// nothing. It checks that no events are missing, rebuilds each run from its rows and compares
// it byte for byte, and computes totals, deltas, ids, sessions and links from the rows. Ids
// that do not fit in memory are in a temporary directory. An error means that the check could
// not be done; what it found is in the report.
func With(ctx context.Context, o Options) (report Report, err error) {
	fs, dir := o.FS, o.Dir
	if fs == nil {
		fs = vfs.Default
	}
	if o.Memory == 0 {
		o.Memory = memoryDefault
	}
	defer func() {
		if r := recover(); r != nil { // a fatal error of Pebble's
			err = fmt.Errorf("check: %v", r)
		}
		if err != nil && store.Damaged(err) == nil {
			if back := store.WayBack(fs, dir); back != "" {
				err = fmt.Errorf("%w. %s", err, back)
			}
		}
	}()
	if _, serr := fs.Stat(fs.PathJoin(dir, store.ManifestName)); serr == nil {
		report.Snapshot = true
		if _, err := store.VerifySnapshot(fs, dir); err != nil {
			report.Problems = append(report.Problems, err.Error())
			return report, nil
		}
	}
	mark, err := wal.ReadHighWaterMark(fs, dir)
	if err != nil {
		return report, fmt.Errorf("check: %w", err)
	}
	if !report.Snapshot { // the sums of a snapshot's files have been compared
		if _, err := store.Look(fs, dir); err != nil {
			return report, fmt.Errorf("check: %w", store.Named(err))
		}
		err := store.ChangedTables(fs, dir, func(name string) {
			report.Problems = append(report.Problems, name+" is not what was written")
		})
		if err != nil {
			return report, fmt.Errorf("check: %w", err)
		}
	}
	db, err := store.OpenPebble(store.Dir(fs, dir), store.ReadOnlyOptions(fs))
	if err != nil {
		return report, fmt.Errorf("check: %w", store.Named(err))
	}
	defer db.Close()
	own, err := store.Read(db)
	if err != nil {
		return report, fmt.Errorf("check: %w", err)
	}
	// Rows are read in order, but their ids are anywhere in the dictionary of a run. The
	// cache should hold the whole dictionary of a large run.
	c := &checker{ctx: ctx, db: db, version: own.Version, cache: index.NewCache(o.Memory / 2), report: &report, memory: o.Memory, progress: o.Progress}
	defer c.close()
	if c.lost, err = store.ReadLost(db); err != nil {
		return report, fmt.Errorf("check: %w", err)
	}
	for site := range c.lost {
		report.Lost += c.lost.Count(site)
	}
	if err := c.all(o.From); err != nil && !errors.Is(err, errProblems) {
		return report, fmt.Errorf("check: %w", store.Named(err))
	}
	if o.From == (Place{}) && report.Events+report.Lost < mark.Events() && len(report.Problems) == 0 {
		c.problem("the log has %d events but should have at least %d", report.Events, mark.Events())
	}
	return report, nil
}

// errProblems ends a check that has found problemsMax problems.
var errProblems = errors.New("too many problems")

// checker checks one store.
type checker struct {
	ctx     context.Context
	db      *pebble.DB
	version byte // the store's format version
	cache   *index.Cache
	lost    store.Lost
	report  *Report
	memory  int64 // bytes

	progress func(done, of uint64)
	checked  uint64
	rows     uint64 // of all runs

	ids    *pebble.DB // ids that are not in memory; nil until there are any
	idsDir string
	failed error // the check cannot go on
}

// fail notes that the check cannot go on, because of an error that is not in the store.
func (c *checker) fail(err error) { c.failed = cmp.Or(c.failed, err) }

// done counts rows that are checked.
func (c *checker) done(rows int) {
	if c.checked += uint64(rows); c.progress != nil {
		c.progress(c.checked, c.rows)
	}
}

// scratch returns the database of the ids that are not in memory. It lies in a directory for
// temporary files, is not synced, and is removed when the check ends.
func (c *checker) scratch() (*pebble.DB, error) {
	if c.ids != nil {
		return c.ids, nil
	}
	dir, err := os.MkdirTemp("", "cairn-check-")
	if err != nil {
		return nil, err
	}
	c.idsDir = dir
	c.ids, err = store.OpenPebble(dir, store.ScratchOptions())
	return c.ids, err
}

// close removes the scratch database.
func (c *checker) close() {
	if c.ids != nil {
		_ = c.ids.Close()
	}
	if c.idsDir != "" {
		_ = os.RemoveAll(c.idsDir)
	}
}

// problem adds a problem to the report, unless it has problemsMax.
func (c *checker) problem(format string, args ...any) {
	if len(c.report.Problems) < problemsMax {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

// all checks all sites that are not before a place.
func (c *checker) all(from Place) error {
	runs := make(map[uint32][]*index.Run)
	err := index.Descriptors(c.db, func(d index.Descriptor) error {
		c.rows += d.Rows
		runs[d.Site] = append(runs[d.Site], index.NewRun(d, c.db, c.cache, table.Format))
		return nil
	})
	if err != nil {
		c.problem("%v", err)
		return nil
	}
	c.checkSaved()
	c.checkSinks()
	c.checkBrowsers()
	logged, err := wal.Sites(c.db)
	if err != nil {
		return err
	}
	sites := slices.Collect(maps.Keys(runs))
	for _, s := range logged {
		if runs[s] == nil {
			sites = append(sites, s)
		}
	}
	slices.Sort(sites)
	c.report.Sites = len(sites)
	for _, id := range sites {
		s := &siteCheck{checker: c, site: id, ids: identity.NewIDs(nil, int(c.memory/8))}
		switch {
		case id < from.Site:
			continue
		case id == from.Site:
			s.from = from.Seq
		}
		s.ids.NewFilter(c.memory / filterShare)
		starts, err := records.RuleStarts(c.db, c.version, id)
		if err != nil {
			c.problem("%v", err)
			continue
		}
		s.ids.SetRules(id, event.NewRules(starts))
		s.names.unnamed, s.names.nobody = roaring64.New(), roaring64.New()
		s.links = newStoredLinks(c.db, id)
		err = s.check(runs[id])
		s.links.stop()
		if err = cmp.Or(c.failed, err); err != nil {
			return err
		}
	}
	return nil
}
