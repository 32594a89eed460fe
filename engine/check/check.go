// Check: opens a store and checks all of its sites.

package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/records"
	"cairn/engine/store"
	"cairn/engine/table"
	"cairn/index"
	"cairn/wal"

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
	Problems []string // one sentence each, at most problemsMax; empty when the store is good
}

const problemsMax = 20

// Store checks a data directory or snapshot. No server may have it open; Store changes
// nothing. fs may be nil for the disk. It checks that no events are missing, rebuilds each
// run from its rows and compares it byte for byte, and computes totals, deltas, ids, sessions
// and links from the rows. It keeps every id in memory. An error means that the check could
// not be done; what it found is in the report.
func Store(ctx context.Context, fs vfs.FS, dir string) (report Report, err error) {
	if fs == nil {
		fs = vfs.Default
	}
	defer func() {
		if r := recover(); r != nil { // a fatal error of Pebble's
			err = fmt.Errorf("check: %v", r)
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
	db, err := store.OpenPebble(store.Dir(fs, dir), store.ReadOnlyOptions(fs))
	if err != nil {
		return report, fmt.Errorf("check: %w", err)
	}
	defer db.Close()
	own, err := store.Read(db)
	if err != nil {
		return report, fmt.Errorf("check: %w", err)
	}
	// Rows are read in order, but their ids are anywhere in the dictionary of a run. The
	// cache should hold the whole dictionary of a large run.
	c := &checker{ctx: ctx, db: db, version: own.Version, cache: index.NewCache(256 << 20), report: &report}
	if err := c.all(); err != nil && !errors.Is(err, errProblems) {
		return report, fmt.Errorf("check: %w", err)
	}
	if report.Events < mark.Events() && len(report.Problems) == 0 {
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
	report  *Report
}

// problem adds a problem to the report, unless it has problemsMax.
func (c *checker) problem(format string, args ...any) {
	if len(c.report.Problems) < problemsMax {
		c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
	}
}

// all checks all sites.
func (c *checker) all() error {
	runs := make(map[uint32][]*index.Run)
	err := index.Descriptors(c.db, func(d index.Descriptor) error {
		runs[d.Site] = append(runs[d.Site], index.NewRun(d, c.db, c.cache, table.Format))
		return nil
	})
	if err != nil {
		c.problem("%v", err)
		return nil
	}
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
		s := &siteCheck{checker: c, site: id, ids: identity.NewIDs(nil, math.MaxInt), links: make(map[string]int)}
		starts, err := records.RuleStarts(c.db, c.version, id)
		if err != nil {
			c.problem("%v", err)
			continue
		}
		s.ids.SetRules(id, event.NewRules(starts))
		if err := s.check(runs[id]); err != nil {
			return err
		}
	}
	return nil
}
