package engine

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// oldRun writes n random bytes as a run with an id that is higher than any, and deletes it as
// index.DropRun does. The tables still have it.
func oldRun(t *testing.T, e *Engine, n int) (text []byte) {
	t.Helper()
	span := runSpan(1<<40, 1<<40)
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	for i := 0; len(text) < n; i++ {
		value := make([]byte, 4<<10)
		for k := range value {
			value[k] = byte(rng.Uint32())
		}
		if err := e.db.Set(append(span[0][:9:9], 0xff, byte(i>>8), byte(i)), value, nil); err != nil {
			t.Fatal(err)
		}
		text = append(text, value...)
	}
	if err := e.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := e.db.DeleteRange(span[0], span[1], pebble.Sync); err != nil {
		t.Fatal(err)
	}
	return text
}

// A run that was deleted as a range before the last start is in no file after a purge. It lies in
// one table with a run of another site, so Pebble does not drop the table by itself.
func TestPurgeAfterRestart(t *testing.T) {
	t.Parallel()
	shop, blog := &Site{Site: query.Site{ID: 1, Name: "shop"}}, &Site{Site: query.Site{ID: 2, Name: "blog"}}
	opts := Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(shop, blog), SealRows: 16}
	e, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range []*Site{shop, blog} {
		for range opts.SealRows {
			ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "a"}
			if _, err := e.Ingest(t.Context(), []Record{{Site: site, Record: &event.Record{Event: ev}}}, false, nil); err != nil {
				t.Fatal(err)
			}
		}
		for e.state(site.ID).SealedTo() < uint64(opts.SealRows) {
			time.Sleep(time.Millisecond)
		}
	}
	sealed := e.state(blog.ID).Sealed()
	beside := runSpan(sealed.All[0].Run, 0)[0]
	sealed.Close()
	if err := e.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := e.db.Set(append(beside, 0xff, 0xff, 0xff), nil, nil); err != nil { // nobody reads it
		t.Fatal(err)
	}
	oldRun(t, e, 64<<10)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = Open(opts); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r, err := e.Delete(t.Context(), &shop.Site, query.Deletion{Kind: query.DeleteSite, Now: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := e.WaitPurged(ctx, &shop.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	old := runSpan(1<<40, 1<<40)
	if n, err := e.db.EstimateDiskUsage(old[0], old[1]); err != nil || n > 4<<10 { // the tombstones are there
		t.Errorf("%d bytes of the old run are left, %v", n, err)
	}
}
