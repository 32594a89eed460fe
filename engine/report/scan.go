// The pass: it reads slices of rows, newest first, and puts the rows of each visit together.
//
// Slices are read side by side and merged in order. A visit that did not begin in a slice waits
// in open until the slice comes in which it did: no older slice has a row of it. So memory holds
// the slices under way, the visits that wait and the answer.

package report

import (
	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/read"
	"cairn/engine/referrer"
)

// passQuestion is what a pass has to find out.
type passQuestion struct {
	span   query.Span
	dims   []dim
	tests  [][]query.Cond // sets of conditions on rows; the i-th becomes flag i of a visit
	plain  []query.Cond   // conditions on rows: visit.selected; nil = all rows
	goal   []query.Cond   // nil = none
	source bool           // where visits came from
	label  string         // what page views are views of: page, url, title or host; "" = nothing
	hosts  bool           // hosts of the urls of page views
	list   bool           // all page views of a visit
}

// flagsMax is the most sets of conditions on rows.
const flagsMax = 64

// A visit that waits for its first rows takes so many pairs of the room that all reports share.
// A pass takes room for openAtFirst of them before the pairs of its answer come, which can go to
// a file, and then for openMore at a time. When there is no more, the pass is made several times,
// each for a share of the visits.
const (
	openPairs   = 48
	openAtFirst = 512
	openMore    = 64
)

// sharesMax bounds how often a pass is made.
const sharesMax = 1 << 10

// errOpen says that too many visits wait.
var errOpen = query.Bad("range", "too many visits at once go on over long times; ask for fewer days")

// takeCheck is after how many visits a merge looks at the clock.
const takeCheck = 512

// pass is one reading of the rows of a span.
type pass struct {
	*passQuestion
	rows  *read.Rows
	sel   *read.Selection // rows with a session
	match selections
	own   map[string]bool // hosts of the site

	share, shares uint64 // the sessions that this pass is for
	room          read.PairSets

	texts *read.Terms
	open  map[uint64]*visitDims // visits that began in an older slice, by ordinal
	most  int                   // visits in open for which there is room
}

// selections are the sets of rows that a pass tells apart.
type selections struct {
	tests []*read.Selection
	plain *read.Selection
	goal  *read.Selection
}

// visitDims is a visit and its dimensions of kind dimField.
type visitDims struct {
	visit
	dims []dimValue
}

// onePass calls done with each session of the span that began in it, once, in the order of newest
// slices. texts are the texts that the numbers in visits and dims stand for; a number is that of a
// text plus 1. They are valid until done returns. begin is called before the first one, and again
// whenever the pass has to begin anew, for share i of n of the visits. It forgets nothing of other
// shares.
func onePass(rows *read.Rows, q *passQuestion, texts *read.Terms, restart func(), after func(first uint64) error, done func(v *visit, dims []dimValue) error) error {
	for shares := uint64(1); ; shares *= 4 {
		err := error(nil)
		for share := uint64(0); share < shares && err == nil; share++ {
			err = sharedPass(rows, q, texts, share, shares, after, done)
		}
		if err != errOpen || shares >= sharesMax {
			return err
		}
		restart()
	}
}

func sharedPass(rows *read.Rows, q *passQuestion, texts *read.Terms, share, shares uint64, after func(first uint64) error, done func(v *visit, dims []dimValue) error) error {
	p := &pass{passQuestion: q, rows: rows, texts: texts, own: make(map[string]bool), share: share, shares: shares, room: rows.PairSets(), open: make(map[uint64]*visitDims)}
	defer p.room.Close()
	if p.most = p.room.Free(); p.room.Reserve(min(openAtFirst, p.room.Most()/openPairs) * openPairs) {
		p.most += min(openAtFirst, p.room.Most()/openPairs)
	}
	for _, h := range rows.Site().Hosts {
		p.own[referrer.BareHost(h)] = true
	}
	if err := p.choose(); err != nil {
		return err
	}
	return read.InOrder(p.sel, p.readSlice, func(s *sliceVisits) error {
		first := s.first // of a slice that take gives back
		if err := p.take(s, done); err != nil || shares > 1 {
			return err
		}
		return after(first)
	})
}

