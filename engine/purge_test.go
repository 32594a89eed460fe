// Purges: when one is done, no file has a word of the deleted events, whatever happens meanwhile.

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// filesWith returns the names of all files below dir that have a text.
func filesWith(t *testing.T, fs vfs.FS, dir string, text []byte) (names []string) {
	t.Helper()
	list, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			continue
		}
		if info.IsDir() {
			names = append(names, filesWith(t, fs, path, text)...)
			continue
		}
		f, err := fs.Open(path)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, text) {
			names = append(names, path)
		}
	}
	return names
}

// marker is a text that no compression shortens much: it is found in a file as it is.
const marker = "k7Qz3vXw9LmB2nRt5Yc8"

var purgeStride = flag.Int("purge.stride", 89, "try a power cut at every n-th file operation of a purge")

// purgeSite is the site of these tests.
var purgeSite = &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}

// markedUser is the person who is deleted.
const markedUser = "user-" + marker

// fillMarked sends n events of five users. One of them is markedUser, whose events have the marker
// wherever a client can write.
func fillMarked(t *testing.T, e *engine.Engine, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprintf("name-%d", i%3), User: fmt.Sprintf("u%d", i%5), Anonymous: fmt.Sprintf("a%d", i%5),
			Time: 1_700_000_000_000 + int64(i)*1000, MessageID: fmt.Sprintf("m%d", i)}
		switch {
		case i%5 == 3:
			ev.User, ev.Anonymous, ev.Session = markedUser, "anonymous-"+marker, fmt.Sprintf("session-%s-%d", marker, i/100)
			ev.MessageID = fmt.Sprintf("message-%s-%d", marker, i)
			ev.Properties = event.Object{{Key: "card", Value: event.Str(marker)}, {Key: marker, Value: event.Str("key")}}
		case i%5 == 2 && i%2 == 0:
			ev.User = "" // later linked to its user
		}
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: purgeSite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// forgetMarked deletes markedUser.
func forgetMarked(ctx context.Context, e *engine.Engine) (query.Receipt, error) {
	return e.Delete(ctx, &purgeSite.Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{markedUser}}}, Now: true})
}

