// The look: are the newest rows in the sink those that this store has sent?
//
// At the start the sink may have more than the cursor says: the store is one that was restored from an
// older snapshot, or a copy of another. Rows that are the store's own were sent, so the cursor moves up. From
// the first one that is not, this store has a new number in the sink, under which its own rows go.
// Later the sink can only have what was sent, unless another cairn sends with the same number.

package sink

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/records"
)

// lookRows is how many of the newest rows are compared.
const lookRows = 100

// NumberOf returns the number of a cairn in sinks. It tells nothing of the secret.
func NumberOf(secret []byte) uint64 {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("number of a cairn in sinks"))
	return max(1, binary.BigEndian.Uint64(h.Sum(nil)))
}

// newNumber draws a number for rows that go a second time under another one. It is random, since two
// copies of one store may both need one.
func newNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return max(1, binary.BigEndian.Uint64(b[:]))
}

// look compares the newest rows of the sink with the store.
func (r *Runner) look(ctx context.Context, s *carried) error {
	now := s.at.Stores[len(s.at.Stores)-1]
	marks, err := r.newest(ctx, s, now.Number, math.MaxUint64, lookRows)
	if err != nil {
		return err
	}
	own, err := r.own(s, marks)
	if err != nil {
		return err
	}
	reach := max(s.at.Cursor, s.at.Reach)
	differs := slices.Contains(own, false)
	if !differs {
		if err := r.refill(ctx, s, now, marks); err != nil {
			return err
		}
	}
	switch {
	case !differs && (len(marks) == 0 || marks[0].Seq <= reach && (s.looked || !r.whole()) || marks[0].Seq <= s.at.Cursor):
	case s.looked:
		s.foreign = true
		return &Fault{Code: "foreign_rows", Err: fmt.Errorf("another cairn sends rows of site %s under the number %d; if it is a copy of this one, restart this server: it then takes another number", s.Name, now.Number)}
	case differs:
		err = r.part(ctx, s, now.Number, marks, own)
	default:
		err = r.catchUp(ctx, s, now.Number, marks[0].Seq)
	}
	if err != nil {
		return err
	}
	s.looked, s.foreign, s.lookedAt, s.met = true, false, r.src.Elapsed(), r.remet
	return nil
}

// refill moves the cursor back behind the newest row that the sink has, where it has lost later ones, or
// is another table now: these go again, all of them where it has none. A whole sink may keep no rows, so it
// does not tell. Once a start is often enough: a table whose TTL is short may forget at once what comes.
func (r *Runner) refill(ctx context.Context, s *carried, now records.SinkStore, marks []Mark) error {
	newest, from := now.First-1, s.at.Stores[0].First-1
	if len(marks) > 0 {
		newest = marks[0].Seq
		from = newest
	}
	if s.refilled || r.whole() || newest >= s.at.Cursor {
		return nil
	}
	rows, _, err := r.src.Read.CarriedCount(ctx, &query.Site{ID: s.Number, Name: s.Name}, newest+1, s.at.Cursor)
	if err != nil || rows <= s.at.RefusedAfter(newest) {
		return err
	}
	if err := r.cfg.Sink.Open(ctx); err != nil { // it may be another table: what the sink knows of it is void
		return &sinkError{err}
	}
	to := s.at
	to.GoBack(from)
	to.Sending = records.SinkRange{}
	r.log.Error("sink: it lacks rows that it has taken; they go again", "site", s.Name, "from", from+1, "to", s.at.Cursor)
	r.loaded, s.refilled, s.backlog = nil, true, true
	return r.move(s, to)
}

// newest asks the sink.
func (r *Runner) newest(ctx context.Context, s *carried, number, upTo uint64, n int) ([]Mark, error) {
	marks, err := r.cfg.Sink.Newest(ctx, number, s.Site, upTo, n)
	if err != nil {
		return nil, &sinkError{err}
	}
	for i := range marks {
		if marks[i].Seq > upTo || i > 0 && marks[i].Seq > marks[i-1].Seq {
			return nil, &sinkError{&Fault{Code: "wrong_answer", Err: fmt.Errorf("the sink's newest rows are not in their order: event %d", marks[i].Seq)}}
		}
	}
	return marks, nil
}

