package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/cli/bench"
)

var (
	deletingEvents = flag.Int("deleting.events", 8000, "events in the store of TestDeletingUnderLoad before it deletes; a fifth of them goes by retention")
	deletingPeople = flag.Int("deleting.people", 8, "persons that TestDeletingUnderLoad erases")
	deletingKills  = flag.Int("deleting.kills", 4, "how often TestDeletingUnderLoad kills the server")
	deletingLoad   = flag.Duration("deleting.load", 400*time.Millisecond, "the longest time from a start of TestDeletingUnderLoad to the kill")
	deletingSeed   = flag.Uint64("deleting.seed", 0, "seed of TestDeletingUnderLoad; 0 = by the clock")
)

const (
	deletingSenders  = 2
	deletingBatchMax = 50 // events of one request
	deletingKinds    = 7  // values of the property "kind"

	// deletingMarker is in every event of a person. Compression leaves it in one piece.
	deletingMarker = "Wm4hT9xLc2VqN6zRj8Ke"

	deletingSite      = "[[site]]\nname = \"shop\"\n"
	deletingRetention = deletingSite + "retention_days = 30\n"
)

// Retention takes a fifth of the events and persons are erased, while events come in and
// reports run, and the server is killed at random. After each restart a deletion that was
// acknowledged holds, one that was not is whole or nothing, all other events are there once,
// and the counters equal a recount of the export. In the end check is content, and no file
// has anything of the persons.
func TestDeletingUnderLoad(t *testing.T) {
	t.Parallel()
	seed := *deletingSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./cli/e2e -run TestDeletingUnderLoad -deleting.events=%d -deleting.people=%d -deleting.kills=%d -deleting.load=%v -deleting.seed=%d",
		*deletingEvents, *deletingPeople, *deletingKills, *deletingLoad, seed)
	d := &deletingLoadTest{rng: rand.New(rand.NewPCG(seed, 0)), people: make([]deletedPerson, *deletingPeople)}
	var err error
	if d.options, err = serveOptions(t.TempDir(), configured(t, deletingSite)...); err != nil {
		t.Fatal(err)
	}
	if err := d.fill(*deletingEvents); err != nil {
		t.Fatalf("fill: %v", err)
	}
	d.options.Args = configured(t, deletingRetention)
	defer func() {
		t.Logf("%d kills, %d of them during recovery; %d requests with %d events, %d of them sent again; %d of %d persons erased before the last start; retention done: %v; %d reports; RSS up to %d MiB",
			d.kills, d.early, len(d.requests), d.sent, d.again, d.erasedEarly, len(d.people), d.oldGone, d.reports.Load(), d.rss>>20)
	}()
	for n := range *deletingKills {
		if err := d.cycle(); err != nil {
			t.Fatalf("cycle %d: %v", n, err)
		}
	}
	if err := d.finish(); err != nil {
		t.Fatal(err)
	}
	if names := holding(t, filepath.Join(d.options.Dir, "store"), deletingMarker); len(names) > 0 {
		t.Errorf("these files have something of the erased persons: %q", names)
	}
}

// deletingLoadTest has what was sent and what was deleted.
type deletingLoadTest struct {
	options bench.ChildOptions
	rng     *rand.Rand
	people  []deletedPerson

	mu       sync.Mutex
	requests []*deletingRequest
	sent     int // events of all requests

	oldGone bool // retention was seen to be done

	kills, early, again, erasedEarly int
	rss                              int64
	reports                          atomic.Int64
}

// deletingRequest is one request. Its events have the numbers from first on.
type deletingRequest struct {
	first, events int
	person        int  // -1 = none
	old           bool // retention takes its events
	acked         bool
}

// deletedPerson is somebody who will be erased.
type deletedPerson struct {
	sending sync.RWMutex // is held for reading while events of the person are sent
	asked   bool         // the deletion was sent, so nothing else is sent
	erased  atomic.Bool  // the deletion was acknowledged
}

// maySend says whether events of the person may be sent. They are until sending is unlocked.
func (p *deletedPerson) maySend() bool {
	p.sending.RLock()
	if p.asked {
		p.sending.RUnlock()
		return false
	}
	return true
}

func personName(i int) string { return fmt.Sprintf("%s-%d", deletingMarker, i) }