// A power cut at any file operation of a purge, and a start after it: the deletion is there once
// it was answered, nobody sees the events, and the purge comes to its end.
func TestPurgeCrash(t *testing.T) {
	t.Parallel()
	const n = 200
	type cut struct {
		at    int64
		kept  int
		fs    vfs.FS
		acked bool
	}
	var cuts []cut
	var mu sync.Mutex
	var ops, at atomic.Int64
	var acked, armed atomic.Bool
	mem := newCrashable()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpRename, errorfs.OpLink, errorfs.OpRemove:
		default:
			return nil
		}
		if k := ops.Add(1); armed.Load() && k%int64(*purgeStride) == at.Load() {
			if op.Kind == errorfs.OpLink {
				return nil // see linkFS
			}
			mu.Lock()
			defer mu.Unlock()
			for _, kept := range []int{0, 100} {
				cuts = append(cuts, cut{k, kept, mem.clone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(uint64(k), 0))}), acked.Load()})
			}
		}
		return nil
	}))
	at.Store(int64(rand.IntN(*purgeStride)))
	options := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(purgeSite), SealRows: 32, MergeRuns: 3, Memory: 16 << 20, Reserve: -1}
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	fillMarked(t, e, 0, n)
	armed.Store(true)
	r, err := forgetMarked(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	acked.Store(true)
	fillMarked(t, e, n+n%5, 3) // none of them is the person's
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	armed.Store(false)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d power cuts, offset %d", len(cuts), at.Load())
	for _, c := range cuts {
		options.FS = c.fs
		what := fmt.Sprintf("power cut at operation %d, %d %% of unsynced data kept", c.at, c.kept)
		if report, err := check.Store(t.Context(), c.fs, "data"); err != nil || len(report.Problems) > 0 {
			t.Errorf("%s: check: %v %v", what, err, report.Problems)
		}
		e, err := engine.Open(options)
		if err != nil {
			t.Fatalf("%s: open: %v", what, err)
		}
		all, err := e.Deletions(t.Context(), &purgeSite.Site)
		if err != nil || c.acked && len(all) != 1 {
			t.Fatalf("%s: deletions %+v, %v", what, all, err)
		}
		if len(all) == 1 {
			page, err := e.List(t.Context(), query.Query{Site: &purgeSite.Site, Where: []query.Cond{{Field: "user", Values: []string{markedUser}}}, Limit: 10})
			if err != nil || len(page.Events) > 0 {
				t.Errorf("%s: %d events of the person, %v", what, len(page.Events), err)
			}
			if r, err := e.WaitPurged(ctx, &purgeSite.Site, 1); err != nil {
				t.Fatalf("%s: %+v: %v", what, r, err)
			}
			if files := filesWith(t, c.fs, "data", []byte(marker)); len(files) > 0 {
				t.Errorf("%s: the marker is in %v", what, files)
			}
			total, err := e.Count(t.Context(), query.Query{Site: &purgeSite.Site})
			if err != nil || total.Events < n-n/5 || total.Events > n-n/5+3 {
				t.Errorf("%s: count %+v, %v", what, total, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatalf("%s: close: %v", what, err)
		}
		if report, err := check.Store(t.Context(), c.fs, "data"); err != nil || len(report.Problems) > 0 {
			t.Fatalf("%s: check: %v %v", what, err, report.Problems)
		}
	}
}

// When the purge of a person is done, no file of the store has a word of it, sealed or not.
func TestPurgedPersonIsInNoFile(t *testing.T) {
	t.Parallel()
	for _, sealRows := range []int{1 << 16, 64} {
		t.Run(fmt.Sprint(sealRows), func(t *testing.T) {
			fs := vfs.NewMem()
			site := purgeSite
			opts := engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(site), SealRows: sealRows, MergeRuns: 4}
			e, err := engine.Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			const n, users = 1000, 5
			fillMarked(t, e, 0, n)
			if files := filesWith(t, fs, "data", []byte(marker)); len(files) == 0 {
				t.Fatal("no file has the marker before the deletion")
			}
			r, err := forgetMarked(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			done, err := e.WaitPurged(ctx, &site.Site, r.ID)
			if err != nil || done.State != query.DeletionDone || done.DoneAt == 0 {
				t.Fatalf("purge: %+v, %v", done, err)
			}
			if files := filesWith(t, fs, "data", []byte(marker)); len(files) > 0 {
				t.Errorf("the marker is still in %v", files)
			}
			total, err := e.Count(t.Context(), query.Query{Site: &site.Site})
			if err != nil || total.Events != n-n/users {
				t.Errorf("count: %+v, %v", total, err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if files := filesWith(t, fs, "data", []byte(marker)); len(files) > 0 {
				t.Errorf("after closing, the marker is in %v", files)
			}
		})
	}
}

// A deleted first event still names its person until the last event of the person goes. Then
// nothing is left of the name either.
func TestPurgedAnchor(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(purgeSite), SealRows: 64, MergeRuns: 4})
	if err != nil {
		t.Fatal(err)
	}
	fillMarked(t, e, 0, 500)
	purged := func(d query.Deletion) {
		t.Helper()
		d.Kind, d.Now = query.DeleteFilter, true
		r, err := e.Delete(t.Context(), &purgeSite.Site, d)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	purged(query.Deletion{To: 1_700_000_000_000 + 100*1000}) // the oldest 100, of everybody
	users, _, err := e.Users(t.Context(), query.Query{Site: &purgeSite.Site, Limit: 100})
	if err != nil || len(users) != 5 {
		t.Errorf("%d users, %v; want all 5, who have later events", len(users), err)
	}
	if files := filesWith(t, fs, "data", []byte(marker)); len(files) == 0 {
		t.Error("the marker has gone with the oldest events")
	}
	purged(query.Deletion{Where: []query.Cond{{Field: "user", Values: []string{markedUser}}}})
	if files := filesWith(t, fs, "data", []byte(marker)); len(files) > 0 {
		t.Errorf("the marker is still in %v", files)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %v %v", err, report.Problems)
	}
}

// While events of the same people come in, deletions forget their ids and rewrite their rows. No
// event is lost, and each is found under its person.
func TestPurgeUnderWrites(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(purgeSite), SealRows: 64, MergeRuns: 3, IDPart: 2000})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each, people = 3, 500, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range each {
				who := rng.IntN(people)
				ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "n", User: fmt.Sprintf("u%d", who), Anonymous: fmt.Sprintf("a%d", who), Time: 1_700_000_000_000 + int64(i)*1000, MessageID: fmt.Sprintf("%d-%d", w, i)}
				if i%3 == 0 {
					ev.User = ""
				}
				if _, err := e.Ingest(t.Context(), []engine.Record{{Site: purgeSite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var receipts []query.Receipt
	deleted := uint64(0)
	for i := range 20 {
		r, err := e.Delete(t.Context(), &purgeSite.Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{fmt.Sprintf("u%d", i%(people/2))}}}, Now: true})
		if err == nil {
			receipts = append(receipts, r)
			deleted += r.Rows
		} else if !errors.Is(err, query.ErrNotFound) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, r := range receipts {
		if r, err := e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
	}
	total, err := e.Count(t.Context(), query.Query{Site: &purgeSite.Site})
	if err != nil || total.Events != writers*each-deleted {
		t.Errorf("count %+v, %v; want %d", total, err, writers*each-deleted)
	}
	found := uint64(0)
	for i := range people {
		n, err := e.Count(t.Context(), query.Query{Site: &purgeSite.Site, Where: []query.Cond{{Field: "user", Values: []string{fmt.Sprintf("u%d", i)}}}})
		if err != nil || n.Users > 1 {
			t.Errorf("u%d: %+v, %v", i, n, err)
		}
		found += n.Events
	}
	if users, _, err := e.Users(t.Context(), query.Query{Site: &purgeSite.Site, Limit: 100}); err != nil || len(users) > 2*people {
		t.Errorf("%d users, %v", len(users), err)
	}
	if found > total.Events {
		t.Errorf("%d events of people, of %d", found, total.Events)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %v %v", err, report.Problems)
	}
	t.Logf("%d deletions took %d of %d events", len(receipts), deleted, writers*each)
}

// An alias names its previous id as a user and as an anonymous id. Its row may be deleted first and
// keep that name for events that are left. When the last of them goes, the alias loses the name of
// either kind.
func TestPurgedAliasOfAnOlderID(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e, err := engine.Open(engine.Options{Dir: "data", FS: fs, Sites: engine.SitesOf(purgeSite), SealRows: 64, MergeRuns: 4})
	if err != nil {
		t.Fatal(err)
	}
	const begin = 1_700_000_000_000
	for i, ev := range []event.Event{
		{Type: event.Track, Name: "n", User: markedUser},
		{Type: event.Alias, User: "ada", Previous: markedUser},
		{Type: event.Track, Name: "n", User: markedUser},
		{Type: event.Track, Name: "n", User: "ada"},
	} {
		ev.Dialect, ev.Time = event.Native, begin+int64(i)
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: purgeSite, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		r, err := e.Delete(t.Context(), &purgeSite.Site, query.Deletion{Kind: query.DeleteFilter, From: begin + int64(i), To: begin + int64(i) + 1, Now: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
			t.Fatal(err)
		}
		if left := len(filesWith(t, fs, "data", []byte(marker))) > 0; left != (i < 2) {
			t.Errorf("after %d deletions some file has the marker: %t", i+1, left)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %v %v", err, report.Problems)
	}
}

// A purge at once does not wait for a clock that is set back.
func TestPurgeWhileTheClockGoesBack(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	e, err := engine.Open(engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(purgeSite), SealRows: 64,
		Now: func() time.Time {
			return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(-time.Duration(looks.Add(1)) * time.Minute)
		}})
	if err != nil {
		t.Fatal(err)
	}
	fillMarked(t, e, 0, 100)
	r, err := forgetMarked(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if r, err = e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
