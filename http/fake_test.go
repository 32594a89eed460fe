package httpd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/http/native"
	"cairn/http/native/nativetest"
)

// fakeEngine keeps events in a slice. Its next calls return the errors that are set.
type fakeEngine struct {
	native.Engine // its reports, which no test here asks for

	mu           sync.Mutex
	events       []*event.Event
	sites        []*query.Site
	urls         []string // in the contexts of events
	seen         map[string]string
	admit        error
	admitted     chan struct{} // takes a value for each write that begins; nil = none
	ready        error
	fail         error           // of Ingest and of reads
	asked        context.Context // of the last listing
	failed       []engine.Record // of the Ingest that failed last
	discard      bool            // benchmarks: keep nothing
	panics       bool            // in Ingest
	block        chan struct{}
	entered      chan struct{} // a call has begun
	snapshot     string
	browsers     map[[32]byte]query.BrowserSession
	stats        engine.Stats
	numbers      []engine.Metric
	numbersAsked atomic.Int32 // calls of StoreMetrics
}

// discarded are the outcomes that benchmarks share. They only read them.
var discarded = make([]event.Outcome, native.EventsMax)

// enter says that a call has begun, and holds it up.
func (f *fakeEngine) enter() {
	if f.entered != nil {
		f.entered <- struct{}{}
	}
	if f.block != nil {
		<-f.block
	}
}

func (f *fakeEngine) Bounds(context.Context, *query.Site) (first, last int64, err error) {
	return 1, 0, nil
}

func (f *fakeEngine) Ingest(_ context.Context, records []engine.Record, all bool, _ *engine.Memory) ([]event.Outcome, error) {
	f.enter()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		f.failed = records
		return nil, f.fail
	}
	if f.panics {
		panic("as the test wants")
	}
	if f.discard {
		return discarded[:len(records)], nil
	}
	out := make([]event.Outcome, len(records))
	for i, r := range records {
		if r.Event.Name == "refuse" {
			out[i] = event.Outcome{Status: event.Rejected, Err: &event.FieldError{Index: i, Field: "name", Msg: "refused"}}
			if all {
				return out, nil
			}
		}
	}
	for i, r := range records {
		if out[i].Status == event.Rejected {
			continue
		}
		if id := r.Event.MessageID; id != "" {
			if f.seen == nil {
				f.seen = map[string]string{}
			}
			if first, ok := f.seen[id]; ok {
				out[i] = event.Outcome{Status: event.Duplicate, ID: first}
				continue
			}
		}
		e := r.Event
		e.Name, e.User, e.MessageID = strings.Clone(e.Name), strings.Clone(e.User), strings.Clone(e.MessageID)
		e.Seq = uint64(len(f.events) + 1)
		e.ID = fmt.Sprintf("%032x", e.Seq)
		if e.MessageID != "" {
			f.seen[e.MessageID] = e.ID
		}
		f.events = append(f.events, &e)
		f.sites = append(f.sites, &r.Site.Site)
		f.urls = append(f.urls, strings.Clone(r.Event.Context.Get("url").Text))
		out[i].ID, out[i].Seq = e.ID, e.Seq
	}
	return out, nil
}

func (f *fakeEngine) List(ctx context.Context, q query.Query) (query.Page, error) {
	end, err := query.BeginWork(ctx)
	if err != nil {
		return query.Page{}, err
	}
	defer end()
	f.enter()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = ctx
	var p query.Page
	for i, e := range f.events {
		if f.sites[i].ID == q.Site.ID {
			p.Events = append(p.Events, e)
		}
	}
	return p, f.fail
}

func (f *fakeEngine) Event(context.Context, *query.Site, string) (*event.Event, error) {
	return nil, query.ErrNotFound
}

func (f *fakeEngine) Count(ctx context.Context, q query.Query) (query.Totals, error) {
	p, err := f.List(ctx, q)
	return query.Totals{Events: uint64(len(p.Events))}, err
}

func (f *fakeEngine) Series(context.Context, query.Query, string, *time.Location) ([]query.Bucket, error) {
	return nil, f.fail
}

func (f *fakeEngine) Counters(context.Context, query.CounterQuery) (query.CounterPage, error) {
	return query.CounterPage{}, f.fail
}

