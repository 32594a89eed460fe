// Repair: the new store, and the report.

package repair

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cairn/engine/store"
	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Report is what a repair has saved.
type Report struct {
	Events  uint64     // saved
	Lost    store.Lost // ranges that could not be saved now, and those of earlier repairs
	Damages []string   // what was damaged, one sentence each
	Notes   []string   // what the operator should know besides, one sentence each
}

// Lines returns the lost ranges as text, one a line, by site.
func (r *Report) Lines() (lines []string) {
	for _, site := range slices.Sorted(maps.Keys(r.Lost)) {
		for _, l := range r.Lost[site] {
			lines = append(lines, fmt.Sprintf("site %d: events %d to %d are lost", site, l.First, l.Last))
		}
	}
	return lines
}

// ReportName is the file in the new data directory that has the report as text.
const ReportName = "repair.txt"

// Survey reads a damaged store as Store does, and writes nothing. Its report says what Store
// would save.
func Survey(ctx context.Context, fs vfs.FS, dir string) (*Report, error) {
	r, err := begin(ctx, fs, dir)
	if err != nil {
		return nil, err
	}
	defer r.old.Close()
	if err := r.sites(); err != nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	return &r.report, nil
}

// Store makes a new data directory of what is sound in the store of another one, which no
// server may have open. newDir must not exist or must be empty. It copies keys.toml and sites.toml too.
// The new store begins a new incarnation, since events that are lost have had ids.
func Store(ctx context.Context, fs vfs.FS, dir, newDir string) (*Report, error) {
	if err := store.CheckEmpty(fs, newDir); err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	r, err := begin(ctx, fs, dir)
	if err != nil {
		return nil, err
	}
	defer r.old.Close()
	if err := r.write(newDir); err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	return &r.report, nil
}

// repairer repairs one store.
type repairer struct {
	ctx       context.Context
	fs        vfs.FS
	dir       string
	old       *store.Salvaged
	own       map[string][]byte // the store's own records and notes, by key
	deletedTo map[uint32]uint64 // by site, the newest seq that a deletion has looked at
	version   byte              // of the old store
	runs      map[uint32][]index.Descriptor
	lost      store.Lost // by earlier repairs
	nextRun   uint64
	report    Report

	db  *pebble.DB // the new store; nil = a survey
	tmp string     // directory of tables on their way into it
}

// begin opens the damaged store and reads what all of it depends on.
func begin(ctx context.Context, fs vfs.FS, dir string) (r *repairer, err error) {
	defer func() {
		if p := recover(); p != nil { // a fatal error of Pebble's
			err = fmt.Errorf("repair: %v", p)
		}
	}()
	r = &repairer{ctx: ctx, fs: fs, dir: dir, own: make(map[string][]byte), deletedTo: make(map[uint32]uint64), runs: make(map[uint32][]index.Descriptor)}
	if r.old, err = store.Salvage(fs, dir); err != nil {
		return nil, fmt.Errorf("repair: %w", err)
	}
	r.report.Damages, r.report.Notes = r.old.Damages, r.old.Notes
	if err := r.records(); err != nil {
		_ = r.old.Close()
		return nil, fmt.Errorf("repair: %w", err)
	}
	return r, nil
}

func (r *repairer) damage(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text, _, _ = strings.Cut(text, "\n"); !slices.Contains(r.report.Damages, text) {
		r.report.Damages = append(r.report.Damages, text)
	}
}

