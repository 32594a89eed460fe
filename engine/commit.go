// The commit pipeline has two stages. The sequencer gives every event its seq, person and
// session. The publisher makes the events durable and shows them to readers.
//
//	Ingest ──queue──▶ sequencer ──group──▶ publisher ──▶ waiters
//	(validate,        (dedup, person,      (Pebble commit,
//	 enrich, encode)   session, seq,        rows in memory,
//	                   cardinality, deltas, fsync, publish,
//	                   one batch)           wake)
//
// Each stage is one goroutine. While the publisher waits for an fsync, the sequencer
// gathers the next group. It hands the group over when the publisher is free. So groups
// grow with the load, and a single event does not wait for others.
//
// Invariants:
//
//	I1  A waiter is answered only after the fsync of its group and of every group
//	    before it. A duplicate is in the same group as its original or in a later one.
//	I2  A request is in one group, a group in one Pebble batch: rows, deltas, links.
//	I3  Seqs of a site are dense, ascend with the groups, and are assigned only here.
//	I4  Queries see only rows up to the published seq.
//	I5  After a failed write no event is answered as stored any more; see wal/doc.go.

package engine

import (
	"fmt"
	"time"

	"cairn/engine/identity"
	"cairn/engine/query"
	"cairn/engine/table"

	"github.com/cockroachdb/pebble/v2"
)

// publisher commits groups and shows their rows to readers.
type publisher struct {
	e     *Engine
	links []identity.Link // of one site of the current group
	rest  table.Overflow
}

// run commits groups until the sequencer closes the channel. Each send on ready tells the
// sequencer that all earlier groups are published.
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

// writingFor is how long after a group events still count as being written.
const writingFor = 200 * time.Millisecond

// writing reports whether events are being written.
func (e *Engine) writing() bool {
	last := e.wrote.Load()
	return last != 0 && int64(e.opts.Elapsed())-last < int64(writingFor)
}

func (p *publisher) commit(g *group) {
	err := p.e.failure()
	start := time.Now()
	p.e.wrote.Store(max(1, int64(p.e.opts.Elapsed())))
	if err == nil && !g.batch.Empty() {
		p.e.unflushed.wrote(g.batch.Len())
		if err = p.e.db.ApplyNoSyncWait(g.batch, pebble.Sync); err == nil {
			// The rows go into memory while the disk works. Readers do not see them yet.
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
		p.e.shipping.published(g, p.e.opts.SealRows)
		p.e.stats.commits.Add(1)
		p.e.stats.accepted.Add(uint64(g.events))
		p.e.stats.group.Observe(int64(g.events))
		p.e.stats.commit.Observe(int64(time.Since(start)))
	}
	for _, sub := range g.subs {
		if sub.err == nil {
			sub.err = err
		}
		sub.done <- struct{}{} // now the submitter owns sub
	}
	if g.ids {
		p.e.idsWritten.tell()
	}
	if err == nil {
		p.e.countMore()
		p.e.sealer.maybeSeal(g)
		if g.seal != nil && g.seal.MemPart() != nil && g.seal.MemPart().First() <= g.sealTo {
			p.e.sealer.add(g.seal, g.seal.Detach())
		}
		p.e.recycle(g)
	}
}

// stage appends the group's rows to each site's MemPart, still unpublished.
func (p *publisher) stage(g *group) error {
	for _, sg := range g.order {
		if len(sg.records) == 0 {
			continue
		}
		s := sg.site
		s.touched = p.e.stats.commits.Load()
		grown, err := s.AppendOwn(sg.first, sg.records, &p.rest)
		p.e.hotBytes.Add(grown)
		if err != nil {
			return err
		}
		p.e.hot.Add(int64(len(sg.records)))
	}
	return nil
}

// publish shows the staged rows and the group's links to readers. Whoever asks whether an answer
// is still true after a submission has returned sees all of the submission.
func (p *publisher) publish(g *group) {
	for _, b := range g.beats {
		b.site.Beats.Add(uint64(max(b.begun, 0)))
	}
	for _, sg := range g.order {
		if len(sg.links) > 0 {
			p.links = p.links[:0]
			for _, l := range sg.links {
				p.links = append(p.links, l.links...)
			}
			sg.site.Links.Publish(p.links)
		}
		if len(sg.records) > 0 {
			sg.site.Publish(sg.first + uint64(len(sg.records)) - 1)
		}
		if len(sg.links) > 0 {
			sg.site.Links.Outdate()
		}
	}
}
