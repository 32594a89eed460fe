package engine

import (
	"errors"
	"testing"
)

// After the store has failed the merger has nothing to flush: it waits, and does not ask
// again and again.
func TestMergerRestsAfterFailure(t *testing.T) {
	e := &Engine{failed: make(chan struct{}), failErr: errors.New("the disk is gone")}
	close(e.failed)
	m := newMerger(e)
	m.flush = true
	if err := m.drop(nil, true); err != nil || m.flush {
		t.Errorf("%v, a flush is wanted: %t", err, m.flush)
	}
}