func (f *fakeEngine) Digest(context.Context, query.Query) (query.Digest, error) {
	return query.Digest{}, f.fail
}

func (f *fakeEngine) Users(context.Context, query.Query) ([]query.User, string, error) {
	return nil, "", f.fail
}

func (f *fakeEngine) User(context.Context, *query.Site, string) (query.User, error) {
	return query.User{}, query.ErrNotFound
}

func (f *fakeEngine) Sessions(context.Context, query.Query) ([]query.Session, string, error) {
	return nil, "", f.fail
}

func (f *fakeEngine) Session(context.Context, *query.Site, string) (query.Session, error) {
	return query.Session{}, query.ErrNotFound
}

func (f *fakeEngine) Group(context.Context, *query.Site, string) (query.Group, error) {
	return query.Group{}, query.ErrNotFound
}

func (f *fakeEngine) Facts(context.Context, *query.Site) (query.Facts, error) {
	return query.Facts{First: 1}, f.fail
}

func (f *fakeEngine) Live(context.Context, *query.Live) (*query.LiveAnswer, error) {
	return &query.LiveAnswer{}, f.fail
}

func (f *fakeEngine) Place(*query.Site, string) (uint64, error) { return 0, f.fail }

func (f *fakeEngine) Tail(context.Context, query.Tail) (query.TailPage, error) {
	return query.TailPage{}, f.fail
}

// BeginExport answers with an export of one line.
func (f *fakeEngine) BeginExport(context.Context, query.Export) (query.ExportRun, error) {
	return fakeExport{}, f.fail
}

type fakeExport struct{}

func (fakeExport) Plan() query.ExportPlan { return query.ExportPlan{} }

func (fakeExport) Write(_ context.Context, w io.Writer) (query.Exported, error) {
	_, err := io.WriteString(w, "{}\n")
	return query.Exported{Events: 1}, err
}

func (f *fakeEngine) AllSaved(context.Context, *query.Site) ([]query.Saved, error) {
	return nil, f.fail
}

func (f *fakeEngine) Saved(context.Context, *query.Site, string) (query.Saved, error) {
	return query.Saved{}, query.ErrNotFound
}

func (f *fakeEngine) Save(_ context.Context, _ *query.Site, s query.Saved) (query.Saved, error) {
	return s, f.fail
}

func (f *fakeEngine) Unsave(context.Context, *query.Site, string) error { return query.ErrNotFound }

func (f *fakeEngine) StoreName() string { return "c0ffee" }

func (f *fakeEngine) ShareOf(context.Context, [32]byte) (site uint32, s query.Saved, err error) {
	return 0, s, query.ErrNotFound
}

func (f *fakeEngine) Browsers() (all []query.BrowserSession, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.browsers)), nil
}

func (f *fakeEngine) KeepBrowser(s *query.BrowserSession, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.admit != nil {
		return f.admit
	}
	if f.browsers == nil {
		f.browsers = map[[32]byte]query.BrowserSession{}
	}
	f.browsers[s.ID] = *s
	return nil
}

func (f *fakeEngine) ForgetBrowsers(ids ...[32]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		delete(f.browsers, id)
	}
	return nil
}

func (f *fakeEngine) Snapshot(_ context.Context, dir string) (query.Snapshot, error) {
	f.snapshot = dir
	return query.Snapshot{Path: dir, Events: 1, Bytes: 2}, f.fail
}

func (f *fakeEngine) Visit(r engine.Record, out *event.Outcome) {
	if r.Visit.Ask {
		out.Device, out.Session = "device", "next"
	}
}

func (f *fakeEngine) Visits(context.Context, query.Query, string, *time.Location) (query.Visits, []query.Visits, error) {
	return query.Visits{}, nil, f.fail
}

func (f *fakeEngine) Bot(src *event.Source) string {
	if strings.Contains(src.UserAgent, "Googlebot") {
		return "Googlebot"
	}
	return ""
}

func (f *fakeEngine) Admit() error {
	if f.admitted != nil {
		f.admitted <- struct{}{}
	}
	return f.admit
}

