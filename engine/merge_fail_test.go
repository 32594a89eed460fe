package engine

import (
	"errors"
	"testing"
)

// After the store has failed, the merger wants no flush. It waits and does not try again and
// again.
func TestMergerRestsAfterFailure(t *testing.T) {
	e := &Engine{failed: make(chan struct{}), failErr: errors.New("the disk is gone")}
	close(e.failed)
	m := newMerger(e)
	m.flush = true
	if err := m.drop(nil, true); err != nil || m.flush {
		t.Errorf("drop: %v; the merger wants a flush: %t, want false", err, m.flush)
	}
}
