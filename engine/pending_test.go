package engine

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// What Pebble does beside an open, such as a compaction, may find no space while the open ends.
// It does not wait for another Open, which never comes: the open or its error is final.
func TestPendingOpenEndsWithoutSpaceBeside(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{nil, broken} {
		var mu sync.Mutex
		var beside func() // runs when the open has come far, once
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate && vfs.Default.PathBase(op.Path) == "beside.sst" {
				return syscall.ENOSPC
			}
			mu.Lock()
			do := beside
			if do == nil || op.Kind != errorfs.OpList || vfs.Default.PathBase(op.Path) != store.TmpName {
				mu.Unlock()
				return nil
			}
			beside = nil
			mu.Unlock()
			do()
			return want
		}))
		options := Options{Dir: "data", FS: fs, Reserve: -1, Pending: new(Pending), Sites: SitesOf(&Site{Site: query.Site{ID: 1, Name: "one"}})}
		created, goOn := make(chan error, 1), make(chan struct{})
		beside = func() {
			files := options.Pending.e.files
			go func() {
				_, err := files.Create("data/beside.sst", "")
				created <- err
			}()
			<-goOn
		}
		if _, err := Open(options); !errors.Is(err, query.ErrDiskFull) {
			t.Fatalf("open: %v", err)
		}
		close(goOn)
		for len(options.Pending.done) == 0 {
			time.Sleep(time.Millisecond)
		}
		opened, err := Open(options)
		if !errors.Is(err, want) {
			t.Fatalf("open again: %v, want %v", err, want)
		}
		late := make(chan struct{})
		go func() {
			options.Pending.hold("late.sst") // it met the full disk just before the open ended
			close(late)
		}()
		select {
		case <-late:
		case <-time.After(10 * time.Second):
			t.Fatalf("open: %v, and who is late waits for ever", err)
		}
		select {
		case err := <-created:
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("the file beside: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("open: %v, and the file beside it waits for ever", err)
		}
		if opened != nil {
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
