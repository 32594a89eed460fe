package httpd

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// This file answers with a body that is sent while it is made: dialect.Response.Stream.

// stream is the body of one such answer. After the handler has returned, fasthttp sends the
// head and calls WriteTo, in the same goroutine. Each Write goes out as one chunk. If WriteTo
// returns an error, fasthttp closes the connection and does not send the last chunk, so the
// client sees that the body is incomplete. A HEAD is answered without a stream.
//
// The stream owns the exchange until the stream ends. The exchange includes the buffers of the
// request, and the read's place among the reads that its key may make at once.
type stream struct {
	x    *exchange
	to   io.Writer
	size int64       // bytes sent
	err  error       // why nothing more can be sent; it stays
	over bool        // the exchange is given back
	gone atomic.Bool // the client has closed the connection
}

// sendStream gives the stream to fasthttp.
func (x *exchange) sendStream() {
	out := &x.ctx.Response
	out.ImmediateHeaderFlush = true // the first bytes of the body may be long in coming
	out.SetBodyStream(&stream{x: x}, -1)
}

// Write sends all of p, or returns an error. It fails once the server stops.
func (s *stream) Write(p []byte) (int, error) {
	if s.err == nil {
		s.err = s.x.s.streaming.Err()
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.to.Write(p)
	s.size += int64(n)
	s.err = err
	return n, err
}

// WriteTo runs the stream. It logs an error, unless the client has gone or the server stops:
// these two are not faults of cairn.
func (s *stream) WriteTo(w io.Writer) (_ int64, err error) {
	s.to = w
	x, server := s.x, s.x.s
	defer func() {
		if r := recover(); r != nil {
			server.log.Error("panic in a stream", "route", x.routeName(), "panic", cut(fmt.Sprint(r)), "request_id", string(x.id), "stack", string(debug.Stack()))
			err = errInternal
			// The engine keeps nothing of a read, so the buffers go back to their budget. The
			// rest of the exchange is not used again.
			x.body.Release()
			x.packed.Release()
			x.lost = true
		}
		s.end(err == nil)
	}()
	if cancel := x.cancel; len(x.lasting) > 0 && cancel != nil {
		// It may have nothing to say for long, and a client that comes back has to find its place free.
		defer x.c.Watch(func() { s.gone.Store(true); cancel() })()
	}
	err = x.res.Stream(s)
	switch {
	case s.err != nil:
		err = s.err
	case err != nil && !s.gone.Load() && server.streaming.Err() == nil && server.lines.allow("stream", time.Now()):
		server.log.Error("stream failed", "route", x.routeName(), "error", cut(err.Error()), "request_id", string(x.id))
	}
	return s.size, err
}

// Close ends a stream whose head could not be sent: fasthttp then calls Close and not
// WriteTo. After WriteTo it does nothing.
func (s *stream) Close() error {
	if !s.over {
		s.end(false)
	}
	return nil
}

// end logs the answer and gives the exchange back.
func (s *stream) end(whole bool) {
	s.over = true
	s.x.s.logAccess(s.x, s.size, time.Since(s.x.started), whole)
	s.x.s.release(s.x)
}

// SupportsBodyWriteTo tells fasthttp to call WriteTo and not Read.
func (*stream) SupportsBodyWriteTo() bool { return true }

// Read is never called. It makes a stream an io.Reader, which fasthttp asks for.
func (*stream) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
