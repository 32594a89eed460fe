// Begins: which row begins a person or a session whose first row is deleted. An ordinal is the
// seq of the first row of an id or a session, and a name that stays. What began then is told by
// the oldest row that is left.

package read

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/identity"
	"cairn/engine/table"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// goneRows says which rows of a view are deleted. Goroutines may share it.
type goneRows struct {
	hidden *roaring64.Bitmap // seqs; nil = none
	blanks []blankRows       // of the runs that have some, oldest first
}

// blankRows is the blanks of a run.
type blankRows struct {
	first, last uint64            // seqs of its rows
	seqs        *roaring64.Bitmap // of its blanks
}

// has reports whether the row with a seq is deleted.
func (g *goneRows) has(seq uint64) bool {
	if g.hidden != nil && g.hidden.Contains(seq) {
		return true
	}
	i, _ := slices.BinarySearchFunc(g.blanks, seq, func(b blankRows, seq uint64) int { return cmp.Compare(b.last, seq) })
	return i < len(g.blanks) && g.blanks[i].first <= seq && g.blanks[i].seqs.Contains(seq)
}

// bounds returns the lowest and the highest seq.
func (g *goneRows) bounds() (lo, hi uint64) {
	lo = ^uint64(0)
	if g.hidden != nil {
		lo, hi = g.hidden.Minimum(), g.hidden.Maximum()
	}
	for _, b := range g.blanks {
		lo, hi = min(lo, b.seqs.Minimum()), max(hi, b.seqs.Maximum())
	}
	return lo, hi
}

// beginning is the oldest row that is left of an ordinal whose first row is deleted.
type beginning struct{ seq, ord uint64 }

// begins has the beginnings of the sessions of a view, or of the ordinals of its persons. It
// does not change.
type begins struct {
	gone    *goneRows
	upTo    uint64            // rows up to here were looked at
	of      map[uint64]uint64 // seq by ordinal; those of which no row is left are not there
	ordered []beginning       // by seq
}

// begun keeps what a Reader has found out about deleted rows. It is safe for any number of
// goroutines.
type begun struct {
	mu     sync.Mutex
	blanks map[uint64]*roaring64.Bitmap // by id of the run, which never changes; nil = it has none
	begins map[begunKey]*begins
	bounds map[boundsKey][2]int64 // least and greatest event time, see view.bounds
}

type begunKey struct {
	site      uint32
	column    int
	deletions uint64
}

// boundsKey is a run, and the deletions that hide rows of it.
type boundsKey struct{ run, deletions uint64 }

// blanksMax is how many runs begun remembers.
const blanksMax = 4096

