// Spilling: the number of pairs in memory is bounded for all queries together. Beyond the
// bound, a query writes its pairs, sorted and packed, to a temporary file of its own and
// later reads them back as a stream.

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

// pairBudget bounds the pairs in memory of all queries of a Reader.
type pairBudget struct {
	fs       vfs.FS
	dir      string
	disk     *wal.Disk
	bagPairs int          // pairs that each bag may hold without reserving them
	free     atomic.Int64 // pairs that can still be reserved
	files    atomic.Uint64
}

func newPairBudget(o *Options) *pairBudget {
	b := &pairBudget{fs: o.FS, dir: o.Dir, disk: o.Disk, bagPairs: max(1, o.Pairs/4)}
	b.free.Store(int64(o.Pairs))
	return b
}

// spill is the share of the pair budget that one query has reserved, and its file. Its
// bags use it from several goroutines.
type spill struct {
	budget
	first    int          // pairs that each bag may hold without reserving them; 0 = those of the budget
	reserved atomic.Int64 // number of pairs reserved

	mu   sync.Mutex // one run is written at a time
	path string
	file vfs.File // nil before the first run
	end  int64    // bytes written to file
	err  error    // of a write; all later writes return it
}

func (b budget) spill() *spill { return &spill{budget: b} }

// free returns how many pairs each bag may hold without reserving them.
func (s *spill) free() int {
	if s.first > 0 {
		return min(s.first, s.pairs.bagPairs)
	}
	return s.pairs.bagPairs
}

// reserve reserves n more pairs. It reports false when the budget has fewer left.
func (s *spill) reserve(n int) bool {
	if s.pairs.free.Add(-int64(n)) < 0 {
		s.pairs.free.Add(int64(n))
		return false
	}
	s.reserved.Add(int64(n))
	return true
}

// giveBack frees n reserved pairs.
func (s *spill) giveBack(n int) {
	s.reserved.Add(-int64(n))
	s.pairs.free.Add(int64(n))
}

// close frees all reserved pairs and removes the file.
func (s *spill) close() {
	s.pairs.free.Add(s.reserved.Swap(0))
	if s.file != nil {
		_ = s.file.Close()
		_ = s.pairs.fs.Remove(s.path)
	}
}

// spillRun is the bytes [from, to) of the file: ascending pairs, each stored as a uvarint
// of its difference from the one before.
type spillRun struct {
	from, to int64
	pairs    int
}

// spillBuffer is the size of one write, in bytes.
const spillBuffer = 64 << 10

// write appends a run of sorted pairs to the file. The file is not synced, because nobody
// reads it after a crash. After an error, every later write of the query returns it.
func (s *spill) write(pairs []uint64) (run spillRun, err error) {
	if err := s.check(); err != nil {
		return run, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return run, s.err
	case s.pairs.disk.Full():
		s.err = fmt.Errorf("%w: the query needs space for a temporary file", query.ErrDiskFull)
		return run, s.err
	}
	defer func() {
		if vfs.IsNoSpaceError(err) {
			err = fmt.Errorf("%w: %w", query.ErrDiskFull, err)
		}
		if err != nil {
			err = fmt.Errorf("spill pairs: %w", err)
		}
		s.err = err
	}()
	if s.file == nil {
		s.path = s.pairs.fs.PathJoin(s.pairs.dir, fmt.Sprintf("pairs-%d", s.pairs.files.Add(1)))
		if s.file, err = s.pairs.fs.Create(s.path, vfs.WriteCategoryUnspecified); err != nil {
			s.file = nil
			return run, err
		}
	}
	run = spillRun{from: s.end, pairs: len(pairs)}
	buf := make([]byte, 0, min(spillBuffer, binary.MaxVarintLen64*len(pairs))+binary.MaxVarintLen64)
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
	spillRun             // from, to: bytes not yet in packed; pairs: number not yet in window
	window      []uint64 // the next pairs
	packed      []byte   // bytes of the pairs after window
	last        uint64   // newest pair in window
	windowSpace []uint64
	packedSpace []byte
}

// fill fills the window up to n pairs, or with all that are left.
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
				return fmt.Errorf("read spilled pairs: %w", err)
			}
			r.from += int64(size)
		}
		d, size := binary.Uvarint(r.packed)
		if size <= 0 {
			return fmt.Errorf("read spilled pairs: %w", io.ErrUnexpectedEOF)
		}
		r.packed = r.packed[size:]
		r.last += d
		r.window = append(r.window, r.last)
		r.pairs--
	}
	return nil
}

// While a run is read, windowMin to windowMax of its pairs are in memory: fewer when there
// are many runs.
const (
	windowMax = 8192
	windowMin = 64
)

// merge merges runs with rest, which is sorted. It calls fn with the pairs, ascending and
// each once, some at a time. The slice is valid until fn returns.
func (s *spill) merge(runs []spillRun, rest []uint64, fn func(pairs []uint64)) error {
	n := min(max(s.pairs.bagPairs/len(runs), windowMin), windowMax)
	readers := make([]spillReader, len(runs))
	for i := range runs {
		readers[i].spillRun = runs[i]
	}
	var some []uint64
	for {
		if err := s.check(); err != nil {
			return err
		}
		// All pairs up to the smallest last pair of the windows are in memory now.
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

// takeUpTo moves the pairs up to bound, inclusive, from the sorted pairs to dst. rest is
// what remains.
func takeUpTo(dst, pairs []uint64, bound uint64) (_, rest []uint64) {
	at, found := slices.BinarySearch(pairs, bound)
	if found {
		at++
	}
	return append(dst, pairs[:at]...), pairs[at:]
}
