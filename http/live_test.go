package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"cairn/engine"
)

// follower reads one stream of /api/v1/live/stream.
type follower struct {
	c net.Conn
	r *bufio.Reader // of the body
}

// follow opens a stream. lines are headers; the status has to be 200.
func (s *testServer) follow(lines ...string) *follower {
	s.t.Helper()
	return s.followAt("/api/v1/live/stream", lines...)
}

// followAt opens a stream at another path.
func (s *testServer) followAt(path string, lines ...string) *follower {
	s.t.Helper()
	c := s.dial()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, strings.Join(append(lines, ""), "\r\n"))
	r := bufio.NewReader(c)
	a, err := readAnswer(r, true)
	if err != nil || a.status != 200 || a.header["content-type"] != "text/event-stream" || a.header["cache-control"] != "no-store" {
		s.t.Fatalf("%+v, %v", a, err)
	}
	return &follower{c, bufio.NewReader(httputil.NewChunkedReader(r))}
}

// next returns the id and the data of the next message of a kind.
func (f *follower) next(kind string) (id, data string, err error) {
	name := ""
	for {
		line, err := f.r.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "event":
			name, id, data = value, "", ""
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if name == kind {
				return id, data, nil
			}
			name = ""
		}
	}
}

// A client of the real store follows, is cut off while events come, and goes on where it was.
func TestFollowing(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	sent, seen, last := 0, 0, ""
	send := func(n int) {
		t.Helper()
		for range n {
			sent++
			if a := s.send("POST", "/api/v1/events", fmt.Sprintf(`{"name":"n%d"}`, sent), secret); a.status != 200 {
				t.Fatalf("%+v", a)
			}
		}
	}
	for round := range 3 {
		lines := []string{secret}
		if last != "" {
			lines = append(lines, "Last-Event-ID: "+last)
		}
		f := s.follow(lines...)
		if round == 0 { // the stream begins with the numbers of now
			if _, data, err := f.next("live"); err != nil || !strings.HasPrefix(data, `{"site":"shop",`) {
				t.Fatal(data, err)
			}
		}
		send(3)
		for range 3 * (1 + min(round, 1)) {
			id, data, err := f.next("event")
			var e struct{ ID, Name string }
			if err == nil {
				err = json.Unmarshal([]byte(data), &e)
			}
			if seen++; err != nil || e.ID != id || e.Name != fmt.Sprint("n", seen) {
				t.Fatalf("event %d: %s %v", seen, data, err)
			}
			last = id
		}
		f.c.Close()
		send(3) // while nobody follows
	}
}

// Streams are counted apart from other reads, and end with their key.
func TestFollowersOfAKey(t *testing.T) {
	t.Parallel()
	s := onStore(t, engine.Options{}, nil, testSite(1, "shop"))
	var all []*follower
	for range lastingKeyMax {
		all = append(all, s.follow(secret))
	}
	if a := s.send("GET", "/api/v1/live/stream", "", secret); a.status != 429 || a.header["retry-after"] == "" {
		t.Errorf("one too many: %+v", a)
	}
	if a := s.send("GET", "/api/v1/live", "", secret); a.status != 200 {
		t.Errorf("another read: %+v", a)
	}
	all = append(all, s.follow("Authorization: Bearer shop-read"))
	// Other settings of the site do not end a stream, and it goes on being counted.
	same := testSite(1, "shop")
	if err := s.setSites([]*Site{same}, false, "admin"); err != nil {
		t.Fatal(err)
	}
	if a := s.send("GET", "/api/v1/live/stream", "", secret); a.status != 429 {
		t.Errorf("one too many, of other settings: %+v", a)
	}
	next := testSite(1, "shop")
	next.SecretKey = "another-secret"
	if err := s.setSites([]*Site{next}, false, "admin"); err != nil {
		t.Fatal(err)
	}
	for _, f := range all[:lastingKeyMax] {
		if _, _, err := f.next("nothing"); err == nil || err.Error() != "EOF" {
			t.Errorf("the stream of a key that is no more ends with %v", err)
		}
	}
	if a := s.send("POST", "/api/v1/events", `{"name":"a"}`, "Authorization: Bearer another-secret"); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if _, data, err := all[lastingKeyMax].next("event"); err != nil || !strings.Contains(data, `"name":"a"`) {
		t.Errorf("the stream of a key that is still there: %s %v", data, err)
	}
	within(t, "one stream left", func() bool { return s.lasting.Load() == 1 })
}

// Whoever goes from the screen of now and back has a new stream each time: those that they have left
// are noticed though nothing is written to them.
func TestFollowingAgain(t *testing.T) {
	t.Parallel()
	log := &syncBuffer{}
	s := onStore(t, engine.Options{}, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) }, testSite(1, "shop"))
	for range 3 * lastingKeyMax {
		f := s.follow(secret)
		if _, _, err := f.next("live"); err != nil { // it waits for something to say from now on
			t.Fatal(err)
		}
		f.c.Close()
		within(t, "no stream left", func() bool { return s.lasting.Load() == 0 })
	}
	if strings.Contains(log.String(), "stream failed") {
		t.Errorf("a client that has gone is no fault: %s", log.String())
	}
}

// The server has a bound for all streams, and ends them when it stops.
func TestFollowersOfAServer(t *testing.T) {
	t.Parallel()
	var sites []*Site
	for i := range lastingMax/lastingKeyMax + 1 {
		sites = append(sites, testSite(uint32(i+1), fmt.Sprint("s", i)))
	}
	s := onStore(t, engine.Options{}, nil, sites...)
	var all []*follower
	for i := range lastingMax {
		all = append(all, s.follow(fmt.Sprintf("Authorization: Bearer s%d-secret", i/lastingKeyMax)))
	}
	other := fmt.Sprintf("Authorization: Bearer s%d-secret", len(sites)-1)
	if a := s.send("GET", "/api/v1/live/stream", "", other); a.status != 429 {
		t.Errorf("one too many: %+v", a)
	}
	all[0].c.Close()
	within(t, "room for one", func() bool { return s.lasting.Load() < lastingMax }) // though nothing is written
	last := s.follow(other)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, _, err := last.next("nothing"); err == nil {
		t.Error("it goes on")
	}
	if n := s.lasting.Load(); n != 0 {
		t.Errorf("%d streams are open", n)
	}
}
