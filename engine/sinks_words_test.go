// Sinks: what they may say, and under which names rows go.

package engine_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/sink"
	"cairn/engine/sink/sinktest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logged is a log in memory.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// sendEvents sends n events to a site.
func sendEvents(t *testing.T, e *engine.Engine, site *engine.Site, n int) {
	t.Helper()
	for range n {
		if _, err := e.Ingest(t.Context(), []engine.Record{{Site: site, Record: &event.Record{Event: event.Event{Dialect: event.Native, Type: event.Track, Name: "a"}}}}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// What a sink says of an error may quote a row. The admin sees it; the log and /healthz have its code.
func TestSinkErrorsAreNotLogged(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sink.Fault{"passes": {Passes: true, Code: "241"}, "lasts": {Code: "60"}, "bad row": {BadRow: true, Code: "117"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site, log := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, new(logged)
			fault.Err = errors.New("cannot parse ada@example.com")
			s := &sinktest.Sink{Place: sinktest.New(false), Rows: sink.Native, Hook: func(call string) error {
				if call == "send" {
					return &fault
				}
				return nil
			}}
			e := open(t, engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: engine.SitesOf(site), Sinks: []sink.Config{quick(s)}, Log: slog.New(slog.NewTextHandler(log, nil))})
			defer func() { _ = e.Close() }()
			sendEvents(t, e, site, 1)
			st, err := until(e, func(st *sink.Status) bool { return strings.Contains(st.Code, fault.Code) })
			if err != nil || !strings.Contains(st.Error, "ada@example.com") {
				t.Fatal(st, err)
			}
			_ = e.Close() // all that is logged is there
			public := log.String() + strings.Join(e.SinkTroubles(), "\n")
			if strings.Contains(public, "ada@") || !strings.Contains(log.String(), fault.Code) {
				t.Error(public)
			}
		})
	}
}

// A site that gets another name stays where it is in the sink: its rows are there once, and a deletion finds
// the older ones. A new site that takes the former name does not get among them.
func TestSinkOfARenamedSite(t *testing.T) {
	t.Parallel()
	shop, store := &engine.Site{Site: query.Site{ID: 1, Name: "shop"}}, &engine.Site{Site: query.Site{ID: 1, Name: "store"}}
	blog := &engine.Site{Site: query.Site{ID: 2, Name: "shop"}}
	sites := &atomic.Pointer[[]*engine.Site]{}
	sites.Store(&[]*engine.Site{shop})
	s := &downSink{place: sinktest.New(false)}
	s.up.Store(true)
	o := engine.Options{Dir: "data", FS: vfs.NewMem(), Sites: func() []*engine.Site { return *sites.Load() }, Sinks: s.config()}
	e := open(t, o)
	sendEvents(t, e, shop, 10)
	st, err := until(e, carriedAll(e))
	if err != nil {
		t.Fatal(err)
	}
	number := st.Sites[0].Store
	s.up.Store(false)
	sendEvents(t, e, shop, 10)
	if _, err := until(e, func(st *sink.Status) bool { return st.Sites[0].Sending != nil }); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // before and after another start
		sites.Store(&[]*engine.Site{store, blog})
		o.Sinks = s.config()
		e = open(t, o)
		s.up.Store(true)
		sendEvents(t, e, store, 10)
		sendEvents(t, e, blog, 3)
		if _, err := until(e, carriedAll(e)); err != nil {
			t.Fatal(err)
		}
		if err := sameAsSink(e, s.place, &shop.Site); err != nil {
			t.Error(err)
		}
		if _, err := e.Delete(t.Context(), &store.Site, query.Deletion{Kind: query.DeleteFilter, Where: []query.Cond{{Field: "name", Values: []string{"a"}}}}); err != nil {
			t.Fatal(err)
		}
		if err := receiptsOf(e, []*engine.Site{store}); err != nil {
			t.Fatal(err)
		}
		if a, b := s.place.Rows(number, "shop"), s.place.Rows(number, "store"); len(a)+len(b) > 0 {
			t.Errorf("%d and %d rows of the site are left", len(a), len(b))
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if rows := s.place.Rows(number, "shop-2"); len(rows) != 6 {
		t.Errorf("%d rows of the new site", len(rows))
	}
}