// records reads the store's own records and the list of runs, from their copies where the
// store does not have them any more.
func (r *repairer) records() error {
	var runs []index.Descriptor
	err := errors.Join(r.readOwn(store.Prefix), r.readOwn(store.PrefixNotes), r.readOwn(store.PrefixSinks))
	saved := r.readOwn(store.PrefixSaved)
	err = errors.Join(err, saved, r.readOwn(store.PrefixDeletions))
	bad := r.badSaved()
	listed := index.Descriptors(r.old.DB, func(d index.Descriptor) error {
		runs = append(runs, d)
		return nil
	})
	if damage := errors.Join(err, listed); damage != nil {
		r.damage("the list of runs or the store's own records: %v", store.Named(damage))
	}
	copied, deletions := 0, make(map[string][]byte)
	var spare []index.Descriptor
	if err := store.SpareRecords(r.fs, r.dir, func(key, value []byte) error {
		if (key[0] == store.Prefix || key[0] == store.PrefixNotes || key[0] == store.PrefixSinks) && r.own[string(key)] == nil {
			r.own[string(key)] = slices.Clone(value)
			copied++
		}
		if key[0] == store.PrefixSaved && (saved != nil || bad[string(key)]) && r.own[string(key)] == nil && savedBefore(key, value) {
			r.own[string(key)] = slices.Clone(value)
			copied++
		}
		if key[0] == store.PrefixDeletions {
			deletions[string(key)] = slices.Clone(value)
		}
		if d, err := index.ParseDescriptor(key, value); key[0] == index.PrefixDescriptor && err == nil {
			spare = append(spare, d)
		}
		return nil
	}); err != nil {
		return err
	}
	runs, more := r.withSpare(runs, spare)
	copied += more + r.deletions(deletions)
	if copied > 0 {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%d records were taken from %s", copied, store.SpareName))
	}
	if len(r.own[string(store.Key("secret"))]) == 0 || len(r.own[string(store.Key("version"))]) == 0 {
		return store.DamagedFile(store.Name, errors.New("neither the store nor its copies have the secret of its ids, so no id would stay valid: restore a snapshot"))
	}
	version := r.own[string(store.Key("version"))]
	if len(version) != 1 || version[0] < store.VersionMin || version[0] > store.VersionNewest {
		return fmt.Errorf("the store has format version %v, this cairn knows versions %d to %d", version, store.VersionMin, store.VersionNewest)
	}
	r.version = version[0]
	slices.SortFunc(runs, func(a, b index.Descriptor) int { return bytes.Compare(key(a), key(b)) })
	for _, d := range runs {
		r.runs[d.Site] = append(r.runs[d.Site], d)
		r.nextRun = max(r.nextRun, d.Run+1)
	}
	if b := r.own[string(store.Key("run"))]; len(b) == 8 {
		r.nextRun = max(r.nextRun, binary.BigEndian.Uint64(b))
	}
	r.lost, err = store.ParseLost(r.own[string(store.LostKey)])
	return err
}

// withSpare adds copies of descriptors to those of the store: the copy of a run that is whole,
// where the store has no run or a damaged one. The newest descriptors may have been in a lost
// log, and the runs that they replaced are gone. It returns how many were added.
func (r *repairer) withSpare(runs, spare []index.Descriptor) (all []index.Descriptor, added int) {
	known := make(map[uint64]bool) // whether a run is whole
	whole := func(d index.Descriptor) bool {
		is, has := known[d.Run]
		if !has {
			sum, keys, err := index.SumRun(r.old.Runs, d.Run)
			is = err == nil && sum == d.Sum && keys == d.Keys
			known[d.Run] = is
		}
		return is
	}
	for _, d := range spare {
		overlaps := func(o index.Descriptor) bool {
			return o.Site == d.Site && o.First <= d.Last() && d.First <= o.Last()
		}
		if slices.ContainsFunc(runs, func(o index.Descriptor) bool { return overlaps(o) && (o.Run == d.Run || whole(o)) }) {
			continue
		}
		if slices.ContainsFunc(runs, overlaps) {
			if !whole(d) {
				continue
			}
			runs = slices.DeleteFunc(runs, overlaps)
		}
		runs = append(runs, d)
		added++
	}
	return runs, added
}

// readOwn reads the records with a prefix.
func (r *repairer) readOwn(prefix byte) error {
	it, err := r.old.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		r.own[string(it.Key())] = slices.Clone(it.Value())
	}
	return it.Close()
}

func key(d index.Descriptor) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, d.Site), d.First)
}

// sites saves all sites. In a survey it only reads them.
func (r *repairer) sites() (err error) {
	defer func() {
		if p := recover(); p != nil { // a fatal error of Pebble's
			err = fmt.Errorf("%v", p)
		}
	}()
	ids := slices.Collect(maps.Keys(r.runs))
	logged, err := r.logged()
	if err != nil {
		r.damage("the log: %v", store.Named(err))
	}
	for _, id := range logged {
		if r.runs[id] == nil {
			ids = append(ids, id)
		}
	}
	for id := range r.lost { // all events of a site may be lost
		ids = append(ids, id)
	}
	slices.Sort(ids)
	r.report.Lost = make(store.Lost)
	for _, id := range slices.Compact(ids) {
		s := &siteRepair{repairer: r, site: id}
		if err := s.repair(); err != nil {
			return err
		}
	}
	return r.compareMark()
}

