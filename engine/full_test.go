// A disk that is full: refused writes, reads that go on, and seals that wait.

package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// fullFS is a file system whose size is fixed and that can be full in bytes or in files.
type fullFS struct {
	vfs.FS
	free, files atomic.Int64
}

func (fs *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free := uint64(fs.free.Load())
	return vfs.DiskUsage{TotalBytes: 1 << 30, AvailBytes: free, UsedBytes: 1<<30 - free}, nil
}

func (fs *fullFS) CountFiles(string) (total, free int64, ok bool) { return 1000, fs.files.Load(), true }

// newFullFS returns a file system with space. A write or a new file gets ENOSPC while it has
// none. Only the operations of which only says so fail; nil = all.
func newFullFS(only func(path string) bool) *fullFS {
	fs := &fullFS{}
	fs.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if only != nil && !only(op.Path) {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileWriteAt:
			if fs.free.Load() == 0 {
				return syscall.ENOSPC
			}
		case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpMkdirAll:
			if fs.files.Load() == 0 {
				return syscall.ENOSPC
			}
		}
		return nil
	}))
	fs.space(true)
	return fs
}

func (fs *fullFS) space(some bool) {
	fs.free.Store(0)
	fs.files.Store(0)
	if some {
		fs.free.Store(1 << 29)
		fs.files.Store(900)
	}
}

// fullStore is a store on a fullFS.
type fullStore struct {
	*testing.T
	*engine.Engine
	options engine.Options
	site    *engine.Site
	text    func() string // of each event; nil = a short one
	sent    int

	admitted atomic.Int64 // how often the engine asked for the time, which it does for each request it admits
}

func openFull(t *testing.T, fs vfs.FS) *fullStore {
	site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
	s := &fullStore{T: t, site: site, options: engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), Memory: 16 << 20, SealRows: 50,
		Fatal: func(err error) { t.Errorf("the store has failed: %v", err) }}}
	s.options.Now = func() time.Time {
		s.admitted.Add(1)
		return time.Now()
	}
	s.open()
	return s
}

func (s *fullStore) open() {
	s.Helper()
	var err error
	if s.Engine, err = engine.Open(s.options); err != nil {
		s.Fatal(err)
	}
}

// send stores n events. They count as sent if they are acknowledged.
func (s *fullStore) send(n int) error {
	var records []engine.Record
	for i := range n {
		text := strings.Repeat("x", 100)
		if s.text != nil {
			text = s.text()
		}
		records = append(records, engine.Record{Site: s.site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x",
			MessageID: fmt.Sprint(s.sent + i), Properties: event.Object{{Key: "text", Value: event.Str(text)}}}}})
	}
	_, err := s.Ingest(s.Context(), records, true, nil)
	if err == nil {
		s.sent += n
	}
	return err
}

// refused checks that writes are refused, within a second, because the disk is full, and that
// reads see at least the acknowledged events.
func (s *fullStore) refused() {
	s.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		start := time.Now()
		err := s.send(1)
		if took := time.Since(start); took > 2*time.Second {
			s.Fatalf("an answer after %v: %v", took, err)
		}
		if errors.Is(err, query.ErrDiskFull) {
			break
		}
		if err != nil || time.Now().After(end) {
			s.Fatalf("a write on a full disk: %v", err)
		}
	}
	if err := s.Ready(); !errors.Is(err, query.ErrDiskFull) {
		s.Errorf("ready: %v", err)
	}
	count, err := s.Count(s.Context(), query.Query{Site: &s.site.Site})
	if err != nil || int(count.Events) < s.sent {
		s.Errorf("a count on a full disk: %+v, %v; %d were acknowledged", count, err, s.sent)
	}
}

// back waits until writes are taken again.
func (s *fullStore) back() {
	s.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = s.send(1); err == nil {
			return
		}
	}
	s.Fatalf("writes do not come back: %v", err)
}

// finish closes the store and checks it.
func (s *fullStore) finish(fs vfs.FS) {
	s.Helper()
	if err := s.Close(); err != nil {
		s.Fatal(err)
	}
	report, err := check.Store(s.Context(), fs, "data")
	if err != nil || len(report.Problems) > 0 || int(report.Events) < s.sent {
		s.Errorf("check: %+v, %v; %d were acknowledged", report, err, s.sent)
	}
}

