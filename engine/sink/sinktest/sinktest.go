// Package sinktest has a sink in memory for tests. It does to its client what servers and networks do: it
// fails before and after it has stored, stores a part, stores twice, stores late. And it is the model
// of what a sink has to be: it says which rows its answers have.
package sinktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"cairn/engine/sink"
)

// Place is what sinks of several cairns have in common: a table, or a topic.
type Place struct {
	whole bool

	mu       sync.Mutex
	tables   map[key]map[uint64]Row
	late     []late // what has been sent and has not arrived yet
	doubled  []string
	sent     []Sent
	newest   map[key]sink.Mark
	requests int
	counted  []sink.Count
	twice    map[key]map[uint64]uint64 // how often answers have a row once too often
}

type key struct {
	store uint64
	site  string
}

// Row is a row that a Place has.
type Row struct {
	ID       string
	Received int64
	Line     string
}

type late struct {
	key  key
	rows map[uint64]Row
}

// New makes an empty place. A whole one has ranges whole or not at all, takes a row that comes in
// another range again for another row, and knows its newest row alone. Another one takes it for the same.
func New(whole bool) *Place {
	return &Place{whole: whole, tables: make(map[key]map[uint64]Row), newest: make(map[key]sink.Mark)}
}

// Rows returns the rows of a store and site that answers have.
func (p *Place) Rows(store uint64, site string) map[uint64]Row {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrive(nil)
	rows := make(map[uint64]Row)
	for seq, row := range p.tables[key{store, site}] {
		rows[seq] = row
	}
	return rows
}

// Empty makes the place an empty one, as a table is that somebody has dropped and made again.
func (p *Place) Empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.tables)
	clear(p.newest)
	p.late = nil
}

