package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cairn/engine/erase"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file makes a data directory from a bucket.

// RestoreOptions say what to restore. Only Dir is required.
type RestoreOptions struct {
	Dir       string    // missing or empty
	At        time.Time // as the store was then; zero = the newest
	Replay    Replay    // nil = snapshots alone
	Deletions Deletions // nil = deletions of the bucket are not applied
	// Room returns how many bytes the file system of a directory has; nil = it is not asked.
	Room func(dir string) (int64, error)
	// Progress is told how many bytes of how many are there, by several goroutines.
	Progress func(done, of int64)
	Now      func() time.Time // nil = time.Now
}

// Restored says what a restore has made.
type Restored struct {
	Manifest *Manifest
	Replayed Replayed
	Applied  erase.Applied // deletions
}

// Events is how many events the new store has.
func (r *Restored) Events() uint64 { return r.Manifest.Events + r.Replayed.Events }

// Restore makes a data directory from a snapshot in a bucket, and from the log after it. The
// directory holds a store only when all is there and compared: until then it is one that no cairn
// opens.
func Restore(ctx context.Context, v *Vault, o RestoreOptions) (*Restored, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	m, err := Newest(ctx, v, o.At)
	if err != nil {
		return nil, err
	}
	return restoreSnapshot(ctx, v, m, o)
}

// ErrNoSnapshot says that a bucket has no snapshot for a time.
var ErrNoSnapshot = errors.New("there is no snapshot")

// Newest returns the newest manifest that is not after a time; zero = of all. Its error is ErrNoSnapshot if
// there is none.
func Newest(ctx context.Context, v *Vault, at time.Time) (*Manifest, error) {
	names, err := Manifests(ctx, v)
	if err != nil {
		return nil, err
	}
	name := ""
	for _, n := range names {
		if made, _ := snapTime(n); at.IsZero() || !made.After(at) {
			name = n
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%w in %s", ErrNoSnapshot, v)
	case name == "":
		first, _ := snapTime(names[0])
		return nil, fmt.Errorf("%w as old as %s in %s: the oldest is of %s", ErrNoSnapshot, at.UTC().Format(time.RFC3339), v, first.Format(time.RFC3339))
	}
	return ReadManifest(ctx, v, name)
}

// roomSpare is what a restore leaves free: the log that is replayed, and the first start.
const roomSpare = 64 << 20

func restoreSnapshot(ctx context.Context, v *Vault, m *Manifest, o RestoreOptions) (r *Restored, err error) {
	fs := vfs.Default
	if err := store.CheckEmpty(fs, o.Dir); err != nil {
		return nil, err
	}
	if o.Room != nil {
		above := o.Dir
		for _, err := os.Stat(above); errors.Is(err, os.ErrNotExist) && above != filepath.Dir(above); _, err = os.Stat(above) {
			above = filepath.Dir(above)
		}
		if free, err := o.Room(above); err == nil && free < m.Bytes()+roomSpare {
			return nil, fmt.Errorf("%s has %d bytes free, and the restored store needs %d and some more. Nothing was written", above, free, m.Bytes())
		}
	}
	r = &Restored{Manifest: m}
	err = store.RestoreFrom(fs, o.Dir, store.Source{
		Events: m.Events,
		Fetch: func(path func(name string) string) error {
			return fetch(ctx, v, m, path, o.Progress)
		},
		Replay: func(db *pebble.DB) (uint64, error) {
			if o.Replay == nil {
				return 0, nil
			}
			if r.Replayed, err = o.Replay(ctx, v, m, db, o.At); err != nil {
				return 0, err
			}
			for name, text := range r.Replayed.Files {
				if strings.Contains(name, "/") || store.CheckFileName(name) != nil || name == store.Name || name == store.PartialName {
					return 0, fmt.Errorf("the log of the backup names the file %q", name)
				}
				if err := store.WriteFile(fs, filepath.Join(o.Dir, name), text); err != nil {
					return 0, err
				}
			}
			return r.Replayed.Events, nil
		},
		Prepare: func(db *pebble.DB) error {
			if o.Deletions == nil {
				return nil
			}
			copies := filepath.Join(o.Dir, deletionsAside)
			defer os.RemoveAll(copies)
			if n, err := o.Deletions(ctx, v, copies); err != nil || n == 0 {
				return err
			}
			r.Applied, err = erase.Apply(db, fs, copies, o.Now().UnixMilli())
			return err
		},
	})
	if err != nil {
		return nil, errors.Join(err, removeUnfinished(o.Dir))
	}
	return r, nil
}

// deletionsAside is a directory in the new data directory, while deletions are applied.
const deletionsAside = "deletions.tmp"

// removeUnfinished removes what a restore that ended with an error has written. A restore that was
// killed leaves it: "cairn serve" refuses it, and so does another restore.
func removeUnfinished(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, store.PartialName)); err != nil {
		return nil // it has failed before, or the store is complete
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == store.LostFound {
			continue
		}
		// The store goes last: the directory is refused as long as it is there.
		if e.Name() != store.PartialName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(dir, store.PartialName)))
}

