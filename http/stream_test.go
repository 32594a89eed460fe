package httpd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// streaming is a dialect whose answers are streams. The last segment of the path says which.
// What has "before " in front of its name runs before the answer is there.
type streaming struct {
	streams map[string]func(context.Context, *dialect.Request, io.Writer) error
}

func (streaming) Name() event.Dialect { return event.Native }

func (streaming) Routes() []dialect.Route {
	return []dialect.Route{
		{Methods: []string{"GET"}, Path: "/stream/*", Auth: dialect.AuthBearer, Right: dialect.Read, Reads: true, Streams: true},
		{Methods: []string{"POST"}, Path: "/stream/*", Auth: dialect.AuthBearer, Right: dialect.Manage, Acts: true, Streams: true},
	}
}

func (streaming) Decode(*dialect.Request, *dialect.Batch) error { return nil }

func (streaming) Reply(_ *dialect.Request, res *dialect.Response, result dialect.Result) {
	res.Status, res.Body = result.Failure.Status(), append(res.Body[:0], result.Err.Error()...)
}

func (d streaming) Read(ctx context.Context, req *dialect.Request, _ dialect.Reader, res *dialect.Response) error {
	return d.Act(ctx, req, res)
}

func (d streaming) Act(ctx context.Context, req *dialect.Request, res *dialect.Response) error {
	name := req.Path[strings.LastIndexByte(req.Path, '/')+1:]
	if before := d.streams["before "+name]; before != nil {
		if err := before(ctx, req, nil); err != nil {
			return err
		}
	}
	res.ContentType = "text/plain"
	res.Stream = func(w io.Writer) error { return d.streams[name](ctx, req, w) }
	if name == "refused" {
		return errors.New("refused")
	}
	return nil
}

// startStreams runs a server that also has the streams of d, and logs to log.
func startStreams(t *testing.T, log io.Writer, d streaming, before ...func(*Server)) *testServer {
	t.Helper()
	return start(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) }, append(before, func(s *Server) {
		all := *s.sites.Load()
		var err error
		if all.table, err = newTable(s.routes(s.sites.Load().dashboard, append(dialects(s.native, nil, false), d))); err != nil {
			t.Fatal(err)
		}
		s.sites.Store(&all)
	})...)
}

// within waits for something to come true.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatalf("after 5 s: not %s", what)
		}
	}
}

const streamHead = " HTTP/1.1\r\nHost: a\r\n" + secret + "\r\n"

// A stream is a chunk a write, and the connection goes on after it. The line in the log has
// its bytes, the metrics its status.
func TestStream(t *testing.T) {
	log := &syncBuffer{}
	s := startStreams(t, log, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
		"words": func(ctx context.Context, req *dialect.Request, w io.Writer) error {
			if end, has := ctx.Deadline(); has {
				return fmt.Errorf("a stream has to end at %v", end)
			}
			// What the request said is still there.
			for _, word := range []string{"one ", "", req.Header("X-Word"), " " + req.RawQuery, " of " + req.Site.Name} {
				if _, err := io.WriteString(w, word); err != nil {
					return err
				}
			}
			return nil
		},
	}})
	c := s.dial()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(c)
	const chunks = "4\r\none \r\n3\r\ntwo\r\n6\r\n three\r\n8\r\n of shop\r\n0\r\n\r\n"
	for _, method := range []string{"GET", "POST", "HEAD", "GET"} {
		fmt.Fprint(c, method+" /stream/words?three"+streamHead+"X-Word: two\r\nAccept-Encoding: gzip, zstd\r\n\r\n")
		a, err := readAnswer(r, true)
		if err != nil || a.status != 200 || a.header["transfer-encoding"] != "chunked" || a.header["content-type"] != "text/plain" ||
			a.header["content-length"] != "" || a.header["content-encoding"] != "" || a.header["cache-control"] != "no-store" {
			t.Fatalf("%s: %+v %v", method, a, err)
		}
		if method == "HEAD" {
			continue // what follows is the next head
		}
		body := make([]byte, len(chunks))
		if _, err := io.ReadFull(r, body); err != nil || string(body) != chunks {
			t.Fatalf("%s: %q %v", method, body, err)
		}
	}
	within(t, "four lines", func() bool { return strings.Count(log.String(), "route=/stream/*") == 4 })
	if text := log.String(); strings.Count(text, "status=200") != 4 || strings.Count(text, " bytes=21 ") != 3 || strings.Count(text, " bytes=0 ") != 1 || strings.Contains(text, "broken_off") {
		t.Errorf("the log:\n%s", text)
	}
	if text := s.send("GET", "/metrics", "", adminKey).body; !strings.Contains(text, "\ncairn_http_requests_total{dialect=\"native\",status=\"200\"} 4\n") {
		t.Error("the metrics have not counted four")
	}
	// What is refused before the stream has begun is an answer like any other.
	if a := s.send("GET", "/stream/refused", "", secret); a.status != 500 || a.body != "internal error" || a.header["transfer-encoding"] != "" {
		t.Errorf("refused: %+v", a)
	}
	if a := s.send("POST", "/stream/words", "", "Authorization: Bearer shop-write"); a.status != 403 {
		t.Errorf("a public key: %+v", a)
	}
	// HTTP/1.0 has no chunks, and its clients could not tell a broken body from a whole one.
	if got, _ := s.raw("GET /stream/words HTTP/1.0\r\n"+secret+"\r\n\r\n", 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 505 ") {
		t.Errorf("HTTP/1.0: %q", got)
	}
}