// body returns the body of a request, the same each time but for the time of day.
func (r *deletingRequest) body(b []byte) []byte {
	for i := r.first; i < r.first+r.events; i++ {
		user, name, note := fmt.Sprintf("visitor-%d", i%997), "load", "nothing"
		at := time.Now().Add(-time.Duration(i%20) * 24 * time.Hour)
		switch {
		case r.person >= 0:
			user, name, note = personName(r.person), "person", deletingMarker+" of "+fmt.Sprint(i)
		case r.old:
			name, at = "old", at.Add(-40*24*time.Hour)
		}
		b = fmt.Appendf(b, `{"name":%q,"user":%q,"session":"s%s-%d","message_id":"m%d","time":%d,"properties":{"kind":"k%d","note":%q},"context":{"url":"https://shop.example/p/%d"}}`+"\n",
			name, user, user, i/50, i, at.UnixMilli(), i%deletingKinds, note, i%500)
	}
	return b
}

// next returns a new request of at most so many events.
func (d *deletingLoadTest) next(events, person int, old bool) *deletingRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &deletingRequest{first: d.sent, events: events, person: person, old: old}
	d.requests = append(d.requests, r)
	d.sent += events
	return r
}

// post sends a request. Only a wrong answer is an error.
func (d *deletingLoadTest) post(c *bench.Conn, r *deletingRequest, again bool) (answered bool, err error) {
	answer, err := c.Post("/api/v1/events", bench.NDJSON, r.body(nil))
	if err != nil {
		if strings.HasPrefix(err.Error(), "status ") {
			return false, err
		}
		return false, nil // it was killed
	}
	var got struct{ Accepted, Duplicates int }
	if err := json.Unmarshal(answer, &got); err != nil {
		return true, fmt.Errorf("%w in %s", err, answer)
	}
	if got.Accepted != r.events && !(again && got.Accepted == 0 && got.Duplicates == r.events) {
		return true, fmt.Errorf("the request of %d events from number %d on was answered %s", r.events, r.first, answer)
	}
	d.mu.Lock()
	r.acked = true
	d.mu.Unlock()
	return true, nil
}

func (d *deletingLoadTest) start() (*bench.Child, error) {
	return bench.StartChild(context.Background(), d.options)
}

func (d *deletingLoadTest) dial(ctx context.Context, server *bench.Child) (*bench.Conn, error) {
	return bench.Dial(ctx, server.URL, server.Keys.Sites[0].SecretKey)
}

// fill stores events: a fifth of them is too old for the retention to come, and up to a fifth
// is of the persons.
func (d *deletingLoadTest) fill(events int) error {
	server, err := d.start()
	if err != nil {
		return err
	}
	defer server.Kill()
	c, err := d.dial(context.Background(), server)
	if err != nil {
		return err
	}
	defer c.Close()
	for n := 0; d.sent < events; n++ {
		r := d.next(min(1000, max(10, events/100)), -1, n%5 == 0)
		if n%5 == 1 && len(d.people) > 0 {
			r.person = n / 5 % len(d.people)
		}
		if ok, err := d.post(c, r, false); !ok || err != nil {
			return errors.Join(err, fmt.Errorf("no answer: %s", server.Log()))
		}
	}
	return server.Stop()
}

// cycle starts the server, verifies, deletes under load and kills it at a random instant.
func (d *deletingLoadTest) cycle() error {
	for d.rng.IntN(100) < killEarlyPct {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(d.rng.Int64N(int64(killStartMax))))
		server, err := bench.StartChild(ctx, d.options)
		cancel()
		if d.early++; err == nil {
			server.Kill()
		} else if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	server, err := d.start()
	if err != nil {
		return err
	}
	defer server.Kill()
	if err := d.verify(server); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fault := make(chan error, deletingSenders+2)
	var load sync.WaitGroup
	run := func(what func(ctx context.Context, c *bench.Conn, rng *rand.Rand) error) {
		rng := rand.New(rand.NewPCG(d.rng.Uint64(), 1))
		load.Go(func() {
			c, err := d.dial(ctx, server)
			if err != nil {
				return // it was killed
			}
			defer c.Close()
			if err := what(ctx, c, rng); err != nil {
				fault <- err
			}
		})
	}
	for range deletingSenders {
		run(d.send)
	}
	run(d.read)
	load.Go(func() {
		if err := d.erase(ctx, server, 1+3*len(d.people)/(2**deletingKills)); err != nil {
			fault <- err
		}
	})
	select {
	case <-time.After(time.Duration(d.rng.Int64N(int64(*deletingLoad)))):
	case err := <-fault:
		return err
	}
	d.rss = max(d.rss, bench.ReadUsage(server.Cmd.Process.Pid).RSSPeak)
	d.kills++
	server.Kill()
	cancel()
	load.Wait()
	select {
	case err := <-fault:
		return err
	default:
		return nil
	}
}

