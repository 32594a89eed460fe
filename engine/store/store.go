// The store's own records: format version, secret, incarnations. Also how a store is looked
// at before it is opened.

package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"cairn/index"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Versions.
const (
	// Version is the version of everything that cairn writes into Pebble. A store of an
	// older version, down to VersionMin, is read as it is and raised at the start; see
	// upgrade.go.
	//
	//	1  the first
	//	2  records may say where counting ends (event.Cut), name each capped property only
	//	   once, and mark names over the daily cap
	//	3  a site may note the seq from which changed rules apply (engine/records); runs may
	//	   be of version 2 (index); objects of extra may be in pieces, and message ids packed
	//	   (engine/event); sessions that clients name have entries in the table of ids; the
	//	   store has the records "zone", "names", "lost" and "window"
	//	4  rows may be deleted, and imported sessions have entries in the table of ids; the
	//	   first deletion and the first import write it
	//	5  sinks have cursors (engine/records), and deletions say which sinks have carried them
	//	   out; the first sink writes it
	Version          = 3 // that a start raises a store to
	VersionDeletions = 4
	VersionSinks     = 5
	VersionNewest    = 5 // the newest
	VersionMin       = 1 // the oldest that can be read
	// PebbleFormat is the version of Pebble's format. It is raised only together with Version.
	PebbleFormat = pebble.FormatValueSeparation
)

// Names inside the data directory.
const (
	Name      = "store"      // the Pebble store
	TmpName   = "store.tmp"  // temporary files, see TemporaryFiles
	LostFound = "lost+found" // a new file system has it; cairn ignores it
)

// Dir is the directory of the Pebble store in a data directory.
func Dir(fs vfs.FS, dir string) string { return fs.PathJoin(dir, Name) }

// LogBytes returns how many bytes Pebble's log has in a data directory. Opening the store
// writes about as much again.
func LogBytes(fs vfs.FS, dir string) (n int64) {
	dir = Dir(fs, dir)
	names, _ := fs.List(dir) // without a list the store does not open anyway
	for _, name := range names {
		if info, err := fs.Stat(fs.PathJoin(dir, name)); err == nil && strings.HasSuffix(name, ".log") {
			n += info.Size()
		}
	}
	return n
}

// Records are the store's own records.
type Records struct {
	Version      byte          // of the store, VersionMin to VersionNewest
	Key          []byte        // of public ids: AES-128
	Incarnations []incarnation // in the order in which they began
}

// Life names the incarnation that the store is in.
func (r *Records) Life() string {
	return strconv.Itoa(int(r.Incarnations[len(r.Incarnations)-1].number))
}

// Prepare reads the store's records. If the store is new, it writes them first.
func Prepare(db *pebble.DB) (Records, error) {
	version, err := Get(db, Key("version"))
	if err != nil {
		return Records{}, err
	}
	if version == nil {
		s := Records{Version: Version, Key: make([]byte, 16), Incarnations: []incarnation{{number: 1}}}
		_, _ = rand.Read(s.Key)
		b := db.NewBatch()
		defer b.Close()
		err := errors.Join(
			b.Set(Key("incarnations"), appendIncarnations(nil, s.Incarnations), nil),
			b.Set(Key("secret"), s.Key, nil),
			b.Set(Key("version"), []byte{Version}, nil),
			b.Commit(pebble.Sync))
		if err != nil {
			return Records{}, fmt.Errorf("create store: %w", err)
		}
		return s, nil
	}
	return Read(db)
}

// Read reads the records of an existing store.
func Read(r pebble.Reader) (Records, error) {
	version, err := Get(r, Key("version"))
	if err != nil {
		return Records{}, err
	}
	if len(version) == 0 {
		return Records{}, DamagedFile(Name, fmt.Errorf("it has no format version, where this cairn knows versions %d to %d: its first start was interrupted, or it is damaged", VersionMin, VersionNewest))
	}
	if len(version) != 1 || version[0] < VersionMin || version[0] > VersionNewest {
		return Records{}, fmt.Errorf("the store has format version %v, this cairn knows versions %d to %d: use the cairn that wrote it, or a newer one", version, VersionMin, VersionNewest)
	}
	s := Records{Version: version[0]}
	if s.Key, err = Get(r, Key("secret")); err != nil {
		return Records{}, err
	}
	b, err := Get(r, Key("incarnations"))
	if err != nil {
		return Records{}, err
	}
	if s.Incarnations, err = parseIncarnations(b); err != nil {
		return Records{}, err
	}
	return s, nil
}

