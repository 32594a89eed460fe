package s3test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Fault is what a proxy does to one request.
type Fault int

// The faults.
const (
	Pass      Fault = iota
	CutBefore       // the connection ends before the server sees the request
	CutAfter        // the server has done it, but the answer is lost
	CutBody         // the answer ends in the middle
	Forbidden       // 403
	Failed          // 500
	Busy            // 503
	Slow            // it takes Delay longer
	LieTag          // the ETag in the answer is another one
	faults
)

// Proxy spoils requests on their way to a server.
type Proxy struct {
	To    http.Handler
	Delay time.Duration
	Shift time.Duration                          // of the Date in answers
	Next  func(method, path string) Fault        // nil = Pass
	Tell  func(method, path string, fault Fault) // nil = nobody is told

	mu sync.Mutex
}

// Random chooses faults: one request in every is spoilt.
func Random(seed uint64, every int) func(method, path string) Fault {
	rng := rand.New(rand.NewPCG(seed, 1))
	return func(string, string) Fault {
		if rng.IntN(every) > 0 {
			return Pass
		}
		return Fault(1 + rng.IntN(int(faults)-1))
	}
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := Pass
	p.mu.Lock()
	if p.Next != nil {
		fault = p.Next(r.Method, r.URL.Path)
	}
	p.mu.Unlock()
	if p.Tell != nil {
		p.Tell(r.Method, r.URL.Path, fault)
	}
	switch fault {
	case CutBefore:
		panic(http.ErrAbortHandler)
	case Forbidden:
		refuse(w, http.StatusForbidden, "AccessDenied")
		return
	case Failed:
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	case Busy:
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
		return
	case Slow:
		time.Sleep(p.Delay)
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	rec := httptest.NewRecorder()
	p.To.ServeHTTP(rec, r)
	if fault == CutAfter {
		panic(http.ErrAbortHandler)
	}
	for key, values := range rec.Header() {
		w.Header()[key] = values
	}
	if at, err := http.ParseTime(w.Header().Get("Date")); err == nil && p.Shift != 0 {
		w.Header().Set("Date", at.Add(p.Shift).UTC().Format(http.TimeFormat))
	}
	if fault == LieTag && w.Header().Get("ETag") != "" {
		w.Header().Set("ETag", `"00000000000000000000000000000bad"`)
	}
	w.WriteHeader(rec.Code)
	text := rec.Body.Bytes()
	if fault == CutBody && len(text) > 0 {
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(text)
}