// send sends events until the server is gone, now and then those of a person who is not erased.
func (d *deletingLoadTest) send(ctx context.Context, c *bench.Conn, rng *rand.Rand) error {
	for ctx.Err() == nil {
		person := -1
		if len(d.people) > 0 && rng.IntN(4) == 0 {
			person = rng.IntN(len(d.people))
			if p := &d.people[person]; !p.maySend() {
				person = -1
			}
		}
		answered, err := d.post(c, d.next(1+rng.IntN(deletingBatchMax), person, false), false)
		if person >= 0 {
			d.people[person].sending.RUnlock()
		}
		if !answered || err != nil {
			return err
		}
	}
	return nil
}

// erase erases one person after the other, at most so many, until the server is gone.
func (d *deletingLoadTest) erase(ctx context.Context, server *bench.Child, most int) error {
	for i := range d.people {
		p := &d.people[i]
		if p.erased.Load() || most == 0 {
			continue
		}
		most--
		p.sending.Lock()
		p.asked = true
		p.sending.Unlock()
		status, err := d.delete(ctx, server, i)
		switch {
		case ctx.Err() != nil || err != nil:
			return nil // it was killed
		case status == 200, status == 404: // an earlier one was not answered
			p.erased.Store(true)
		default:
			return fmt.Errorf("person %d is erased with status %d", i, status)
		}
	}
	return nil
}

func (d *deletingLoadTest) delete(ctx context.Context, server *bench.Child, person int) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, "DELETE", server.URL+"/api/v1/users/"+personName(person)+"?now=1", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+server.Keys.Sites[0].SecretKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// read asks for reports until the server is gone. None shows a person who is erased.
func (d *deletingLoadTest) read(ctx context.Context, c *bench.Conn, rng *rand.Rand) error {
	paths := []string{
		"/api/v1/count", "/api/v1/counters?property=kind", "/api/v1/series?interval=day", "/api/v1/events?limit=50",
		"/api/v1/visits", "/api/v1/pages", "/api/v1/sessions?limit=20", "/api/v1/users?limit=20", "/api/v1/breakdown?by=name",
	}
	for ctx.Err() == nil {
		path, gone := paths[rng.IntN(len(paths))], -1
		if i := rng.IntN(len(d.people) + 1); i < len(d.people) && d.people[i].erased.Load() {
			path, gone = "/api/v1/count?metrics=events&user="+personName(i), i
		}
		answer, err := c.Get(path)
		if err != nil {
			if strings.HasPrefix(err.Error(), "status ") {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		}
		d.reports.Add(1)
		if gone >= 0 {
			var count struct{ Events int }
			if err := json.Unmarshal(answer, &count); err != nil || count.Events != 0 {
				return fmt.Errorf("person %d is erased and has %s", gone, answer)
			}
		}
	}
	return nil
}

// verify repeats the requests that were not answered, and compares the store with what was sent
// and deleted.
func (d *deletingLoadTest) verify(server *bench.Child) error {
	c, err := d.dial(context.Background(), server)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, r := range d.requests {
		if r.acked || r.person >= 0 && d.people[r.person].asked {
			continue
		}
		d.again++
		if ok, err := d.post(c, r, true); !ok || err != nil {
			return errors.Join(err, errors.New("a request was repeated"))
		}
	}
	for {
		before, err := d.old(c)
		if err != nil {
			return err
		}
		x, err := d.export(server)
		if err != nil {
			return err
		}
		if err := d.compare(x); err != nil {
			return err
		}
		events, kinds, err := counted(c)
		if err != nil {
			return err
		}
		after, err := d.old(c)
		if err != nil {
			return err
		}
		if before != after { // retention was at work in between
			continue
		}
		if events != x.events || !maps.Equal(kinds, x.kinds) {
			return fmt.Errorf("%d events are counted as %v, the export has %d as %v", events, kinds, x.events, x.kinds)
		}
		return nil
	}
}

// old counts the events that retention takes.
func (d *deletingLoadTest) old(c *bench.Conn) (int, error) {
	var count struct{ Events int }
	answer, err := c.Get("/api/v1/count?metrics=events&name=old")
	if err != nil {
		return 0, err
	}
	err = json.Unmarshal(answer, &count)
	return count.Events, err
}

// counted is what the server counts.
func counted(c *bench.Conn) (events int, kinds map[string]int, err error) {
	answer, err := c.Get("/api/v1/count")
	if err != nil {
		return 0, nil, err
	}
	var count struct{ Events int }
	if err := json.Unmarshal(answer, &count); err != nil {
		return 0, nil, err
	}
	if answer, err = c.Get("/api/v1/counters?property=kind"); err != nil {
		return 0, nil, err
	}
	var counters struct {
		Rows []struct {
			Value  string
			Events int
		}
	}
	if err := json.Unmarshal(answer, &counters); err != nil {
		return 0, nil, err
	}
	kinds = make(map[string]int)
	for _, r := range counters.Rows {
		kinds[r.Value] = r.Events
	}
	return count.Events, kinds, nil
}

// exported is what an export of everything has.
type exported struct {
	events int
	kinds  map[string]int
	times  []uint8 // by number of an event
}

func (d *deletingLoadTest) export(server *bench.Child) (*exported, error) {
	req, err := http.NewRequest("GET", server.URL+"/api/v1/export?format=ndjson", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+server.Keys.Sites[0].SecretKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return nil, fmt.Errorf("export: %s", res.Status)
	}
	x := &exported{kinds: make(map[string]int), times: make([]uint8, d.sent)}
	in := bufio.NewReaderSize(res.Body, 1<<16)
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return x, nil
		}
		if err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		var e struct {
			MessageID  string `json:"message_id"`
			Properties struct{ Kind string }
		}
		n := -1
		if err := json.Unmarshal(line, &e); err == nil {
			_, err = fmt.Sscanf(e.MessageID, "m%d", &n)
			if err != nil || n < 0 || n >= len(x.times) || x.times[n] > 0 {
				return nil, fmt.Errorf("the export has a line that was not sent, or again: %s", line)
			}
		}
		x.times[n]++
		x.events++
		x.kinds[e.Properties.Kind]++
	}
}

