package dir

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/engine/backup"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bucket is a bucket in a directory. It implements backup.Bucket.
type Bucket struct {
	root string
	own  sync.Mutex // held while a condition is looked at and its object is put in place
}

const (
	lockName   = ".lock"   // locked like own, for other processes
	asideName  = ".aside-" // begins the names of files that are being written
	asideOld   = 24 * time.Hour
	hashedMost = 4 << 10 // bytes; the tag of an object up to this size is its hash
	lockRetry  = 20 * time.Millisecond
)

// Open returns the bucket in a directory. It makes nothing: the first Put makes the directory. The
// directory above it must be there, so that a disk that is not mounted is not mistaken for a new
// bucket.
func Open(root string) (*Bucket, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return &Bucket{root: root}, nil
}

// String implements backup.Bucket.
func (b *Bucket) String() string { return b.root }

// path is the file of an object. A name that leads out of the bucket is an error.
func (b *Bucket) path(name string) (string, error) {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\\x00:") || slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return part[0] == '.' }) {
		return "", fmt.Errorf("%q is no name of an object", name)
	}
	return filepath.Join(b.root, filepath.FromSlash(name)), nil
}

// Put implements backup.Bucket.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when backup.Condition) (backup.Info, error) {
	path, err := b.path(name)
	if err != nil {
		return backup.Info{}, err
	}
	if err := b.makeDir(filepath.Dir(path)); err != nil {
		return backup.Info{}, err
	}
	aside, err := b.writeAside(ctx, body, size, sum)
	if err != nil {
		return backup.Info{}, err
	}
	defer os.Remove(aside) // when it is not in place
	if when != (backup.Condition{}) {
		unlock, err := b.lock(ctx)
		if err != nil {
			return backup.Info{}, err
		}
		defer unlock()
		switch now, err := b.info(name); {
		case errors.Is(err, backup.ErrNotFound):
			if when.Tag != "" {
				return backup.Info{}, backup.ErrCondition
			}
		case err != nil:
			return backup.Info{}, err
		case when.New, now.Tag != when.Tag:
			return backup.Info{}, backup.ErrCondition
		}
	}
	if err := place(aside, path, when.New); err != nil {
		return backup.Info{}, err
	}
	info, err := b.info(name)
	info.Now = info.Modified
	return info, err
}

