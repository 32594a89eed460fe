// Quarters: how many rows of a run are in each quarter of an hour of UTC. The hours and days of
// every zone are sums of these. So a run that is counted once answers series of any interval but
// minutes, in any zone, without another look at its rows.

package read

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"sync"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

const quarterMillis = table.QuarterMillis

// quarterOf returns the quarter of an hour that a time is in, counted from 1970.
func quarterOf(at int64) int64 {
	q := at / quarterMillis
	if at < q*quarterMillis {
		q--
	}
	return q
}

// quarterCounts is how many rows of a run satisfy some clauses, by quarter of an hour. It does not
// change.
type quarterCounts struct {
	quarters []int64        // that have rows, ascending
	upTo     []uint64       // rows in each and in all before it
	pages    []index.Bounds // of the times of each page's rows that were counted; Least > Greatest when there are none
}

// size returns its bytes.
func (c *quarterCounts) size() int { return 16*len(c.quarters) + 16*len(c.pages) }

// before returns a function that returns how many rows are in the quarters before that of a time.
// Times must ascend.
func (c *quarterCounts) before() func(at int64) uint64 {
	i := 0
	return func(at int64) uint64 {
		quarter := quarterOf(at)
		step := 1
		for i+step <= len(c.quarters) && c.quarters[i+step-1] < quarter {
			i, step = i+step, 2*step
		}
		end := min(i+step, len(c.quarters))
		i += sort.Search(end-i, func(k int) bool { return c.quarters[i+k] >= quarter })
		if i == 0 {
			return 0
		}
		return c.upTo[i-1]
	}
}

// has reports whether the quarter of a time has rows.
func (c *quarterCounts) has(at int64) bool {
	_, ok := slices.BinarySearch(c.quarters, quarterOf(at))
	return ok
}

// quartersMax is how many quarters may lie between the first and the last row of a run that is
// counted: some seven years. The counts of one goroutine then take 2 MiB.
const quartersMax = 1 << 18

// countable reports whether a run is counted by quarters for buckets with these bounds: it must
// not span too long, and at most two bounds may cut a quarter of it.
func (k *keptRuns) countable(p *table.Part, cuts []int64) bool {
	r := p.Run
	if k.results == nil || r == nil || r.TimeMin > r.TimeMax {
		return false
	}
	first, last := quarterOf(r.TimeMin), quarterOf(r.TimeMax)
	if last-first >= quartersMax || 16*(min(last-first+1, int64(r.Rows))+int64(r.Rows)/index.PageRows+1) > k.results.max/4 {
		return false
	}
	return fewCut(r, cuts)
}

// fewCut reports whether at most two bounds of buckets cut a quarter of a run.
func fewCut(r *index.Run, cuts []int64) bool {
	inside := 0
	at, _ := slices.BinarySearch(cuts, r.TimeMin)
	for _, cut := range cuts[at:] {
		if cut > r.TimeMax {
			break
		}
		if cut != quarterOf(cut)*quarterMillis {
			inside++
		}
	}
	return inside <= 2
}

// cutsOf returns the bounds of buckets, as the times of pred cut them: bucket i is the times
// [cuts[i], cuts[i+1]).
func cutsOf(pred *predicate, starts []int64) []int64 {
	cuts := make([]int64, len(starts)+1)
	for i, start := range starts {
		cuts[i] = min(max(start, pred.timeFrom), pred.timeTo)
	}
	cuts[len(starts)] = pred.timeTo
	return cuts
}

// countBuckets counts the events of each bucket that satisfy pred.
func (v *view) countBuckets(pred *predicate, starts []int64, buckets []query.Bucket, kept keptRuns) error {
	for i := range buckets {
		buckets[i].Events = 0
	}
	cuts := cutsOf(pred, starts)
	var rest []rowRange
	var known []*table.Part
	for i := len(v.Parts) - 1; i >= 0; i-- {
		p := &v.Parts[i]
		stored, err := v.addStored(pred, p, cuts, buckets)
		if err != nil {
			return err
		}
		switch {
		case stored, p.Run != nil && pred.outside(p.Run):
		case (kept.store || len(pred.clauses) == 0) && kept.countable(p, cuts):
			known = append(known, p)
		default:
			rest = appendRowRanges(p, rest)
		}
	}
	if err := v.countQuarters(pred, known, cuts, buckets, &kept); err != nil {
		return err
	}
	return v.addBuckets(pred, rest, starts, buckets)
}

// countQuarters adds the rows of runs that satisfy pred to the buckets between cuts.
func (v *view) countQuarters(pred *predicate, runs []*table.Part, cuts []int64, buckets []query.Bucket, kept *keptRuns) error {
	counts, err := v.quarterCounts(pred, runs, kept)
	if err != nil {
		return err
	}
	for i, p := range runs {
		if err := v.budget.check(); err != nil {
			return err
		}
		if err := v.addQuarters(pred, p, counts[i], cuts, buckets); err != nil {
			return err
		}
	}
	return nil
}

