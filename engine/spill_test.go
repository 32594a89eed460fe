// Queries whose pairs exceed memory: what they answer, which temporary files they leave, and what
// happens when a temporary file fails.

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// spillFS watches the files that queries spill pairs to, and makes them fail.
type spillFS struct {
	vfs.FS
	made atomic.Int64
	fail atomic.Pointer[func(op errorfs.Op) error]
	full atomic.Bool // the disk reports that it is full
}

func newSpillFS(fs vfs.FS) *spillFS {
	s := new(spillFS)
	s.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !strings.Contains(op.Path, "store.tmp/pairs-") {
			return nil
		}
		if op.Kind == errorfs.OpCreate {
			s.made.Add(1)
		}
		if fail := s.fail.Load(); fail != nil {
			return (*fail)(op)
		}
		return nil
	}))
	return s
}

func (s *spillFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if s.full.Load() {
		return vfs.DiskUsage{TotalBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 39, TotalBytes: 1 << 40}, nil
}

// left returns the files that no query has removed.
func (s *spillFS) left(t *testing.T) (names []string) {
	t.Helper()
	all, err := s.List("data/store.tmp")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasPrefix(name, "pairs-") {
			names = append(names, name)
		}
	}
	return names
}

// A start removes the temporary files that a crash has left, and no files with other names.
func TestStartEmptiesTmp(t *testing.T) {
	fs := vfs.NewMem()
	write := func(name string) {
		t.Helper()
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	openAside(t, fs, 0, 0).Close()
	for _, name := range []string{"pairs-1", "run-12.sst", "notes", "pairs-1x", "pairs-", "run-1", "a-run-1.sst"} {
		write("data/store.tmp/" + name)
	}
	if err := fs.MkdirAll("data/tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	write("data/tmp/run-1.sst") // of an older version, which may still run
	openAside(t, fs, 0, 0).Close()
	for dir, want := range map[string][]string{"data/store.tmp": {"a-run-1.sst", "notes", "pairs-", "pairs-1x", "run-1"}, "data/tmp": {"run-1.sst"}} {
		left, err := fs.List(dir)
		if slices.Sort(left); err != nil || !slices.Equal(left, want) {
			t.Errorf("%s holds %q (%v), want %q", dir, left, err, want)
		}
	}
}

var asideSite = &engine.Site{Site: query.Site{ID: 1, Name: "one"}}

// spillEvents are the events of a few hundred persons in long sessions. Some persons turn out to
// be the same.
func spillEvents(n int) (records []engine.Record) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		ev := &event.Event{
			Dialect: event.Native, Type: event.Track, Name: fmt.Sprint("event ", random.IntN(5)), Time: epoch.UnixMilli() + int64(i)*60_000,
			User: fmt.Sprint("user ", random.IntN(300)), Session: fmt.Sprint("session ", i/1000, random.IntN(200)),
			Properties: event.Object{
				{Key: "sku", Value: event.Str(fmt.Sprint(random.IntN(20) * random.IntN(20)))},
				{Key: "tags", Value: event.Raw(fmt.Sprintf("[%d,%d]", random.IntN(50), random.IntN(50)))},
			},
			Context: event.Object{{Key: "country", Value: event.Str([]string{"NL", "DE", "FR"}[random.IntN(3)])}},
		}
		if random.IntN(50) == 0 {
			ev = &event.Event{Dialect: event.Native, Type: event.Alias, User: ev.User, Previous: fmt.Sprint("user ", random.IntN(300))}
		}
		records = append(records, engine.Record{Site: asideSite, Record: &event.Record{Event: *ev}})
	}
	return records
}

var asideQueries = []query.CounterQuery{
	{Property: "sku"},
	{Property: "sku", Sort: "users"},
	{Property: "sku", Limit: 2},
	{Property: "tags", Sort: "sessions"},
	{Property: "sku", Segment: "country"},
	{Property: "sku", Where: []query.Cond{{Field: "name", Values: []string{"event 1"}}}},
	{Property: "country", Interval: "day"},
	{Property: "sku", Interval: "hour", Limit: 10},
	{},
}

