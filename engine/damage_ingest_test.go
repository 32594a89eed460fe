// Ingest into a damaged store: a bad page stops only the events that need it, and events that
// are stored are answered as stored.

package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/store"
)

// Each trial zeroes some bytes of one table of a closed store and opens the store. Then it
// sends events with the message ids and in the sessions of sealed events, and new events.
func TestIngestOverDamage(t *testing.T) {
	t.Parallel()
	v := newVisitors(t, 500)
	const sealed = 3000
	for i := range sealed {
		v.hit(event.Event{Session: fmt.Sprint("s", i%300), MessageID: fmt.Sprint("m", i), Properties: event.Object{{Key: "plan", Value: event.Str(fmt.Sprint("p", i%7))}, {Key: "text", Value: event.Str(strings.Repeat(fmt.Sprintf("%x", i*i*7919), 9))}}})
	}
	v.reopen()
	if v.engine.Stats().Runs == 0 {
		t.Fatal("nothing is sealed")
	}
	if err := v.engine.Close(); err != nil {
		t.Fatal(err)
	}
	good := readFiles(t, v.fs, "visitors")
	defer v.open()
	site := &engine.Site{Site: query.Site{ID: 1, Name: "one"}}
	var opened, rejected, duplicates, damagedStores int
	stretches := 6 // of a table
	if testing.Short() || *damageTrials < 100 {
		stretches = 3
	}
	for _, name := range good.names() {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		for at := 0; at < len(good[name]); at += max(64, len(good[name])/stretches) {
			bad := append([]byte{}, good[name]...)
			clear(bad[at:min(at+16, len(bad))])
			fatal := make(chan error, 8)
			e, err := engine.Open(engine.Options{
				Dir: "data", FS: good.with(name, bad).mem(t), Sites: engine.SitesOf(site), Reserve: -1, SealRows: 500, Memory: 8 << 20,
				Now: v.now, Fatal: func(err error) { fatal <- err },
			})
			if err != nil {
				continue
			}
			opened++
			what := fmt.Sprintf("%s zeroed at %d", name, at)
			send := func(ev event.Event) (event.Outcome, error) {
				t.Helper()
				ev.Dialect, ev.Type = event.Opentracker, event.Track
				r := &event.Record{Event: ev}
				out, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: r}}, true, nil)
				if err != nil {
					if store.Damaged(err) == nil {
						t.Fatalf("%s: %v does not report damage", what, err)
					}
					return event.Outcome{}, err
				}
				if ev = r.Event; ev.User+ev.Anonymous == "" || out[0].Session == "" {
					t.Errorf("%s: answered %+v of user %q, anonymous %q", what, out[0], ev.User, ev.Anonymous)
				}
				return out[0], nil
			}
			before := e.Stats().Corruptions
			for i := 0; i < sealed; i += 193 {
				switch out, err := send(event.Event{Session: fmt.Sprint("s", i%300), MessageID: fmt.Sprint("m", i)}); {
				case err != nil:
					rejected++
				case out.Status != event.Duplicate || out.ID == "":
					t.Errorf("%s: m%d came again and is %+v", what, i, out)
				default:
					duplicates++
				}
				if out, err := send(event.Event{Session: fmt.Sprint("s", i%300), Properties: event.Object{{Key: "plan", Value: event.Str("new")}}}); (err != nil || out.Status != event.Stored) && !strings.Contains(fmt.Sprint(err), "read id: ") { // its session's own entry may be damaged
					t.Errorf("%s: a new event is %+v, %v", what, out, err)
				}
			}
			if e.Stats().Corruptions > before {
				damagedStores++
			}
			_ = e.Close()
			select {
			case err := <-fatal:
				t.Errorf("%s: the store stopped: %v", what, err)
			default:
			}
		}
	}
	t.Logf("%d stores opened, %d of them reported damage; %d retries were duplicates, %d were rejected", opened, damagedStores, duplicates, rejected)
	if opened == 0 || damagedStores == 0 || duplicates == 0 {
		t.Error("the trials cover too little")
	}
}
