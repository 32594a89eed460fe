// Sinks and crashes: a power cut, or a process that is killed at any call of its sink, loses no row and doubles
// none.

package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"cairn/engine"
	"cairn/engine/query"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A power cut at any file operation of the store loses no row for the sink, and doubles none.
func TestSinkAcrossPowerCuts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(max(4, *crashSeeds/2)) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			if err := sinkAcrossPowerCuts(seed + 1); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func sinkAcrossPowerCuts(seed uint64) (err error) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := newWorkload(rand.New(rand.NewPCG(seed, 8)))
	place := sinktest.New(seed%2 == 0)
	mem := vfs.NewCrashableMem()
	for life := range uint64(4) {
		cut := newPowerCut(mem, 1+rng.Int64N([]int64{60, 200, 600}[rng.IntN(3)]), vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rand.New(rand.NewPCG(seed, life))}, w)
		dead := &atomic.Bool{} // after the cut the process sends nothing any more
		s := &sinktest.Sink{Place: place, Rows: sink.Native, Chance: 6, Random: rand.New(rand.NewPCG(seed, rng.Uint64())), Hook: func(string) error {
			if dead.Load() || cut.happens.Load() {
				dead.Store(true)
				return errors.New("the process is dead")
			}
			return nil
		}}
		o := w.options(cut, rng)
		o.Sinks = []sink.Config{quick(s)}
		o.Sinks[0].Rows = 1 + rng.IntN(50)
		e, err := engine.Open(o)
		if err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		if err := met(e, o, cut.happens.Load); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		for range 4 {
			w.run(e, 2, 6, cut.happens.Load)
			if rng.IntN(2) == 0 && !cut.happens.Load() {
				_, _ = e.Delete(ctx, &w.sites[0].Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{fmt.Sprint("u", rng.IntN(5))}}}})
			}
		}
		dead.Store(true)
		if err := e.Close(); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
		cut.cut()
		mem = cut.after
		w.forget(cut.acked)
	}
	o := w.options(mem, rng)
	o.Sinks = []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native})}
	e, err := engine.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return settled(e, place, w.sites...)
}

// The process is killed at every call of a sink, before it or when it has done all but answer. Nothing is
// lost, nothing doubled, and what was deleted is gone.
func TestSinkKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("whole=%t/after=%t", whole, after), func(t *testing.T) {
				t.Parallel()
				for kill, done := int64(1), false; !done; kill += perSeeds(3, 2, 1) {
					var err error
					if done, err = killedAtCall(kill, whole, after); err != nil {
						t.Fatalf("call %d: %v", kill, err)
					}
				}
			})
		}
	}
}

// killedAtCall kills a process at a call of its sink. done says that there were fewer calls.
func killedAtCall(kill int64, whole, after bool) (done bool, err error) {
	w := newWorkload(rand.New(rand.NewPCG(7, 1)))
	rng := rand.New(rand.NewPCG(7, 2))
	mem, place := newCrashable(), sinktest.New(whole)
	var calls atomic.Int64
	var dead atomic.Pointer[vfs.MemFS]
	step := func(string) error {
		if dead.Load() == nil && calls.Add(1) == kill {
			dead.Store(mem.clone(vfs.CrashCloneCfg{}))
		}
		if dead.Load() != nil {
			return errors.New("the process is dead")
		}
		return nil
	}
	s := &sinktest.Sink{Place: place, Rows: sink.Native, Hook: step}
	if after {
		s.Hook, s.After = func(string) error {
			if dead.Load() != nil {
				return errors.New("the process is dead")
			}
			return nil
		}, step
	}
	o := w.options(mem, rng)
	o.Sinks = []sink.Config{quick(s)}
	o.Sinks[0].Rows = 12
	e, err := engine.Open(o)
	if err != nil {
		return false, err
	}
	var erased []uint64
	for i := range 5 {
		w.run(e, 1, 4, func() bool { return dead.Load() != nil })
		if _, err := until(e, func(st *sink.Status) bool { return dead.Load() != nil || carriedAll(e)(st) }); err != nil {
			return false, err
		}
		if i%2 == 1 && dead.Load() == nil {
			r, err := e.Delete(ctx, &w.sites[0].Site, query.Deletion{Kind: query.DeletePerson, Where: []query.Cond{{Field: "user", Values: []string{fmt.Sprint("u", i)}}}, Now: i == 3})
			if err != nil && !errors.Is(err, query.ErrNotFound) {
				return false, err
			}
			if err == nil && dead.Load() == nil { // it was acknowledged before the process was killed
				erased = append(erased, r.ID)
			}
		}
	}
	if dead.Load() == nil {
		if err := settled(e, place, w.sites...); err != nil {
			return false, err
		}
	}
	if done = dead.Load() == nil; done {
		return true, e.Close()
	}
	if err := e.Close(); err != nil {
		return false, err
	}
	before := len(place.Sent())
	o.FS, o.Sinks = dead.Load(), []sink.Config{quick(&sinktest.Sink{Place: place, Rows: sink.Native})} // with larger ranges
	if e, err = engine.Open(o); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	all, err := e.Deletions(ctx, &w.sites[0].Site)
	if err != nil || len(all) < len(erased) {
		return false, fmt.Errorf("%d of %d deletions, %w", len(all), len(erased), err)
	}
	if err := settled(e, place, w.sites...); err != nil {
		return false, err
	}
	// What was under way went again as it was, but for the rows of a deletion.
	sent := place.Sent()
	for _, again := range sent[before:] {
		for _, first := range sent[:before] {
			if again.Site != first.Site || again.First > first.Last || first.First > again.Last {
				continue
			}
			if again.First != first.First || again.Last != first.Last || len(all) == 0 && again.Lines != first.Lines {
				return false, fmt.Errorf("site %s: %d to %d went before, then %d to %d", first.Site, first.First, first.Last, again.First, again.Last)
			}
		}
	}
	return false, nil
}
