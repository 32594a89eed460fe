// Look: what must be true of a store before it is opened for writing.

package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"cairn/engine/query"
	"cairn/index"
	"cairn/wal"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Found is what Look has found.
type Found struct {
	Exists  bool
	Events  uint64            // events ever stored, those that a repair could not save too
	Sites   []uint32          // that have events
	Names   Names             // what the store knows of the names of its sites
	Zones   map[uint32]string // the time zones that sites had when the store was last open, by id
	Damages []*query.Damage   // what is damaged, but does not keep the store from being opened

	manifest   Extent     // as far as it is good
	tables     []TableSum // known sums of the tables that the store has
	counter    uint64     // of the newest mark
	badOptions []string   // OPTIONS files that Pebble would refuse
}

// Look checks a store before it is opened for writing, because opening removes every table that
// the manifest does not name. It changes nothing. It fails unless all of this holds:
//
//	The manifest and the log files begin with what was written to them, as far as a mark says.
//	No good record of the manifest follows a bad one.
//	Every table that the manifest names is there, and has its length.
//	Every run has its first and its last page, and no event between 1 and the newest is missing.
//	The log, and the records and notes that every start reads, can be read.
//	The store has as many events as the high-water mark says.
//
// It reads no table as a whole. The error is a *query.Damage when it is about a file.
func Look(fs vfs.FS, dir string) (*Found, error) {
	if fs == nil {
		fs = vfs.Default
	}
	// First: whatever else such a directory lacks is no damage.
	if _, err := fs.Stat(fs.PathJoin(dir, PartialName)); err == nil {
		return nil, fmt.Errorf("the restore or repair into %s was interrupted. Nothing is lost: the snapshot or the other directory is as it was. Remove this one and run the command again", dir)
	}
	f := &Found{}
	mark, err := wal.ReadHighWaterMark(fs, dir)
	if err != nil {
		return nil, err
	}
	var marked []Extent
	f.counter, marked = readMarks(fs, dir)
	known := mark.Events() > 0 || len(marked) > 0
	path := Dir(fs, dir)
	names, err := fs.List(path)
	if errors.Is(err, os.ErrNotExist) && known {
		return nil, DamagedFile(Name, fmt.Errorf("the directory is missing, where there were %d events", mark.Events()))
	}
	if errors.Is(err, os.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	manifest, err := currentManifest(names)
	if err != nil {
		return nil, err
	}
	if manifest == "" {
		if left := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".sst") }); known || left >= 0 {
			return nil, DamagedFile(Name+"/marker.manifest", fmt.Errorf("the file that names the manifest is missing; its name is marker.manifest.N.MANIFEST-N"))
		}
		return f, nil // there is no store yet, or its first start was cut short
	}
	if err := f.lookAtFiles(fs, path, names, manifest, marked); err != nil {
		return nil, err
	}
	f.Exists = true
	desc, err := pebble.Peek(path, fs)
	if err != nil {
		return nil, damagedStore(err)
	}
	if desc.FormatMajorVersion > PebbleFormat {
		return nil, fmt.Errorf("the store has Pebble format %d, this cairn knows up to %d: use a newer cairn", desc.FormatMajorVersion, PebbleFormat)
	}
	if known && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "marker.format-version.") }) {
		return nil, DamagedFile(Name+"/marker.format-version", errors.New("the file that names Pebble's format is missing"))
	}
	f.lookAtOptions(fs, path, names)
	db, err := OpenPebble(path, ReadOnlyOptions(fs))
	if err != nil {
		return nil, damagedStore(err)
	}
	defer db.Close()
	if err := f.lookInside(fs, dir, path, db, mark.Events()); err != nil {
		return nil, damagedStore(err)
	}
	return f, nil
}

// Follow returns the file system for the store that Look has looked at. It follows what is
// written to it. Pebble gets it, or one over it.
func (f *Found) Follow(fs vfs.FS, dir string) *Written {
	path := Dir(fs, dir)
	if len(f.badOptions) > 0 {
		fs = hiding{fs, path, f.badOptions}
	}
	w := Follow(fs, path)
	w.Begin(f.manifest, f.tables)
	return w
}