// A seal that finds no space is tried again. Neither an error of the file system nor a disk
// that says that it is full ends the store.
func TestSealWithoutSpace(t *testing.T) {
	for name, full := range map[string]func(fs *fullFS, is bool){
		"no space is left":  func(fs *fullFS, is bool) { fs.space(!is) },
		"a write fails":     func(fs *fullFS, is bool) { fs.free.Store(map[bool]int64{false: 1 << 29}[is]) },
		"no file is left":   func(fs *fullFS, is bool) { fs.files.Store(map[bool]int64{false: 900}[is]) },
		"the disk says not": nil,
	} {
		t.Run(name, func(t *testing.T) {
			fs := newFullFS(func(path string) bool { return strings.Contains(path, "store.tmp") })
			var base vfs.FS = fs
			if full == nil { // the file system does not tell its space
				full, base = func(fs *fullFS, is bool) { fs.space(!is) }, struct{ vfs.FS }{fs.FS}
			}
			s := openFull(t, base)
			full(fs, true)
			for range 10 {
				_ = s.send(40)
			}
			time.Sleep(50 * time.Millisecond)
			if n := s.Stats().Seals; n != 0 {
				t.Fatalf("%d seals on a full disk", n)
			}
			full(fs, false)
			for end := time.Now().Add(20 * time.Second); s.Stats().HotEvents > 100; time.Sleep(20 * time.Millisecond) {
				s.back()
				if time.Now().After(end) {
					t.Fatalf("%d events are not sealed", s.Stats().HotEvents)
				}
			}
			s.finish(base)
		})
	}
}

// The log finds no space, in bytes or in files. The requests that wait for it are refused
// within a second, and the log goes on when there is space.
func TestLogWithoutSpace(t *testing.T) {
	fs := newFullFS(nil)
	s := openFull(t, fs)
	for range 5 {
		if err := s.send(40); err != nil {
			t.Fatal(err)
		}
		fs.space(false)
		s.refused()
		fs.space(true)
		s.back()
	}
	s.finish(fs)
}

// A store is closed while something waits for space: a request, a snapshot, the flush that the
// ticker asks for when no events come. Close leaves it.
func TestCloseWithoutSpace(t *testing.T) {
	has := func(what string) func(string) bool {
		return func(path string) bool { return strings.Contains(path, "store/") && strings.Contains(path, what) }
	}
	snapshot := func(s *fullStore) {
		if _, err := s.Snapshot(s.Context(), "copy"); !errors.Is(err, query.ErrDiskFull) {
			s.Errorf("a snapshot on a full disk: %v", err)
		}
	}
	for name, c := range map[string]struct {
		only func(path string) bool
		wait func(*fullStore)
	}{
		"a request":              {nil, (*fullStore).refused},
		"a snapshot":             {has(""), snapshot},
		"a snapshot, a manifest": {has("MANIFEST-"), snapshot},
		"the ticker":             {has(".log"), func(*fullStore) { time.Sleep(2500 * time.Millisecond) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := newFullFS(c.only)
			var base vfs.FS = fs
			if c.only != nil {
				base = struct{ vfs.FS }{fs.FS} // the guard sees enough space
			}
			s := openFull(t, base)
			for range 10 {
				if err := s.send(40); err != nil {
					t.Fatal(err)
				}
			}
			fs.space(false)
			c.wait(s)
			answered(t, "close", func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				s.EndSinks() // it does not wait either
			})
			fs.space(true)
		})
	}
}

