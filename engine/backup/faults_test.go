package backup_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/backup"
	"cairn/engine/backup/s3"
	"cairn/engine/backup/s3test"
)

// bucketOf returns the bucket of a server.
func bucketOf(t *testing.T, h http.Handler) backup.Bucket {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	b, err := s3.Open(s3.Options{To: "s3://bucket/shop", Endpoint: server.URL, PathStyle: true, AccessKey: "key", AccessSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it does not come: %s", what)
}

// Behind a proxy that spoils one request in six, backups come through, and what they stored restores
// through the same proxy.
func TestSpoiltRequests(t *testing.T) {
	for _, passphrase := range []string{"", "correct horse battery"} {
		for seed := range uint64(3) {
			server := s3test.New("bucket")
			proxy := &s3test.Proxy{To: server, Delay: 5 * time.Millisecond, Next: s3test.Random(seed, 6)}
			w := newWorld(t, bucketOf(t, proxy))
			w.change = func(o *backup.Options) { o.Passphrase = passphrase }
			b, stop := w.start()
			ingest(t, w.engine, 900)
			var made backup.Made
			eventually(t, "a snapshot of all events", func() bool {
				var err error
				made, err = b.SnapshotNow(t.Context(), false)
				return err == nil && made.Manifest.Events == 900
			})
			stop()
			dir := ""
			eventually(t, "a restore", func() bool {
				dir = filepath.Join(t.TempDir(), "restored")
				v, err := backup.OpenVault(t.Context(), w.bucket, passphrase, false)
				if err != nil {
					return false
				}
				r, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: dir})
				return err == nil && r.Events() == 900
			})
			if _, problems, err := recount(t.Context(), dir, "", time.Hour); err != nil || len(problems) > 0 {
				t.Fatalf("seed %d: %v %q", seed, err, problems)
			}
			w.engine.Close()
		}
	}
}

// While the bucket is full the store goes on, and /healthz says that the backup fails. What was
// stored before stays restorable.
func TestFullBucket(t *testing.T) {
	server := s3test.New("bucket")
	w := newWorld(t, bucketOf(t, server))
	b, _ := w.start()
	ingest(t, w.engine, 500)
	snapshot(t, b)
	server.Limit(1) // nothing more fits
	ingest(t, w.engine, 500)
	if _, err := b.SnapshotNow(t.Context(), false); err == nil {
		t.Error("a full bucket has taken a snapshot")
	}
	eventually(t, "a trouble", func() bool {
		b.SnapshotNow(t.Context(), false)
		return slices.ContainsFunc(b.Troubles(), func(s string) bool { return strings.Contains(s, "the backup fails") })
	})
	restored(t, w.bucket, "", time.Time{}, 500)
	server.Limit(0)
	eventually(t, "a snapshot", func() bool { _, err := b.SnapshotNow(t.Context(), false); return err == nil })
	if len(b.Troubles()) > 0 {
		t.Errorf("troubles: %q", b.Troubles())
	}
	restored(t, w.bucket, "", time.Time{}, 1000)
}

// A server that ignores conditions is found out and used with a warning.
func TestServerWithoutConditions(t *testing.T) {
	server := s3test.New("bucket")
	server.Unconditional = true
	w := newWorld(t, bucketOf(t, server))
	b, _ := w.start()
	ingest(t, w.engine, 300)
	snapshot(t, b)
	restored(t, w.bucket, "", time.Time{}, 300)
	if !strings.Contains(w.log.String(), "ignores If-None-Match") {
		t.Errorf("no warning in\n%s", w.log)
	}
}

// ETags that are wrong in answers, and a clock that is hours off, harm nothing: what the bucket says
// is compared with what it says itself.
func TestLyingServer(t *testing.T) {
	for name, proxy := range map[string]*s3test.Proxy{
		"tags":   {Next: func(method, path string) s3test.Fault { return s3test.LieTag }},
		"behind": {Shift: -7 * time.Hour},
		"ahead":  {Shift: 7 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			proxy.To = s3test.New("bucket")
			w := newWorld(t, bucketOf(t, proxy))
			b, stop := w.start()
			ingest(t, w.engine, 300)
			eventually(t, "a snapshot", func() bool { _, err := b.SnapshotNow(t.Context(), false); return err == nil })
			stop()
			restored(t, w.bucket, "", time.Time{}, 300)
		})
	}
}

// A bucket that was put back to an older state is used as it is: what it lacks is stored again.
func TestOlderBucket(t *testing.T) {
	server := s3test.New("bucket")
	w := newWorld(t, bucketOf(t, server))
	b, _ := w.start()
	ingest(t, w.engine, 500)
	snapshot(t, b)
	older := server.Copy()
	ingest(t, w.engine, 700)
	snapshot(t, b)
	server.Swap(older)
	eventually(t, "a snapshot", func() bool { _, err := b.SnapshotNow(t.Context(), false); return err == nil })
	restored(t, w.bucket, "", time.Time{}, 1200)
}

