package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// openStream opens streams with a fast pace.
type openStream struct {
	t      *testing.T
	engine *nativetest.Engine
	valid  func() bool
	api    *API
}

func newStream(t *testing.T) *openStream {
	n := nativetest.Full()
	api := New(Options{Engine: n, Now: func() time.Time { return time.UnixMilli(nativetest.SomeDay) }})
	api.pace = streamPace{poll: time.Millisecond, live: time.Hour, comment: time.Hour}
	return &openStream{t: t, engine: n, api: api}
}

// come lets n events come.
func (o *openStream) come(n int) {
	for range n {
		o.engine.Come(&event.Event{Type: event.Track, Dialect: event.Native, Site: "shop"})
	}
}

// open begins a stream and returns how to run it.
func (o *openStream) open(ctx context.Context, query_, last string) (func(io.Writer) error, *dialect.Response, error) {
	req := &dialect.Request{Method: "GET", Path: "/api/v1/live/stream", RawQuery: query_, Site: &dialect.Site{Site: query.Site{ID: 1, Name: "shop"}}, Valid: o.valid,
		Header: func(name string) string { return map[string]string{"Last-Event-ID": last}[name] }}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // a stream that does not tell what it should ends
	o.t.Cleanup(cancel)
	res := &dialect.Response{}
	err := o.api.Read(ctx, req, nil, res)
	return res.Stream, res, err
}

// until writes to a text until it has a word; then it fails, as a connection does that is cut.
type until struct {
	mu   sync.Mutex
	text strings.Builder
	word string
}

var errCut = errors.New("cut")

func (u *until) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(p) > streamWriteBytes {
		return 0, fmt.Errorf("%d bytes at once", len(p))
	}
	u.text.Write(p)
	if strings.Contains(u.text.String(), u.word) {
		return 0, errCut
	}
	return len(p), nil
}

// messages are the names and ids of what was written, as "event 5".
func messages(text string) (list []string) {
	for _, m := range strings.Split(text, "\n\n") {
		name, id := "", ""
		for line := range strings.Lines(m) {
			line = strings.TrimSuffix(line, "\n")
			if rest, ok := strings.CutPrefix(line, "event: "); ok {
				name = rest
			}
			if rest, ok := strings.CutPrefix(line, "id: "); ok {
				id = strings.TrimLeft(rest, "0")
			}
		}
		if name != "" {
			list = append(list, strings.TrimSpace(name+" "+id))
		}
	}
	return list
}

// A stream tells what comes after it has begun, and its numbers at once.
func TestStreamEvents(t *testing.T) {
	o := newStream(t)
	o.come(3)
	run, res, err := o.open(t.Context(), "name=a", "")
	if err != nil || res.Status != 200 || res.ContentType != "text/event-stream" {
		t.Fatal(res, err)
	}
	o.come(2)
	u := &until{word: "event: live"}
	if err := run(u); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if got := fmt.Sprint(messages(u.text.String())); got != "[event 4 event 5 live 5]" {
		t.Errorf("%s\n%s", got, u.text.String())
	}
	text := u.text.String()
	if !strings.Contains(text, `data: {"id":"00000000000000000000000000000004","seq":4,`) || !strings.Contains(text, `data: {"site":"shop","as_of":{`) || !strings.Contains(o.engine.Asked, `live shop name=["a"]`) {
		t.Errorf("%s, asked %s", text, o.engine.Asked)
	}
}

// A client that is cut off and comes back gets every event once, in order, whatever it sends the
// id in. What happens meanwhile is not left out, however much comes.
func TestStreamResumes(t *testing.T) {
	o := newStream(t)
	o.come(1)
	seen, id := 1, ""
	for round := range 8 {
		query_, last := "", id
		if round%2 == 1 {
			query_, last = "after="+id, ""
		}
		run, _, err := o.open(t.Context(), query_, last)
		if err != nil {
			t.Fatal(err)
		}
		o.come(1 + 97*round) // more than 50 a second
		if round == 0 {
			o.come(3)
		}
		want := len(o.engine.Came)
		// Cut in the middle of what it missed, and once at the end.
		cut := seen + 1 + (want-seen)*(round%3)/3
		if round == 7 {
			cut = want
		}
		u := &until{word: fmt.Sprintf("id: %032x\n", cut)}
		if err := run(u); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		for _, m := range messages(u.text.String()) {
			var n int
			if _, err := fmt.Sscanf(m, "event %x", &n); err != nil {
				t.Fatalf("round %d: %s", round, m)
			}
			if n > cut {
				break // of the write that failed: the client may not have it
			}
			if seen++; n != seen {
				t.Fatalf("round %d: event %d instead of %d", round, n, seen)
			}
		}
		if seen != cut {
			t.Fatalf("round %d: %d of %d events", round, seen, cut)
		}
		id = fmt.Sprintf("%032x", seen)
	}
}

