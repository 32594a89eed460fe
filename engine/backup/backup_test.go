package backup_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/backup"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var site = &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}

// open opens the store of a data directory. It has runs as soon as it has a few hundred events.
func open(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(engine.Options{Dir: dir, Sites: engine.SitesOf(site), SealRows: 200, HotEvents: 400, Reserve: -1, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// ingest stores n events.
func ingest(t *testing.T, e *engine.Engine, n int) {
	t.Helper()
	for n > 0 {
		batch := min(n, 100)
		var records []engine.Record
		for i := range batch {
			records = append(records, engine.Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("n%d", i%7), User: fmt.Sprintf("u%d", n%50+i)}}})
		}
		outcomes, err := e.Ingest(context.Background(), records, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		n -= batch
	}
}

// world is a store with a backup.
type world struct {
	t      *testing.T
	data   string
	engine *engine.Engine
	bucket backup.Bucket
	log    *lines
	change func(*backup.Options)
}

func newWorld(t *testing.T, bucket backup.Bucket) *world {
	data := filepath.Join(t.TempDir(), "data")
	w := &world{t: t, data: data, engine: open(t, data), bucket: bucket, log: new(lines)}
	t.Cleanup(func() { w.engine.Close() })
	return w
}

// lines is a log in memory.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func recount(ctx context.Context, dir, from string, most time.Duration) (string, []string, error) {
	report, err := check.With(ctx, check.Options{Dir: dir})
	return "", report.Problems, err
}

// start runs a backup until stop is called.
func (w *world) start() (b *backup.Backup, stop func()) {
	w.t.Helper()
	o := backup.Options{Settings: backup.Defaults(), Bucket: w.bucket, Store: w.engine, Scratch: filepath.Join(w.data, "backup.tmp"), Host: "test",
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Recount: recount}
	if w.change != nil {
		w.change(&o)
	}
	b, err := backup.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.t.Cleanup(stop)
	return b, stop
}

// snapshot makes a snapshot at once.
func snapshot(t *testing.T, b *backup.Backup) backup.Made {
	t.Helper()
	made, err := b.SnapshotNow(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// restored restores the newest snapshot, checks it, and returns its data directory.
func restored(t *testing.T, bucket backup.Bucket, passphrase string, at time.Time, events uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	v, err := backup.OpenVault(t.Context(), bucket, passphrase, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: dir, At: at})
	if err != nil {
		t.Fatal(err)
	}
	report, err := check.Store(t.Context(), vfs.Default, dir)
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %v %q", err, report.Problems)
	}
	if report.Events != events || r.Events() != events {
		t.Errorf("%d events are restored, the manifest has %d, want %d", report.Events, r.Events(), events)
	}
	return dir
}

func TestBackUpAndRestore(t *testing.T) {
	for _, passphrase := range []string{"", "correct horse battery"} {
		t.Run("passphrase "+passphrase, func(t *testing.T) {
			mem := backup.NewMem()
			var mu sync.Mutex
			stored := make(map[string]int)
			mem.Fail = func(method, name string) error {
				mu.Lock()
				defer mu.Unlock()
				if method == "PUT" {
					stored[name]++
				}
				return nil
			}
			w := newWorld(t, mem)
			w.change = func(o *backup.Options) {
				o.Passphrase = passphrase
				at := time.Now()
				var asked atomic.Int64 // no two snapshots have one name
				o.Now = func() time.Time {
					return at.Add(time.Duration(w.engine.Acknowledged())*time.Hour/500 + time.Duration(asked.Add(1))*time.Millisecond)
				}
			}
			b, stop := w.start()
			ingest(t, w.engine, 1000)
			first := snapshot(t, b)
			ingest(t, w.engine, 500)
			second := snapshot(t, b)
			if second.Manifest.Events != 1500 || first.Manifest.Events != 1000 || second.Objects == 0 {
				t.Errorf("%+v, %+v", first, second)
			}
			for name, times := range stored {
				if strings.HasPrefix(name, backup.ObjectPrefix) && times != 1 {
					t.Errorf("%s was stored %d times", name, times)
				}
			}
			restored(t, mem, passphrase, time.Time{}, 1500)
			restored(t, mem, passphrase, first.Manifest.Created, 1000)
			stop()
			if names := mem.Names("lease"); len(names) > 0 {
				t.Error("the lease was not given back")
			}
			if passphrase == "" {
				return
			}
			for _, name := range mem.Names("") {
				mem.Change(name, func(body []byte) []byte {
					if strings.Contains(string(body), "shop") || strings.Contains(string(body), "keys.toml") || strings.Contains(string(body), "MANIFEST") {
						t.Errorf("%s is not encrypted", name)
					}
					return body
				})
			}
			if _, err := backup.OpenVault(t.Context(), mem, "", false); !errors.Is(err, backup.ErrNoPassphrase) {
				t.Errorf("without the passphrase: %v", err)
			}
			if _, err := backup.OpenVault(t.Context(), mem, "wrong", false); !errors.Is(err, backup.ErrPassphrase) {
				t.Errorf("with another passphrase: %v", err)
			}
			// The manifests have the key, too.
			mem.Change(backup.KeyName, func([]byte) []byte { return nil })
			restored(t, mem, passphrase, time.Time{}, 1500)
		})
	}
}

// A restored store has a new incarnation and goes on with its bucket.
func TestGoesOnAfterRestore(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	b, stop := w.start()
	ingest(t, w.engine, 700)
	snapshot(t, b)
	stop()
	dir := restored(t, mem, "", time.Time{}, 700)
	other := &world{t: t, data: dir, engine: open(t, dir), bucket: mem, log: new(lines)}
	t.Cleanup(func() { other.engine.Close() })
	b, _ = other.start()
	ingest(t, other.engine, 300)
	made := snapshot(t, b)
	if made.Manifest.Line != w.engine.Line() || made.Manifest.Incarnation == w.engine.Incarnation() {
		t.Errorf("%+v", made.Manifest)
	}
	restored(t, mem, "", time.Time{}, 1000)
}

// A bucket with the backups of another store is left alone.
func TestOtherStore(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	b, stop := w.start()
	ingest(t, w.engine, 100)
	snapshot(t, b)
	stop()
	before := mem.Names("")
	other := newWorld(t, mem)
	b, stop = other.start()
	if _, err := b.SnapshotNow(t.Context(), true); err == nil || !strings.Contains(err.Error(), "another store") {
		t.Errorf("%v", err)
	}
	stop()
	if after := mem.Names(""); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("before %q, after %q", before, after)
	}
}