// place renames a file. If the name must be new and the file system has links, it is linked: that
// fails when another machine, which a lock may not reach, was faster.
func place(aside, path string, isNew bool) error {
	if isNew {
		if err := os.Link(aside, path); err == nil {
			return syncDir(filepath.Dir(path))
		} else if errors.Is(err, fs.ErrExist) {
			return backup.ErrCondition
		}
	}
	if err := os.Rename(aside, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeAside writes and syncs a file in the root and returns its path.
func (b *Bucket) writeAside(ctx context.Context, body io.ReadSeeker, size int64, sum [32]byte) (path string, err error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	path = filepath.Join(b.root, asideName+rand.Text())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, f), io.LimitReader(untilDone{ctx, body}, size+1))
	switch {
	case err != nil:
	case n != size:
		err = fmt.Errorf("the object has %d bytes, not %d", n, size)
	case !bytes.Equal(h.Sum(nil), sum[:]):
		err = errors.New("the object has another SHA-256 than was said")
	default:
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return path, err
}

// untilDone reads until a context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// makeDir makes a directory of the bucket and the missing ones above it, but for those above the root.
func (b *Bucket) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if dir != b.root {
		if err := b.makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// lock locks the bucket against other goroutines and other processes. A process that dies unlocks.
func (b *Bucket) lock(ctx context.Context) (unlock func(), err error) {
	b.own.Lock()
	for {
		l, err := vfs.Default.Lock(filepath.Join(b.root, lockName))
		if err == nil {
			return func() { l.Close(); b.own.Unlock() }, nil
		}
		select {
		case <-ctx.Done():
			b.own.Unlock()
			return nil, fmt.Errorf("lock %s: %w", b.root, err)
		case <-time.After(lockRetry):
		}
	}
}

// Get implements backup.Bucket.
func (b *Bucket) Get(_ context.Context, name string) (io.ReadCloser, backup.Info, error) {
	path, err := b.path(name)
	if err != nil {
		return nil, backup.Info{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, backup.Info{}, notFound(err)
	}
	info, err := infoOf(name, f)
	if err != nil {
		f.Close()
		return nil, backup.Info{}, err
	}
	return f, info, nil
}

// Head implements backup.Bucket. The clock is that of the file system, which for a share is the
// clock of the machine that has the disk.
func (b *Bucket) Head(_ context.Context, name string) (backup.Info, error) {
	info, err := b.info(name)
	if err == nil {
		info.Now = b.clock()
	}
	return info, err
}

// clock is the time that the file system gives a file that is written now; zero if none can be.
func (b *Bucket) clock() time.Time {
	path := filepath.Join(b.root, asideName+rand.Text())
	if err := os.WriteFile(path, []byte{0}, 0o600); err != nil {
		return time.Time{}
	}
	defer os.Remove(path)
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (b *Bucket) info(name string) (backup.Info, error) {
	path, err := b.path(name)
	if err != nil {
		return backup.Info{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return backup.Info{}, notFound(err)
	}
	defer f.Close()
	return infoOf(name, f)
}

// infoOf describes an open object. It leaves f at its beginning.
func infoOf(name string, f *os.File) (backup.Info, error) {
	stat, err := f.Stat()
	if err != nil {
		return backup.Info{}, err
	}
	if !stat.Mode().IsRegular() {
		return backup.Info{}, notFound(fs.ErrNotExist)
	}
	info := backup.Info{Name: name, Size: stat.Size(), Modified: stat.ModTime(), Tag: fmt.Sprintf("%x-%x", stat.ModTime().UnixNano(), stat.Size())}
	if info.Size <= hashedMost {
		// Two versions of a small object, such as a lease, may be written within one tick of the
		// file system's clock.
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, hashedMost)); err != nil {
			return backup.Info{}, err
		}
		info.Tag = hex.EncodeToString(h.Sum(nil))
	}
	return info, nil
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return backup.ErrNotFound
	}
	return err
}

// Delete implements backup.Bucket.
func (b *Bucket) Delete(_ context.Context, name string) error {
	path, err := b.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements backup.Bucket. It removes files aside that a crash has left a day ago.
func (b *Bucket) List(ctx context.Context, prefix string, each func(backup.Info) error) error {
	if prefix != "" && !fs.ValidPath(strings.TrimSuffix(prefix, "/")) {
		return fmt.Errorf("%q is no prefix of objects", prefix)
	}
	b.removeAside()
	return b.list(ctx, "", prefix, each)
}

// list lists the directory of the objects whose names begin with below, which is "" or ends with
// a slash. The order is that of whole names: "a-b" stands before "a/b".
func (b *Bucket) list(ctx context.Context, below, prefix string, each func(backup.Info) error) error {
	entries, err := os.ReadDir(filepath.Join(b.root, filepath.FromSlash(below)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sorted := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(sorted(x), sorted(y)) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := below + sorted(e)
		if e.Name()[0] == '.' {
			continue
		}
		if e.IsDir() {
			if strings.HasPrefix(name, prefix) || strings.HasPrefix(prefix, name) {
				if err := b.list(ctx, name, prefix, each); err != nil {
					return err
				}
			}
			continue
		}
		if !strings.HasPrefix(name, prefix) || !e.Type().IsRegular() {
			continue
		}
		info, err := b.info(name)
		if errors.Is(err, backup.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if err := each(info); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bucket) removeAside() {
	entries, err := os.ReadDir(b.root)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), asideName) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > asideOld {
			os.Remove(filepath.Join(b.root, e.Name()))
		}
	}
}

// syncDir makes the names in a directory durable. Windows cannot: Pebble's Sync of a directory does
// nothing there.
func syncDir(dir string) error {
	d, err := vfs.Default.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