// A stream that fails after it began cuts the connection: the client gets what was sent, and
// then an error instead of an end.
func TestStreamFails(t *testing.T) {
	log := &syncBuffer{}
	s := startStreams(t, log, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
		"error": func(_ context.Context, _ *dialect.Request, w io.Writer) error {
			io.WriteString(w, "half")
			return errors.New("the disk is broken")
		},
		"panic": func(_ context.Context, _ *dialect.Request, w io.Writer) error {
			io.WriteString(w, "half")
			panic("a bug")
		},
		"at-once": func(context.Context, *dialect.Request, io.Writer) error { return errors.New("nothing is there") },
	}})
	for name, want := range map[string]struct{ body, logged string }{
		"error":   {"half", `msg="stream failed" route=/stream/* error="the disk is broken"`},
		"panic":   {"half", `msg="panic in a stream" route=/stream/* panic="a bug"`},
		"at-once": {"", `error="nothing is there"`},
	} {
		req, err := http.NewRequest("GET", "http://"+s.addr+"/stream/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer shop-secret")
		a, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode != 200 || string(body) != want.body || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d %q %v", name, a.StatusCode, body, err)
		}
		within(t, "logged", func() bool { return strings.Contains(log.String(), want.logged) })
	}
	within(t, "three lines", func() bool { return strings.Count(log.String(), "broken_off=true") == 3 })
	if n := s.queriesOf("shop"); n != 0 {
		t.Errorf("%d reads are at work", n)
	}
	if a := s.send("GET", "/healthz", ""); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// queriesOf is how many reads are at work with the secret key of a site.
func (s *testServer) queriesOf(site string) int {
	g, _, _ := s.sites.Load().registry.Authorize("Bearer "+site+"-secret", "", dialect.Read, false)
	return g.Queries.Count()
}

// A client that goes away, or stands still, ends its stream; neither is an error of cairn's.
func TestStreamBreaks(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"gone":         func(c net.Conn) { c.Close() },
		"stands still": func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &syncBuffer{}
			ended := make(chan error, 1)
			s := startStreams(t, log, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
				"endless": func(_ context.Context, _ *dialect.Request, w io.Writer) error {
					piece := make([]byte, 16<<10)
					for {
						if _, err := w.Write(piece); err != nil {
							_, again := w.Write(piece)
							ended <- errors.Join(err, again)
							return nil // as if nothing had happened
						}
					}
				},
			}}, hurried)
			c := s.dial()
			c.(*net.TCPConn).SetReadBuffer(4 << 10)
			io.WriteString(c, "GET /stream/endless"+streamHead+"\r\n")
			if a, err := readAnswer(bufio.NewReader(c), true); err != nil || a.status != 200 {
				t.Fatalf("%+v %v", a, err)
			}
			leave(c)
			select {
			case err := <-ended:
				if err == nil {
					t.Error("no error")
				}
			case <-time.After(5 * time.Second):
				t.Fatal("the stream goes on")
			}
			within(t, "a line", func() bool { return strings.Contains(log.String(), "broken_off=true") })
			if strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the log:\n%s", log)
			}
			within(t, "at rest", func() bool { return s.queriesOf("shop") == 0 && s.gate.Size() == 0 })
			if n := s.metrics.streams.snapshot()["slow reader"]; (n == 1) != (name == "stands still") {
				t.Errorf("%d slow readers", n)
			}
		})
	}
}

