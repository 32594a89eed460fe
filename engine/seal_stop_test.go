package engine

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The store closes while the sealer makes room on a disk without space, which Pebble's
// compaction cannot do either. It does not wait for the time that the sealer may take.
func TestStopMakingRoom(t *testing.T) {
	var full atomic.Bool
	tables := make(chan struct{}, 1) // a table of Pebble's has found no space
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !full.Load() || op.Kind != errorfs.OpCreate || !strings.HasSuffix(op.Path, ".sst") {
			return nil
		}
		if !strings.Contains(op.Path, "store.tmp") {
			select {
			case tables <- struct{}{}:
			default:
			}
		}
		return syscall.ENOSPC
	}))
	site := &Site{Site: query.Site{ID: 1, Name: "one"}}
	e, err := Open(Options{Dir: "data", FS: fs, Sites: SitesOf(site), Memory: 16 << 20, SealRows: 10, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	e.sealer.roomMax = time.Hour
	full.Store(true)
	var records []Record
	for i := range 20 {
		records = append(records, Record{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: fmt.Sprint(i)}}})
	}
	if _, err := e.Ingest(t.Context(), records, true, nil); err != nil {
		t.Fatal(err)
	}
	<-tables
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the store does not close")
	}
}
