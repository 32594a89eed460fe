package engine

import (
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// While the runs that a merge has replaced are still on the disk, retention_bytes deletes nothing
// because of them. What it says is there until it looks at the size again.
func TestRetentionBytesDoesNotCountOldRuns(t *testing.T) {
	site := &Site{Site: query.Site{ID: 1, Name: "shop"}}
	var most atomic.Int64
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site), SealRows: 64, RetentionBytes: most.Load})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range 100 {
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "a", Time: time.Now().Add(-time.Duration(i) * time.Hour).UnixMilli()}
		if _, err := e.Ingest(t.Context(), []Record{{Site: site, Record: &event.Record{Event: ev}}}, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	oldRun(t, e, 4<<20)
	most.Store(3 << 20)
	r := newRetainer(e)
	r.look(t.Context())
	all, err := e.Deletions(t.Context(), &site.Site)
	if err != nil || len(all) != 0 || r.troubleNow() != "" {
		t.Errorf("deleted: %+v, %v, %q", all, err, r.troubleNow())
	}
	most.Store(1)
	r = newRetainer(e)
	for range 2 { // the second time is too early for another look at the size
		r.look(t.Context())
		if r.troubleNow() == "" {
			t.Error("nothing says that the store stays too large")
		}
	}
}
