package table

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"cairn/index"
)

// TestMain makes wrong use of views panic.
func TestMain(m *testing.M) {
	Strict = true
	os.Exit(m.Run())
}

// run returns a run that views can show and free but not read.
func run(id, first, rows uint64) *index.Run {
	return index.NewRun(index.Descriptor{Site: 1, Run: id, First: first, Rows: rows}, nil, nil, Format)
}

// tableOf returns a table of n runs with the ids 1 to n. Each has one row.
func tableOf(n uint64) *Table {
	t := New(1, nil)
	for id := range n {
		t.Load(run(id+1, id+1, 1))
	}
	return t
}

// ids returns the ids of the runs that a view shows.
func ids(v *View) (ids []uint64) {
	for i := range v.Parts {
		if r := v.Parts[i].Run; r != nil {
			ids = append(ids, r.Run)
		}
	}
	return ids
}

// merge replaces n runs of the table, from index lo on, by one run.
func merge(t *Table, lo, n int, id uint64, freed func(uint64)) {
	sealed := t.Sealed()
	defer sealed.Close()
	old := sealed.All[lo : lo+n]
	t.Merged(old, run(id, old[0].First, old[n-1].Last()-old[0].First+1), freed)
}

// A run that was merged away is freed when the last view that shows it is closed. Other open
// views do not matter.
func TestRunsAreFreedWithTheirLastView(t *testing.T) {
	table := tableOf(4)
	var freed []uint64
	free := func(id uint64) { freed = append(freed, id) }
	expect := func(when string, want ...uint64) {
		t.Helper()
		if slices.Sort(freed); !slices.Equal(freed, want) {
			t.Errorf("%s: the runs %d are freed, want %d", when, freed, want)
		}
	}

	before, again := table.View(), table.View()
	merge(table, 0, 2, 5, free)
	between := table.View()
	merge(table, 1, 2, 6, free)
	after := table.View()
	for _, c := range []struct {
		view *View
		want []uint64
	}{{before, []uint64{1, 2, 3, 4}}, {again, []uint64{1, 2, 3, 4}}, {between, []uint64{5, 3, 4}}, {after, []uint64{5, 6}}} {
		if got := ids(c.view); !slices.Equal(got, c.want) {
			t.Errorf("a view shows the runs %d, want %d", got, c.want)
		}
	}
	expect("all views are open")
	before.Close()
	expect("one of two views is closed")
	again.Close()
	expect("a later view shows some of the runs", 1, 2)
	between.Close()
	expect("the last view of old runs is closed", 1, 2, 3, 4)
	merge(table, 0, 2, 7, free)
	expect("a view shows the merged runs", 1, 2, 3, 4)
	after.Close()
	expect("no view is open", 1, 2, 3, 4, 5, 6)

	merge(table, 0, 1, 8, free)
	expect("no view is open when a run is replaced", 1, 2, 3, 4, 5, 6, 7)
	if n := table.Open(); n != 0 {
		t.Errorf("%d views are open", n)
	}
}

// A view that stays open for long keeps only the runs that it shows. It does not keep runs
// that came and went later.
func TestLongViewKeepsItsRunsOnly(t *testing.T) {
	table := tableOf(2)
	var freed []uint64
	long := table.View()
	for id := uint64(3); id < 10; id++ {
		merge(table, 0, table.RunCount(), id, func(id uint64) { freed = append(freed, id) })
	}
	if want := []uint64{3, 4, 5, 6, 7, 8}; !slices.Equal(freed, want) {
		t.Errorf("the runs %d are freed, want %d", freed, want)
	}
	long.Close()
	if want := []uint64{3, 4, 5, 6, 7, 8, 1, 2}; !slices.Equal(freed, want) {
		t.Errorf("the runs %d are freed in the end, want %d", freed, want)
	}
}

// Closing a view twice panics in tests and does nothing elsewhere. Reading a closed view panics
// in tests.
func TestClosedViews(t *testing.T) {
	panics := func(fn func()) (panicked bool) {
		defer func() { panicked = recover() != nil }()
		fn()
		return false
	}
	table := tableOf(2)
	v, runs := table.View(), table.Sealed()
	if n := table.Open(); n != 2 {
		t.Errorf("%d views are open, want 2", n)
	}
	part := &v.Parts[0]
	v.Close()
	runs.Close()
	if !panics(v.Close) || !panics(runs.Close) {
		t.Error("closing twice does not panic")
	}
	if !panics(func() { part.First() }) {
		t.Error("reading a closed view does not panic")
	}

	Strict = false
	defer func() { Strict = true }()
	freed := 0
	merge(table, 0, 2, 3, func(uint64) { freed++ })
	last := table.View()
	v.Close()
	runs.Close()
	if n := table.Open(); n != 1 || freed != 2 {
		t.Errorf("closed again: %d views are open, want 1; %d runs are freed, want 2", n, freed)
	}
	last.Close()
}

// While runs are sealed, merged and read, no run is freed that a view still shows. In the end
// all replaced runs are freed.
func TestViewsBesideMerges(t *testing.T) {
	const readers, rounds = 4, 2000
	table := tableOf(3)
	var freed sync.Map // run → true
	var ended atomic.Bool
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			var open []*View
			for !ended.Load() {
				open = append(open, table.View())
				for _, v := range open {
					for _, id := range ids(v) {
						if _, gone := freed.Load(id); gone {
							t.Errorf("run %d is freed while a view shows it", id)
							ended.Store(true)
						}
					}
				}
				if len(open) == 3 {
					open[1].Close()
					open = slices.Delete(open, 1, 2)
				}
			}
			for _, v := range open {
				v.Close()
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	replaced, next, last := 0, uint64(4), uint64(3)
	for range rounds {
		last++
		table.mu.Lock()
		table.sealing = append(table.sealing, index.NewMemPart(Format, last, 0))
		table.mu.Unlock()
		table.SealedInto(run(next, last, 1))
		next++
		if count := table.RunCount(); count > 6 {
			n := 2 + rng.IntN(4)
			merge(table, rng.IntN(count-n), n, next, func(id uint64) {
				if _, again := freed.Swap(id, true); again {
					t.Errorf("run %d is freed twice", id)
				}
			})
			next++
			replaced += n
		}
	}
	ended.Store(true)
	wg.Wait()
	n := 0
	freed.Range(func(any, any) bool { n++; return true })
	if n != replaced || table.Open() != 0 {
		t.Errorf("%d of %d replaced runs are freed; %d views are open, want 0", n, replaced, table.Open())
	}
	sealed := table.Sealed()
	defer sealed.Close()
	seq := uint64(1)
	for _, r := range sealed.All {
		if r.First != seq {
			t.Fatalf("run %d begins at %d, want %d", r.Run, r.First, seq)
		}
		seq = r.Last() + 1
	}
	if seq != last+1 || table.SealedTo() != last {
		t.Errorf("the runs end at %d, SealedTo is %d, want %d", seq-1, table.SealedTo(), last)
	}
}
