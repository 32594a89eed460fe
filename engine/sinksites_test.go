package engine

import (
	"sync/atomic"
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A site that is not configured any more keeps its name for sinks. Runners ask twice a second: the store is read
// when there is another such site, and not else.
func TestFormerNamesAreReadOnce(t *testing.T) {
	t.Parallel()
	all := []*Site{{Site: query.Site{ID: 1, Name: "shop"}}, {Site: query.Site{ID: 2, Name: "blog"}}, {Site: query.Site{ID: 3, Name: "docs"}}}
	var configured atomic.Int32 // sites
	configured.Store(3)
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: func() []*Site { return all[:configured.Load()] }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, s := range all {
		if _, err := e.Ingest(t.Context(), []Record{{Site: s, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "a"}}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (text string, err error) {
		sites, err := e.sitesForSinks()
		for _, s := range sites {
			text += s.Name + " "
		}
		return text, err
	}
	configured.Store(2)
	if got, err := names(); err != nil || got != "shop blog docs " {
		t.Fatalf("%s, %v", got, err)
	}
	if err := e.db.Set(store.NamesKey, []byte{9}, pebble.Sync); err != nil { // reading it fails
		t.Fatal(err)
	}
	if got, err := names(); err != nil || got != "shop blog docs " {
		t.Errorf("the same sites: %s, %v", got, err)
	}
	configured.Store(1)
	if got, err := names(); err == nil {
		t.Errorf("another site: %s", got)
	}
}
