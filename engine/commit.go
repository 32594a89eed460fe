// The commit pipeline: the sequencer gives every event its place, the publisher
// makes it durable and shows it.
//
//	Ingest ──queue──▶ sequencer ──group──▶ publisher ──▶ waiters
//	(validate,        (dedup, person,      (Pebble commit,
//	 enrich, encode)   session, seq, caps,  open parts, fsync,
//	                   deltas, one batch)   publish, wake)
//
// Both are one goroutine each. While the publisher waits for an fsync the
// sequencer gathers the next group; it hands it over when the publisher is
// free, so groups grow with the load and a lone event waits for nobody.
//
// Invariants:
//
//	I1  A waiter is answered only after the fsync of its group and of every group
//	    before it. A duplicate waits in the group after its original's.
//	I2  A request is in one group, a group in one Pebble batch: rows, deltas, links.
//	I3  Seqs of a site are dense, in order of groups, and assigned only here.
//	I4  Queries see rows up to the published seq only.
//	I5  After a failed write nothing is answered as stored any more; see wal/doc.go.

package engine

import (
	"fmt"
	"time"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"

	"github.com/cockroachdb/pebble/v2"
)

// publisher commits groups and shows their rows.
type publisher struct {
	e     *Engine
	links []identity.Link // of one site in the group at hand
	rest  table.Overflow
}

// run commits groups until there are no more. Asking for one it says that all
// before are published.
func (p *publisher) run() {
	for {
		select {
		case p.e.ready <- struct{}{}:
		case g, ok := <-p.e.groups:
			if !ok {
				return
			}
			p.commit(g)
			continue
		}
		g, ok := <-p.e.groups
		if !ok {
			return
		}
		p.commit(g)
	}
}

func (p *publisher) commit(g *group) {
	err := p.e.failure()
	start := p.e.now()
	if err == nil && !g.batch.Empty() {
		if err = p.e.db.ApplyNoSyncWait(g.batch, pebble.Sync); err == nil {
			// The rows go into memory while the disk works; nobody sees them yet.
			err = p.stage(g)
			synced := time.Now()
			if serr := g.batch.SyncWait(); err == nil {
				err = serr
			}
			p.e.stats.sync.Observe(int64(time.Since(synced)))
		}
		if err == nil {
			err = g.batch.Close()
		}
		if err != nil {
			p.e.fail(fmt.Errorf("commit: %w", err))
			err = query.ErrFailed
		}
	}
	p.e.asked.Add(-g.asked.most())
	if err == nil {
		p.publish(g)
		p.e.stats.commits.Add(1)
		p.e.stats.accepted.Add(uint64(g.events))
		p.e.stats.group.Observe(int64(g.events))
		p.e.stats.commit.Observe(int64(p.e.now().Sub(start)))
	}
	for _, sub := range g.subs {
		if sub.err == nil {
			sub.err = err
		}
		sub.done <- struct{}{} // the submitter's from here on
	}
	if g.ids {
		p.e.idsWritten.tell()
	}
	if err == nil {
		p.e.sealer.maybeSeal(g)
		p.e.recycle(g)
	}
}

// stage appends the group's rows to the open parts, unpublished.
func (p *publisher) stage(g *group) error {
	for _, sg := range g.order {
		if len(sg.records) == 0 {
			continue
		}
		s := sg.site
		s.touched = p.e.stats.commits.Load()
		grown, err := s.Append(sg.first, sg.records, &p.rest)
		p.e.hotBytes.Add(grown)
		if err != nil {
			return err
		}
		p.e.hot.Add(int64(len(sg.records)))
	}
	return nil
}

// publish shows the staged rows.
func (p *publisher) publish(g *group) {
	for _, sg := range g.order {
		if len(sg.links) > 0 {
			p.links = p.links[:0]
			for _, l := range sg.links {
				p.links = append(p.links, l.links...)
			}
			sg.site.Links.Publish(p.links)
		}
		if len(sg.records) == 0 {
			continue
		}
		sg.site.Publish(sg.first + uint64(len(sg.records)) - 1)
	}
}
