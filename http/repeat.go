package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file finds requests that come twice within a moment, as when a click handler is
// bound twice. It is a rule of OpenPanel, for clients that send no message id.

// repeats knows the latest requests in two generations: one map for the current span of
// time and one for the span before. It is no cache.TwoGenerations, because it is bounded by
// time, not by size.
type repeats struct {
	mu       sync.Mutex
	now, old map[[32]byte]*repeat
	turned   time.Time
}

// repeat is the first of the requests that are alike.
type repeat struct {
	at     time.Time
	done   chan struct{} // closed by finish
	ok     bool          // it was stored
	answer event.Outcome // the answer alone: Device, Session and Live
}

// begin returns the first request under key within the span, and whether that is the
// caller's own. The caller must then call finish.
func (r *repeats) begin(key [32]byte, now time.Time, within time.Duration) (first *repeat, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := now.Sub(r.turned); since >= within {
		r.old = r.now
		if since >= 2*within {
			r.old = nil
		}
		r.now, r.turned = map[[32]byte]*repeat{}, now
	}
	for _, m := range []map[[32]byte]*repeat{r.now, r.old} {
		if first := m[key]; first != nil && now.Sub(first.at) < within {
			return first, false
		}
	}
	first = &repeat{at: now, done: make(chan struct{})}
	r.now[key] = first
	return first, true
}

// finish says what became of the first request.
func (f *repeat) finish(stored bool, out *event.Outcome) {
	f.ok, f.answer = stored, event.Outcome{Device: strings.Clone(out.Device), Session: strings.Clone(out.Session), Live: out.Live}
	close(f.done)
}

// wait returns the answer of the first request once it is durable. ok is false when it was
// not stored; the caller then has to store its own.
func (f *repeat) wait(ctx context.Context) (answer event.Outcome, ok bool) {
	select {
	case <-f.done:
		return f.answer, f.ok
	case <-ctx.Done():
		return answer, false
	}
}

// repeatKey is the same for requests that are alike: client, address, agent, origin and
// body.
func (x *exchange) repeatKey(r *dialect.Record) (key [32]byte) {
	h := sha256.New()
	for _, part := range []string{r.Credential.ID, r.Source.IP.String(), r.Source.UserAgent, x.header("Origin"), text(x.req.Body)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		io.WriteString(h, part)
	}
	h.Sum(key[:0])
	return key
}