// blanksOf returns the seqs of the blanks of a run, nil when it has none.
func (b *begun) blanksOf(p *table.Part, budget budget) (*roaring64.Bitmap, error) {
	b.mu.Lock()
	seqs, known := b.blanks[p.Run.Run]
	b.mu.Unlock()
	if known {
		return seqs, nil
	}
	if col := p.Blanks(); col != nil {
		seqs = roaring64.New()
		codes, buf, some := col.Codes(), make([]int64, index.PageRows), make([]uint64, 0, index.PageRows)
		for page := 0; page*index.PageRows < p.Get().Len(); page++ {
			if err := budget.check(); err != nil {
				return nil, err
			}
			from := p.First() + uint64(page*index.PageRows)
			if code, same := codes.Constant(page); same {
				if code != 0 {
					seqs.AddRange(from, min(from+index.PageRows, p.Last()+1))
				}
				continue
			}
			some = some[:0]
			for i, code := range codes.Page(page, buf) {
				if code != 0 {
					some = append(some, from+uint64(i))
				}
			}
			seqs.AddMany(some)
		}
		seqs.RunOptimize()
		if seqs.IsEmpty() {
			seqs = nil
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blanks == nil || len(b.blanks) >= blanksMax {
		b.blanks = make(map[uint64]*roaring64.Bitmap)
	}
	b.blanks[p.Run.Run] = seqs
	return seqs, nil
}

// gone returns which rows of the view are deleted, nil when none is.
func (v *view) gone() (*goneRows, error) {
	v.deleted.Lock()
	defer v.deleted.Unlock()
	if v.deleted.known {
		return v.deleted.rows, nil
	}
	g := &goneRows{hidden: v.Hidden()}
	for i := range v.Parts {
		if v.Parts[i].Run == nil {
			continue // blanks are made when a run is rewritten
		}
		own := v.Parts[i].Own() // several goroutines may read the part
		seqs, err := v.reader.begun.blanksOf(&own, v.budget)
		if err != nil {
			return nil, err
		}
		if seqs != nil {
			g.blanks = append(g.blanks, blankRows{own.First(), own.Last(), seqs})
		}
	}
	if g.hidden == nil && g.blanks == nil {
		g = nil
	}
	v.deleted.rows, v.deleted.known = g, true
	return g, nil
}

// begins returns the beginnings of what an integer column has, event.IntSession or
// event.IntPerson; nil when no row is deleted.
func (v *view) begins(column int) (*begins, error) {
	gone, err := v.gone()
	if gone == nil || err != nil {
		return nil, err
	}
	key := begunKey{v.Table.ID, column, v.Deletions}
	kept := &v.reader.begun
	kept.mu.Lock()
	before := kept.begins[key]
	kept.mu.Unlock()
	if before != nil && before.upTo >= v.Last {
		return before, nil
	}
	found, err := v.findBegins(column, gone, before)
	if err != nil {
		return nil, err
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if have := kept.begins[key]; have != nil && have.upTo >= found.upTo {
		return have, nil
	}
	if kept.begins == nil {
		kept.begins = make(map[begunKey]*begins)
	}
	maps.DeleteFunc(kept.begins, func(k begunKey, _ *begins) bool {
		return k.site == key.site && k.column == key.column && k.deletions < key.deletions
	})
	kept.begins[key] = found
	return found, nil
}

// findBegins reads the rows that are newer than those of before, which may be nil.
func (v *view) findBegins(column int, gone *goneRows, before *begins) (*begins, error) {
	found := &begins{gone: gone, upTo: v.Last, of: make(map[uint64]uint64)}
	after := uint64(0)
	if before != nil {
		after, found.of, found.ordered = before.upTo, before.of, before.ordered
	}
	lo, hi := gone.bounds()
	pred := newPredicate()
	pred.more = []index.Range{{Col: column, From: int64(max(lo, 1)), To: int64(hi) + 1}}
	ranges := slices.DeleteFunc(v.rowRanges(), func(rr rowRange) bool {
		last := rr.part.First() + uint64(rr.to) - 1
		return last <= after || last <= lo
	})
	sums, err := gather(v.budget, pred, ranges, func(r *rangeReader, rr *rowRange, oldest *map[uint64]uint64) error {
		opened, err := r.open(rr)
		if opened == nil {
			return err
		}
		if *oldest == nil {
			*oldest = make(map[uint64]uint64)
		}
		var others [1 << 10]int64 // ordinals whose first rows are not deleted
		ords := newRowInts(opened.Get().Ints(column))
		if err := r.each(rr, func(rows []int32) {
			for i, ord := range ords.of(rows) {
				seq := opened.First() + uint64(rows[i])
				if slot := &others[ord%int64(len(others))]; *slot == ord || seq <= after || uint64(ord) == seq {
					continue
				} else if !gone.has(uint64(ord)) {
					*slot = ord
					continue
				}
				if known, is := (*oldest)[uint64(ord)]; !is || seq < known {
					(*oldest)[uint64(ord)] = seq
				}
			}
		}); err != nil {
			return err
		}
		return opened.Err()
	})
	if err != nil {
		return nil, err
	}
	own := false // found.of is not that of before
	for _, oldest := range sums {
		for ord, seq := range oldest {
			if known, is := found.of[ord]; is && known <= seq {
				continue
			}
			if !own {
				found.of, own = maps.Clone(found.of), true
			}
			found.of[ord] = seq
		}
	}
	if own {
		found.ordered = make([]beginning, 0, len(found.of))
		for ord, seq := range found.of {
			found.ordered = append(found.ordered, beginning{seq, ord})
		}
		slices.SortFunc(found.ordered, func(a, b beginning) int { return cmp.Compare(a.seq, b.seq) })
	}
	return found, nil
}

// first returns the seq of the oldest row that is left of an ordinal, 0 when none is.
func (b *begins) first(ord uint64) uint64 {
	if b == nil || !b.gone.has(ord) {
		return ord
	}
	return b.of[ord]
}

// between returns the beginnings with seqs from one to another, both inclusive, ascending.
func (b *begins) between(from, to uint64) []beginning {
	if b == nil {
		return nil
	}
	at := func(seq uint64) int {
		i, _ := slices.BinarySearchFunc(b.ordered, seq, func(o beginning, seq uint64) int { return cmp.Compare(o.seq, seq) })
		return i
	}
	return b.ordered[at(from):at(to+1)]
}

// sessionBegin returns the seq of the oldest row of a session that is left, 0 when none is.
func (v *view) sessionBegin(ord uint64) (uint64, error) {
	b, err := v.begins(event.IntSession)
	if err != nil {
		return 0, err
	}
	return v.seen(b.first(ord)), nil
}

// personBegin returns the seq of the oldest row of a person that is left, 0 when none is. ord is
// any ordinal of the person.
func (v *view) personBegin(ord uint64) (least uint64, err error) {
	b, err := v.begins(event.IntPerson)
	if err != nil {
		return 0, err
	}
	persons, err := v.persons()
	if err != nil {
		return 0, err
	}
	for _, ord := range persons.Set(ord) {
		if seq := v.seen(b.first(ord)); seq != 0 && (least == 0 || seq < least) {
			least = seq
		}
	}
	return least, nil
}

// seen returns a seq if the view has its row, otherwise 0.
func (v *view) seen(seq uint64) uint64 {
	if seq > v.Last {
		return 0
	}
	return seq
}

// SessionBegins has the sessions of which the first row is deleted and others are left.
type SessionBegins struct{ begins *begins }

// SessionBegins returns those of the rows. Goroutines may share them.
func (r *Rows) SessionBegins() (SessionBegins, error) {
	b, err := r.begins(event.IntSession)
	return SessionBegins{b}, err
}

// In returns how such sessions begin in a slice.
func (b SessionBegins) In(s *Slice) *SliceBegins {
	first := s.Seq(s.First())
	return &SliceBegins{b.begins.between(first, first+uint64(s.Len())-1)}
}

// SliceBegins is the beginnings in a slice. One goroutine uses it.
type SliceBegins struct{ list []beginning }

// Is reports whether the row with a seq is the oldest one that is left of the session with an
// ordinal, whose first row is deleted. Seqs ascend.
func (b *SliceBegins) Is(seq, ord uint64) bool {
	for len(b.list) > 0 && b.list[0].seq < seq {
		b.list = b.list[1:]
	}
	return len(b.list) > 0 && b.list[0] == beginning{seq, ord}
}

// PersonBegin returns the seq of the oldest row of a person that is not deleted, 0 when there is
// none. ord is any ordinal of the person.
func (r *Rows) PersonBegin(ord uint64) (uint64, error) { return r.personBegin(ord) }

// PersonBegins has the ordinals of persons of which the first row is deleted and others are left.
type PersonBegins struct{ begins *begins }

// PersonBegins returns those of the rows. Goroutines may share them.
func (r *Rows) PersonBegins() (PersonBegins, error) {
	b, err := r.begins(event.IntPerson)
	return PersonBegins{b}, err
}

// In returns how such ordinals begin in a slice.
func (b PersonBegins) In(s *Slice) *SliceBegins { return SessionBegins(b).In(s) }

// First returns the seq of the oldest row of an ordinal that is not deleted, 0 when there is none.
func (b PersonBegins) First(ord uint64) uint64 { return b.begins.first(ord) }

// Gone reports whether the first row of an ordinal is deleted.
func (b PersonBegins) Gone(ord uint64) bool { return b.begins != nil && b.begins.gone.has(ord) }

// FirstOfSession returns the event at seq, which begins a session, nil when v does not have it. If
// it is deleted, it has nothing but its names, and only ids that events have which are left; it is
// nil when no event of the session is left.
func (rd *Reader) FirstOfSession(v *table.View, seq uint64) (*event.Event, error) {
	if ev, err := v.Event(seq); ev != nil || err != nil {
		return ev, err
	}
	ev, err := v.Names(seq)
	if ev == nil || err != nil || ev.SessionOrd != seq {
		return nil, err
	}
	rows := &view{View: v, budget: rd.budget(context.Background()), reader: rd}
	if has, err := rows.hasRow([]index.Clause{{Any: []index.Alt{sessionAlt(ev.Session, seq)}}}); !has || err != nil {
		return nil, err
	}
	for kind, id := range map[byte]*string{identity.KindUser: &ev.User, identity.KindAnonymous: &ev.Anonymous} {
		if *id == "" {
			continue
		}
		if has, err := rows.hasID(kind, *id); err != nil {
			return nil, err
		} else if !has {
			*id = ""
		}
	}
	ev.Previous = ""
	return ev, nil
}
