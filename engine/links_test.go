package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// signIn sends two events that make visitor number i a user. They make one link.
func signIn(t testing.TB, e *Engine, site *Site, i int) {
	t.Helper()
	for _, ev := range []event.Event{
		{Dialect: event.Native, Type: event.Track, Name: "seen", Anonymous: fmt.Sprint("visitor ", i)},
		{Dialect: event.Native, Type: event.Track, Name: "seen", Anonymous: fmt.Sprint("visitor ", i), User: fmt.Sprint("user ", i)},
	} {
		if _, err := e.Ingest(context.Background(), []Record{{Site: site, Record: &event.Record{Event: ev}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// The first query that needs the links of a site reads them. The start and the writers do
// not. Links that come before, during and after the reading are not lost.
func TestLinksAreReadOnFirstUse(t *testing.T) {
	fs := vfs.NewMem()
	sites := []*Site{{Site: query.Site{ID: 1, Name: "one"}}, {Site: query.Site{ID: 2, Name: "two"}}}
	open := func() *Engine {
		e, err := Open(Options{Dir: "data", FS: fs, Sites: SitesOf(sites...), Reserve: -1, SealRows: 100})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	users := func(e *Engine, site *Site, metrics query.Metrics) uint64 {
		t.Helper()
		n, err := e.Count(t.Context(), query.Query{Site: &site.Site, Metrics: metrics})
		if err != nil {
			t.Fatal(err)
		}
		return n.Users
	}
	held := func(e *Engine, site *Site) uint64 { return e.state(site.ID).Links.Joined() }

	e := open()
	const n = 300
	for i := range n {
		signIn(t, e, sites[0], i)
		signIn(t, e, sites[1], i)
	}
	if held(e, sites[0])+held(e, sites[1]) != 0 || e.Stats().LinkBytes != 0 {
		t.Error("links are in memory although no query needed them")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}

	e = open()
	defer e.Close()
	if users(e, sites[0], query.MetricEvents); held(e, sites[0]) != 0 {
		t.Error("a count of events read links")
	}
	signIn(t, e, sites[0], n) // before
	version := e.state(1).Links.Version()

	// One sign-in comes just before the links are read, one just after.
	l := e.state(1).Links
	load := l.Load
	l.Load = func() error {
		signIn(t, e, sites[0], n+1)
		if err := load(); err != nil {
			return err
		}
		signIn(t, e, sites[0], n+2)
		return nil
	}
	if got := users(e, sites[0], 0); got != n+3 && got != n+2 && got != n+1 {
		t.Errorf("%d users", got)
	}
	if got := users(e, sites[0], 0); got != n+3 {
		t.Errorf("%d users, want %d", got, n+3)
	}
	signIn(t, e, sites[0], n+3) // after
	if got := users(e, sites[0], 0); got != n+4 || held(e, sites[0]) != n+4 {
		t.Errorf("%d users and %d links, want %d of both", got, held(e, sites[0]), n+4)
	}
	if got := l.Version(); got != version+3 {
		t.Errorf("version %d, want %d", got, version+3)
	}
	if held(e, sites[1]) != 0 || e.Stats().LinkBytes != l.Bytes() || l.Bytes() == 0 {
		t.Errorf("the other site has %d links in memory, %d bytes in all", held(e, sites[1]), e.Stats().LinkBytes)
	}
	who, err := e.User(t.Context(), &sites[0].Site, fmt.Sprint("user ", n+1))
	if err != nil || len(who.Anonymous) != 1 {
		t.Errorf("%+v, %v", who, err)
	}
}

// A query waits for links no longer than its time limit. It fails if the links cannot be
// read, and the next query tries again.
func TestLinksThatCannotBeRead(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1, QueryTime: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	signIn(t, e, site, 1)
	asked := query.Query{Site: &site.Site}

	l := e.state(1).Links
	load, release := l.Load, make(chan struct{})
	l.Load = func() error { <-release; return load() }
	if _, err := e.Count(t.Context(), asked); !errors.Is(err, query.ErrQueryTimeout) {
		t.Errorf("the query ends with %v, want that it took too long", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.User(gone, &site.Site, "user 1"); !errors.Is(err, context.Canceled) {
		t.Errorf("the query ends with %v, want that the caller is gone", err)
	}
	short, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := e.User(short, &site.Site, "user 1"); err != query.ErrQueryTimeout {
		t.Errorf("the query ends with %v at the caller's deadline, want that it took too long", err)
	}
	signIn(t, e, site, 2) // writers do not wait
	close(release)
	_ = l.Ready(func(done <-chan struct{}) error { <-done; return nil })
	if n, err := e.Count(t.Context(), asked); err != nil || n.Users != 2 {
		t.Errorf("%+v, %v; want 2 users", n, err)
	}

	if err := e.db.Set(store.LinkKey(2, 9), []byte("damaged"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	other := &Site{Site: query.Site{ID: 2, Name: "two"}}
	signIn(t, e, other, 1)
	for range 2 {
		if _, err := e.Count(t.Context(), query.Query{Site: &other.Site}); store.Damaged(err) == nil || !strings.Contains(err.Error(), fmt.Sprintf("%x", store.LinkKey(2, 9))) {
			t.Errorf("the query ends with %v, want that links are damaged and where", err)
		}
	}
	if got := e.Stats(); !slices.Equal(got.Damaged, []string{"links of site 2"}) || got.LinkBytes != l.Bytes() {
		t.Errorf("damaged: %q; %d bytes of links, want %d", got.Damaged, got.LinkBytes, l.Bytes())
	}
	if err := e.db.Delete(store.LinkKey(2, 9), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Count(t.Context(), query.Query{Site: &other.Site}); err != nil || n.Users != 1 {
		t.Errorf("%+v, %v; want 1 user", n, err)
	}
}

// Close stops the reading of links and waits until it has ended.
func TestCloseEndsTheReadingOfLinks(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	b := e.db.NewBatch()
	for i := range uint64(3 * identity.LinksHeld) {
		if err := identity.PutLinks(b, 1, i+1, []identity.Link{{A: i + 1, B: i + 2}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
	l := e.state(1).Links
	var once sync.Once
	took := l.Took
	closed := make(chan error, 1)
	l.Took = func(bytes int64) {
		took(bytes)
		once.Do(func() {
			go func() { closed <- e.Close() }()
			for !e.stopping.Load() {
				time.Sleep(time.Millisecond)
			}
		})
	}
	if err := l.Ready(waitForEver); !errors.Is(err, query.ErrStopping) {
		t.Errorf("the reading ends with %v, want that the engine is stopping", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := l.Ready(waitForEver); !errors.Is(err, query.ErrStopping) {
		t.Errorf("after Close the reading ends with %v, want that the engine is stopping", err)
	}
}

// Links, filters, rows, ids and counted values take memory of the pool from the page cache, which
// keeps its least. What the first two take, the other three cannot. Statistics show links that
// take more than their share.
func TestPool(t *testing.T) {
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(&Site{Site: query.Site{ID: 1}}), Reserve: -1, Memory: MemoryLeast})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p := e.memory
	defer e.hotBytes.Store(e.hotBytes.Load())
	rows, ids, values := p.RowsLeast+p.RowsMore, p.IDs+p.IDsMore, p.CountedValues+p.ValuesMore
	half := (p.Pool - p.PagesLeast) / 2
	for _, c := range []struct {
		name                              string
		links, filters, rows, ids, values int64 // taken
		pages, filtersMost, most          int64 // most of 100 is what rows may take of RowsMore, ids of IDsMore, values of ValuesMore
	}{
		{"nothing", 0, 0, 0, 0, 0, p.Pool, p.Filters, 100},
		{"links", 1 << 20, 0, 0, 0, 0, p.Pool - 1<<20, p.Pool - p.PagesLeast - 1<<20, 88},
		{"half", half - 1<<20, 1 << 20, 0, 0, 0, p.Pool - half, p.Pool - p.PagesLeast - half + 1<<20, 51},
		{"few rows", 0, 0, p.RowsLeast, p.IDs, p.CountedValues, p.Pool, p.Filters, 100},
		{"many rows", 0, 0, rows, 0, 0, p.Pool - p.RowsMore, p.Filters, 100},
		{"many ids", 0, 0, 0, int64(idsTimes * float64(ids)), 0, p.Pool - int64(idsTimes*float64(p.IDsMore)), p.Filters, 100},
		{"many values", 0, 0, 0, 0, values, p.Pool - p.ValuesMore, p.Filters, 100},
		{"all of them", 0, 0, 2 * rows, 5 * ids, 2 * values, p.Pool - p.more(p.IDsMore), p.Filters, 100},
		{"filters and rows", 0, p.Filters, p.RowsLeast, 0, 0, p.PagesLeast, p.Filters, 0},
		{"all links", p.Links, 0, 0, 0, 0, p.PagesLeast, 0, 0},
		{"more links", 40 << 20, 0, 0, 0, 0, p.PagesLeast, 0, 0},
		{"nothing again", 0, 0, 0, 0, 0, p.Pool, p.Filters, 100},
	} {
		e.hotBytes.Store(c.rows)
		e.pool.ids.Store(c.ids)
		e.pool.values.Store(c.values)
		e.countFilterBytes(c.filters)
		e.countLinkBytes(c.links - e.pool.links.Load())
		e.countMore()
		if d := c.pages - e.pool.pages; d < 0 || d > p.PoolStep || e.pool.filtersMost.Load() != c.filtersMost {
			t.Errorf("%s: %d bytes for pages and %d for filters, want %d and %d", c.name, e.pool.pages, e.pool.filtersMost.Load(), c.pages, c.filtersMost)
		}
		moreRows, moreIDs, moreValues := e.pool.rowsMost.Load()-p.RowsLeast, e.pool.idsMost.Load()-p.IDs, e.pool.valuesMost.Load()-p.CountedValues
		for i, got := range []int64{moreRows * 100 / p.RowsMore, moreIDs * 100 / p.IDsMore, moreValues * 100 / p.ValuesMore} {
			if got < c.most-1 || got > c.most {
				t.Errorf("%s: the %d. share may take %d of 100, want %d", c.name, i, got, c.most)
			}
		}
		if sum := c.links + c.filters + p.PagesLeast + moreRows + int64(idsTimes*float64(moreIDs)) + moreValues; c.links <= p.Links && sum > p.Pool {
			t.Errorf("%s: all may take %d bytes of %d", c.name, sum, p.Pool)
		}
		if st := e.Stats(); st.LinkBytes != c.links || (st.LinkBytes > st.LinkBytesMax) != (c.links > p.Links) {
			t.Errorf("links take %d of at most %d bytes, want %d", st.LinkBytes, st.LinkBytesMax, c.links)
		}
	}
}

// waitForEver waits until a channel is closed.
func waitForEver(done <-chan struct{}) error { <-done; return nil }