func (f *fakeEngine) NoteDamage(error)    {}
func (f *fakeEngine) Ready() error        { return f.ready }
func (f *fakeEngine) Stats() engine.Stats { return f.stats }
func (f *fakeEngine) StoreMetrics() []engine.Metric {
	f.numbersAsked.Add(1)
	return f.numbers
}

func (f *fakeEngine) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.events)
}

// testSite is a site with every kind of key.
func testSite(id uint32, name string) *Site {
	return &Site{
		Site:     &engine.Site{Site: query.Site{ID: id, Name: name}},
		WriteKey: name + "-write", ClientID: name + "-client", ClientSecret: name + "-client-secret",
		SecretKey: name + "-secret", TokenAuth: name + "-token", ReadKey: name + "-read",
		Origins: []string{"https://" + name + ".example"},
	}
}

// testServer is a Server on a TCP port of 127.0.0.1.
type testServer struct {
	*Server
	engine *fakeEngine
	addr   string
	t      testing.TB
}

// start runs a server. change may alter its options, and before its parts before it serves.
func start(t testing.TB, change func(*Options), before ...func(*Server)) *testServer {
	t.Helper()
	f := &fakeEngine{Engine: &nativetest.Engine{Err: query.ErrBadQuery}}
	o := Options{Engine: f, Sites: []*Site{testSite(1, "shop")}, AdminToken: "admin", SnapshotDir: t.TempDir(), Version: "test"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range before {
		b(s)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		// The test is over, so connections are cut off.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		for began := time.Now(); s.fast.GetOpenConnectionsCount() > 0; time.Sleep(time.Millisecond) {
			if time.Since(began) > 5*time.Second {
				t.Error("a handler is still at work")
				return
			}
		}
	})
	return &testServer{s, f, ln.Addr().String(), t}
}

func (s *testServer) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// raw sends text as it is and returns all that comes back until the server
// closes, and whether it did.
func (s *testServer) raw(text string, wait time.Duration) (answer string, closed bool) {
	s.t.Helper()
	c := s.dial()
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Logf("write: %v", err)
	}
	return readUntilClosed(c, wait)
}

func readUntilClosed(c net.Conn, wait time.Duration) (string, bool) {
	c.SetReadDeadline(time.Now().Add(wait))
	b, err := io.ReadAll(c)
	return string(b), err == nil
}

// parsed is one answer.
type parsed struct {
	status int
	header map[string]string // last value by lower-case name
	body   string
}

// readAnswer reads one answer from a connection; head says that it answers HEAD.
func readAnswer(r *bufio.Reader, head bool) (a parsed, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return a, err
	}
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d ", &a.status); err != nil {
		return a, fmt.Errorf("%q: %w", line, err)
	}
	a.header = map[string]string{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return a, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		a.header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	n := 0
	fmt.Sscan(a.header["content-length"], &n)
	if head || a.status == 204 {
		return a, nil
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	a.body = string(body)
	return a, err
}

// send makes one request on a connection of its own. headers are "Name: value". Any
// goroutine may call it: without an answer the test fails, and the status is 0.
func (s *testServer) send(method, target, body string, headers ...string) parsed {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, target, err)
		return parsed{}
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: example.com\r\n", method, target)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	if _, err := c.Write(b.Bytes()); err != nil {
		s.t.Logf("write: %v", err)
	}
	a, err := readAnswer(bufio.NewReader(c), method == "HEAD")
	if err != nil {
		s.t.Errorf("%s %s: %v", method, target, err)
		return parsed{}
	}
	return a
}

// notAtMidnight waits while a day of UTC ends, so that all that a test does is of one day.
func notAtMidnight() {
	now := time.Now()
	if left := now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now); left < 10*time.Second {
		time.Sleep(left)
	}
}

const (
	secret   = "Authorization: Bearer shop-secret"
	adminKey = "Authorization: Bearer admin"
)

// post sends one native event with the site's secret key.
func (s *testServer) post(body string, headers ...string) parsed {
	s.t.Helper()
	return s.send("POST", "/api/v1/events", body, append([]string{secret}, headers...)...)
}

// strangers lets every client choose its address, so that tests can try limits, which do not
// apply to loopback.
func strangers(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