// compareMark notes events that are lost without a trace: there were more than are saved or
// in the list of lost ones.
func (r *repairer) compareMark() error {
	mark, err := wal.ReadHighWaterMark(r.fs, r.dir)
	if err != nil {
		return err
	}
	known := r.report.Events
	for site := range r.report.Lost {
		known += r.report.Lost.Count(site)
	}
	if n := mark.Events(); n > known {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("the store had at least %d events, so at least %d more are lost: the newest of one site or of several", n, n-known))
	}
	return nil
}

// logged returns the sites that have rows in the log. Behind damage it takes those that the
// store knows by name.
func (r *repairer) logged() (sites []uint32, damage error) {
	if sites, damage = wal.Sites(r.old.DB); damage == nil {
		return sites, nil
	}
	names, err := store.ParseNames(r.own[string(store.NamesKey)])
	if err != nil {
		return nil, err
	}
	for _, id := range names.IDs {
		sites = append(sites, id)
	}
	return sites, damage
}

// write makes the new data directory.
func (r *repairer) write(newDir string) error {
	fs := r.fs
	part := fs.PathJoin(newDir, store.PartialName)
	if err := store.MakeDir(fs, part); err != nil {
		return err
	}
	r.tmp = newDir
	db, err := store.OpenPebble(part, &pebble.Options{FS: fs, FormatMajorVersion: store.PebbleFormat, Logger: store.QuietLogger})
	if err != nil {
		return err
	}
	r.db = db
	err = r.sites()
	if err == nil {
		err = r.finish(newDir)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := fs.Rename(part, store.Dir(fs, newDir)); err != nil {
		return err
	}
	return wal.SyncDir(fs, newDir)
}

// finish writes the store's own records, the high-water mark, keys.toml, sites.toml and the report.
func (r *repairer) finish(newDir string) error {
	b := r.db.NewBatch()
	defer b.Close()
	r.own[string(store.Key("version"))] = []byte{max(r.version, store.Version)} // the runs that were written anew have its format
	for k, v := range r.own {
		if err := b.Set([]byte(k), v, nil); err != nil {
			return err
		}
	}
	if err := b.Set(store.Key("run"), binary.BigEndian.AppendUint64(nil, r.nextRun), nil); err != nil {
		return err
	}
	if len(r.report.Lost) > 0 {
		if err := b.Set(store.LostKey, r.report.Lost.Append(nil), nil); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	if err := store.BeginIncarnation(r.db); err != nil {
		return err
	}
	last, err := store.LastSeqs(r.db)
	if err != nil {
		return err
	}
	var total uint64
	for _, n := range last {
		total += n
	}
	mark, err := wal.ReadHighWaterMark(r.fs, newDir)
	if err != nil {
		return err
	}
	if err := mark.Write(total); err != nil {
		return err
	}
	if err := store.CopySettings(r.fs, r.dir, newDir); err != nil {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("keys.toml or sites.toml was not copied: %v", err))
	}
	return store.WriteFile(r.fs, r.fs.PathJoin(newDir, ReportName), []byte(r.report.Text()))
}

// Text returns the report as text.
func (r *Report) Text() string {
	var b strings.Builder
	for _, list := range [][]string{r.Damages, r.Notes, r.Lines()} {
		for _, line := range list {
			fmt.Fprintln(&b, line)
		}
	}
	fmt.Fprintf(&b, "%d events are saved\n", r.Events)
	return b.String()
}

// ingest adds a table of runs to the new store, with their descriptors.
func (r *repairer) ingest(run uint64, write func(index.Sink) error, put func(*pebble.Batch) error) error {
	path := r.fs.PathJoin(r.tmp, fmt.Sprintf("run-%d.sst", run))
	f, err := r.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer r.fs.Remove(path)
	opts := &pebble.Options{FS: r.fs, FormatMajorVersion: store.PebbleFormat}
	opts.EnsureDefaults()
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), opts.MakeWriterOptions(6, r.db.TableFormat()))
	if err := errors.Join(write(w), w.Close()); err != nil {
		return err
	}
	if err := r.db.Ingest(r.ctx, []string{path}); err != nil {
		return err
	}
	b := r.db.NewBatch()
	defer b.Close()
	if err := put(b); err != nil {
		return err
	}
	return b.Commit(pebble.Sync)
}
