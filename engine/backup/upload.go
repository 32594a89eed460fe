package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file stores a snapshot: the objects that the bucket lacks, then the manifest.

// partMax is how many bytes an object has at most. Tests cut smaller ones.
var partMax int64 = 1 << 30

const (
	uploads     = 4       // objects at a time
	attemptsMax = 3       // of an object; then the whole backup is tried again later
	logFlushed  = 1 << 20 // bytes; a longer live log is flushed first
)

// Made says what a snapshot has cost.
type Made struct {
	Manifest *Manifest
	Objects  int   // that were stored
	Sent     int64 // bytes of them
	Seconds  float64
}

// snapshot makes a snapshot and stores it. The caller holds the lease.
func (b *Backup) snapshot(ctx context.Context, v *Vault) (made Made, err error) {
	began := b.now()
	if err := b.store.FlushLog(logFlushed); err != nil {
		return made, err
	}
	if err := errors.Join(os.RemoveAll(b.Scratch), os.MkdirAll(b.Scratch, 0o700)); err != nil {
		return made, err
	}
	defer os.RemoveAll(b.Scratch)
	at := b.now()
	dir := filepath.Join(b.Scratch, "snapshot")
	if _, err := b.store.Snapshot(ctx, dir); err != nil {
		return made, err
	}
	files, events, err := store.ReadSnapshot(vfs.Default, dir)
	if err != nil {
		return made, err
	}
	m := &Manifest{Version: manifestNow, Created: at.UTC().Truncate(time.Millisecond), Events: events, Line: b.store.Line(), Incarnation: b.store.Incarnation()}
	var jobs []upload
	for _, f := range files {
		file := File{Name: f.Name, Size: f.Size, SHA256: f.SHA256}
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		cut, err := cutFile(ctx, v, path, f)
		if err != nil {
			return made, err
		}
		for _, u := range cut {
			file.Parts = append(file.Parts, Part{Object: u.object, Size: u.size, SHA256: hex.EncodeToString(u.sum[:])})
		}
		jobs = append(jobs, cut...)
		m.Files = append(m.Files, file)
	}
	if err := m.check(); err != nil {
		return made, err
	}
	made.Manifest = m
	if made.Objects, made.Sent, err = b.upload(ctx, v, jobs); err != nil {
		return made, err
	}
	// Whoever has taken the lease meanwhile may have deleted what this store counts on.
	if err := b.lease.hold(ctx, false); err != nil {
		return made, err
	}
	if err := b.compareSizes(ctx, v, m); err != nil {
		return made, err
	}
	if err := m.put(ctx, v); err != nil {
		return made, err
	}
	made.Seconds = b.now().Sub(began).Seconds()
	return made, nil
}

// upload is a part of a file on its way to the bucket.
type upload struct {
	path       string
	from, size int64
	sum        [32]byte
	object     string
}

