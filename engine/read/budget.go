// Budgets: the time and the memory that one query may use. This file bounds the time; see
// spill.go for the memory.

package read

import (
	"context"
	"runtime"
	"time"

	"cairn/engine/query"
)

// budget bounds the time of one query, and its memory.
type budget struct {
	ctx     context.Context
	end     time.Time
	pairs   *pairBudget  // shared by all queries of a Reader
	slices  *processors  // the same
	reports *reportBytes // the same
}

// budget starts the budget of a query: it may take QueryTime from now.
func (rd *Reader) budget(ctx context.Context) budget {
	return budget{ctx, time.Now().Add(rd.QueryTime), rd.pairs, rd.slices, rd.reports}
}

// check returns query.ErrQueryTimeout when the time is over, and the error of a canceled
// context. Queries call it between parts; inside loops a clock calls it. It lets other goroutines
// run: a write passes through several, and behind queries on all processors each would wait until
// the runtime stops a query, some ten milliseconds.
func (b budget) check() error {
	runtime.Gosched()
	switch err := b.ctx.Err(); {
	case err == context.DeadlineExceeded:
		return query.ErrQueryTimeout
	case err != nil:
		return err
	case time.Now().After(b.end):
		return query.ErrQueryTimeout
	}
	return nil
}

// A query checks the time after so many rows or bytes. A row may have 256 KB, so bytes
// count too.
const (
	clockRows  = 4096
	clockBytes = 1 << 20
)

// clock checks the budget inside a loop of a query, but not at every row.
type clock struct {
	budget
	rows, bytes int // since the last check
}

// countRow is called for each row, with the number of bytes decoded from it. It returns
// the error of check.
func (c *clock) countRow(bytes int) error {
	c.rows++
	if c.bytes += bytes; c.rows < clockRows && c.bytes < clockBytes {
		return nil
	}
	c.rows, c.bytes = 0, 0
	return c.check()
}

// wait waits until done is closed or the budget is over. The zero budget has no limit.
func (b budget) wait(done <-chan struct{}) error {
	if b.ctx == nil {
		<-done
		return nil
	}
	timer := time.NewTimer(time.Until(b.end))
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-b.ctx.Done():
		return b.check()
	case <-timer.C:
		return query.ErrQueryTimeout
	}
}