// Opened removes, when the store has been opened for writing, what it was opened without.
func (f *Found) Opened(fs vfs.FS, dir string) error {
	for _, name := range f.badOptions {
		if err := fs.Remove(fs.PathJoin(Dir(fs, dir), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a damaged file: %w", err)
		}
	}
	return nil
}

// lookAtCopy looks at a snapshot of the store as Look does. Any damage is an error.
func lookAtCopy(fs vfs.FS, dir string) (*Found, error) {
	f, err := Look(fs, dir)
	if err == nil && !f.Exists {
		err = DamagedFile(Name, errors.New("there is no store"))
	}
	if err == nil && len(f.Damages) > 0 {
		err = f.Damages[0]
	}
	return f, err
}

// currentManifest returns the name of the manifest that the markers name, "" when there is no
// marker. Of several markers the one with the highest number counts, as for Pebble.
func currentManifest(names []string) (manifest string, err error) {
	best := uint64(0)
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, "marker.manifest.")
		if !ok {
			continue
		}
		number, value, _ := strings.Cut(rest, ".")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || !strings.HasPrefix(value, "MANIFEST-") {
			return "", DamagedFile(Name+"/"+name, errors.New("it names no manifest"))
		}
		if manifest == "" || n > best {
			best, manifest = n, value
		}
	}
	return manifest, nil
}

// number is the number in the name of a file of Pebble's.
func number(name string) uint64 {
	digits := strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(name, ".log"), ".sst"), "MANIFEST-")
	n, _ := strconv.ParseUint(digits, 10, 64)
	return n
}

// lookAtFiles compares the manifest and the log files with the newest mark.
func (f *Found) lookAtFiles(fs vfs.FS, path string, names []string, manifest string, marked []Extent) error {
	b, err := readAll(fs, fs.PathJoin(path, manifest))
	if err != nil {
		return DamagedFile(Name+"/"+manifest, err)
	}
	var mark Extent
	if len(marked) > 0 {
		mark = marked[0]
	}
	if mark.Name != "" && number(manifest) < number(mark.Name) {
		return DamagedFile(Name+"/"+mark.Name, fmt.Errorf("the store used this manifest, but now names the older %s", manifest))
	}
	l, err := readListing(b, manifest, mark)
	if err != nil {
		return err
	}
	f.manifest = l.extent
	for _, log := range marked[min(1, len(marked)):] {
		if number(log.Name) < l.minLog {
			continue // its rows are in tables
		}
		if err := lookAtLog(fs, path, log); err != nil {
			return DamagedFile(Name+"/"+log.Name, err)
		}
	}
	return nil
}

// lookAtLog compares a log file with what is known of its beginning.
func lookAtLog(fs vfs.FS, path string, log Extent) error {
	b, err := readAll(fs, fs.PathJoin(path, log.Name))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("the file is missing; it has events that are in no table yet")
	case err != nil:
		return err
	case int64(len(b)) < log.Size:
		return fmt.Errorf("it has %d bytes, but %d were written", len(b), log.Size)
	case xxhash.Sum64(b[:log.Size]) != log.Sum:
		return fmt.Errorf("its first %d bytes are not what was written", log.Size)
	}
	return nil
}

// lookAtOptions finds OPTIONS files that Pebble would refuse to read. They are of no use to
// cairn, so the store is opened without them.
func (f *Found) lookAtOptions(fs vfs.FS, path string, names []string) {
	for _, name := range names {
		if !strings.HasPrefix(name, "OPTIONS-") {
			continue
		}
		text, err := readAll(fs, fs.PathJoin(path, name))
		if err == nil {
			o := &pebble.Options{FS: fs}
			o.EnsureDefaults()
			err = o.CheckCompatibility(path, string(text))
		}
		if err != nil {
			f.badOptions = append(f.badOptions, name)
		}
	}
}