// addQuarters adds the rows of a run to the buckets between cuts.
func (v *view) addQuarters(pred *predicate, p *table.Part, c *quarterCounts, cuts []int64, buckets []query.Bucket) error {
	before, last := c.before(), uint64(0)
	for i, cut := range cuts {
		var n uint64
		switch {
		case cut <= p.Run.TimeMin:
		case cut > p.Run.TimeMax:
			if len(c.upTo) > 0 {
				n = c.upTo[len(c.upTo)-1]
			}
		default:
			n = before(cut)
			if start := quarterOf(cut) * quarterMillis; start != cut && c.has(cut) {
				some, err := v.countPages(pred.always().between(start, cut), p, c)
				if err != nil {
					return err
				}
				n += some
			}
		}
		if i > 0 {
			buckets[i-1].Events += n - last
		}
		last = n
	}
	return nil
}

// countPages counts the rows of a run that satisfy pred. It reads only pages with rows at its
// times.
func (v *view) countPages(pred *predicate, p *table.Part, c *quarterCounts) (n uint64, err error) {
	sums, err := gather(v.budget, pred, pagesAt(pred, p, c.pages), func(r *rangeReader, rr *rowRange, n *uint64) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		*n += uint64(r.matcher.Count(rr.from, rr.to))
		return opened.Err()
	})
	for _, sum := range sums {
		n += sum
	}
	return n, err
}

// quarterSum is the counts of one goroutine, of one run at a time.
type quarterSum struct {
	run    int      // index of the run
	first  int64    // quarter of counts[0]
	counts []uint64 // nil = no run was begun
}

// quarterCounts returns the counts of runs, kept ones or new ones.
func (v *view) quarterCounts(pred *predicate, runs []*table.Part, kept *keptRuns) ([]*quarterCounts, error) {
	all := make([]*quarterCounts, len(runs))
	runAt := make(map[*table.Part]int)
	var ranges []rowRange
	for i, p := range runs {
		ok := false
		if all[i], ok = keptPart[*quarterCounts](kept, kept.key(p, "quarters")); !ok {
			runAt[p] = i
			ranges = appendRowRanges(p, ranges)
			all[i] = &quarterCounts{pages: make([]index.Bounds, (p.Run.Rows+index.PageRows-1)/index.PageRows)}
			for page := range all[i].pages {
				all[i].pages[page] = index.Bounds{Least: math.MaxInt64, Greatest: math.MinInt64}
			}
		}
	}
	if len(ranges) == 0 {
		return all, nil
	}
	var mu sync.Mutex // guards quarters and upTo of all; each row range has pages of its own
	flush := func(s *quarterSum) {
		mu.Lock()
		defer mu.Unlock()
		c := all[s.run]
		for i, n := range s.counts {
			if n != 0 {
				c.quarters, c.upTo = append(c.quarters, s.first+int64(i)), append(c.upTo, n)
			}
		}
	}
	sums, err := gather(v.budget, pred.always(), ranges, func(r *rangeReader, rr *rowRange, s *quarterSum) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		if run := runAt[rr.part]; s.counts == nil || s.run != run {
			flush(s)
			first, last := quarterOf(rr.part.Run.TimeMin), quarterOf(rr.part.Run.TimeMax)
			s.run, s.first = run, first
			s.counts = slices.Grow(s.counts[:0], int(last-first)+1)[:last-first+1]
			clear(s.counts)
		}
		pages, counts, first := all[s.run].pages, s.counts, s.first
		times := newRowInts(opened.Get().Ints(event.IntTime))
		err = r.each(rr, func(rows []int32) {
			page := &pages[rows[0]/index.PageRows]
			for _, at := range times.of(rows) {
				page.Least, page.Greatest = min(page.Least, at), max(page.Greatest, at)
				if i := quarterOf(at) - first; uint64(i) < uint64(len(counts)) {
					counts[i]++
				}
			}
		})
		return cmp.Or(err, opened.Err())
	})
	if err != nil {
		return nil, err
	}
	for i := range sums {
		flush(&sums[i])
	}
	for p, i := range runAt {
		all[i].sum()
		kept.results.put(kept.key(p, "quarters"), all[i], all[i].size())
	}
	return all, nil
}

// sum turns the counts of several goroutines, quarter by quarter, into sums.
func (c *quarterCounts) sum() {
	order := make([]int, len(c.quarters))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(c.quarters[a], c.quarters[b]) })
	var quarters []int64
	var upTo []uint64
	total := uint64(0)
	for _, i := range order {
		total += c.upTo[i]
		if n := len(quarters); n > 0 && quarters[n-1] == c.quarters[i] {
			upTo[n-1] = total
			continue
		}
		quarters, upTo = append(quarters, c.quarters[i]), append(upTo, total)
	}
	c.quarters, c.upTo = slices.Clip(quarters), slices.Clip(upTo)
}

// addBuckets adds the rows of row ranges that satisfy pred to the buckets, row by row.
func (v *view) addBuckets(pred *predicate, ranges []rowRange, starts []int64, buckets []query.Bucket) error {
	sums, err := gather(v.budget, pred, ranges, func(r *rangeReader, rr *rowRange, events *[]uint64) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		if *events == nil {
			*events = make([]uint64, len(starts))
		}
		times, bucket := newRowInts(opened.Get().Ints(event.IntTime)), bucketAt(starts)
		err = r.each(rr, func(rows []int32) {
			for _, at := range times.of(rows) {
				if i := bucket(at); i >= 0 {
					(*events)[i]++
				}
			}
		})
		return cmp.Or(err, opened.Err())
	})
	for i := range buckets {
		for _, events := range sums {
			if events != nil {
				buckets[i].Events += events[i]
			}
		}
	}
	return err
}