// cutFile cuts a file into parts. A file of one part has its sum in the snapshot's manifest and is
// not read.
func cutFile(ctx context.Context, v *Vault, path string, f store.SnapshotFile) (parts []upload, err error) {
	if f.Size == 0 {
		return nil, nil
	}
	if f.Size <= partMax {
		var sum [32]byte
		if n, err := hex.Decode(sum[:], []byte(f.SHA256)); err != nil || n != len(sum) {
			return nil, fmt.Errorf("%s: %q is no SHA-256", f.Name, f.SHA256)
		}
		return []upload{{path, 0, f.Size, sum, v.Object(sum)}}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	whole := sha256.New()
	for from := int64(0); from < f.Size; from += partMax {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		u := upload{path: path, from: from, size: min(partMax, f.Size-from)}
		h := sha256.New()
		if _, err := io.CopyN(io.MultiWriter(h, whole), file, u.size); err != nil {
			return nil, err
		}
		u.sum = [32]byte(h.Sum(nil))
		u.object = v.Object(u.sum)
		parts = append(parts, u)
	}
	if hex.EncodeToString(whole.Sum(nil)) != f.SHA256 {
		return nil, fmt.Errorf("%s is damaged: its SHA-256 differs", f.Name)
	}
	return parts, nil
}

// listed returns the sizes of the objects in a bucket.
func listed(ctx context.Context, v *Vault) (map[string]int64, error) {
	have := make(map[string]int64)
	return have, v.List(ctx, ObjectPrefix, func(i Info) error {
		have[i.Name] = i.Size
		return nil
	})
}

// upload stores the objects that the bucket lacks or has in another size.
func (b *Backup) upload(ctx context.Context, v *Vault, jobs []upload) (objects int, sent int64, err error) {
	have, err := listed(ctx, v)
	if err != nil {
		return 0, 0, err
	}
	need := make(map[string]upload)
	for _, u := range jobs {
		if size, ok := have[u.object]; !ok || size != v.Stored(u.size) || b.damaged[u.object] {
			need[u.object] = u
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan upload)
	var group sync.WaitGroup
	var done atomic.Int64
	for worker := range uploads {
		aside := filepath.Join(b.Scratch, fmt.Sprintf("upload-%d", worker))
		group.Go(func() {
			for u := range queue {
				if err := b.put(ctx, v, u, aside); err != nil {
					stop(err)
					return
				}
				done.Add(1)
				b.addSent(v.Stored(u.size))
			}
		})
	}
feed:
	for _, name := range slices.Sorted(maps.Keys(need)) {
		select {
		case queue <- need[name]:
			sent += v.Stored(need[name].size)
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return int(done.Load()), sent, err
	}
	for name := range need {
		delete(b.damaged, name)
		delete(b.verified, name)
	}
	return len(need), sent, nil
}

// put stores one object, with a few attempts.
func (b *Backup) put(ctx context.Context, v *Vault, u upload, aside string) error {
	f, err := os.Open(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	limit := func(r io.ReadSeeker) io.ReadSeeker { return b.limiter.wrap(ctx, r) }
	for attempt := 1; ; attempt++ {
		_, err = v.PutPart(ctx, u.object, io.NewSectionReader(f, u.from, u.size), u.size, u.sum, aside, limit)
		if err == nil || attempt == attemptsMax || ctx.Err() != nil {
			return err
		}
		b.sleep(ctx, time.Duration(attempt)*attemptWait)
	}
}

// compareSizes looks whether the bucket lists all objects of a manifest, in their sizes.
func (b *Backup) compareSizes(ctx context.Context, v *Vault, m *Manifest) error {
	have, err := listed(ctx, v)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		for _, p := range f.Parts {
			if size, ok := have[p.Object]; !ok {
				return fmt.Errorf("%s does not list %s, which was stored", v, p.Object)
			} else if size != v.Stored(p.Size) {
				return fmt.Errorf("%s lists %s with %d bytes, but %d were stored", v, p.Object, size, v.Stored(p.Size))
			}
		}
	}
	return nil
}

// limiter spreads bytes over time. The zero limiter does not.
type limiter struct {
	rate int64 // bytes a second
	mu   sync.Mutex
	free time.Time // when the next byte may move
}

// limitStep is how many bytes move at once.
const limitStep = 16 << 10

func (l *limiter) wrap(ctx context.Context, r io.ReadSeeker) io.ReadSeeker {
	if l.rate == 0 {
		return r
	}
	return &limited{r, l, ctx}
}

type limited struct {
	io.ReadSeeker
	l   *limiter
	ctx context.Context
}

func (r *limited) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p[:min(len(p), limitStep)])
	r.l.mu.Lock()
	now := time.Now()
	if r.l.free.Before(now) {
		r.l.free = now
	}
	wait := r.l.free.Sub(now)
	r.l.free = r.l.free.Add(time.Duration(float64(n) / float64(r.l.rate) * float64(time.Second)))
	r.l.mu.Unlock()
	if wait <= 0 {
		return n, err
	}
	select {
	case <-time.After(wait):
		return n, err
	case <-r.ctx.Done():
		return n, r.ctx.Err()
	}
}
