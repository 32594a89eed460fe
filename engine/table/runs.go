// Runs: which runs a table has at one moment, and who still reads them.

package table

import (
	"sync/atomic"

	"cairn/index"
)

// Strict makes wrong use of views visible. Closing a view twice panics, and so does reading a
// closed view. Engine.Close fails if a view is still open. Only tests set Strict, before
// anything else runs.
var Strict bool

// runSet is the set of runs that a table has until the set changes. It holds each of its
// runs. The table has a reference to its newest set. Each View and each Runs has a reference
// to the set from which it was taken. So a view takes one reference, however many runs it
// shows.
type runSet struct {
	refs atomic.Int64
	all  []*index.Run // oldest first, tiling
}

// newRunSet returns a set with one reference, that of the table.
func newRunSet(runs []*index.Run) *runSet {
	s := &runSet{all: runs}
	s.refs.Store(1)
	for _, r := range runs {
		r.Hold()
	}
	return s
}

// release removes a reference. The last one releases the runs.
func (s *runSet) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	for _, r := range s.all {
		r.Release()
	}
}

// Runs are the runs of a table at one moment. Their keys stay in the store until Close.
// Runs is not copied.
type Runs struct {
	All   []*index.Run // oldest first, tiling
	table *Table
	set   *runSet // nil = closed
}

// Sealed returns the runs that the table has now. The caller closes them.
func (t *Table) Sealed() Runs {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.hold()
}

// SealedTo is the seq of the newest event that lies in a run, 0 when there is none.
func (t *Table) SealedTo() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := t.runs.all
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Last()
}

// RunCount is how many runs the table has.
func (t *Table) RunCount() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.runs.all)
}

// hold takes a reference on the newest set of runs. The caller holds mu.
func (t *Table) hold() Runs {
	t.runs.refs.Add(1)
	t.held.Add(1)
	return Runs{All: t.runs.all, table: t, set: t.runs}
}

// Close releases the runs. Nobody may read All afterwards. A second Close does nothing, except
// that it panics if Strict is set.
func (r *Runs) Close() {
	if r.set == nil {
		if Strict {
			panic("table: runs are closed twice")
		}
		return
	}
	set := r.set
	r.All, r.set = nil, nil
	r.table.held.Add(-1)
	set.release()
}

// Open is how many Views and Runs of the table are not closed.
func (t *Table) Open() int64 { return t.held.Load() }