// A store on a disk without space can be read.
func TestStartWithoutSpace(t *testing.T) {
	fs := newFullFS(nil)
	s := openFull(t, fs)
	for range 10 {
		if err := s.send(40); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, full := range map[string]func(){"no space": func() { fs.free.Store(0) }, "no files": func() { fs.files.Store(0) }} {
		full()
		if _, err := engine.Open(s.options); !errors.Is(err, query.ErrDiskFull) {
			t.Fatalf("%s: open: %v", name, err)
		}
		s.options.ReadOnly = true
		s.open()
		s.refused()
		if s.RoomToStart() {
			t.Errorf("%s: a start has room", name)
		}
		fs.space(true)
		time.Sleep(60 * time.Millisecond)
		if !s.RoomToStart() {
			t.Errorf("%s: a start has no room when there is space again", name)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.options.ReadOnly = false
		s.open()
		s.back()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.open()
	s.finish(fs)
}

// A snapshot finds no space, for its own files or for those that the store makes for it. It is
// refused, and works when there is space.
func TestSnapshotWithoutSpace(t *testing.T) {
	for name, only := range map[string]func(path string) bool{
		"any file":       nil,
		"the store's":    func(path string) bool { return strings.Contains(path, "store/") },
		"the log":        func(path string) bool { return strings.HasSuffix(path, ".log") },
		"the snapshot's": func(path string) bool { return strings.Contains(path, "copy") },
	} {
		t.Run(name, func(t *testing.T) {
			fs := newFullFS(only)
			base := struct{ vfs.FS }{fs.FS} // the guard sees enough space
			s := openFull(t, base)
			if err := s.send(40); err != nil {
				t.Fatal(err)
			}
			fs.space(false)
			answered(t, "a snapshot", func() {
				if _, err := s.Snapshot(t.Context(), "copy"); !errors.Is(err, query.ErrDiskFull) {
					t.Errorf("a snapshot on a full disk: %v", err)
				}
			})
			fs.space(true)
			s.back()
			err := query.ErrBusy
			for end := time.Now().Add(20 * time.Second); errors.Is(err, query.ErrBusy) && time.Now().Before(end); time.Sleep(time.Millisecond) {
				_, err = s.Snapshot(t.Context(), "copy")
			}
			if err != nil {
				t.Error(err)
			}
			s.finish(base)
		})
	}
}

// Space is gone when Pebble's own Open has begun, which writes the log into tables. The start is
// refused and names the file. The store can be read, and a start works when there is space.
func TestStartLosesSpace(t *testing.T) {
	for name, what := range map[string]string{"tables": ".sst", "the manifest": "MANIFEST-", "the log": ".log"} {
		t.Run(name, func(t *testing.T) {
			fs := newFullFS(func(path string) bool { return strings.Contains(path, "store/") && strings.Contains(path, what) })
			base := struct{ vfs.FS }{fs.FS} // the guard sees enough space
			s := openFull(t, base)
			if err := s.send(40); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s.options.Pending = new(engine.Pending)
			fs.space(false)
			for range 2 {
				answered(t, "a start", func() {
					if _, err := engine.Open(s.options); !errors.Is(err, query.ErrDiskFull) || !strings.Contains(err.Error(), what) {
						t.Errorf("open: %v", err)
					}
				})
				s.options.ReadOnly = true
				answered(t, "a start for reading", s.open)
				s.refused()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s.options.ReadOnly = false
			}
			fs.space(true)
			answered(t, "a start with space", s.open)
			s.back()
			s.finish(base)
		})
	}
}

// A request that is answered 507 while the log waits for space may use its memory again,
// although its events are stored later: the counters keep the texts that were sent.
func TestMemoryWhileTheLogWaits(t *testing.T) {
	var slow atomic.Bool
	fs := newFullFS(func(path string) bool {
		if slow.Load() && strings.HasSuffix(path, ".log") {
			time.Sleep(30 * time.Millisecond) // so that several groups wait
		}
		return true
	})
	base := struct{ vfs.FS }{fs.FS} // without the guard of the disk, which refuses writes before they are taken
	s := openFull(t, base)
	if err := s.send(10); err != nil {
		t.Fatal(err)
	}
	slow.Store(true)
	fs.space(false)
	var requests sync.WaitGroup
	var refused atomic.Int64
	for i := range 60 {
		if i%10 == 1 {
			time.Sleep(time.Millisecond)
		}
		requests.Go(func() {
			body := fmt.Appendf(nil, "value-%04d", i)
			var m engine.Memory
			_, err := s.Ingest(t.Context(), []engine.Record{{Site: s.site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x",
				Properties: event.Object{{Key: "text", Value: event.Str(unsafe.String(&body[0], len(body)))}}}}}}, true, &m)
			if errors.Is(err, query.ErrDiskFull) {
				refused.Add(1)
			} else {
				t.Errorf("request %d: %v", i, err)
			}
			copy(body, "REUSED-BY-") // as the next request of the connection does
		})
	}
	requests.Wait()
	slow.Store(false)
	fs.space(true)
	s.back()
	if page, err := s.Counters(t.Context(), query.CounterQuery{Site: &s.site.Site, Property: "text", Limit: 1000}); err != nil || refused.Load() != 60 || page.Count < 2 {
		t.Errorf("%d refused, %d values, %v", refused.Load(), page.Count, err)
	}
	s.finish(base) // with the checker's recount
}

// The log waits for space while a request needs what only the log has, such as the first one of
// a site after the start. It is refused as well, and the store closes.
func TestReadTheLogWithoutSpace(t *testing.T) {
	for _, then := range []string{"space", "close"} {
		t.Run(then, func(t *testing.T) {
			var slow atomic.Bool
			begun, goOn := make(chan struct{}, 1), make(chan struct{})
			fs := newFullFS(func(path string) bool {
				if strings.HasSuffix(path, ".log") && slow.CompareAndSwap(true, false) {
					begun <- struct{}{}
					<-goOn
				}
				return true
			})
			s := openFull(t, struct{ vfs.FS }{fs.FS}) // without the guard of the disk
			two := &engine.Site{Site: query.Site{ID: 2, Name: "two"}}
			if err := s.send(40); err != nil {
				t.Fatal(err)
			}
			var held atomic.Bool
			var requests sync.WaitGroup
			request := func(site *engine.Site, text string) {
				requests.Go(func() {
					_, err := s.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "x",
						Properties: event.Object{{Key: "text", Value: event.Str(text)}}}}}}, true, nil)
					if !errors.Is(err, query.ErrDiskFull) {
						t.Errorf("%s: %v", site.Name, err)
					}
					if errors.Is(err, query.ErrHeld) {
						held.Store(true)
					}
				})
			}
			slow.Store(true)
			fs.space(false)
			request(s.site, "a")
			<-begun
			before := s.admitted.Load()
			request(two, "b")
			for s.admitted.Load() == before { // the engine refuses a request at once when it knows that the disk is full
				time.Sleep(time.Millisecond)
			}
			close(goOn)
			answered(t, "the requests", requests.Wait)
			if !held.Load() {
				t.Error("no request had to wait for the log: this test tries nothing")
			}
			if then == "close" {
				answered(t, "close", func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
				fs.space(true)
				return
			}
			fs.space(true)
			s.back()
			if count, err := s.Count(t.Context(), query.Query{Site: &two.Site}); err != nil || count.Events != 1 {
				t.Errorf("site two: %+v, %v", count, err)
			}
			s.finish(struct{ vfs.FS }{fs.FS})
		})
	}
}

