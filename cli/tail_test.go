package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// locked is a buffer that the test reads while it is written.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tailOf runs a tail of a handler until done says that its output is enough.
func tailOf(t *testing.T, h http.HandlerFunc, asJSON bool, run func(*tailing, context.Context) error, done func(out string) bool) (out, errs string, err error) {
	t.Helper()
	least, every := tailWaitLeast, rejectedEvery
	tailWaitLeast, rejectedEvery = time.Millisecond, time.Millisecond
	defer func() { tailWaitLeast, rejectedEvery = least, every }()
	s := httptest.NewServer(h)
	defer s.Close()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	var o, e locked
	tail := &tailing{server: &server{client: s.Client(), base: s.URL, header: http.Header{}}, json: asJSON, out: &o, err: &e}
	ended := make(chan error, 1)
	go func() { ended <- run(tail, ctx) }()
	for {
		select {
		case err := <-ended:
			return o.String(), e.String(), err
		case <-time.After(time.Millisecond):
			if done(o.String()) {
				stop()
			}
		}
	}
}

// A stream that breaks off goes on after the last event that was printed.
func TestTailConnectsAgain(t *testing.T) {
	var calls atomic.Int32
	var resumed atomic.Value
	out, errs, err := tailOf(t, func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 1:
			fmt.Fprint(w, "event: event\nid: one\ndata: {\"name\":\"a\"}\n\n: \n\nevent: live\nid: one\ndata: {}\n\nevent: skipped\nid: two\ndata: {\"n\":3}\n\n")
		case 2:
			w.WriteHeader(503)
		case 3:
			panic(http.ErrAbortHandler)
		default:
			resumed.Store(r.Header.Get("Last-Event-Id"))
			fmt.Fprint(w, "event: event\nid: three\ndata: {\"name\":\"b\"}\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}, true, (*tailing).events, func(out string) bool { return strings.Contains(out, "b") })
	if err != nil || out != "{\"name\":\"a\"}\n{\"name\":\"b\"}\n" || resumed.Load() != "two" {
		t.Errorf("%q, after %v: %v", out, resumed.Load(), err)
	}
	if !strings.Contains(errs, "3 events more") || !strings.Contains(errs, "Connecting again") {
		t.Errorf("%q", errs)
	}
}

// What the server refuses, and a server that is not there, is an error at once.
func TestTailRefused(t *testing.T) {
	never := func(string) bool { return false }
	for _, run := range []func(*tailing, context.Context) error{(*tailing).events, (*tailing).rejected} {
		_, _, err := tailOf(t, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":"name a site with ?site=NAME"}`, 400)
		}, true, run, never)
		if err == nil || !strings.Contains(err.Error(), "name a site") {
			t.Errorf("%v", err)
		}
		gone := httptest.NewServer(nil)
		gone.Close()
		tail := &tailing{server: &server{client: gone.Client(), base: gone.URL, header: http.Header{}}, out: &locked{}, err: &locked{}}
		if err := run(tail, context.Background()); err == nil {
			t.Error("a server that is not there is no error")
		}
	}
}

// A line on a terminal has no byte that a terminal obeys.
func TestTailLine(t *testing.T) {
	var e tailEvent
	if err := json.Unmarshal([]byte(`{"time":"2026-11-30T01:02:03Z","type":"page","name":"\u001b[31mred\u0007\n","anonymous":"v1","context":{"url":"https://shop.example/`+strings.Repeat("x", 200)+`"}}`), &e); err != nil {
		t.Fatal(err)
	}
	line := e.line("shop")
	for _, bad := range []string{"\x1b", "\a", "\n", strings.Repeat("x", 100)} {
		if strings.Contains(line, bad) {
			t.Errorf("%q has %q", line, bad)
		}
	}
	if !strings.Contains(line, "  page  ") || !strings.Contains(line, "·[31mred··") || !strings.Contains(line, "v1") {
		t.Errorf("%q", line)
	}
}

// The newest refused events come first in the answer, and last on the screen.
func TestTailRejected(t *testing.T) {
	var calls atomic.Int32
	out, _, err := tailOf(t, func(w http.ResponseWriter, r *http.Request) {
		entry := func(reason string) string {
			return `{"time":"2026-11-30T01:02:03Z","site":null,"dialect":"native","field":"name","reason":"` + reason + `","request_id":"id","more":0}`
		}
		switch n := calls.Add(1); {
		case n == 1 && !r.URL.Query().Has("since"):
			fmt.Fprint(w, `{"rejected":[`+entry("second")+`,`+entry("first")+`],"cursor":"r-2"}`)
		case n == 2 && r.URL.Query().Get("since") == "r-2":
			fmt.Fprint(w, `{"rejected":[`+entry("third")+`],"cursor":"r-3"}`)
		default:
			fmt.Fprint(w, `{"rejected":[],"cursor":"r-3"}`)
		}
	}, false, (*tailing).rejected, func(out string) bool { return strings.Contains(out, "third") })
	first, second, third := strings.Index(out, "name: first"), strings.Index(out, "name: second"), strings.Index(out, "name: third")
	if err != nil || first < 0 || first > second || second > third || strings.Count(out, "\n") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
}
