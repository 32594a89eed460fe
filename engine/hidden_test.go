package engine

import (
	"testing"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The memory of hidden rows is bounded for all sites together.
func TestHiddenRowsOfAllSitesAreBounded(t *testing.T) {
	site, other := &Site{Site: query.Site{ID: 1, Name: "shop"}}, &Site{Site: query.Site{ID: 2, Name: "blog"}}
	e, err := Open(Options{Dir: "data", FS: vfs.NewMem(), Sites: SitesOf(site, other), Memory: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, s := range []*Site{site, other} {
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: "a"}
		if _, err := e.Ingest(t.Context(), []Record{{Site: s, Record: &event.Record{Event: ev}}}, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	seqs := make([]uint64, 3<<20) // far apart, so that each takes some bytes
	for i := range seqs {
		seqs[i] = 2 + 1000*uint64(i)
	}
	many := roaring64.New()
	many.AddMany(seqs)
	e.state(2).Hide(many)
	all := query.Deletion{Kind: query.DeleteSite}
	if r, err := e.Delete(t.Context(), &site.Site, all); err == nil {
		t.Errorf("deleted: %+v; want a refusal", r)
	}
	e.state(2).Hide(nil)
	if r, err := e.Delete(t.Context(), &site.Site, all); err != nil || r.Rows != 1 {
		t.Errorf("deleted: %+v, %v", r, err)
	}
}