// fetchers is how many files are read at a time.
const fetchers = 4

// fetch writes the files of a manifest.
func fetch(ctx context.Context, v *Vault, m *Manifest, path func(name string) string, progress func(done, of int64)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan File)
	var group sync.WaitGroup
	var mu sync.Mutex
	var done int64
	of := m.Bytes()
	for range fetchers {
		group.Go(func() {
			for f := range queue {
				if err := fetchFile(ctx, v, f, path(f.Name)); err != nil {
					stop(err)
					return
				}
				if progress != nil {
					mu.Lock()
					done += f.Size
					progress(done, of)
					mu.Unlock()
				}
			}
		})
	}
feed:
	for _, f := range m.Files {
		select {
		case queue <- f:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	group.Wait()
	return context.Cause(ctx)
}

// fetchFile writes and syncs a file, and compares it with its sums.
func fetchFile(ctx context.Context, v *Vault, f File, path string) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	for _, p := range f.Parts {
		if err := fetchPart(ctx, v, p, h, to); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", f.Name, err), to.Close())
		}
	}
	if f.SHA256 != hex.EncodeToString(h.Sum(nil)) {
		return errors.Join(fmt.Errorf("%s is damaged in the backup: its SHA-256 differs. Restore an older snapshot", f.Name), to.Close())
	}
	return errors.Join(to.Sync(), to.Close())
}

// fetchPart writes a part to a file. After a failure on the way it goes on where it was: the bytes
// before are compared as well, so h has each byte once.
func fetchPart(ctx context.Context, v *Vault, p Part, h hash.Hash, to io.Writer) error {
	var written int64
	for attempt := 1; ; attempt++ {
		n, err := readPart(ctx, v, p, written, io.MultiWriter(h, to))
		if written += n; err == nil {
			return nil
		}
		if attempt == attemptsMax || ctx.Err() != nil || errors.Is(err, ErrNotFound) || errors.Is(err, errDamaged) {
			return fmt.Errorf("%s: %w", p.Object, err)
		}
		select {
		case <-time.After(time.Duration(attempt) * attemptWait):
		case <-ctx.Done():
		}
	}
}

// errDamaged says that an object was read whole and is another one.
var errDamaged = errors.New("the object is damaged: its SHA-256 differs")

// readPart reads an object whole, and writes what is behind its first skip bytes. It returns how many
// bytes it wrote. The sum is that of the whole object.
func readPart(ctx context.Context, v *Vault, p Part, skip int64, to io.Writer) (written int64, err error) {
	r, _, err := v.Open(ctx, p.Object)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	sum := sha256.New()
	body := io.TeeReader(io.LimitReader(r, p.Size+1), sum)
	if _, err := io.CopyN(io.Discard, body, skip); err != nil {
		return 0, err
	}
	if written, err = io.Copy(to, io.LimitReader(body, p.Size-skip)); err != nil {
		return written, err
	}
	if n, err := io.Copy(io.Discard, body); err != nil { // it decrypts to the end
		return written, err
	} else if n > 0 || skip+written < p.Size || hex.EncodeToString(sum.Sum(nil)) != p.SHA256 {
		return written, errDamaged
	}
	return written, nil
}
