// A merge asks for space before it begins.

package engine

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sizedFS says that so many bytes are free.
type sizedFS struct {
	vfs.FS
	free atomic.Int64
}

func (fs *sizedFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: uint64(fs.free.Load())}, nil
}

// A merge begins only where twice what it writes and twice the reserve are free. It would end
// on a full disk otherwise, and begin again with each new run, while writes are refused for
// the space that it has taken.
func TestMergeAsksForSpace(t *testing.T) {
	const reserve = 1 << 20
	fs := &sizedFS{FS: vfs.NewMem()}
	fs.free.Store(2 * reserve) // enough for seals
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{
		Dir: "data", FS: fs, Sites: SitesOf(site), Memory: 16 << 20, Reserve: reserve, SealRows: 10, MergeRuns: 2,
		Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range 4 {
		var records []Record
		for k := range 10 {
			records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint(i, k)}}})
		}
		if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(20 * time.Second); e.Stats().Seals < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d seals", e.Stats().Seals)
		}
	}
	s, m := e.state(1), e.merger
	sealed := s.Sealed()
	due, err := m.pick(sealed.All)
	if err != nil || len(due) < 2 {
		t.Fatalf("%d runs are due, %v", len(due), err)
	}
	bytes, err := m.bytes(due)
	sealed.Close()
	if err != nil || bytes == 0 {
		t.Fatalf("the runs take %d bytes, %v", bytes, err)
	}
	enough := 2*bytes + 2*reserve
	for _, test := range []struct {
		free int64
		want bool
	}{{enough - 1, false}, {enough, true}} {
		fs.free.Store(test.free)
		time.Sleep(60 * time.Millisecond) // what is free is read again
		if merged, err := m.merge(s); merged != test.want || err != nil {
			t.Errorf("%d bytes are free, the merge wants %d: merged %t, %v", test.free, enough, merged, err)
		}
		if merges := e.Stats().Merges; merges > 0 != test.want {
			t.Errorf("%d bytes are free, the merge wants %d: %d merges", test.free, enough, merges)
		}
	}
}