// own reports for each mark whether it is a row of the store. A deleted row is known by its id alone.
func (r *Runner) own(s *carried, marks []Mark) ([]bool, error) {
	seqs := make([]uint64, len(marks))
	for i := range marks {
		seqs[i] = marks[i].Seq
	}
	rows, err := r.src.Read.CarriedRows(context.Background(), &query.Site{ID: s.Number, Name: s.Name}, seqs)
	if err != nil {
		return nil, err
	}
	own := make([]bool, len(marks))
	for i, m := range marks {
		row := &rows[i]
		own[i] = row.Held != read.HeldNot && row.ID == m.ID && (row.Held != read.HeldRow || row.Received == m.Received)
	}
	return own, nil
}

// whole reports whether the sink has ranges whole or not at all.
func (r *Runner) whole() bool {
	w, ok := r.cfg.Sink.(Whole)
	return ok && w.Whole()
}

// sure returns up to which seq all rows of the sink came whole: the newest range may have come in part,
// and it is not known where it began.
func (r *Runner) sure(ctx context.Context, s *carried, number, newest uint64) (uint64, error) {
	if r.whole() {
		return newest, nil
	}
	marks, err := r.newest(ctx, s, number, newest, rowsMost+1)
	if err != nil || len(marks) <= rowsMost {
		return 0, err
	}
	return marks[rowsMost].Seq, nil
}

// catchUp moves the cursor up to what the sink has.
func (r *Runner) catchUp(ctx context.Context, s *carried, number, newest uint64) error {
	sure, err := r.sure(ctx, s, number, newest)
	if err != nil {
		return err
	}
	to := s.at
	to.Reach = max(to.Reach, newest)
	if sure > to.Cursor {
		to.Cursor, to.Sending = sure, records.SinkRange{}
		r.log.Info("sink: it has rows beyond the cursor, which are this store's; the cursor moves up", "site", s.Name, "from", s.at.Cursor, "to", sure)
	}
	r.loaded = nil
	return r.move(s, to)
}

// part begins a new number with the first row of the sink that is not the store's. Rows under older numbers
// stay as they are.
func (r *Runner) part(ctx context.Context, s *carried, number uint64, marks []Mark, own []bool) error {
	from, err := r.parting(ctx, s, marks, own)
	if err != nil {
		return err
	}
	sure, err := r.sure(ctx, s, number, marks[0].Seq)
	if err != nil {
		return err
	}
	to := s.at
	if cursor := min(max(to.Cursor, sure), from-1); cursor < to.Cursor {
		to.GoBack(cursor)
	} else {
		to.Cursor = cursor
	}
	to.Reach, to.Sending = max(to.Cursor, min(to.Reach, from-1)), records.SinkRange{}
	to.Stores = slices.Clone(to.Stores)
	if last := len(to.Stores) - 1; to.Stores[last].First == from { // no row of it is known to be the store's
		to.Stores, to.Left = to.Stores[:last], append(slices.Clone(to.Left), number)
	}
	to.Stores = append(to.Stores, records.SinkStore{Number: newNumber(), First: from, Begun: r.src.Now().UnixMilli()})
	r.loaded = nil
	r.log.Error("sink: it has rows that are not this store's, which was restored from an older snapshot, or is a copy; its rows go under a new number", "site", s.Name, "from", from, "number", to.Stores[len(to.Stores)-1].Number)
	return r.move(s, to)
}

// parting returns the seq from which on the sink has rows under the newest number that are not the store's.
func (r *Runner) parting(ctx context.Context, s *carried, marks []Mark, own []bool) (uint64, error) {
	now := s.at.Stores[len(s.at.Stores)-1]
	i := len(marks) - 1
	for own[i] {
		i--
	}
	other, known := marks[i].Seq, now.First-1 // the first row known to be another's, and the last before it known to be the store's
	if i+1 < len(marks) {
		known = max(known, marks[i+1].Seq)
	} else if other > s.at.Cursor {
		known = max(known, s.at.Cursor)
	}
	for low := known; other > low+1 && i+1 == len(marks); {
		middle := low + (other-low)/2
		some, err := r.newest(ctx, s, now.Number, middle, 1)
		if err != nil {
			return 0, err
		}
		if len(some) == 0 || some[0].Seq <= low {
			low = middle
			continue
		}
		mine, err := r.own(s, some)
		if err != nil {
			return 0, err
		}
		if mine[0] {
			low, known = middle, some[0].Seq
		} else {
			other = some[0].Seq
		}
	}
	if r.whole() { // it may know its newest row alone: between known and other a restore has parted the stores
		for _, life := range r.src.Read.Public.Lives(s.Number, other) {
			if life.From > max(known, 1) {
				return life.From, nil
			}
		}
		if known < now.First {
			return max(other, now.First), nil
		}
	}
	return known + 1, nil
}
