// The check of one run: rows, index and totals.

package check

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"math"
	"runtime"
	"sync"

	"cairn/engine/event"
	"cairn/engine/table"
	"cairn/index"
)

// run checks a run. It encodes the event of each row as a record and compares the record's
// cells with the row. It rebuilds everything else in the run from the columns and compares it
// byte for byte.
func (s *siteCheck) run(r *index.Run) error {
	sum, keys, err := index.SumRun(s.db, r.Run)
	if err != nil {
		return err
	}
	if sum != r.Sum || keys != r.Keys {
		s.problem("run %d (events %d to %d): the checksum of its %d keys differs from the one in its descriptor", r.Run, r.First, r.Last(), keys)
		return nil
	}
	if r.Days != "" {
		days, known := table.DaysOf(r)
		if !known {
			s.problem("run %d (events %d to %d): the days in its descriptor are damaged", r.Run, r.First, r.Last())
			return nil
		}
		if part := r.Part(); !table.CountedOn(part, &days) && part.Err() == nil {
			s.problem("run %d (events %d to %d): some events are not counted on the day of their time in %s", r.Run, r.First, r.Last(), days.Zone)
		}
	}
	var rebuilt index.Checksum
	var rebuildErr error
	var rebuilding sync.WaitGroup
	rebuilding.Go(func() {
		defer recovered(&rebuildErr)
		rebuildErr = index.Rebuild(&rebuilt, r, event.NumInts, event.FieldMessageID)
	})
	sound, err := s.rowsAndTotals(r)
	rebuilding.Wait()
	switch {
	case err != nil || !sound:
		return err
	case rebuildErr != nil:
		s.problem("run %d (events %d to %d): %v", r.Run, r.First, r.Last(), rebuildErr)
	case rebuilt.Sum() != r.Sum:
		s.problem("run %d (events %d to %d): the index differs from the one that its columns give", r.Run, r.First, r.Last())
	}
	return nil
}

// totalBytes is about how much memory one total takes while it is computed.
const totalBytes = 160

// rowsAndTotals checks the rows of a run and its totals. When the totals of all properties
// take too much memory at once, it reads the rows several times and computes the totals of
// some properties each time. sound is false when a row is damaged.
func (s *siteCheck) rowsAndTotals(r *index.Run) (sound bool, err error) {
	properties, err := r.Properties()
	if err != nil {
		s.problem("%v", err)
		return false, nil
	}
	stored := 0
	for range storedTotals(r, properties, &err) {
		stored++
	}
	if err != nil {
		s.problem("%v", err)
		return false, nil
	}
	passes := 1 + int(int64(stored)*totalBytes/(s.memory/4))
	seed := maphash.MakeSeed()
	for pass := range passes {
		ofPass := func(property string) bool {
			return passes == 1 || maphash.String(seed, property)%uint64(passes) == uint64(pass)
		}
		var want index.Totals
		sound, err := s.rows(r, pass == 0, func(ev *event.Event, blank bool) {
			if pass == 0 {
				s.event(ev, blank)
				if !blank && s.deleted.blank != nil && s.deleted.blank.Contains(ev.Seq) {
					s.problem("event %d: it is deleted, but the run has it still", ev.Seq)
				}
			}
			if blank {
				return // it counts nothing
			}
			s.counts.Reset()
			ev.CountsIn(&s.counts, func(property, term string, by int64) bool {
				if ofPass(property) {
					want.Add(property, ev.Day, term, by)
				}
				return true
			})
		})
		if err != nil || !sound {
			return false, err
		}
		var mine []string
		for _, p := range properties {
			if ofPass(p) {
				mine = append(mine, p)
			}
		}
		s.compareTotals(fmt.Sprintf("run %d", r.Run), storedTotals(r, mine, &err), want.Sorted())
		if err != nil {
			s.problem("%v", err)
		}
	}
	return true, nil
}

// storedTotals returns the totals that a run has of some properties. An error ends them.
func storedTotals(r *index.Run, properties []string, err *error) iter.Seq[index.Total] {
	return func(yield func(index.Total) bool) {
		more := true
		for _, p := range properties {
			if *err = r.Totals(p, math.MinInt32, math.MaxInt32, func(t index.Total) { more = more && yield(t) }); *err != nil || !more {
				return
			}
		}
	}
}

