// Restore: a data directory made from a snapshot.

package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"cairn/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Restore makes a new data directory from a snapshot, after it has compared every file with
// the manifest. dataDir must not exist or must be empty, except for lost+found. The new store
// begins a new incarnation: an id given out after the snapshot names no event in it.
//
// prepare may change the store before anybody opens it; nil = it stays as it is.
func Restore(fs vfs.FS, snapshotDir, dataDir string, prepare func(*pebble.DB) error) error {
	if fs == nil {
		fs = vfs.Default
	}
	if err := CheckEmpty(fs, dataDir); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	m, err := VerifySnapshot(fs, snapshotDir)
	if err != nil {
		return fmt.Errorf("restore: %w. Nothing was written. %s", err, SnapshotAdvice(snapshotDir))
	}
	if err := restore(fs, snapshotDir, dataDir, m, prepare); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// CheckEmpty returns an error unless a directory is missing or empty, except for lost+found.
func CheckEmpty(fs vfs.FS, dir string) error {
	list, err := fs.List(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if slices.ContainsFunc(list, func(name string) bool {
		info, err := fs.Stat(fs.PathJoin(dir, name))
		return name != LostFound || err != nil || !info.IsDir()
	}) {
		return fmt.Errorf("%s is not empty; nothing in it was changed", dir)
	}
	return nil
}

// PartialName is the name of the store while it is being restored. A data directory that
// contains it is not opened: it would look like a new, empty one.
const PartialName = Name + ".partial"

// Source is what a restore makes a data directory of.
type Source struct {
	Events uint64
	// Fetch writes and syncs each file of the snapshot at the path that path returns for its name. It
	// compares the content with the sum of the manifest.
	Fetch func(path func(name string) string) error
	// Replay, if it is not nil, appends to the store what came after the snapshot, and returns how
	// many events. The store is not yet a new incarnation.
	Replay func(*pebble.DB) (events uint64, err error)
	// Prepare, if it is not nil, changes the store after that.
	Prepare func(*pebble.DB) error
}

// restore has the files of a snapshot in a directory copied.
func restore(fs vfs.FS, snapshotDir, dataDir string, m *manifest, prepare func(*pebble.DB) error) error {
	return RestoreFrom(fs, dataDir, Source{Events: m.Events, Prepare: prepare, Fetch: func(path func(name string) string) error {
		for _, f := range m.Files {
			sum, err := copyFile(fs, joinName(fs, snapshotDir, f.Name), path(f.Name))
			if err != nil {
				return err
			}
			if sum != f.SHA256 {
				return fmt.Errorf("%s changed while it was copied. %s", f.Name, SnapshotAdvice(snapshotDir))
			}
		}
		return nil
	}})
}

// RestoreFrom makes a data directory, which must be empty or missing. The store is called PartialName
// until it is complete. See Restore.
func RestoreFrom(fs vfs.FS, dataDir string, from Source) error {
	part := PartialName
	if err := MakeDir(fs, fs.PathJoin(dataDir, part)); err != nil {
		return err
	}
	mark, err := wal.ReadHighWaterMark(fs, dataDir)
	if err != nil {
		return err
	}
	if err := mark.Write(from.Events); err != nil {
		return err
	}
	if err := from.Fetch(func(name string) string {
		if inner, ok := strings.CutPrefix(name, Name+"/"); ok {
			name = part + "/" + inner
		}
		return joinName(fs, dataDir, name)
	}); err != nil {
		return err
	}
	if err := errors.Join(wal.SyncDir(fs, fs.PathJoin(dataDir, part)), wal.SyncDir(fs, dataDir)); err != nil {
		return err
	}
	db, err := OpenPebble(fs.PathJoin(dataDir, part), &pebble.Options{FS: fs, FormatMajorVersion: PebbleFormat, ErrorIfNotExists: true, Logger: quietLogger{}})
	if err != nil {
		return err
	}
	replayed := uint64(0)
	if from.Replay != nil {
		replayed, err = from.Replay(db)
	}
	if err == nil {
		err = BeginIncarnation(db)
	}
	if err == nil && from.Prepare != nil {
		err = from.Prepare(db)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if replayed > 0 {
		if err := mark.Write(from.Events + replayed); err != nil {
			return err
		}
	}
	if err := fs.Rename(fs.PathJoin(dataDir, part), Dir(fs, dataDir)); err != nil {
		return err
	}
	return wal.SyncDir(fs, dataDir)
}

// BeginIncarnation starts a new incarnation after the newest event of every site. It ends the
// sessions of browsers.
func BeginIncarnation(db *pebble.DB) error {
	s, err := Read(db)
	if err != nil {
		return err
	}
	last, err := LastSeqs(db)
	if err != nil {
		return err
	}
	next := incarnation{number: newIncarnation(s.Incarnations), from: make(map[uint32]uint64)}
	for site, seq := range last {
		next.from[site] = seq + 1
	}
	b := db.NewBatch()
	defer b.Close()
	return errors.Join(
		b.Set(Key("incarnations"), appendIncarnations(nil, append(s.Incarnations, next)), nil),
		b.DeleteRange([]byte{PrefixBrowsers}, []byte{PrefixBrowsers + 1}, nil),
		b.Commit(pebble.Sync))
}

// newIncarnation draws a number that no incarnation of the store has. It is random, so that
// two restores of one snapshot do not give the same ids to different events.
func newIncarnation(incarnations []incarnation) uint16 {
	for {
		var b [2]byte
		_, _ = rand.Read(b[:])
		n := binary.BigEndian.Uint16(b[:])
		if n != 0 && !slices.ContainsFunc(incarnations, func(inc incarnation) bool { return inc.number == n }) {
			return n
		}
	}
}
