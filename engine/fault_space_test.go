// A disk without space at each operation of a script: at a single one, and from then on until
// there is space again. TestFault runs it.

package engine_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// spaceKinds are the operations that find no space: any that may need a block, and those that
// need an inode.
var spaceKinds = map[string][]errorfs.OpKind{
	"bytes":  {errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpMkdirAll},
	"inodes": {errorfs.OpCreate, errorfs.OpMkdirAll},
}

func allFaults() map[string][]errorfs.OpKind {
	all := maps.Clone(faultKinds)
	maps.Copy(all, spaceKinds)
	return all
}

// spaceScript is faultScript for a disk without space. The store never ends: writes are
// refused, reads go on, and writes come back when there is space. A start is refused, and
// works when there is space. Every second time the store has events before, and every third
// time it closes while the disk is full.
func spaceScript(t *testing.T, kinds []errorfs.OpKind, onwards bool, at int64) (hit bool) {
	var ops atomic.Int64
	var space atomic.Bool // there is some
	space.Store(true)
	mem := newCrashable()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		for _, k := range kinds {
			if op.Kind == k && !space.Load() {
				if n := ops.Add(1); n == at || onwards && n > at {
					return syscall.ENOSPC
				}
			}
		}
		return nil
	}))
	w := newWorkload(rand.New(rand.NewPCG(5, 5)))
	options := w.options(fs, rand.New(rand.NewPCG(5, 6)))
	options.SealRows, options.HotEvents, options.MergeRuns = 12, 48, 2
	options.Fatal = func(err error) { panic("the store has failed: " + err.Error()) }
	options.Pending = new(engine.Pending)

	var e *engine.Engine
	var err error
	open := func() { e, err = engine.Open(options) }
	if at%2 == 0 { // the start has something to recover
		if open(); err != nil {
			t.Fatal(err)
		}
		w.run(e, 2, 10, never)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	space.Store(false)
	within(at, "open", never, open)
	if err != nil {
		if !errors.Is(err, query.ErrDiskFull) {
			t.Fatalf("no space at %d: open: %v", at, err)
		}
		options.ReadOnly = true
		if within(at, "open for reading", never, open); err == nil {
			within(at, "close", never, func() { _ = e.Close() })
		}
		options.ReadOnly = false
		space.Store(true)
		if within(at, "open again", never, open); err != nil {
			t.Fatalf("no space at %d: open again, with space: %v", at, err)
		}
	}
	send := func() { within(at, "write", never, func() { w.run(e, 2, 30, never) }) }
	send()
	within(at, "snapshot", never, func() {
		if _, err := e.Snapshot(context.Background(), "copy"); err != nil && !errors.Is(err, query.ErrDiskFull) {
			t.Errorf("no space at %d: snapshot: %v", at, err)
		}
	})
	send()
	acked := w.acked() // verify may find more
	within(at, "read", never, func() {
		if err := w.verify(e, acked); err != nil {
			t.Errorf("no space at %d: %v", at, err)
		}
	})
	if at%3 > 0 {
		space.Store(true)
		before := len(acked)
		within(at, "write again", never, func() {
			for ; len(w.acked()) <= before; time.Sleep(10 * time.Millisecond) {
				w.run(e, 1, 1, never)
			}
		})
		acked = w.acked()
	}
	within(at, "close", never, func() {
		if err := e.Close(); err != nil {
			t.Errorf("no space at %d: close: %v", at, err)
		}
	})
	hit = ops.Load() >= at
	reopen(t, at, w, mem, acked)
	return hit
}
