// What the log in a bucket promises: a store that is restored from a snapshot and the log gives the
// same answers as the one that shipped it.

package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/engine/check"
	"cairn/engine/erase"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// bucket is a bucket in memory.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    func(method, name string) error // nil = nothing fails
}

func newBucket() *bucket { return &bucket{objects: make(map[string][]byte)} }

func (b *bucket) begin(method, name string) error {
	if b.fail == nil {
		return nil
	}
	return b.fail(method, name)
}

func (b *bucket) Put(_ context.Context, name string, body io.ReadSeeker, size int64, sum [32]byte, when backup.Condition) (backup.Info, error) {
	if err := b.begin("PUT", name); err != nil {
		return backup.Info{}, err
	}
	text, err := io.ReadAll(body)
	if err != nil || int64(len(text)) != size || sha256.Sum256(text) != sum {
		return backup.Info{}, fmt.Errorf("another body: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, is := b.objects[name]; is && when.New {
		return backup.Info{}, backup.ErrCondition
	}
	b.objects[name] = text
	if err := b.begin("PUT answer", name); err != nil {
		return backup.Info{}, err
	}
	return backup.Info{Name: name, Size: size}, nil
}

func (b *bucket) Get(_ context.Context, name string) (io.ReadCloser, backup.Info, error) {
	if err := b.begin("GET", name); err != nil {
		return nil, backup.Info{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	text, is := b.objects[name]
	if !is {
		return nil, backup.Info{}, backup.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(text)), backup.Info{Name: name, Size: int64(len(text))}, nil
}

func (b *bucket) Head(ctx context.Context, name string) (backup.Info, error) {
	r, info, err := b.Get(ctx, name)
	if err == nil {
		r.Close()
	}
	return info, err
}

func (b *bucket) Delete(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, name)
	return nil
}

func (b *bucket) List(_ context.Context, prefix string, each func(backup.Info) error) error {
	for _, name := range b.names(prefix) {
		if err := each(backup.Info{Name: name, Size: int64(len(b.objects[name]))}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucket) String() string { return "memory" }

// names returns the names of the objects below a prefix.
func (b *bucket) names(prefix string) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.objects {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// shipped is a store whose log is shipped, and its snapshots, which stay in its file system.
type shipped struct {
	testing.TB
	fs        vfs.FS
	bucket    *bucket
	vault     *backup.Vault
	shipper   *backup.LogShipper
	engine    *engine.Engine
	now       func() time.Time
	snapshots []*backup.Manifest
	dirs      map[*backup.Manifest]string
}

func newShipped(t testing.TB, fs vfs.FS, now func() time.Time) *shipped {
	b := newBucket()
	return &shipped{TB: t, fs: fs, bucket: b, vault: &backup.Vault{Bucket: b}, now: now, dirs: make(map[*backup.Manifest]string)}
}

// opened ships the log of an engine from now on.
func (s *shipped) opened(e *engine.Engine) {
	s.Helper()
	src, err := e.LogSource()
	if err != nil {
		s.Fatal(err)
	}
	s.engine, s.shipper = e, backup.NewShipper(s.vault, src, false, slog.New(slog.DiscardHandler))
}

// ship ships, and makes a snapshot when one is needed.
func (s *shipped) ship() {
	s.Helper()
	err := s.shipper.Ship(context.Background())
	if errors.Is(err, backup.ErrGap) {
		s.snapshot()
		err = s.shipper.Ship(context.Background())
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shipped) snapshot() *backup.Manifest {
	s.Helper()
	m := &backup.Manifest{Created: s.now(), Line: s.engine.Line(), Incarnation: s.engine.Incarnation()}
	dir := fmt.Sprintf("shipped-snapshot-%d", len(s.snapshots)+1)
	info, err := s.engine.Snapshot(context.Background(), dir)
	if err != nil {
		s.Fatal(err)
	}
	m.Name, m.Events, s.dirs[m] = dir, info.Events, dir
	s.snapshots = append(s.snapshots, m)
	if err := s.shipper.Began(context.Background(), m, m.Created); err != nil {
		s.Fatal(err)
	}
	return m
}

// restore makes a data directory of a snapshot and the log after it. The error is that of the replay.
func (s *shipped) restore(fs vfs.FS, m *backup.Manifest, dir string, until time.Time) (backup.Replayed, erase.Applied) {
	s.Helper()
	var replayed backup.Replayed
	var applied erase.Applied
	files, events, err := store.ReadSnapshot(s.fs, s.dirs[m])
	if err != nil {
		s.Fatal(err)
	}
	err = store.RestoreFrom(fs, dir, store.Source{
		Events: events,
		Fetch: func(path func(name string) string) error {
			for _, f := range files {
				from, err := s.fs.Open(s.fs.PathJoin(append([]string{s.dirs[m]}, strings.Split(f.Name, "/")...)...))
				if err != nil {
					return err
				}
				text, err := io.ReadAll(from)
				if err := errors.Join(err, from.Close(), store.WriteFile(fs, path(f.Name), text)); err != nil {
					return err
				}
			}
			return nil
		},
		Replay: func(db *pebble.DB) (uint64, error) {
			var err error
			replayed, err = backup.ReplayLog(context.Background(), s.vault, m, db, until)
			return replayed.Events, err
		},
		Prepare: func(db *pebble.DB) error {
			copies := s.TB.TempDir()
			if _, err := backup.CopiesOf(context.Background(), s.vault, copies); err != nil {
				return err
			}
			var err error
			applied, err = erase.Apply(db, bothFS{fs, vfs.Default, copies}, copies, s.now().UnixMilli())
			return err
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	return replayed, applied
}

// bothFS is a file system whose paths below a directory are in another one.
type bothFS struct {
	vfs.FS
	other vfs.FS
	dir   string
}

func (b bothFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if strings.HasPrefix(name, b.dir) {
		return b.other.Open(name, opts...)
	}
	return b.FS.Open(name, opts...)
}

func (b bothFS) List(dir string) ([]string, error) {
	if strings.HasPrefix(dir, b.dir) {
		return b.other.List(dir)
	}
	return b.FS.List(dir)
}

// sound fails unless check finds nothing wrong with a stopped store.
func sound(t testing.TB, fs vfs.FS, dir string) {
	t.Helper()
	report, err := check.Store(context.Background(), fs, dir)
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("check of %s: %v %v", dir, err, report.Problems)
	}
}

// ids returns the ids of all events by site and seq.
func ids(t testing.TB, e *engine.Engine, sites []*engine.Site) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, site := range sites {
		events, err := walk(e, query.Query{Site: &site.Site, Ascending: true, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			all[fmt.Sprintf("%s %d", site.Name, ev.Seq)] = ev.ID
		}
	}
	return all
}

// The engine and the model run the same random operations, and the log is shipped in between. Now and
// then the machine burns: the store is restored from a snapshot and the log, has the same ids, and goes
// on with the model. The restored store ships on, and burns again.
func TestRestoredFromTheLogAnswersAsBefore(t *testing.T) {
	for seed := range seedsOf(4, 8) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, seed+100)
			calm := seed%2 == 0 // rows stay in the log
			open := func(dir string) {
				o := p.options(p.fs, dir)
				o.Purge = 10_000 * time.Hour
				if calm {
					o.SealRows, o.HotEvents, o.Memory = 1<<16, 1<<19, 0
				}
				e, err := engine.Open(o)
				if err != nil {
					t.Fatalf("op %d: %v", p.op, err)
				}
				p.engine, p.dir = e, dir
			}
			s := newShipped(t, p.fs, p.clock.now)
			open("data")
			defer func() { p.closeIfOpen() }()
			s.opened(p.engine)
			s.ship()
			replayed, burnt := uint64(0), 0
			for p.op = 1; p.op <= 240 && !t.Failed(); p.op++ {
				p.tick()
				switch n := p.IntN(100); {
				case n < 3:
					p.delete()
				case n < 5:
					p.close()
					open(p.dir)
					s.opened(p.engine)
				case n < 7:
					s.ship() // a gap before is of the snapshot
					s.snapshot()
				case n < 10 || p.op == 240:
					s.ship()
					before := ids(t, p.engine, p.sites)
					burnt++
					m := s.snapshots[len(s.snapshots)-1]
					if older := len(s.snapshots) - 2; older >= 0 && p.chance(2) && s.snapshots[older].Incarnation == m.Incarnation && calm {
						m = s.snapshots[older]
					}
					p.close()
					dir := fmt.Sprintf("restored-%d", burnt)
					done, _ := s.restore(p.fs, m, dir, time.Time{})
					if done.Why != "" {
						t.Fatalf("op %d: restored up to %s: %s", p.op, done.Until, done.Why)
					}
					replayed += done.Events
					sound(t, p.fs, dir)
					if err := p.fs.RemoveAll(p.dir); err != nil {
						t.Fatal(err)
					}
					open(dir)
					if after := ids(t, p.engine, p.sites); !maps.Equal(before, after) {
						t.Fatalf("op %d: %d events with their ids before, %d after, or others", p.op, len(before), len(after))
					}
					s.opened(p.engine)
					s.ship()
					for range 40 {
						p.act(50 + p.IntN(50))
					}
				case n < 40:
					s.ship()
				default:
					p.act(p.IntN(100))
				}
			}
			if replayed == 0 && calm {
				t.Error("no event came from the log")
			}
			t.Logf("%d restores, %d events from the log", burnt, replayed)
			p.check(p.dir)
		})
	}
}

var _ = event.Native
