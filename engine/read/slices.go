// Slices: what a report reads. A report is in engine/report; it sees rows through the types
// of this file.

package read

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"

	"github.com/cockroachdb/pebble/v2"
)

// Rows are the rows of one site at one moment, for one report, with its time and memory.
// Whoever takes Rows closes them. Several goroutines may read them.
type Rows struct {
	*view
	reader *Reader

	working atomic.Int64 // calls of Kept that compute

	roomsMu sync.Mutex
	rooms   []*Room
}

// Rows returns the rows of a site as they are now.
func (rd *Reader) Rows(ctx context.Context, site *query.Site) *Rows {
	return &Rows{view: rd.view(ctx, site), reader: rd}
}

// Site returns the site of the rows.
func (r *Rows) Site() *query.Site { return r.site }

// Zone returns the zone of the site's days.
func (r *Rows) Zone() *time.Location {
	if r.zone == nil {
		return time.UTC
	}
	return r.zone
}

// Check returns query.ErrQueryTimeout when the time of the report is over. Loops over more
// than a few thousand things call it.
func (r *Rows) Check() error { return r.budget.check() }

// TimeOf returns the event time of the row with a seq, 0 when there is none.
func (r *Rows) TimeOf(seq uint64) (at int64, err error) {
	p := r.PartOf(seq)
	if p == nil {
		return 0, nil
	}
	own := p.Own() // several goroutines may read the part
	at = own.Get().Ints(event.IntTime).At(int(seq - p.First()))
	return at, own.Err()
}

// DB returns the store, for what is kept beside the rows.
func (r *Rows) DB() pebble.Reader { return r.reader.DB }

// Persons returns which ordinals are the same person, the same each time.
func (r *Rows) Persons() (identity.Persons, error) { return r.persons() }

// Selection is the rows that a report reads.
type Selection struct {
	*Rows
	pred *predicate
}

// Select returns the rows that satisfy all conditions and whose event time is in the span. The
// zero Span is any time. The error of a bad condition wraps query.ErrBadQuery.
func (r *Rows) Select(where []query.Cond, span query.Span) (*Selection, error) {
	if span == (query.Span{}) {
		span = query.Span{From: math.MinInt64, To: math.MaxInt64}
	}
	pred, err := planIn(r.view, where, span)
	if err != nil {
		return nil, err
	}
	return &Selection{r, pred}, nil
}

// And returns the rows of the selection whose field has one of the terms. The field is one of
// event's.
func (s *Selection) And(field string, terms ...string) *Selection {
	return &Selection{s.Rows, s.pred.and(field, terms...)}
}

// WithSession returns the rows of the selection that are in a session.
func (s *Selection) WithSession() *Selection {
	narrow := *s.pred
	narrow.more = append(s.pred.more[:len(s.pred.more):len(s.pred.more)], index.Range{Col: event.IntSession, From: 1, To: math.MaxInt64})
	return &Selection{s.Rows, &narrow}
}

// WithoutSession returns the rows of the selection that are in no session.
func (s *Selection) WithoutSession() *Selection {
	narrow := *s.pred
	narrow.more = append(s.pred.more[:len(s.pred.more):len(s.pred.more)], index.Range{Col: event.IntSession, From: 0, To: 1})
	return &Selection{s.Rows, &narrow}
}

// Slice is at most 65,536 consecutive rows of a part, and which of them a selection has. One
// goroutine uses it.
type Slice struct {
	rr   *rowRange
	r    *rangeReader
	part index.Part // metered
	site *query.Site
}

// SliceRows is the most rows that a slice has.
const SliceRows = rangeRowsMax

// First returns the number of the first row in its part.
func (s *Slice) First() int { return s.rr.from }

// Len returns how many rows the slice has, selected or not.
func (s *Slice) Len() int { return s.rr.to - s.rr.from }

// Seq returns the seq of a row.
func (s *Slice) Seq(row int) uint64 { return s.part.First() + uint64(row) }

// Each calls fn with the selected rows, ascending, at most a page of them at a time. The
// numbers are those of the rows in their part. The slice is valid until fn returns.
func (s *Slice) Each(fn func(rows []int32)) error { return s.r.each(s.rr, fn) }

// Selects returns a function that says whether another selection of the same Rows has a row.
func (s *Slice) Selects(other *Selection) func(row int) bool {
	m := other.pred.matcher(&s.r.ownPart)
	if m == nil {
		return func(int) bool { return false }
	}
	buf := make([]int32, index.PageRows)
	var bits []uint64 // of the slice
	return func(row int) bool {
		if bits == nil {
			bits = make([]uint64, (s.Len()+63)/64)
			m.Batches(s.rr.from, s.rr.to, buf, func(rows []int32) bool {
				for _, r := range rows {
					i := int(r) - s.rr.from
					bits[i/64] |= 1 << (i % 64)
				}
				return s.r.budget.check() == nil
			})
			if s.r.err == nil {
				s.r.err = other.pred.complete(s.r.budget)
			}
		}
		i := row - s.rr.from
		return bits[i/64]&(1<<(i%64)) != 0
	}
}