// choose finds the rows that the pass tells apart.
func (p *pass) choose() (err error) {
	if p.sel, err = p.rows.Select(nil, p.span); err != nil {
		return err
	}
	p.sel = p.sel.WithSession()
	one := func(where []query.Cond) *read.Selection {
		if err != nil {
			return nil
		}
		var sel *read.Selection
		sel, err = p.rows.Select(where, p.span)
		return sel
	}
	for _, where := range p.tests {
		p.match.tests = append(p.match.tests, one(where))
	}
	if len(p.plain) > 0 {
		p.match.plain = one(p.plain)
	}
	if p.goal != nil {
		p.match.goal = one(p.goal)
	}
	return err
}

// take merges a slice.
func (p *pass) take(s *sliceVisits, done func(v *visit, dims []dimValue) error) error {
	defer s.free()
	for i := range s.visits {
		if i%takeCheck == takeCheck-1 {
			if err := p.rows.Check(); err != nil {
				return err
			}
		}
		v, dims := &s.visits[i], s.dims[i*len(p.dims):(i+1)*len(p.dims)]
		p.global(s, v, dims)
		inside := v.ord >= s.first
		newer, waits := p.open[v.ord]
		switch {
		case !waits && !inside:
			if len(p.open) == p.most {
				more := openMore
				if !p.room.Reserve(more * openPairs) {
					if more = 1; !p.room.Reserve(openPairs) {
						return errOpen
					}
				}
				p.most += more
			}
			p.open[v.ord] = &visitDims{*v, append([]dimValue(nil), dims...)}
			continue
		case !inside:
			p.join(newer, v, dims)
			continue
		case waits:
			p.join(newer, v, dims)
			delete(p.open, v.ord)
			v, dims = &newer.visit, newer.dims
		}
		if v.began {
			if err := done(v, dims); err != nil {
				return err
			}
		}
	}
	return nil
}

// join adds what an older slice has of a visit that waits.
func (p *pass) join(newer *visitDims, v *visit, dims []dimValue) {
	newer.merge(v)
	for i, d := range dims {
		if have := &newer.dims[i]; d.id != 0 && (have.id == 0 || d.at.before(have.at)) {
			*have = d
		}
	}
}

// global replaces the numbers of texts of a slice by those of the pass.
func (p *pass) global(s *sliceVisits, v *visit, dims []dimValue) {
	for i := range dims {
		dims[i].id = p.text(s, dims[i].id)
	}
	for _, view := range [...]*pageView{&v.entry, &v.exit} {
		view.label, view.host = p.text(s, view.label), p.text(s, view.host)
	}
	for i := range v.list {
		v.list[i].label, v.list[i].host = p.text(s, v.list[i].label), p.text(s, v.list[i].host)
	}
	for i, id := range v.remembered {
		v.remembered[i] = p.text(s, id)
	}
	v.host = p.text(s, v.host)
	if v.origin == nil {
		return
	}
	p.globalClue(s, &v.origin.campaign)
	for i := range v.origin.referred {
		p.globalClue(s, &v.origin.referred[i])
	}
	for i, id := range v.origin.own {
		v.origin.own[i] = p.text(s, id)
	}
}

func (p *pass) globalClue(s *sliceVisits, c *clue) {
	for i, id := range c.terms {
		c.terms[i] = p.text(s, id)
	}
	c.host = p.text(s, c.host)
}

func (p *pass) text(s *sliceVisits, id int32) int32 {
	if id == 0 {
		return 0
	}
	if s.global[id-1] == 0 {
		s.global[id-1] = p.texts.ID(s.terms.Text(id-1)) + 1
	}
	return s.global[id-1]
}

// shareOf returns which share of the visits a session is in.
func shareOf(ord, shares uint64) uint64 {
	return ord * 0x9e3779b97f4a7c15 >> 32 % shares
}

// beats calls fn with the heart beats of the visits whose ordinals are in [first, last].
func beats(rows *read.Rows, first, last uint64, fn func(ord uint64, at int64)) error {
	return identity.ScanHeartbeats(rows.DB(), rows.Site().ID, first, last, func(ord uint64, at int64) error {
		fn(ord, at)
		return rows.Check()
	})
}
