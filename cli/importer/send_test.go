package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a file for a test.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// logLine is a line of an access log, n seconds after a fixed time.
func logLine(n int) string {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	return fmt.Sprintf("192.0.2.%d - - [%s] \"GET /page/%d HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n", n%200, at.Format("02/Jan/2006:15:04:05 -0700"), n)
}

func logText(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(logLine(n))
	}
	return b.String()
}

// An import that is broken off at any request, before or after the server stored it, and run again
// from the start ends with what one run gives, in the same order.
func TestBrokenOffAndRunAgain(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(strings.TrimSuffix(logText(0, 2500), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	for i := 100; i < len(lines); i += 7 {
		lines[i] = lines[i-3] // equal lines, which are events of their own
	}
	file := write(t, "access.log", strings.Join(lines, ""))
	whole := newFake(t)
	if _, err := Run(context.Background(), whole.options(file)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(whole.body.String(), "\n"); n != len(lines) {
		t.Fatalf("one run stores %d of %d", n, len(lines))
	}
	for _, at := range []int{1, 3} {
		for _, stored := range []bool{false, true} {
			f := newFake(t)
			cut := func(n int, w http.ResponseWriter) bool {
				if n == at {
					w.WriteHeader(http.StatusInsufficientStorage)
				}
				return n == at
			}
			if f.before = cut; stored {
				f.before, f.after = nil, cut
			}
			var status *StatusError
			if _, err := Run(context.Background(), f.options(file)); !errors.As(err, &status) {
				t.Fatalf("the run that is cut says %v", err)
			}
			sum, err := Run(context.Background(), f.options(file))
			if err != nil {
				t.Fatal(err)
			}
			if f.body.String() != whole.body.String() {
				t.Errorf("cut at request %d, stored %v: the store differs from that of one run", at, stored)
			}
			if sum.Stored+sum.Duplicates != int64(len(lines)) {
				t.Errorf("cut at request %d: %d stored and %d duplicates", at, sum.Stored, sum.Duplicates)
			}
		}
	}
}

// A busy server is asked again, when it says or a little later, and no batch overtakes another.
func TestBusyServer(t *testing.T) {
	t.Parallel()
	file := write(t, "access.log", logText(0, 5000))
	whole, f := newFake(t), newFake(t)
	if _, err := Run(context.Background(), whole.options(file)); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	f.before = func(_ int, w http.ResponseWriter) bool {
		if random.IntN(3) > 0 {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader([]int{429, 503}[random.IntN(2)])
		return true
	}
	f.after = func(_ int, w http.ResponseWriter) bool {
		if random.IntN(4) == 0 {
			panic(http.ErrAbortHandler) // stored, and the answer is lost
		}
		return false
	}
	o := f.options(file)
	sum := &Summary{LeftOut: map[string]int64{}, Refused: map[string]int64{}}
	s := newSender(&o, sum)
	var waits []time.Duration
	s.wait = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	s.reached = true
	batches := make(chan *batch, 100)
	r := &reader{o: &o, out: batches, ctx: context.Background(), batch: newBatch(), ids: newVisitorIDs(o.Secret)}
	if err := r.all(); err != nil {
		t.Fatal(err)
	}
	if err := r.flush(); err != nil {
		t.Fatal(err)
	}
	close(batches)
	for b := range batches {
		if err := s.take(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	if f.body.String() != whole.body.String() {
		t.Error("the store differs from that of a server with time")
	}
	said := 0
	for _, d := range waits {
		if d == 7*time.Second {
			said++
		}
		if d < waitMin || d > 2*waitMax {
			t.Errorf("waits %v", d)
		}
	}
	if said == 0 || said == len(waits) {
		t.Errorf("%d of %d waits are as the server said", said, len(waits))
	}
}

// A proxy that takes small bodies alone gets them.
func TestSmallBodies(t *testing.T) {
	t.Parallel()
	file := write(t, "access.log", logText(0, 1500))
	whole, f := newFake(t), newFake(t)
	if _, err := Run(context.Background(), whole.options(file)); err != nil {
		t.Fatal(err)
	}
	o := f.options(file)
	o.Client = &http.Client{Transport: small{f.Client().Transport, 40 << 10}}
	sum, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if f.body.String() != whole.body.String() || sum.Stored != 1500 {
		t.Errorf("stored %d, the same %v", sum.Stored, f.body.String() == whole.body.String())
	}
	// An event that is too large by itself is refused, and the others are stored.
	f = newFake(t)
	o = f.options(write(t, "events.ndjson", `{"name":"a","time":1772356504}`+"\n"+`{"name":"b","time":1772356504,"properties":{"x":"`+strings.Repeat("x", 50<<10)+`"}}`+"\n"+`{"name":"c","time":1772356504}`+"\n"))
	o.Client = &http.Client{Transport: small{f.Client().Transport, 40 << 10}}
	sum, err = Run(context.Background(), o)
	if err != nil || sum.Stored != 2 || sum.RefusedTotal() != 1 {
		t.Errorf("%+v %v", sum, err)
	}
}

type small struct {
	http.RoundTripper
	most int64
}

func (s small) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength > s.most {
		return &http.Response{StatusCode: 413, Body: http.NoBody, Header: http.Header{}}, nil
	}
	return s.RoundTripper.RoundTrip(r)
}

// A wrong key ends an import at once, and a server that is not there too.
func TestNoServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.before = func(_ int, w http.ResponseWriter) bool { w.WriteHeader(401); return true }
	file := write(t, "access.log", logText(0, 10))
	sum, err := Run(context.Background(), f.options(file))
	if err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "secret_key") || sum.Stored != 0 {
		t.Errorf("a wrong key: %v", err)
	}
	if f.requests != 1 {
		t.Errorf("%d requests with a wrong key", f.requests)
	}
	o := f.options(file)
	o.URL = "http://127.0.0.1:1/"
	if _, err = Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "cannot reach the server") {
		t.Errorf("no server: %v", err)
	}
}

// What the reader or the server refuses is written down with its reason, its line and its text.
func TestRejected(t *testing.T) {
	t.Parallel()
	file := write(t, "events.ndjson", `{"name":"good","time":1772356504}`+"\n\n"+`{"name":"bad","time":1772356504}`+"\nnonsense\n"+`{"name":"good","time":1772356505}`+"\n")
	f := newFake(t)
	f.refuse = func(line []byte) string {
		if bytes.Contains(line, []byte(`"bad"`)) {
			return `name: is "bad"`
		}
		return ""
	}
	var out bytes.Buffer
	o := f.options(file)
	o.Rejected = &out
	sum, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"file":%[1]q,"line":3,"reason":"name: is \"bad\"","text":"{\"name\":\"bad\",\"time\":1772356504}"}
{"file":%[1]q,"line":4,"reason":"is not a JSON object","text":"nonsense"}
`, file)
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	if sum.Stored != 2 || sum.RefusedTotal() != 2 || sum.Read != 4 {
		t.Errorf("%+v", sum)
	}
}

// Files are read in the order of their first events, whatever order the shell gives them.
func TestOrderOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(logText(0, 50))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"access.log": logText(100, 150), "access.log.1": logText(50, 100), "access.log.2.gz": packed.String()} {
		if err := os.WriteFile(name(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := newFake(t)
	o := f.options(name("access.log"), name("access.log.1"), name("access.log.2.gz"))
	notice := ""
	o.Notice = func(text string) { notice = text }
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	last := -1
	for line := range strings.Lines(f.body.String()) {
		var n int
		if _, err := fmt.Sscanf(line[strings.Index(line, "/page/"):], "/page/%d", &n); err != nil || n <= last {
			t.Fatalf("page %d comes after %d (%v)", n, last, err)
		}
		last = n
	}
	if last != 149 || !strings.Contains(notice, "order") {
		t.Errorf("the last page is %d, the notice %q", last, notice)
	}
}

// A dry run sends nothing and says what an import would do.
func TestDryRun(t *testing.T) {
	t.Parallel()
	file := write(t, "events.ndjson", `{"name":"a","time":"2026-03-01T09:00:00Z"}
{"type":"page","time":"2026-03-02T09:00:00Z","source":{"ip":"192.0.2.7"},"session_of":"9cb6ab0498cbfbc5032b8d9272ef0dd1"}
{"name":"no","time":"2026-03-02T09:00:00Z","colour":"red"}
{"name":"b","time":"2026-03-02T09:00:00Z"}
`)
	f := newFake(t)
	o := f.options(file)
	o.DryRun = true
	sum, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := sum.Check
	if f.requests != 0 || sum.Stored != 0 || len(c.First) != 3 || c.Types["track"] != 2 || c.Types["page"] != 1 || c.Days["2026-03-02"] != 2 || sum.RefusedTotal() != 1 {
		t.Errorf("requests %d, %+v, %+v", f.requests, sum, c)
	}
}

// A whole batch that is refused, such as the only event of a file, does not end the import: its
// records are counted and kept, and what is behind it is stored.
func TestABatchOfRefusedEventsEndsNothing(t *testing.T) {
	t.Parallel()
	const each = 1200 // more than a batch has
	var text strings.Builder
	for n := range 3 * each {
		user := "good"
		if n >= each && n < 2*each {
			user = "bad"
		}
		fmt.Fprintf(&text, `{"name":"visit","user":"%s","properties":{"n":%d}}`+"\n", user, n)
	}
	for _, test := range []struct {
		text            string
		stored, refused int64
	}{
		{text.String(), 2 * each, each},
		{`{"name":"visit","user":"bad"}` + "\n", 0, 1},
	} {
		f := newFake(t)
		f.refuse = func(line []byte) string {
			if bytes.Contains(line, []byte(`"bad"`)) {
				return "user: is bad"
			}
			return ""
		}
		var rejected bytes.Buffer
		o := f.options(write(t, "events.jsonl", test.text))
		o.Rejected = &rejected
		sum, err := Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if sum.Stored != test.stored || sum.Refused["user: is bad"] != test.refused || bytes.Count(rejected.Bytes(), []byte("\n")) != int(test.refused) {
			t.Errorf("%d stored, refused %v, %d lines kept; want %d stored and %d refused", sum.Stored, sum.Refused, bytes.Count(rejected.Bytes(), []byte("\n")), test.stored, test.refused)
		}
	}
}
