// Snapshots while others write and the engine seals. A snapshot contains everything acknowledged
// before the call and nothing sent after it returned. A restored store is as complete as a store
// after a power cut must be.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/query"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestSnapshotUnderWrites(t *testing.T) {
	const snapshots = 12
	fs := vfs.NewMem()
	w := newWorkload(rand.New(rand.NewPCG(6, 1)))
	rng := rand.New(rand.NewPCG(6, 2))
	options := w.options(fs, rng)
	options.SealRows, options.HotEvents = 8, 24 // so that it seals all the time
	e, err := engine.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 3 {
		writers.Go(func() {
			for ctx.Err() == nil {
				w.run(e, 1, 1, never)
			}
		})
	}
	type copied struct {
		dir    string
		before []*request // acknowledged before the snapshot began
		sent   int        // number of requests begun when it ended
	}
	var copies []copied
	for i := range snapshots {
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
		c := copied{dir: fmt.Sprintf("copy-%d", i), before: w.acked()}
		if _, err := e.Snapshot(t.Context(), c.dir); err != nil {
			t.Errorf("snapshot %d: %v", i, err)
			break
		}
		w.mu.Lock()
		c.sent = len(w.requests)
		w.mu.Unlock()
		copies = append(copies, c)
	}
	stop()
	writers.Wait()
	all := w.acked()
	if e.Stats().Seals < snapshots {
		t.Errorf("only %d seals during the snapshots", e.Stats().Seals)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range copies {
		restored := "restored-" + c.dir
		if err := store.Restore(fs, c.dir, restored, nil); err != nil {
			t.Fatal(err)
		}
		if report, err := check.Store(t.Context(), fs, restored); err != nil || len(report.Problems) > 0 {
			t.Fatalf("%s: check: %v %v", c.dir, err, report.Problems)
		}
		options := w.options(fs, rng)
		options.Dir = restored
		r, err := engine.Open(options)
		if err != nil {
			t.Fatalf("%s: open: %v", c.dir, err)
		}
		if err := w.verify(r, c.before); err != nil {
			t.Errorf("%s: %v", c.dir, err)
		}
		for _, site := range w.sites {
			events, err := walk(r, query.Query{Site: &site.Site, Limit: 1000})
			if err != nil {
				t.Fatalf("%s: list: %v", c.dir, err)
			}
			for _, ev := range events {
				if n, _ := strconv.Atoi(ev.Properties.Get("request").Text); n > c.sent {
					t.Fatalf("%s has request %d, sent after the snapshot ended (%d)", c.dir, n, c.sent)
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Fatalf("%s: close: %v", c.dir, err)
		}
	}
	if e, err = engine.Open(options); err != nil {
		t.Fatal(err)
	}
	if err := w.verify(e, all); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