// Two stores of one line on one prefix: the second waits until the lease of the first has ended by
// the bucket's clock, and -take takes it over at once. The first then stops and says so.
func TestLease(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	b, stop := w.start()
	ingest(t, w.engine, 400)
	snapshot(t, b)
	dir := restored(t, mem, "", time.Time{}, 400)
	other := &world{t: t, data: dir, engine: open(t, dir), bucket: mem, log: new(lines)}
	t.Cleanup(func() { other.engine.Close() })
	second, stopSecond := other.start()
	var held *backup.LeaseError
	if _, err := second.SnapshotNow(t.Context(), false); !errors.As(err, &held) || held.Lost || held.Incarnation != w.engine.Incarnation() {
		t.Fatalf("the second: %v", err)
	}
	if !slices.ContainsFunc(second.Troubles(), func(s string) bool { return strings.Contains(s, "another server backs up") }) {
		t.Errorf("troubles of the second: %q", second.Troubles())
	}
	if _, err := second.SnapshotNow(t.Context(), true); err != nil {
		t.Fatalf("taken: %v", err)
	}
	eventually(t, "the first notices", func() bool {
		return slices.ContainsFunc(b.Troubles(), func(s string) bool { return strings.Contains(s, "has taken over the backup") })
	})
	ingest(t, w.engine, 100) // it writes on
	if _, err := b.SnapshotNow(t.Context(), false); !errors.As(err, &held) || !held.Lost {
		t.Errorf("the first: %v", err)
	}
	// The second ends without giving the lease back. By the bucket's clock five minutes pass.
	kept := mem.Clone()
	stopSecond()
	kept.Clock = func() time.Time { return time.Now().Add(6 * time.Minute) }
	stop()
	w.bucket = kept
	b, _ = w.start()
	if _, err := b.SnapshotNow(t.Context(), false); err != nil {
		t.Errorf("after the end of the lease: %v", err)
	}
	if names := kept.Names("lease"); len(names) != 1 {
		t.Errorf("%q", names)
	}
}

// The same store takes its lease over at once: it was killed and starts again.
func TestOwnLease(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	b, stop := w.start()
	snapshot(t, b)
	killed := mem.Clone() // with its lease
	stop()
	w.bucket = killed
	b, _ = w.start()
	snapshot(t, b)
}

// An object that is damaged in the bucket is found by the verification, and the next snapshot stores
// it again.
func TestVerification(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	hour := time.Duration(0)
	w.change = func(o *backup.Options) {
		o.Now = func() time.Time { return time.Now().Add(hour) }
	}
	b, stop := w.start()
	ingest(t, w.engine, 900)
	var objects []string
	for _, f := range snapshot(t, b).Manifest.Files {
		for _, p := range f.Parts {
			objects = append(objects, p.Object)
		}
	}
	stop()
	flip := func(name string) {
		mem.Change(name, func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
	}
	flip(objects[0])
	hour = 48 * time.Hour
	mem.Change("verified.json", func([]byte) []byte { return nil })
	w.change = func(o *backup.Options) {
		o.Now, o.Every = func() time.Time { return time.Now().Add(hour) }, 30*24*time.Hour
		o.LogEvery = 0
	}
	b, stop = w.start()
	eventually(t, "the damage is found", func() bool {
		return slices.ContainsFunc(b.Troubles(), func(s string) bool { return strings.Contains(s, "failed its verification") })
	})
	if !strings.Contains(w.log.String(), objects[0]) {
		t.Errorf("the log does not name %s:\n%s", objects[0], w.log)
	}
	v, err := backup.OpenVault(t.Context(), mem, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: filepath.Join(t.TempDir(), "x")}); err == nil {
		t.Error("a damaged backup restores")
	}
	snapshot(t, b)
	restored(t, mem, "", time.Time{}, 900)
	status := b.Status()
	if status.Share == 1 || len(status.Snapshots) == 0 {
		t.Errorf("%+v", status)
	}
	stop()
	// All of it is read back and restored to scratch, and the time is told.
	hour += 48 * time.Hour
	b, _ = w.start()
	eventually(t, "a verification", func() bool { return b.Status().LastVerified != nil })
	if s := b.Status(); s.Share != 1 || s.Error != "" || len(b.Troubles()) > 0 {
		t.Errorf("%+v, %q", s, b.Troubles())
	}
}

// Whatever of a restore fails, nothing is left that looks like a store.
func TestFailedRestore(t *testing.T) {
	mem := backup.NewMem()
	w := newWorld(t, mem)
	b, stop := w.start()
	ingest(t, w.engine, 600)
	made := snapshot(t, b)
	eventually(t, "the snapshot of the start goes", func() bool { return len(mem.Names(backup.SnapPrefix)) == 1 })
	stop()
	v, err := backup.OpenVault(t.Context(), mem, "", false)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{made.Manifest.Name}
	for _, f := range made.Manifest.Files {
		for _, p := range f.Parts {
			names = append(names, p.Object)
		}
	}
	for _, name := range names {
		for what, change := range map[string]func([]byte) []byte{
			"missing":  func([]byte) []byte { return nil },
			"cut":      func(body []byte) []byte { return body[:len(body)-2] },
			"longer":   func(body []byte) []byte { return append(body, 'x') },
			"bit flip": func(body []byte) []byte { body[len(body)/3] ^= 4; return body },
		} {
			spoilt := mem.Clone()
			spoilt.Change(name, change)
			v.Bucket = spoilt
			dir := filepath.Join(t.TempDir(), "restored")
			if _, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: dir}); err == nil {
				t.Errorf("%s %s: it restores", name, what)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
				t.Errorf("%s %s: left %q", name, what, left)
			}
		}
	}
	v.Bucket = mem
	full := func(string) (int64, error) { return 1000, nil }
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: dir, Room: full}); err == nil || !strings.Contains(err.Error(), "1000 bytes free") {
		t.Errorf("without room: %v", err)
	}
	if _, err := backup.Restore(t.Context(), v, backup.RestoreOptions{Dir: dir, At: time.Now().Add(-time.Hour)}); !errors.Is(err, backup.ErrNoSnapshot) {
		t.Errorf("before the first: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := backup.Restore(gone, v, backup.RestoreOptions{Dir: dir}); err == nil {
		t.Error("restored for a caller who is gone")
	}
}
