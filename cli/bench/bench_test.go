package bench

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

var testCrowd = crowd{users: 1_000_000, products: 50_000}

// The same seed gives the same load. The load is valid and has the promised variety.
func TestStream(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	a, b, other := newStream(7, 1, 3, testCrowd), newStream(7, 1, 3, testCrowd), newStream(8, 1, 3, testCrowd)
	rerun := newStream(7, 2, 3, testCrowd)
	var fresh int
	ids, names, sessions := map[string]bool{}, map[string]int{}, map[string]int{}
	users, inARow, before := map[string]int{}, 0, ""
	const n = 60_000
	for range n {
		one := a.appendEvent(nil, at)
		if two := b.appendEvent(nil, at); !bytes.Equal(one, two) {
			t.Fatalf("the same seed gave\n%s\n%s", one, two)
		}
		if bytes.Equal(one, other.appendEvent(nil, at)) {
			fresh++
		}
		var e, again struct {
			Name, Session, User string
			MessageID           string `json:"message_id"`
			Properties          struct {
				Plan, Country, Product, Order string
				Amount                        int
			}
		}
		d := json.NewDecoder(bytes.NewReader(one))
		if err := d.Decode(&e); err != nil {
			t.Fatalf("%v in %s", err, one)
		}
		json.Unmarshal(rerun.appendEvent(nil, at), &again)
		if e.Name != again.Name || e.MessageID == again.MessageID {
			t.Fatalf("another run of the seed: %q %q, %s %s", e.Name, again.Name, e.MessageID, again.MessageID)
		}
		ids[e.MessageID], names[e.Name] = true, names[e.Name]+1
		if sessions[e.Session]++; sessions[e.Session] == 1 {
			users[e.User]++
		}
		if e.User == before {
			inARow++
		}
		before = e.User
	}
	if fresh > 0 {
		t.Errorf("another seed gave %d equal events", fresh)
	}
	if len(ids) != n {
		t.Errorf("%d message ids for %d events", len(ids), n)
	}
	if len(names) != benchNames {
		t.Errorf("%d names, want %d", len(names), benchNames)
	}
	if first, last := names[eventName(0)], names[eventName(benchNames-1)]; first < 10*last {
		t.Errorf("names are not skewed: first %d, last %d", first, last)
	}
	if mean := float64(n) / float64(len(sessions)); mean < 6 || mean > 10 {
		t.Errorf("visits are %.1f events long", mean)
	}
	once, most := 0, 0
	for _, visits := range users {
		if most = max(most, visits); visits == 1 {
			once++
		}
	}
	if once < len(users)*3/4 || most < 100 {
		t.Errorf("%d of %d users have one visit, and none has more than %d", once, len(users), most)
	}
	if inARow > n/50 {
		t.Errorf("%d of %d events follow one of their user", inARow, n)
	}
}

// Quantiles of the histogram are correct within its error.
func TestLatencies(t *testing.T) {
	l := newLatencies()
	for i := 1; i <= 100_000; i++ {
		l.add(time.Duration(i) * time.Microsecond)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0.5, 50 * time.Millisecond}, {0.9, 90 * time.Millisecond}, {0.99, 99 * time.Millisecond}, {1, 100 * time.Millisecond}} {
		if got := l.quantile(c.q); got < c.want-c.want/100 || got > c.want+c.want/100 {
			t.Errorf("quantile %v: got %v, want %v", c.q, got, c.want)
		}
	}
	other := newLatencies()
	other.add(time.Hour)
	other.add(0)
	if l.merge(other); l.n() != 100_002 || l.max != time.Hour || l.quantile(1) != time.Hour || l.quantile(0) != 0 {
		t.Errorf("merged: %d, at most %v, quantiles %v to %v", l.n(), l.max, l.quantile(0), l.quantile(1))
	}
}

func TestQuota(t *testing.T) {
	var q quota
	q.n.Store(250)
	sum := 0
	for {
		first, n := q.take(100)
		if n == 0 {
			break
		}
		if first != int64(sum) {
			t.Errorf("portion at %d, want %d", first, sum)
		}
		sum += n
	}
	if sum != 250 {
		t.Errorf("handed out %d of 250", sum)
	}
}

// The table shows only what was measured.
func TestReportTable(t *testing.T) {
	o := Options{Seed: 1}
	r := newReport(&o)
	r.Writes = append(r.Writes, writeResult{Name: "single events", Conns: 64, Events: 10, EventsPerSecond: 12345})
	r.finish(Usage{}, Usage{}, 0, 0)
	show := func() string {
		var b strings.Builder
		r.WriteTable(&b)
		return b.String()
	}
	if out := show(); !strings.Contains(out, "single events, 64 connections") || !strings.Contains(out, "12,345") || strings.Contains(out, "RSS") || strings.Contains(out, "time limit") {
		t.Errorf("%s", out)
	}
	r.Writes[0].Course = []leg{{EventsPerSecond: 1000}, {Events: 5_000_000, EventsPerSecond: 987, RSS: 200 << 20}}
	r.Reads = append(r.Reads, readResult{Name: "all of it", TimedOut: true})
	if out := show(); !strings.Contains(out, "5,000,000 events") || !strings.Contains(out, "987") || !strings.Contains(out, "200 MiB") || !strings.Contains(out, "all of it: the server stopped the query at its time limit") {
		t.Errorf("%s", out)
	}
}

// A fill is divided into tenths. Each counts the events that were sent in its time.
func TestCourse(t *testing.T) {
	const events = 1000
	var sent quota
	tick := make(chan time.Time)
	stop := watchCourse(0, events, &sent, tick)
	for range events / 50 {
		sent.take(50)
		tick <- time.Time{}
	}
	legs := stop()
	if len(legs) != courseParts {
		t.Fatalf("%d legs", len(legs))
	}
	for i, l := range legs {
		if l.EventsPerSecond <= 0 || i > 0 && (l.Events < int64(i*events/courseParts) || l.Events > int64(i*events/courseParts+50)) {
			t.Errorf("leg %d: %+v", i, l)
		}
	}
	var short quota
	stop = watchCourse(0, events, &short, tick)
	short.take(events)
	if legs := stop(); legs != nil {
		t.Errorf("a fill that is over at once has legs: %+v", legs)
	}
}

func TestReadUsage(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	before := ReadUsage(os.Getpid())
	if before.RSS < 1<<20 || before.RSSPeak < before.RSS {
		t.Errorf("%d bytes of memory, %d at most", before.RSS, before.RSSPeak)
	}
	for end := time.Now().Add(time.Minute); ReadUsage(os.Getpid()).CPU < before.CPU+2*ClockTick; {
		if time.Now().After(end) {
			t.Fatal("the CPU time stands still")
		}
	}
	if gone := ReadUsage(1 << 30); gone != (Usage{}) {
		t.Errorf("a process that is not there: %+v", gone)
	}
}

// A server closes a connection whose body it did not read, and says so. The next request takes
// another connection.
func TestConnThatTheServerCloses(t *testing.T) {
	refused := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := []byte("stored")
		if !refused {
			refused = true
			w.Header().Set("Connection", "close")
			w.WriteHeader(503)
			body = []byte("too many")
		}
		w.Write(body)
	}))
	defer server.Close()
	c, err := Dial(t.Context(), server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Post("/", NDJSON, []byte("{}")); err == nil || err.Error() != "status 503: too many" {
		t.Fatal(err)
	}
	for range 2 {
		if answer, err := c.Post("/", NDJSON, []byte("{}")); err != nil || string(answer) != "stored" {
			t.Fatalf("%q, %v", answer, err)
		}
	}
}
