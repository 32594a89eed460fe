// The store's own records: format version, secret, incarnations.

package engine

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Versions.
const (
	// storeVersion is the version of everything cairn writes into Pebble. A store of
	// an older one, from storeVersionMin on, is read as it is and raised at its start;
	// see upgrade.go.
	//
	//	1  the first
	//	2  records may say where counting ends (event.Cut), name each capped property
	//	   once, and mark a name beyond those of a day
	storeVersion    = 2
	storeVersionMin = 1
	// formatVersion is Pebble's own; it is raised only together with storeVersion.
	formatVersion = pebble.FormatValueSeparation
)

// Names inside the data directory.
const (
	StoreName = "store"      // the Pebble store
	tmpName   = "store.tmp"  // temporary files, see TemporaryFiles
	LostFound = "lost+found" // what a fresh file system has; cairn leaves it alone
)

func storeDir(fs vfs.FS, dir string) string { return fs.PathJoin(dir, StoreName) }

// secret is what public ids are made with.
type secret struct {
	version byte   // of the store, storeVersionMin to storeVersion
	key     []byte // AES-128
	eras    []era
}

// prepareStore reads the store's records, and writes them into a new store.
func prepareStore(db *pebble.DB) (secret, error) {
	version, err := get(db, storeKey("version"))
	if err != nil {
		return secret{}, err
	}
	if version == nil {
		s := secret{version: storeVersion, key: make([]byte, 16), eras: []era{{number: 1}}}
		_, _ = rand.Read(s.key)
		b := db.NewBatch()
		defer b.Close()
		err := errors.Join(
			b.Set(storeKey("incarnations"), appendEras(nil, s.eras), nil),
			b.Set(storeKey("secret"), s.key, nil),
			b.Set(storeKey("version"), []byte{storeVersion}, nil),
			b.Commit(pebble.Sync))
		if err != nil {
			return secret{}, fmt.Errorf("create store: %w", err)
		}
		return s, nil
	}
	return readStore(db)
}

// readStore reads the records of a store that exists.
func readStore(r pebble.Reader) (secret, error) {
	version, err := get(r, storeKey("version"))
	if err != nil {
		return secret{}, err
	}
	if len(version) == 0 {
		return secret{}, fmt.Errorf("the store has no format version, where this cairn knows versions %d to %d: its first start was interrupted, or it is damaged", storeVersionMin, storeVersion)
	}
	if len(version) != 1 || version[0] < storeVersionMin || version[0] > storeVersion {
		return secret{}, fmt.Errorf("the store has format version %v, this cairn knows versions %d to %d: use the cairn that wrote it, or a newer one", version, storeVersionMin, storeVersion)
	}
	s := secret{version: version[0]}
	if s.key, err = get(r, storeKey("secret")); err != nil {
		return secret{}, err
	}
	b, err := get(r, storeKey("incarnations"))
	if err != nil {
		return secret{}, err
	}
	if s.eras, err = parseEras(b); err != nil {
		return secret{}, err
	}
	return s, nil
}

// openPebble is pebble.Open with its panics as errors: it reports a failing disk
// in either way.
func openPebble(path string, opts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return pebble.Open(path, opts)
}

// makeDir makes a directory and those above it, so that they outlive a power
// cut: a synced file in a directory whose own entry is lost is lost too. One that
// is there may have been made a moment before such a cut.
func makeDir(fs vfs.FS, dir string) error {
	parent := fs.PathDir(dir)
	if _, err := fs.Stat(dir); err == nil {
		if err := wal.SyncDir(fs, parent); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
		return nil // where cairn may not read, somebody else made the directory
	}
	if parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return wal.SyncDir(fs, parent)
}

// get returns a copy of a value, nil when there is none.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %x: %w", key, err)
	}
	v = append([]byte(nil), v...)
	return v, closer.Close()
}

// idsUpTo is the seq up to which the site's ids are written.
func idsUpTo(r pebble.Reader, site uint32) (uint64, error) {
	v, err := get(r, idsUpToKey(site))
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, errors.New("damaged record of the ids' progress")
	}
	return binary.BigEndian.Uint64(v), nil
}

// lastSeqs returns the seq of each site's newest event, and fails when the log
// and the runs do not tile 1..last.
func lastSeqs(r pebble.Reader) (map[uint32]uint64, error) {
	last := make(map[uint32]uint64)
	err := index.Descriptors(r, func(d index.Descriptor) error {
		if d.First != last[d.Site]+1 {
			return fmt.Errorf("site %d: events %d to %d are missing", d.Site, last[d.Site]+1, d.First-1)
		}
		last[d.Site] = d.Last()
		return nil
	})
	if err != nil {
		return nil, err
	}
	sites, err := wal.Sites(r)
	if err != nil {
		return nil, err
	}
	for _, site := range sites {
		err := wal.Replay(r, site, func(seq uint64, _ []byte) error {
			if seq != last[site]+1 {
				return fmt.Errorf("site %d: events %d to %d are missing", site, last[site]+1, seq-1)
			}
			last[site] = seq
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// preflight looks at an existing store before it is opened for writing, since
// opening removes files that a damaged manifest no longer names.
func preflight(fs vfs.FS, dir string, events uint64) error {
	path := storeDir(fs, dir)
	desc, err := pebble.Peek(path, fs)
	if err != nil {
		if events > 0 {
			return fmt.Errorf("look at store: %w", err)
		}
		return nil // nothing there yet
	}
	if !desc.Exists {
		if events > 0 {
			return fmt.Errorf("the store is missing, where there were %d events", events)
		}
		return nil
	}
	if desc.FormatMajorVersion > formatVersion {
		return fmt.Errorf("the store has Pebble format %d, this cairn knows up to %d: use a newer cairn", desc.FormatMajorVersion, formatVersion)
	}
	db, err := openPebble(path, readOnlyOptions(fs))
	if err != nil {
		return err
	}
	defer db.Close()
	if events == 0 { // too young to have been marked, or even to have a version
		if version, err := get(db, storeKey("version")); err != nil || version == nil {
			return err
		}
	}
	if _, err := readStore(db); err != nil || events == 0 {
		return err
	}
	last, err := lastSeqs(db)
	if err != nil {
		return err
	}
	var total uint64
	for _, n := range last {
		total += n
	}
	if total < events {
		return fmt.Errorf("the log has %d events but should have at least %d: data was lost; nothing was changed", total, events)
	}
	return nil
}

// readOnlyOptions open a store without touching it.
func readOnlyOptions(fs vfs.FS) *pebble.Options {
	return &pebble.Options{
		FS:                 fs,
		ReadOnly:           true,
		FormatMajorVersion: formatVersion,
		ErrorIfNotExists:   true,
		MaxOpenFiles:       1000,
		MemTableSize:       64 << 20,
		Logger:             quietLogger{},
		EventListener:      &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
	}
}

// quietLogger drops Pebble's talk; a fatal error is a panic, which openPebble and
// Check turn into an error.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)              {}
func (quietLogger) Errorf(string, ...any)             {}
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