// A stream is a read at work until it ends.
func TestStreamsOfOneKey(t *testing.T) {
	stop := make(chan struct{})
	s := startStreams(t, io.Discard, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
		"wait": func(context.Context, *dialect.Request, io.Writer) error { <-stop; return nil },
	}})
	var readers []*bufio.Reader
	for range queriesMax {
		c := s.dial()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(c, "GET /stream/wait"+streamHead+"\r\n")
		r := bufio.NewReader(c)
		if a, err := readAnswer(r, true); err != nil || a.status != 200 { // before there is any body
			t.Fatalf("%+v %v", a, err)
		}
		readers = append(readers, r)
	}
	if a := s.send("GET", "/api/v1/users/u", "", secret); a.status != 429 { // no answer of it is kept
		t.Errorf("one more: %d", a.status)
	}
	close(stop)
	for _, r := range readers {
		if end, err := r.ReadString('\n'); err != nil || end != "0\r\n" {
			t.Errorf("%q %v", end, err)
		}
	}
	within(t, "at rest", func() bool { return s.queriesOf("shop") == 0 })
	if a := s.send("GET", "/api/v1/count", "", secret); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// A client that goes before the head of its stream is sent gives back its place among the
// reads of its key.
func TestStreamOfAClientThatIsGone(t *testing.T) {
	log := &syncBuffer{}
	begun := make(chan struct{}, queriesMax)
	release := make(chan struct{})
	s := startStreams(t, log, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
		"late": func(_ context.Context, _ *dialect.Request, w io.Writer) error {
			_, err := io.WriteString(w, "news")
			return err
		},
		"before late": func(context.Context, *dialect.Request, io.Writer) error {
			begun <- struct{}{}
			<-release
			return nil
		},
	}})
	for range queriesMax {
		c := s.dial()
		io.WriteString(c, "GET /stream/late"+streamHead+"\r\n")
		<-begun
		if err := c.(*net.TCPConn).SetLinger(0); err != nil { // the client resets the connection
			t.Fatal(err)
		}
		c.Close()
	}
	close(release)
	within(t, "at rest", func() bool { return s.queriesOf("shop") == 0 })
	if a := s.send("GET", "/api/v1/count", "", secret); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	within(t, "logged", func() bool { return strings.Count(log.String(), "route=/stream/") >= queriesMax })
}

// A stop ends streams at once. One that watches its context decides how it ends; the others
// are cut off when they write.
func TestStreamShutdown(t *testing.T) {
	log := &syncBuffer{}
	s := startStreams(t, log, streaming{map[string]func(context.Context, *dialect.Request, io.Writer) error{
		"live": func(ctx context.Context, _ *dialect.Request, w io.Writer) error {
			io.WriteString(w, "news")
			<-ctx.Done()
			return nil
		},
		"export": func(ctx context.Context, _ *dialect.Request, w io.Writer) error {
			io.WriteString(w, "rows")
			<-ctx.Done()
			return ctx.Err()
		},
		"deaf": func(_ context.Context, _ *dialect.Request, w io.Writer) error {
			for {
				if _, err := io.WriteString(w, "more"); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
		},
	}})
	conns := map[string]net.Conn{}
	for _, name := range []string{"live", "export", "deaf"} {
		c := s.dial()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(c, "GET /stream/"+name+streamHead+"\r\n")
		conns[name] = c
	}
	within(t, "three at work", func() bool { return s.queriesOf("shop") == 3 })
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("Shutdown: %v after %v", err, time.Since(began))
	}
	for name, c := range conns {
		body, err := io.ReadAll(c)
		if whole := strings.HasSuffix(string(body), "\r\n0\r\n\r\n"); err != nil || whole != (name == "live") || !strings.Contains(string(body), "\r\n\r\n4\r\n") {
			t.Errorf("%s: %q %v", name, body, err)
		}
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("the log:\n%s", log)
	}
}