// At most 50 events a second are told to whoever follows, and 10,000 rows to whoever comes back.
// How many others there are is told as well.
func TestStreamSkips(t *testing.T) {
	o := newStream(t)
	run, _, err := o.open(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	o.come(80)
	u := &until{word: "event: live"}
	if err := run(u); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	list := messages(u.text.String())
	if len(list) != 52 || list[49] != "event 32" || list[50] != "skipped 50" || list[51] != "live 50" || !strings.Contains(u.text.String(), `data: {"n":30}`) {
		t.Errorf("%v", list)
	}
	o.come(streamResumeMax)
	if run, _, err = o.open(t.Context(), "", fmt.Sprintf("%032x", 73)); err != nil {
		t.Fatal(err)
	}
	u = &until{word: "event: live"}
	if err := run(u); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	list = messages(u.text.String())
	if len(list) != streamResumeMax+2 || list[0] != "skipped" || list[1] != "event 51" || !strings.Contains(u.text.String(), `data: {"n":7}`) {
		t.Errorf("%d messages, the first %v", len(list), list[:min(len(list), 3)])
	}
}

// A stream ends well when its time is over and when its key is no longer valid, and breaks off
// when the server stops or the engine fails.
func TestStreamEnds(t *testing.T) {
	o := newStream(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	run, _, err := o.open(ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := run(io.Discard); err != nil {
		t.Errorf("its time is over: %v", err)
	}
	calls := 0
	o.valid = func() bool { calls++; return calls < 3 }
	if run, _, err = o.open(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	if err := run(io.Discard); err != nil || calls != 3 {
		t.Errorf("its key is not valid: %v after %d calls", err, calls)
	}
	o.valid = nil
	ctx, cancel = context.WithCancel(t.Context())
	if run, _, err = o.open(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := run(io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("the server stops: %v", err)
	}
	if run, _, err = o.open(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	o.engine.Err = query.ErrFailed
	if err := run(io.Discard); !errors.Is(err, query.ErrFailed) {
		t.Errorf("the engine fails: %v", err)
	}
	// What can be refused is refused before the stream begins.
	if _, _, err = o.open(t.Context(), "", ""); !errors.Is(err, query.ErrFailed) {
		t.Errorf("the engine has failed: %v", err)
	}
	o.engine.Err = nil
	for _, c := range [][2]string{{"", "x"}, {"after=x", ""}, {"visit.entry=a", ""}, {"saved=" + nativetest.SavedID, ""}, {"range=7d", ""}} {
		var status *dialect.StatusError
		if _, _, err := o.open(t.Context(), c[0], c[1]); !errors.As(err, &status) || status.Failure != dialect.BadRequest {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Comments and numbers come at their pace.
func TestStreamPace(t *testing.T) {
	o := newStream(t)
	o.api.pace = streamPace{poll: time.Millisecond, live: time.Millisecond, comment: time.Millisecond}
	run, _, err := o.open(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	u := &until{word: ": \n\nevent: live"} // a comment and after it a second time the numbers
	if err := run(u); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
}

func TestLiveCall(t *testing.T) {
	n := nativetest.Full()
	res := call(t, n, "UTC", "GET", "/api/v1/live?country=NL&visit.source=Google&max_age=10&saved="+nativetest.SavedID)
	if want := fmt.Sprintf(`live shop country=["NL"] visit.source=["Google"] country=["DE"] visit.source=["Google"] at %d max_age 10s`, nativetest.SomeDay+123); res.Status != 200 || n.Asked != want {
		t.Errorf("%d, asked %s, want %s", res.Status, n.Asked, want)
	}
	if res := call(t, n, "UTC", "GET", "/api/v1/live?max_age=4000"); res.Status != 400 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}
