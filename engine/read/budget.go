// Budgets: the time that one query may take, and its memory.

package read

import (
	"context"
	"time"

	"cairn/engine/query"
)

// budget bounds the time of one query, and its memory.
type budget struct {
	ctx  context.Context
	end  time.Time
	room *pairBudget
}

func (rd *Reader) budget(ctx context.Context) budget {
	return budget{ctx, time.Now().Add(rd.QueryTime), rd.pairs}
}

// spent is asked between parts, and in loops by a clock.
func (b budget) spent() error {
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

// How much a query reads between two looks at the time. A row may be 256 KB, so bytes
// count as well as rows.
const (
	clockRows  = 4096
	clockBytes = 1 << 20
)

// clock tells one loop of a query when its budget is spent.
type clock struct {
	budget
	rows, bytes int // since the last look
}

// row is asked at each row, with what was decoded of it, in bytes.
func (c *clock) row(bytes int) error {
	c.rows++
	if c.bytes += bytes; c.rows < clockRows && c.bytes < clockBytes {
		return nil
	}
	c.rows, c.bytes = 0, 0
	return c.spent()
}

// wait waits for something of others, as long as the query may take. The zero budget
// waits to the end.
func (b budget) wait(done <-chan struct{}) error {
	if b.ctx == nil {
		<-done
		return nil
	}
	late := time.NewTimer(time.Until(b.end))
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-b.ctx.Done():
		return b.spent()
	case <-late.C:
		return query.ErrQueryTimeout
	}
}
