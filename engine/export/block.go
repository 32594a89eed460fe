// Blocks: some rows of a stretch with all that an encoder needs of them. One goroutine reads the
// columns and makes blocks; others encode them.

package export

import (
	"context"
	"sync"

	"cairn/engine/event"
	"cairn/engine/read"
	"cairn/index"
)

// blockRows is how many rows a block has at most.
const blockRows = 1 << 10

// part is a part of the rows as an encoder reads it.
type part struct {
	index.Part
	columns []*column
	byField map[string]int // place in columns of those that were bound by field
	beats   bool           // blocks need heartbeats
	encode  func(*block)
	buffers *buffers
	fields  any // what the encoder keeps of the part
}

// field adds the column of a field and returns its place in blocks, -1 when no row has the field.
// The same field gets the same place, so render is the first one's.
func (p *part) field(field string, render func(dst, cell []byte) []byte) int {
	if at, ok := p.byField[field]; ok {
		return at
	}
	at := p.add(field, render)
	p.byField[field] = at
	return at
}

// bound returns the place of a field that field has added, else -1.
func (p *part) bound(field string) int {
	if at, ok := p.byField[field]; ok {
		return at
	}
	return -1
}

// add is field for a column of its own.
func (p *part) add(field string, render func(dst, cell []byte) []byte) int {
	col := p.Column(field)
	if col == nil {
		return -1
	}
	p.columns = append(p.columns, &column{p: p, field: field, render: render, col: col, codes: read.NewColumn(col.Codes())})
	return len(p.columns) - 1
}

// divide says how many rows and bytes the windows of each column have, when all may take so many
// bytes. Two windows of a column may be in use at once.
func (p *part) divide(bytes int64) {
	narrow := int64(narrowRows)
	if n := int64(len(p.columns)); n > 0 {
		narrow = max(64, min(narrow, bytes/8/n/windowRowBytes))
	}
	wide := int64(0) // cells of all large dictionaries
	for _, c := range p.columns {
		if n := int64(c.col.Card()); n > narrow {
			wide += n
		}
	}
	for _, c := range p.columns {
		card := int64(c.col.Card())
		c.size, c.limit = int(narrow), int(max(4<<10, bytes/8/int64(len(p.columns))))
		if card > narrow {
			share := float64(card) / float64(wide)
			c.limit = max(c.limit, int(share*float64(bytes)/4))
			c.size = int(max(narrow, min(stretchRows, 2*card, int64(c.limit)/(2*windowRowBytes))))
		}
	}
}

// block is some rows of a stretch.
type block struct {
	part    *part
	rows    []int32 // of the part
	from    int     // of rows[0] in the stretch
	windows []*window
	ints    [event.NumInts][]int64
	beats   map[uint64]int64 // times of heartbeats, by the seqs of rows with which visits begin
	out     chan []byte

	mu  sync.Mutex
	err error // the first damage that the encoder met
}

func (b *block) len() int { return len(b.rows) }

// seq returns the seq of a row.
func (b *block) seq(i int) uint64 { return b.part.First() + uint64(b.rows[i]) }

// damage notes that a row cannot be read. A nil err is none. Several goroutines may call it.
func (b *block) damage(i int, err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = index.Unreadable(b.part.Part, b.seq(i), err)
	}
}

// visits returns the seqs of rows with which sessions begin.
func (b *block) visits() (seqs []uint64) {
	for i, session := range b.ints[event.IntSession] {
		if seq := b.seq(i); uint64(session) == seq {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// number returns the number of the cell of a column in a row, 0 = none.
func (b *block) number(column, i int) uint32 {
	if column < 0 {
		return 0
	}
	w := b.windows[column]
	if !w.some {
		return 0
	}
	return w.cells[b.from+i-w.from]
}

// append appends what the encoder makes of the cell of a column in a row, nothing when the row
// lacks the field. ok says whether it has it.
func (b *block) append(dst []byte, column, i int) (out []byte, ok bool) {
	n := b.number(column, i)
	if n == 0 {
		return dst, false
	}
	w := b.windows[column]
	if len(w.text.ends) > 0 {
		return append(dst, w.text.at(n)...), true
	}
	return b.part.columns[column].render(dst, w.raw.at(n)), true
}

// raw returns the cell of a column in a row, nil when the row lacks the field.
func (b *block) raw(column, i int) []byte {
	n := b.number(column, i)
	if n == 0 {
		return nil
	}
	return b.windows[column].raw.at(n)
}

var blocks = sync.Pool{New: func() any { return new(block) }}

// release gives the windows of a block back, and the block.
func (b *block) release() {
	for i, w := range b.windows {
		b.part.columns[i].leave(w)
	}
	clear(b.windows)
	b.part, b.beats, b.out, b.err = nil, nil, nil, nil
	blocks.Put(b)
}

// produce reads the selected rows with windows of about so many bytes together, and passes on
// blocks until take returns false. bind adds the columns of each part.
func produce(ctx context.Context, s *read.Stretches, bind func(*part), bytes int64, take func(*block) bool) error {
	buf := make([]int32, 0, min(stretchRows, max(blockRows, bytes/8/4)))
	var now *part
	var work scratch
	own := new(buffers)
	for ctx.Err() == nil {
		var from index.Part
		var rows []int32
		var err error
		if from, rows, _, err = s.Next(buf); err != nil || len(rows) == 0 {
			return err
		}
		if now == nil || now.Part != from {
			now = &part{Part: from, byField: make(map[string]int), buffers: own}
			bind(now)
			now.divide(bytes)
			if err := from.Err(); err != nil {
				return err
			}
		}
		var ints [event.NumInts]*read.Column
		for i := range ints {
			ints[i] = read.NewColumn(from.Ints(i))
		}
		for at := 0; at < len(rows); {
			b := blocks.Get().(*block)
			s.Work(func() {
				at = b.fill(now, &work, rows, at)
				for i, c := range ints {
					b.ints[i] = b.ints[i][:0]
					eachPage(b.rows, func(some []int32) { b.ints[i] = append(b.ints[i], c.Of(some)...) })
				}
			})
			if err := from.Err(); err != nil {
				return err
			}
			if now.beats {
				if b.beats, err = s.Heartbeats(b.visits()); err != nil {
					return err
				}
			}
			if !take(b) {
				return ctx.Err()
			}
		}
		for _, c := range now.columns {
			c.end()
		}
	}
	return ctx.Err()
}

// fill puts rows of a stretch in a block, from one on, and returns where the next block begins.
func (b *block) fill(p *part, s *scratch, rows []int32, from int) (to int) {
	to = min(from+blockRows, len(rows))
	b.part, b.from, b.windows = p, from, b.windows[:0]
	for _, c := range p.columns {
		c.cover(s, rows, from)
		c.now.users.Add(1)
		b.windows = append(b.windows, c.now)
		to = min(to, c.now.to)
	}
	b.rows = append(b.rows[:0], rows[from:to]...)
	return to
}