// raising is held from the look at the version until it is written: two that raise it must not lower it.
var raising sync.Mutex

// Raise writes, durably, that the store has at least a format version. A store of a newer one keeps it. Whoever
// writes what needs the version calls it before.
func Raise(db *pebble.DB, to byte) error {
	raising.Lock()
	defer raising.Unlock()
	now, err := Get(db, Key("version"))
	if err != nil {
		return err
	}
	if len(now) == 1 && now[0] >= to {
		return nil
	}
	if err := db.Set(Key("version"), []byte{to}, pebble.Sync); err != nil {
		return fmt.Errorf("raise format version: %w", err)
	}
	return nil
}

// OpenPebble is pebble.Open, but it returns a panic as an error. Pebble reports a failing
// disk either way.
func OpenPebble(path string, opts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			if err, _ = r.(error); err == nil {
				err = fmt.Errorf("%v", r)
			}
			db = nil
		}
	}()
	return pebble.Open(path, opts)
}

// MakeDir makes a directory and its parents, and syncs them: a synced file is lost in a power
// cut if the entry of its directory is. It also syncs a directory that exists, because it may
// have been made just before a power cut.
func MakeDir(fs vfs.FS, dir string) error {
	parent := fs.PathDir(dir)
	if _, err := fs.Stat(dir); err == nil {
		if err := wal.SyncDir(fs, parent); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
		return nil // without permission to read the parent, cairn has not made dir
	}
	if parent != dir {
		if err := MakeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return wal.SyncDir(fs, parent)
}

// Get returns a copy of the value of a key, or nil when there is none.
func Get(r pebble.Reader, key []byte) ([]byte, error) {
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

// IDsUpTo returns the seq up to which the site's ids are written.
func IDsUpTo(r pebble.Reader, site uint32) (uint64, error) {
	v, err := Get(r, IDsUpToKey(site))
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, DamagedFile(fmt.Sprintf("the ids of site %d", site), errors.New("the record of their progress is damaged"))
	}
	return binary.BigEndian.Uint64(v), nil
}

// LastSeqs returns the seq of each site's newest event, lost or not. It fails when events between 1 and
// that seq are missing from the runs and the log, unless a repair has noted them as lost.
func LastSeqs(r pebble.Reader) (map[uint32]uint64, error) {
	lost, err := ReadLost(r)
	if err != nil {
		return nil, err
	}
	last := make(map[uint32]uint64)
	err = index.Descriptors(r, func(d index.Descriptor) error {
		if next := lost.Next(d.Site, last[d.Site]); d.First != next {
			return Missing(d.Site, next, d.First-1)
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
			if next := lost.Next(site, last[site]); seq != next {
				return Missing(site, next, seq-1)
			}
			last[site] = seq
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for site := range lost { // the newest events of a site may be lost too, or all of them
		if end := lost.Next(site, last[site]) - 1; end > 0 {
			last[site] = end
		}
	}
	return last, nil
}

// ReadOnlyOptions are the options to open a store without changing it.
func ReadOnlyOptions(fs vfs.FS) *pebble.Options {
	return &pebble.Options{
		FS:       hidingOptions{fs},
		ReadOnly: true,
		// Look compares the tables with the manifest itself, and names the file.
		DisableConsistencyCheck: true,
		FormatMajorVersion:      PebbleFormat,
		ErrorIfNotExists:        true,
		MaxOpenFiles:            OpenFiles().Tables,
		MemTableSize:            64 << 20,
		Logger:                  quietLogger{},
		EventListener:           &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
	}
}

// ScratchOptions are the options of a database for things that are computed again after a
// crash. It takes some 16 MB of memory.
func ScratchOptions() *pebble.Options {
	return &pebble.Options{
		FormatMajorVersion: PebbleFormat,
		DisableWAL:         true,
		CacheSize:          8 << 20,
		MemTableSize:       4 << 20,
		Logger:             quietLogger{},
	}
}

// QuietLogger is a logger for Pebble that drops its messages. A fatal error is a panic, which
// OpenPebble returns as an error.
var QuietLogger pebble.Logger = quietLogger{}

// quietLogger drops Pebble's messages. A fatal error becomes a panic, which OpenPebble and
// check.Store turn into an error.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)              {}
func (quietLogger) Errorf(string, ...any)             {}
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