func openAside(t *testing.T, fs vfs.FS, pairs int, queryTime time.Duration) *engine.Engine {
	t.Helper()
	e, err := engine.Open(engine.Options{
		Dir: "data", FS: fs, Sites: engine.SitesOf(asideSite), Now: func() time.Time { return epoch.Add(100 * time.Hour) },
		SealRows: 500, HotEvents: 2000, MergeRuns: 3, Memory: 16 << 20, Reserve: 1 << 20, Pairs: pairs, QueryTime: queryTime,
		Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ingestAside(t *testing.T, e *engine.Engine) {
	t.Helper()
	for records := spillEvents(4000); len(records) > 0; records = records[500:] {
		if outcomes, err := e.Ingest(t.Context(), copyRecords(records[:500]), true, nil); err != nil || outcomes[0].Err != nil {
			t.Fatal(err, outcomes[0].Err)
		}
	}
}

// The answers are the same however few pairs fit in memory and however many queries run at a
// time. Afterwards no file is left.
func TestAnswersWithSpilledPairs(t *testing.T) {
	roomy := openAside(t, vfs.NewMem(), 0, 0)
	defer roomy.Close()
	ingestAside(t, roomy)
	for _, pairs := range []int{1, 100, 2000} {
		fs := newSpillFS(vfs.NewMem())
		e := openAside(t, fs, pairs, time.Minute) // on a busy machine ten seconds are too little
		defer e.Close()
		ingestAside(t, e)
		var all sync.WaitGroup
		for _, q := range asideQueries {
			q.Site = &asideSite.Site
			want, err := roomy.Counters(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				got, err := e.Counters(t.Context(), q)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%d pairs in memory, %s: %v\n got %+v\nwant %+v", pairs, showCounterQuery(q), err, got, want)
				}
			})
		}
		all.Wait()
		if left := fs.left(t); fs.made.Load() == 0 || len(left) > 0 {
			t.Errorf("%d pairs in memory: %d files were made, %q are left", pairs, fs.made.Load(), left)
		}
	}
}

// A file that cannot be written or read fails its query, and no other.
func TestSpillFails(t *testing.T) {
	fs := newSpillFS(vfs.NewMem())
	e := openAside(t, fs, 1, 0)
	defer e.Close()
	ingestAside(t, e)
	ask := func(ctx context.Context) error {
		t.Helper()
		_, err := e.Counters(ctx, query.CounterQuery{Site: &asideSite.Site, Property: "sku", Sort: "users"})
		if left := fs.left(t); len(left) > 0 {
			t.Errorf("%v: %q are left", err, left)
		}
		return err
	}
	for _, kind := range []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileReadAt} {
		for _, fault := range []error{errorfs.ErrInjected, syscall.ENOSPC} {
			fail := func(op errorfs.Op) error {
				if op.Kind == kind {
					return fault
				}
				return nil
			}
			fs.fail.Store(&fail)
			if err := ask(t.Context()); !errors.Is(err, fault) || errors.Is(err, query.ErrDiskFull) != (fault == syscall.ENOSPC && kind != errorfs.OpFileReadAt) {
				t.Errorf("%v at operation %v: %v", fault, kind, err)
			}
		}
	}
	fs.fail.Store(nil)

	// The query is canceled when it makes its first file.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := func(errorfs.Op) error { cancel(); return nil }
	fs.fail.Store(&stop)
	if err := ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	fs.fail.Store(nil)

	fs.full.Store(true)
	for e.Admit() == nil { // the disk is not checked every time
		time.Sleep(time.Millisecond)
	}
	made := fs.made.Load()
	if err := ask(t.Context()); !errors.Is(err, query.ErrDiskFull) || fs.made.Load() != made {
		t.Errorf("on a full disk: %v", err)
	}
	fs.full.Store(false)
	for e.Admit() != nil {
		time.Sleep(time.Millisecond)
	}
	if err := ask(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	ingestAside(t, e)
}

// A query that runs out of time removes its file. On a busy machine the time may be over before
// there is a file: then it is asked again with more of it.
func TestSpillTimesOut(t *testing.T) {
	slow := func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite {
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	}
	for limit := 100 * time.Millisecond; ; limit *= 2 {
		fs := newSpillFS(vfs.NewMem())
		fs.fail.Store(&slow)
		e := openAside(t, fs, 1, limit)
		ingestAside(t, e)
		_, err := e.Counters(t.Context(), query.CounterQuery{Site: &asideSite.Site, Property: "sku", Sort: "users"})
		made, left := fs.made.Load(), fs.left(t)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if errors.Is(err, query.ErrQueryTimeout) && made == 0 && limit < time.Minute {
			continue
		}
		if !errors.Is(err, query.ErrQueryTimeout) || made == 0 || len(left) > 0 {
			t.Errorf("%v, %d files were made, %q are left", err, made, left)
		}
		return
	}
}
