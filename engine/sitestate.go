package engine

import (
	"fmt"
	"sync/atomic"
	"time"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"
)

// siteState is a site on its way through the pipeline: its rows, and what each stage
// remembers about it.
type siteState struct {
	*table.Table

	touched    uint64    // used by the publisher: number of commits when the site's rows in memory last grew
	fresh      int       // used by the publisher: values that the rows in memory are the first to count
	asked      uint64    // used by the sequencer: the call of asks that last counted the site
	mergeAfter time.Time // used by the merger: no merge before this time

	eraseAt atomic.Int64 // Unix milliseconds when the merger looks at the site's deletions; 0 = all are done
}

func newSiteState(id uint32, links *identity.Links) *siteState {
	return &siteState{Table: table.New(id, links)}
}

// loadLinks loads the stored links of a site. Close waits until it returns.
func (e *Engine) loadLinks(s *siteState) (err error) {
	defer query.Recovered(&err) // the query that needs the links gets the error
	e.inflight.Add(1)
	defer e.inflight.Done()
	stopping := e.stopping.Load()
	if stopping {
		return query.ErrStopping
	}
	var some []identity.Link
	err = identity.ScanLinks(e.db, s.ID, func(_ uint64, l identity.Link) bool {
		if some = append(some, l); len(some) == identity.LinksHeld {
			s.Links.Join(some, false)
			some = some[:0]
			stopping = e.stopping.Load()
		}
		return !stopping
	})
	if stopping {
		return query.ErrStopping
	}
	s.Links.Join(some, false)
	e.corrupted(err)
	return err
}

// state returns the site's state. It makes one when the site is used for the first time.
func (e *Engine) state(id uint32) *siteState {
	e.mu.RLock()
	s := e.sites[id]
	e.mu.RUnlock()
	if s == nil {
		s = e.addState(id)
	}
	return s
}

// addState makes the state of a site unless there is one by now. It is apart from state
// because its closure would put a variable of each call on the heap.
func (e *Engine) addState(id uint32) *siteState {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.sites[id]
	if s == nil {
		links := identity.NewLinks(func() error { return e.loadLinks(s) }, e.countLinkBytes)
		s = newSiteState(id, links)
		e.sites[id] = s
	}
	return s
}

// allSites returns the state of every site, in no particular order.
func (e *Engine) allSites() []*siteState {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*siteState, 0, len(e.sites))
	for _, s := range e.sites {
		all = append(all, s)
	}
	return all
}

// viewsClosed returns an error if a view of a table is still open although nothing reads
// any more. Only tests need it, see table.Strict.
func (e *Engine) viewsClosed() error {
	if !table.Strict {
		return nil
	}
	for _, s := range e.allSites() {
		if n := s.Open(); n != 0 {
			return fmt.Errorf("site %d: %d views are open", s.ID, n)
		}
	}
	return nil
}