// compareTotals reports the first difference between two lists of totals, which are ordered
// by property, day and value.
func (s *siteCheck) compareTotals(where string, have iter.Seq[index.Total], want []index.Total) {
	for h := range have {
		switch {
		case len(want) == 0:
			s.problem("%s: counter %+v has no events", where, h)
		case h != want[0]:
			s.problem("%s: counter %+v should be %+v", where, h, want[0])
		default:
			want = want[1:]
			continue
		}
		return
	}
	if len(want) > 0 {
		s.problem("%s: counter %+v is missing", where, want[0])
	}
}

// chunkRows is how many rows one goroutine reads at once. They may be 32 KB each.
const chunkRows = 256

// chunk is some consecutive rows of a run. The goroutine that reads them sends to read.
type chunk struct {
	from, to int
	events   []event.Event // of the rows up to the first that is damaged
	blanks   []bool        // by index in events
	problem  error         // of the row after events
	read     chan struct{}
}

// rows reads the rows of a run on all cores and calls fn with their events, in order and in
// the caller's goroutine. An event is valid until fn returns. With compare, it compares each row
// with the record that its event gives. sound is false when a row is damaged.
func (s *siteCheck) rows(r *index.Run, compare bool, fn func(ev *event.Event, blank bool)) (sound bool, err error) {
	workers := runtime.GOMAXPROCS(0)
	todo := make(chan *chunk, workers)    // to be read
	inOrder := make(chan *chunk, workers) // to be taken, in order of rows
	free := make(chan *chunk, workers)    // taken, so that their memory can be used again
	quit := make(chan struct{})
	rows := r.Part().Len()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(quit)
	wg.Go(func() {
		defer close(todo)
		defer close(inOrder)
		for from := 0; from < rows; from += chunkRows {
			var c *chunk
			select {
			case c = <-free:
			default:
				c = &chunk{events: make([]event.Event, 0, chunkRows), blanks: make([]bool, 0, chunkRows), read: make(chan struct{}, 1)}
			}
			c.from, c.to = from, min(from+chunkRows, rows)
			for _, queue := range []chan *chunk{todo, inOrder} {
				select {
				case queue <- c:
				case <-quit:
					return
				}
			}
		}
	})
	for range workers {
		wg.Go(func() {
			reader := rowChecker{rows: table.NewRowReader(r.Part()), compare: compare}
			reader.rows.Remember()
			for c := range todo {
				reader.read(c)
				c.read <- struct{}{}
			}
		})
	}
	for c := range inOrder {
		if err := cmp.Or(s.failed, s.ctx.Err()); err != nil {
			return false, err
		}
		<-c.read
		for i := range c.events {
			fn(&c.events[i], c.blanks[i])
		}
		if c.problem != nil {
			s.problem("run %d: event %d: %v", r.Run, r.First+uint64(c.from+len(c.events)), c.problem)
			return false, nil
		}
		if compare {
			s.done(len(c.events))
		}
		select {
		case free <- c:
		default:
		}
	}
	return true, nil
}

// rowChecker reads rows of a run in one goroutine.
type rowChecker struct {
	rows         *table.RowReader
	compare      bool
	record, body []byte
}

// recovered makes an error of a panic: a fatal error of Pebble's is one. With recovers only
// those of its own goroutine.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%v", r)
	}
}

// read reads the rows of a chunk, up to the first that is damaged.
func (r *rowChecker) read(c *chunk) {
	defer recovered(&c.problem)
	c.events, c.blanks = c.events[:0], c.blanks[:0]
	for row := c.from; row < c.to; row++ {
		at := len(c.events)
		ev := &c.events[:at+1][at] // its memory is used again
		if c.problem = r.row(row, ev); c.problem != nil {
			return
		}
		c.events, c.blanks = c.events[:at+1], append(c.blanks, r.rows.Blank(row))
	}
}

// row reads the event of a row. With compare, it returns an error for a row that is not what the
// record of its event gives.
func (r *rowChecker) row(row int, ev *event.Event) error {
	if err := r.rows.ReadTo(row, ev); err != nil || !r.compare {
		return err
	}
	if r.rows.Blank(row) { // it has no type, which each record has
		if text := blank(ev); text != "" {
			return errors.New(text)
		}
		return nil
	}
	r.body = event.AppendBody(r.body[:0], ev)
	r.record = event.AppendRecord(r.record[:0], event.HeadOf(ev), r.body)
	return r.rows.Same(row, r.record)
}
