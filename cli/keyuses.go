package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cairn/engine"
	"cairn/engine/query"
	httpd "cairn/http"
)

// This file notes once an hour on which days keys were used. No request waits for that: it sets a
// flag in memory.

// keyUses is when keys were last used, a part of the running server.
type keyUses struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	engine *engine.Engine // nil = the store is not open
	server *httpd.Server
	days   map[query.KeyUse]int32 // by site and key; Day is 0 in the key of the map
	done   chan struct{}
}

func newKeyUses(log *slog.Logger) *keyUses {
	return &keyUses{log: log, now: time.Now, days: map[query.KeyUse]int32{}}
}

// Metrics and Troubles implement part: there are none.
func (*keyUses) Metrics(func(name, kind, help string, value float64, labels ...string)) {}
func (*keyUses) Troubles() []string                                                     { return nil }

// Start implements starter.
func (k *keyUses) Start(ctx context.Context, p *process) error {
	kept, err := p.engine.KeyUses()
	if err != nil {
		k.log.Warn("when keys were last used could not be read", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.engine, k.server, k.done = p.engine, p.server, make(chan struct{})
	for _, u := range kept {
		k.days[query.KeyUse{Site: u.Site, Key: u.Key}] = u.Day
	}
	go k.watch(ctx, k.done)
	return nil
}

// watch notes at each full hour until ctx ends, so that the hour before it is of one day.
func (k *keyUses) watch(ctx context.Context, done chan struct{}) {
	defer close(done)
	for {
		t := time.NewTimer(time.Until(k.now().Truncate(time.Hour).Add(time.Hour)))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case at := <-t.C:
			k.note(at.Add(-time.Second))
		}
	}
}

// Stop implements starter.
func (k *keyUses) Stop() {
	if k.done == nil {
		return
	}
	<-k.done
	k.note(k.now())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.engine, k.server, k.done = nil, nil, nil
}

// note writes which keys were used up to a moment.
func (k *keyUses) note(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	day := dayOf(at)
	var used, gone []query.KeyUse
	for _, u := range k.server.UsedKeys() {
		if k.days[u] < day {
			k.days[u] = day
			u.Day = day
			used = append(used, u)
		}
	}
	for u := range k.days {
		if _, known := k.server.KeyUsed(u); !known {
			delete(k.days, u)
			gone = append(gone, u)
		}
	}
	if err := k.engine.KeepKeyUses(used, gone); err != nil {
		k.log.Warn("when keys were last used could not be written", "error", err)
	}
}

// last is the day on which a key was last used, 0 = never.
func (k *keyUses) last(u query.KeyUse) int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.server != nil {
		if used, _ := k.server.KeyUsed(u); used {
			return dayOf(k.now())
		}
	}
	return k.days[u]
}

// dayOf is the day of a moment, in UTC, since 1970 began.
func dayOf(at time.Time) int32 { return int32(at.Unix() / 86400) }
