package clickhouse

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// early answers a request before it has read its body, as a server does that refuses one.
type early struct{ ended atomic.Bool }

func (e *early) RoundTrip(r *http.Request) (*http.Response, error) {
	go func() {
		time.Sleep(20 * time.Millisecond)
		io.Copy(io.Discard, r.Body)
		e.ended.Store(true)
		r.Body.Close()
	}()
	return &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("Code: 241, too much"))}, nil
}

// The next body is made where this one is. So nobody may read it when a request has ended, however it did.
func TestNobodyReadsABodyAfterItsRequest(t *testing.T) {
	c, err := newClient(&Options{URL: "http://localhost:8123"})
	if err != nil {
		t.Fatal(err)
	}
	e := new(early)
	c.http.Transport = e
	err = c.insert(t.Context(), time.Minute, "INSERT", func(w io.Writer) error { return writeAll(w, []byte("rows")) }, "gzip")
	if codeOf(err) != 241 || !e.ended.Load() {
		t.Errorf("%v; the body was read to its end: %t", err, e.ended.Load())
	}
}