// TimedOut reports whether the time of the report is over, after many bytes of cells. A loop
// that decodes cells calls it and ends; Each then returns the error.
func (s *Slice) TimedOut() bool { return s.r.timedOut() }

// Part returns the part of the rows. Only the rows of the slice are to be read.
func (s *Slice) Part() index.Part { return s.part }

// PartKey names the part of the rows. Of one goroutine's slices, those that follow each other with
// the same key share the readers that they were asked for: Ints, Codes and Field.
func (s *Slice) PartKey() any { return s.rr.part }

// Column reads an integer column, or the codes of a cell column, row by row.
type Column struct{ rowInts }

// Of returns the values at ascending rows of one page, as Each passes them. The slice is valid
// until the next call.
func (c *Column) Of(rows []int32) []int64 { return c.of(rows) }

// At returns the value at a row. Rows ascend.
func (c *Column) At(row int) int64 { return c.at(row) }

// Ints returns an integer column of the slice, such as event.IntTime.
func (s *Slice) Ints(col int) *Column { return &Column{*newRowInts(s.part.Ints(col))} }

// Codes returns the codes of a column.
func (s *Slice) Codes(col index.Column) *Column { return &Column{*newRowInts(col.Codes())} }

// InOrder reads the slices of a selection, newest first, as many at once as there are
// processors. It passes the results of read to take, newest slice first. Slices without a
// selected row are left out when that is known without reading them; a nil result is skipped.
func InOrder[T any](sel *Selection, read func(*Slice) (*T, error), take func(*T) error) error {
	var failed error
	err := readInOrder(sel.budget, sel.pred, sel.rowRanges(), func(r *rangeReader, rr *rowRange) (*T, error) {
		s, err := sel.slice(r, rr)
		if s == nil {
			return nil, err
		}
		value, err := read(s)
		return value, s.end(err)
	}, func(value *T) bool {
		failed = take(value)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// Gather reads the slices of a selection in any order, as many at once as there are
// processors. Each goroutine adds to a sum of its own. Gather returns the sums.
func Gather[T any](sel *Selection, read func(*Slice, *T) error) ([]T, error) {
	return gather(sel.budget, sel.pred, sel.rowRanges(), func(r *rangeReader, rr *rowRange, sum *T) error {
		s, err := sel.slice(r, rr)
		if s == nil {
			return err
		}
		return s.end(read(s, sum))
	})
}

// slice opens a row range; nil when none of its rows is selected.
func (sel *Selection) slice(r *rangeReader, rr *rowRange) (*Slice, error) {
	opened, err := r.open(rr)
	if opened == nil {
		return nil, err
	}
	return &Slice{rr: rr, r: r, part: r.metered(opened.Get()), site: sel.site}, nil
}

// end returns the first error of reading a slice.
func (s *Slice) end(err error) error {
	if err == nil {
		err = s.r.err
	}
	if damage := s.r.ownPart.Err(); damage != nil {
		return damage
	}
	return err
}

// PairSets are sets of pairs of a row of an answer and an ordinal, for one report. They share
// the memory that all questions have for pairs, and a file beyond it. Whoever makes PairSets
// closes them.
type PairSets struct{ spill *spill }

// PairSets returns sets for a report.
func (r *Rows) PairSets() PairSets { return r.PairSetsOf(1) }

// PairSetsOf returns sets for a report of which so many goroutines each fill some.
func (r *Rows) PairSetsOf(n int) PairSets {
	s := r.budget.spill()
	s.first = max(reportBagLeast, reportBagPairs/n)
	return PairSets{s}
}

// reportBagPairs is how many pairs each set of a report may hold without reserving them: a
// report has up to eighteen sets.
const (
	reportBagPairs = 1 << 14
	reportBagLeast = 1 << 10
)

// Close gives back their memory and removes their file.
func (p PairSets) Close() { p.spill.close() }

// Free returns how many visits may wait in a report without taking room for pairs.
func (p PairSets) Free() int { return max(8, p.spill.pairs.bagPairs/freeShare) }

// Most returns how many pairs a report should take at most before its sets need some.
func (p PairSets) Most() int { return p.spill.pairs.bagPairs / 2 }

// freeShare is how many pairs of a bag stand for one of Free.
const freeShare = 2048

// Reserve takes room for n pairs for something else that the report holds. It reports false when
// there is none.
func (p PairSets) Reserve(n int) bool { return p.spill.reserve(n) }

// GiveBack gives back room for n pairs.
func (p PairSets) GiveBack(n int) { p.spill.giveBack(n) }

// Take adds all pairs of another of the same PairSets, which is empty then.
func (s *PairSet) Take(o *PairSet) {
	s.bag.take(&o.bag)
}

// Reset gives back the memory of all sets so far, which nobody uses any more.
func (p PairSets) Reset() { p.spill.giveBack(int(p.spill.reserved.Load())) }

// New returns an empty set. Several goroutines may each fill one.
func (p PairSets) New() *PairSet { return &PairSet{pairBag{spill: p.spill}} }

// PairSet is one of PairSets. One goroutine uses it.
type PairSet struct{ bag pairBag }

// Add adds a pair. row is below identity.PairRowsMax. It does not add ordinal 0.
func (s *PairSet) Add(row int, ord uint64) {
	if ord != 0 {
		s.bag.add(identity.PairOf(row, ord))
	}
}

// EachPerson calls fn once for each pair of a row and a person, with the row. All linked
// ordinals are one person.
func (s *PairSet) EachPerson(p identity.Persons, fn func(row int)) error {
	return s.bag.eachPerson(p, fn)
}

// Each calls fn with every pair, ascending.
func (s *PairSet) Each(fn func(row int, ord uint64)) error { return s.bag.eachPair(fn) }

// Cells is the cells of a part that its rows have, but for those that only deleted rows have.
type Cells struct {
	index.Part
	rows *Rows
	own  *table.Part
}

// Codes returns at most limit codes of a column of the part, ascending, of cells that rows have
// which are not deleted.
func (c *Cells) Codes(col index.Column, limit int) ([]uint32, error) {
	codes := make([]uint32, 0, min(col.Card(), limit))
	if !c.own.HasGone() {
		for code := range min(col.Card(), limit) {
			codes = append(codes, uint32(code+1))
		}
		return codes, nil
	}
	m := newPredicate().matcher(c.own)
	if m == nil {
		return nil, c.Err()
	}
	// A cell is in a dictionary because some row has it. Only rows can tell which.
	of, found := newRowInts(col.Codes()), make(map[int64]struct{})
	var err error
	buf, page := make([]int32, index.PageRows), -1
	constant, same := int64(0), false
	m.Batches(0, c.Len(), buf, func(rows []int32) bool {
		if at := int(rows[0]) / index.PageRows; at != page {
			page = at
			constant, same = of.col.Constant(page)
		}
		if same {
			found[constant] = struct{}{}
		} else {
			for _, code := range of.of(rows) {
				if _, known := found[code]; !known && len(found) <= limit {
					found[code] = struct{}{}
				}
			}
		}
		delete(found, 0)
		err = c.rows.Check()
		return err == nil && len(found) < min(limit, col.Card())
	})
	for code := range found {
		if code <= int64(col.Card()) && len(codes) < limit {
			codes = append(codes, uint32(code))
		}
	}
	slices.Sort(codes)
	return codes, err
}

// RowsOf returns how many rows that are not deleted have a cell in a column of the part.
func (c *Cells) RowsOf(col index.Column) (n int, err error) {
	n = col.Rows()
	err = c.eachHidden(col, func(code int64) {
		if code != 0 {
			n--
		}
	})
	return n, err
}

// Has returns a function that reports whether rows that are not deleted have the cell with a code,
// nil when that is so of all cells of the column.
func (c *Cells) Has(col index.Column) (has func(code uint32) bool, err error) {
	hidden := c.own.Hidden()
	if hidden == nil {
		return nil, nil // blanks have lost their cells
	}
	dead := make([]uint64, col.Card()/64+1) // by code: some hidden row has it
	if err := c.eachHidden(col, func(code int64) {
		if code <= int64(col.Card()) {
			dead[code/64] |= 1 << (code % 64)
		}
	}); err != nil {
		return nil, err
	}
	// Of these, rows that are not hidden may have some as well.
	codes, buf := col.Codes(), make([]int64, index.PageRows)
	for page := 0; page*index.PageRows < c.Len(); page++ {
		if err := c.rows.Check(); err != nil {
			return nil, err
		}
		for i, code := range codes.Page(page, buf) {
			if code > 0 && code <= int64(col.Card()) && dead[code/64]&(1<<(code%64)) != 0 && !hidden.Has(page*index.PageRows+i) {
				dead[code/64] &^= 1 << (code % 64)
			}
		}
	}
	return func(code uint32) bool { return dead[code/64]&(1<<(code%64)) == 0 }, nil
}

// eachHidden calls fn with the codes that hidden rows have in a column.
func (c *Cells) eachHidden(col index.Column, fn func(code int64)) (err error) {
	hidden := c.own.Hidden()
	if hidden == nil {
		return nil
	}
	codes, n := newRowInts(col.Codes()), 0
	hidden.Each(0, c.Len(), func(row int) {
		if n++; n%index.PageRows == 0 && err == nil {
			err = c.rows.Check()
		}
		if err == nil {
			fn(codes.at(row))
		}
	})
	return err
}

// EachPart calls fn with the parts that may have rows in a span, newest first. The part is valid
// until fn returns.
func (r *Rows) EachPart(span query.Span, fn func(*Cells) error) error {
	for i := len(r.Parts) - 1; i >= 0; i-- {
		if err := r.Check(); err != nil {
			return err
		}
		own := r.Parts[i].Own() // several goroutines may read the part
		if run := own.Run; run != nil && (run.TimeMin >= span.To || run.TimeMax < span.From) {
			continue
		} else if run == nil {
			if lo, hi := table.Bounds(own.Get(), event.IntTime); lo >= span.To || hi < span.From {
				continue
			}
		}
		if err := fn(&Cells{own.Get(), r, &own}); err != nil {
			return err
		}
		if err := own.Err(); err != nil {
			return err
		}
	}
	return nil
}
