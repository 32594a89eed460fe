// Stretches: what an export reads. It takes the selected rows oldest first, many at a time, and
// reads them column by column.

package read

import (
	"context"
	"time"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
	"cairn/index"
)

// Stretches are the selected rows of a site at one moment, oldest first. They take as long as
// they take: each stretch has the time of one query. Whoever takes Stretches closes them. One
// goroutine uses them, but for Work.
type Stretches struct {
	*Rows
	pred    *predicate
	after   uint64       // rows up to this seq have been returned, or are not wanted
	upTo    uint64       // newer rows are not wanted
	cache   *index.Cache // of the columns, so that they do not evict what reports need
	at      int          // of the part in the view
	matcher *index.Matcher
	own     table.Part // at, as the matcher reads it
	part    index.Part // at, as the columns are read
	row     int        // of the part, where the next stretch begins
	batch   []int32    // scratch
}

// stretchCacheBytes is the size of the cache of an export. Columns are read in order, so it needs
// a page for each.
const stretchCacheBytes = 2 << 20

// Stretches returns the rows that an export asks for. The error of a bad condition wraps
// query.ErrBadQuery; a cursor that is none of the site's is query.ErrBadCursor.
func (rd *Reader) Stretches(ctx context.Context, q *query.Export) (_ *Stretches, err error) {
	s := &Stretches{Rows: rd.Rows(ctx, q.Site), at: -1}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.pred, err = plan(s.view, q.Where, q.From, q.To); err != nil {
		return nil, err
	}
	if s.upTo = s.Last; q.UpTo != "" {
		upTo, err := rd.Place(q.Site, q.UpTo)
		if err != nil {
			return nil, err
		}
		s.upTo = min(s.upTo, upTo)
	}
	if q.After != "" {
		if s.after, err = rd.Place(q.Site, q.After); err != nil {
			return nil, err
		}
	}
	s.cache = index.NewCache(stretchCacheBytes)
	s.cache.Lookups = true // of a dictionary only one page at a time is needed
	return s, nil
}

// Bounds returns how many rows are looked at, selected or not, and the newest of them; 0 = none.
func (s *Stretches) Bounds() (rows, last uint64) {
	if s.upTo <= s.after {
		return 0, s.upTo
	}
	return s.upTo - s.after, s.upTo
}

// EachPart calls fn with all parts that may have selected rows. The part is valid until fn
// returns.
func (s *Stretches) EachPart(fn func(*Cells) error) error {
	return s.Rows.EachPart(query.Span{From: s.pred.timeFrom, To: s.pred.timeTo}, func(c *Cells) error {
		if c.First() > s.upTo || c.First()+uint64(c.Len()) <= s.after+1 {
			return nil
		}
		return fn(c)
	})
}

// Next returns the next selected rows, at most cap(buf), all of one part: their numbers in the
// part, ascending. The part is the same value as before while it is the same part, and belongs
// to the goroutine. At the end there are no rows. seq is that of the last row looked at.
func (s *Stretches) Next(buf []int32) (part index.Part, rows []int32, seq uint64, err error) {
	s.budget.end = time.Now().Add(s.reader.QueryTime)
	rows = buf[:0]
	for len(rows) == 0 {
		if s.matcher == nil || s.row >= s.part.Len() {
			if more, err := s.open(); err != nil || !more {
				return nil, nil, s.upTo, err
			}
			continue
		}
		if rows, err = s.take(rows); err != nil {
			return nil, nil, 0, err
		}
	}
	return s.part, rows, s.part.First() + uint64(s.row) - 1, nil
}

// open opens the next part that may have selected rows. It returns false at the end.
func (s *Stretches) open() (more bool, err error) {
	for s.matcher = nil; s.at+1 < len(s.Parts); {
		if err := s.Check(); err != nil {
			return false, err
		}
		s.at++
		p := &s.Parts[s.at]
		if p.Last() <= s.after {
			continue
		}
		if p.First() > s.upTo {
			return false, nil
		}
		s.own = p.Own()
		s.matcher = s.pred.matcher(&s.own)
		if err := s.own.Err(); err != nil {
			return false, err
		}
		if s.matcher == nil {
			continue
		}
		s.row = 0
		if s.after >= p.First() {
			s.row = int(s.after - p.First() + 1)
		}
		if s.part = s.own.Get(); p.Run != nil {
			s.part = p.Run.In(s.cache).Part()
		}
		return true, s.part.Err()
	}
	return false, nil
}

// take adds selected rows of the part to rows.
func (s *Stretches) take(rows []int32) (_ []int32, err error) {
	if s.batch == nil {
		s.batch = make([]int32, index.PageRows)
	}
	to := s.part.Len()
	if last := s.upTo - s.part.First() + 1; last < uint64(to) {
		to = int(last)
	}
	from := s.row
	s.row = s.part.Len()
	s.matcher.Batches(from, to, s.batch, func(some []int32) bool {
		if err = s.Check(); err != nil {
			return false
		}
		n := min(len(some), cap(rows)-len(rows))
		rows = append(rows, some[:n]...)
		if len(rows) == cap(rows) {
			s.row = int(rows[len(rows)-1]) + 1
			return false
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if err := s.pred.complete(s.budget); err != nil {
		return nil, err
	}
	return rows, s.own.Err()
}

// AppendID appends the public id of a row.
func (s *Stretches) AppendID(dst []byte, seq uint64) []byte {
	return s.public.Append(dst, s.site.ID, seq)
}

// Heartbeats returns the times of the latest heartbeats of some visits, by their ordinals, which
// ascend in visits.
func (s *Stretches) Heartbeats(visits []uint64) (at map[uint64]int64, err error) {
	err = identity.HeartbeatsOf(s.reader.DB, s.site.ID, visits, func(visit uint64, ms int64) {
		if at == nil {
			at = make(map[uint64]int64)
		}
		at[visit] = ms
	})
	return at, err
}

// Work calls fn when a processor is free for a query. Several goroutines may call it.
func (s *Stretches) Work(fn func()) {
	s.budget.slices.take()
	defer s.budget.slices.give()
	fn()
}

// ExportRoom takes memory for an export from what all reports share: at most most bytes, while
// half of it stays for reports, and else least. Whoever takes the Room closes it. The error is
// query.ErrReportsBusy when not even so much is free.
func (rd *Reader) ExportRoom(least, most int64) (*Room, int64, error) {
	m := rd.room()
	if m == nil {
		return nil, most, nil
	}
	least = min(least, m.of.all/2)
	for bytes := min(most, m.of.all/2); bytes > least; bytes = bytes * 3 / 4 {
		if m.Spare(bytes) {
			return m, bytes, nil
		}
	}
	if !m.Try(least) {
		return nil, 0, query.ErrReportsBusy
	}
	return m, least, nil
}

// NewColumn reads an integer column, or the codes of a cell column, row by row.
func NewColumn(ints index.Ints) *Column { return &Column{*newRowInts(ints)} }
