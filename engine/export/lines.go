// Lines: rows as texts in memory, for a sink.

package export

import (
	"bytes"
	"context"
	"errors"
	"time"

	"cairn/engine/event"
	"cairn/engine/read"
)

// Lines are rows, a line each. Its memory is used again by Read.
type Lines struct {
	Text     []byte
	Ends     []int    // of each line, where it ends in Text
	Seqs     []uint64 // of each line, growing
	Received []int64  // of each line, Unix milliseconds

	// Cut says that a limit was reached: rows after the last line may follow.
	Cut bool
}

// Len returns how many lines there are.
func (l *Lines) Len() int { return len(l.Seqs) }

// LinesMost are the limits of Lines; 0 = none. The first line is taken whatever it has.
type LinesMost struct {
	Rows   int
	Bytes  int // of the text; Text may become larger by the lines of a moment
	Months int // different months in which rows were received, in UTC
}

// Read replaces the lines by those of the rows of s, up to the limits. bytes is about how much
// memory reading takes besides. When it returns, nobody reads s any more. Lines are void after an
// error.
func (l *Lines) Read(ctx context.Context, s *read.Stretches, form RowForm, most LinesMost, bytes int64) error {
	l.Text, l.Ends, l.Seqs, l.Received, l.Cut = l.Text[:0], l.Ends[:0], l.Seqs[:0], l.Received[:0], false
	to := &linesWriter{Lines: l, most: most}
	if most.Months > 0 {
		to.months = make(map[int]bool)
	}
	var e textEncoder
	if form.Native {
		n := newNDJSON(s)
		n.rowsOnly = true
		e = n
	} else {
		e = newFlat(s, form)
	}
	err := writeTexts(ctx, s, e, to, bytes)
	if l.Cut = errors.Is(err, errEnough); l.Cut {
		return nil
	}
	if err == nil {
		err = ctx.Err() // the reading may have ended early
	}
	return err
}

// errEnough ends the reading of lines at a limit.
var errEnough = errors.New("enough lines")

// linesWriter takes texts and blocks for lines.
type linesWriter struct {
	*Lines
	most   LinesMost
	months map[int]bool
	full   bool // further text of the block is dropped
}

// write implements textWriter.
func (w *linesWriter) write(text []byte) error {
	if w.full {
		return nil
	}
	w.Text = append(w.Text, text...)
	for at := len(w.Text) - len(text); ; {
		n := bytes.IndexByte(w.Text[at:], '\n')
		if n < 0 {
			break
		}
		at += n + 1
		w.Ends = append(w.Ends, at)
	}
	w.full = w.most.Bytes > 0 && len(w.Text) >= w.most.Bytes
	return nil
}

// wrote implements textWriter: it takes those rows of a block whose lines fit.
func (w *linesWriter) wrote(_ *read.Stretches, b *block) error {
	from := len(w.Seqs)
	for i := range b.len() {
		at := from + i
		if at == len(w.Ends) && !w.full {
			return context.Canceled // the encoder was stopped
		}
		enough := at == len(w.Ends) || w.most.Rows > 0 && at >= w.most.Rows || w.most.Bytes > 0 && at > 0 && w.Ends[at] > w.most.Bytes
		if !enough && w.months != nil {
			y, m, _ := time.UnixMilli(b.ints[event.IntReceived][i]).UTC().Date()
			month := 12*y + int(m)
			enough = !w.months[month] && len(w.months) == w.most.Months
			w.months[month] = w.months[month] || !enough
		}
		if enough {
			w.Ends = w.Ends[:at]
			w.Text = w.Text[:w.Ends[at-1]]
			return errEnough
		}
		w.Seqs = append(w.Seqs, b.seq(i))
		w.Received = append(w.Received, b.ints[event.IntReceived][i])
	}
	return nil
}
