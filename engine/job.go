// Jobs: what the sequencer does for others between two groups. It alone may change the table of
// ids.

package engine

import (
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2"
)

// job is something that the sequencer does between two groups.
type job struct {
	do     func(s *sequencer, b *pebble.Batch) error // nil = nothing
	seal   *siteState                                // nil = none; its rows in memory are handed to the sealer,
	sealTo uint64                                    // if they begin at this seq or before
	done   chan error
}

// inSequencer calls do in the sequencer, when all groups before are published, and waits until
// what it adds to the batch is durable. The table of ids is written with it.
func (e *Engine) inSequencer(do func(s *sequencer, b *pebble.Batch) error) error {
	return e.run(&job{do: do})
}

func (e *Engine) run(j *job) error {
	j.done = make(chan error, 1)
	select {
	case e.jobs <- j:
	case <-e.failed:
		return query.ErrFailed
	}
	select {
	case err := <-j.done:
		return err
	case <-e.failed:
		return query.ErrFailed
	}
}

// work does a job. Its batch is a group of its own.
func (s *sequencer) work(j *job) {
	s.drain()
	g := s.e.newGroup()
	var err error
	if j.do != nil {
		if err = j.do(s, g.batch); !g.batch.Empty() {
			s.e.idsWanted.Store(true)
		}
	}
	g.seal, g.sealTo = j.seal, j.sealTo
	s.e.stats.jobs.Add(1)
	s.commit(g)
	s.drain()
	if err == nil {
		err = s.e.failure() // of the commit
	}
	j.done <- err
}