// compare compares an export with what was sent and deleted.
func (d *deletingLoadTest) compare(x *exported) error {
	const whole, none, part = 1, 2, 4
	old, people := 0, make([]int, len(d.people)) // how requests of each are there
	for _, r := range d.requests {
		seen := 0
		for _, n := range x.times[r.first : r.first+r.events] {
			seen += int(n)
		}
		is := part
		switch seen {
		case r.events:
			is = whole
		case 0:
			is = none
		}
		switch {
		case r.old:
			old |= is
		case r.person >= 0 && !r.acked && is == none: // it was never stored, and the person is deleted
		case r.person >= 0:
			people[r.person] |= is
		case is != whole:
			return fmt.Errorf("the request of %d events from number %d on was acknowledged, and %d are there", r.events, r.first, seen)
		}
	}
	switch {
	case old != whole && old != none:
		return errors.New("retention has deleted some of the old events and not others")
	case old == whole && d.oldGone:
		return errors.New("events that retention had deleted are back")
	}
	d.oldGone = old == none
	for i := range d.people {
		p := &d.people[i]
		switch is := people[i]; {
		case p.erased.Load() && is&(whole|part) != 0:
			return fmt.Errorf("person %d was erased and is there", i)
		case is&part != 0 || is == whole|none:
			return fmt.Errorf("person %d is there in part", i)
		case is == none && !p.asked:
			return fmt.Errorf("person %d is gone and was not erased", i)
		}
	}
	return nil
}

// finish erases who is left, waits until retention is done and every erased person is purged,
// verifies once more, stops the server properly and lets the checker recount.
func (d *deletingLoadTest) finish() error {
	for i := range d.people {
		if d.people[i].erased.Load() {
			d.erasedEarly++
		}
	}
	server, err := d.start()
	if err != nil {
		return err
	}
	defer server.Kill()
	if err := d.verify(server); err != nil {
		return err
	}
	if err := d.erase(context.Background(), server, len(d.people)); err != nil {
		return err
	}
	for i := range d.people {
		if !d.people[i].erased.Load() {
			return fmt.Errorf("person %d could not be erased: %s", i, server.Log())
		}
	}
	c, err := d.dial(context.Background(), server)
	if err != nil {
		return err
	}
	defer c.Close()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		old, err := d.old(c)
		if err != nil {
			return err
		}
		open, err := unfinished(c)
		if err != nil {
			return err
		}
		if old == 0 && len(open) == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d old events are left, and these deletions are not done: %v: %s", old, open, server.Log())
		}
	}
	d.rss = max(d.rss, bench.ReadUsage(server.Cmd.Process.Pid).RSSPeak)
	if err := d.verify(server); err != nil {
		return err
	}
	return stopAndCheck(server, d.options)
}

// unfinished returns the numbers and states of deletions of persons that are not done.
func unfinished(c *bench.Conn) (open []string, err error) {
	for after := ""; ; {
		answer, err := c.Get("/api/v1/admin/deletions?limit=1000" + after)
		if err != nil {
			return nil, err
		}
		var page struct {
			Deletions []struct {
				ID          uint64
				Kind, State string
			}
			Next *string
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Deletions {
			if r.Kind == "person" && r.State != "done" {
				open = append(open, fmt.Sprint(r.ID, " ", r.State))
			}
		}
		if page.Next == nil || *page.Next == "" {
			return open, nil
		}
		after = "&after=" + *page.Next
	}
}