// Stores returns the numbers of stores that have rows of a site, ascending.
func (p *Place) Stores(site string) (numbers []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, rows := range p.tables {
		if k.site == site && len(rows) > 0 {
			numbers = append(numbers, k.store)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// Faults returns what no sink may be asked for: rows that answers have twice, or with other bytes than before.
func (p *Place) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.doubled)
}

// Sent is a range that was sent, whether it arrived or not.
type Sent struct {
	Store       uint64
	Site        string
	First, Last uint64
	Lines       string
}

// Sent returns all ranges that were sent, in their order.
func (p *Place) Sent() []Sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// Requests returns how many calls there were.
func (p *Place) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// arrive stores what is late: of one table, or of all with nil.
func (p *Place) arrive(of *key) {
	p.late = slices.DeleteFunc(p.late, func(l late) bool {
		if of != nil && l.key != *of {
			return false
		}
		p.store(l.key, l.rows)
		return true
	})
}

// store stores rows.
func (p *Place) store(k key, rows map[uint64]Row) {
	t := p.tables[k]
	if t == nil {
		t = make(map[uint64]Row)
		p.tables[k] = t
	}
	for seq, row := range rows {
		if before, is := t[seq]; is && (p.whole || before.Line != row.Line) {
			p.doubled = append(p.doubled, fmt.Sprintf("site %s, store %d, event %d: %s, then %s", k.site, k.store, seq, before.Line, row.Line))
		}
		t[seq] = row
		if m := p.newest[k]; seq >= m.Seq {
			p.newest[k] = sink.Mark{Seq: seq, ID: row.ID, Received: row.Received}
		}
	}
}

// Sink is a client of a Place.
type Sink struct {
	Place *Place
	Rows  sink.Form

	// Chance is how often a call goes wrong: of so many one; 0 = never. Random decides.
	Chance int
	Random *rand.Rand

	// Hook, if set, is called before each call, and its error is the call's. After, if set, is called
	// when a call has done what it should, and its error is the call's. Refuse, if set, says for which
	// lines Send fails for good.
	Hook   func(call string) error
	After  func(call string) error
	Refuse func(line []byte) bool

	mu     sync.Mutex
	closed bool
	opened bool
}

var (
	_ sink.Sink  = (*Sink)(nil)
	_ sink.Whole = (*Sink)(nil)
)

// errCut is what a client gets when the connection is cut.
var errCut = &sink.Fault{Passes: true, Code: "cut", Err: errors.New("the connection was cut")}

// Whole implements sink.Whole.
func (s *Sink) Whole() bool { return s.Place.whole }

// Name implements sink.Sink.
func (s *Sink) Name() string { return "memory" }

// Form implements sink.Sink.
func (s *Sink) Form() sink.Form { return s.Rows }

// begin is the begin of each call. Until end, no other call of the place goes on.
func (s *Sink) begin(ctx context.Context, call string) (n int, err error) {
	s.mu.Lock()
	closed, opened := s.closed, s.opened
	s.mu.Unlock()
	switch {
	case closed:
		return 0, &sink.Fault{Code: "closed", Err: errors.New("a call after Close")}
	case !opened && call != "open":
		return 0, &sink.Fault{Code: "unopened", Err: errors.New("a call before Open")}
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	if s.Hook != nil {
		if err := s.Hook(call); err != nil {
			return 0, err
		}
	}
	s.Place.mu.Lock()
	s.Place.requests++
	if s.Chance > 0 && s.Random.IntN(s.Chance) == 0 {
		n = 1 + s.Random.IntN(5)
	}
	return n, nil
}

func (s *Sink) end() { s.Place.mu.Unlock() }

// after is the end of a call that has done what it should.
func (s *Sink) after(call string) error {
	if s.After == nil {
		return nil
	}
	return s.After(call)
}

// Open implements sink.Sink.
func (s *Sink) Open(ctx context.Context) error {
	s.mu.Lock()
	s.opened = false
	s.mu.Unlock()
	fault, err := s.begin(ctx, "open")
	if err != nil {
		return err
	}
	defer s.end()
	if fault > 0 {
		return errCut
	}
	s.mu.Lock()
	s.opened = true
	s.mu.Unlock()
	return nil
}

// Send implements sink.Sink.
func (s *Sink) Send(ctx context.Context, r *sink.Range) error {
	fault, err := s.begin(ctx, "send")
	if err != nil {
		return err
	}
	p, k := s.Place, key{r.Store, r.Site.Name}
	defer s.end()
	p.sent = append(p.sent, Sent{r.Store, r.Site.Name, r.First, r.Last, string(r.Lines)})
	if err := check(r); err != nil {
		return err
	}
	rows := make(map[uint64]Row)
	for i, seq := range r.Seqs {
		rows[seq] = Row{r.IDs[i], r.Received[i], string(r.Line(i))}
		if s.Refuse != nil && s.Refuse(r.Line(i)) {
			return &sink.Fault{BadRow: true, Code: "refused", Err: errors.New(string(r.Line(i)))}
		}
	}
	if p.whole {
		p.arrive(&k) // another call of the same writer fences the one before, or waits for it
		if m, is := p.newest[k]; is && m.Seq >= r.Seqs[len(r.Seqs)-1] {
			return nil // the cursor in the topic says that it came
		}
	}
	switch fault {
	case 1: // nothing arrives
		return errCut
	case 2: // all arrives, and the answer is lost
		p.store(k, rows)
		return errCut
	case 3: // a part arrives
		if !p.whole {
			for seq := range rows {
				if s.Random.IntN(2) == 0 {
					delete(rows, seq)
				}
			}
			p.store(k, rows)
		}
		return errCut
	case 4: // it arrives later
		p.late = append(p.late, late{k, rows})
		return errCut
	case 5: // it arrives twice
		if !p.whole {
			p.store(k, rows)
		}
	}
	p.store(k, rows)
	return s.after("send")
}

// check complains about a range that no runner may send.
func check(r *sink.Range) error {
	n := r.Len()
	bad := func(what string) error {
		return &sink.Fault{Code: "bad_range", Err: fmt.Errorf("site %s, %d to %d: %s", r.Site.Name, r.First, r.Last, what)}
	}
	switch {
	case n == 0:
		return bad("no rows")
	case len(r.Ends) != n || len(r.IDs) != n || len(r.Received) != n || r.Ends[n-1] != len(r.Lines):
		return bad("other numbers of lines, seqs, ids or times")
	case r.Seqs[0] < r.First || r.Seqs[n-1] > r.Last || !slices.IsSorted(r.Seqs):
		return bad("seqs that are not in it")
	case r.Store == 0 || r.Site.Number == 0 || r.Site.Name == "":
		return bad("no store or site")
	}
	for i := range n {
		if line := r.Line(i); len(line) < 3 || line[len(line)-1] != '\n' || slices.Contains(line[:len(line)-1], '\n') {
			return bad("a line that is none")
		}
	}
	return nil
}

// Newest implements sink.Sink.
func (s *Sink) Newest(ctx context.Context, store uint64, site sink.Site, upTo uint64, n int) ([]sink.Mark, error) {
	fault, err := s.begin(ctx, "newest")
	if err != nil {
		return nil, err
	}
	p, k := s.Place, key{store, site.Name}
	defer s.end()
	if fault > 0 {
		return nil, errCut
	}
	var marks []sink.Mark
	if p.whole {
		if m, is := p.newest[k]; is && m.Seq <= upTo {
			marks = append(marks, m)
		}
		return marks, nil
	}
	for seq, row := range p.tables[k] {
		if seq <= upTo {
			marks = append(marks, sink.Mark{Seq: seq, ID: row.ID, Received: row.Received})
		}
	}
	slices.SortFunc(marks, func(a, b sink.Mark) int { return cmp.Compare(b.Seq, a.Seq) })
	return marks[:min(n, len(marks))], nil
}

// Delete implements sink.Sink.
func (s *Sink) Delete(ctx context.Context, store uint64, site sink.Site, spans []sink.Span) error {
	return s.delete(ctx, store, site, "delete", func(seq uint64) bool {
		return slices.ContainsFunc(spans, func(sp sink.Span) bool { return sp.First <= seq && seq <= sp.Last })
	})
}

// DeleteSite implements sink.Sink.
func (s *Sink) DeleteSite(ctx context.Context, store uint64, site sink.Site) error {
	return s.delete(ctx, store, site, "delete site", func(uint64) bool { return true })
}

func (s *Sink) delete(ctx context.Context, store uint64, site sink.Site, call string, gone func(uint64) bool) error {
	fault, err := s.begin(ctx, call)
	if err != nil {
		return err
	}
	p, k := s.Place, key{store, site.Name}
	defer s.end()
	if fault == 1 {
		return errCut
	}
	p.arrive(&k)
	for seq := range p.tables[k] {
		if gone(seq) && (fault < 2 || s.Random.IntN(2) == 0) {
			delete(p.tables[k], seq)
		}
	}
	if fault > 0 {
		return errCut // maybe a part is gone
	}
	return s.after(call)
}

// Close implements sink.Sink.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("closed twice")
	}
	s.closed = true
	return nil
}
