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

// restore copies the store to PartialName, prepares it there and then renames it.
func restore(fs vfs.FS, snapshotDir, dataDir string, m *manifest, prepare func(*pebble.DB) error) error {
	part := PartialName
	if err := MakeDir(fs, fs.PathJoin(dataDir, part)); err != nil {
		return err
	}
	mark, err := wal.ReadHighWaterMark(fs, dataDir)
	if err != nil {
		return err
	}
	if err := mark.Write(m.Events); err != nil {
		return err
	}
	for _, f := range m.Files {
		to := f.Name
		if name, ok := strings.CutPrefix(f.Name, Name+"/"); ok {
			to = part + "/" + name
		}
		sum, err := copyFile(fs, joinName(fs, snapshotDir, f.Name), joinName(fs, dataDir, to))
		if err != nil {
			return err
		}
		if sum != f.SHA256 {
			return fmt.Errorf("%s changed while it was copied. %s", f.Name, SnapshotAdvice(snapshotDir))
		}
	}
	if err := errors.Join(wal.SyncDir(fs, fs.PathJoin(dataDir, part)), wal.SyncDir(fs, dataDir)); err != nil {
		return err
	}
	db, err := OpenPebble(fs.PathJoin(dataDir, part), &pebble.Options{FS: fs, FormatMajorVersion: PebbleFormat, ErrorIfNotExists: true, Logger: quietLogger{}})
	if err != nil {
		return err
	}
	err = BeginIncarnation(db)
	if err == nil && prepare != nil {
		err = prepare(db)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
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