// lookInside checks what the tables and the log hold together.
func (f *Found) lookInside(fs vfs.FS, dir, path string, db *pebble.DB, events uint64) error {
	live, err := liveTables(fs, path, db)
	if err != nil {
		return err
	}
	for _, t := range KnownTables(fs, dir) {
		if live[t.Name] {
			f.tables = append(f.tables, t)
		}
	}
	version, err := Get(db, Key("version"))
	if err != nil || version == nil && events == 0 {
		return err // without a version the first start was cut short
	}
	if _, err := Read(db); err != nil {
		return err
	}
	if f.Names, err = ReadNames(db); err != nil {
		return err
	}
	last, err := LastSeqs(db)
	if err != nil {
		return err
	}
	f.Zones = make(map[uint32]string)
	for site, n := range last {
		f.Events += n
		f.Sites = append(f.Sites, site)
		zone, err := Get(db, ZoneKey(site))
		if err != nil {
			return err
		}
		f.Zones[site] = string(zone)
		if _, err := IDsUpTo(db, site); err != nil {
			return err
		}
		if err := wal.Notes(db, site, 0, 1<<64-1, func(uint64, []byte) error { return nil }); err != nil {
			return err
		}
	}
	for _, prefix := range []byte{Prefix, PrefixNotes} {
		if err := readable(db, prefix); err != nil {
			return err
		}
	}
	if f.Events < events {
		return DamagedFile("the log", fmt.Errorf("the store has %d events but should have at least %d", f.Events, events))
	}
	return index.Descriptors(db, func(d index.Descriptor) error {
		err := d.Present(db)
		if err == nil {
			return nil
		}
		if damage := Damaged(err); damage != nil && !errors.Is(err, index.ErrMissing) {
			f.Damages = append(f.Damages, damage) // reads that need it fail, and name it
			return nil
		}
		return err
	})
}

// readable returns an error unless all keys with a prefix can be read.
func readable(db *pebble.DB, prefix byte) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if _, err := it.ValueAndErr(); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// liveTables returns the names of the tables that the manifest names. It fails when one of
// them is missing or has another length.
func liveTables(fs vfs.FS, path string, db *pebble.DB) (map[string]bool, error) {
	levels, err := db.SSTables()
	if err != nil {
		return nil, err
	}
	live := make(map[string]bool)
	for _, tables := range levels {
		for _, t := range tables {
			name := fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum))
			if live[name] {
				continue
			}
			live[name] = true
			info, err := fs.Stat(fs.PathJoin(path, name))
			if err != nil {
				return nil, DamagedFile(Name+"/"+name, fmt.Errorf("the manifest names this table, but it cannot be found: %w", err))
			}
			if !t.Virtual && info.Size() != int64(t.Size) {
				return nil, DamagedFile(Name+"/"+name, fmt.Errorf("it has %d bytes, but %d were written", info.Size(), t.Size))
			}
		}
	}
	return live, nil
}

// damagedStore returns err as damage when it tells of a damaged file of the store, whoever
// found it. A file that is locked, or that may not be read, is not damaged.
func damagedStore(err error) error {
	if err == nil || query.DamageOf(err) != nil {
		return err
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EAGAIN) {
		return err
	}
	if d := Damaged(err); d != nil {
		return d
	}
	if file := fileIn(err); file != Name {
		return DamagedFile(file, err)
	}
	return err
}

// hiding is a file system in which some files of a directory cannot be listed.
type hiding struct {
	vfs.FS
	dir   string
	names []string
}

// List is vfs.FS's.
func (h hiding) List(dir string) ([]string, error) {
	list, err := h.FS.List(dir)
	if dir == h.dir {
		list = slices.DeleteFunc(list, func(name string) bool { return slices.Contains(h.names, name) })
	}
	return list, err
}

// Unwrap is vfs.FS's.
func (h hiding) Unwrap() vfs.FS { return h.FS }

// hidingOptions hides all OPTIONS files, which a reader does not need.
type hidingOptions struct{ vfs.FS }

// List is vfs.FS's.
func (h hidingOptions) List(dir string) ([]string, error) {
	list, err := h.FS.List(dir)
	return slices.DeleteFunc(list, func(name string) bool { return strings.HasPrefix(name, "OPTIONS-") }), err
}

// Unwrap is vfs.FS's.
func (h hidingOptions) Unwrap() vfs.FS { return h.FS }

// Outside is a file system for Pebble that writes files outside of the store's directory, such
// as those of a checkpoint, to another file system. So an error of a log file there is no error
// of the store.
type Outside struct {
	vfs.FS
	Dir   string // of the store
	Other vfs.FS
}

// Create is vfs.FS's.
func (o Outside) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if o.PathDir(name) != o.Dir {
		return o.Other.Create(name, category)
	}
	return o.FS.Create(name, category)
}

// Unwrap is vfs.FS's.
func (o Outside) Unwrap() vfs.FS { return o.FS }
