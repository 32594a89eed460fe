// Purges at random moments: whatever is purged, every answer is that of the model, which strikes
// the rows out and keeps all that was decided with them.
//
// What is forgotten is decided anew when it comes again, and the model does not know that. So the
// visitors who come after a purge are others than those before.

package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
)

func TestPurges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(max(4, *metamorphicRuns/2)) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) {
			t.Parallel()
			purges(t, seed+1)
		})
	}
}

// purgedDeletion is a deletion that is carried out at once.
type purgedDeletion struct {
	site *query.Site
	id   uint64
}

func purges(t *testing.T, seed uint64) {
	p := newPair(t, seed)
	p.names, p.generator.values = namesPerDay, valuesPerDay // what was deleted counts no more for a cap
	p.model.namesPerDay, p.model.valuesPerDay = p.names, p.generator.values
	p.purging = true
	p.open()
	defer func() {
		if t.Failed() {
			t.Logf("failed at op %d", p.op)
		}
		p.closeIfOpen()
	}()
	questions := []func(){p.list, p.list, p.count, p.series, p.visits, p.visitReport, p.pageReport, p.rowReport, p.counters, p.counterSeries, p.digest,
		p.users, p.users, p.sessions, p.sessions, p.group, p.event, p.funnel, p.retention, p.paths, p.fields, p.breakdown, p.export, p.facts}
	for p.op = 1; p.op <= 150 && !t.Failed(); p.op++ {
		p.tick()
		switch n := p.IntN(100); {
		case n < 40:
			records := pick(p.generator, p.stories, p.stories, p.sales)()
			p.renew(records)
			p.ingestRecords(records)
		case n < 50:
			p.ask(p.delete)
		case n < 54:
			p.waitPurged()
		case n < 57:
			p.reopen()
		case n < 58:
			p.check(p.dir)
		case n < 60:
			p.moveZone()
		default:
			p.ask(questions[p.IntN(len(questions))])
		}
	}
	p.waitPurged()
	for range 2 {
		for _, question := range questions {
			if !t.Failed() {
				p.ask(question)
			}
		}
		if !t.Failed() {
			p.check(p.dir) // closes the store and opens it again
		}
	}
}

// begin lets all visitors that come from now on be others.
func (p *pair) begin() {
	p.messages, p.generator.sessions = nil, nil
	p.visitors++
}

// visitorMark ends the ids of visitors number n.
func visitorMark(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(".", n)
}

// ask runs a question or a deletion, which may be about all visitors there were.
func (p *pair) ask(what func()) {
	for n := range p.visitors + 1 {
		p.marks = append(p.marks, visitorMark(n))
	}
	what()
	p.marks = nil
}

// renew makes events those of the visitors that come now.
func (p *pair) renew(records []engine.Record) {
	mark := visitorMark(p.visitors)
	for i := range records {
		e := &records[i].Event
		for _, id := range []*string{&e.User, &e.Anonymous, &e.Previous, &e.Session} {
			if *id != "" && (id != &e.Session || strings.HasPrefix(*id, "s")) {
				*id += mark
			}
		}
		if print := e.Extra.Get(event.Fingerprint).Text; print != "" {
			e.Extra.Set(event.Fingerprint, event.Str(print+mark))
		}
		if records[i].Hit != nil && e.Type == event.Order {
			e.Name += mark
		}
	}
}

// waitPurged waits until the deletions that are carried out at once are done.
func (p *pair) waitPurged() {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	for _, d := range p.purged {
		if r, err := p.engine.WaitPurged(ctx, d.site, d.id); err != nil {
			p.Fatalf("op %d: purge of %+v: %v", p.op, r, err)
		}
	}
	p.purged = nil
}
