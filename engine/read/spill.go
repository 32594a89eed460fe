// Spill: what questions hold of pairs in memory is bounded for all of them together.
// What is beyond goes, sorted and packed, into a temporary file of the question, and
// is read again as a stream.

package read

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/query"
	"cairn/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// pairBudget is the room for pairs of all questions of an engine.
type pairBudget struct {
	fs    vfs.FS
	dir   string
	disk  *wal.Disk
	bag   int          // pairs that every bag may hold without asking
	free  atomic.Int64 // pairs that some may hold more
	files atomic.Uint64
}

func newPairBudget(o *Options) *pairBudget {
	r := &pairBudget{fs: o.FS, dir: o.Dir, disk: o.Disk, bag: max(1, o.Pairs/4)}
	r.free.Store(int64(o.Pairs))
	return r
}

// spill is one question's share of the room, and its file.
type spill struct {
	budget
	taken atomic.Int64 // pairs

	mu   sync.Mutex // one run is written at a time
	path string
	file vfs.File // nil before the first run
	end  int64
	err  error
}

func (b budget) spill() *spill { return &spill{budget: b} }

// take reports whether there was room for n more pairs.
func (s *spill) take(n int) bool {
	if s.room.free.Add(-int64(n)) < 0 {
		s.room.free.Add(int64(n))
		return false
	}
	s.taken.Add(int64(n))
	return true
}

func (s *spill) give(n int) {
	s.taken.Add(-int64(n))
	s.room.free.Add(int64(n))
}

// close ends the question: its room is free again and its file is gone.
func (s *spill) close() {
	s.room.free.Add(s.taken.Swap(0))
	if s.file != nil {
		_ = s.file.Close()
		_ = s.room.fs.Remove(s.path)
	}
}

// spillRun is pairs in the file, ascending, each as its distance from the one before.
type spillRun struct {
	from, to int64
	pairs    int
}

// spillBuffer is how many bytes are written at once.
const spillBuffer = 64 << 10

// write appends sorted pairs to the file. It is not synced: nobody asks for it after
// a crash. An error is that of the question, and of all that it still writes.
func (s *spill) write(pairs []uint64) (run spillRun, err error) {
	if err := s.spent(); err != nil {
		return run, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return run, s.err
	case s.room.disk.Full():
		s.err = fmt.Errorf("%w: no room for what the query has to put aside", query.ErrDiskFull)
		return run, s.err
	}
	defer func() {
		if vfs.IsNoSpaceError(err) {
			err = fmt.Errorf("%w: %w", query.ErrDiskFull, err)
		}
		if err != nil {
			err = fmt.Errorf("put pairs aside: %w", err)
		}
		s.err = err
	}()
	if s.file == nil {
		s.path = s.room.fs.PathJoin(s.room.dir, fmt.Sprintf("pairs-%d", s.room.files.Add(1)))
		if s.file, err = s.room.fs.Create(s.path, vfs.WriteCategoryUnspecified); err != nil {
			s.file = nil
			return run, err
		}
	}
	run = spillRun{from: s.end, pairs: len(pairs)}
	buf := make([]byte, 0, spillBuffer+binary.MaxVarintLen64)
	last := uint64(0)
	for i, p := range pairs {
		buf = binary.AppendUvarint(buf, p-last)
		last = p
		if len(buf) < spillBuffer && i+1 < len(pairs) {
			continue
		}
		if _, err := s.file.Write(buf); err != nil {
			return run, err
		}
		s.end += int64(len(buf))
		buf = buf[:0]
	}
	run.to = s.end
	return run, nil
}

// spillReader reads a run.
type spillReader struct {
	spillRun             // what is not yet in packed; pairs: what is not yet in window
	window      []uint64 // the next pairs
	packed      []byte   // those after them
	last        uint64
	windowSpace []uint64
	packedSpace []byte
}

// fill tops the window up to n pairs, as far as there are so many.
func (r *spillReader) fill(file io.ReaderAt, n int) error {
	if r.windowSpace == nil {
		r.windowSpace, r.packedSpace = make([]uint64, n), make([]byte, 2*n+binary.MaxVarintLen64)
	}
	r.window = append(r.windowSpace[:0], r.window...)
	for len(r.window) < n && r.pairs > 0 {
		if len(r.packed) < binary.MaxVarintLen64 && r.from < r.to {
			have := copy(r.packedSpace, r.packed)
			size := int(min(int64(len(r.packedSpace)-have), r.to-r.from))
			r.packed = r.packedSpace[:have+size]
			if _, err := file.ReadAt(r.packed[have:], r.from); err != nil {
				return fmt.Errorf("read pairs put aside: %w", err)
			}
			r.from += int64(size)
		}
		d, size := binary.Uvarint(r.packed)
		if size <= 0 {
			return fmt.Errorf("read pairs put aside: %w", io.ErrUnexpectedEOF)
		}
		r.packed = r.packed[size:]
		r.last += d
		r.window = append(r.window, r.last)
		r.pairs--
	}
	return nil
}

// Of a run so many pairs are in memory while it is read, fewer where runs are many.
const (
	windowMax = 8192
	windowMin = 64
)

// merge calls fn with the pairs of runs and of rest, which is sorted, ascending and
// each once, some at a time. They are good until fn returns.
func (s *spill) merge(runs []spillRun, rest []uint64, fn func(pairs []uint64)) error {
	n := min(max(s.room.bag/len(runs), windowMin), windowMax)
	readers := make([]spillReader, len(runs))
	for i := range runs {
		readers[i].spillRun = runs[i]
	}
	var some []uint64
	for {
		if err := s.spent(); err != nil {
			return err
		}
		// What is not above the last pair of any window is in no pair to come.
		bound := ^uint64(0)
		if len(rest) > n {
			bound = rest[n-1]
		}
		for i := range readers {
			r := &readers[i]
			if len(r.window) < n/2 && r.pairs > 0 {
				if err := r.fill(s.file, n); err != nil {
					return err
				}
			}
			if r.pairs > 0 {
				bound = min(bound, r.window[len(r.window)-1])
			}
		}
		some, rest = takeUpTo(some[:0], rest, bound)
		for i := range readers {
			some, readers[i].window = takeUpTo(some, readers[i].window, bound)
		}
		if len(some) == 0 {
			return nil
		}
		some = sortPairs(some)
		fn(some)
	}
}

// takeUpTo moves the sorted pairs that are not above bound to dst.
func takeUpTo(dst, pairs []uint64, bound uint64) (_, rest []uint64) {
	at, found := slices.BinarySearch(pairs, bound)
	if found {
		at++
	}
	return append(dst, pairs[:at]...), pairs[at:]
}
