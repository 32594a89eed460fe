// What ids remember of deleted events is forgotten durably.

package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/event"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A visitor's newest session is deleted, and an older one is left. After a power cut the next event
// does not go on with the deleted session: no id goes with it, so nothing but the entry of the
// visitor has to be written.
func TestDeletedSessionStaysForgottenAfterPowerCut(t *testing.T) {
	t.Parallel()
	mem := newCrashable()
	opts := engine.Options{Dir: "data", FS: mem, Sites: engine.SitesOf(purgeSite), SealRows: 32, Memory: 16 << 20, Reserve: -1}
	e, err := engine.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	const start, hour = int64(1_700_000_000_000), int64(3600e3)
	send := func(e *engine.Engine, name string, at int64) event.Outcome {
		t.Helper()
		ev := event.Event{Dialect: event.Native, Type: event.Track, Name: name, User: "ada", Time: at}
		out, err := e.Ingest(t.Context(), []engine.Record{{Site: purgeSite, Record: &event.Record{Event: ev}}}, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	for i := range int64(3) {
		send(e, "older", start+i*1000)
	}
	var newest event.Outcome
	for i := range int64(3) {
		newest = send(e, "newest", start+hour+i*1000)
	}
	r, err := e.Delete(t.Context(), &purgeSite.Site, query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: []string{"newest"}}}, Now: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := e.WaitPurged(ctx, &purgeSite.Site, r.ID); err != nil {
		t.Fatal(err)
	}
	after := mem.clone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rand.New(rand.NewPCG(1, 1))})
	for i, fs := range []vfs.FS{mem, after} {
		if fs == after {
			opts.FS = after
			if e, err = engine.Open(opts); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(fmt.Sprint("cut ", i == 1), func(t *testing.T) {
			if out := send(e, "next", start+hour+5000); out.Session == newest.Session {
				t.Error("the next event is in the deleted session")
			}
		})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if report, err := check.Store(t.Context(), fs, "data"); err != nil || len(report.Problems) > 0 {
			t.Errorf("check: %v %v", err, report.Problems)
		}
	}
}