// answered calls do, and ends the test if it hangs.
func answered(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		panic(what + " hang") // so that the goroutines are shown
	}
}

// Pebble cannot write its memtables, because tables have no space while the log has some. The
// requests that wait for a memtable are refused, and the store closes and opens again.
func TestMemtablesWithoutSpace(t *testing.T) {
	fs := newFullFS(func(path string) bool { return strings.Contains(path, "store/") && strings.HasSuffix(path, ".sst") })
	base := struct{ vfs.FS }{fs.FS}
	s := openFull(t, base)
	rng := rand.New(rand.NewPCG(6, 6))
	s.text = func() string { // nothing to compress
		text := make([]byte, 4000)
		for i := range text {
			text[i] = byte('!' + rng.IntN(90))
		}
		return string(text)
	}
	full := func() {
		t.Helper()
		fs.space(false)
		for range 1000 {
			var err error
			answered(t, "a write", func() { err = s.send(40) })
			if errors.Is(err, query.ErrDiskFull) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Fatal("no write is refused")
	}
	for range 2 {
		full()
		if err := s.Ready(); !errors.Is(err, query.ErrDiskFull) {
			t.Errorf("ready: %v", err)
		}
		fs.space(true)
		s.back()
	}
	full()
	answered(t, "close", func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	fs.space(true)
}
