// Turns: how many reports are at work at once.

package read

import (
	"time"

	"cairn/engine/query"
)

// turns bounds how many reports are at work at once.
type turns struct {
	free chan struct{}
	wait time.Duration
}

// turnWait is how long a report waits for its turn.
const turnWait = 5 * time.Second

func newTurns(n int) *turns { return &turns{make(chan struct{}, n), turnWait} }

// begin waits until the answer to a question may be computed. done is called after that.
func (ask *question) begin(b budget) (done func(), err error) {
	if ask.part || b.ctx == nil {
		return func() {}, nil
	}
	own, err := query.BeginWork(b.ctx)
	if err != nil || ask.turns == nil {
		return own, err
	}
	if err := ask.turns.take(b); err != nil {
		own()
		return nil, err
	}
	return func() { ask.turns.give(); own() }, nil
}

// take waits for a turn.
func (t *turns) take(b budget) error {
	select {
	case t.free <- struct{}{}:
	default:
		timer := time.NewTimer(t.wait)
		defer timer.Stop()
		select {
		case t.free <- struct{}{}:
		case <-b.ctx.Done():
			return b.check()
		case <-timer.C:
			return query.ErrReportsBusy
		}
	}
	return nil
}

// give gives a turn back.
func (t *turns) give() { <-t.free }
