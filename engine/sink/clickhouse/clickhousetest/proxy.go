package clickhousetest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is what a Proxy does to one INSERT.
type Fault int

// The faults.
const (
	Pass      Fault = iota
	CutBefore       // the connection ends before the server gets a byte
	CutBody         // the server gets the first half of the body, and then the connection ends
	CutAfter        // the server stores the rows, and the connection ends before its answer
	Twice           // the server gets the INSERT twice
	Late            // the server gets the INSERT after its sender has given up
	Error500        // the server stores the rows, and the answer is 500
	Garbled         // the answer is one that no ClickHouse gives
	Faults          // how many there are
)

// Proxy stands before a server. It looks at INSERTs alone; other requests pass.
type Proxy struct {
	URL string

	// Choose says what happens to an INSERT; nil = it passes.
	Choose func() Fault
	// Refuse says that the server cannot read a row of a body; nil = it can. The answer is that of a server
	// of 2018, and quotes the body.
	Refuse func(body string) bool
	// Delay is after what time a Late INSERT goes on.
	Delay time.Duration

	mu    sync.Mutex
	after func()
	seen  map[Fault]int
	late  sync.WaitGroup
}

// NewProxy starts a proxy, which ends with the test.
func NewProxy(t testing.TB, target func() string) *Proxy {
	p := &Proxy{seen: map[Fault]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, target()) }))
	p.URL = server.URL
	t.Cleanup(func() {
		p.late.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	return p
}

// SetAfter sets what is called when the server has stored an INSERT that is CutAfter, and before its sender
// knows; nil = nothing.
func (p *Proxy) SetAfter(after func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = after
}

// Seen returns how often a fault was met.
func (p *Proxy) Seen(f Fault) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[f]
}

// Wait returns when no INSERT is late any more.
func (p *Proxy) Wait() { p.late.Wait() }

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, target string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if p.Refuse != nil && strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		if plain := inflated(r, body); p.Refuse(plain) {
			http.Error(w, "Code: 27, e.displayText() = DB::Exception: Cannot parse input: "+plain[:min(len(plain), 2000)]+", e.what() = DB::Exception", http.StatusInternalServerError)
			return
		}
	}
	fault := Pass
	if p.Choose != nil && strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		fault = p.Choose()
		p.mu.Lock()
		p.seen[fault]++
		p.mu.Unlock()
	}
	switch fault {
	case CutBefore:
		cut(w)
	case CutBody:
		half(r, body, target)
		cut(w)
	case CutAfter:
		forward(r, body, target)
		p.mu.Lock()
		after := p.after
		p.mu.Unlock()
		if after != nil {
			after()
		}
		cut(w)
	case Twice:
		forward(r, body, target)
		answer(w, r, body, target)
	case Late:
		p.late.Add(1)
		again := r.Clone(r.Context())
		time.AfterFunc(p.Delay, func() {
			defer p.late.Done()
			forward(again, body, target)
		})
		cut(w)
	case Error500:
		forward(r, body, target)
		http.Error(w, "something broke on the way", http.StatusInternalServerError)
	case Garbled:
		forward(r, body, target)
		w.Write([]byte("<html>welcome</html>"))
	default:
		answer(w, r, body, target)
	}
}

// inflated returns a body as it was before it was compressed.
func inflated(r *http.Request, body []byte) string {
	if r.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(z)
		}
	}
	return string(body)
}

// answer forwards a request and its answer.
func answer(w http.ResponseWriter, r *http.Request, body []byte, target string) {
	resp, err := forward(r, body, target)
	if err != nil {
		cut(w)
		return
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(resp.body)
}

type whole struct {
	*http.Response
	body []byte
}

func forward(r *http.Request, body []byte, target string) (whole, error) {
	out, err := http.NewRequest(r.Method, target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return whole{}, err
	}
	out.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(out)
	if err != nil {
		return whole{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return whole{resp, got}, err
}

// half sends a body whose connection ends in the middle, and waits until the server has noticed.
func half(r *http.Request, body []byte, target string) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(target, "http://"))
	if err != nil {
		return
	}
	defer conn.Close()
	out, err := http.NewRequest(r.Method, target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return
	}
	out.Header = r.Header.Clone()
	var raw bytes.Buffer
	out.Write(&raw)
	conn.Write(raw.Bytes()[:raw.Len()-len(body)/2])
	conn.(*net.TCPConn).CloseWrite()
	conn.SetReadDeadline(time.Now().Add(time.Second))
	if resp, err := http.ReadResponse(bufio.NewReader(conn), out); err == nil {
		resp.Body.Close()
	}
}

// cut ends the connection of a request without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}
